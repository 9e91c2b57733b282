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

    def set_jobs(self, lines: tuple[JobLine, ...]) -> None:
        """Show what runs, the most telling first; nothing runs when empty."""
        ...

    def set_engine(self, text: str, tip: str) -> None:
        """Say what the encoder runs on."""
        ...


class StatusPresenter(QObject):
    """Shows all jobs that have a title, and pauses and cancels them.

    Running ones come first, and last what nobody waits for.
    """

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

    def cancel(self, key: str) -> None:
        """Stop one job; what it has computed is kept."""
        self._jobs.cancel(key)

    def pause(self, key: str, is_paused: bool) -> None:
        """Hold one job, or let it go on."""
        self._jobs.pause(key, is_paused=is_paused)

    def _on_changed(self, _job: Job[Any]) -> None:
        shown = [j for j in self._jobs.active if j.title and not j.state.is_over]
        running = [j for j in shown if j.state is not JobState.WAITING]
        waiting = [j for j in shown if j.state is JobState.WAITING]
        order = sorted(running + waiting, key=lambda job: job.is_aside)
        self._view.set_jobs(tuple(self._line(job) for job in order))

    def _line(self, job: Job[Any]) -> JobLine:
        progress, fraction = job.progress, None
        is_cancelling = job.state is JobState.CANCELLING
        if progress is not None and progress.total and not is_cancelling:
            fraction = progress.done / progress.total
        if is_cancelling:
            said = [self.tr("cancelling…")]
        elif job.is_paused:
            said = [self.tr("paused")] + ([f"{fraction:.0%}"] if fraction is not None else [])
        elif job.state is JobState.WAITING:
            said = [self.tr("waiting")]
        elif progress is not None and progress.total is None and not progress.unit:
            said = [self.tr("waiting")]  # it counts nothing, for it does nothing
        else:
            said = describe_progress(progress) if progress is not None else []
        return JobLine(
            job.key, job.title, "  ·  ".join(said), fraction, is_cancelling, job.is_paused
        )


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
