"""Markers and phases: made, changed, carried over, accepted, compared."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from app.faults.messages import Message, Reporter, Severity
from app.models.marking import PALETTE, MarkerLine
from carl_core.project import edits
from carl_core.project.carry import carried_markers
from carl_core.project.phases import PhaseRow, phase_table, phases_csv
from carl_core.project.project import Loop, Marker, Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.models.project import ProjectModel
    from app.models.session import Entry, SessionModel
    from app.presenters.playback import PlaybackPresenter
    from app.presenters.project_files import ProjectFiles
    from carl_core.project.project import Project

_HERE_S = 0.02
"""A marker jumped to is not the next one again within half a frame of slow cameras."""


class MarkersView(Protocol):
    """The panel, as this presenter sees it."""

    def set_markers(self, lines: tuple[MarkerLine, ...]) -> None:
        """Show these markers, in this order."""
        ...

    def set_phases(self, rows: tuple[PhaseRow, ...], letters: tuple[str, ...]) -> None:
        """Compare phases; a letter for each recording."""
        ...

    def edit_name(self, marker_id: str) -> None:
        """Let the user type the name of a marker that was just made."""
        ...


class MarkersPresenter(QObject):
    """Keeps the panel up to date and changes the project.

    Signals
    -------
    derived_changed() : other markers are carried over now
    """

    derived_changed = Signal()

    def __init__(
        self,
        session: SessionModel,
        project: ProjectModel,
        files: ProjectFiles,
        player: PlaybackPresenter,
        reporter: Reporter,
        view: MarkersView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._project = project
        self._files = files
        self._player = player
        self._reporter = reporter
        self._view = view
        self._derived: tuple[Marker, ...] = ()
        self._shown: tuple[object, ...] = ()
        session.schedule_changed.connect(self.refresh)
        session.recordings_changed.connect(self.refresh)

    @property
    def derived(self) -> tuple[Marker, ...]:
        """Markers carried over and not accepted."""
        return self._derived

    def refresh(self) -> None:
        """Carry over anew and show everything, where anything it depends on changed."""
        project, entries = self._project.project, self._session.entries
        state = (
            project.markers,
            self._session.reference_id,
            tuple((e.id, e.alignment, e.is_mapped) for e in entries),
        )
        if state == self._shown:
            return
        self._shown = state
        known = {m.id for m in project.recordings} & {e.id for e in entries}
        if entries and self._session.reference_id not in known:
            self._shown = ()
            return  # session and project are on their way to the same; another call follows
        project = replace(
            project,
            reference=self._session.reference_id,
            recordings=tuple(m for m in project.recordings if m.id in known),
            markers=tuple(m for m in project.markers if m.recording in known),
            anchors=(),
            masks=(),
            maps={},
        )
        carried = carried_markers(
            project,
            {e.id: e.recording.index for e in entries},
            {e.id: e.alignment.time_map for e in entries if e.alignment and e.is_mapped},
        )
        self._derived = carried.markers
        both = (*project.markers, *carried.markers)
        order = {e.id: e.position for e in entries}
        self._view.set_markers(
            tuple(
                self._line(marker)
                for marker in sorted(
                    both, key=lambda m: (order.get(m.recording, 0), m.start.time_s, m.id)
                )
            )
        )
        reference_first = sorted(entries, key=lambda e: e.id != self._session.reference_id)
        self._view.set_phases(
            phase_table(both, [e.id for e in reference_first]),
            tuple(e.letter for e in reference_first),
        )
        self.derived_changed.emit()

    # Making and changing -----------------------------------------------------------------------

    def add(self) -> None:
        """Mark the frame shown of the active recording."""
        entry, moment = self._here()
        if entry is None or moment is None:
            return
        count = sum(m.end is None for m in self._project.project.markers) + 1
        self._add(
            Marker(id=new_marker_id(), name=self.tr("Marker {n}").format(n=count), start=moment)
        )

    def add_phase(self) -> None:
        """Make a phase of in and out of the active recording, and let it follow the last one."""
        entry = self._session.entry(self._session.active_id)
        span = self._range(entry) if entry is not None else None
        if entry is None or span is None:
            self._say(self.tr("Set in and out around the phase first (I and O)."))
            return
        count = sum(m.end is not None for m in self._project.project.markers) + 1
        self._add(
            Marker(
                id=new_marker_id(),
                name=self.tr("Phase {n}").format(n=count),
                start=moment_of(entry, entry.recording.index.frame_shown_at(span[0])),
                end=moment_of(entry, entry.recording.index.frame_shown_at(span[1])),
            )
        )

    def rename(self, marker_id: str, name: str) -> None:
        """Give a marker another name."""
        self._change(marker_id, self.tr("rename a marker"), name=name.strip())

    def colour(self, ids: Sequence[str], colour: str) -> None:
        """Give markers another colour; "" = by the program."""
        wanted = set(ids)
        markers = [m for m in self._project.project.markers if m.id in wanted]
        self._files.edit(
            self.tr("colour markers"),
            lambda p: _changed(p, [replace(m, colour=colour) for m in markers]),
        )

    def note(self, marker_id: str, note: str) -> None:
        """Write a note."""
        self._change(marker_id, self.tr("write a note"), note=note.strip())

    def remove(self, ids: Sequence[str]) -> None:
        """Take markers out; those carried over go with their source."""
        known = {m.id for m in self._project.project.markers}
        chosen = [i for i in ids if i in known]
        if chosen:
            self._files.edit(
                self.tr("remove {n} markers").format(n=len(chosen)),
                lambda p: edits.remove_markers(p, chosen),
            )

    def accept(self, ids: Sequence[str] = ()) -> None:
        """Make markers that were carried over the user's own; () = all."""
        chosen = [m for m in self._derived if not ids or m.id in ids]
        if not chosen:
            self._say(self.tr("Nothing is carried over that is not accepted already."))
            return
        new = [replace(m, id=new_marker_id()) for m in chosen]
        self._files.edit(
            self.tr("accept {n} markers").format(n=len(new)), lambda p: edits.add_markers(p, new)
        )

    def move(self, marker_id: str, *, is_end: bool) -> None:
        """Let a marker begin, or end, with the frame its recording shows now.

        The end of a moment makes a phase of it.
        """
        marker = next((m for m in self._project.project.markers if m.id == marker_id), None)
        entry = self._session.entry(marker.recording) if marker is not None else None
        frame = self._player.frame_due(entry.id) if entry is not None else None
        if marker is None or entry is None or frame is None:
            self._say(self.tr("Choose a marker of your own, and a moment of its recording."))
            return
        here = moment_of(entry, frame)
        start, end = (marker.start, here) if is_end else (here, marker.end)
        if end is not None and end.pts < start.pts:
            self._say(
                self.tr("“{name}” would end before it begins. Move its other end first.").format(
                    name=marker.name
                )
            )
            return
        text = self.tr("move the end of a marker") if is_end else self.tr("move a marker")
        moved = replace(marker, start=start, end=end)
        self._files.edit(text, lambda p: edits.change_marker(p, moved))

    def nearest(self) -> str:
        """Id of the user's marker of the active recording that is shown, or nearest; "" = none."""
        entry, moment = self._here()
        if entry is None or moment is None:
            return ""
        own = self._project.project.markers_of(entry.id)

        def distance_s(marker: Marker) -> float:
            ahead_s = marker.start.time_s - moment.time_s
            return max(ahead_s, moment.time_s - marker.end_s, 0.0)

        return min(own, key=distance_s).id if own else ""

    # Going -------------------------------------------------------------------------------------

    def go(self, marker_id: str) -> None:
        """Show the first frame of a marker."""
        marker = self._find(marker_id)
        if marker is not None:
            self._session.set_active(marker.recording)
            self._player.seek_own(marker.recording, marker.start.time_s)

    def go_next(self, direction: int) -> None:
        """Jump to the next (1) or the previous (-1) marker of the active recording."""
        entry, moment = self._here()
        if entry is None or moment is None:
            return
        both = (*self._project.project.markers, *self._derived)
        times = sorted({m.start.time_s for m in both if m.recording == entry.id})
        if direction > 0:
            found = next((t for t in times if t > moment.time_s + _HERE_S), None)
        else:
            found = next((t for t in reversed(times) if t < moment.time_s - _HERE_S), None)
        if found is not None:
            self._player.seek_own(entry.id, found)

    def phases_text(self) -> str:
        """Return the comparison of phases as CSV."""
        entries = sorted(self._session.entries, key=lambda e: e.id != self._session.reference_id)
        both = (*self._project.project.markers, *self._derived)
        rows = phase_table(both, [e.id for e in entries])
        return phases_csv(rows, [e.recording.name for e in entries])

    # Help --------------------------------------------------------------------------------------

    def _here(self) -> tuple[Entry | None, Moment | None]:
        entry = self._session.entry(self._session.active_id)
        frame = self._player.frame_due(entry.id) if entry is not None else None
        if entry is None or frame is None:
            return entry, None
        return entry, moment_of(entry, frame)

    def _range(self, entry: Entry) -> tuple[float, float] | None:
        """In and out, seconds of a recording."""
        loop: Loop | None = self._project.project.loop
        schedule = self._session.schedule
        if loop is None or schedule is None:
            return None
        reference = self._session.reference_id
        masters = [schedule.master_time_of(reference, t) for t in (loop.start_s, loop.end_s)]
        times = [None if t is None else schedule.own_time_at(entry.id, t) for t in masters]
        start_s, end_s = times
        if start_s is None or end_s is None or end_s <= start_s:
            return None
        return start_s, end_s

    def _add(self, marker: Marker) -> None:
        used = {m.colour for m in self._project.project.markers}
        colour = next((c for c, _ in PALETTE if c not in used), PALETTE[0][0])
        named = {m.name: m.colour for m in self._project.project.markers if m.colour}
        marker = replace(marker, colour=named.get(marker.name, colour))
        text = self.tr("add {name}").format(name=marker.name)
        self._files.edit(text, lambda p: edits.add_markers(p, [marker]))
        self.refresh()
        self._view.edit_name(marker.id)

    def _change(self, marker_id: str, text: str, **fields: str) -> None:
        marker = next((m for m in self._project.project.markers if m.id == marker_id), None)
        if marker is not None:
            self._files.edit(text, lambda p: edits.change_marker(p, replace(marker, **fields)))

    def _find(self, marker_id: str) -> Marker | None:
        both = (*self._project.project.markers, *self._derived)
        return next((m for m in both if m.id == marker_id), None)

    def _line(self, marker: Marker) -> MarkerLine:
        entry = self._session.entry(marker.recording)
        is_derived = marker.id.endswith(f"@{marker.recording}") and bool(marker.derived_from)
        source = ""
        if marker.derived_from:
            of = next(
                (m for m in self._project.project.markers if m.id == marker.derived_from), None
            )
            origin = self._session.entry(of.recording) if of is not None else None
            source = origin.letter if origin is not None else "?"
        return MarkerLine(
            id=marker.id,
            recording=marker.recording,
            letter=entry.letter if entry is not None else "?",
            name=marker.name,
            start_s=marker.start.time_s,
            frame=entry.recording.index.frame_shown_at(marker.start.time_s) if entry else 0,
            length_s=None if marker.end is None else marker.end_s - marker.start.time_s,
            colour=marker.colour,
            note=marker.note,
            source=source,
            is_derived=is_derived,
        )

    def _say(self, text: str) -> None:
        self._reporter.report(Message(text, Severity.INFO, topic="markers"))


def moment_of(entry: Entry, frame: int) -> Moment:
    """Return a frame of a recording as a moment of the project."""
    index = entry.recording.index
    return Moment(recording=entry.id, pts=int(index.pts[frame]), time_s=index.time_of(frame))


def _changed(project: Project, markers: Sequence[Marker]) -> Project:
    for marker in markers:
        project = edits.change_marker(project, marker)
    return project


def new_marker_id() -> str:
    """Make an id no marker has."""
    return uuid.uuid4().hex[:12]
