from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.errors import UnreadableMediaError
from carl_core.video.audio import read_audio
from carl_core.video.recording import open_recording
from tests.helpers.videos import make_video, remux

if TYPE_CHECKING:
    from pathlib import Path

    from tests.video.conftest import MakeKind


def onsets_s(samples: np.ndarray, rate: int) -> list[float]:
    """Times at which it becomes loud after a quarter second of silence."""
    loud = np.flatnonzero(np.abs(samples[:, 0]) > 0.2)
    first = [loud[0], *loud[1:][np.diff(loud) > rate // 4]] if len(loud) else []
    return [float(place / rate) for place in first]


@pytest.mark.parametrize("rate", [48000, 16000, 44100])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_lies_in_recording_time(kind: MakeKind, rate: int, channels: int) -> None:
    recording = open_recording(kind("sound.mp4"))
    samples = read_audio(recording, rate=rate, channels=channels)
    assert samples is not None
    assert samples.dtype == np.float32
    assert samples.shape == (round(recording.info.duration_s * rate), channels)
    np.testing.assert_allclose(onsets_s(samples, rate), [0, 1, 2], atol=0.002)


def test_late_sound_is_preceded_by_silence(kind: MakeKind) -> None:
    samples = read_audio(open_recording(kind("late_sound.mkv")))
    assert samples is not None
    np.testing.assert_allclose(onsets_s(samples, 48000), [0.5, 1.5], atol=0.003)
    assert np.abs(samples[: 48000 * 49 // 100]).max() < 0.01


def test_a_part_is_the_part_of_the_whole(kind: MakeKind) -> None:
    recording = open_recording(kind("sound.mp4"))
    whole = read_audio(recording)
    part = read_audio(recording, start_s=0.9, end_s=1.7)
    assert whole is not None
    assert part is not None
    assert len(part) == 38400
    np.testing.assert_allclose(part, whole[43200:81600], atol=1e-3)


def test_outside_the_recording_is_silence(kind: MakeKind) -> None:
    samples = read_audio(open_recording(kind("sound.mp4")), start_s=-0.5, end_s=4.0)
    assert samples is not None
    assert len(samples) == 4.5 * 48000
    assert np.abs(samples[:23000]).max() < 0.01
    np.testing.assert_allclose(onsets_s(samples, 48000), [0.5, 1.5, 2.5], atol=0.002)
    assert np.abs(samples[-48000:]).max() < 0.01


def test_time_zero_is_the_first_frame_where_video_begins_late(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "late_video.mkv", pts=range(10, 60), frames=0, audio_rate=48000
    )  # the first frame is shown 0.4 s into the file, and the sound begins at 0
    recording = open_recording(path)
    samples = read_audio(recording)
    assert samples is not None
    assert recording.info.duration_s == pytest.approx(2)
    np.testing.assert_allclose(onsets_s(samples, 48000), [0.6], atol=0.003)
    by_path = read_audio(path, end_s=2.0)
    np.testing.assert_array_equal(by_path, samples)


def test_a_path_alone_gives_all_of_it(kind: MakeKind) -> None:
    samples = read_audio(kind("sound.mp4"))
    assert samples is not None
    assert len(samples) == pytest.approx(2.4 * 48000, abs=2000)


def test_without_sound_there_is_none(kind: MakeKind) -> None:
    assert read_audio(open_recording(kind("constant.mp4"))) is None


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError):
        read_audio(tmp_path / "no.mp4")


def test_other_channel_counts_are_refused(kind: MakeKind) -> None:
    with pytest.raises(ValueError, match="channels must be 1 or 2"):
        read_audio(kind("sound.mp4"), channels=6)


def test_sound_follows_an_edit_list(kind: MakeKind, tmp_path: Path) -> None:
    path = remux(
        kind("constant.mp4"),
        tmp_path / "cut.mp4",
        shift=-5 * 512,
        container_options={"avoid_negative_ts": "disabled"},
    )
    assert read_audio(open_recording(path)) is None
    assert len(open_recording(path).index) == 25


@pytest.mark.shared
@pytest.mark.parametrize("name", ["video_with_failing_audio.mp4", "sample_missing_stsd.mp4"])
def test_failing_sound_never_sinks_the_video(
    shared_data: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    recording = open_recording(shared_data / "decoder" / name)
    samples = read_audio(recording)
    assert samples is None or np.isfinite(samples).all()
    assert len(recording.index) in (280, 30)
    assert capfd.readouterr() == ("", "")
