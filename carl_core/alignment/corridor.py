"""The cheapest path inside a corridor of the matrix of costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment import kernels
from carl_core.alignment.warping_path import step_prices
from carl_core.arrays import Float64, Int64
from carl_core.errors import AlignmentError

if TYPE_CHECKING:
    from carl_core.alignment.costs import Costs
    from carl_core.alignment.options import StepPattern
    from carl_core.alignment.warping_path import Ends
    from carl_core.progress import Monitor

CLOSED_MASKS = (
    "No path leads from the beginning to the end: the masks close every way. "
    "Remove or shrink a mask, or allow open ends."
)
_BLOCK_ROWS = 96  # a block is as wide as all its rows together

# Reference and other of a path's cells, int64 (P,) each, and its total.
Cells = tuple[Int64, Int64, float]
_Edges = tuple[Float64, Float64, Float64, Float64]


@dataclass(frozen=True, slots=True)
class Steps:
    """What the steps and ends of a path cost, see ``dtw``."""

    pattern: StepPattern
    ends: Ends
    straight: float

    def weights(self) -> Float64:
        """float64 (4,): diagonal, reference step, other step, price of a straight step."""
        return np.asarray((*step_prices(self.pattern), self.straight), dtype=np.float64)


class _Corridor:
    """One corridor, solved block by block.

    Parameters
    ----------
    low, high : int64 (N,), the columns [low, high) of each row; they do not descend. A row whose
        high is not above its low has none, and no path leads over it
    columns : of the whole matrix
    """

    def __init__(self, low: Int64, high: Int64, columns: int) -> None:
        firsts = np.arange(0, len(low), _BLOCK_ROWS)
        is_used = high > low
        lefts = np.minimum.reduceat(np.where(is_used, low, columns), firsts)
        rights = np.maximum.reduceat(np.where(is_used, high, 0), firsts)
        self._lefts = np.minimum(lefts, rights)  # a block without columns is empty
        self._widths = rights - self._lefts
        heights = np.minimum(firsts + _BLOCK_ROWS, len(low)) - firsts
        self._offsets = np.concatenate([[0], np.cumsum(self._widths * heights)])
        self._back = np.empty(int(self._offsets[-1]), dtype=np.uint8)
        self._above = np.full(columns, np.inf)  # left of a block they are not looked at again
        self._best: tuple[float, int, int] = (math.inf, -1, -1)

    def advance(
        self, block: int, i0: int, i1: int, costs: Costs, weights: Float64, edges: _Edges
    ) -> None:
        """Solve one block, the rows i0 to i1."""
        left, right = int(self._lefts[block]), int(self._lefts[block] + self._widths[block])
        if right <= left:  # no path leads over these rows
            self._above.fill(np.inf)
            return
        back = self._back[self._offsets[block] : self._offsets[block + 1]]
        end, row, column = kernels.advance(
            costs.similarities(i0, i1, left, right),
            self._above[left:right],
            back.reshape(i1 - i0, right - left),
            True,
            weights,
            edges[0][i0:i1],
            edges[1][left:right],
            edges[2][i0:i1],
            edges[3][left:right],
        )
        if end < self._best[0]:
            self._best = (end, i0 + row, left + column)

    def cells(self) -> Cells | None:
        """Return the cheapest path, None when there is none."""
        total, i, j = self._best
        if not math.isfinite(total):
            return None
        found, _, _ = kernels.trace(
            self._back, self._offsets, self._lefts, self._widths, _BLOCK_ROWS, i, j
        )
        reference, other = np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1])
        return reference, other, float(total)


def solve_whole(costs: Costs, steps: Steps, monitor: Monitor | None) -> Cells:
    """Find the cheapest path over all pairs. Raises ``AlignmentError`` when masks leave none."""
    n, m = costs.shape
    corridor = _Corridor(np.zeros(n, dtype=np.int64), np.full(n, m, dtype=np.int64), m)
    cells = _solve(costs, corridor, steps, monitor)
    if cells is None:
        raise AlignmentError(CLOSED_MASKS)
    return cells


def refine(
    coarse: Cells,
    shape: tuple[int, int],
    fine: Costs,
    steps: Steps,
    radius: int,
    monitor: Monitor | None,
) -> Cells:
    """Solve ``fine`` inside a corridor around the path of a coarser level.

    Parameters
    ----------
    coarse : path at the coarser level, whose costs have this ``shape``
    radius : cells of corridor on each side of it. Where masks close the corridor, it is widened
        until it is the whole matrix

    Raises
    ------
    AlignmentError
        When the masks leave no path.
    """
    first, last = _projected(coarse, shape, fine.shape)
    while True:
        low, high = _widened(first, last, fine.shape[1], radius)
        cells = _solve(fine, _Corridor(low, high, fine.shape[1]), steps, monitor)
        if cells is not None:
            return cells
        if radius >= max(fine.shape):
            raise AlignmentError(CLOSED_MASKS)
        radius *= 4


def is_inside(
    cells: Cells, coarse: Cells, shape: tuple[int, int], fine: tuple[int, int], radius: int
) -> bool:
    """Whether a path of the finer level lies in the corridor in which ``refine`` would search.

    Then it is what ``refine`` would find, if it is the cheapest of a wider corridor.
    """
    low, high = _widened(*_projected(coarse, shape, fine), fine[1], radius)
    reference, other, _ = cells
    return bool(np.all((low[reference] <= other) & (other < high[reference])))


def _projected(cells: Cells, coarse: tuple[int, int], fine: tuple[int, int]) -> tuple[Int64, Int64]:
    """First and last + 1 column of a coarse path in each row of the finer level."""
    n, m = fine
    f_rows = 1 if coarse[0] == n else 2
    f_columns = 1 if coarse[1] == m else 2
    first = np.full(n, m, dtype=np.int64)
    last = np.zeros(n, dtype=np.int64)
    # Columns do not descend along a path: the first cell of a row has its least one.
    rows, begins = np.unique(cells[0], return_index=True)
    ends_at = np.append(begins[1:], len(cells[0])) - 1
    for k in range(f_rows):
        fine_rows = rows * f_rows + k
        inside = fine_rows < n
        first[fine_rows[inside]] = cells[1][begins[inside]] * f_columns
        last[fine_rows[inside]] = np.minimum((cells[1][ends_at[inside]] + 1) * f_columns, m)
    return first, last


def _widened(first: Int64, last: Int64, columns: int, radius: int) -> tuple[Int64, Int64]:
    low, high = np.empty_like(first), np.empty_like(first)
    kernels.widen(first, last, len(first), columns, radius, low, high)
    return low, high


def _solve(
    costs: Costs, corridor: _Corridor, steps: Steps, monitor: Monitor | None
) -> Cells | None:
    """Cheapest path inside a corridor, None when there is none."""
    n, m = costs.shape
    weights, edges = steps.weights(), _edges(n, m, steps.ends.scaled(steps.pattern))
    for block, i0 in enumerate(range(0, n, _BLOCK_ROWS)):
        if monitor is not None:
            monitor.check()
        corridor.advance(block, i0, min(n, i0 + _BLOCK_ROWS), costs, weights, edges)
    return corridor.cells()


def _edges(n: int, m: int, ends: Ends) -> _Edges:
    """Prices of starting in a row and in a column, and of ending there."""

    def left_out(price: float, count: int) -> Float64:
        found = np.full(count, np.inf) if math.isinf(price) else price * np.arange(count)
        found[0] = 0.0
        return np.asarray(found, dtype=np.float64)

    return (
        left_out(ends.reference_begin, n),
        left_out(ends.other_begin, m),
        np.ascontiguousarray(left_out(ends.reference_end, n)[::-1]),
        np.ascontiguousarray(left_out(ends.other_end, m)[::-1]),
    )
