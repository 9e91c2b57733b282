"""One frame as it is shown, or as it is stored where a graphics card shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from carl_core.video.display import DisplayTransform

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from carl_core.arrays import UInt8
    from carl_core.video.planes import Planes


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame as shown.

    Attributes
    ----------
    index : frame number, 0-based in presentation order
    pts : presentation timestamp of what is shown
    time_s : seconds from the recording's first frame
    pixels : uint8 (H, W, 3), RGB, read-only
    is_preview : whether another frame was asked for, which is still on its way
    """

    index: int
    pts: int
    time_s: float
    pixels: UInt8
    is_preview: bool = False


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
