"""Decode what lies before the frame shown while nobody waits for anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from av.video.frame import VideoFrame

    from carl_core.video.cache import FrameCache
    from carl_core.video.finder import FrameFinder


class FramesBehind:
    """Fills a cache with the frames before one, a decoded frame at a time.

    Stepping back through a long group of pictures would otherwise stand still whenever what is
    kept runs out: all from the key frame on must be decoded again then. One thread at a time.

    Parameters
    ----------
    finder : a decoder of its own, so that the one in use stays where it is
    cache : what to fill
    keep : puts a decoded frame there, in the form in which it takes less room
    frame_bytes : what a frame kept takes
    """

    def __init__(
        self,
        finder: FrameFinder,
        cache: FrameCache,
        keep: Callable[[int, VideoFrame], object],
        frame_bytes: int,
    ) -> None:
        self._finder = finder
        self._cache = cache
        self._keep = keep
        self._wanted = cache.room_for(frame_bytes) // 2
        self._way: Generator[tuple[int, VideoFrame], None, None] | None = None
        self._goal = 0

    def advance(self, at: int) -> bool:
        """Decode one frame more of those before ``at``; False when enough of them are there."""
        if self._way is not None and not self._goal <= at <= self._goal + 2 * self._wanted:
            self._way = None
        if self._way is None:
            if at not in self._cache:
                return False
            first = self._cache.first_of_run(at)
            if first == 0 or at - first > self._wanted // 2:
                return False
            self._goal = first - 1
            self._way = self._finder.steps_to(self._goal)
        for number, frame in self._way:
            if number >= at - self._wanted and number not in self._cache:
                self._keep(number, frame)
            return True
        self._way = None
        # What the cache could not hold is not asked of it again.
        self._wanted = min(self._wanted, max(2, at - self._cache.first_of_run(at)))
        return True

    def close(self) -> None:
        """Release the file and the decoder."""
        self._way = None
        self._finder.close()
