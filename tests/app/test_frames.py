from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.frames import FrameService
from app.views.painting import image_over
from carl_core.errors import UnreadableMediaError
from carl_core.video.planes import Making
from carl_core.video.reader import Frame
from carl_core.video.recording import open_recording
from tests.helpers.recordings import fake_recording
from tests.helpers.videos import read_number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from carl_core.video.recording import Recording

SIZE = (160, 120)
FAR = 5000
"""Frames from here on are far from their key frames."""


class FakeReader:
    """Makes up frames; ``gate`` holds it back."""

    def __init__(self, recording: Recording, size: tuple[int, int]) -> None:
        self.recording = recording
        self.size = size
        self.asked: list[int] = []
        self.gate: threading.Event | None = None
        self.is_closed = False
        self.making = Making.EXACT
        self.made_quickly: list[bool] = []
        self.has_arrived = threading.Event()
        self.worked_ahead = 0

    def approach(self, index: int) -> Iterator[Frame | None]:
        if index >= FAR:
            self.asked.append(index)
            yield replace(self.made(index // 100 * 100), is_preview=True)
            while not self.has_arrived.wait(0.005):
                yield None
            yield self.made(index)
        else:
            yield self.frame_at(index)

    def work_ahead(self) -> bool:
        self.worked_ahead += 1
        return self.worked_ahead % 10 != 0

    def frame_at(self, index: int) -> Frame:
        self.asked.append(index)
        self.made_quickly.append(self.making is Making.QUICK)
        if self.gate is not None:
            assert self.gate.wait(10)
        if index == 13:
            raise UnreadableMediaError("frame 13 is broken")
        return self.made(index)

    def made(self, index: int) -> Frame:
        width, height = self.size
        pixels = np.full((height, width, 3), index % 256, dtype=np.uint8)
        pixels.flags.writeable = False
        return Frame(index, index * 10, index / 25, pixels)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def readers() -> list[FakeReader]:
    return []


@pytest.fixture
def service(readers: list[FakeReader]) -> Iterator[FrameService]:
    def open_reader(recording: Recording, size: tuple[int, int], _threads: int) -> FakeReader:
        readers.append(FakeReader(recording, size))
        return readers[-1]

    service = FrameService(open_reader=open_reader)
    yield service
    service.close()


def test_the_frame_asked_for_is_the_frame_shown(qtbot: QtBot, videos: list[Path]) -> None:
    recording = open_recording(videos[0])
    service = FrameService()
    service.set_recordings((recording,))
    try:
        for number in (0, 30, 7, 49, 48):
            with qtbot.waitSignal(service.frame_ready, timeout=10_000) as blocker:
                service.want(recording.id, (number,), SIZE)
            frame = blocker.args[1]
            assert frame.index == number
            assert read_number(frame.pixels) == number
    finally:
        service.close()


def test_newest_wish_wins(qtbot: QtBot, service: FrameService, readers: list[FakeReader]) -> None:
    recording = fake_recording("a", 1000)
    service.set_recordings((recording,))
    shown: list[int] = []
    service.frame_ready.connect(lambda _id, frame: shown.append(frame.index))
    service.want("a", (0,), SIZE)
    qtbot.waitUntil(lambda: shown == [0])
    readers[0].gate = threading.Event()
    service.want("a", (100,), SIZE)
    qtbot.waitUntil(lambda: readers[0].asked[-1] == 100)
    for wish in range(200, 300):
        service.want("a", (wish,), SIZE)
    readers[0].gate.set()
    qtbot.waitUntil(lambda: shown[-1] == 299)
    assert not set(readers[0].asked) & set(range(200, 299)), "frames nobody waits for were decoded"


def test_a_far_frame_is_previewed_until_it_is_there(
    qtbot: QtBot, service: FrameService, readers: list[FakeReader]
) -> None:
    service.set_recordings((fake_recording("a", 9000),))
    shown: list[tuple[int, bool]] = []
    service.frame_ready.connect(lambda _id, f: shown.append((f.index, f.is_preview)))
    service.want("a", (5150,), SIZE)
    qtbot.waitUntil(lambda: shown == [(5100, True)])
    readers[0].has_arrived.set()
    qtbot.waitUntil(lambda: shown == [(5100, True), (5150, False)])
    service.want("a", (5100,), SIZE)
    qtbot.waitUntil(lambda: shown[-1] == (5100, False))


def test_a_preview_becomes_exact_when_its_own_frame_is_asked_for(
    qtbot: QtBot, service: FrameService, readers: list[FakeReader]
) -> None:
    service.set_recordings((fake_recording("a", 9000),))
    shown: list[tuple[int, bool]] = []
    service.frame_ready.connect(lambda _id, f: shown.append((f.index, f.is_preview)))
    service.want("a", (5150,), SIZE)
    qtbot.waitUntil(lambda: shown == [(5100, True)])
    service.want("a", (5100,), SIZE)
    readers[0].has_arrived.set()
    qtbot.waitUntil(lambda: shown[-1] == (5100, False))


def test_the_way_to_a_frame_is_left_for_one_elsewhere_but_not_for_a_neighbour(
    qtbot: QtBot, service: FrameService, readers: list[FakeReader]
) -> None:
    service.set_recordings((fake_recording("a", 9000),))
    shown: list[tuple[int, bool]] = []
    service.frame_ready.connect(lambda _id, f: shown.append((f.index, f.is_preview)))
    service.want("a", (5150,), SIZE)
    qtbot.waitUntil(lambda: shown == [(5100, True)])
    service.want("a", (7050,), SIZE)
    qtbot.waitUntil(lambda: shown == [(5100, True), (7000, True)])
    for step in range(1, 20):
        service.want("a", (7050 - step,), SIZE)
    qtbot.wait(30)
    assert readers[0].asked == [5150, 7050], "a way was left for a step"
    readers[0].has_arrived.set()
    qtbot.waitUntil(lambda: shown[-1] == (7031, False))


def test_idle_moments_are_given_to_the_reader_and_end(
    qtbot: QtBot, service: FrameService, readers: list[FakeReader]
) -> None:
    service.set_recordings((fake_recording("a", 100),))
    service.want("a", (5,), SIZE)
    qtbot.waitUntil(lambda: bool(readers) and readers[0].worked_ahead == 10)
    qtbot.wait(30)
    assert readers[0].worked_ahead == 10
    service.want("a", (4,), SIZE)
    qtbot.waitUntil(lambda: readers[0].worked_ahead == 20)


def test_frames_ahead_are_decoded_and_then_shown_at_once(
    qtbot: QtBot, service: FrameService, readers: list[FakeReader]
) -> None:
    service.set_recordings((fake_recording("a", 100),))
    shown: list[int] = []
    service.frame_ready.connect(lambda _id, frame: shown.append(frame.index))
    service.want("a", (5, 6, 7, 8), SIZE)
    qtbot.waitUntil(lambda: readers[0].asked == [5, 6, 7, 8] if readers else False)
    qtbot.wait(30)
    assert shown == [5], "a frame was shown before its time"
    service.want("a", (7, 8), SIZE)
    assert shown == [5, 7], "a decoded frame was not shown at once"


def test_frames_in_motion_are_made_quickly_and_the_one_that_stays_exactly(
    qtbot: QtBot, service: FrameService, readers: list[FakeReader]
) -> None:
    service.set_recordings((fake_recording("a", 100),))
    shown: list[int] = []
    service.frame_ready.connect(lambda _id, frame: shown.append(frame.index))
    service.want("a", (5, 6, 7), SIZE)
    qtbot.waitUntil(lambda: bool(readers) and readers[0].asked == [5, 6, 7])
    assert readers[0].made_quickly == [True, True, True]
    service.want("a", (6,), SIZE)
    qtbot.waitUntil(lambda: shown == [5, 6])
    assert readers[0].asked == [5, 6, 7, 6]
    assert readers[0].made_quickly[-1] is False
    service.want("a", (6,), SIZE)
    qtbot.wait(30)
    assert readers[0].asked == [5, 6, 7, 6], "a frame that is there was decoded again"


def test_another_size_opens_another_reader(
    qtbot: QtBot, service: FrameService, readers: list[FakeReader]
) -> None:
    service.set_recordings((fake_recording("a", 100),))
    shapes: list[tuple[int, ...]] = []
    service.frame_ready.connect(lambda _id, frame: shapes.append(frame.pixels.shape))
    service.want("a", (5,), (160, 120))
    qtbot.waitUntil(lambda: len(shapes) == 1)
    service.want("a", (5,), (80, 60))
    qtbot.waitUntil(lambda: len(shapes) == 2)
    assert shapes == [(120, 160, 3), (60, 80, 3)]
    assert readers[0].is_closed


def test_a_broken_frame_is_reported_once_and_others_are_shown(
    qtbot: QtBot, service: FrameService
) -> None:
    service.set_recordings((fake_recording("a", 100),))
    shown: list[int] = []
    errors: list[str] = []
    service.frame_ready.connect(lambda _id, frame: shown.append(frame.index))
    service.failed.connect(lambda _id, error: errors.append(str(error)))
    service.want("a", (13,), SIZE)
    qtbot.waitUntil(lambda: bool(errors))
    service.want("a", (13, 14), SIZE)
    service.want("a", (14,), SIZE)
    qtbot.waitUntil(lambda: shown == [14])
    assert errors == ["frame 13 is broken"]


def test_removed_recordings_release_their_file(
    qtbot: QtBot, service: FrameService, readers: list[FakeReader]
) -> None:
    service.set_recordings((fake_recording("a", 100), fake_recording("b", 100)))
    service.want("a", (1,), SIZE)
    service.want("b", (1,), SIZE)
    qtbot.waitUntil(lambda: len(readers) == 2 and all(r.asked for r in readers))
    service.set_recordings((fake_recording("b", 100),))
    qtbot.waitUntil(lambda: next(r for r in readers if r.recording.id == "a").is_closed)
    assert not next(r for r in readers if r.recording.id == "b").is_closed


def test_picture_over_pixels_shares_memory_and_keeps_it_alive(qtbot: QtBot) -> None:
    pixels = np.zeros((4, 6, 3), dtype=np.uint8)
    pixels[1, 2] = (10, 20, 30)
    image = image_over(pixels)
    assert image.pixelColor(2, 1).getRgb()[:3] == (10, 20, 30)
    pixels[1, 2] = (40, 50, 60)
    assert image.pixelColor(2, 1).getRgb()[:3] == (40, 50, 60), "the pixels were copied"
    read_only = pixels.copy()
    read_only.flags.writeable = False
    image = image_over(read_only)
    del read_only
    assert image.pixelColor(2, 1).getRgb()[:3] == (40, 50, 60)


@pytest.mark.parametrize("bytes_apart", [3, 4])
def test_picture_over_pixels_made_quickly(qtbot: QtBot, bytes_apart: int) -> None:
    pixels = np.zeros((4, 8, bytes_apart), dtype=np.uint8)
    pixels[1, 2, :3] = (10, 20, 30)
    part = pixels[:, :6, :3]  # as of a frame whose lines are longer than the picture
    image = image_over(part)
    assert (image.width(), image.height()) == (6, 4)
    assert image.pixelColor(2, 1).getRgb() == (10, 20, 30, 255)
    pixels[1, 2, :3] = (40, 50, 60)
    del pixels, part
    assert image.pixelColor(2, 1).getRgb()[:3] == (40, 50, 60), "the pixels were copied"
