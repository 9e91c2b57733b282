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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment import kernels
from carl_core.alignment.costs import Costs
from carl_core.arrays import Float64, Int64, read_only
from carl_core.errors import AlignmentError
from carl_core.similarity.matrix import one_blas_thread, unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carl_core.alignment.options import StepPattern
    from carl_core.progress import Monitor

CLOSED = math.inf
_CLOSED_MASKS = (
    "No path leads from the beginning to the end: the masks close every way. "
    "Remove or shrink a mask, or allow open ends."
)
# Up to here every cell is solved: one byte per cell, about half a second.
EXACT_CELLS = 12_000 * 12_000
# Up to so many times as many, where a corridor is not to be trusted and the ends are closed.
_FALLBACK = 9
_TOP = 1024  # longest side of the coarsest level
_RADIUS = 64  # cells of corridor on each side of the coarser path
_BLOCK_ROWS = 64  # of a corridor: a block is as wide as all its rows together
_WHOLE_CELLS = 8_000_000  # of rows of the whole width: some 30 ms, in which nobody can cancel
_WHOLE_ROWS = 256  # at most
# A path found coarse to fine is checked in squares of this side, which together are no more than
# this share of all pairs; what is dearer there by more than _EXCESS is not settled. More and
# smaller squares find more than few large ones: what is wrong is so in places.
_CHECK_SIDE = 1024
_CHECK_SHARE = 0.02
_CHECKS = 2, 32
_EXCESS = 1e-4
# A corridor's answer counts when one so many times as wide confirms it; the first is as much
# narrower than the usual one, the last so many times wider. Down to the finest level: without it,
# real embeddings under strong noise were called stable at 4 % of excess.
_WIDER, _WIDENINGS = 4, 2
# Rows between two checkpoints of the exact solver at least: what is solved again at a time.
_STRIP = 256
# How far two sums of the same path, over costs rounded differently, may differ.
_ROUNDING = 1e-7

_NO_POINTERS = np.empty((0, 0), dtype=np.uint8)
# Reference and other of a path's cells, int64 (P,) each, and its total.
_Cells = tuple[Int64, Int64, float]

_WEIGHTS: dict[StepPattern, tuple[float, float, float]] = {
    "2-1-1": (2.0, 1.0, 1.0),
    "1-1-1": (1.0, 1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Ends:
    """Price of each sample left out at the four ends; infinity = nothing may be left out."""

    reference_begin: float = CLOSED
    other_begin: float = CLOSED
    reference_end: float = CLOSED
    other_end: float = CLOSED

    def as_array(self) -> Float64:
        """float64 (4,) in the order of the fields."""
        return np.asarray(
            [self.reference_begin, self.other_begin, self.reference_end, self.other_end],
            dtype=np.float64,
        )

    def scaled(self, pattern: StepPattern) -> Ends:
        """Prices per sample for ``pattern``: a matched pair weighs 2 in 2-1-1 and 1 in 1-1-1."""
        factor = _WEIGHTS[pattern][0] / 2.0
        return Ends(*(float(price) * factor for price in self.as_array()))


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A monotone path through the pairs of samples.

    Attributes
    ----------
    reference, other : int64 (P,), sample indices; every step is (1, 1), (1, 0) or (0, 1). Only a
        path with gaps (``gaps``) has longer ones: what they pass over has no counterpart
    costs : float64 (P,), cost of each pair
    weights : float64 (P,), weight of each pair
    total : sum of weights times costs, plus the price of the samples left out
    is_stable : false where searching more of the matrix changed a path found coarse to fine
    """

    reference: Int64
    other: Int64
    costs: Float64
    weights: Float64
    total: float
    is_stable: bool = True

    def __post_init__(self) -> None:
        for name in ("reference", "other", "costs", "weights"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def mean_cost(self) -> float:
        """Weighted mean cost of the matched pairs, 0 to 2."""
        return float(np.dot(self.weights, self.costs) / self.weights.sum())


@one_blas_thread()
def solve(
    costs: Costs,
    *,
    pattern: StepPattern = "2-1-1",
    ends: Ends = Ends(),
    straight: float = 0.0,
    monitor: Monitor | None = None,
    exact_cells: int = EXACT_CELLS,
    radius: int = _RADIUS,
) -> Path:
    """Find the cheapest path, exactly up to ``exact_cells`` pairs, else coarse to fine.

    Coarse to fine: O((N + M) radius) time and memory. Both recordings are averaged pairwise until
    short, solved there, and the path is refined inside a corridor of ``radius`` cells; near-exact
    where the coarse level still tells moments apart, without a guarantee. So it is checked, by a
    narrower corridor that must give the same answer and by solving stretches over all pairs. Where
    that fails, the corridor is widened (up to nine times ``exact_cells``, with closed ends, every
    pair is searched instead). Where nothing settles it, the cheapest path found is returned as not
    stable (``Path.is_stable``); to be stable is evidence, not proof.

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
    top = _whole(levels[-1], pattern, ends, straight, monitor)
    best: Path | None = None
    for power in range(-1, _WIDENINGS + 1):
        width = max(1, round(radius * float(_WIDER) ** power))
        cells = top
        for coarse, fine in zip(levels[:0:-1], levels[-2::-1], strict=True):
            # What is ambiguous is so at coarse levels; the finest, half of all work, needs less.
            around = width if fine is not costs else max(1, width // 2)
            cells = _refine(cells, coarse, fine, pattern, ends, straight, around, monitor)
        path = _path(cells, costs, pattern)
        is_confirmed = best is not None and not _is_dearer(best.total, path.total)
        best = path if best is None or path.total < best.total else best
        if is_confirmed and _is_settled(best, costs, pattern, straight, monitor):
            return best
        if power == 0 and n * m <= _FALLBACK * exact_cells and ends == Ends():
            return solve_checkpointed(costs, pattern=pattern, straight=straight, monitor=monitor)
        if width >= max(n, m):
            break
    assert best is not None
    return replace(best, is_stable=False)


def _whole(
    costs: Costs, pattern: StepPattern, ends: Ends, straight: float, monitor: Monitor | None
) -> _Cells:
    n, m = costs.shape
    low, high = np.zeros(n, dtype=np.int64), np.full(n, m, dtype=np.int64)
    cells = _solve_band(costs, low, high, pattern, ends, straight, monitor)
    if cells is None:
        raise AlignmentError(_CLOSED_MASKS)
    return cells


def _path(cells: _Cells, costs: Costs, pattern: StepPattern) -> Path:
    reference, other, total = cells
    weights = step_weights(reference, other, pattern)
    return Path(reference, other, costs.at(reference, other), weights, total)


def _is_dearer(total: float, than: float) -> bool:
    return total - than > _EXCESS * max(than, 1e-12)


def _is_settled(
    path: Path, costs: Costs, pattern: StepPattern, straight: float, monitor: Monitor | None
) -> bool:
    """Whether searching far around the path, here and there, finds nothing cheaper.

    Wider corridors around the same coarse path are led astray with it; so a few stretches are
    solved over all pairs between two cells of the path. What is wrong because the signal is weak
    is wrong all over.
    """
    n, m = costs.shape
    checks = int(np.clip(_CHECK_SHARE * n * m / _CHECK_SIDE**2, *_CHECKS))
    middles = np.linspace(0, len(path.reference) - 1, 2 * checks + 1)[1::2].astype(np.int64)
    for middle in middles.tolist():
        inside = (np.abs(path.reference - path.reference[middle]) <= _CHECK_SIDE // 2) & (
            np.abs(path.other - path.other[middle]) <= _CHECK_SIDE // 2
        )
        cells = np.flatnonzero(inside)
        rows, columns = path.reference[cells], path.other[cells]
        if len(cells) < 2 or np.diff(rows).max() > 1 or np.diff(columns).max() > 1:
            continue
        weights = step_weights(rows, columns, pattern)
        is_straight = (np.diff(rows) == 0) | (np.diff(columns) == 0)
        own = float(np.dot(weights, path.costs[cells])) + straight * int(is_straight.sum())
        part = costs.part(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
        if _is_dearer(own, _least(part, pattern, straight, monitor)):
            return False
    return True


def _least(costs: Costs, pattern: StepPattern, straight: float, monitor: Monitor | None) -> float:
    """Cost of the cheapest path from corner to corner, without the path itself."""
    n, m = costs.shape
    weights = np.asarray((*_WEIGHTS[pattern], straight), dtype=np.float64)
    above = np.full(m, np.inf)
    for a, b in _blocks(0, n, m, monitor):
        block = costs.similarities(a, b, 0, m)
        kernels.advance(block, above, _NO_POINTERS, False, weights, *_closed(a, b, m))
    return float(above[-1])


@one_blas_thread()
def solve_exact(
    costs: Costs,
    *,
    pattern: StepPattern = "2-1-1",
    ends: Ends = Ends(),
    straight: float = 0.0,
    monitor: Monitor | None = None,
) -> Path:
    """Find the cheapest path over all pairs: O(N M) time, one byte per pair.

    Raises
    ------
    AlignmentError
        When the forbidden rectangles leave no path.
    """
    return _path(_whole(costs, pattern, ends, straight, monitor), costs, pattern)


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
    weights = np.asarray((*_WEIGHTS[pattern], straight), dtype=np.float64)
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
        raise AlignmentError(_CLOSED_MASKS)
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


def step_prices(pattern: StepPattern) -> tuple[float, float, float]:
    """Return the weights of the diagonal, the step in the reference and the step in the other."""
    return _WEIGHTS[pattern]


def step_weights(reference: Int64, other: Int64, pattern: StepPattern) -> Float64:
    """Weight of each pair of a path: of the diagonal for the first one and where both go on."""
    diagonal, reference_step, other_step = _WEIGHTS[pattern]
    ours = np.diff(reference, prepend=reference[0] - 1) > 0
    theirs = np.diff(other, prepend=other[0] - 1) > 0
    return np.where(ours & theirs, diagonal, np.where(ours, reference_step, other_step))


def warm_up() -> None:
    """Compile (or load from the cache) every kernel; call it on a background thread."""
    rows = unit_rows(np.eye(4, dtype=np.float32), centre=False)
    solve(Costs(rows, rows), exact_cells=0)
    kernels.compile_all()


def _solve_band(
    costs: Costs,
    low: Int64,
    high: Int64,
    pattern: StepPattern,
    ends: Ends,
    straight: float,
    monitor: Monitor | None,
) -> _Cells | None:
    """Cheapest path inside rows' intervals [low, high), None when there is none.

    Rows are solved in blocks, each over all columns that one of its rows has.
    """
    n, m = costs.shape
    firsts = np.arange(0, n, _BLOCK_ROWS)
    is_used = high > low
    lefts = np.minimum.reduceat(np.where(is_used, low, m), firsts)
    rights = np.maximum.reduceat(np.where(is_used, high, 0), firsts)
    lefts = np.minimum(lefts, rights)  # a block without columns is empty
    widths = rights - lefts
    heights = np.minimum(firsts + _BLOCK_ROWS, n) - firsts
    offsets = np.concatenate([[0], np.cumsum(widths * heights)])
    back = np.empty(int(offsets[-1]), dtype=np.uint8)
    weights = np.asarray((*_WEIGHTS[pattern], straight), dtype=np.float64)
    edges = _edges(n, m, ends.scaled(pattern))
    before, before_left = np.empty(0), 0
    best, end_i, end_j = math.inf, -1, -1
    for k, (i0, left, right) in enumerate(
        zip(firsts.tolist(), lefts.tolist(), rights.tolist(), strict=True)
    ):
        if monitor is not None:
            monitor.check()
        i1 = min(n, i0 + _BLOCK_ROWS)
        above = np.full(right - left, np.inf)
        a, b = max(left, before_left), min(right, before_left + len(before))
        if a < b:
            above[a - left : b - left] = before[a - before_left : b - before_left]
        if right > left:
            found, r, c = kernels.advance(
                costs.similarities(i0, i1, left, right),
                above,
                back[offsets[k] : offsets[k + 1]].reshape(i1 - i0, right - left),
                True,
                weights,
                edges[0][i0:i1],
                edges[1][left:right],
                edges[2][i0:i1],
                edges[3][left:right],
            )
            if found < best:
                best, end_i, end_j = found, i0 + r, left + c
        before, before_left = above, left
    if not math.isfinite(best):
        return None
    cells, _, _ = kernels.trace(back, offsets, lefts, widths, _BLOCK_ROWS, end_i, end_j)
    return np.ascontiguousarray(cells[:, 0]), np.ascontiguousarray(cells[:, 1]), float(best)


def _edges(n: int, m: int, ends: Ends) -> tuple[Float64, Float64, Float64, Float64]:
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


def _refine(
    cells: _Cells,
    coarse: Costs,
    fine: Costs,
    pattern: StepPattern,
    ends: Ends,
    straight: float,
    radius: int,
    monitor: Monitor | None,
) -> _Cells:
    """Solve ``fine`` inside a corridor around the path ``cells`` of ``coarse``.

    Where masks close the corridor, it is widened until it is the whole matrix.
    """
    n, m = fine.shape
    f_rows = 1 if coarse.shape[0] == n else 2
    f_columns = 1 if coarse.shape[1] == m else 2
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
    while True:
        low, high = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        kernels.widen(first, last, n, m, radius, low, high)
        found = _solve_band(fine, low, high, pattern, ends, straight, monitor)
        if found is not None:
            return found
        if radius >= max(n, m):
            raise AlignmentError(_CLOSED_MASKS)
        radius *= 4
