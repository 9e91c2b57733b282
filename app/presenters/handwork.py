"""Alignment by hand: nudge, pin, and the kind of map."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.faults.messages import Message, Reporter, Severity
from carl_core.project import edits
from carl_core.project.project import Anchor, Loop, Moment, Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.models.session import Entry, SessionModel
    from app.presenters.playback import PlaybackPresenter
    from app.presenters.project_files import ProjectFiles
    from carl_core.project.project import MapKind

# An anchor jumped to is not the nearest one again within half a frame of the slowest cameras.
_HERE_S = 0.02


class HandworkPresenter(QObject):
    """Turns what the user shows to be the same into anchors of the project."""

    def __init__(
        self,
        session: SessionModel,
        player: PlaybackPresenter,
        files: ProjectFiles,
        project: Callable[[], Project],
        reporter: Reporter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._player = player
        self._files = files
        self._project = project
        self._reporter = reporter
        self._author = _user()

    def nudge(self, frames: int) -> None:
        """Move the active recording alone by frames; pin it to keep that."""
        self._player.nudge(self._session.active_id, frames)

    def pin(self) -> None:
        """Say that what is shown now is the same moment.

        Of the active recording and the reference; with the reference active, of all recordings.
        """
        session = self._session
        reference = session.entry(session.reference_id)
        active = session.entry(session.active_id)
        if reference is None or active is None:
            return
        others = session.others if active is reference else (active,)
        if not others:
            self._say(
                self.tr("There is nothing to pin to. Add another recording of the same action.")
            )
            return
        ours = self._moment(reference)
        pairs = [(other, self._moment(other)) for other in others]
        shown = [(other, theirs) for other, theirs in pairs if theirs is not None]
        if ours is None or not shown:
            self._say(
                self.tr(
                    "One of the two has no counterpart here. Show the moment in both first: switch "
                    "the sync lock off and step to it."
                )
            )
            return
        anchors = [
            Anchor(first=ours, second=theirs, author=self._author, made=_now())
            for _, theirs in shown
        ]

        def add(project: Project) -> Project:
            for anchor in anchors:
                project = edits.add_anchor(project, anchor)
            return project

        if self._files.edit(self.tr("pin"), add):
            for other, _ in shown:
                self._player.clear_nudge(other.id)
            self._player.clear_nudge(reference.id)

    def unpin(self) -> None:
        """Take out the anchor next to the playhead, of the active recording."""
        near = self._nearest()
        if near is not None:
            self._files.edit(self.tr("remove pin"), lambda p: edits.remove_anchor(p, near))

    def clear(self) -> None:
        """Take out all anchors of the active recording."""
        one, other = self._session.reference_id, self._session.active_id

        def clear(project: Project) -> Project:
            others = [e.id for e in self._session.others] if one == other else [other]
            for recording in others:
                project = edits.clear_anchors(project, one, recording)
            return project

        self._files.edit(self.tr("remove all pins"), clear)

    def jump(self) -> None:
        """Move the playhead to the nearest anchor of the active recording that is not here."""
        here = self._player.own_times_s.get(self._session.reference_id)
        times = [
            ours.time_s
            for ours, _ in self._anchors()
            if here is None or abs(ours.time_s - here) > _HERE_S
        ]
        if times:
            nearest = min(times, key=lambda t: abs(t - (here or 0.0)))
            self._player.seek_own(self._session.reference_id, nearest)
        else:
            self._say(self.tr("There is no pin to jump to. Shift+M pins what is shown now."))

    def set_map(self, kind: MapKind) -> None:
        """Choose how the active recording is mapped; with the reference active, all others."""
        one, other = self._session.reference_id, self._session.active_id
        others = [e.id for e in self._session.others] if one == other else [other]

        def choose(project: Project) -> Project:
            for recording in others:
                project = edits.set_map(project, recording, kind)
            return project

        self._files.edit(self.tr("change the map"), choose)

    def link(self, first_id: str, first_s: float, second_id: str, second_s: float) -> None:
        """Pin the frames two recordings show at these own times."""
        moments = [
            self._moment_at(recording_id, time_s)
            for recording_id, time_s in ((first_id, first_s), (second_id, second_s))
        ]
        if None in moments:
            return
        first, second = (m for m in moments if m is not None)
        anchor = Anchor(first=first, second=second, author=self._author, made=_now())
        self._files.edit(self.tr("pin"), lambda p: edits.add_anchor(p, anchor))

    def set_range(self, *, is_start: bool) -> None:
        """Let the range that is played begin or end with what the reference shows now."""
        session = self._session
        reference = session.entry(session.reference_id)
        here = self._player.own_times_s.get(session.reference_id)
        if reference is None or here is None:
            return
        index = reference.recording.index
        frame = index.frame_shown_at(here)
        old = self._project().loop
        start_s, end_s = (0.0, index.duration_s) if old is None else (old.start_s, old.end_s)
        if is_start:
            start_s = float(index.time_of(frame))
            end_s = end_s if end_s > start_s else index.duration_s
        else:  # the frame that is shown belongs to the range
            is_last = frame + 1 >= len(index)
            end_s = index.duration_s if is_last else float(index.time_of(frame + 1))
            start_s = start_s if start_s < end_s else 0.0
        self._files.edit(
            self.tr("set the range"),
            lambda p: edits.set_loop(p, Loop(start_s=start_s, end_s=end_s)),
        )

    def clear_range(self) -> None:
        """Play everything."""
        self._files.edit(self.tr("clear the range"), lambda p: edits.set_loop(p, None))

    def _anchors(self) -> list[tuple[Moment, Moment]]:
        project, active = self._project(), self._session.active_id
        if active == self._session.reference_id:
            return [pair for e in self._session.others for pair in project.anchors_of(e.id)]
        return list(project.anchors_of(active))

    def _nearest(self) -> Anchor | None:
        here = self._player.own_times_s.get(self._session.reference_id)
        pairs = self._anchors()
        if not pairs:
            self._say(self.tr("There is no pin to remove."))
            return None
        pair = min(pairs, key=lambda p: abs(p[0].time_s - (here or 0.0)))
        for anchor in self._project().anchors:
            if {anchor.first, anchor.second} == set(pair):
                return anchor
        return None

    def _moment(self, entry: Entry) -> Moment | None:
        frame = self._player.frame_due(entry.id)
        return None if frame is None else _frame_moment(entry, frame)

    def _moment_at(self, recording_id: str, time_s: float) -> Moment | None:
        entry = self._session.entry(recording_id)
        if entry is None:
            return None
        return _frame_moment(entry, entry.recording.index.frame_shown_at(time_s))

    def _say(self, text: str) -> None:
        self._reporter.report(Message(text, Severity.INFO, topic="handwork"))


def _frame_moment(entry: Entry, frame: int) -> Moment:
    index = entry.recording.index
    return Moment(recording=entry.id, pts=int(index.pts[frame]), time_s=float(index.time_of(frame)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
