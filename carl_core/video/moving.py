"""One frame as a graphics card takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carl_core.video.display import DisplayTransform
from carl_core.video.frame import Frame

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from carl_core.arrays import UInt8
    from carl_core.video.planes import Planes


class MovingFrame(Frame):
    """A frame as it is stored, whose pixels are made only when somebody asks for them.

    Attributes
    ----------
    planes : what a graphics card shows
    """

    __slots__ = ("_decoded", "_pixels", "planes")

    planes: Planes
    _decoded: VideoFrame
    _pixels: UInt8 | None

    def __init__(
        self, index: int, pts: int, time_s: float, planes: Planes, decoded: VideoFrame
    ) -> None:
        put = object.__setattr__  # frozen, as every frame
        put(self, "index", index)
        put(self, "pts", pts)
        put(self, "time_s", time_s)
        put(self, "is_preview", False)
        put(self, "planes", planes)
        put(self, "_decoded", decoded)
        put(self, "_pixels", None)

    @property
    def pixels(self) -> UInt8:
        """Its picture in the display size, uint8 (H, W, 3), RGB, read-only."""
        made = self._pixels
        if made is None:
            made = DisplayTransform(self.planes.geometry)(self._decoded)
            object.__setattr__(self, "_pixels", made)
        return made
