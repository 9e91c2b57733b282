"""Windows of the temporal head: a fixed grid from a recording's first sample, blended by a taper.

The grid depends on nothing but the number of samples, so batch, chunk, threads and the point where
an interrupted job was taken up again change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.arrays import Float32

# Published rule for encoders that see the whole recording (their evaluation reads up to 1000 frames
# at once and cuts longer recordings into equal parts).
WHOLE_LIMIT = 1000


def window_spans(length: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """Return start and end (half open) of each window over ``length`` samples.

    Parameters
    ----------
    length : number of samples, at least 1
    window : samples per window; 0 = everything up to ``WHOLE_LIMIT``, then equal parts
    overlap : samples shared by neighbours, at most half a window; not used when ``window`` is 0

    Returns
    -------
    Spans in order. Neighbours share exactly ``overlap`` samples and only the last may be shorter.
    """
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}")
    if window == 0:
        parts = -(-length // WHOLE_LIMIT)
        size = -(-length // parts)
        return [(start, min(start + size, length)) for start in range(0, length, size)]
    if not 0 <= overlap <= window // 2:
        raise ValueError(f"overlap must be at most half of window {window}, got {overlap}")
    hop = window - overlap
    count = 1 + max(0, -(-(length - window) // hop))
    return [(k * hop, min(k * hop + window, length)) for k in range(count)]


def blended(ending: Float32, beginning: Float32) -> Float32:
    """Fade from one window to the next over the rows they share.

    Parameters
    ----------
    ending, beginning : (overlap, D) unit rows of the window that ends and of the one that begins

    Returns
    -------
    (overlap, D) unit rows, weighted as ``taper`` says; where the two contradict each other and
    cancel out, the row that weighs more
    """
    rise = taper(len(beginning), len(beginning), is_first=False, is_last=True)[:, None]
    mixed = ending * (1 - rise) + beginning * rise
    lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
    heavier = np.where(rise > 0.5, beginning, ending)
    rows: Float32 = np.where(lengths > 1e-3, mixed / np.maximum(lengths, 1e-3), heavier)
    return rows


def taper(size: int, overlap: int, *, is_first: bool, is_last: bool) -> Float32:
    """Weights (size,) of one window; those of two neighbours add up to one where they overlap."""
    weights = np.ones(size, dtype=np.float32)
    if overlap:
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / overlap)).astype(np.float32)
        if not is_first:
            weights[:overlap] = ramp
        if not is_last:
            weights[size - overlap :] = 1 - ramp
    return weights
