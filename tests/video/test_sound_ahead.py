from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.video.recording import open_recording
from carl_core.video.sound_ahead import CHUNK, SoundAhead, audio_chunks
from tests.helpers.sounds import make_sound_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RATE = 48000
CLICKS_S = (0.25, 1.0, 2.2, 3.7, 5.03, 6.5)


def clicks(seconds: float, begins_s: float = 0.0) -> np.ndarray:
    """Bursts at CLICKS_S of recording time, in a sound that begins at ``begins_s`` of it."""
    wave = np.zeros(round(seconds * RATE), np.float32)
    for at_s in CLICKS_S:
        first = round((at_s - begins_s) * RATE)
        if 0 <= first < len(wave) - 240:
            burst = 0.9 * np.sin(2 * np.pi * 4000 * np.arange(240) / RATE)
            wave[first : first + 240] = burst
    return wave


def wait_until(is_true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < until, "the sound did not come"
        time.sleep(0.002)


def onset_s(sound: SoundAhead, near_s: float, seek_s: float) -> float:
    """Seek, then say when it becomes loud within a tenth around ``near_s``."""
    first, count = round((near_s - 0.1) * RATE), round(0.2 * RATE)
    sound.want(round(seek_s * RATE))
    wait_until(lambda: sound.has(first, count))
    heard = np.empty((count, 2), np.float32)
    sound.copy(first, heard)
    loud = np.flatnonzero(np.abs(heard[:, 0]) > 0.25)
    assert len(loud), f"nothing is heard at {near_s} s"
    return float(first + loud[0]) / RATE


@pytest.mark.parametrize(
    ("name", "codec", "start_s", "late_s"),
    [
        ("plain.mp4", "aac", 0.0, 0.0),
        ("plain.mkv", "pcm_s16le", 0.0, 0.0),
        ("late.mp4", "aac", 0.0, 0.6),
        ("late.mkv", "pcm_s16le", 0.0, 0.6),
        ("early.mkv", "pcm_s16le", 1.0, -0.7),
        ("early.mp4", "aac", 1.0, -0.7),
        ("mp3.mkv", "libmp3lame", 0.0, 0.0),
    ],
)
def test_a_click_lies_where_it_was_made(
    tmp_path: Path, name: str, codec: str, start_s: float, late_s: float
) -> None:
    recording = open_recording(
        make_sound_video(
            tmp_path / name,
            clicks(8.0 - late_s, late_s),
            seconds=8.0,
            codec=codec,
            channels=2,
            start_s=start_s,
            sound_late_s=late_s,
        )
    )
    with closing(SoundAhead(recording)) as sound:
        # Forwards, backwards, far away, and from before its chunk.
        for near_s, seek_s in [(1.0, 1.0), (5.03, 5.0), (2.2, 2.2), (6.5, 6.4), (1.0, 0.5)]:
            assert onset_s(sound, near_s, seek_s) == pytest.approx(near_s, abs=0.001)


def test_chunks_from_anywhere_are_the_same(tmp_path: Path) -> None:
    # Matroska rounds times to milliseconds; QuickTime does not.
    path = make_sound_video(tmp_path / "a.mov", clicks(6.0), seconds=6.0, codec="pcm_s16le")
    recording = open_recording(path)
    whole = list(audio_chunks(recording, 0))
    assert len(whole) == -(-6 * RATE // CHUNK)
    for first in (1, 7, len(whole) - 1):
        for chunk, same in zip(audio_chunks(recording, first), whole[first:], strict=True):
            np.testing.assert_allclose(chunk, same, atol=1e-4)
    assert list(audio_chunks(recording, 100)) == []


def test_before_and_after_the_sound_is_silence_that_is_there(tmp_path: Path) -> None:
    path = make_sound_video(tmp_path / "a.mp4", clicks(1.0), seconds=4.0)
    with closing(SoundAhead(open_recording(path))) as sound:
        sound.want(3 * RATE)
        wait_until(lambda: sound.has(3 * RATE, RATE // 2))
        out = np.ones((RATE // 2, 2), np.float32)
        sound.copy(3 * RATE, out)
        assert not out.any()
        sound.want(0)
        wait_until(lambda: sound.has(-100, 1000))
        out = np.ones((50, 2), np.float32)
        sound.copy(-100, out)
        assert not out.any()


def test_memory_is_bounded_and_what_is_wanted_comes_first(tmp_path: Path) -> None:
    path = make_sound_video(tmp_path / "a.mkv", clicks(30.0), seconds=30.0, codec="pcm_s16le")
    with closing(SoundAhead(open_recording(path))) as sound:
        for at_s in (0, 20, 3, 25):
            sound.want(at_s * RATE)
            wait_until(lambda at_s=at_s: sound.has(at_s * RATE, 4 * CHUNK))
        assert not sound.has(0, CHUNK)
        assert not sound.has(20 * RATE, 100)


def test_the_place_jumped_to_next_is_kept_ready(tmp_path: Path) -> None:
    path = make_sound_video(tmp_path / "a.mkv", clicks(30.0), seconds=30.0, codec="pcm_s16le")
    with closing(SoundAhead(open_recording(path))) as sound:
        for at_s in (20, 22, 24):
            sound.want(at_s * RATE, 2 * RATE)
            wait_until(lambda at_s=at_s: sound.has(at_s * RATE, 4 * CHUNK))
            wait_until(lambda: sound.has(2 * RATE, 2 * CHUNK))
        sound.want(24 * RATE)
        sound.want(25 * RATE)
        wait_until(lambda: sound.has(25 * RATE, 5 * CHUNK))
        assert not sound.has(2 * RATE, CHUNK)


def test_a_recording_without_sound_is_silent_throughout(tmp_path: Path) -> None:
    path = make_sound_video(tmp_path / "a.mp4", None, seconds=1.0)
    with closing(SoundAhead(open_recording(path))) as sound:
        wait_until(lambda: sound.has(0, RATE))
        assert sound.failure is None


def test_a_file_that_goes_away_is_a_failure_not_a_fault(tmp_path: Path) -> None:
    path = make_sound_video(tmp_path / "a.mp4", clicks(1.0), seconds=1.0)
    recording = open_recording(path)
    path.unlink()
    with closing(SoundAhead(recording)) as sound:
        wait_until(lambda: sound.has(0, RATE))
        assert "does not exist" in str(sound.failure)
