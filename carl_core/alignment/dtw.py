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
from carl_core.similarity.matrix import unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carl_core.alignment.options import StepPattern
    from carl_core.progress import Monitor

CLOSED = math.inf
# Up to here every cell is solved: one byte per cell, well under a second.
EXACT_CELLS = 4000 * 4000
_TOP = 1024  # longest side of the coarsest level
_RADIUS = 64  # cells of corridor on each side of the coarser path
_BLOCK_ROWS = 128
# A path found coarse to fine is checked in so many squares of this side; what is dearer there by
# more than this share is not settled.
_CHECKS = 4
_CHECK_SIDE = 2048
_EXCESS = 1e-3
# Rows between two checkpoints of the exact solver at least: what is solved again at a time.
_STRIP = 256

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
    where the coarse level still tells moments apart, without a guarantee. Where searching more
    of the matrix finds something cheaper, the path is returned as not stable (``Path.is_stable``);
    to be stable is evidence, not proof.

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
        shape = levels[-1].shape
        levels.append(levels[-1].halved(rows=shape[0] > 64, columns=shape[1] > 64))

    path = solve_exact(levels[-1], pattern=pattern, ends=ends, straight=straight, monitor=monitor)
    for coarse, fine in zip(levels[:0:-1], levels[-2::-1], strict=True):
        path = _refine(path, coarse, fine, pattern, ends, straight, radius, monitor)
    settled = _is_settled(path, costs, pattern, straight, monitor)
    return path if settled else replace(path, is_stable=False)


def _is_settled(
    path: Path, costs: Costs, pattern: StepPattern, straight: float, monitor: Monitor | None
) -> bool:
    """Whether searching far around the path, here and there, finds nothing cheaper.

    Wider corridors around the same coarse path are led astray with it; so a few stretches are
    solved over all pairs between two cells of the path. What is wrong because the signal is weak
    is wrong all over.
    """
    middles = np.linspace(0, len(path.reference) - 1, 2 * _CHECKS + 1)[1::2].astype(np.int64)
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
        best = solve_exact(part, pattern=pattern, straight=straight, monitor=monitor).total
        if own - best > _EXCESS * max(best, 1e-12):
            return False
    return True


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
    n, m = costs.shape
    low = np.zeros(n, dtype=np.int64)
    high = np.full(n, m, dtype=np.int64)
    path = _solve_band(costs, low, high, pattern, ends, straight, monitor)
    if path is None:
        raise AlignmentError(
            "No path leads from the beginning to the end: the masks close every way. "
            "Remove or shrink a mask, or allow open ends."
        )
    return path


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
    nothing = np.empty((0, 0), dtype=np.uint8)
    checkpoints: list[Float64] = []
    if monitor is not None:
        monitor.start("exact alignment", 2 * n, "rows")
    for i0 in range(0, n, strip):
        checkpoints.append(above.copy())
        for a, b in _blocks(i0, min(n, i0 + strip), monitor):
            kernels.advance_closed(costs.block(a, b, 0, m), a == 0, above, nothing, False, weights)
            if monitor is not None:
                monitor.advance(b - a)
    total = float(above[m - 1])
    if not math.isfinite(total):
        raise AlignmentError(
            "No path leads from the beginning to the end: the masks close every way. "
            "Remove or shrink a mask, or allow open ends."
        )
    parts: list[Int64] = []
    i, j = n - 1, m - 1
    for number in range(len(checkpoints) - 1, -1, -1):
        i0 = number * strip
        width, above = j + 1, checkpoints[number][: j + 1].copy()
        back = np.empty((i - i0 + 1, width), dtype=np.uint8)
        for a, b in _blocks(i0, i + 1, monitor):
            kernels.advance_closed(
                costs.block(a, b, 0, width), a == 0, above, back[a - i0 : b - i0], True, weights
            )
        cells, i, j = kernels.trace_strip(back, i - i0, j)
        cells[:, 0] += i0
        parts.append(cells)
        if monitor is not None:
            monitor.advance(min(strip, n - i0))
        if i < -1:
            break
        i = i0 - 1
    path = np.concatenate(parts[::-1])
    reference, other = np.ascontiguousarray(path[:, 0]), np.ascontiguousarray(path[:, 1])
    found_weights = step_weights(reference, other, pattern)
    return Path(reference, other, costs.at(reference, other), found_weights, total)


def _blocks(first: int, end: int, monitor: Monitor | None) -> Iterator[tuple[int, int]]:
    for a in range(first, end, _BLOCK_ROWS):
        if monitor is not None:
            monitor.check()
        yield a, min(end, a + _BLOCK_ROWS)


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
    n = np.zeros(1, dtype=np.int64)
    kernels.widen(n, n + 1, 1, 1, 1, n.copy(), n.copy())


def _solve_band(
    costs: Costs,
    low: Int64,
    high: Int64,
    pattern: StepPattern,
    ends: Ends,
    straight: float,
    monitor: Monitor | None,
) -> Path | None:
    """Cheapest path inside rows' intervals [low, high), None when there is none."""
    n, m = costs.shape
    offsets = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(high - low, out=offsets[1:])
    back = np.empty(int(offsets[-1]), dtype=np.uint8)
    above = np.full(m, np.inf)
    current = np.empty(m)
    weights = np.asarray((*_WEIGHTS[pattern], straight), dtype=np.float64)
    prices = ends.scaled(pattern).as_array()
    best, end_i, end_j = math.inf, -1, -1
    for i0 in range(0, n, _BLOCK_ROWS):
        if monitor is not None:
            monitor.check()
        i1 = min(n, i0 + _BLOCK_ROWS)
        used = high[i0:i1] > low[i0:i1]
        c0 = int(low[i0:i1][used].min()) if used.any() else 0
        c1 = int(high[i0:i1][used].max()) if used.any() else 0
        block = costs.block(i0, i1, c0, c1)
        found, i, j = kernels.advance(
            block, i0, c0, n, m, low, high, offsets, above, current, back, weights, prices
        )
        if found < best:
            best, end_i, end_j = found, i, j
    if not math.isfinite(best):
        return None
    cells = kernels.trace(back, low, offsets, end_i, end_j)
    reference, other = np.ascontiguousarray(cells[:, 0]), np.ascontiguousarray(cells[:, 1])
    found_weights = step_weights(reference, other, pattern)
    return Path(reference, other, costs.at(reference, other), found_weights, float(best))


def _refine(
    path: Path,
    coarse: Costs,
    fine: Costs,
    pattern: StepPattern,
    ends: Ends,
    straight: float,
    radius: int,
    monitor: Monitor | None,
) -> Path:
    """Solve ``fine`` inside a corridor around the path of ``coarse``.

    Where masks close the corridor, it is widened until it is the whole matrix.
    """
    n, m = fine.shape
    f_rows = 1 if coarse.shape[0] == n else 2
    f_columns = 1 if coarse.shape[1] == m else 2
    first = np.full(n, m, dtype=np.int64)
    last = np.zeros(n, dtype=np.int64)
    for k in range(f_rows):
        rows = path.reference * f_rows + k
        inside = rows < n
        np.minimum.at(first, rows[inside], path.other[inside] * f_columns)
        np.maximum.at(last, rows[inside], np.minimum((path.other[inside] + 1) * f_columns, m))
    while True:
        low, high = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        kernels.widen(first, last, n, m, radius, low, high)
        found = _solve_band(fine, low, high, pattern, ends, straight, monitor)
        if found is not None:
            return found
        if radius >= max(n, m):
            raise AlignmentError(
                "No path leads from the beginning to the end: the masks close every way. "
                "Remove or shrink a mask, or allow open ends."
            )
        radius *= 4
