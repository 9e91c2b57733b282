"""Closing the window: asks about running work, then about unsaved work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMessageBox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.jobs import JobRunner
    from app.models.project import ProjectModel
    from app.presenters.project_files import ProjectFiles
    from app.views.main_window import MainWindow


class Leaving(QObject):
    """Answers ``MainWindow.may_close``.

    Parameters
    ----------
    working : titles of work that is not one of ``jobs``, e.g. a training in a process of its own
    """

    def __init__(
        self,
        window: MainWindow,
        jobs: JobRunner,
        project: ProjectModel,
        files: ProjectFiles,
        working: Callable[[], Sequence[str]],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._window = window
        self._jobs = jobs
        self._project = project
        self._files = files
        self._working = working
        self._is_decided = False
        self._is_stopped = False
        self._is_waiting = False
        jobs.changed.connect(lambda _job: self._look())

    def may_close(self) -> bool:
        """Return whether nothing holds the window; otherwise ask, and close after the answer."""
        if self._is_decided:
            return True
        running = self._running()
        if running and not self._is_stopped:
            self._ask(running)
            return False
        if self._project.is_saved:
            return True
        self._files.when_saved(self._leave)
        return False

    def _running(self) -> list[str]:
        titles = [j.title for j in self._jobs.active if j.holds_window and not j.state.is_over]
        return [*titles, *self._working()]

    def _ask(self, running: list[str]) -> None:
        if self._window.findChild(QMessageBox, "ask-running") is not None:
            return
        box = QMessageBox(self._window)
        box.setObjectName("ask-running")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(self.tr("Still at work"))
        shown = "\n".join(running[:4]) + ("\n…" if len(running) > 4 else "")
        box.setText(self.tr("CARL is still at work:") + f"\n{shown}")
        box.setInformativeText(
            self.tr("What is computed so far is kept; the next time it goes on from there.")
        )
        wait = box.addButton(self.tr("Close when done"), QMessageBox.ButtonRole.AcceptRole)
        stop = box.addButton(self.tr("Stop and close"), QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(wait)
        box.setEscapeButton(stay)

        def finished(_result: int) -> None:
            clicked = box.clickedButton()
            box.deleteLater()
            box.setObjectName("")
            self._is_waiting = clicked is wait
            if clicked is stop:
                self._is_stopped = True
                self._window.close()
            else:
                self._look()

        box.finished.connect(finished)
        box.open()

    def _look(self) -> None:
        if self._is_waiting and not self._running():
            self._is_waiting = False
            self._window.close()

    def _leave(self) -> None:
        self._is_decided = True
        self._window.close()
