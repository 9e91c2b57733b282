"""The status bar: what runs, how fast, how long, on what device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject

from app.jobs import Job, JobRunner, JobState
from app.models.viewstate import JobLine
from app.resources.text import format_left

if TYPE_CHECKING:
    from app.presenters.loading import EngineState
    from carl_core.progress import Progress


class StatusView(Protocol):
    """The status bar, as this presenter sees it."""

    def set_job(self, line: JobLine | None) -> None:
        """Show the running job, or that there is none."""
        ...

    def set_engine(self, text: str, tip: str) -> None:
        """Say what the encoder runs on."""
        ...


class StatusPresenter(QObject):
    """Shows the oldest running job and how many others there are."""

    def __init__(self, jobs: JobRunner, view: StatusView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._view = view
        jobs.changed.connect(self._on_changed)
        view.set_engine(self.tr("Loading encoder…"), "")

    def set_engine(self, state: EngineState) -> None:
        """Say what the encoder runs on, as the session reports it."""
        name = state.provider.removesuffix("ExecutionProvider")
        self._view.set_engine(name or state.provider, "\n".join(state.notes))

    def _on_changed(self, _job: Job[Any]) -> None:
        shown = [j for j in self._jobs.active if j.title and not j.state.is_over]
        if not shown:
            self._view.set_job(None)
            return
        running = [j for j in shown if j.state is not JobState.WAITING]
        job = (running or shown)[0]
        progress = job.progress
        is_cancelling = job.state is JobState.CANCELLING
        parts = [job.title if not is_cancelling else self.tr("Cancelling…")]
        fraction = None
        if progress is not None and not is_cancelling:
            fraction = progress.done / progress.total if progress.total else None
            parts += describe_progress(progress)
        self._view.set_job(JobLine("  ·  ".join(parts), fraction, len(shown) - 1, is_cancelling))


def describe_progress(progress: Progress) -> list[str]:
    """Write share, rate and remaining time, as far as they are known."""
    parts = []
    if progress.total:
        parts.append(f"{min(1.0, progress.done / progress.total):.0%}")
    if progress.rate > 0:
        rate = f"{progress.rate:.0f}" if progress.rate >= 10 else f"{progress.rate:.1f}"
        parts.append(f"{rate} {progress.unit}/s")
    left = format_left(progress.remaining_s)
    if left:
        parts.append(left)
    return parts
