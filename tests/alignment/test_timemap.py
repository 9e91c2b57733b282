from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carl_core.alignment.timemap import TimeMap


@st.composite
def maps(draw: st.DrawFn) -> TimeMap:
    count = draw(st.integers(1, 12))
    runs = draw(st.lists(st.floats(0.01, 3.0), min_size=count, max_size=count))
    rises = draw(
        st.lists(st.one_of(st.just(0.0), st.floats(0.001, 4.0)), min_size=count, max_size=count)
    )
    holes = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    other = np.where(np.asarray(holes) & (np.arange(count) > 0), np.nan, np.cumsum(rises))
    return TimeMap(np.cumsum(runs), other)


@given(maps(), st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_the_inverse_undoes_the_map(time_map: TimeMap, shares: list[float]) -> None:
    start, end = time_map.domain
    inverse = time_map.inverse()
    for t_s in start + (end - start) * np.asarray(shares):
        other_s = time_map(float(t_s))
        if np.isnan(other_s):
            continue
        back_s = inverse(other_s)
        assert np.isfinite(back_s)
        assert time_map(back_s) == pytest.approx(other_s, abs=1e-6)


@given(maps(), st.lists(st.floats(-1.0, 40.0), min_size=2, max_size=20))
@settings(max_examples=100, deadline=None)
def test_the_map_never_runs_backwards(time_map: TimeMap, times: list[float]) -> None:
    values = time_map(np.sort(np.asarray(times)))
    known = values[np.isfinite(values)]
    assert np.all(np.diff(known) >= -1e-12)


def test_values_between_at_and_outside_knots() -> None:
    time_map = TimeMap(np.asarray([0.0, 1.0, 2.0, 3.0]), np.asarray([5.0, 7.0, np.nan, 9.0]))
    assert time_map(0.5) == 6.0
    assert time_map(1.0) == 7.0
    assert np.isnan(time_map(1.5))
    assert np.isnan(time_map(2.5))
    assert time_map(3.0) == 9.0
    assert np.isnan(time_map(-0.1))
    assert np.isnan(time_map(3.1))
    assert time_map.domain == (0.0, 3.0)
    np.testing.assert_array_equal(time_map(np.asarray([0.0, 0.25])), [5.0, 5.5])


def test_slopes() -> None:
    time_map = TimeMap(np.asarray([0.0, 1.0, 2.0]), np.asarray([0.0, 2.0, 2.0]))
    assert time_map.slope_at(0.5) == 2.0
    assert time_map.slope_at(1.0) == 0.0
    assert time_map.slope_at(2.0) == 0.0
    assert np.isnan(time_map.slope_at(2.5))


def test_a_hold_comes_back_with_both_its_ends() -> None:
    time_map = TimeMap(np.asarray([0.0, 1.0, 4.0, 5.0]), np.asarray([0.0, 1.0, 1.0, 2.0]))
    inverse = time_map.inverse()
    assert inverse(1.0) == 1.0
    assert inverse(1.0 + 1e-9) == pytest.approx(4.0)
    assert inverse(1.5) == pytest.approx(4.5)


def test_a_hole_stays_a_hole_in_the_inverse() -> None:
    time_map = TimeMap(np.arange(5.0), np.asarray([0.0, 1.0, np.nan, 3.0, 4.0]))
    inverse = time_map.inverse()
    assert np.isnan(inverse(2.0))
    assert inverse(3.5) == pytest.approx(3.5)


def test_one_knot_and_none() -> None:
    assert TimeMap(np.asarray([1.0]), np.asarray([2.0]))(1.0) == 2.0
    nothing = TimeMap(np.asarray([1.0, 2.0]), np.asarray([np.nan, np.nan]))
    assert np.isnan(nothing(1.5))
    assert np.isnan(nothing.domain[0])
    assert np.isnan(nothing.inverse()(1.0))


@pytest.mark.parametrize(
    ("reference", "other"),
    [
        ([0.0, 0.0], [0.0, 1.0]),
        ([0.0, 1.0], [1.0, 0.0]),
        ([0.0, np.nan], [1.0, 2.0]),
        ([0.0, 1.0], [1.0, np.inf]),
        ([0.0, 1.0, 2.0], [3.0, np.nan, 2.0]),
        ([], []),
        ([0.0], [0.0, 1.0]),
    ],
)
def test_wrong_knots_are_refused(reference: list[float], other: list[float]) -> None:
    with pytest.raises(ValueError, match=r"must|differ|other_s"):
        TimeMap(np.asarray(reference), np.asarray(other))


def test_arrays_are_read_only_and_the_input_stays() -> None:
    times = np.asarray([0.0, 1.0])
    time_map = TimeMap(times, times)
    with pytest.raises(ValueError, match="read-only"):
        time_map.reference_s[0] = 3.0
