"""Pictures of half the size, each pixel the mean of four.

A third of the time of a scaler that can make any size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

from carl_core.compiled import kernel

if TYPE_CHECKING:
    from typing import Any

    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane

    from carl_core.arrays import UInt8

_FORMATS = frozenset({"yuv420p", "yuvj420p"})


@kernel("void(Array(uint8, 2, 'C', True), uint8[:, ::1], int64, int64)")
def _halve(lines: Any, out: Any, height: Any, width: Any) -> None:
    """Write the means of 2 x 2 neighbours, rounded, into out[:height, :width]."""
    wide = np.uint16  # else Numba counts in 64 bits, a quarter as many at a time
    for i in range(height):
        upper, lower, into = lines[2 * i], lines[2 * i + 1], out[i]
        for j in range(width):
            above = wide(wide(upper[2 * j]) + wide(upper[2 * j + 1]))
            below = wide(wide(lower[2 * j]) + wide(lower[2 * j + 1]))
            into[j] = np.uint8(wide(wide(above + below) + wide(2)) >> wide(2))


class Halver:
    """Halves 4:2:0 frames of 8 bits. One thread at a time."""

    def __init__(self) -> None:
        self._frame: VideoFrame | None = None
        self._planes: list[UInt8] = []

    def can_make(self, size: tuple[int, int], frame: VideoFrame) -> bool:
        """Whether ``size`` is half of the frame's, and nobody waits for the loop to be compiled."""
        is_half = (2 * size[0], 2 * size[1]) == (frame.width, frame.height)
        is_even = size[0] % 2 == size[1] % 2 == 0
        return _halve.is_compiled and is_half and is_even and frame.format.name in _FORMATS

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """Return the frame at half its size, "yuv420p"; the next call overwrites it."""
        width, height = frame.width // 2, frame.height // 2
        made = self._frame
        if made is None or (made.width, made.height) != (width, height):
            made = self._frame = av.VideoFrame(width, height, "yuv420p")
            self._planes = [plane_lines(plane) for plane in made.planes]
        for plane, into in zip(frame.planes, self._planes, strict=True):
            _halve(plane_lines(plane), into, plane.height // 2, plane.width // 2)
        return made


def plane_lines(plane: VideoPlane) -> UInt8:
    """View a plane as uint8 (H, L), lines as long as they are stored, shared with the decoder."""
    flat = np.frombuffer(memoryview(plane), dtype=np.uint8)
    return flat[: plane.line_size * plane.height].reshape(plane.height, plane.line_size)
