"""Corridors of the matrix of costs: narrow and wide, closed by masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.alignment import kernels
from carl_core.alignment.corridor import Steps, is_inside, refine, solve_whole
from carl_core.alignment.costs import Costs
from carl_core.alignment.warping_path import Ends
from carl_core.errors import AlignmentError
from carl_core.progress import Monitor
from carl_core.similarity.matrix import unit_rows

STEPS = Steps("1-1-1", Ends(), 0.0)


def walks(count: int, noise: float = 1.0) -> Costs:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(count, 8)), axis=0)
    noisy = walk + noise * rng.normal(size=walk.shape)
    return Costs(unit_rows(walk, centre=True), unit_rows(noisy, centre=True))


@pytest.mark.parametrize("count", [150, 401])
def test_a_path_of_a_wide_corridor_inside_a_narrow_one_is_the_narrow_ones(count: int) -> None:
    costs = walks(count, noise=30.0)
    coarse = costs.halved()
    path = solve_whole(coarse, STEPS, None)
    wide = refine(path, coarse.shape, costs, STEPS, 40, None)
    were_inside = []
    for radius in (1, 3, 10, 40):
        narrow = refine(path, coarse.shape, costs, STEPS, radius, None)
        if is_inside(wide, path, coarse.shape, costs.shape, radius):
            were_inside.append(radius)
            np.testing.assert_array_equal(narrow[0], wide[0])
            np.testing.assert_array_equal(narrow[1], wide[1])
        else:
            assert narrow[2] >= wide[2]
    assert were_inside
    assert 1 not in were_inside


def test_a_corridor_closed_by_a_mask_is_widened() -> None:
    free = walks(300)
    costs = Costs(free.rows, free.columns, ((100, 180, 40, 240),))
    coarse = costs.halved()
    path = solve_whole(free.halved(), STEPS, None)  # leads through the mask
    reference, other, total = refine(path, coarse.shape, costs, STEPS, 4, None)
    inside = (reference >= 100) & (reference < 180) & (other >= 40) & (other < 240)
    assert not inside.any()
    assert math.isfinite(total)


def test_masks_that_close_every_way_are_an_error() -> None:
    free = walks(300)
    costs = Costs(free.rows, free.columns, ((100, 180, 0, 300),))
    path = solve_whole(free.halved(), STEPS, None)
    with pytest.raises(AlignmentError, match="masks close every way"):
        refine(path, (150, 150), costs, STEPS, 4, Monitor())


@given(st.data())
def test_intervals_are_widened_in_both_directions(data: st.DataObject) -> None:
    n, m = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    radius = data.draw(st.integers(1, 8))
    begins = sorted(data.draw(st.lists(st.integers(0, m - 1), min_size=n, max_size=n)))
    ends = sorted(data.draw(st.lists(st.integers(1, m), min_size=n, max_size=n)))
    has = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    rows = [
        (a, max(a + 1, b)) if used else (m, 0) for a, b, used in zip(begins, ends, has, strict=True)
    ]
    first, last = (np.array(side, dtype=np.int64) for side in zip(*rows, strict=True))
    low, high = np.empty(n, np.int64), np.empty(n, np.int64)
    kernels.widen(first, last, n, m, radius, low, high)
    for i in range(n):
        near = [row for row in rows[max(0, i - radius) : i + radius + 1] if row[1] > row[0]]
        if near:
            assert low[i] == max(0, min(a for a, _ in near) - radius)
            assert high[i] == min(m, max(b for _, b in near) + radius)
        else:
            assert low[i] == high[i] == 0
