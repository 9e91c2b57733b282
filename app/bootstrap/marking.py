"""Markers and phases: the panel, the commands, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import ActionId
from app.bootstrap.choosing import choose_files, choose_target
from app.bootstrap.parts import Feature
from app.faults.messages import Message, Severity, describe
from app.models.viewstate import LaneMark
from app.presenters.markers import MarkersPresenter
from carl_core.atomic import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts


class MarkingFeature(Feature):
    """Connects ``MarkersPresenter`` to its panel."""

    needs_recordings = (
        ActionId.MARK,
        ActionId.MARK_PHASE,
        ActionId.MARKER_PREVIOUS,
        ActionId.MARKER_NEXT,
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
            parts.jobs,
            parts.reporter,
            panel,
            self,
        )
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

    def _on_labels(self, path: Path) -> None:
        """Read markers that were dropped on the window."""
        if self.parts.session.entries:
            self.parts.window.show_markers()
            self.markers.read(path)
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
            lambda paths: self.markers.read(paths[0]),
            is_many=False,
        )

    def _export(self) -> None:
        choose_target(
            self.parts.window,
            self.parts.settings,
            self.tr("Export markers"),
            [self.tr("CSV (*.csv)"), self.tr("JSON (*.json)"), self.tr("ELAN (*.eaf)")],
            "markers.csv",
            self.markers.write,
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
