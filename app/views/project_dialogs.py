"""Dialogs around project files: unsaved work, where to save, where to look."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox

from app import settings as keys
from carl_core.atomic import replacing
from carl_core.project.files import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.settings import Settings
    from app.views.main_window import MainWindow

log = logging.getLogger("carl.window")

PICTURE_SIZE = QSize(256, 160)


class ProjectDialogs:
    """Asks without stopping the event loop; tests find the dialogs by their object names."""

    def __init__(self, window: MainWindow, settings: Settings) -> None:
        self._window = window
        self._settings = settings

    def ask_unsaved(self, name: str, answered: Callable[[str], None]) -> None:
        """Ask what to do with unsaved work; answers "save", "discard" or "cancel"."""
        box = QMessageBox(self._window)
        box.setObjectName("ask-unsaved")
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle(_tr("Unsaved work"))
        box.setText(_tr("Save the changes to “{name}”?").format(name=name or _tr("Comparison")))
        box.setInformativeText(
            _tr("Anchors, markers and the choice of recordings are lost otherwise.")
        )
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)
        answers = {buttons.Save: "save", buttons.Discard: "discard"}

        def finished(result: int) -> None:
            box.deleteLater()
            answered(answers.get(buttons(result), "cancel"))

        box.finished.connect(finished)
        box.open()

    def ask_save_path(self, suggestion: Path, chosen: Callable[[Path], None]) -> None:
        """Ask where to save; what is there is replaced only after asking."""
        dialog = QFileDialog(self._window, _tr("Save project"), str(suggestion.parent))
        dialog.setObjectName("save-dialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(SUFFIX.removeprefix("."))
        dialog.setNameFilters([_tr("Projects (*{suffix})").format(suffix=SUFFIX)])
        dialog.selectFile(suggestion.name)
        self._open(dialog, chosen)

    def ask_folder(self, title: str, chosen: Callable[[Path], None]) -> None:
        """Ask for a folder."""
        dialog = QFileDialog(self._window, title, self._settings.get(keys.LAST_FOLDER))
        dialog.setObjectName("folder-dialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._open(dialog, chosen)

    def ask_project(self, chosen: Callable[[Path], None]) -> None:
        """Ask for a project to open."""
        dialog = QFileDialog(
            self._window, _tr("Open project"), self._settings.get(keys.LAST_FOLDER)
        )
        dialog.setObjectName("open-dialog")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(
            [_tr("Projects (*{suffix})").format(suffix=SUFFIX), _tr("All files (*)")]
        )
        self._open(dialog, chosen)

    def picture(self, path: Path) -> bool:
        """Write a small picture of the tiles."""
        grid = self._window.stage
        if not grid.isVisible() or grid.width() < 2 or grid.height() < 2:
            return False
        small = grid.grab().scaled(
            PICTURE_SIZE,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        try:
            with replacing(path) as partial:
                if not small.save(str(partial), "PNG"):
                    raise OSError("Qt cannot write it")
        except OSError as error:
            log.info("no picture of the project is kept: %s", error)
            return False
        return True

    def _open(self, dialog: QFileDialog, chosen: Callable[[Path], None]) -> None:
        def accept() -> None:
            names = dialog.selectedFiles()
            if names:
                path = Path(names[0])
                self._settings.set(keys.LAST_FOLDER, str(path if path.is_dir() else path.parent))
                chosen(path)

        dialog.accepted.connect(accept)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _tr(text: str) -> str:
    return QCoreApplication.translate("ProjectDialogs", text)
