"""Small values that presenters hand to views."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.alignment.timemap import TimeMap
    from carl_core.arrays import Float64, UInt8


@dataclass(frozen=True, slots=True)
class TileState:
    """What a tile writes over and under its picture.

    Attributes
    ----------
    aspect : width over height of the picture as shown
    width, height : pixels of the recording as shown
    note : a sentence over the picture, "" = none
    progress : 0 to 1 while something is computed, -1 = unknown how far, None = nothing is
    status : a few words beside the progress
    kind : how its map came about, in a word, "" = it has none
    is_kind_chosen : whether the user chose that kind
    chips : what is unusual: a nudge that is not pinned
    """

    recording_id: str
    letter: str
    position: int
    name: str
    aspect: float
    width: int
    height: int
    is_reference: bool = False
    is_active: bool = False
    note: str = ""
    progress: float | None = None
    status: str = ""
    kind: str = ""
    is_kind_chosen: bool = False
    chips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LaneMark:
    """A marker (``end_s`` None) or a phase on a lane, seconds of its recording."""

    start_s: float
    end_s: float | None
    name: str
    colour: str
    is_derived: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One recording on the timeline, all times its own seconds.

    Attributes
    ----------
    frame_times_s : when each frame begins, float64 (F,), ascending
    time_map : from seconds of the reference to its own; None = not aligned, or the reference
    confidence : (time, 0 to 1) pairs in ascending time, float64 (N, 2); None until aligned
    mapped : aligned stretches (start, end)
    uncertain : stretches (start, end) where the map may be wrong
    hits : times of the last search's moments
    curve : (time, 0 to 1) how alike each moment is to what was looked for, float64 (N, 2)
    marks : markers and phases, those carried over too
    pins : times that are pinned
    range_s : in and out, on the reference; None = all is played
    """

    recording_id: str
    letter: str
    position: int
    name: str
    duration_s: float
    is_reference: bool
    is_active: bool = False
    frame_times_s: Float64 = field(default_factory=lambda: np.empty(0))
    time_map: TimeMap | None = None
    confidence: Float64 | None = None
    mapped: tuple[tuple[float, float], ...] = ()
    uncertain: tuple[tuple[float, float], ...] = ()
    hits: tuple[float, ...] = ()
    curve: Float64 | None = None
    marks: tuple[LaneMark, ...] = ()
    pins: tuple[float, ...] = ()
    range_s: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PicturesWish:
    """Places of a lane that are on the screen and have no picture yet, own seconds.

    Attributes
    ----------
    centres_s : middles of the places, the most wanted first
    step_s : length of each place
    """

    recording_id: str
    centres_s: tuple[float, ...]
    step_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A small picture of one moment: uint8 (H, W, 3) RGB."""

    time_s: float
    pixels: UInt8


@dataclass(frozen=True, slots=True)
class Transport:
    """What the row of play buttons shows."""

    time_s: float = 0.0
    duration_s: float = 0.0
    is_playing: bool = False
    rate: float = 1.0
    frame: int | None = None
    frames: int = 0
    is_enabled: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class HeatmapPicture:
    """A map of two recordings, ready to show.

    Attributes
    ----------
    values : uint8 (rows, columns); a row is a moment of the one on the left, a column one of the
        one below
    column_range_s, row_range_s : seconds at the outer edges (start, end)
    scale : what 0 and 255 stand for: similarities, or (``is_cost``) additional costs of a path
    """

    values: UInt8
    column_range_s: tuple[float, float]
    row_range_s: tuple[float, float]
    scale: tuple[float, float] = (-1.0, 1.0)
    is_cost: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class PairPreview:
    """A small map of reference and one other recording.

    Attributes
    ----------
    values : uint8 (rows, columns) like ``HeatmapPicture``; None while it is computed
    path : float64 (N, 2), shares of the two lengths from the lower left corner
    """

    recording_id: str
    letter: str
    position: int
    text: str
    values: UInt8 | None
    path: Float64


@dataclass(frozen=True, slots=True, eq=False)
class CursorFrame:
    """One of the two frames under the cursor; ``text`` says when it is."""

    letter: str
    position: int
    text: str
    picture: Thumbnail


@dataclass(frozen=True, slots=True, eq=False)
class CursorFrames:
    """Both frames under the cursor, of this pair of seconds."""

    at_s: tuple[float, float]
    reference: CursorFrame
    other: CursorFrame


@dataclass(frozen=True, slots=True)
class PairChoice:
    """One pair the heatmap can show."""

    recording_id: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """How good an alignment is, in words.

    Attributes
    ----------
    kind : "good", "warning", "error", "chosen" (by hand) or "busy"
    """

    kind: str
    title: str
    reason: str
    facts: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job as the status bar and the list of jobs show it.

    Attributes
    ----------
    key : names the job to whoever pauses or cancels it
    text : what it does
    detail : share, rate and time left, or that it waits, is paused or is being cancelled
    fraction : 0 to 1, None when unknown
    """

    key: str
    text: str
    detail: str
    fraction: float | None
    is_cancelling: bool = False
    is_paused: bool = False
