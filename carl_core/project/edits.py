"""Changes of a project, each a function from one value to the next.

All raise ``ProjectError`` with a sentence for the user where a change makes no sense.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from msgspec.structs import replace

from carl_core.errors import ProjectError
from carl_core.project.project import Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.project.project import (
        Anchor,
        Loop,
        MapKind,
        Marker,
        Mask,
        Media,
        Method,
        Moment,
        TimeBaseName,
        View,
    )

NO_ROOM = (
    "Anchors must keep their order: what is later in one recording must be later in the other. "
    "Move or delete the neighbouring anchor first."
)


def add_recordings(project: Project, media: Sequence[Media]) -> Project:
    """Append recordings; the first of an empty project becomes the reference."""
    known = {m.id for m in project.recordings}
    for one in media:
        if one.id in known:
            raise ProjectError(f"{one.path} is already part of the project.")
        known.add(one.id)
    recordings = (*project.recordings, *media)
    reference = project.reference or (recordings[0].id if recordings else "")
    return replace(project, recordings=recordings, reference=reference)


def remove_recording(project: Project, recording: str) -> Project:
    """Take a recording out with its anchors, masks and markers; the next may be reference."""
    if project.media(recording) is None:
        raise ProjectError("This recording is not part of the project any more.")
    recordings = tuple(m for m in project.recordings if m.id != recording)
    reference = project.reference
    if reference == recording:
        reference = recordings[0].id if recordings else ""
    return replace(
        project,
        recordings=recordings,
        reference=reference,
        anchors=tuple(
            a for a in project.anchors if recording not in (a.first.recording, a.second.recording)
        ),
        masks=tuple(
            k for k in project.masks if recording not in (k.first.recording, k.second.recording)
        ),
        markers=tuple(m for m in project.markers if m.recording != recording),
        maps={key: kind for key, kind in project.maps.items() if key != recording},
        loop=project.loop if reference == project.reference else None,
    )


def clear(project: Project) -> Project:
    """Take all recordings out, with all that belongs to them."""
    return Project(method=project.method, base=project.base, model=project.model, view=project.view)


def set_reference(project: Project, recording: str) -> Project:
    """Align to another recording; anchors between other pairs stay and wait."""
    if project.media(recording) is None:
        raise ProjectError("This recording is not part of the project any more.")
    if recording == project.reference:
        return project
    return replace(project, reference=recording, loop=None)


def relink(project: Project, paths: dict[str, Media]) -> Project:
    """Replace recordings by id: the same content at another place."""
    return replace(
        project, recordings=tuple(paths.get(media.id, media) for media in project.recordings)
    )


def add_anchor(project: Project, anchor: Anchor) -> Project:
    """Add an anchor; one with a moment that is pinned already replaces that pin."""
    one, other = anchor.first.recording, anchor.second.recording
    kept = []
    for old in project.anchors:
        pair = old.between(one, other)
        if pair is None or (pair[0].pts != anchor.first.pts and pair[1].pts != anchor.second.pts):
            kept.append(old)
    _check_order([*kept, anchor], one, other)
    return replace(project, anchors=(*kept, anchor))


def move_anchor(project: Project, old: Anchor, new: Anchor) -> Project:
    """Put ``new`` in the place of ``old``."""
    if old not in project.anchors:
        raise ProjectError("This anchor is not part of the project any more.")
    return add_anchor(remove_anchor(project, old), new)


def remove_anchor(project: Project, anchor: Anchor) -> Project:
    """Take an anchor out."""
    return replace(project, anchors=tuple(a for a in project.anchors if a != anchor))


def clear_anchors(project: Project, one: str, other: str) -> Project:
    """Take out all anchors of a pair of recordings."""
    return replace(
        project, anchors=tuple(a for a in project.anchors if a.between(one, other) is None)
    )


def add_mask(project: Project, mask: Mask) -> Project:
    """Add a mask."""
    return project if mask in project.masks else replace(project, masks=(*project.masks, mask))


def remove_mask(project: Project, mask: Mask) -> Project:
    """Take a mask out."""
    return replace(project, masks=tuple(k for k in project.masks if k != mask))


def add_markers(project: Project, markers: Sequence[Marker]) -> Project:
    """Add markers."""
    known = {marker.id for marker in project.markers} & {marker.id for marker in markers}
    if known:
        raise ProjectError(f"There are markers with the ids {', '.join(sorted(known))} already.")
    return replace(project, markers=(*project.markers, *markers))


def change_marker(project: Project, marker: Marker) -> Project:
    """Replace the marker of this id."""
    if all(old.id != marker.id for old in project.markers):
        raise ProjectError("This marker is not part of the project any more.")
    return replace(
        project, markers=tuple(marker if old.id == marker.id else old for old in project.markers)
    )


def remove_markers(project: Project, ids: Sequence[str]) -> Project:
    """Take markers out."""
    return replace(project, markers=tuple(m for m in project.markers if m.id not in ids))


def set_method(project: Project, method: Method) -> Project:
    """Choose what recordings are aligned by."""
    return replace(project, method=method)


def set_base(project: Project, base: TimeBaseName) -> Project:
    """Choose what master time runs with."""
    return replace(project, base=base)


def set_map(project: Project, recording: str, kind: MapKind) -> Project:
    """Choose how one recording is mapped to the reference."""
    if project.media(recording) is None:
        raise ProjectError("This recording is not part of the project any more.")
    others = {key: value for key, value in project.maps.items() if key != recording}
    return replace(project, maps=others if kind == "auto" else {**others, recording: kind})


def set_loop(project: Project, loop: Loop | None) -> Project:
    """Set in and out."""
    return replace(project, loop=loop)


def set_view(project: Project, view: View) -> Project:
    """Keep how the pictures are shown."""
    return replace(project, view=view)


def _check_order(anchors: Sequence[Anchor], one: str, other: str) -> None:
    pairs: list[tuple[Moment, Moment]] = sorted(
        (pair for pair in (a.between(one, other) for a in anchors) if pair),
        key=lambda pair: pair[0].pts,
    )
    for (_, before), (_, after) in itertools.pairwise(pairs):
        if after.pts <= before.pts:
            raise ProjectError(NO_ROOM)
