"""The index of everything that was ever embedded: built in the background, a job like others."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.faults.messages import Reporter, describe

if TYPE_CHECKING:
    from typing import Any

    from app.jobs import Job, JobRunner
    from app.models.engine import EngineHandle

log = logging.getLogger("carl.search")

KEY = "library-index"


class IndexPresenter(QObject):
    """Has a large library sorted by a process of its own, whenever the user's work leaves room.

    Whoever cancels it has it go on at the next start.
    """

    def __init__(
        self,
        jobs: JobRunner,
        engine: EngineHandle,
        reporter: Reporter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._engine = engine
        self._reporter = reporter
        self._is_refused = False
        self._is_free = threading.Event()
        self._is_free.set()
        jobs.changed.connect(self._on_job)

    def look(self) -> None:
        """Begin, or go on, if the library is large and nobody builds already."""
        if self._is_refused or self._jobs.is_active(KEY):
            return
        self._jobs.submit(
            lambda _job: self._engine.wants_index(),
            key="library-look",
            done=self._on_looked,
            failed=lambda error: log.info("the library is not looked at: %s", error),
        )

    def _on_looked(self, is_wanted: bool) -> None:
        if not is_wanted or self._is_refused or self._jobs.is_active(KEY):
            return

        def work(job: Job[None]) -> None:
            self._engine.build_index(job.monitor, self._is_free.is_set)

        def failed(error: Exception) -> None:
            self._is_refused = True
            self._reporter.report(describe(error, topic=KEY))

        def cancelled() -> None:
            self._is_refused = True

        self._jobs.submit(
            work,
            key=KEY,
            title=self.tr("Index of all recordings ever embedded"),
            failed=failed,
            cancelled=cancelled,
            is_aside=True,
        )

    def _on_job(self, _job: Job[Any]) -> None:
        """Hold the build while something runs that the user waits for."""
        if any(job.holds_window and not job.is_paused for job in self._jobs.active):
            self._is_free.clear()
        else:
            self._is_free.set()
