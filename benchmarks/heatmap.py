"""The heatmap of two recordings of 100,000 samples: tiles, refinement, panning and zooming.

    python -m benchmarks.heatmap

Figures are CPU time of this process, so that what the machine does beside does not count. A tile is
compared with the bare matrix product it cannot do without (same rows, one BLAS thread, in turn).
"""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report
from carl_core.similarity.matrix import blas
from carl_core.similarity.pyramid import SimilarityPyramid

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT, DIM, SIDE = 100_000, 128, 512
TILES = 40
VIEWS = 240


def main() -> int:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(COUNT, DIM)).astype(np.float32)
    columns = rng.normal(size=(COUNT, DIM)).astype(np.float32)
    started = time.process_time()
    pyramid = SimilarityPyramid(rows, columns, cache_bytes=1)
    built = time.process_time() - started
    report([Claim("pyramid of 100,000 x 100,000, s", built), *tiles(pyramid), *views()])
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


def views() -> list[Claim]:
    """Count updates a second of the real widget while it is panned and zoomed."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from app.models.viewstate import HeatmapPicture
    from app.views.heatmap.plot import MapPlot

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    plot = MapPlot()
    plot.resize(900, 800)
    plot.show()
    values = np.random.default_rng(1).integers(0, 255, (1024, 1024), dtype=np.uint8)
    plot.put(HeatmapPicture(values, (0.0, 1e4), (0.0, 1e4)), (0.0, 255.0))
    times = np.linspace(0, 1e4, COUNT)
    plot.set_path(times, times * 0.98, is_played=True)
    app.processEvents()
    started, cpu = time.perf_counter(), time.process_time()
    for number in range(VIEWS):
        width = 1e4 * (0.2 + 0.7 * abs(np.sin(number / 20)))
        left = (1e4 - width) * abs(np.cos(number / 33))
        plot.box.setRange(xRange=(left, left + width), yRange=(left, left + width), padding=0)
        plot.grab()  # a whole repaint, as the screen gets it
    seconds, busy = time.perf_counter() - started, time.process_time() - cpu
    plot.close()
    return [
        Claim("updates a second of CPU, pan and zoom, 900 x 800", VIEWS / busy, at_least=60),
        Claim("updates a second by the clock, whatever runs beside", VIEWS / seconds),
    ]


def _ms(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return (time.process_time() - started) * 1000


if __name__ == "__main__":
    raise SystemExit(main())
