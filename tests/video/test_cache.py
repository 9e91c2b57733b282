from __future__ import annotations

import numpy as np

from carl_core.video.cache import FrameCache
from carl_core.video.frame import Frame

SIDE = 10
BYTES = SIDE * SIDE * 3


def frame(number: int) -> Frame:
    return Frame(number, number, number / 25, np.zeros((SIDE, SIDE, 3), np.uint8))


def test_those_farthest_from_the_centre_go_first() -> None:
    cache = FrameCache(5 * BYTES)
    cache.centre = 100
    for number in range(80, 101):
        cache.put(number, frame(number))
    assert [n for n in range(120) if n in cache] == [96, 97, 98, 99, 100]
    cache.centre = 97
    cache.put(95, frame(95))
    cache.put(94, frame(94))
    assert [n for n in range(120) if n in cache] == [94, 95, 96, 97, 98]


def test_one_frame_is_kept_however_large() -> None:
    cache = FrameCache(1)
    cache.put(7, frame(7))
    assert 7 in cache
    cache.centre = 8
    cache.put(8, frame(8))
    assert [n for n in range(10) if n in cache] == [8]
    assert cache.room_for(BYTES) == 1


def test_a_run_ends_at_the_first_gap() -> None:
    cache = FrameCache(100 * BYTES)
    for number in (3, 5, 6, 7):
        cache.put(number, frame(number))
    assert cache.first_of_run(7) == 5
    assert cache.first_of_run(3) == 3
    cache.clear()
    assert len(cache) == 0
