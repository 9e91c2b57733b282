"""Export: the dialog, the file, the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from app.actions import ActionId
from app.bootstrap.choosing import choose_target
from app.bootstrap.parts import Feature
from app.models.exporting import ExportChoice, Kind
from app.presenters.exporting import ExportingPresenter
from app.views.export_dialog import ExportDialog, filters

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts
    from app.presenters.markers import MarkersPresenter


class ExportFeature(Feature):
    """Asks what and where, then lets ``ExportingPresenter`` write."""

    needs_recordings = (ActionId.EXPORT, ActionId.STILL)

    def __init__(self, parts: Parts, parent: QObject, markers: MarkersPresenter) -> None:
        super().__init__(parts, parent)
        self.exporting = ExportingPresenter(
            parts.session,
            parts.project,
            parts.player,
            parts.jobs,
            parts.engine,
            parts.reporter,
            self,
            derived=lambda: markers.derived,
            zoom_of=parts.window.stage.zoom_of,
        )
        self.exporting.folder_wanted.connect(self._show_folder)

    def handlers(self) -> Handlers:
        """Return export and still."""
        return {ActionId.EXPORT: self._ask, ActionId.STILL: self._still}

    def _ask(self) -> None:
        dialog = ExportDialog(self.exporting.offer(), self.parts.window)
        dialog.chosen.connect(self._choose)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _still(self) -> None:
        self._choose(ExportChoice(kind=Kind.STILL, height=1080))

    def _choose(self, choice: ExportChoice) -> None:
        choose_target(
            self.parts.window,
            self.parts.settings,
            self.tr("Export"),
            filters(choice.kind, self.tr),
            self.exporting.suggestion(choice.kind),
            lambda path: self.exporting.write(choice, path),
        )

    def _show_folder(self, path: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))
