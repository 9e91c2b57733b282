"""Unsaved work: kept while it is made, offered again by the next window after a crash."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from app.faults.messages import Choice, Message, Reporter, Severity, describe
from carl_core.errors import ProjectError
from carl_core.project import files
from carl_core.video.info import display_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.jobs import Job, JobRunner
    from app.models.project import ProjectModel

AUTOSAVE_MS = 1500
"""Unsaved work is kept when this long has passed without another edit."""

RETRY_MS = 10_000
"""After unsaved work could not be kept, it is tried again."""


class UnsavedWork(QObject):
    """Keeps what no file holds yet, beside the project or in a folder of its own.

    Parameters
    ----------
    folder : for work without a project, or whose folder takes no files; one per user
    is_shared : whether another window has the same project; then its place is not used
    """

    def __init__(
        self,
        project: ProjectModel,
        jobs: JobRunner,
        reporter: Reporter,
        folder: Path,
        is_shared: Callable[[], bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = project
        self._jobs = jobs
        self._reporter = reporter
        self._folder = folder
        self._is_shared = is_shared
        self._kept: set[Path] = set()
        self._writing = threading.Lock()
        self._claim = files.claim_unsaved(folder)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._keep)

    def on_edit(self) -> None:
        """Keep the work soon."""
        self._timer.start(AUTOSAVE_MS)

    def hold(self) -> None:
        """Keep nothing until the next edit."""
        self._timer.stop()

    def forget(self) -> None:
        """Remove what was kept: a file holds it now, or the user gave it up."""
        self._timer.stop()
        self._jobs.cancel("autosave")
        for path in self._kept:
            files.drop_autosave(path)
        self._kept.clear()

    def take_over(self, path: Path) -> None:
        """Answer for an autosave of a window that is gone: it goes with our own."""
        self._kept.add(path)

    def close(self) -> None:
        """Forget all: the window closes properly."""
        self.forget()
        if self._claim is not None:
            files.release_unsaved(self._folder, self._claim)
            self._claim = None

    def look(self, projects: tuple[Path, ...], recover: Callable[[files.Unsaved], None]) -> None:
        """Offer what windows that did not end properly left."""

        def done(found: tuple[files.Unsaved, ...]) -> None:
            for unsaved in found:
                self._offer(unsaved, recover)

        self._jobs.submit(
            lambda job: files.find_unsaved(self._folder, projects), key="unsaved", done=done
        )

    def _keep(self) -> None:
        if self._model.is_in_file:
            return
        project, saved_as = self._model.project, self._model.path
        own = files.autosave_path(None, self._folder)
        path = own if self._is_shared() else files.autosave_path(saved_as, self._folder)
        self._kept |= {path, own}

        def work(job: Job[None]) -> None:
            with self._writing:  # what is older must not land on what is newer
                job.monitor.check()
                write()

        def write() -> None:
            try:
                files.write_autosave(path, project, saved_as)
            except ProjectError:
                if path == own:
                    raise
                files.write_autosave(own, project, saved_as)

        def failed(error: Exception) -> None:
            self._reporter.report(describe(error, topic="autosave"))
            self._timer.start(RETRY_MS)

        def cancelled() -> None:  # it may have been written all the same
            files.drop_autosave(path)
            files.drop_autosave(own)

        self._jobs.submit(work, key="autosave", failed=failed, cancelled=cancelled)

    def _offer(self, unsaved: files.Unsaved, recover: Callable[[files.Unsaved], None]) -> None:
        name = display_text(unsaved.name) or self.tr("a comparison without a name")
        self._reporter.report(
            Message(
                self.tr(
                    "The program did not end properly. Unsaved work on {name} with {count} "
                    "recordings was kept."
                ).format(name=name, count=len(unsaved.project.recordings)),
                Severity.WARNING,
                choices=(
                    Choice(self.tr("Recover"), lambda: recover(unsaved)),
                    Choice(self.tr("Discard"), lambda: files.drop_autosave(unsaved.path)),
                ),
                topic=f"unsaved:{unsaved.path}",
            )
        )
