"""What a project demands of the alignment of one recording to the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from carl_core.alignment.alignment import Anchor, Mask

if TYPE_CHECKING:
    from carl_core.project.project import Project, Span

_BY_METHOD = {"pictures": "auto", "sound": "audio", "timecode": "timecode"}
_EDGE_S = 1e-6
_STRAIGHT = ("audio", "timecode", "offset", "linear", "anchors")


@dataclass(frozen=True, slots=True)
class Constraints:
    """Arguments of ``Engine.align``."""

    method: str = "auto"
    anchors: tuple[Anchor, ...] = ()
    masks: tuple[Mask, ...] = ()


def constraints_of(
    project: Project, other: str, reference_duration_s: float, other_duration_s: float
) -> Constraints:
    """Return how ``other`` is to be aligned.

    A kind of map chosen for the recording goes before the method chosen for all. Sound and timecode
    shift a recording as a whole, and so does "offset": where there are anchors, the middle one
    decides by how much. "linear" goes through the first and the last anchor, of two or more.
    "together" forbids what leads out of either stretch while inside the other.
    """
    anchors = tuple(
        Anchor(ours.time_s, theirs.time_s) for ours, theirs in project.anchors_of(other)
    )
    masks: list[Mask] = []
    for mask in project.masks:
        pair = (mask.first.recording, mask.second.recording)
        if pair == (project.reference, other):
            ours, theirs = mask.first, mask.second
        elif pair == (other, project.reference):
            ours, theirs = mask.second, mask.first
        else:
            continue
        if mask.kind == "apart":
            masks.append(Mask(ours.start_s, ours.end_s, theirs.start_s, theirs.end_s))
        else:
            masks += _around(ours, theirs, reference_duration_s, other_duration_s)
    method = project.maps.get(other) or _BY_METHOD[project.method]
    if method in _STRAIGHT:
        masks = []  # nothing is searched for
        if method != "anchors" and anchors:
            is_line = method == "linear" and len(anchors) > 1
            anchors = (anchors[0], anchors[-1]) if is_line else (anchors[len(anchors) // 2],)
            method = "anchors"
    return Constraints(method, anchors, tuple(masks))


def _around(ours: Span, theirs: Span, ours_s: float, theirs_s: float) -> list[Mask]:
    """Everything beside and above a rectangle, not what lies before or after in both.

    The edges belong to the rectangle: the path comes in through one corner and leaves by the other.
    """
    found = []
    if theirs.start_s > _EDGE_S:
        found.append(Mask(ours.start_s, ours.end_s, 0.0, theirs.start_s - _EDGE_S))
    if theirs.end_s + _EDGE_S < theirs_s:
        found.append(Mask(ours.start_s, ours.end_s, theirs.end_s + _EDGE_S, theirs_s))
    if ours.start_s > _EDGE_S:
        found.append(Mask(0.0, ours.start_s - _EDGE_S, theirs.start_s, theirs.end_s))
    if ours.end_s + _EDGE_S < ours_s:
        found.append(Mask(ours.end_s + _EDGE_S, ours_s, theirs.start_s, theirs.end_s))
    return found
