from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from carl_core.errors import MediaError, NoVideoStreamError, UnreadableMediaError
from carl_core.video.image import write_jpeg, write_png
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import draw_frame, make_video, read_number
from tests.video.conftest import MakeKind, odd_path


def refused(path: Path, error: type[MediaError], *parts: str) -> str:
    with pytest.raises(error) as caught:
        open_recording(path)
    message = str(caught.value)
    assert type(caught.value) is error
    assert caught.value.path == path
    assert "\n" not in message
    assert message.endswith(".")
    message.encode("utf-8")
    for part in parts:
        assert part in message
    return message


def test_missing(tmp_path: Path) -> None:
    refused(tmp_path / "no.mp4", UnreadableMediaError, "no.mp4 does not exist", "Check the path")


def test_folder(tmp_path: Path) -> None:
    refused(tmp_path, UnreadableMediaError, "is a folder")


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    refused(path, UnreadableMediaError, "empty (0 bytes)")


@pytest.mark.parametrize("name", ["words.mp4", "words.txt", "words.md", "words"])
def test_text(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_text("These are words, not pictures.\n" * 200)
    refused(path, UnreadableMediaError, name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [1, 100, 4096, 300_000])
def test_noise(tmp_path: Path, size: int, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(np.random.default_rng(size).bytes(size))
    with pytest.raises(MediaError):
        open_recording(path)
    assert capfd.readouterr() == ("", "")


def test_an_mp4_cut_off_before_its_index(kind: MakeKind, tmp_path: Path) -> None:
    content = kind("b_pyramid.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: len(content) // 2])
    refused(path, UnreadableMediaError, "cut off")


def test_header_without_content(kind: MakeKind, tmp_path: Path) -> None:
    content = kind("no_b_frames.mkv").read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(content[:600])
    with pytest.raises(MediaError):
        open_recording(path)


def test_sound_only(tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        frame.pts = 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    refused(path, NoVideoStreamError, "holds sound only", "Choose a file with a video stream")


def test_cover_art_is_not_a_video_stream(tmp_path: Path) -> None:
    import av

    picture = tmp_path / "cover.jpg"
    write_jpeg(picture, draw_frame(3))
    path = tmp_path / "song.m4a"
    with av.open(str(picture)) as given, av.open(str(path), "w", format="mp4") as out:
        sound = out.add_stream("aac", rate=48000, layout="mono")
        cover = out.add_stream_from_template(given.streams.video[0])
        cover.disposition = av.stream.Disposition.attached_pic
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = cover
                packet.pts = packet.dts = 0
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        frame.pts = 0
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    refused(path, NoVideoStreamError, "no video")


@pytest.mark.parametrize("name", ["still.png", "still.jpg", "still%03d.png", "still.mp4"])
def test_a_picture_is_not_a_recording(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    (write_jpeg if name.endswith("jpg") else write_png)(path, draw_frame(1))
    refused(path, UnreadableMediaError, "is a picture, not a recording")


def test_corrupt_throughout(kind: MakeKind, tmp_path: Path) -> None:
    content = bytearray(kind("constant.mp4").read_bytes())
    start = content.find(b"mdat") + 4
    stop = content.find(b"moov") - 4
    content[start:stop] = np.random.default_rng(1).bytes(stop - start)
    path = tmp_path / "corrupt.mp4"
    path.write_bytes(content)
    refused(path, UnreadableMediaError, "None of the 30 pictures", "damaged")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", ["constant.mp4", "stream.ts", "vp9.webm", "mpeg4.avi"])
def test_random_damage_never_crashes_and_shows_what_is_indexed(
    kind: MakeKind, tmp_path: Path, name: str, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(kind(name).read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(content), 1 + seed):
        content[place] = int(rng.integers(256))
    path = tmp_path / name
    path.write_bytes(content)
    try:
        recording = open_recording(path)
    except MediaError:
        return
    with FrameReader(recording, size=(64, 48)) as reader:
        shown = [frame.pts for frame in reader.frames_at(range(len(recording.index)))]
    assert shown == recording.index.pts.tolist()
    assert capfd.readouterr() == ("", "")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video(tmp_path / "secret.mp4", frames=2)
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read everything
        monkeypatch.setattr(Path, "open", _denied)
    refused(path, UnreadableMediaError, "may not be read", "permissions")


def _denied(*_: object, **__: object) -> object:
    raise PermissionError(13, "Permission denied")


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in the file system")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    refused(path, UnreadableMediaError, "device or a pipe")


@pytest.mark.parametrize(
    "name", ["größe 测试 🎥.mp4", "a:b.mp4", "-i.mp4", "50% %03d.mp4", "a?b#c.mp4"]
)
def test_paths_of_any_letters(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video(tmp_path / "plain.mp4", frames=3).rename(tmp_path / name)
    assert open_recording(path).name == name
    monkeypatch.chdir(tmp_path)
    recording = open_recording(name)
    with FrameReader(recording, size=(96, 64)) as reader:
        assert read_number(reader.frame_at(2).pixels) == 2


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="paths are text there")
def test_paths_that_are_no_text(tmp_path: Path) -> None:
    path = odd_path(tmp_path)
    make_video(tmp_path / "plain.mp4", frames=20, audio_rate=48000).rename(path)
    recording = open_recording(path)
    assert recording.name == "caf\ufffd \ufffd.mp4"
    recording.name.encode("utf-8")
    assert recording.info.to_json(path)["path"] == f"{tmp_path}/caf\ufffd \ufffd.mp4"
    with FrameReader(recording, size=(96, 64)) as reader:
        for frame in (19, 3, 11):
            assert read_number(reader.frame_at(frame).pixels) == frame
    broken = odd_path(tmp_path).with_suffix(".avi")
    broken.write_bytes(b"words")
    refused(broken, UnreadableMediaError, "caf\ufffd")
