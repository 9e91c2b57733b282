"""Dynamic time warping: exact in O(N M), or coarse to fine inside a corridor for long recordings.

With weights (d, r, o) for the steps (1, 1), (1, 0), (0, 1) and the cost c(i, j) of a pair,

    D(i, j) = min( D(i-1, j-1) + d c,  D(i-1, j) + r c,  D(i, j-1) + o c,  S(i, j) + d c )

where S(i, j) is the price of starting there: ``reference_begin * i + other_begin * j``. A path ends
where D plus the price of the samples left over is least. With all four prices infinite this is
global DTW; finite prices open an end. Pattern 2-1-1 (Sakoe and Chiba 1978, symmetric, P = 0) has
(2, 1, 1): each sample of either recording is charged exactly once, so a global path weighs N + M
and a price is directly comparable with the cost of a sample. Pattern 1-1-1 has (1, 1, 1).
"""

from __future__ import annotations

import math
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment import kernels
from carl_core.alignment.corridor import CLOSED_MASKS, Steps, is_inside, refine, solve_whole
from carl_core.alignment.costs import Costs
from carl_core.alignment.warping_path import Ends, Path, step_weights
from carl_core.compiled import compile_all
from carl_core.errors import AlignmentError
from carl_core.similarity.matrix import one_blas_thread, unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from carl_core.alignment.corridor import Cells
    from carl_core.alignment.options import StepPattern
    from carl_core.arrays import Float64, Int64
    from carl_core.progress import Monitor

# Up to here every cell is solved: one byte per cell, about half a second.
EXACT_CELLS = 12_000 * 12_000
# Up to so many times as many, where a corridor is not to be trusted and the ends are closed.
_FALLBACK = 9
_TOP = 1024  # longest side of the coarsest level
# Cells of corridor on each side of the coarser path: on the way down, and at the finest level. An
# answer counts when the next wider corridor confirms it. Wide at the finest level, for there it
# shows when coarse levels led astray: with (64, 64) as the second, 3 of 88 corridors more than 1e-3
# too dear said nothing, with these none of 168 (walks under noise with scenes that come again).
# One that is hardly wider confirms too easily: (256, 256) as the third did so at 1 % of excess.
CORRIDORS = ((16, 8), (64, 128), (256, 512), (1024, 1024))
_WHOLE_CELLS = 8_000_000  # of rows of the whole width: some 30 ms, in which nobody can cancel
_WHOLE_ROWS = 256  # at most
_EXCESS = 1e-4  # two answers that differ by less are the same
# Rows between two checkpoints of the exact solver at least: what is solved again at a time.
_STRIP = 256
# How far two sums of the same path, over costs rounded differently, may differ.
_ROUNDING = 1e-7

_ALL_CLOSED = Ends()
_NO_POINTERS = np.empty((0, 0), dtype=np.uint8)


@one_blas_thread()
def solve(
    costs: Costs,
    *,
    pattern: StepPattern = "2-1-1",
    ends: Ends = _ALL_CLOSED,
    straight: float = 0.0,
    monitor: Monitor | None = None,
    exact_cells: int = EXACT_CELLS,
    corridors: Sequence[tuple[int, int]] = CORRIDORS,
) -> Path:
    """Find the cheapest path, exactly up to ``exact_cells`` pairs, else coarse to fine.

    Coarse to fine: O(N + M) time and memory. Both recordings are averaged pairwise until short,
    solved there, and the path is refined inside ``corridors`` (cells on each side of the coarser
    path: on the way down, and at the finest level). Near-exact where the coarse levels still tell
    moments apart, without a guarantee. So the second corridor has to confirm the first; where it
    finds something cheaper, wider ones are searched until one confirms the one before (up to nine
    times ``exact_cells``, with closed ends, every pair instead). Where none does, the cheapest path
    found is returned as not stable (``Path.is_stable``); to be stable is evidence, not proof.

    Raises
    ------
    AlignmentError
        When the forbidden rectangles leave no path.
    Cancelled
        When the monitor says so.
    """
    n, m = costs.shape
    if n * m <= exact_cells:
        return solve_exact(costs, pattern=pattern, ends=ends, straight=straight, monitor=monitor)
    levels = [costs]
    while max(levels[-1].shape) > _TOP:
        n_coarse, m_coarse = levels[-1].shape
        levels.append(levels[-1].halved(rows=n_coarse > 64, columns=m_coarse > 64, monitor=monitor))
    steps = Steps(pattern, ends, straight)
    top = solve_whole(levels[-1], steps, monitor)
    best, cells = _narrow_and_usual(levels, top, steps, corridors, monitor)
    for place, (coarse, fine) in enumerate(corridors[1:]):
        if place > 0:
            cells = top
            for above, below in zip(levels[:0:-1], levels[-2::-1], strict=True):
                around = fine if below is costs else coarse
                cells = refine(cells, above.shape, below, steps, around, monitor)
        if not _is_dearer(best[2], cells[2]):
            return _path(min(best, cells, key=itemgetter(2)), costs, pattern)
        best = cells
        if place == 0 and n * m <= _FALLBACK * exact_cells and ends == Ends():
            return solve_checkpointed(costs, pattern=pattern, straight=straight, monitor=monitor)
        if fine >= max(n, m):
            break
    return replace(_path(best, costs, pattern), is_stable=False)


def _narrow_and_usual(
    levels: list[Costs],
    top: Cells,
    steps: Steps,
    corridors: Sequence[tuple[int, int]],
    monitor: Monitor | None,
) -> tuple[Cells, Cells]:
    """Refine the path of the coarsest level down to the finest in the first two corridors.

    The narrow one is only searched from where the path of the other leaves it: until then the same
    path is the cheapest of both.
    """
    narrow = usual = top
    for above, below in zip(levels[:0:-1], levels[-2::-1], strict=True):
        around = [pair[below is levels[0]] for pair in corridors[:2]]
        before, is_same = usual, narrow is usual
        usual = refine(usual, above.shape, below, steps, around[1], monitor)
        if is_same and is_inside(usual, before, above.shape, below.shape, around[0]):
            narrow = usual
        else:
            narrow = refine(narrow, above.shape, below, steps, around[0], monitor)
    return narrow, usual


def _path(cells: Cells, costs: Costs, pattern: StepPattern) -> Path:
    reference, other, total = cells
    weights = step_weights(reference, other, pattern)
    return Path(reference, other, costs.at(reference, other), weights, total)


def _is_dearer(total: float, than: float) -> bool:
    return total - than > _EXCESS * max(than, 1e-12)


@one_blas_thread()
def solve_exact(
    costs: Costs,
    *,
    pattern: StepPattern = "2-1-1",
    ends: Ends = _ALL_CLOSED,
    straight: float = 0.0,
    monitor: Monitor | None = None,
) -> Path:
    """Find the cheapest path over all pairs: O(N M) time, one byte per pair.

    Raises
    ------
    AlignmentError
        When the forbidden rectangles leave no path.
    """
    return _path(solve_whole(costs, Steps(pattern, ends, straight), monitor), costs, pattern)


@one_blas_thread()
def solve_checkpointed(
    costs: Costs,
    *,
    pattern: StepPattern = "2-1-1",
    straight: float = 0.0,
    monitor: Monitor | None = None,
) -> Path:
    """Find the cheapest path from corner to corner over all pairs, in little memory.

    O(N M) time; 8 M sqrt(N) bytes for checkpoints and M sqrt(N) for one strip of pointers: at
    100,000 x 100,000 250 and 32 MB, minutes on two cores. Forward, a row of sums is kept every
    sqrt(N) rows; backward, each strip is solved again from its checkpoint, up to the column the
    path leaves it in.

    Raises
    ------
    AlignmentError
        When the forbidden rectangles leave no path.
    Cancelled
        When the monitor says so.
    """
    n, m = costs.shape
    strip = max(_STRIP, math.isqrt(n))
    weights = Steps(pattern, Ends(), straight).weights()
    above = np.full(m, np.inf)
    checkpoints: list[Float64] = []
    if monitor is not None:
        monitor.start("exact alignment", n, "rows")
    for i0 in range(0, n, strip):
        checkpoints.append(above.copy())
        for a, b in _blocks(i0, min(n, i0 + strip), m, monitor):
            block = costs.similarities(a, b, 0, m)
            kernels.advance(block, above, _NO_POINTERS, False, weights, *_closed(a, b, m))
            if monitor is not None:
                monitor.advance(b - a)
    total = float(above[-1])
    if not math.isfinite(total):
        raise AlignmentError(CLOSED_MASKS)
    parts: list[Int64] = []
    i, j, value = n - 1, m - 1, total
    while i >= 0:
        i0 = i // strip * strip
        cells, i, j = _last_strip(
            costs, (i0, i, j), checkpoints[i0 // strip], value, weights, monitor
        )
        parts.append(cells)
        if i >= 0:
            value = float(checkpoints[i0 // strip][j])
    found = np.concatenate(parts[::-1])
    reference, other = np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1])
    return _path((reference, other, total), costs, pattern)


def _last_strip(
    costs: Costs,
    place: tuple[int, int, int],
    checkpoint: Float64,
    value: float,
    weights: Float64,
    monitor: Monitor | None,
) -> tuple[Int64, int, int]:
    """Return the path's cells in the rows i0 to i of place (i0, i, j), and where it goes on.

    A path seldom goes far back within a strip, so only some columns before j are solved; that they
    are enough shows in the sum at (i, j), which must be ``value``, that of the whole.
    """
    i0, i, j = place
    height, reach = i - i0 + 1, 2 * (i - i0 + 1)
    while True:
        left = max(0, j + 1 - reach)
        above = checkpoint[left : j + 1].copy()
        back = np.empty((height, j + 1 - left), dtype=np.uint8)
        for a, b in _blocks(i0, i + 1, j + 1 - left, monitor):
            edges = _closed(a, b, j + 1)
            kernels.advance(
                costs.similarities(a, b, left, j + 1),
                above,
                back[a - i0 : b - i0],
                True,
                weights,
                edges[0],
                edges[1][left:],
                edges[2],
                edges[3][left:],
            )
        if left == 0 or above[-1] - value <= _ROUNDING * max(1.0, value):
            break
        reach *= 4
    one = np.zeros(1, dtype=np.int64)
    cells, row, column = kernels.trace(
        back.reshape(-1), one, one + left, one + back.shape[1], height, i - i0, j
    )
    cells[:, 0] += i0
    return cells, (i0 - 1 if row == -1 else row), column


def _closed(first: int, end: int, columns: int) -> tuple[Float64, Float64, Float64, Float64]:
    """Prices of starting and ending in the rows first to end: only at the first of all pairs."""
    rows = np.full(end - first, np.inf)
    nowhere = np.full(columns, np.inf)
    start_rows, start_columns = rows.copy(), nowhere.copy()
    if first == 0:
        start_rows[0] = start_columns[0] = 0.0
    return start_rows, start_columns, rows, nowhere


def _blocks(
    first: int, end: int, columns: int, monitor: Monitor | None
) -> Iterator[tuple[int, int]]:
    """Rows first to end in blocks; between two of them the monitor may stop."""
    height = int(np.clip(_WHOLE_CELLS // max(columns, 1), 8, _WHOLE_ROWS))
    for a in range(first, end, height):
        if monitor is not None:
            monitor.check()
        yield a, min(end, a + height)


def warm_up() -> None:
    """Compile (or load from the cache) every kernel; call it on a background thread."""
    rows = unit_rows(np.eye(4, dtype=np.float32), centre=False)
    solve(Costs(rows, rows), exact_cells=0)
    compile_all()
