"""Markers and phases read from files and written to them, in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.faults.messages import Choice, Message, Reporter, Severity, describe
from app.presenters.markers import moment_of, new_marker_id
from carl_core.project import edits
from carl_core.project.project import Marker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from app.jobs import JobRunner
    from app.models.project import ProjectModel
    from app.models.session import SessionModel
    from app.presenters.project_files import ProjectFiles
    from carl_core.export.labels import Label


class MarkerFiles(QObject):
    """Takes in labels as one step of undo, and writes all markers.

    Parameters
    ----------
    derived : markers carried over and not accepted
    """

    def __init__(
        self,
        session: SessionModel,
        project: ProjectModel,
        files: ProjectFiles,
        jobs: JobRunner,
        reporter: Reporter,
        derived: Callable[[], Sequence[Marker]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._project = project
        self._files = files
        self._jobs = jobs
        self._reporter = reporter
        self._derived = derived

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
        """Write all markers; those carried over say from where."""
        from carl_core.export.labels import Label, write_labels

        names = {e.id: e.recording.name for e in self._session.entries}
        homes = {m.id: names.get(m.recording, "") for m in self._project.project.markers}
        own = [(m, "") for m in self._project.project.markers]
        labels = [
            Label(
                names[m.recording],
                m.name,
                m.start.time_s,
                m.end_s,
                colour=m.colour,
                note=m.note,
                derived=of,
            )
            for m, of in (*own, *((m, homes.get(m.derived_from, "")) for m in self._derived()))
            if m.recording in names
        ]
        self._jobs.submit(
            lambda _job: write_labels(path, labels),
            key="labels",
            done=lambda _path: self._reporter.report(
                Message(
                    self.tr("{n} markers are written to {name}.").format(
                        n=len(labels), name=path.name
                    ),
                    Severity.INFO,
                    topic="markers",
                )
            ),
            failed=lambda error: self._reporter.report(describe(error)),
        )

    def _take(self, labels: tuple[Label, ...], path: Path) -> None:
        by_name = {e.recording.name: e for e in self._session.entries}
        by_name |= {e.recording.name.rpartition(".")[0]: e for e in self._session.entries}
        by_name |= {e.letter: e for e in self._session.entries}
        reference = self._session.entry(self._session.reference_id)
        if reference is not None:
            by_name[""] = reference
        new: list[Marker] = []
        strangers: set[str] = set()
        own = {(label.recording, label.name) for label in labels if not label.derived}
        own |= {
            (entry.recording.name, m.name)
            for m in self._project.project.markers
            if (entry := self._session.entry(m.recording)) is not None
        }
        for label in labels:
            entry = by_name.get(label.recording)
            if entry is None:
                strangers.add(label.recording)
                continue
            if (label.derived, label.name) in own and label.derived in by_name:
                continue  # it is carried over again, along the alignment as it is now
            index = entry.recording.index
            start = moment_of(entry, index.frame_shown_at(label.start_s))
            end = None
            if label.end_s > label.start_s:
                end = moment_of(entry, index.frame_shown_at(label.end_s))
            new.append(
                Marker(
                    id=new_marker_id(),
                    name=label.name,
                    start=start,
                    end=end,
                    colour=label.colour,
                    note=label.note,
                )
            )
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
