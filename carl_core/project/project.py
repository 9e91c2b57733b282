"""A comparison as one immutable value: recordings, reference, anchors, masks, markers, options.

Everything the user decides is here; what the machine computes is not. Two moments are named by the
presentation timestamps of the frames that show them; the seconds beside them are for display and
for recordings that are missing.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

VERSION = 1
FORMAT = "carl-project"

MapKind: TypeAlias = Literal["auto", "dtw", "offset", "linear", "anchors"]
Method: TypeAlias = Literal["pictures", "sound", "timecode"]
TimeBaseName: TypeAlias = Literal["reference", "mean", "native"]
ViewMode: TypeAlias = Literal["grid", "overlay", "difference", "wipe"]


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Immutable, compared by value; fields at their defaults are left out of the file."""


class Media(_Value, frozen=True):
    """One recording of the comparison.

    Attributes
    ----------
    id : how the other parts of the project name it, unique
    path : absolute path
    fingerprint : of the content, see ``carl_core.video.recording.fingerprint_of``; "" = not known
    size : bytes
    name : shown; "" = the file's name
    """

    id: str
    path: str
    fingerprint: str = ""
    size: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        _check(bool(self.id), "a recording needs an id")
        _check(bool(self.path), f"recording {self.id!r} needs a path")
        _check(self.size >= 0, f"recording {self.id!r}: size {self.size} is negative")


class Moment(_Value, frozen=True):
    """A frame of a recording.

    Attributes
    ----------
    recording : id
    pts : presentation timestamp in the recording's own ticks: what identifies the frame
    time_s : the same in seconds from the recording's first frame
    """

    recording: str
    pts: int
    time_s: float

    def __post_init__(self) -> None:
        _check(math.isfinite(self.time_s), f"time {self.time_s} must be finite")


class Anchor(_Value, frozen=True):
    """Two moments the user says are the same.

    Attributes
    ----------
    author : who says so, "" = not known
    made : when, ISO 8601
    """

    first: Moment
    second: Moment
    author: str = ""
    made: str = ""

    def __post_init__(self) -> None:
        _check(
            self.first.recording != self.second.recording,
            "an anchor needs two different recordings",
        )

    def between(self, one: str, other: str) -> tuple[Moment, Moment] | None:
        """Return the moments in this order of recordings, None when it is of another pair."""
        if (self.first.recording, self.second.recording) == (one, other):
            return self.first, self.second
        if (self.first.recording, self.second.recording) == (other, one):
            return self.second, self.first
        return None


class Span(_Value, frozen=True):
    """A stretch of a recording, seconds from its first frame, ``start_s`` < ``end_s``."""

    recording: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        _check(
            math.isfinite(self.start_s) and math.isfinite(self.end_s) and self.start_s < self.end_s,
            f"a stretch from {self.start_s} to {self.end_s} s is none",
        )


class Mask(_Value, frozen=True):
    """Two stretches with no match between them ("apart"), or only with each other ("together")."""

    first: Span
    second: Span
    kind: Literal["apart", "together"] = "apart"

    def __post_init__(self) -> None:
        _check(
            self.first.recording != self.second.recording, "a mask needs two different recordings"
        )


class Marker(_Value, frozen=True):
    """A moment or a phase with a name.

    Attributes
    ----------
    id : unique in the project
    start, end : first and last frame; ``end`` None = a moment
    colour : "#rrggbb", "" = by the program
    derived_from : id of the marker it was carried over from and accepted, "" = made here
    """

    id: str
    name: str
    start: Moment
    end: Moment | None = None
    colour: str = ""
    note: str = ""
    derived_from: str = ""

    def __post_init__(self) -> None:
        _check(bool(self.id), "a marker needs an id")
        if self.end is not None:
            _check(
                self.end.recording == self.start.recording and self.end.pts >= self.start.pts,
                f"marker {self.name!r} must end in the same recording, not before it starts",
            )
        is_hex = len(self.colour) == 7 and self.colour[0] == "#"
        is_hex = is_hex and all(c in "0123456789abcdefABCDEF" for c in self.colour[1:])
        _check(not self.colour or is_hex, f"marker colour {self.colour!r} must be like #1a2b3c")

    @property
    def recording(self) -> str:
        """Id of the recording it lies in."""
        return self.start.recording

    @property
    def end_s(self) -> float:
        """End in seconds; of a moment, the moment."""
        return (self.end or self.start).time_s


class Loop(_Value, frozen=True):
    """The range that is played, seconds of the reference."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        _check(
            math.isfinite(self.start_s) and math.isfinite(self.end_s) and self.start_s < self.end_s,
            f"a range from {self.start_s} to {self.end_s} s is none",
        )


class View(_Value, frozen=True):
    """How the pictures are shown; kept in the file, no step of undo."""

    mode: ViewMode = "grid"
    opacity: float = 0.5
    gain: float = 2.0
    wipe: float = 0.5


class Project(_Value, frozen=True):
    """The whole; ``carl_core.project.edits`` changes it.

    Attributes
    ----------
    reference : id of the recording the others are aligned to, "" when there is none
    model : id of the encoder, "" = the bundled one
    maps : how a recording is mapped where it is not ``auto``, by id
    loop : in and out, None = all
    """

    recordings: tuple[Media, ...] = ()
    reference: str = ""
    anchors: tuple[Anchor, ...] = ()
    masks: tuple[Mask, ...] = ()
    markers: tuple[Marker, ...] = ()
    method: Method = "pictures"
    base: TimeBaseName = "reference"
    maps: dict[str, MapKind] = msgspec.field(default_factory=dict)
    model: str = ""
    loop: Loop | None = None
    view: View = msgspec.field(default_factory=View)

    def __post_init__(self) -> None:
        ids = {media.id for media in self.recordings}
        _check(len(ids) == len(self.recordings), "two recordings have the same id")
        _check(
            self.reference in ids if ids else not self.reference,
            f"the reference {self.reference!r} is none of the recordings",
        )
        for what, used in (
            ("anchor", {m.recording for a in self.anchors for m in (a.first, a.second)}),
            ("mask", {s.recording for k in self.masks for s in (k.first, k.second)}),
            ("marker", {marker.recording for marker in self.markers}),
            ("map", set(self.maps)),
        ):
            strange = sorted(used - ids)
            _check(not strange, f"a {what} names {strange} that are none of the recordings")
        _check(
            len({marker.id for marker in self.markers}) == len(self.markers),
            "two markers have the same id",
        )

    def media(self, recording: str) -> Media | None:
        """One recording, None when it is not there."""
        return next((media for media in self.recordings if media.id == recording), None)

    def anchors_of(self, other: str) -> tuple[tuple[Moment, Moment], ...]:
        """Pairs (of the reference, of ``other``) in ascending time."""
        pairs = (anchor.between(self.reference, other) for anchor in self.anchors)
        return tuple(sorted((p for p in pairs if p), key=lambda p: (p[0].time_s, p[1].time_s)))

    def markers_of(self, recording: str) -> tuple[Marker, ...]:
        """Markers of one recording in ascending time."""
        found = (marker for marker in self.markers if marker.recording == recording)
        return tuple(sorted(found, key=lambda marker: (marker.start.time_s, marker.end_s)))


def _check(is_right: bool, what: str) -> None:
    if not is_right:
        raise ValueError(what)
