from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.timebase import FrameIndex


def make_index(pts: list[int], end: int, base: Fraction = Fraction(1, 1000)) -> FrameIndex:
    return FrameIndex(np.array(pts), end, np.ones(len(pts), bool), base)


def test_seconds_count_from_the_first_presented_frame() -> None:
    index = make_index([500, 533, 600], 633)
    assert index.times_s.tolist() == [0.0, 0.033, 0.1]
    assert index.duration_s == pytest.approx(0.133)
    assert index.time_of(2) == pytest.approx(0.1)


def test_the_frame_shown_is_the_last_that_appeared() -> None:
    index = make_index([0, 40, 200], 240)
    shown = index.frames_shown_at([-1, 0, 0.039, 0.040, 0.1999, 0.2, 9])
    assert shown.tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert index.frame_shown_at(0.15) == 1


def test_nearest_frame_is_not_the_shown_one() -> None:
    index = make_index([0, 100], 200)
    assert index.frame_shown_at(0.09) == 0
    assert index.nearest_frames([0.09, 0.04, 5]).tolist() == [1, 0, 1]
    assert make_index([7], 8).nearest_frames([0.0, 3.0]).tolist() == [0, 0]


def test_millisecond_rounding_is_not_a_variable_frame_rate() -> None:
    assert not make_index([0, 33, 67, 100, 133], 166).is_variable
    assert make_index([0, 33, 67, 170, 203], 236).is_variable


def test_arrays_inside_are_read_only() -> None:
    index = make_index([0, 1], 2)
    with pytest.raises(ValueError, match="read-only"):
        index.pts[0] = 3
    with pytest.raises(ValueError, match="read-only"):
        index.times_s[0] = 3


@pytest.mark.parametrize(
    ("pts", "end", "message"),
    [
        ([], 1, "at least one"),
        ([0, 0], 1, "ascending"),
        ([5, 2], 9, "ascending"),
        ([0, 5], 5, "after"),
    ],
)
def test_an_impossible_index_is_refused(pts: list[int], end: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_index(pts, end)


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=60),
    st.integers(-(2**40), 2**40),
    st.sampled_from([Fraction(1, 1000), Fraction(1, 90000), Fraction(1001, 30000)]),
)
def test_every_frame_is_found_at_its_own_time(steps: list[int], start: int, base: Fraction) -> None:
    pts = start + np.cumsum([0, *steps])
    index = FrameIndex(pts[:-1], int(pts[-1]), np.ones(len(steps), bool), base)
    assert index.frames_shown_at(index.times_s).tolist() == list(range(len(steps)))
    assert index.nearest_frames(index.times_s).tolist() == list(range(len(steps)))
