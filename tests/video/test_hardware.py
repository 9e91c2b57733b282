from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from av.codec.hwaccel import hwdevices_available

from carl_core.errors import UnreadableMediaError
from carl_core.video import hardware
from carl_core.video.frame import MovingFrame
from carl_core.video.halving import _halve, plane_lines
from carl_core.video.planes import Making
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.card import Card, one_bit_off
from tests.helpers.videos import make_video, read_number

if TYPE_CHECKING:
    from pathlib import Path

    from av.video.frame import VideoFrame

    from tests.video.conftest import MakeKind

SIZE = (96, 64)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_chosen", {})
    monkeypatch.delenv(hardware.VARIABLE, raising=False)


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


@pytest.mark.parametrize("name", ["b_pyramid.mp4", "full_range.mp4", "ten_bit.mp4", "stream.ts"])
def test_a_card_that_decodes_alike_is_used(kind: MakeKind, card: Card, name: str) -> None:
    recording = open_recording(kind(name))
    assert hardware.device_for(recording) == "cuda"
    assert card.opened == 2, "compared at the beginning and in the middle"
    assert card.seeks == [int(recording.index.pts[len(recording.index) // 2])]
    given = card.given
    with FrameReader(recording, size=SIZE) as reader:
        for number in (24, 3, 17):
            assert read_number(reader.frame_at(number).pixels) == number
    assert card.opened == 3
    assert card.given > given


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("b_pyramid.mp4", 0), ("b_pyramid.mp4", 9), ("b_pyramid.mp4", 35), ("ten_bit.mp4", 9)],
)
def test_one_wrong_number_in_one_plane_is_noticed(
    kind: MakeKind, card: Card, wrong: int, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    card.change = lambda number, frame: one_bit_off(frame) if number == wrong else frame
    recording = open_recording(kind(name))
    with caplog.at_level(logging.WARNING):
        assert hardware.device_for(recording) is None
    assert "otherwise than software" in caplog.text
    opened = card.opened
    with FrameReader(recording, size=SIZE) as reader:
        assert read_number(reader.frame_at(wrong).pixels) == wrong
    assert card.opened == opened


@pytest.mark.parametrize("lost", [0, 9, 29])
def test_a_card_that_gives_a_frame_less_is_not_used(
    kind: MakeKind, card: Card, lost: int, caplog: pytest.LogCaptureFixture
) -> None:
    card.change = lambda number, frame: None if number == lost else frame
    recording = open_recording(kind("constant.mp4"))
    assert len(recording.index) == 30
    with caplog.at_level(logging.WARNING):
        assert hardware.device_for(recording) is None
    assert "otherwise than software" in caplog.text


def test_a_card_that_marks_its_colours_otherwise_is_not_used(kind: MakeKind, card: Card) -> None:
    def change(_: int, frame: VideoFrame) -> VideoFrame:
        frame.color_range = 1
        return frame

    recording = open_recording(kind("full_range.mp4"))
    card.change = lambda _, frame: change(_, frame.reformat(format="nv12"))
    assert hardware.device_for(recording) is None


def test_a_card_that_decodes_another_layout_is_not_used(kind: MakeKind, card: Card) -> None:
    card.change = lambda _, frame: frame.reformat(format="yuv444p")
    assert hardware.device_for(open_recording(kind("b_pyramid.mp4"))) is None


@pytest.mark.parametrize("how", ["no card", "no decoder", "fails at once", "gives nothing"])
def test_a_card_that_cannot_decode_is_left_for_software_with_a_word(
    kind: MakeKind, card: Card, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    if how == "no card":
        card.is_there = False
    elif how == "no decoder":
        card.can_decode = False
    elif how == "fails at once":
        card.fails_from = 0
    else:
        card.change = lambda *_: None
    recording = open_recording(kind("b_pyramid.mp4"))
    with caplog.at_level(logging.INFO, "carl.video"):
        assert hardware.device_for(recording) is None
    assert "cuda" in caplog.text
    with FrameReader(recording, size=SIZE) as reader:
        assert read_number(reader.frame_at(31).pixels) == 31


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


@pytest.mark.parametrize("how", ["raises", "ends", "loses a frame"])
def test_a_card_that_fails_on_the_way_is_left_for_software(
    tmp_path: Path, card: Card, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    recording = open_recording(make_video(tmp_path / "long.mp4", frames=150, gop=30))
    assert hardware.device_for(recording) == "cuda"  # 0 to 24 and 75 to 99 are compared
    if how == "raises":
        card.fails_from = 40
    else:
        last = 41 if how == "loses a frame" else 150
        card.change = lambda number, frame: None if 40 <= number < last else frame
    with caplog.at_level(logging.WARNING), FrameReader(recording, size=SIZE) as reader:
        shown = [read_number(frame.pixels) for frame in reader.frames_at(range(150))]
    assert shown == list(range(150))
    assert 40 <= card.given - 2 * hardware._COMPARED <= 60
    assert "decoding in software from now on" in caplog.text
    assert hardware.device_for(recording) is None


def test_a_card_without_room_for_another_decoder_is_left_for_software(
    kind: MakeKind, card: Card, caplog: pytest.LogCaptureFixture
) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    assert hardware.device_for(recording) == "cuda"
    card.is_there = False
    with FrameReader(recording, size=SIZE) as reader:
        assert read_number(reader.frame_at(17).pixels) == 17
    assert "decoding in software from now on" in caplog.text


@pytest.mark.parametrize("size", [(96, 64), (97, 65), (33, 47)])
@pytest.mark.parametrize("is_full", [False, True])
def test_an_interleaved_frame_is_taken_apart_to_the_bit(
    size: tuple[int, int], is_full: bool
) -> None:
    rng = np.random.default_rng(0)
    frame = av.VideoFrame(*size, "nv12")
    for plane in frame.planes:
        plane.update(rng.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    frame.pts, frame.color_range, frame.colorspace = 7, 2 if is_full else 1, 1
    made = hardware.Planar()(frame)
    assert (made.format.name, made.width, made.height) == ("yuv420p", *size)
    assert (made.pts, made.color_range, made.colorspace) == (7, frame.color_range, 1)
    light, colours = (plane_lines(plane) for plane in frame.planes)
    width, half = size[0], -(-size[0] // 2)
    for plane, wanted in zip(
        made.planes,
        (light[:, :width], colours[:, : 2 * half : 2], colours[:, 1 : 2 * half : 2]),
        strict=True,
    ):
        np.testing.assert_array_equal(plane_lines(plane)[:, : plane.width], wanted)


def test_a_deep_frame_is_taken_apart_to_the_bit_or_left_alone() -> None:
    rng = np.random.default_rng(0)
    frame = av.VideoFrame(66, 47, "p010le")
    for plane in frame.planes:  # the lowest six of 16 bits are not used
        values = rng.integers(0, 1024, plane.buffer_size // 2, np.uint16) << 6
        plane.update(values.tobytes())
    made = hardware.Planar()(frame)
    assert made.format.name == "yuv420p10le"
    light, colours = (plane_lines(plane).view(np.uint16) >> 6 for plane in frame.planes)
    for plane, wanted in zip(
        made.planes, (light[:, :66], colours[:, 0:66:2], colours[:, 1:66:2]), strict=True
    ):
        np.testing.assert_array_equal(plane_lines(plane).view(np.uint16)[:, : plane.width], wanted)
    odd = av.VideoFrame(65, 47, "p010le")
    assert hardware.Planar()(odd) is odd


@pytest.mark.parametrize("making", Making)
@pytest.mark.parametrize(
    "name", ["constant.mp4", "full_range.mp4", "bt601.mp4", "odd.webm", "ten_bit.mp4", "turned.mp4"]
)
def test_what_a_card_decodes_is_shown_as_what_software_decodes(
    kind: MakeKind, card: Card, tmp_path: Path, making: Making, name: str
) -> None:
    path = make_odd_video(tmp_path / name) if name == "odd.webm" else kind(name)
    _halve.compile()
    size = (80, 60) if name == "constant.mp4" else None  # half: the way of means of four
    shown = {}
    for device in ("cuda", None):
        recording = open_recording(path)
        if device is None:
            hardware.give_up(recording)
        assert hardware.device_for(recording) == device
        with FrameReader(recording, size=size) as reader:
            reader.making = making
            shown[device] = [reader.frame_at(number) for number in (0, 5, 3)]
    assert card.given > 2 * 5
    for found, right in zip(shown["cuda"], shown[None], strict=True):
        assert (found.index, found.pts) == (right.index, right.pts)
        assert isinstance(found, MovingFrame) == isinstance(right, MovingFrame)
        is_deep = name == "ten_bit.mp4"
        assert isinstance(found, MovingFrame) == (making is Making.PLANES and not is_deep)
        np.testing.assert_array_equal(found.pixels, right.pixels)
        if isinstance(found, MovingFrame) and isinstance(right, MovingFrame):
            width, height = found.planes.size
            assert found.planes.size == right.planes.size
            assert found.planes.to_rgb()[0].tolist() == right.planes.to_rgb()[0].tolist()
            for part, shift in (("luma", 0), ("blue", 1), ("red", 1)):
                seen = slice(-(-height >> shift)), slice(-(-width >> shift))
                np.testing.assert_array_equal(
                    getattr(found.planes, part)[seen], getattr(right.planes, part)[seen]
                )


def make_odd_video(path: Path) -> Path:
    """A video with an odd number of columns and lines."""
    options = {"deadline": "realtime", "cpu-used": "8"}
    return make_video(path, size=(161, 121), codec="libvpx-vp9", options=options)
