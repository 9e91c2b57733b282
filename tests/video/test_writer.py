from __future__ import annotations

import logging
import sys
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from carl_core.errors import ExportError
from carl_core.video.audio import read_audio
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from carl_core.video.writer import VideoWriter
from tests.helpers.videos import CORNERS, draw_frame, read_number
from tests.video.conftest import odd_path

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (320, 240)


def write_numbers(path: Path, frames: int = 20, **options: object) -> str:
    with VideoWriter(path, size=SIZE, rate=25, **options) as writer:  # type: ignore[arg-type]
        for number in range(frames):
            writer.write(draw_frame(number, SIZE))
        return writer.codec_name


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".m4v"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    assert write_numbers(path) == "libx264"
    recording = open_recording(path)
    assert recording.info.codec == "h264"
    assert recording.info.colour == "bt709 limited"
    assert recording.info.duration_s == pytest.approx(0.8)
    with FrameReader(recording) as reader:
        shown = list(reader.frames_at(range(20)))
    assert [read_number(frame.pixels) for frame in shown] == list(range(20))
    np.testing.assert_allclose(shown[0].pixels[10, 20], CORNERS["red"], atol=6)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_fractional_rates_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, size=SIZE, rate=Fraction(30000, 1001)) as writer:
        for number in range(31):
            writer.write(draw_frame(number, SIZE))
    index = open_recording(path).index
    assert index.time_of(30) == pytest.approx(30 * 1001 / 30000, abs=1e-9)


def test_the_index_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    write_numbers(path)
    content = path.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")


def test_sound_stays_in_step(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    rate = 44100
    samples = np.zeros((rate * 2, 2), np.float32)
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate // 20) / rate)
    samples[rate : rate + len(tone)] = tone[:, None]
    with VideoWriter(path, size=SIZE, rate=25, audio_rate=rate) as writer:
        for number in range(50):
            writer.write(draw_frame(number, SIZE))
            writer.write_audio(samples[number * 1764 : (number + 1) * 1764])
    recording = open_recording(path)
    assert recording.info.audio == "aac"
    heard = read_audio(recording, rate=rate)
    assert heard is not None
    assert np.flatnonzero(np.abs(heard[:, 0]) > 0.1)[0] / rate == pytest.approx(1, abs=0.003)
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("codecs", [("no-such-encoder", "mpeg4"), ("h264_nvenc", "mpeg4")])
def test_another_encoder_is_used_where_one_is_missing(
    tmp_path: Path, codecs: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    if codecs[0] == "h264_nvenc":
        try:
            write_numbers(tmp_path / "probe.mp4", codecs=codecs[:1])
        except ExportError:
            pass
        else:
            pytest.skip("this machine has an NVIDIA encoder")
    path = tmp_path / "out.mp4"
    with caplog.at_level(logging.WARNING):
        assert write_numbers(path, codecs=codecs) == "mpeg4"
    assert codecs[0] in caplog.text
    recording = open_recording(path)
    assert recording.info.codec == "mpeg4"
    with FrameReader(recording) as reader:
        assert [read_number(f.pixels) for f in reader.frames_at(range(20))] == list(range(20))


def test_no_encoder_at_all_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"out.mp4 was not written: none of .* nope works"):
        VideoWriter(tmp_path / "out.mp4", size=SIZE, rate=25, codecs=("nope",))
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="No such file or directory"):
        write_numbers(tmp_path / "no" / "out.mp4")


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="Not a directory"):
        write_numbers(tmp_path / "file" / "out.mp4")


def test_no_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", "out.mp4")

    monkeypatch.setattr(av, "open", denied)
    with pytest.raises(ExportError, match="Permission denied"):
        write_numbers(tmp_path / "out.mp4")


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file size there")
def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "out.mp4"
    path.write_bytes(b"what was there before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(ExportError, match="was not written: File too large"):
            write_numbers(path, frames=300)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"what was there before"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_an_error_inside_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "out.mp4", size=SIZE, rate=25) as writer:
            writer.write(draw_frame(0, SIZE))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert not list(tmp_path.iterdir())


def test_no_frame_is_no_video(tmp_path: Path) -> None:
    with (
        pytest.raises(ExportError, match="no frame"),
        VideoWriter(tmp_path / "out.mp4", size=SIZE, rate=25),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"\.mp4, .*, not \.xyz"):
        VideoWriter(tmp_path / "out.xyz", size=SIZE, rate=25)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="paths are text there")
def test_paths_that_are_no_text(tmp_path: Path) -> None:
    path = odd_path(tmp_path)
    write_numbers(path)
    assert len(open_recording(path).index) == 20
    assert len(list(tmp_path.iterdir())) == 1


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        VideoWriter(tmp_path / "out.mp4", size=(321, 240), rate=25)
    with pytest.raises(ValueError, match="rate"):
        VideoWriter(tmp_path / "out.mp4", size=SIZE, rate=0)
    with VideoWriter(tmp_path / "out.mp4", size=SIZE, rate=25) as writer:
        with pytest.raises(ValueError, match="expected uint8"):
            writer.write(np.zeros((10, 10, 3), np.uint8))
        with pytest.raises(ValueError, match="audio_rate"):
            writer.write_audio(np.zeros((10, 2), np.float32))
        writer.write(draw_frame(0, SIZE))
    with pytest.raises(ValueError, match="closed"):
        writer.write(draw_frame(0, SIZE))
