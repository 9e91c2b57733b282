"""Pins and masks of the pair the heatmap shows: added, dragged, removed, each a step of undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject

from app.models.pinning import Patch, Pin, Range, Wall
from carl_core.project import edits
from carl_core.project.project import Anchor, Mask, Moment, Project, Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.models.project import ProjectModel
    from app.models.session import Entry, SessionModel
    from app.presenters.project_files import ProjectFiles

_DRAG = "drag-pin"

EDGE_SHARE = 0.02
"""Share of a recording's length within which a rectangle reaches its beginning or end."""


class PinsView(Protocol):
    """The layer over the heatmap, as this presenter sees it."""

    def set_pins(self, pins: tuple[Pin, ...], patches: tuple[Patch, ...]) -> None:
        """Show these; places in the tuples are how the view names them."""
        ...

    def set_wall(self, wall: Wall) -> None:
        """Show what a dragged pin runs against."""
        ...


class PinningPresenter(QObject):
    """Changes anchors and masks between the reference and one other recording.

    Parameters
    ----------
    other : id of the recording the heatmap shows against the reference
    """

    def __init__(
        self,
        session: SessionModel,
        project: ProjectModel,
        files: ProjectFiles,
        other: Callable[[], str],
        view: PinsView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._project = project
        self._files = files
        self._other = other
        self._view = view
        self._anchors: tuple[Anchor, ...] = ()
        self._masks: tuple[Mask, ...] = ()
        self._dragged: Anchor | None = None

    def refresh(self) -> None:
        """Show the pins and masks of the pair."""
        one, other = self._session.reference_id, self._other()
        project = self._project.project
        self._anchors = tuple(a for a in project.anchors if a.between(one, other))
        self._masks = tuple(
            m for m in project.masks if {m.first.recording, m.second.recording} == {one, other}
        )
        pins = []
        for anchor in self._anchors:
            pair = anchor.between(one, other)
            assert pair is not None
            pins.append(Pin(pair[0].time_s, pair[1].time_s))
        patches = []
        for mask in self._masks:
            spans = (mask.first, mask.second)
            first, second = spans if mask.first.recording == one else spans[::-1]
            patches.append(
                Patch(
                    (first.start_s, first.end_s),
                    (second.start_s, second.end_s),
                    mask.kind == "together",
                )
            )
        self._view.set_pins(tuple(pins), tuple(patches))

    def add(self, reference_s: float, other_s: float) -> None:
        """Pin two moments."""
        anchor = self._anchor(reference_s, other_s)
        if anchor is not None:
            self._files.edit(self.tr("pin"), lambda p: edits.add_anchor(p, anchor))

    def begin_drag(self, number: int) -> None:
        """Take hold of a pin."""
        self._dragged = self._anchors[number] if 0 <= number < len(self._anchors) else None

    def drag(self, reference_s: float, other_s: float) -> None:
        """Move the pin that is held; it stops at its neighbours, and the wall is shown."""
        old = self._dragged
        if old is None:
            return
        lows, highs = self._room(old)
        held = (
            min(max(reference_s, lows[0]), highs[0]),
            min(max(other_s, lows[1]), highs[1]),
        )
        new = self._anchor(*held)
        self._view.set_wall(
            Wall(
                held[0] if held[0] != reference_s else None,
                held[1] if held[1] != other_s else None,
            )
        )
        if new is None or (new.first, new.second) == (old.first, old.second):
            return
        if self._files.edit(
            self.tr("move a pin"), lambda p: edits.move_anchor(p, old, new), merge=_DRAG
        ):
            self._dragged = new

    @property
    def held_s(self) -> tuple[float, float] | None:
        """Seconds of reference and other that the pin that is dragged joins; None = none is."""
        pair = (
            self._dragged.between(self._session.reference_id, self._other())
            if self._dragged is not None
            else None
        )
        return None if pair is None else (pair[0].time_s, pair[1].time_s)

    def end_drag(self) -> None:
        """Let go: what the drag changed is one step."""
        self._dragged = None
        self._view.set_wall(Wall())
        self._project.end_merge()

    def remove_pin(self, number: int) -> None:
        """Take a pin out."""
        if 0 <= number < len(self._anchors):
            anchor = self._anchors[number]
            self._files.edit(self.tr("unpin"), lambda p: edits.remove_anchor(p, anchor))

    def remove_patch(self, number: int) -> None:
        """Take a mask or corridor out."""
        if 0 <= number < len(self._masks):
            mask = self._masks[number]
            self._files.edit(self.tr("remove a mask"), lambda p: edits.remove_mask(p, mask))

    def clear_patches(self) -> None:
        """Take all masks and corridors of the pair out."""
        masks = self._masks

        def clear(project: Project) -> Project:
            for mask in masks:
                project = edits.remove_mask(project, mask)
            return project

        if masks:
            self._files.edit(self.tr("remove all masks"), clear)

    def add_patch(self, reference_s: Range, other_s: Range, is_corridor: bool) -> None:
        """Say that nothing matches in a rectangle, or that the path passes through it."""
        reference = self._session.entry(self._session.reference_id)
        other = self._session.entry(self._other())
        if reference is None or other is None:
            return
        spans = []
        for entry, (start_s, end_s) in ((reference, reference_s), (other, other_s)):
            length_s = entry.recording.index.duration_s
            start_s, end_s = _snapped(start_s, length_s), _snapped(end_s, length_s)
            if end_s - start_s < 1e-3:
                return
            spans.append(Span(recording=entry.id, start_s=start_s, end_s=end_s))
        mask = Mask(first=spans[0], second=spans[1], kind="together" if is_corridor else "apart")
        text = self.tr("add a corridor") if is_corridor else self.tr("add a mask")
        self._files.edit(text, lambda p: edits.add_mask(p, mask))

    def drop_stretch(self, range_s: Range) -> None:
        """Say that a stretch of the reference has no counterpart in the other recording."""
        other = self._session.entry(self._other())
        if other is not None:
            self.add_patch(range_s, (0.0, other.recording.index.duration_s), False)

    def begin_at(self, reference_s: float, other_s: float) -> None:
        """Say that nothing before these two moments has a counterpart."""
        self._drop_ends(reference_s, other_s, is_before=True)

    def end_at(self, reference_s: float, other_s: float) -> None:
        """Say that nothing behind these two moments has a counterpart."""
        self._drop_ends(reference_s, other_s, is_before=False)

    def _drop_ends(self, reference_s: float, other_s: float, *, is_before: bool) -> None:
        reference = self._session.entry(self._session.reference_id)
        other = self._session.entry(self._other())
        if reference is None or other is None:
            return
        sides = ((reference, reference_s), (other, other_s))
        wholes = [
            Span(recording=e.id, start_s=0.0, end_s=e.recording.index.duration_s) for e, _ in sides
        ]
        ends = []
        for (entry, time_s), whole in zip(sides, wholes, strict=True):
            start_s, end_s = (0.0, time_s) if is_before else (time_s, whole.end_s)
            ends.append(Span(recording=entry.id, start_s=start_s, end_s=end_s))
        masks = [
            Mask(first=one, second=two, kind="apart")
            for one, two in ((ends[0], wholes[1]), (wholes[0], ends[1]))
            if one.end_s - one.start_s > 1e-3 and two.end_s - two.start_s > 1e-3
        ]

        def drop(project: Project) -> Project:
            for mask in masks:
                project = edits.add_mask(project, mask)
            return project

        text = self.tr("begin here") if is_before else self.tr("end here")
        self._files.edit(text, drop)

    # Help --------------------------------------------------------------------------------------

    def _anchor(self, reference_s: float, other_s: float) -> Anchor | None:
        reference = self._session.entry(self._session.reference_id)
        other = self._session.entry(self._other())
        if reference is None or other is None:
            return None
        return Anchor(first=_moment(reference, reference_s), second=_moment(other, other_s))

    def _room(self, anchor: Anchor) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return how far a pin may go: a frame short of its neighbours."""
        one, other = self._session.reference_id, self._other()
        entries = [self._session.entry(i) for i in (one, other)]
        pair = anchor.between(one, other)
        assert pair is not None
        lows, highs = [], []
        pairs = [p for a in self._anchors if (p := a.between(one, other)) and a != anchor]
        for side, entry in enumerate(entries):
            assert entry is not None
            index = entry.recording.index
            before = [p[side].time_s for p in pairs if p[0].pts < pair[0].pts]
            after = [p[side].time_s for p in pairs if p[0].pts > pair[0].pts]
            low, high = 0.0, index.time_of(len(index) - 1)
            if before:
                frame = min(index.frame_shown_at(max(before)) + 1, len(index) - 1)
                low = index.time_of(frame)
            if after:
                high = index.time_of(max(index.frame_shown_at(min(after)) - 1, 0))
            lows.append(low)
            highs.append(max(low, high))
        return (lows[0], lows[1]), (highs[0], highs[1])


def _snapped(time_s: float, length_s: float) -> float:
    """Return a time inside the recording; near its ends the end is meant."""
    reach_s = length_s * EDGE_SHARE
    if time_s <= reach_s:
        return 0.0
    return length_s if time_s >= length_s - reach_s else time_s


def _moment(entry: Entry, time_s: float) -> Moment:
    index = entry.recording.index
    frame = index.frame_shown_at(min(max(time_s, 0.0), index.duration_s))
    return Moment(recording=entry.id, pts=int(index.pts[frame]), time_s=index.time_of(frame))
