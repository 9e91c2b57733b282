"""Corridors of the matrix of costs: one alone, several at once, closed by masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.alignment import kernels
from carl_core.alignment.corridor import Cells, Steps, refine, solve_whole
from carl_core.alignment.costs import Costs
from carl_core.alignment.warping_path import Ends
from carl_core.errors import AlignmentError
from carl_core.progress import Monitor
from carl_core.similarity.matrix import unit_rows

STEPS = Steps("1-1-1", Ends(), 0.0)


def walks(count: int, seed: int = 0) -> Costs:
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(count, 8)), axis=0)
    noisy = walk + rng.normal(size=walk.shape)
    return Costs(unit_rows(walk, centre=True), unit_rows(noisy, centre=True))


def corner(cells: Cells, count: int, *, upper: bool) -> Cells:
    """Return the path along two sides of the matrix, as far from the diagonal as one can be."""
    there, back = np.arange(count), np.full(count, count - 1)
    first, last = (np.zeros(count, np.int64), there), (there, back)
    rows, columns = (first, last) if upper else (first[::-1], last[::-1])
    reference, other = np.concatenate([rows[0], columns[0]]), np.concatenate([rows[1], columns[1]])
    is_new = np.append(True, (np.diff(reference) > 0) | (np.diff(other) > 0))
    return reference[is_new], other[is_new], cells[2]


@pytest.mark.parametrize("count", [150, 401])
def test_corridors_solved_together_are_those_solved_alone(count: int) -> None:
    costs = walks(count)
    coarse = costs.halved()
    path = solve_whole(coarse, STEPS, None)
    radii = [3, 12]
    both = refine([path, path], coarse.shape, costs, STEPS, radii, None)
    for cells, radius in zip(both, radii, strict=True):
        (alone,) = refine([path], coarse.shape, costs, STEPS, [radius], None)
        np.testing.assert_array_equal(cells[0], alone[0])
        np.testing.assert_array_equal(cells[1], alone[1])
        assert cells[2] == alone[2]
    assert both[1][2] <= both[0][2]


def test_corridors_that_lie_far_apart_are_solved_each_inside_itself() -> None:
    costs = walks(400)
    coarse = costs.halved()
    path = solve_whole(coarse, STEPS, None)
    sides = [corner(path, len(coarse.rows), upper=upper) for upper in (True, False)]
    found = refine(sides, coarse.shape, costs, STEPS, [4, 4], None)
    for cells, is_above in zip(found, (True, False), strict=True):
        off = (cells[1] - cells[0])[len(cells[0]) // 2]
        assert (off > 300) if is_above else (off < -300)


def test_a_corridor_closed_by_a_mask_is_widened_alone() -> None:
    free = walks(300)
    costs = Costs(free.rows, free.columns, ((100, 180, 40, 240),))
    coarse = costs.halved()
    path = solve_whole(free.halved(), STEPS, None)  # leads through the mask
    narrow, wide = refine([path, path], coarse.shape, costs, STEPS, [4, 200], None)
    for reference, other, _ in (narrow, wide):
        inside = (reference >= 100) & (reference < 180) & (other >= 40) & (other < 240)
        assert not inside.any()
    assert wide[2] <= narrow[2]


def test_masks_that_close_every_way_are_an_error() -> None:
    free = walks(300)
    costs = Costs(free.rows, free.columns, ((100, 180, 0, 300),))
    path = solve_whole(free.halved(), STEPS, None)
    with pytest.raises(AlignmentError, match="masks close every way"):
        refine([path, path], (150, 150), costs, STEPS, [4, 16], Monitor())


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
