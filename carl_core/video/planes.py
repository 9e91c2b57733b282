"""Decoded pictures as they are stored, for a screen that turns them into colours itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import read_only
from carl_core.video.display import Geometry, colour_of
from carl_core.video.halving import plane_lines

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from carl_core.arrays import Float64, UInt8

_FORMATS = frozenset({"yuv420p", "yuvj420p"})
# Share of red and blue in light: ITU-R BT.601 and BT.709.
_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


class Making(Enum):
    """How pictures are made of what is decoded.

    ``QUICK`` and ``PLANES`` are for pictures in motion on a screen, and hold where they can:
    `DisplayTransform.is_quick`; not made at all, but given as `Planes`.
    """

    EXACT = "exact"
    QUICK = "quick"
    PLANES = "planes"


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Light and colour differences of one stored picture, 4:2:0 with 8 bits.

    Attributes
    ----------
    luma, blue, red : uint8 (H, L) and two of (H / 2, L'), read-only, shared with the decoder.
        Lines are longer than the picture: only their first ``size`` (or half of it) is shown
    size : width and height of the stored picture
    geometry : how it is turned upright
    matrix : "bt601" or "bt709"
    is_full : whether black is 0 and white 255
    """

    luma: UInt8
    blue: UInt8
    red: UInt8
    size: tuple[int, int]
    geometry: Geometry
    matrix: str
    is_full: bool

    def to_rgb(self) -> tuple[Float64, Float64]:
        """Return the matrix (3, 3) and the offset (3,) with RGB = matrix @ (YUV - offset), 0..1."""
        red, blue = _WEIGHTS[self.matrix]
        green = 1 - red - blue
        light, colour = (1.0, 1.0) if self.is_full else (255 / 219, 255 / 224)
        matrix = np.asarray(
            [
                [light, 0.0, 2 * (1 - red) * colour],
                [
                    light,
                    -2 * (1 - blue) * blue / green * colour,
                    -2 * (1 - red) * red / green * colour,
                ],
                [light, 2 * (1 - blue) * colour, 0.0],
            ]
        )
        return matrix, np.asarray([0.0 if self.is_full else 16 / 255, 128 / 255, 128 / 255])


def planes_of(frame: VideoFrame, geometry: Geometry) -> Planes | None:
    """View the planes of an ordinary picture; None for what takes more than a matrix.

    That is 10 bits and more, HDR, wide colours, RGB, other sampling of colours, interlaced frames.
    """
    colour = colour_of(frame)
    if (
        frame.format.name not in _FORMATS
        or colour.matrix not in _WEIGHTS
        or colour.is_hdr
        or colour.is_wide
        or frame.interlaced_frame
    ):
        return None
    luma, blue, red = (read_only(plane_lines(plane)) for plane in frame.planes)
    size = (frame.width, frame.height)
    return Planes(luma, blue, red, size, geometry, colour.matrix, colour.is_full)
