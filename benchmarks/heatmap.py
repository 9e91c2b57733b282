"""The heatmap of two recordings of 100,000 samples: tiles, refinement, panning and zooming.

    python -m benchmarks.heatmap

Figures are CPU time of this process, so that what the machine does beside does not count. A tile is
compared with the bare matrix product it cannot do without (same rows, one BLAS thread, in turn).
Pan and zoom are those of the window's own panel, in gestures with a short rest between two, after
which its presenter has finer tiles computed and refined in the background, and put while the next
gesture moves the map.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from benchmarks.claims import Claim, report
from carl_core.similarity.matrix import blas
from carl_core.similarity.pyramid import SimilarityPyramid

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.models.session import SessionModel
    from app.models.viewstate import HeatmapPicture
    from carl_core.arrays import Float32

COUNT, DIM, SIDE = 100_000, 128, 512
TILES = 40
GESTURES, MOVES = 12, 30
REST_MS = 30  # over the delay after which finer tiles are asked for


def main() -> int:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(COUNT, DIM)).astype(np.float32)
    columns = rng.normal(size=(COUNT, DIM)).astype(np.float32)
    started = time.process_time()
    pyramid = SimilarityPyramid(rows, columns, cache_bytes=1)
    built = time.process_time() - started
    built_s = Claim("pyramid of 100,000 x 100,000, s", built)
    report([built_s, *tiles(pyramid), *views(rows, columns)])
    return 0


def tiles(pyramid: SimilarityPyramid) -> list[Claim]:
    """Time a tile and the product it needs, one after the other; then the whole map."""
    pyramid.tile(0, 0, 0)  # loads the kernel
    bare, ours = [], []
    grid = pyramid.grid(0)
    for number in range(TILES):
        r, c = number % grid[0], (number * 7) % grid[1]
        a = np.ascontiguousarray(pyramid._rows[0][r * SIDE : (r + 1) * SIDE])
        b = np.ascontiguousarray(pyramid._columns[0][c * SIDE : (c + 1) * SIDE])
        with blas().limit(limits=1, user_api="blas"):
            bare.append(_ms(lambda a=a, b=b: a @ b.T))  # type: ignore[misc]
        ours.append(_ms(lambda r=r, c=c: pyramid.tile(0, r, c)))  # type: ignore[misc]
    top = pyramid.n_levels - 1
    moved = [
        _ms(lambda n=n: [pyramid.tile(2, n + r, n + c) for r in range(2) for c in range(3)])  # type: ignore[misc]
        for n in range(20)
    ]
    return [
        Claim(
            "tile of 512 x 512, ms",
            statistics.median(ours),
            peer=statistics.median(bare),
            peer_name="matrix product",
            at_most=1.3,
        ),
        Claim("six tiles of a view that was moved, ms", statistics.median(moved), at_most=16),
        Claim("whole map as means, ms", _ms(lambda: pyramid.tile(top, 0, 0))),
        Claim(
            "whole map as peaks (16 x 16 finer cells), ms",
            _ms(lambda: pyramid.tile(top, 0, 0, peak=True)),
        ),
    ]


def views(rows: Float32, columns: Float32) -> list[Claim]:
    """Count updates a second of the real panel while it is panned, zoomed and refined."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QObject, Signal
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    from app.bootstrap.run import SWITCH_INTERVAL_S
    from app.jobs import JobRunner
    from app.models import session as model
    from app.presenters.heatmap import DETAIL_DELAY_MS, HeatmapPresenter
    from app.views.heatmap.panel import HeatmapPanel

    class Panel(HeatmapPanel):
        """Counts the finer pictures it is given."""

        finer = 0

        def set_detail(self, picture: HeatmapPicture | None) -> None:
            """Count, and show it."""
            self.finer += picture is not None
            super().set_detail(picture)

    class Still(QObject):
        """A player that stands still."""

        time_changed = Signal(float)
        own_times_s: ClassVar[dict[str, float]] = {}

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = QApplication.instance() or QApplication([])
    panel, jobs = Panel(), JobRunner()
    session = model.SessionModel()
    presenter = HeatmapPresenter(session, jobs, Still(), panel)  # type: ignore[arg-type]
    panel.range_changed.connect(presenter.show_range)
    panel.resize(900, 800)
    panel.show()
    _fill(session, columns, rows)
    while jobs.active:
        QTest.qWait(10)
    whole_s = COUNT / 30
    times = np.linspace(0, whole_s, COUNT)
    panel.set_path(times, times * 0.98, is_played=True)
    app.processEvents()
    finer, busy, durations = 0, 0.0, []
    for number in range(GESTURES * MOVES):
        if number % MOVES == 0:
            QTest.qWait(DETAIL_DELAY_MS + REST_MS)
        width = whole_s * (0.02 + 0.4 * abs(np.sin(number / 20)))
        left = (whole_s - width) * abs(np.cos(number / 33))
        had, started, cpu = panel.finer, time.perf_counter(), time.thread_time()
        panel.show_ranges((left, left + width), (left, left + width))
        app.processEvents()  # what is ready is put
        panel.plot.viewport().repaint()  # all of it, as the screen gets it
        durations.append(time.perf_counter() - started)
        busy += time.thread_time() - cpu
        finer += panel.finer - had
    panel.close()
    jobs.close()
    what = "pan and zoom while tiles are computed, 900 x 800"
    return [
        Claim(f"{what}, updates a second of CPU of its thread", len(durations) / busy, at_least=60),
        Claim(f"{what}, updates a second", len(durations) / sum(durations), at_least=60),
        Claim(f"{what}, ms (95 % of updates)", float(np.quantile(durations, 0.95)) * 1000),
        Claim("finer pictures put while the map moves", finer, at_least=1),
    ]


def _fill(session: SessionModel, columns: Float32, rows: Float32) -> None:
    """Add two recordings that have these embeddings, a vector a frame."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
    from carl_core.video.recording import open_recording
    from tests.helpers.long_pair import make_long_video

    with tempfile.TemporaryDirectory() as folder:
        for number, vectors in enumerate((columns, rows)):
            path = make_long_video(Path(folder) / f"{number}.mp4", frames=COUNT, shade=40 * number)
            recording = open_recording(path)
            session.add(recording)
            key = EmbeddingKey(recording.fingerprint, "0" * 16, "native")
            unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            made = Embeddings(key, np.arange(COUNT), recording.index.times_s, unit)
            session.set_embeddings(recording.id, made)


def _ms(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return (time.process_time() - started) * 1000


if __name__ == "__main__":
    raise SystemExit(main())
