from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.errors import Cancelled, MediaError
from carl_core.progress import Monitor
from carl_core.video import loudness
from carl_core.video.loudness import SOUND_RATE, levels_of, read_loudness
from carl_core.video.recording import open_recording
from carl_core.video.soundtrack import Soundtrack
from tests.helpers.sounds import make_sound_video, scene_sound

if TYPE_CHECKING:
    from pathlib import Path


def test_levels_rise_where_it_becomes_loud() -> None:
    samples = np.zeros(SOUND_RATE, dtype=np.float32)
    samples[SOUND_RATE // 2 :] = 0.5 * np.sin(np.arange(SOUND_RATE // 2) * 2 * np.pi * 1250 / 8000)
    levels = levels_of(samples)
    assert levels.shape == (197, 6)
    assert (levels[:96] == levels[0]).all()
    assert levels[105].argmax() == 3  # 1050 to 1650 Hz
    assert levels[105, 3] > levels[0, 3] + 10


def test_levels_of_less_than_a_window_are_none() -> None:
    assert levels_of(np.zeros(159, dtype=np.float32)).shape == (0, 6)


def test_loudness_is_the_same_in_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_sound_video(tmp_path / "a.mp4", scene_sound(4, 48000))
    recording = open_recording(path)
    whole = read_loudness(recording)
    monkeypatch.setattr(loudness, "_BLOCK", SOUND_RATE)
    parts = read_loudness(recording)
    assert whole is not None
    assert parts is not None
    assert len(whole.levels) == 797
    np.testing.assert_array_equal(parts.levels, whole.levels)
    from_wave = levels_of(Soundtrack(recording).wave(0, 4))
    np.testing.assert_allclose(whole.levels, from_wave, atol=0.05)
    assert not whole.is_silent


def test_what_lies_outside_the_recording_is_silent(tmp_path: Path) -> None:
    path = make_sound_video(tmp_path / "a.mp4", scene_sound(4, 48000))
    sound = Soundtrack(open_recording(path))
    around = sound.wave(-1, 6)
    assert around.shape == (7 * SOUND_RATE,)
    assert not around[:SOUND_RATE].any()
    assert not around[5 * SOUND_RATE :].any()
    np.testing.assert_allclose(around[SOUND_RATE : 2 * SOUND_RATE], sound.wave(0, 1), atol=1e-3)
    assert not sound.wave(9, 10).any()


def test_a_digitally_silent_track_is_silent(tmp_path: Path) -> None:
    path = make_sound_video(tmp_path / "a.mp4", np.zeros(96000, np.float32), seconds=2)
    sound = Soundtrack(open_recording(path))
    assert sound.has_sound
    assert sound.loudness().is_silent


def test_a_file_without_sound_has_none(tmp_path: Path) -> None:
    sound = Soundtrack(open_recording(make_sound_video(tmp_path / "a.mp4", None, seconds=1)))
    assert not sound.has_sound
    with pytest.raises(MediaError, match="Nothing of the sound"):
        sound.loudness()


def test_listening_can_be_cancelled(tmp_path: Path) -> None:
    recording = open_recording(
        make_sound_video(tmp_path / "a.mp4", scene_sound(1, 48000), seconds=1)
    )
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        read_loudness(recording, monitor=monitor)
