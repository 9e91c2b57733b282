"""The fixed grid of windows and their taper."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.encoder.windows import blended, taper, window_spans


def test_worked_example() -> None:
    assert window_spans(25, 10, 4) == [(0, 10), (6, 16), (12, 22), (18, 25)]
    assert window_spans(10, 10, 4) == [(0, 10)]
    assert window_spans(11, 10, 4) == [(0, 10), (6, 11)]
    assert window_spans(3, 10, 4) == [(0, 3)]


def test_published_rule_takes_everything_up_to_a_thousand_then_equal_parts() -> None:
    assert window_spans(1000, 0, 0) == [(0, 1000)]
    assert window_spans(1001, 0, 0) == [(0, 501), (501, 1001)]
    assert window_spans(2500, 0, 0) == [(0, 834), (834, 1668), (1668, 2500)]


@given(st.integers(1, 400), st.integers(1, 60), st.data())
def test_tapers_add_up_to_one_everywhere(length: int, window: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, window // 2))
    spans = window_spans(length, window, overlap)
    total = np.zeros(length)
    for start, end in spans:
        total[start:end] += taper(end - start, overlap, is_first=start == 0, is_last=end == length)
    np.testing.assert_allclose(total, 1.0, atol=1e-6)
    assert all(b[0] - a[0] == window - overlap for a, b in itertools.pairwise(spans))


@given(st.integers(1, 300), st.integers(0, 100), st.integers(2, 40))
def test_the_grid_does_not_move_when_a_recording_goes_on(
    length: int, more: int, window: int
) -> None:
    overlap = window // 3
    short, long = (
        window_spans(length, window, overlap),
        window_spans(length + more, window, overlap),
    )
    assert [start for start, _ in short] == [start for start, _ in long][: len(short)]


def test_impossible_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        window_spans(10, 8, 5)
    with pytest.raises(ValueError, match="length"):
        window_spans(0, 8, 2)


def test_windows_that_contradict_each_other_leave_unit_rows() -> None:
    ending = np.tile(np.array([[1.0, 0.0]], np.float32), (5, 1))
    rows = blended(ending, -ending)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
    assert rows[:2, 0].tolist() == [1, 1]
    assert rows[3:, 0].tolist() == [-1, -1]
