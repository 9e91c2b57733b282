"""Small copies of the recordings, made when all else is done, for dragging through them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject

from carl_core.paths import keeps_nothing
from carl_core.video.proxy import ProxyStore, is_worthwhile

if TYPE_CHECKING:
    from app.jobs import Job, JobRunner
    from app.models.session import SessionModel
    from app.presenters.loading import LoadingPresenter
    from carl_core.video.recording import Recording

log = logging.getLogger("carl.play")


class CopyUser(Protocol):
    """What shows previews: ``FrameService``."""

    def use_proxy(self, recording_id: str, proxy: Recording | None) -> None:
        """Preview far frames of a recording by its copy, or without."""
        ...


class CopiesPresenter(QObject):
    """Finds or makes the copies, one after the other, once all recordings are aligned."""

    def __init__(
        self,
        session: SessionModel,
        loading: LoadingPresenter,
        jobs: JobRunner,
        frames: CopyUser,
        store: ProxyStore,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._loading = loading
        self._jobs = jobs
        self._frames = frames
        self._store = store
        self._is_wanted = False
        self._tried: set[str] = set()
        self._running = ""
        loading.settled.connect(self._go_on)
        session.recordings_changed.connect(self._on_recordings_changed)

    def set_wanted(self, is_wanted: bool) -> None:
        """Make copies from now on, unless nothing may be kept, or use none."""
        is_wanted = is_wanted and not keeps_nothing()
        if is_wanted == self._is_wanted:
            return
        self._is_wanted = is_wanted
        if not is_wanted:
            self._jobs.cancel(f"copy:{self._running}")
            for recording_id in self._tried:
                self._frames.use_proxy(recording_id, None)
            self._tried.clear()
        self._go_on()

    def _on_recordings_changed(self) -> None:
        present = {entry.id for entry in self._session.entries}
        if self._running and self._running not in present:
            self._jobs.cancel(f"copy:{self._running}")
        self._tried &= present

    def _go_on(self) -> None:
        if not self._is_wanted or self._running or self._loading.is_busy:
            return
        for entry in self._session.entries:
            if entry.id not in self._tried and entry.recording.is_exact:
                self._tried.add(entry.id)
                if is_worthwhile(entry.recording):
                    self._submit(entry.recording)
                    return

    def _submit(self, recording: Recording) -> None:
        self._running = recording.id

        def done(proxy: Recording | None) -> None:
            self._running = ""
            if self._is_wanted and recording.id in self._tried:
                self._frames.use_proxy(recording.id, proxy)
            self._go_on()

        def failed(error: Exception) -> None:
            # Nothing is lost: dragging is as slow as before.
            log.warning("no small copy of %s: %s", recording.name, error)
            self._running = ""
            self._go_on()

        def cancelled() -> None:
            self._running = ""
            self._go_on()

        def work(job: Job[Recording | None]) -> Recording | None:
            return self._store.make(recording, monitor=job.monitor)

        self._jobs.submit(
            work,
            key=f"copy:{recording.id}",
            title=self.tr("Small copy of {name} for dragging").format(name=recording.name),
            done=done,
            failed=failed,
            cancelled=cancelled,
        )
