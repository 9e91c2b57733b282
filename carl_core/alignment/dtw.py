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
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment import kernels
from carl_core.alignment.costs import Costs
from carl_core.arrays import Float64, Int64, read_only
from carl_core.errors import AlignmentError
from carl_core.similarity.matrix import unit_rows

if TYPE_CHECKING:
    from carl_core.alignment.options import StepPattern
    from carl_core.progress import Monitor

CLOSED = math.inf
# Up to here every cell is solved: one byte per cell, well under a second.
EXACT_CELLS = 4000 * 4000
_TOP = 1024  # longest side of the coarsest level
_RADIUS = 64  # cells of corridor on each side of the coarser path
_BLOCK_ROWS = 128

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
    """

    reference: Int64
    other: Int64
    costs: Float64
    weights: Float64
    total: float

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
    where the coarse level still tells moments apart, without a guarantee.

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
    return path


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
