"""Markers and phases: made, changed, carried over, accepted, read and written."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from app.faults.messages import Choice, Message, Reporter, Severity, describe
from app.models.marking import PALETTE, MarkerLine
from carl_core.project import edits
from carl_core.project.carry import carried_markers
from carl_core.project.phases import PhaseRow, phase_table, phases_csv
from carl_core.project.project import Loop, Marker, Moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from app.jobs import JobRunner
    from app.models.project import ProjectModel
    from app.models.session import Entry, SessionModel
    from app.presenters.playback import PlaybackPresenter
    from app.presenters.project_files import ProjectFiles
    from carl_core.export.labels import Label
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
        jobs: JobRunner,
        reporter: Reporter,
        view: MarkersView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._project = project
        self._files = files
        self._player = player
        self._jobs = jobs
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
        self._add(Marker(id=_new_id(), name=self.tr("Marker {n}").format(n=count), start=moment))

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
                id=_new_id(),
                name=self.tr("Phase {n}").format(n=count),
                start=_moment(entry, entry.recording.index.frame_shown_at(span[0])),
                end=_moment(entry, entry.recording.index.frame_shown_at(span[1])),
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
        new = [replace(m, id=_new_id()) for m in chosen]
        self._files.edit(
            self.tr("accept {n} markers").format(n=len(new)), lambda p: edits.add_markers(p, new)
        )

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

    # Files -------------------------------------------------------------------------------------

    def read(self, path: Path) -> None:
        """Take in the labels of a file, as one step of undo."""
        # The engine's export package comes along only when it is needed.
        from carl_core.export.labels import read_labels

        self._jobs.submit(
            lambda _job: read_labels(path),
            key="labels",
            done=lambda labels: self._take(labels, path),
            failed=lambda error: self._reporter.report(describe(error)),
        )

    def write(self, path: Path) -> None:
        """Write all markers, those carried over too."""
        from carl_core.export.labels import Label, write_labels

        names = {e.id: e.recording.name for e in self._session.entries}
        labels = [
            Label(names[m.recording], m.name, m.start.time_s, m.end_s)
            for m in (*self._project.project.markers, *self._derived)
            if m.recording in names
        ]
        self._jobs.submit(
            lambda _job: write_labels(path, labels),
            key="labels",
            done=lambda _path: self._say(
                self.tr("{n} markers are written to {name}.").format(n=len(labels), name=path.name)
            ),
            failed=lambda error: self._reporter.report(describe(error)),
        )

    def phases_text(self) -> str:
        """Return the comparison of phases as CSV."""
        entries = sorted(self._session.entries, key=lambda e: e.id != self._session.reference_id)
        both = (*self._project.project.markers, *self._derived)
        rows = phase_table(both, [e.id for e in entries])
        return phases_csv(rows, [e.recording.name for e in entries])

    def _take(self, labels: tuple[Label, ...], path: Path) -> None:
        by_name = {e.recording.name: e for e in self._session.entries}
        by_name |= {e.recording.name.rpartition(".")[0]: e for e in self._session.entries}
        by_name |= {e.letter: e for e in self._session.entries}
        reference = self._session.entry(self._session.reference_id)
        if reference is not None:
            by_name[""] = reference
        new: list[Marker] = []
        strangers: set[str] = set()
        for label in labels:
            entry = by_name.get(label.recording)
            if entry is None:
                strangers.add(label.recording)
                continue
            index = entry.recording.index
            start = _moment(entry, index.frame_shown_at(label.start_s))
            end = None
            if label.end_s > label.start_s:
                end = _moment(entry, index.frame_shown_at(label.end_s))
            new.append(Marker(id=_new_id(), name=label.name, start=start, end=end))
        if new:
            self._files.edit(
                self.tr("import {n} markers").format(n=len(new)),
                lambda p: edits.add_markers(p, new),
            )
        said = [self.tr("{n} markers from {file}.").format(n=len(new), file=path.name)]
        if strangers:
            said.append(
                self.tr(
                    "Left out: markers of {names}, which are not open here. Open them, or change "
                    "the name in the file to that of the recording."
                ).format(names=", ".join(sorted(s or "?" for s in strangers)[:5]))
            )
        severity = Severity.WARNING if strangers else Severity.INFO
        choices = (Choice(self.tr("Undo"), self._project.stack.undo),) if new else ()
        self._reporter.report(Message(" ".join(said), severity, choices=choices, topic="labels"))

    # Help --------------------------------------------------------------------------------------

    def _here(self) -> tuple[Entry | None, Moment | None]:
        entry = self._session.entry(self._session.active_id)
        frame = self._player.frame_due(entry.id) if entry is not None else None
        if entry is None or frame is None:
            return entry, None
        return entry, _moment(entry, frame)

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


def _moment(entry: Entry, frame: int) -> Moment:
    index = entry.recording.index
    return Moment(recording=entry.id, pts=int(index.pts[frame]), time_s=index.time_of(frame))


def _changed(project: Project, markers: Sequence[Marker]) -> Project:
    for marker in markers:
        project = edits.change_marker(project, marker)
    return project


def _new_id() -> str:
    return uuid.uuid4().hex[:12]
