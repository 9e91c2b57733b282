"""Solve between anchors: each stretch is a problem of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.dtw import EXACT_CELLS, solve
from carl_core.alignment.warping_path import CLOSED, Ends, Path
from carl_core.errors import AlignmentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.alignment.costs import Costs
    from carl_core.alignment.options import StepPattern
    from carl_core.arrays import Float64, Int64
    from carl_core.progress import Monitor


def solve_between(
    costs: Costs,
    pins: Sequence[tuple[int, int]],
    *,
    pattern: StepPattern,
    ends: Ends,
    straight: float = 0.0,
    monitor: Monitor | None = None,
    exact_cells: int = EXACT_CELLS,
) -> Path:
    """Find the cheapest path through all ``pins``.

    Only the stretches next to a pin depend on it. Ends may be open only before the first and after
    the last pin.

    Parameters
    ----------
    pins : (reference sample, other sample), non-decreasing in both
    exact_cells : pairs of a stretch up to which it is solved exactly; see ``solve``

    Raises
    ------
    AlignmentError
        When masks leave no path between two pins.
    """
    n, m = costs.shape
    if not pins:
        return solve(
            costs,
            pattern=pattern,
            ends=ends,
            straight=straight,
            monitor=monitor,
            exact_cells=exact_cells,
        )
    stretches: list[tuple[int, int, int, int, Ends]] = []
    first, last = pins[0], pins[-1]
    stretches.append(
        (0, first[0], 0, first[1], Ends(ends.reference_begin, ends.other_begin, CLOSED, CLOSED))
    )
    stretches += [(a[0], b[0], a[1], b[1], Ends()) for a, b in pairwise(pins)]
    stretches.append(
        (last[0], n - 1, last[1], m - 1, Ends(CLOSED, CLOSED, ends.reference_end, ends.other_end))
    )
    reference: list[Int64] = []
    other: list[Int64] = []
    found: list[Float64] = []
    weights: list[Float64] = []
    total = 0.0
    is_stable = True
    for r0, r1, c0, c1, stretch_ends in stretches:
        part = costs.part(r0, r1 + 1, c0, c1 + 1)
        try:
            path = solve(
                part,
                pattern=pattern,
                ends=stretch_ends,
                straight=straight,
                monitor=monitor,
                exact_cells=exact_cells,
            )
        except AlignmentError as error:
            raise AlignmentError(
                "Anchors and masks contradict each other: between two anchors the masks close "
                "every way. Move an anchor or shrink a mask."
            ) from error
        # The pin is the last cell of one stretch and the first of the next: counted once.
        start = 1 if reference else 0
        reference.append(path.reference[start:] + r0)
        other.append(path.other[start:] + c0)
        found.append(path.costs[start:])
        weights.append(path.weights[start:])
        is_stable &= path.is_stable
        total += path.total - (float(path.weights[0] * path.costs[0]) if start else 0.0)
    return Path(
        np.concatenate(reference),
        np.concatenate(other),
        np.concatenate(found),
        np.concatenate(weights),
        total,
        is_stable,
    )
