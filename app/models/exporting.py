"""What is to be written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """One sort of export, with the suffix of its file."""

    VIDEO = "mp4"
    STILL = "png"
    ALIGNMENT = "json"
    TABLE = "csv"
    HEATMAP = "heatmap.png"
    TIMELINE = "otio"


@dataclass(frozen=True, slots=True)
class ExportChoice:
    """What the user chose.

    Attributes
    ----------
    is_as_shown : the view of the window (overlay of two, say); otherwise all recordings in a grid
    is_range : from in to out alone
    height : pixels of one picture
    has_names, has_marks, has_sound : what is in the video
    has_frames : write beside it which frame of which recording every frame shows
    """

    kind: Kind = Kind.VIDEO
    is_as_shown: bool = True
    is_range: bool = False
    height: int = 540
    has_names: bool = True
    has_marks: bool = True
    has_sound: bool = True
    has_frames: bool = False


@dataclass(frozen=True, slots=True)
class ExportOffer:
    """What can be chosen now.

    Attributes
    ----------
    view : name of the window's view
    is_zoomed : whether a recording's picture is seen in part
    has_range : whether in and out are set
    has_marks : whether there are markers
    sound : why there is no sound, "" = there is
    heatmap : why there is no heatmap, "" = there is
    timeline : why no timeline can be written, "" = it can
    """

    view: str
    has_range: bool
    has_marks: bool
    sound: str = ""
    heatmap: str = ""
    timeline: str = ""
    is_zoomed: bool = False
