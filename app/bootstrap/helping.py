"""Help: what to send with a report, who made this."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox

from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.faults.messages import Message, Severity
from app.faults.private import without_paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts


_TOLD = ("PySide6-Essentials", "av", "onnxruntime-gpu", "numpy", "numba", "pyqtgraph")


class HelpingFeature(Feature):
    """Commands of the Help menu.

    Parameters
    ----------
    provider : what the encoder runs on
    log_text : the last lines of the log
    """

    def __init__(
        self,
        parts: Parts,
        parent: QObject,
        provider: Callable[[], str],
        log_text: Callable[[], str],
    ) -> None:
        super().__init__(parts, parent)
        self._provider = provider
        self._log_text = log_text

    def handlers(self) -> Handlers:
        """Return the commands of the menu."""
        return {
            ActionId.DIAGNOSTICS: self._copy_diagnostics,
            ActionId.ABOUT: self._show_about,
        }

    def diagnostics(self) -> str:
        """Versions, device and the last log lines, for a report: no path, no name of a file."""
        screen = QGuiApplication.primaryScreen()
        size = screen.size()
        packages = ", ".join(f"{name} {_version(name)}" for name in _TOLD)
        lines = [
            f"CARL {_version('carl-align')}, Python {platform.python_version()}, "
            f"{platform.platform()}, {os.cpu_count()} cores",
            packages,
            f"platform {QGuiApplication.platformName()}, screen {size.width()}x{size.height()} "
            f"x{screen.devicePixelRatio():g}, encoder on {self._provider()}",
            *(
                f"{e.letter}: {e.recording.info.codec} {e.recording.info.width}x"
                f"{e.recording.info.height}, {len(e.recording.index)} frames, {e.stage.value}"
                for e in self.parts.session.entries
            ),
            "",
            without_paths(self._log_text(), self._names()),
        ]
        return "\n".join(lines)

    def _names(self) -> list[tuple[str, str]]:
        """Pair what is open with its letter."""
        names = []
        for entry in self.parts.session.entries:
            letter = f"(recording {entry.letter})"
            names += [(str(entry.recording.path), letter), (entry.recording.name, letter)]
        return names

    def _copy_diagnostics(self) -> None:
        QGuiApplication.clipboard().setText(self.diagnostics())
        self.parts.reporter.report(
            Message(
                self.tr(
                    "Diagnostics are on the clipboard, without names and paths of your files and "
                    "without pictures."
                ),
                Severity.INFO,
                topic="copied",
            )
        )

    def _show_about(self) -> None:
        box = QMessageBox(self.parts.window)
        box.setWindowTitle(self.tr("About CARL"))
        box.setText(f"<b>CARL</b> {_version('carl-align')}")
        box.setInformativeText(
            self.tr(
                "Two or more recordings of the same action, aligned in time and seen side by "
                "side in step. Everything stays on this computer. MIT licence."
            )
        )
        box.finished.connect(box.deleteLater)
        box.open()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"
