"""Pictures in one picture: the formulas, on numbers one can work out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.export import compose


def random_pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 256, (9, 13, 3), dtype=np.uint8)
    second = rng.integers(0, 256, (9, 13, 3), dtype=np.uint8)
    return first, second


@given(st.integers(0, 1000), st.floats(0, 1))
def test_blend_is_the_weighted_mean(seed: int, opacity: float) -> None:
    first, second = random_pair(seed)
    weight = round(opacity * 256) / 256
    exact = first * (1 - weight) + second * weight
    mixed = compose.blend(first, second, opacity)
    assert mixed.dtype == np.uint8
    assert np.abs(mixed - exact).max() <= 0.51


def test_blend_at_its_ends_is_one_of_the_two() -> None:
    first, second = random_pair(1)
    assert np.array_equal(compose.blend(first, second, 0.0), first)
    assert np.array_equal(compose.blend(first, second, 1.0), second)


@given(st.integers(0, 1000), st.floats(1, 16))
def test_difference_is_absolute_times_gain(seed: int, gain: float) -> None:
    first, second = random_pair(seed)
    apart = np.abs(first.astype(float) - second) * (round(gain * 16) / 16)
    found = compose.difference(first, second, gain)
    assert np.abs(found - np.minimum(np.floor(apart), 255)).max() == 0
    assert np.array_equal(found, compose.difference(second, first, gain))
    assert compose.difference(first, first, gain).max() == 0


def test_wipe_takes_the_first_left_and_the_second_right() -> None:
    first, second = random_pair(2)
    mixed = compose.wipe(first, second, 5 / 13)
    assert np.array_equal(mixed[:, :5], first[:, :5])
    assert np.array_equal(mixed[:, 5:], second[:, 5:])
    assert np.array_equal(compose.wipe(first, second, 1.0), first)
    assert np.array_equal(compose.wipe(first, second, 0.0), second)


def test_a_picture_is_placed_in_the_middle() -> None:
    picture = np.full((2, 2, 3), 9, np.uint8)
    canvas = compose.placed(picture, 4, 6)
    assert canvas.shape == (6, 4, 3)
    assert np.array_equal(canvas[2:4, 1:3], picture)
    assert canvas.sum() == picture.sum()
    wide = np.arange(6, dtype=np.uint8).reshape(1, 6, 1).repeat(3, axis=2)
    assert compose.placed(wide, 2, 1)[0, :, 0].tolist() == [2, 3]
    assert compose.placed(picture, 2, 2) is picture


def test_a_grid_fills_row_by_row() -> None:
    pictures = [np.full((2, 3, 3), value, np.uint8) for value in (1, 2, 3)]
    whole = compose.grid(pictures, 2)
    assert whole.shape == (4, 6, 3)
    assert [whole[0, 0, 0], whole[0, 3, 0], whole[2, 0, 0], whole[2, 3, 0]] == [1, 2, 3, 0]


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_what_makes_no_sense_is_refused(bad: float) -> None:
    first, second = random_pair(3)
    with pytest.raises(ValueError, match="opacity"):
        compose.blend(first, second, bad)
    with pytest.raises(ValueError, match="position"):
        compose.wipe(first, second, bad)
    with pytest.raises(ValueError, match="gain"):
        compose.difference(first, second, bad - 1.2)
    with pytest.raises(ValueError, match="cannot be combined"):
        compose.blend(first, second[:4], 0.5)
    with pytest.raises(ValueError, match="at least one"):
        compose.grid([], 2)
