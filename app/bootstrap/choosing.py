"""The system's file dialogs, opened without a loop of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from app import settings as keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtWidgets import QWidget

    from app.settings import Settings


def choose_files(
    window: QWidget,
    settings: Settings,
    title: str,
    filters: Sequence[str],
    then: Callable[[list[Path]], None],
    *,
    is_many: bool,
) -> None:
    """Let the user choose existing files and hand them on; nothing happens where none is chosen.

    Parameters
    ----------
    filters : as Qt writes them, ``"Videos (*.mp4 *.mov)"``
    then : called with at least one path
    is_many : whether more than one may be chosen
    """
    dialog = QFileDialog(window, title, settings.get(keys.LAST_FOLDER))
    dialog.setObjectName("file-dialog")
    dialog.setFileMode(
        QFileDialog.FileMode.ExistingFiles if is_many else QFileDialog.FileMode.ExistingFile
    )
    dialog.setNameFilters(list(filters))
    _open(dialog, settings, then)


def choose_target(
    window: QWidget,
    settings: Settings,
    title: str,
    filters: Sequence[str],
    name: str,
    then: Callable[[Path], None],
) -> None:
    """Let the user choose where to write a file; the dialog asks before one is replaced.

    Parameters
    ----------
    name : file name offered; its suffix is added where the user types none
    """
    dialog = QFileDialog(window, title, settings.get(keys.LAST_FOLDER))
    dialog.setObjectName("file-dialog")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(list(filters))
    dialog.setDefaultSuffix(Path(name).suffix.lstrip("."))
    dialog.selectFile(name)
    _open(dialog, settings, lambda paths: then(paths[0]))


def _open(dialog: QFileDialog, settings: Settings, then: Callable[[list[Path]], None]) -> None:
    def accept() -> None:
        paths = [Path(name) for name in dialog.selectedFiles()]
        if paths:
            settings.set(keys.LAST_FOLDER, str(paths[0].parent))
            then(paths)

    dialog.accepted.connect(accept)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()  # not exec: the event loop stays ours
