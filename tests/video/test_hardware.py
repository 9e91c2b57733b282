from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.codec.hwaccel import hwdevices_available

from carl_core.errors import UnreadableMediaError
from carl_core.video import hardware
from carl_core.video.container import open_container
from carl_core.video.decoder import FrameDecoder
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import make_video, read_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.video.frame import VideoFrame

    from carl_core.video.container import OpenFile
    from carl_core.video.recording import Recording
    from tests.video.conftest import MakeKind

SIZE = (96, 64)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_chosen", {})
    monkeypatch.delenv(hardware.VARIABLE, raising=False)


class Card:
    """A pretended graphics card: decodes in software, as ``nv12`` frames, and can go wrong."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = 0
        self.change: Callable[[int, VideoFrame], VideoFrame] = lambda _, frame: frame
        monkeypatch.setenv(hardware.VARIABLE, "cuda")
        monkeypatch.setattr(hardware, "hwdevices_available", lambda: ["cuda"])
        monkeypatch.setattr(hardware, "open_on", self.open)
        monkeypatch.setattr("carl_core.video.decoder.open_on", self.open)
        decoded = hardware._decoded

        def pretended(recording: Recording, device: str | None, start: int) -> Iterator[VideoFrame]:
            for number, frame in enumerate(decoded(recording, None, start)):
                if device is None:
                    yield frame
                else:
                    pts = frame.pts
                    made = self.change(start + number, frame.reformat(format="nv12"))
                    made.pts = pts
                    yield made

        monkeypatch.setattr(hardware, "_decoded", pretended)

    def open(self, path: Path, device: str) -> OpenFile:
        assert device == "cuda"
        self.opened += 1
        return open_container(path)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(monkeypatch)


def test_software_is_used_unless_asked_otherwise(
    kind: MakeKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "open_on", lambda *_: pytest.fail("opened a device"))
    recording = open_recording(kind("constant.mp4"))
    assert hardware.device_for(recording) is None
    monkeypatch.setenv(hardware.VARIABLE, "off")
    assert hardware.device_for(recording) is None


@pytest.mark.parametrize("asked", [*hwdevices_available(), "auto", "no such device"])
def test_frames_are_right_whether_or_not_there_is_a_device(
    kind: MakeKind, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv(hardware.VARIABLE, asked)
    recording = open_recording(kind("b_pyramid.mp4"))
    with FrameReader(recording, size=SIZE) as reader:
        for frame in (0, 59, 31, 30, 7):
            assert read_number(reader.frame_at(frame).pixels) == frame


def test_a_device_that_is_not_there_raises_when_opened(kind: MakeKind) -> None:
    if "cuda" not in hwdevices_available() or hardware_is_here("cuda", kind("constant.mp4")):
        pytest.skip("FFmpeg knows no CUDA here, or there is a card")
    with pytest.raises(UnreadableMediaError):
        hardware.open_on(kind("constant.mp4"), "cuda")


def hardware_is_here(device: str, path: Path) -> bool:
    try:
        hardware.open_on(path, device).close()
    except UnreadableMediaError:
        return False
    return True


def test_a_card_that_decodes_alike_is_used(kind: MakeKind, card: Card) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    assert hardware.device_for(recording) == "cuda"
    with FrameReader(recording, size=SIZE) as reader:
        assert read_number(reader.frame_at(44).pixels) == 44
    assert card.opened == 1


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("b_pyramid.mp4", 0), ("b_pyramid.mp4", 9), ("b_pyramid.mp4", 35), ("ten_bit.mp4", 9)],
)
def test_one_wrong_number_in_one_plane_is_noticed(
    kind: MakeKind, card: Card, wrong: int, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    def change(number: int, frame: VideoFrame) -> VideoFrame:
        if name == "ten_bit.mp4":
            frame = frame.reformat(format="yuv420p10le")
        if number == wrong:
            plane = frame.planes[-1]
            values = np.frombuffer(memoryview(plane), np.uint8).copy()
            values[plane.width // 2] ^= 1
            plane.update(values.tobytes())
        return frame

    card.change = change
    recording = open_recording(kind(name))
    with caplog.at_level(logging.WARNING):
        assert hardware.device_for(recording) is None
    assert "otherwise than software" in caplog.text


def test_the_answer_is_found_once(
    kind: MakeKind, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    assert hardware.device_for(recording) == "cuda"
    monkeypatch.setattr(hardware, "_decoded", lambda *_: pytest.fail("compared again"))
    assert hardware.device_for(recording) == "cuda"


def test_counted_and_damaged_files_are_decoded_in_software(kind: MakeKind, card: Card) -> None:
    assert hardware.device_for(open_recording(kind("raw.h264"))) is None
    assert card.opened == 0


def test_a_card_that_fails_on_the_way_is_left_for_software(
    tmp_path: Path, card: Card, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recording = open_recording(make_video(tmp_path / "long.mp4", frames=90, gop=30))
    feed = FrameDecoder._feed
    fed = 0

    def failing(decoder: Any) -> bool:
        nonlocal fed
        if decoder._device is not None:
            fed += 1
            if fed > 40:
                return False  # as if every packet from here on raised an error
        return feed(decoder)

    monkeypatch.setattr(FrameDecoder, "_feed", failing)
    with caplog.at_level(logging.WARNING), FrameReader(recording, size=SIZE) as reader:
        shown = [read_number(frame.pixels) for frame in reader.frames_at(range(90))]
    assert shown == list(range(90))
    assert "decoding in software from now on" in caplog.text
    assert hardware.device_for(recording) is None


def test_a_card_without_room_for_another_decoder_is_left_for_software(
    kind: MakeKind, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    assert hardware.device_for(recording) == "cuda"

    def full(path: Path, device: str) -> OpenFile:
        raise UnreadableMediaError("no room", path=path)

    monkeypatch.setattr("carl_core.video.decoder.open_on", full)
    with FrameReader(recording, size=SIZE) as reader:
        assert read_number(reader.frame_at(17).pixels) == 17


def test_real_frames_of_another_layout_compare_equal(kind: MakeKind) -> None:
    with av.open(str(kind("constant.mp4"))) as container:
        frame = next(container.decode(video=0))
    assert hardware._is_same_picture(frame, frame.reformat(format="nv12"))
