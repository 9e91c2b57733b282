from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.alignment.sound import (
    Peak,
    agreed,
    fast_length,
    find_peaks,
    match_loudness,
    match_waves,
    vertex,
)
from carl_core.errors import Cancelled
from carl_core.progress import Monitor
from carl_core.video.loudness import BANDS, SOUND_RATE, Loudness, levels_of
from tests.helpers.sounds import scene_sound, with_noise

if TYPE_CHECKING:
    from carl_core.arrays import Float32


@dataclass
class Heard:
    """Sound from an array; counts the longest stretch that was asked for."""

    samples: Float32
    longest_s: float = 0.0

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SOUND_RATE

    def wave(self, start_s: float, end_s: float) -> Float32:
        self.longest_s = max(self.longest_s, end_s - start_s)
        count, first = round((end_s - start_s) * SOUND_RATE), round(start_s * SOUND_RATE)
        padded = np.zeros(count, dtype=np.float32)
        low, high = max(0, first), min(len(self.samples), first + count)
        if low < high:
            padded[low - first : high - first] = self.samples[low:high]
        return padded

    def loudness(self, monitor: Monitor | None = None) -> Loudness:
        return Loudness(levels_of(self.samples))


def two_cameras(shift_s: float, snr_db: float = 20.0, seconds: float = 8.0) -> tuple[Heard, Heard]:
    """The other begins ``shift_s`` later than the reference, each with noise of its own."""
    whole = scene_sound(seconds + shift_s, SOUND_RATE)
    ours = with_noise(whole[: round(seconds * SOUND_RATE)], snr_db, 1)
    theirs = with_noise(whole[round(shift_s * SOUND_RATE) :], snr_db, 2)
    return Heard(ours), Heard(theirs)


@pytest.mark.parametrize("snr_db", [20.0, 0.0])
def test_the_waveform_gives_the_shift_to_a_millisecond_in_noise(snr_db: float) -> None:
    found = match_waves(*two_cameras(2.137, snr_db))
    assert found is not None
    assert found.offset_s == pytest.approx(-2.137, abs=1e-3)
    assert found.ratio > 2
    assert found.rate == 1.0


def test_exchanging_the_recordings_exchanges_the_sign() -> None:
    ours, theirs = two_cameras(1.5)
    shorter = Heard(theirs.samples[: 5 * SOUND_RATE])
    forth, back = match_waves(ours, shorter), match_waves(shorter, ours)
    assert forth is not None
    assert back is not None
    assert forth.offset_s == pytest.approx(-1.5, abs=1e-3)
    assert back.offset_s == pytest.approx(1.5, abs=1e-3)


def test_loudness_gives_the_shift_to_a_few_milliseconds() -> None:
    ours, theirs = two_cameras(2.137)
    found = match_loudness(ours.loudness(), theirs.loudness())
    assert found is not None
    assert found.offset_s == pytest.approx(-2.137, abs=5e-3)
    assert not found.is_wave


@pytest.mark.parametrize("seed", range(4))
def test_unrelated_sounds_have_no_outstanding_shift(seed: int) -> None:
    ours = Heard(with_noise(scene_sound(8, SOUND_RATE, 10 + seed), 20, 1))
    theirs = Heard(with_noise(scene_sound(7, SOUND_RATE, 20 + seed), 20, 2))
    waves = match_waves(ours, theirs)
    loudness = match_loudness(ours.loudness(), theirs.loudness())
    assert waves is not None
    assert waves.ratio < 1.7
    assert loudness is not None
    assert loudness.ratio < 2.5


def test_a_regular_beat_has_no_outstanding_shift() -> None:
    beat = np.tile(scene_sound(0.5, SOUND_RATE), 20)
    found = match_waves(Heard(beat), Heard(beat[1234 : 6 * SOUND_RATE]))
    assert found is not None
    assert found.ratio < 1.7


def test_silence_matches_nothing() -> None:
    ours, _ = two_cameras(1.0)
    silence = Heard(np.zeros_like(ours.samples))
    for pair in ((ours, silence), (silence, ours)):
        assert match_waves(*pair) is None
        assert match_loudness(pair[0].loudness(), pair[1].loudness()) is None


def test_two_seconds_at_least_are_needed() -> None:
    ours, _ = two_cameras(1.0)
    short = Heard(ours.samples[: round(1.9 * SOUND_RATE)])
    assert match_waves(ours, short) is None
    assert match_loudness(ours.loudness(), short.loudness()) is None


def test_a_long_recording_is_read_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carl_core.alignment.sound._BLOCK_S", 6.0)
    monkeypatch.setattr("carl_core.alignment.sound._EXCERPT_S", 3.0)
    ours, theirs = two_cameras(7.25, seconds=30.0)
    short = Heard(theirs.samples[: 9 * SOUND_RATE])
    peaks = find_peaks(short, ours)
    assert len(peaks) == 3
    np.testing.assert_allclose([peak.shift_s for peak in peaks], 7.25, atol=1e-3)
    assert ours.longest_s <= 9.0 + 1e-9
    found = agreed(peaks)
    assert found.support == 3
    assert found.ratio == pytest.approx(np.prod([peak.ratio for peak in peaks]))


def test_excerpts_that_disagree_do_not_support_each_other() -> None:
    peaks = [Peak(15, 2.0, 1.5, 0.4), Peak(45, 2.001, 1.5, 0.4), Peak(75, 9.0, 1.6, 0.4)]
    found = agreed(peaks)
    assert found.support == 2
    assert found.ratio == pytest.approx(2.25)
    assert found.offset_s == pytest.approx(2.0005)


def test_clear_drift_becomes_a_rate() -> None:
    centres = np.linspace(15, 3585, 12)
    peaks = [Peak(c, 2.0 + 50e-6 * c, 3.0, 0.5) for c in centres.tolist()]
    found = agreed(peaks)
    assert found.support == 12
    assert found.drift_ppm == pytest.approx(50, abs=0.01)
    assert found.offset_s == pytest.approx(2.0, abs=1e-6)
    turned = found.inverse()
    assert turned.rate * (found.rate * 7.0 + found.offset_s) + turned.offset_s == pytest.approx(7.0)


def test_excerpts_far_from_the_line_do_not_bend_it() -> None:
    centres = np.linspace(15, 1185, 10).tolist()
    peaks = [Peak(c, 2.0 - 50e-6 * c, 3.0, 0.5) for c in centres]
    peaks[7] = Peak(centres[7], 2.08, 1.4, 0.1)
    found = agreed(peaks)
    assert found.support == 9
    assert found.drift_ppm == pytest.approx(-50, abs=0.01)


def test_scatter_is_no_drift() -> None:
    shifts = [2.0, 2.002, 1.999, 2.001, 1.998, 2.003]
    peaks = [Peak(30.0 * n, shift, 3.0, 0.5) for n, shift in enumerate(shifts)]
    found = agreed(peaks)
    assert found.rate == 1.0
    assert found.offset_s == pytest.approx(2.0005, abs=1e-4)


def test_comparing_can_be_cancelled() -> None:
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        match_waves(*two_cameras(1.0), monitor=monitor)


def test_loudness_checks_its_shape() -> None:
    with pytest.raises(ValueError, match="levels must be"):
        Loudness(np.zeros((10, BANDS + 1), np.float16))


def test_a_parabola_finds_its_vertex() -> None:
    at = np.arange(7.0)
    assert vertex(-np.square(at - 3.3), 3) == pytest.approx(0.3)
    assert vertex(at, 6) == 0.0
    assert vertex(np.ones(3), 1) == 0.0


@pytest.mark.parametrize("least", [1, 2, 7, 1000, 2_700_001])
def test_fast_lengths_are_long_enough_and_little_longer(least: int) -> None:
    assert least <= fast_length(least) <= 1.25 * least + 1
