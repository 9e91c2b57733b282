"""Markers carried from one recording to the others through their time maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from carl_core.project.project import Moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from carl_core.alignment.timemap import TimeMap
    from carl_core.project.project import Marker, Project
    from carl_core.timebase import FrameIndex


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of the markers.

    Attributes
    ----------
    markers : derived ones; each ``derived_from`` names its source, ids are "SOURCE@RECORDING"
    lost : (id of the marker, id of the recording) where there is no counterpart
    """

    markers: tuple[Marker, ...]
    lost: tuple[tuple[str, str], ...]


def carried_markers(
    project: Project, indices: Mapping[str, FrameIndex], maps: Mapping[str, TimeMap]
) -> Carried:
    """Carry every marker made by the user to every other recording that is mapped.

    Parameters
    ----------
    indices : frames of each recording, by id
    maps : reference seconds to seconds of another recording, by the other's id

    A marker of another recording goes to the reference first, against its map. Start and end snap
    to the frame shown at their time: a frame is its timestamp. Where the user accepted a carried
    marker already, or a marker of this name lies in the other recording within its own length (a
    moment: a second), nothing is derived. A phase of which an end has no counterpart is lost, not
    cut: its length would be none.
    """
    reference = project.reference
    found: list[Marker] = []
    lost: list[tuple[str, str]] = []
    accepted = {(m.derived_from, m.recording) for m in project.markers if m.derived_from}
    for marker in project.markers:
        if marker.derived_from:
            continue
        for target in (media.id for media in project.recordings):
            if target == marker.recording or (marker.id, target) in accepted:
                continue
            known = target in indices and (target == reference or target in maps)
            if not known or (marker.recording != reference and marker.recording not in maps):
                continue
            moments = [
                _carried(moment, target, reference, indices, maps)
                for moment in (marker.start, marker.end)
                if moment is not None
            ]
            whole = [moment for moment in moments if moment is not None]
            if len(whole) < len(moments):
                lost.append((marker.id, target))
                continue
            end = whole[1] if len(whole) == 2 else None
            if end is not None and end.pts < whole[0].pts:
                end = whole[0]
            new = replace(
                marker,
                id=f"{marker.id}@{target}",
                start=whole[0],
                end=end,
                derived_from=marker.id,
            )
            if not _is_there(project, new):
                found.append(new)
    return Carried(tuple(found), tuple(lost))


def _carried(
    moment: Moment,
    target: str,
    reference: str,
    indices: Mapping[str, FrameIndex],
    maps: Mapping[str, TimeMap],
) -> Moment | None:
    time_s = moment.time_s
    if moment.recording != reference:
        time_s = float(maps[moment.recording].inverse()(time_s))
    if target != reference:
        time_s = float(maps[target](time_s))
    index = indices[target]
    if not 0 <= time_s < index.duration_s:  # also where it is no number
        return None
    frame = index.frame_shown_at(time_s)
    return Moment(recording=target, pts=int(index.pts[frame]), time_s=index.time_of(frame))


def _is_there(project: Project, new: Marker) -> bool:
    """Whether the user has marked the same thing in this recording."""
    reach_s = max(1.0, new.end_s - new.start.time_s)
    return any(
        m.recording == new.recording
        and m.name == new.name
        and not m.derived_from
        and abs(m.start.time_s - new.start.time_s) <= reach_s
        for m in project.markers
    )
