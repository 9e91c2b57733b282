"""What is in a video file, as a user sees it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Properties of the video stream a recording uses.

    Attributes
    ----------
    codec : name of the coding, e.g. "h264"
    width, height : pixels as shown, after rotation and sample aspect ratio
    coded_width, coded_height : pixels as stored
    rotation : degrees clockwise that the stored picture must be turned to stand upright
    mirrored : whether the stored picture is flipped left to right before it is turned
    sar : width of a stored pixel over its height
    frames : number of presented frames
    duration_s : seconds from the first frame's appearance to the last one's end
    vfr : whether frame intervals vary
    first_pts : tick of the first presented frame
    time_base : seconds per tick
    audio : codec of the audio stream that goes with it, or None
    is_hdr : whether brightness is stored as PQ or HLG (it is shown tone mapped)
    is_interlaced : whether pictures are stored as two fields (they are shown deinterlaced)
    colour : matrix and range, e.g. "bt709 limited"
    problems : whole sentences on what is not as it should be; empty for a sound file
    timecode : as the camera wrote it for the first frame, or None
    """

    codec: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    rotation: int
    mirrored: bool
    sar: Fraction
    frames: int
    duration_s: float
    vfr: bool
    first_pts: int
    time_base: Fraction
    audio: str | None
    is_hdr: bool
    is_interlaced: bool
    colour: str
    problems: tuple[str, ...] = ()
    timecode: str | None = None

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.coded_width, self.coded_height) < 1:
            raise ValueError(f"size must be positive, got {self.width}x{self.height}")
        if self.rotation not in (0, 90, 180, 270):
            raise ValueError(f"rotation must be 0, 90, 180 or 270, got {self.rotation}")
        if self.sar <= 0:
            raise ValueError(f"sar must be positive, got {self.sar}")
        if self.frames < 1:
            raise ValueError(f"a recording has at least one frame, got {self.frames}")

    def to_json(self, path: str | os.PathLike[str] = "") -> dict[str, object]:
        """Return what ``carl probe --json`` prints for the file at ``path``.

        Undecodable bytes in the path are replaced, so that the text is valid UTF-8.
        """
        return {
            "path": display_text(path),
            "codec": self.codec,
            "size": [self.width, self.height],
            "rotation": self.rotation,
            "sar": f"{self.sar.numerator}:{self.sar.denominator}",
            "frames": self.frames,
            "duration_s": round(self.duration_s, 6),
            "vfr": self.vfr,
            "first_pts": self.first_pts,
            "time_base": f"{self.time_base.numerator}/{self.time_base.denominator}",
            "audio": self.audio,
            "problems": list(self.problems),
        }


def display_text(path: str | os.PathLike[str]) -> str:
    """Return ``path`` with bytes that are no text replaced, safe to print and to encode."""
    try:
        content = os.fsencode(path)
    except UnicodeEncodeError:  # a file of a stranger may name what is no path anywhere
        content = os.fspath(path).encode("utf-8", errors="replace")
    return content.decode("utf-8", errors="replace")
