"""Which frames are embedded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.encoder.sampling import (
    FEWEST_SAMPLES,
    normal_sampling,
    sampled_frames,
    sampling_of,
    usual_rate,
)
from carl_core.timebase import FrameIndex
from tests.helpers.encoders import tiny_spec

if TYPE_CHECKING:
    import numpy.typing as npt


def index_of(pts: npt.ArrayLike) -> FrameIndex:
    ticks = np.asarray(pts)
    return FrameIndex(ticks, int(ticks[-1]) + 1, np.ones(len(ticks), bool), Fraction(1, 1000))


def test_the_nearest_frame_to_each_instant_is_taken() -> None:
    index = index_of([0, 40, 90, 120, 160, 195, 240])
    assert sampled_frames(index, "10/1").tolist() == [0, 2, 5]  # 0, 100 and 200 ms
    assert sampled_frames(index, "25/1").tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert sampled_frames(index, "native").tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert sampled_frames(index_of([7]), "10/1").tolist() == [0]


@given(
    st.lists(st.integers(1, 3000), min_size=0, max_size=40),
    st.sampled_from(["10/1", "1/2", "30000/1001", "60/1", "500/1"]),
)
def test_sampling_is_nearest_and_never_above_native(steps: list[int], sampling: str) -> None:
    index = index_of(np.cumsum([0, *steps]))
    rate = Fraction(sampling)
    count = int(np.floor(index.times_s[-1] * float(rate) + 1e-6)) + 1
    nearest = index.nearest_frames(np.arange(count) * rate.denominator / rate.numerator)
    frames = sampled_frames(index, sampling)
    assert frames.tolist() == sorted(set(nearest.tolist()))


def test_key_frames_are_the_first_of_equal_parts() -> None:
    ticks = np.arange(0, 4_000_000, 40)  # 4,000 s
    is_key = np.zeros(len(ticks), bool)
    index = FrameIndex(ticks, int(ticks[-1]) + 40, is_key, Fraction(1, 1000))
    assert sampled_frames(index, "keys").tolist() == [0]
    far = replace(index, is_key=np.arange(len(ticks)) % 250 == 30)  # one in 10 s
    assert sampled_frames(far, "keys").tolist() == np.flatnonzero(far.is_key).tolist()
    near = sampled_frames(replace(index, is_key=~is_key), "keys")
    assert len(near) == 1000
    assert set(np.diff(near)) == {100}
    brief = index_of(np.arange(0, 3000, 40))
    assert sampled_frames(brief, "keys").tolist() == [0, 13, 25, 38, 50, 63]


def test_samplings_have_one_spelling() -> None:
    assert normal_sampling("20/2") == "10/1"
    assert normal_sampling("12.5") == "25/2"
    assert normal_sampling("29.97") == "2997/100"
    assert normal_sampling("native") == "native"
    assert normal_sampling("keys") == "keys"
    for wrong in ("fast", "0", "-3", "1/0", ""):
        with pytest.raises(ValueError, match="sampling"):
            normal_sampling(wrong)


def test_a_long_recording_is_sampled_at_the_rate_of_the_encoder() -> None:
    assert usual_rate(6.3, 10.0) == 10
    assert usual_rate(3600.0, 30000 / 1001) == Fraction(30000, 1001)
    assert usual_rate(0.0, 10.0) == 10  # one frame


@given(st.floats(1e-3, 6.2), st.floats(1.0, 10.0))
def test_a_short_recording_gives_as_many_samples_as_a_window(length_s: float, fps: float) -> None:
    rate = usual_rate(length_s, fps)
    assert length_s * rate + 1 >= FEWEST_SAMPLES - 1e-6
    assert rate == np.ceil(fps) or (rate - 1) * length_s + 1 < FEWEST_SAMPLES + 1e-6


def test_a_short_recording_at_250_frames_a_second_keeps_its_moments() -> None:
    swing = index_of(4 * np.arange(300))  # 1.2 s
    spec = tiny_spec()
    chosen = sampled_frames(swing, sampling_of(swing, None, spec))
    assert FEWEST_SAMPLES <= len(chosen) <= FEWEST_SAMPLES + 1
    assert sampled_frames(swing, sampling_of(swing, "10", spec)).tolist()[:3] == [0, 25, 50]
    slow = index_of(200 * np.arange(7))  # 1.2 s at five frames a second: every frame once
    assert sampled_frames(slow, sampling_of(slow, None, spec)).tolist() == list(range(7))
