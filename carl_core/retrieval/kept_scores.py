"""The best scores of fixed queries in a segment, kept beside it.

What is usual is known from the same frames of unrelated clips in every search (``everywhere``), and
to find their best scores takes far longer than a search: seconds for a million rows.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

import numpy as np

from carl_core.atomic import write_atomic

if TYPE_CHECKING:
    from carl_core.arrays import Float32
    from carl_core.progress import Monitor
    from carl_core.retrieval.cells import Cells
    from carl_core.retrieval.segment import Segment


def kept_best_scores(
    segment: Segment, cells: Cells | None, queries: Float32, monitor: Monitor
) -> Float32:
    """Return the best score of each query in the segment, within a hundredth: float32 (Q,).

    Raises
    ------
    Cancelled
        When the monitor says so; then nothing is kept.
    """
    name = hashlib.sha256(np.ascontiguousarray(queries).data).hexdigest()[:16]
    file = segment.folder / f"best-{name}.f32"
    with contextlib.suppress(OSError):
        kept = np.fromfile(file, dtype="<f4")
        if kept.shape == (len(queries),):
            return kept
    best = _best_scores(segment, cells, queries, monitor)
    with contextlib.suppress(OSError):  # the segment is gone, or nothing may be written
        if segment.folder.is_dir():
            write_atomic(file, best.astype("<f4").tobytes(), mode=0o600)
    return best


def _best_scores(
    segment: Segment, cells: Cells | None, queries: Float32, monitor: Monitor
) -> Float32:
    if cells is None:
        lows, highs = segment.best_of_parts(queries, monitor)
        return np.asarray(0.5 * (lows + highs).max(axis=1), dtype=np.float32)
    monitor.start("comparing with unrelated clips", len(queries), "queries")
    best = np.full(len(queries), -1.0, dtype=np.float32)
    for number, query in enumerate(queries):
        _, scores = cells.nearest(query, 1)
        best[number] = scores[0] if len(scores) else -1.0
        monitor.advance()
    return best
