"""Frames kept near the one shown, for stepping back through a long group of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carl_core.video.frame import Frame

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# What lies ahead is cheap to get again: one more frame to decode. What lies behind is not.
_AHEAD_IS_FARTHER = 2


class FrameCache:
    """Frames around one of them, up to a number of bytes; those farthest away go first.

    A frame is kept as the decoder left it (1920x1080 in 4:2:0: 3.1 MB) or as it is shown, which
    is less where it is shown small. One thread at a time.

    Attributes
    ----------
    centre : number of the frame the others are to be near to
    """

    def __init__(self, limit_bytes: int) -> None:
        self.centre = 0
        self._limit_bytes = limit_bytes
        self._frames: dict[int, VideoFrame | Frame] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def __contains__(self, number: int) -> bool:
        return number in self._frames

    def get(self, number: int) -> VideoFrame | Frame | None:
        """Return frame ``number`` if it is kept."""
        return self._frames.get(number)

    def put(self, number: int, frame: VideoFrame | Frame) -> None:
        """Keep ``frame``, at the price of those farther away, or in place of its other form."""
        before = self._frames.get(number)
        if before is not None:
            self._bytes -= size_of(before)
        self._frames[number] = frame
        self._bytes += size_of(frame)
        while self._bytes > self._limit_bytes and len(self._frames) > 1:
            self._bytes -= size_of(self._frames.pop(max(self._frames, key=self._distance)))

    def first_decoded(self) -> tuple[int, VideoFrame] | None:
        """Return a frame that is kept as the decoder left it, with its number."""
        for number, frame in self._frames.items():
            if not isinstance(frame, Frame):
                return number, frame
        return None

    def first_of_run(self, number: int) -> int:
        """Return the first of the frames kept without a gap up to ``number``, which is kept."""
        while number - 1 in self._frames:
            number -= 1
        return number

    def room_for(self, frame_bytes: int) -> int:
        """Return how many frames of a size can be kept."""
        return max(1, self._limit_bytes // max(1, frame_bytes))

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()
        self._bytes = 0

    def _distance(self, number: int) -> int:
        behind = self.centre - number
        return behind if behind >= 0 else -behind * _AHEAD_IS_FARTHER


def size_of(frame: VideoFrame | Frame) -> int:
    """Bytes a frame takes."""
    if isinstance(frame, Frame):
        return int(frame.pixels.nbytes)
    return sum(plane.buffer_size for plane in frame.planes)
