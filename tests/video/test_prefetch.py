from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from carl_core.video.prefetch import prefetched
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import read_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.video.conftest import MakeKind


def test_order_and_items_are_kept() -> None:
    assert list(prefetched(range(1000), depth=3)) == list(range(1000))
    assert list(prefetched([])) == []


def test_work_is_done_ahead_up_to_the_depth() -> None:
    made: list[int] = []
    far_enough = threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 5:
                far_enough.set()
            yield number

    ahead = prefetched(items(), depth=4)
    assert next(ahead) == 0
    assert far_enough.wait(5)  # one taken, four waiting, one in hand
    ahead.close()
    assert len(made) <= 7


def test_an_error_comes_at_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("broken")

    ahead = prefetched(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(OSError, match="broken"):
        next(ahead)


def test_leaving_early_ends_thread_and_source() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    before = threading.active_count()
    for item in prefetched(items()):
        if item == 3:
            break
    assert closed.wait(5)
    assert threading.active_count() == before


def test_an_unstarted_iterator_starts_no_thread() -> None:
    before = threading.active_count()
    prefetched(range(10)).close()
    assert threading.active_count() == before


def test_depth_must_be_positive() -> None:
    with pytest.raises(ValueError, match="depth"):
        prefetched([], depth=0)


def test_frames_arrive_as_without_it(kind: MakeKind) -> None:
    with FrameReader(open_recording(kind("b_pyramid.mp4")), size=(96, 64)) as reader:
        shown = [read_number(f.pixels) for f in prefetched(reader.frames_at(range(0, 60, 2)))]
    assert shown == list(range(0, 60, 2))
