"""The one display transform: every pixel a user or an encoder sees comes through here.

In order: fields to frames, swscale (matrix, range, size, to RGB), highlights and wide colours to
an ordinary screen, mirroring, rotation, bars or cut edges.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from carl_core.arrays import read_only
from carl_core.video.deinterlace import upper_field
from carl_core.video.halving import Halver

if TYPE_CHECKING:
    import numpy.typing as npt
    from av.video.frame import VideoFrame

    from carl_core.arrays import UInt8

_log = logging.getLogger("carl.video")

Transfer = Literal["sdr", "pq", "hlg"]
Fit = Literal["squash", "letterbox", "crop"]
FITS: tuple[Fit, ...] = ("squash", "letterbox", "crop")

# Beyond this a sample aspect ratio is a mistake in the file.
_EXTREME_SAR = 10
# Unmarked video larger than standard definition is taken as BT.709, as players do.
_SD_WIDTH, _SD_HEIGHT = 1280, 576

# Numbers of ITU-T H.273, as FFmpeg has them.
_MATRICES = {
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    9: "bt2020",
    10: "bt2020",
}
_SWS_MATRICES = {
    "bt709": Colorspace.ITU709,
    "fcc": Colorspace.FCC,
    "bt601": Colorspace.ITU601,
    "smpte240m": Colorspace.SMPTE240M,
    "bt2020": Colorspace.BT2020,
}
# 8-bit 4:2:0: what nearly every recording is.
_QUICK_FORMATS = frozenset({"yuv420p", "yuvj420p", "nv12"})
_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
_BT2020_PRIMARIES = 9
_FULL_RANGE = 2


@dataclass(frozen=True, slots=True)
class Geometry:
    """How stored pixels become an upright picture.

    Attributes
    ----------
    rotation : degrees clockwise, 0, 90, 180 or 270, after mirroring
    mirrored : whether left and right are swapped first
    sar : width of a stored pixel over its height
    """

    rotation: int = 0
    mirrored: bool = False
    sar: Fraction = Fraction(1)

    @property
    def is_turned(self) -> bool:
        """Whether width and height change places."""
        return self.rotation in (90, 270)

    def display_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown of a stored picture; the larger side is never shrunk."""
        if self.sar >= 1:
            width = max(1, round(width * self.sar))
        else:
            height = max(1, round(height / self.sar))
        return (height, width) if self.is_turned else (width, height)


@dataclass(frozen=True, slots=True)
class Colour:
    """How stored numbers become light.

    Attributes
    ----------
    matrix : "bt601", "bt709", "bt2020", "rgb" ...
    is_full : whether black is 0 and white the largest number
    transfer : "sdr", "pq" or "hlg"
    is_wide : whether the primaries are those of BT.2020
    """

    matrix: str
    is_full: bool
    transfer: Transfer
    is_wide: bool

    @property
    def is_hdr(self) -> bool:
        """Whether the signal is made for a screen brighter than ordinary ones."""
        return self.transfer != "sdr"

    def __str__(self) -> str:
        words = [self.matrix, "full" if self.is_full else "limited"]
        return " ".join(words + ([self.transfer] if self.is_hdr else []))


def geometry_of(frame: VideoFrame, sar: Fraction | None) -> Geometry:
    """Read the display matrix of a decoded frame; turns between quarters go to the nearest."""
    if sar is None or sar <= 0 or not 1 / Fraction(_EXTREME_SAR) <= sar <= _EXTREME_SAR:
        sar = Fraction(1)
    try:
        attached: Any = frame.side_data  # PyAV's stubs know only motion vectors
    except ValueError:
        # WORKAROUND(PyAV 18.1 raises on kinds of side data that are newer than its list, EXIF for
        # one; remove when it does not): the angle alone, counted the other way, is still given.
        return Geometry(round(-frame.rotation / 90) % 4 * 90, False, sar)
    if SideDataType.DISPLAYMATRIX not in attached:
        return Geometry(sar=sar)
    matrix = memoryview(attached[SideDataType.DISPLAYMATRIX])
    # Row vectors: (x', y') = (a x + c y, b x + d y), y pointing down.
    a, b, _, c, d = (int(value) for value in np.frombuffer(matrix, dtype=np.int32)[:5])
    if a * d - b * c == 0:
        return Geometry(sar=sar)
    angle = math.degrees(math.atan2(-c, d))
    return Geometry(round(angle / 90) % 4 * 90, a * d - b * c < 0, sar)


def colour_of(frame: VideoFrame) -> Colour:
    """Read how a decoded frame is coded; what it does not say is filled in as players do."""
    name = frame.format.name
    transfer = _TRANSFERS.get(int(frame.color_trc), "sdr")
    is_wide = int(frame.color_primaries) == _BT2020_PRIMARIES
    if frame.format.is_rgb or name.startswith("pal8"):
        return Colour("rgb", True, transfer, is_wide)
    is_full = int(frame.color_range) == _FULL_RANGE or name.startswith("yuvj")
    matrix = _MATRICES.get(int(frame.colorspace))
    if matrix is None:
        is_large = frame.width >= _SD_WIDTH or frame.height > _SD_HEIGHT
        matrix = "bt2020" if transfer != "sdr" else "bt709" if is_large else "bt601"
    return Colour(matrix, is_full, transfer, is_wide)


class DisplayTransform:
    """Turns decoded frames into RGB pixels of one size. One thread at a time.

    Parameters
    ----------
    geometry : of the recording
    size : width and height to make; None for the display size of each frame
    fit : "squash" fills ``size`` whatever the proportions, "letterbox" keeps them and adds black
        bars, "crop" keeps them and cuts what sticks out on both sides
    deinterlace : whether the two fields of interlaced frames are parted

    Attributes
    ----------
    is_quick : take the quick way where there is one, in half the time: scaled before it becomes
        RGB, which blurs colours (not light) across a pixel or two, and with pixels 4 bytes apart
        where that is quicker, so that rows are not contiguous. For pictures in motion on a screen
    """

    def __init__(
        self,
        geometry: Geometry,
        size: tuple[int, int] | None = None,
        *,
        fit: Fit = "squash",
        deinterlace: bool = True,
    ) -> None:
        if fit not in FITS:
            raise ValueError(f"fit must be one of {FITS}, got {fit!r}")
        if size is not None and min(size) < 1:
            raise ValueError(f"size must be positive, got {size}")
        self._geometry = geometry
        self._size = size
        self._fit = fit
        self._deinterlace = deinterlace
        self.is_quick = False
        # NOTE: long-lived objects; making one for each frame costs as much as the scaling.
        self._reformatter = VideoReformatter()
        self._scaler = VideoReformatter()
        self._halver = Halver()

    def __call__(self, frame: VideoFrame) -> UInt8:
        """Return uint8 (H, W, 3) RGB, read-only.

        Raises
        ------
        av.FFmpegError
            When swscale cannot read the pixel format.
        """
        colour = colour_of(frame)
        shown = self._geometry.display_size(frame.width, frame.height)
        if self._deinterlace and frame.interlaced_frame:
            frame = upper_field(frame)
        size = self._size or shown
        inner = fitted_size(shown, size, self._fit)
        if self.is_quick and inner == size and self._has_quick_way(frame, colour):
            return read_only(self._quick(frame, size, colour))
        pixels = self._scaled(frame, inner, colour)
        if self._geometry.mirrored:
            pixels = pixels[:, ::-1]
        if self._geometry.rotation:
            pixels = np.rot90(pixels, k=-(self._geometry.rotation // 90))
        return read_only(np.ascontiguousarray(placed(pixels, size)))

    def _has_quick_way(self, frame: VideoFrame, colour: Colour) -> bool:
        """Whether it is ordinary upright video: 4:2:0 of 8 bits, for ordinary screens, not HDR."""
        is_upright = not self._geometry.mirrored and not self._geometry.rotation
        is_ordinary = not colour.is_hdr and not colour.is_wide
        return is_upright and is_ordinary and frame.format.name in _QUICK_FORMATS

    def _quick(self, frame: VideoFrame, size: tuple[int, int], colour: Colour) -> UInt8:
        """Scale first, then convert: unlike both at once, there is fast code for each."""
        width, height = size
        stored = (frame.width, frame.height)
        source = ColorRange.JPEG if colour.is_full else ColorRange.MPEG
        matrix = _SWS_MATRICES.get(colour.matrix)
        if self._halver.can_make(size, frame):
            frame = self._halver(frame)
        elif width <= frame.width and height <= frame.height and size != stored:
            frame = self._scaler.reformat(
                frame,
                width=width,
                height=height,
                format="yuv422p",
                src_colorspace=matrix,
                dst_colorspace=matrix,
                src_color_range=source,
                dst_color_range=source,
                interpolation=Interpolation.AREA,
                threads=1,
            )
        # WORKAROUND(swscale of FFmpeg 8 leaves up to 4 pixels at the end of a line unwritten where
        # its code for 4 bytes a pixel does not come out even; remove when it does not): 3 bytes a
        # pixel are right in every width, and take 0.04 ms more for 960 x 540.
        is_even = width % 16 == 0
        packed = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb0" if is_even else "rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=source,
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.BICUBIC,
            threads=1,
        )
        return plane_pixels(packed, np.uint8, channels=4 if is_even else 3)[..., :3]

    def _scaled(self, frame: VideoFrame, size: tuple[int, int], colour: Colour) -> UInt8:
        width, height = size[::-1] if self._geometry.is_turned else size
        is_deep = colour.is_hdr or colour.is_wide
        shrinks = width < frame.width or height < frame.height
        matrix = _SWS_MATRICES.get(colour.matrix)
        scaled = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb48le" if is_deep else "rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=ColorRange.JPEG if colour.is_full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.AREA if shrinks else Interpolation.BICUBIC,
            threads=1,
        )
        if not is_deep:
            return plane_pixels(scaled, np.uint8)
        # Imported here because Numba takes half a second and few recordings need it.
        from carl_core.video.tonemap import to_sdr

        return to_sdr(plane_pixels(scaled, np.uint16), colour.transfer)


def fitted_size(shown: tuple[int, int], size: tuple[int, int], fit: Fit) -> tuple[int, int]:
    """Width and height that a picture of size ``shown`` is scaled to before bars or cutting."""
    if fit == "squash":
        return size
    ratios = (size[0] / shown[0], size[1] / shown[1])
    ratio = min(ratios) if fit == "letterbox" else max(ratios)
    limit = min if fit == "letterbox" else max
    return (
        limit(max(1, round(shown[0] * ratio)), size[0]),
        limit(max(1, round(shown[1] * ratio)), size[1]),
    )


def placed(pixels: UInt8, size: tuple[int, int]) -> UInt8:
    """Centre pixels (h, w, 3) in a black picture of ``size``, or cut them down to it."""
    width, height = size
    for axis, wanted in ((0, height), (1, width)):
        extra = pixels.shape[axis] - wanted
        if extra > 0:
            cut = slice(extra // 2, extra // 2 + wanted)
            pixels = pixels[cut] if axis == 0 else pixels[:, cut]
    if pixels.shape[:2] == (height, width):
        return pixels
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    top, left = (height - pixels.shape[0]) // 2, (width - pixels.shape[1]) // 2
    picture[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return picture


def plane_pixels(frame: VideoFrame, dtype: npt.DTypeLike, *, channels: int = 3) -> npt.NDArray[Any]:
    """View a packed RGB frame as (H, W, C) without copying; the array keeps the memory alive."""
    rows = np.frombuffer(memoryview(frame.planes[0]), dtype=dtype).reshape(frame.height, -1)
    return rows[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
