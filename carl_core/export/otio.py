"""The alignment as an OpenTimelineIO timeline, for editing programs.

One video track per recording, all as long as the reference. The reference is one clip. Any other
recording is cut where its time map bends: each clip runs at one speed (``LinearTimeWarp``, media
seconds per second of the timeline; ``FreezeFrame`` where it holds still), gaps stand where it has
no counterpart. OpenTimelineIO knows no other time effects and some of its adapters drop them, so
the whole map also lies in each track's metadata, under ``carl``.

Source: OpenTimelineIO 0.18 documentation, "Time warps": a warp does not change how long a clip
lasts on its track, only how fast its media run.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.atomic import write_atomic
from carl_core.errors import ExportError
from carl_core.video.info import display_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from carl_core.arrays import Float64
    from carl_core.playback.schedule import Schedule
    from carl_core.video.recording import Recording

FORMAT_VERSION = 1
_HOLD = 1e-6
"""Media seconds per second below which a recording holds still."""

Mark = tuple[str, str, float, float]
"""Recording id, name, start and end in the recording's own seconds."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A straight piece of a map: seconds of the reference, and of the other at its start."""

    start_s: float
    end_s: float
    other_s: float
    rate: float


def is_available() -> bool:
    """Whether the library is installed."""
    try:
        _library()
    except ExportError:
        return False
    return True


def write_timeline(path: Path, schedule: Schedule, marks: Sequence[Mark] = ()) -> Path:
    """Write an ``.otio`` file; ``schedule`` says which maps there are, its time base is ignored.

    Times on the timeline are seconds of the reference at its mean frame rate; source times are the
    recordings' own seconds from their first frame, at their mean frame rate. Identity of a frame
    stays its timestamp: ``first_pts`` and ``time_base`` are in the metadata.

    Raises
    ------
    ExportError
        When the library is missing or the file cannot be written.
    """
    otio = _library()
    timeline = timeline_of(schedule, marks)
    try:
        write_atomic(path, otio.adapters.write_to_string(timeline, "otio_json"))
    except OSError as error:
        raise ExportError(
            f"The timeline {path} cannot be written: {error.strerror or error}. "
            "Choose another folder or free some space."
        ) from error
    return path


def timeline_of(schedule: Schedule, marks: Sequence[Mark] = ()) -> Any:
    """Return the ``opentimelineio.schema.Timeline``. Raises ``ExportError`` without the library."""
    otio = _library()
    reference = schedule.reference
    timeline = otio.schema.Timeline(name=display_text(reference.path.stem))
    timeline.metadata["carl"] = {"version": FORMAT_VERSION, "reference": reference.name}
    rate = _rate(reference)
    for recording in schedule.recordings:
        own = [mark for mark in marks if mark[0] == recording.id]
        track = otio.schema.Track(name=recording.name, kind=otio.schema.TrackKind.Video)
        track.metadata["carl"] = _facts(recording, schedule)
        if recording is reference:
            pieces = [Piece(0.0, reference.index.duration_s, 0.0, 1.0)]
        elif recording.id in schedule.maps:
            pieces = straight_pieces(
                schedule.maps[recording.id],
                reference.index.times_s,
                reference.index.duration_s,
                tolerance_s(recording),
            )
        else:
            track.metadata["carl"]["aligned"] = False
            end_s = min(reference.index.duration_s, recording.index.duration_s)
            pieces = [Piece(0.0, end_s, 0.0, 1.0)]
        _fill(otio, track, recording, pieces, own, rate, reference.index.duration_s)
        timeline.tracks.append(track)
    return timeline


def tolerance_s(recording: Recording) -> float:
    """How far a straight piece may be from the map: half a frame of the recording."""
    return recording.index.duration_s / len(recording.index) / 2


def straight_pieces(
    time_map: Any, times_s: Float64, duration_s: float, tolerance: float
) -> list[Piece]:
    """Cut a map into straight pieces whose ends are frames of the reference.

    Parameters
    ----------
    time_map : seconds of the reference to own seconds, NaN = no counterpart
    times_s : float64 (N,), the reference's frames
    duration_s : end of its last frame
    tolerance : seconds a piece may be from the map at any frame (Ramer 1972, Douglas and Peucker
        1973, measured along the other recording's time)
    """
    own_s = np.asarray(time_map(times_s), dtype=np.float64)
    known = np.isfinite(own_s)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    ends_s = np.append(times_s, duration_s)
    pieces: list[Piece] = []
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        knots = _simplified(times_s[first:after], own_s[first:after], tolerance)
        frames = [first + k for k in knots]
        rate = 1.0
        for here, then in pairwise(frames):
            rate = float((own_s[then] - own_s[here]) / (times_s[then] - times_s[here]))
            pieces.append(
                Piece(float(times_s[here]), float(times_s[then]), float(own_s[here]), rate)
            )
        # The last frame is shown until the next one would come.
        if len(frames) > 1:
            last = pieces.pop()
            pieces.append(Piece(last.start_s, float(ends_s[after]), last.other_s, last.rate))
        else:
            start_s = float(times_s[first])
            pieces.append(Piece(start_s, float(ends_s[after]), float(own_s[first]), rate))
    return pieces


def _simplified(times_s: Float64, own_s: Float64, tolerance: float) -> list[int]:
    """Return which points to keep so that no other is farther than ``tolerance`` from the line."""
    kept = {0, len(times_s) - 1}
    waiting = [(0, len(times_s) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        inner = slice(first + 1, last)
        line = np.interp(times_s[inner], times_s[[first, last]], own_s[[first, last]])
        away = np.abs(own_s[inner] - line)
        worst = int(away.argmax())
        if away[worst] > tolerance:
            middle = first + 1 + worst
            kept.add(middle)
            waiting += [(first, middle), (middle, last)]
    return sorted(kept)


def _fill(
    otio: Any,
    track: Any,
    recording: Recording,
    pieces: Sequence[Piece],
    marks: Sequence[Mark],
    rate: float,
    duration_s: float,
) -> None:
    """Lay clips and gaps one after the other until the end of the reference."""
    own_rate = _rate(recording)

    def range_of(start_s: float, length_s: float, at_rate: float) -> Any:
        return otio.opentime.TimeRange(_time(otio, start_s, at_rate), _time(otio, length_s, rate))

    def gap(length_s: float) -> None:
        if length_s > 1e-9:
            track.append(otio.schema.Gap(source_range=range_of(0.0, length_s, rate)))

    end_s = recording.index.duration_s
    at_s = 0.0
    for piece in pieces:
        gap(piece.start_s - at_s)
        media = otio.schema.ExternalReference(
            target_url=recording.path.absolute().as_uri(),
            available_range=otio.opentime.TimeRange(
                _time(otio, 0.0, own_rate), _time(otio, end_s, own_rate)
            ),
        )
        length_s = piece.end_s - piece.start_s
        clip = otio.schema.Clip(
            name=display_text(recording.path.stem),
            media_reference=media,
            source_range=range_of(piece.other_s, length_s, own_rate),
        )
        if abs(piece.rate) < _HOLD:
            clip.effects.append(otio.schema.FreezeFrame())
        elif abs(piece.rate - 1.0) > _HOLD:
            clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=piece.rate))
        shown_to_s = piece.other_s + piece.rate * length_s
        for _, name, start_s, stop_s in marks:
            if piece.other_s <= start_s < shown_to_s:
                marked = otio.opentime.TimeRange(
                    _time(otio, start_s, own_rate), _time(otio, stop_s - start_s, own_rate)
                )
                clip.markers.append(otio.schema.Marker(name=name, marked_range=marked))
        track.append(clip)
        at_s = piece.end_s
    gap(duration_s - at_s)
    track.metadata["carl"]["markers"] = [
        {"name": name, "start_s": start_s, "end_s": stop_s} for _, name, start_s, stop_s in marks
    ]


def _facts(recording: Recording, schedule: Schedule) -> dict[str, Any]:
    index = recording.index
    facts: dict[str, Any] = {
        "fingerprint": recording.fingerprint,
        "first_pts": int(index.pts[0]),
        "time_base": f"{index.time_base.numerator}/{index.time_base.denominator}",
        "frames": len(index),
        "aligned": True,
    }
    time_map = schedule.maps.get(recording.id)
    if time_map is not None:
        facts["tolerance_s"] = tolerance_s(recording)
        facts["map"] = {
            "reference_s": time_map.reference_s.tolist(),
            "other_s": [s if np.isfinite(s) else None for s in time_map.other_s.tolist()],
        }
    return facts


def _rate(recording: Recording) -> float:
    """Mean frames per second: only the unit times are written in."""
    return float(len(recording.index) / recording.index.duration_s)


def _time(otio: Any, seconds: float, rate: float) -> Any:
    return otio.opentime.RationalTime(seconds * rate, rate)


def _library() -> Any:
    # optional: an extra
    try:
        import opentimelineio
    except ImportError as error:
        raise ExportError(
            "OpenTimelineIO is not installed, so no timeline can be written. Install it with: "
            "pip install opentimelineio (the extra [timeline])."
        ) from error
    return opentimelineio
