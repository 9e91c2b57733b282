from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carl_core.playback.stretch import SEGMENT_S, TimeStretcher, stretch

RATE = 48000


def tone(hz: float, seconds: float, *, channels: int = 2) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    wave = (0.5 * np.sin(2 * np.pi * hz * times)).astype(np.float32)
    return np.repeat(wave[:, None], channels, axis=1)


def stretcher_of(samples: np.ndarray) -> TimeStretcher:
    around = RATE  # samples of silence on either side
    padded = np.pad(samples, ((around, around), (0, 0)))

    def fill(first: int, out: np.ndarray) -> None:
        out[:] = padded[around + first : around + first + len(out)]

    return TimeStretcher(fill, rate=RATE, channels=samples.shape[1])


def strongest_hz(samples: np.ndarray) -> float:
    window = np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(samples[:, 0] * window, 8 * len(samples)))
    return float(np.argmax(spectrum) * RATE / (8 * len(samples)))


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
@pytest.mark.parametrize("hz", [82.4, 440.0, 3000.0])
def test_pitch_is_kept_and_length_is_not(speed: float, hz: float) -> None:
    samples = tone(hz, 2.0)
    made = stretch(samples, speed, rate=RATE)
    assert made.dtype == np.float32
    assert len(made) == pytest.approx(len(samples) / speed, abs=SEGMENT_S * RATE)
    middle = made[len(made) // 8 : -len(made) // 8]
    assert strongest_hz(middle) == pytest.approx(hz, rel=0.01)
    # Nothing is lost where pieces are joined: it stays about as loud as it was.
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(np.sqrt(0.125), rel=0.05)


def test_normal_speed_is_the_sound_itself() -> None:
    samples = np.random.default_rng(0).normal(size=(RATE, 2)).astype(np.float32)
    np.testing.assert_array_equal(stretch(samples, 1.0, rate=RATE), samples)


def test_channels_stay_together() -> None:
    samples = tone(440, 1.0)
    samples[:, 1] *= -0.5
    made = stretch(samples, 1.4, rate=RATE)
    np.testing.assert_allclose(made[:, 1], -0.5 * made[:, 0], atol=1e-6)


def test_no_click_where_speed_changes() -> None:
    samples = tone(440, 12.0)
    highest_step = float(np.abs(np.diff(samples[:, 0])).max())
    reader = stretcher_of(samples)
    pieces = []
    for k, speed in enumerate([1.0, 0.5, 2.0, 1.3, 1.0, 0.77, 1.9, 1.0]):
        piece = np.empty((RATE // 3 + 17 * k, 2), dtype=np.float32)
        reader.read(piece, speed)
        pieces.append(piece)
    made = np.concatenate(pieces)
    assert np.abs(np.diff(made[:, 0])).max() < 2 * highest_step


def test_no_click_at_a_jump() -> None:
    samples = tone(440, 8.0)
    reader = stretcher_of(samples)
    before, after = np.empty((5000, 2), np.float32), np.empty((5000, 2), np.float32)
    reader.read(before, 1.0)
    reader.jump(3.3 * RATE)
    reader.read(after, 1.0)
    made = np.concatenate([before, after])
    assert np.abs(np.diff(made[:, 0])).max() < 2 * np.abs(np.diff(samples[:, 0])).max()
    assert reader.due == pytest.approx(3.3 * RATE + 5000)
    assert abs(reader.position - reader.due) < 0.02 * RATE


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0.5, 2.0), st.integers(1, 4000)), min_size=1, max_size=20))
def test_what_is_heard_keeps_near_what_is_due(pieces: list[tuple[float, int]]) -> None:
    samples = np.random.default_rng(1).normal(size=(200_000, 1)).astype(np.float32)
    reader = stretcher_of(samples)
    reader.start(1000.0)
    read, asked = 0, 1000.0
    for speed, count in pieces:
        reader.read(np.empty((count, 1), np.float32), speed)
        read += count
        asked += count * speed
        # 10 ms of reach, and what half a segment at twice the speed moves.
        assert abs(reader.position - reader.due) <= 0.0201 * RATE
        # Speed changes at the next segment, not inside one.
        assert abs(reader.due - asked) <= len(pieces) * 1.5 * SEGMENT_S * RATE


def test_speeds_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="speed must be within"):
        stretch(tone(440, 0.1), 3.0, rate=RATE)


def test_bad_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="samples a second"):
        TimeStretcher(lambda first, out: None, rate=0)
