"""Markers and phases: the panel, the commands, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import ActionId
from app.bootstrap.choosing import choose_files, choose_target
from app.bootstrap.parts import Feature
from app.faults.messages import Message, Severity, describe
from app.models.viewstate import LaneMark
from app.presenters.marker_files import MarkerFiles
from app.presenters.markers import MarkersPresenter
from app.views.menus import pop_up
from carl_core.atomic import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts


MARKER_COMMANDS = (
    ActionId.MARKER_GO,
    ActionId.MARKER_RENAME,
    ActionId.MARKER_COLOUR,
    ActionId.MARKER_START,
    ActionId.MARKER_END,
    ActionId.MARKER_ACCEPT,
    ActionId.MARKER_REMOVE,
)


class MarkingFeature(Feature):
    """Connects ``MarkersPresenter`` and ``MarkerFiles`` to the panel."""

    needs_recordings = (
        ActionId.MARK,
        ActionId.MARK_PHASE,
        ActionId.MARKER_PREVIOUS,
        ActionId.MARKER_NEXT,
        *MARKER_COMMANDS,
        ActionId.MARKERS_ACCEPT,
        ActionId.MARKERS_IMPORT,
        ActionId.MARKERS_EXPORT,
        ActionId.MARKERS_SHOW,
    )

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        panel = parts.window.markers
        self.markers = MarkersPresenter(
            parts.session,
            parts.project,
            parts.files,
            parts.player,
            parts.reporter,
            panel,
            self,
        )
        self.marker_files = MarkerFiles(
            parts.session,
            parts.project,
            parts.files,
            parts.jobs,
            parts.reporter,
            lambda: self.markers.derived,
            self,
        )
        commands = tuple(parts.actions[which] for which in MARKER_COMMANDS)
        panel.menu_requested.connect(lambda at: pop_up(panel, "marker-menu", commands, at))
        self.markers.derived_changed.connect(self._show_on_lanes)
        panel.go_wanted.connect(self.markers.go)
        panel.add_wanted.connect(self._add)
        panel.phase_wanted.connect(self._add_phase)
        panel.renamed.connect(self.markers.rename)
        panel.noted.connect(self.markers.note)
        panel.coloured.connect(self.markers.colour)
        panel.removed.connect(self.markers.remove)
        panel.accepted.connect(self.markers.accept)
        panel.import_wanted.connect(self._import)
        panel.export_wanted.connect(self._export)
        parts.opening.labels_offered.connect(self._on_labels)
        panel.phases_export_wanted.connect(self._export_phases)

    def handlers(self) -> Handlers:
        """Return the Markers menu."""
        return {
            ActionId.MARK: self._add,
            ActionId.MARK_PHASE: self._add_phase,
            ActionId.MARKER_PREVIOUS: lambda: self.markers.go_next(-1),
            ActionId.MARKER_NEXT: lambda: self.markers.go_next(1),
            ActionId.MARKER_GO: lambda: self.markers.go(self._one()),
            ActionId.MARKER_RENAME: self._rename,
            ActionId.MARKER_COLOUR: self._colour,
            ActionId.MARKER_START: lambda: self.markers.move(self._one(), is_end=False),
            ActionId.MARKER_END: lambda: self.markers.move(self._one(), is_end=True),
            ActionId.MARKER_ACCEPT: self._accept,
            ActionId.MARKER_REMOVE: lambda: self.markers.remove(self._chosen()),
            ActionId.MARKERS_ACCEPT: self.markers.accept,
            ActionId.MARKERS_IMPORT: self._import,
            ActionId.MARKERS_EXPORT: self._export,
            ActionId.MARKERS_SHOW: self.parts.window.show_markers,
        }

    def on_project(self) -> None:
        """Show the project's markers."""
        self.markers.refresh()

    def _show_on_lanes(self) -> None:
        lanes: dict[str, tuple[LaneMark, ...]] = {}
        derived = {m.id for m in self.markers.derived}
        for marker in (*self.parts.project.project.markers, *self.markers.derived):
            mark = LaneMark(
                marker.start.time_s,
                None if marker.end is None else marker.end_s,
                marker.name,
                marker.colour,
                marker.id in derived,
            )
            lanes[marker.recording] = (*lanes.get(marker.recording, ()), mark)
        self.parts.timeline.set_marks(lanes)

    def _add(self) -> None:
        self.parts.window.show_markers()
        self.markers.add()

    def _add_phase(self) -> None:
        self.parts.window.show_markers()
        self.markers.add_phase()

    def _chosen(self) -> list[str]:
        """Return the markers chosen in the list; where none is, the one at the playhead."""
        return self.parts.window.markers.chosen() or [i for i in (self.markers.nearest(),) if i]

    def _one(self) -> str:
        return next(iter(self._chosen()), "")

    def _rename(self) -> None:
        chosen = self._one()
        self.parts.window.show_markers()
        self.parts.window.markers.edit_name(chosen)

    def _colour(self) -> None:
        chosen = self._chosen()
        self.parts.window.show_markers()
        self.parts.window.markers.ask_colour(chosen)

    def _accept(self) -> None:
        chosen = self.parts.window.markers.chosen()
        if chosen:
            self.markers.accept(chosen)
            return
        text = self.tr("Choose the markers to accept in the list first.")
        self.parts.reporter.report(Message(text, Severity.INFO, topic="markers"))

    def _on_labels(self, path: Path) -> None:
        """Read markers that were dropped on the window."""
        if self.parts.session.entries:
            self.parts.window.show_markers()
            self.marker_files.read(path)
            return
        text = self.tr(
            "“{name}” holds markers, and there is no recording yet. Add the recording first, then "
            "drop it again."
        ).format(name=path.name)
        self.parts.reporter.report(Message(text, Severity.INFO, topic="markers"))

    def _import(self) -> None:
        choose_files(
            self.parts.window,
            self.parts.settings,
            self.tr("Import markers"),
            [self.tr("Markers (*.csv *.json *.eaf)"), self.tr("All files (*)")],
            lambda paths: self.marker_files.read(paths[0]),
            is_many=False,
        )

    def _export(self) -> None:
        choose_target(
            self.parts.window,
            self.parts.settings,
            self.tr("Export markers"),
            [self.tr("CSV (*.csv)"), self.tr("JSON (*.json)"), self.tr("ELAN (*.eaf)")],
            "markers.csv",
            self.marker_files.write,
        )

    def _export_phases(self) -> None:
        choose_target(
            self.parts.window,
            self.parts.settings,
            self.tr("Export phases"),
            [self.tr("CSV (*.csv)")],
            "phases.csv",
            self._write_phases,
        )

    def _write_phases(self, path: Path) -> None:
        text = self.markers.phases_text()
        self.parts.jobs.submit(
            lambda _job: write_atomic(path, text),
            key="phases",
            failed=lambda error: self.parts.reporter.report(describe(error)),
        )
