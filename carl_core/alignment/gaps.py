"""Warping that may drop stretches of either recording in the middle, at a price.

After Drop-DTW (Dvornik et al., NeurIPS 2021, Algorithm 1), which drops elements at a price each.
Differences: the steps and weights are those of ``dtw``; a stretch of dropped samples also costs an
opening price (Gotoh 1982), so that single bad samples are matched and real gaps stay whole.

    M(i, j) = min( the steps of dtw into (i, j),  X(i-1, j-1) + d c )
    X(i, j) = min( M(i, j) + opening,  X(i-1, j) + each,  X(i, j-1) + each )
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment import kernels
from carl_core.alignment.dtw import EXACT_CELLS, solve
from carl_core.alignment.warping_path import Ends, Path, step_prices, step_weights
from carl_core.errors import AlignmentError

if TYPE_CHECKING:
    from carl_core.alignment.costs import Costs
    from carl_core.alignment.options import StepPattern
    from carl_core.arrays import Int64
    from carl_core.progress import Monitor

_BLOCK_ROWS = 128
_CLOSED = Ends()


@dataclass(frozen=True, slots=True)
class GapPrices:
    """What a gap costs, on the scale of a sample in pattern 2-1-1.

    Attributes
    ----------
    each : per dropped sample of either recording
    opening : per gap
    """

    each: float
    opening: float

    def __post_init__(self) -> None:
        if not (self.each >= 0 and self.opening >= 0):
            raise ValueError(f"prices of gaps must not be negative: {self}")


def solve_with_gaps(
    costs: Costs,
    prices: GapPrices,
    *,
    pattern: StepPattern = "2-1-1",
    ends: Ends = _CLOSED,
    straight: float = 0.0,
    monitor: Monitor | None = None,
    exact_cells: int = EXACT_CELLS,
) -> Path:
    """Find the cheapest path with gaps, exactly up to ``exact_cells`` pairs.

    O(N M) time, one byte per pair. Above ``exact_cells`` the gaps are found at a lower resolution,
    and the runs between them are solved as ``dtw.solve`` does.

    Returns
    -------
    Path
        A step of more than one sample is a gap: what lies between has no counterpart.

    Raises
    ------
    AlignmentError
        When the masks leave no path.
    Cancelled
        When the monitor says so.
    """
    n, m = costs.shape
    if n * m > exact_cells:
        return _coarse_to_fine(costs, prices, pattern, ends, straight, monitor, exact_cells)
    back = np.empty((n, m), dtype=np.uint8)
    matched, dropped = np.full(m, math.inf), np.full(m, math.inf)
    scale = step_prices(pattern)[0] / 2.0
    weights = np.asarray((*step_prices(pattern), straight), dtype=np.float64)
    end_prices = ends.scaled(pattern).as_array()
    best, end_i, end_j = math.inf, -1, -1
    for i0 in range(0, n, _BLOCK_ROWS):
        if monitor is not None:
            monitor.check()
        block = costs.block(i0, min(n, i0 + _BLOCK_ROWS), 0, m)
        found, i, j = kernels.advance_gaps(
            block,
            i0,
            n,
            m,
            matched,
            dropped,
            back,
            weights,
            end_prices,
            prices.each * scale,
            prices.opening * scale,
        )
        if found < best:
            best, end_i, end_j = found, i, j
    if not math.isfinite(best):
        raise AlignmentError(
            "No path leads from the beginning to the end: the masks close every way. "
            "Remove or shrink a mask, or allow open ends."
        )
    cells = kernels.trace_gaps(back, end_i, end_j)
    reference, other = np.ascontiguousarray(cells[:, 0]), np.ascontiguousarray(cells[:, 1])
    return Path(
        reference,
        other,
        costs.at(reference, other),
        step_weights(reference, other, pattern),
        float(best),
    )


def runs_of(reference: Int64, other: Int64) -> list[slice]:
    """Return the runs of a path between its gaps."""
    jumps = (np.diff(reference) > 1) | (np.diff(other) > 1)
    edges = [0, *(np.flatnonzero(jumps) + 1).tolist(), len(reference)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _coarse_to_fine(
    costs: Costs,
    prices: GapPrices,
    pattern: StepPattern,
    ends: Ends,
    straight: float,
    monitor: Monitor | None,
    exact_cells: int,
) -> Path:
    n, m = costs.shape
    coarse = costs.halved(rows=n > 1, columns=m > 1)
    f_rows, f_columns = 1 + (n > 1), 1 + (m > 1)
    halved = GapPrices(prices.each, prices.opening / 2.0)  # half as many samples
    guess = solve_with_gaps(
        coarse,
        halved,
        pattern=pattern,
        ends=ends,
        straight=straight,
        monitor=monitor,
        exact_cells=exact_cells,
    )
    parts: list[Path] = []
    for run in runs_of(guess.reference, guess.other):
        r0, r1 = guess.reference[run][[0, -1]] * f_rows
        c0, c1 = guess.other[run][[0, -1]] * f_columns
        r1, c1 = min(n, r1 + f_rows), min(m, c1 + f_columns)
        part = solve(
            costs.part(r0, r1, c0, c1), pattern=pattern, straight=straight, monitor=monitor
        )
        parts.append(replace(part, reference=part.reference + r0, other=part.other + c0))
    return Path(
        np.concatenate([part.reference for part in parts]),
        np.concatenate([part.other for part in parts]),
        np.concatenate([part.costs for part in parts]),
        np.concatenate([part.weights for part in parts]),
        2.0 * guess.total,
        is_stable=guess.is_stable and all(part.is_stable for part in parts),
    )
