"""Work in the background: one pool, and one door back to the main thread.

``JobRunner.submit`` takes a plain callable. It runs on a pool thread, touches no Qt, and returns a
value; ``done``, ``failed`` and ``progress`` are called on the main thread. A newer job with the
same key cancels the older one, whose result is dropped.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer, Signal, Slot

from carl_core.errors import Cancelled
from carl_core.progress import Monitor, Progress
from carl_core.video.info import display_text
from carl_core.waiting import given_up_when

log = logging.getLogger("carl.jobs")

Result = TypeVar("Result")

WORKER_NICENESS = 4

GIVE_UP_S = 15.0
"""Waiting for workers when the window closes: what they finish is seconds, not more."""

AT_ONCE_S = 0.02
"""Threads that end within this time are simply waited for."""

DRAIN_BUDGET_S = 0.008
"""Longest stretch of deliveries before the event loop gets a turn."""


class JobState(Enum):
    """Where a job is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class Job(Generic[Result]):
    """One piece of work, as the worker and the main thread see it.

    Attributes
    ----------
    key : jobs with the same key replace each other
    title : shown in the status bar; empty = not worth showing
    holds_window : whether closing the window asks first
    is_aside : whether it has time, on a thread of its own
    monitor : progress out of, cancellation into the work
    state, progress : as last delivered; main thread only
    """

    def __init__(
        self,
        key: str,
        title: str,
        send: Callable[[Job[Result], Any], None],
        *,
        holds_window: bool = False,
        is_aside: bool = False,
    ) -> None:
        self.key = key
        self.title = title
        self.holds_window = holds_window
        self.is_aside = is_aside
        self.state = JobState.WAITING
        self.progress: Progress | None = None
        self.is_superseded = False
        self._send = send
        self.monitor = Monitor(self._on_progress)

    def send(self, value: object) -> None:
        """Hand a partial result to ``received`` on the main thread. For the worker."""
        self.monitor.check()
        self._send(self, ("received", value))

    def cancel(self) -> None:
        """Ask the work to stop. Safe from any thread."""
        self.monitor.cancel()

    @property
    def is_paused(self) -> bool:
        """Whether it waits to be resumed."""
        return self.monitor.is_paused

    def _on_progress(self, progress: Progress) -> None:
        self._send(self, ("progress", progress))


Work = Callable[[Job[Result]], Result]


class _Callbacks(Generic[Result]):
    def __init__(
        self,
        done: Callable[[Result], None] | None,
        failed: Callable[[Exception], None] | None,
        cancelled: Callable[[], None] | None,
        progress: Callable[[Progress], None] | None,
        received: Callable[[Any], None] | None,
    ) -> None:
        self.done = done
        self.failed = failed
        self.cancelled = cancelled
        self.progress = progress
        self.received = received


class JobRunner(QObject):
    """Runs jobs and delivers what comes of them on the thread it lives on.

    Attributes
    ----------
    is_stuck : whether a worker was left behind when this was closed

    Signals
    -------
    changed(Job) : a job started, progressed or ended (main thread)
    faulted(Exception, Job) : a job failed that had no ``failed`` of its own (main thread)
    """

    changed = Signal(object)
    faulted = Signal(object, object)
    _wake = Signal()

    def __init__(self, parent: QObject | None = None, *, workers: int | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(
            workers or max(3, min(6, os.cpu_count() or 2)),
            thread_name_prefix="carl-job",
            initializer=_give_way,
        )
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="carl-aside", initializer=_give_way)
        self._callbacks: dict[Job[Any], _Callbacks[Any]] = {}
        self._newest: dict[str, Job[Any]] = {}
        self._deliveries: deque[tuple[Job[Any], tuple[str, Any]]] = deque()
        self._lock = threading.Lock()
        self._is_wake_pending = False
        self._is_closed = False
        self.is_stuck = False
        self._wake.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    @property
    def active(self) -> list[Job[Any]]:
        """Jobs that are not over, oldest first."""
        return list(self._callbacks)

    def submit(
        self,
        work: Work[Result],
        *,
        key: str,
        done: Callable[[Result], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
        cancelled: Callable[[], None] | None = None,
        progress: Callable[[Progress], None] | None = None,
        received: Callable[[Any], None] | None = None,
        title: str = "",
        holds_window: bool = False,
        is_aside: bool = False,
    ) -> Job[Result]:
        """Run ``work(job)`` on the pool. Main thread only.

        What ``is_aside`` runs on a thread of its own, one after another: it may take its time and
        keeps nothing else waiting.

        Exactly one of ``done``, ``failed`` and ``cancelled`` is called, unless a newer job of the
        same key took the place of this one: then none is.
        """
        job: Job[Result] = Job(
            key,
            display_text(title),
            self._post,
            holds_window=holds_window,
            is_aside=is_aside,
        )
        if self._is_closed:
            job.cancel()
            job.state = JobState.CANCELLED
            return job
        older = self._newest.get(key)
        if older is not None:
            older.is_superseded = True
            older.cancel()
            self._set_state(older, JobState.CANCELLING)
        self._newest[key] = job
        self._callbacks[job] = _Callbacks(done, failed, cancelled, progress, received)
        (self._aside if is_aside else self._pool).submit(self._run, job, work)
        self.changed.emit(job)
        return job

    def cancel(self, key: str) -> None:
        """Ask the newest job of ``key`` to stop; nothing happens when there is none."""
        job = self._newest.get(key)
        if job is not None:
            job.cancel()
            self._set_state(job, JobState.CANCELLING)

    def pause(self, key: str, *, is_paused: bool) -> None:
        """Hold the newest job of ``key`` at its next step, or let it go on.

        A held job keeps its thread: a pool full of held jobs runs nothing else.
        """
        job = self._newest.get(key)
        if job is None or job.is_paused == is_paused:
            return
        if is_paused:
            job.monitor.pause()
        else:
            job.monitor.resume()
        self.changed.emit(job)

    def is_active(self, key: str) -> bool:
        """Whether a job of ``key`` is waiting or running."""
        return key in self._newest

    def close(self) -> None:
        """Stop everything and wait for the threads. No callback is called any more.

        What a worker is in the middle of may take its time to notice: the event loop turns
        meanwhile, without the user's input, so that nothing looks as if it hung. A worker that
        waits for a drive which does not answer is left behind after ``GIVE_UP_S``: ``is_stuck``.
        """
        if self._is_closed:
            return
        self._is_closed = True  # before waiting: whatever ends from now on is dropped
        for job in list(self._callbacks):
            job.cancel()
        ender = threading.Thread(target=self._end_pool, name="carl-jobs-end", daemon=True)
        ender.start()
        ender.join(AT_ONCE_S)
        if ender.is_alive():
            until = time.monotonic() + GIVE_UP_S
            loop, look = QEventLoop(), QTimer()
            look.setInterval(10)
            look.timeout.connect(
                lambda: loop.quit() if not ender.is_alive() or time.monotonic() > until else None
            )
            look.start()
            loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
            look.stop()
            self.is_stuck = ender.is_alive()
            if self.is_stuck:
                log.warning("a worker does not end: its drive does not answer")
        self._callbacks.clear()
        self._newest.clear()
        self._deliveries.clear()

    def _end_pool(self) -> None:
        for pool in (self._pool, self._aside):
            pool.shutdown(wait=True, cancel_futures=True)

    # On the worker's thread --------------------------------------------------------------------

    def _run(self, job: Job[Result], work: Work[Result]) -> None:
        if job.monitor.is_cancelled:
            self._post(job, ("cancelled", None))
            return
        self._post(job, ("started", None))
        try:
            with given_up_when(lambda: job.monitor.is_cancelled):
                result = work(job)
        except Cancelled:
            self._post(job, ("cancelled", None))
        except Exception as exc:  # a border: whatever the work raises becomes a message
            log.debug("job %s failed", job.key, exc_info=True)
            self._post(job, ("failed", exc))
        else:
            self._post(job, ("done", result))

    def _post(self, job: Job[Any], delivery: tuple[str, Any]) -> None:
        if self._is_closed:
            return
        with self._lock:
            self._deliveries.append((job, delivery))
            if self._is_wake_pending:
                return
            self._is_wake_pending = True
        self._wake.emit()

    # On the main thread ------------------------------------------------------------------------

    @Slot()
    def _drain(self) -> None:
        until = time.perf_counter() + DRAIN_BUDGET_S
        while not self._is_closed:
            with self._lock:
                if not self._deliveries:
                    self._is_wake_pending = False
                    return
                job, (kind, value) = self._deliveries.popleft()
            try:
                self._deliver(job, kind, value)
            except BaseException:
                QTimer.singleShot(0, self, self._drain)  # the rest still arrives
                raise
            if time.perf_counter() > until:
                QTimer.singleShot(0, self, self._drain)
                return

    def _deliver(self, job: Job[Any], kind: str, value: Any) -> None:
        callbacks = self._callbacks.get(job)
        if callbacks is None:
            return
        if kind == "started":
            if job.state is JobState.WAITING:
                self._set_state(job, JobState.RUNNING)
            return
        if kind in ("progress", "received"):
            if job.is_superseded:
                return
            if kind == "received":
                if callbacks.received is not None:
                    callbacks.received(value)
                return
            job.progress = value
            if callbacks.progress is not None:
                callbacks.progress(value)
            self.changed.emit(job)
            return
        self._finish(job, callbacks, kind, value)

    def _finish(self, job: Job[Any], callbacks: _Callbacks[Any], kind: str, value: Any) -> None:
        del self._callbacks[job]
        if self._newest.get(job.key) is job:
            del self._newest[job.key]
        if job.monitor.is_cancelled and kind != "cancelled":
            # It finished in spite of being cancelled: who cancelled does not want the result.
            kind = "cancelled"
        self._set_state(job, JobState(kind))
        if job.is_superseded:
            return
        if kind == "done" and callbacks.done is not None:
            callbacks.done(value)
        elif kind == "cancelled" and callbacks.cancelled is not None:
            callbacks.cancelled()
        elif kind == "failed":
            if callbacks.failed is not None:
                callbacks.failed(value)
            else:
                self.faulted.emit(value, job)

    def _set_state(self, job: Job[Any], state: JobState) -> None:
        if job.state is not state:
            job.state = state
            self.changed.emit(job)


def _give_way() -> None:
    """Let the window run before this thread, and before those it starts, where cores are few."""
    if sys.platform == "linux":  # elsewhere a thread cannot be made nicer than its process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), WORKER_NICENESS)
