"""Progress and cancellation, one form for the command line and the window.

Long work takes a ``Monitor``. It reports with ``advance`` and asks with ``check``; whoever started
the work reads ``Progress`` values from the callback and calls ``cancel`` (from any thread).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from carl_core.errors import Cancelled


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    stage : what is being done, e.g. "embedding clip.mp4"
    done, total : in ``unit``; ``total`` is None when unknown
    unit : e.g. "frames"
    rate : ``unit`` per second over the last few seconds, 0.0 before the first measurement
    remaining_s : estimated seconds left, None when unknown
    """

    stage: str
    done: float
    total: float | None
    unit: str
    rate: float
    remaining_s: float | None


ProgressCallback = Callable[[Progress], None]


BLOCK_ROWS = 4096
"""Rows of a recording's vectors that are worked on without asking whether to stop: some 10 ms."""


class Monitor:
    """Carries progress out of, and cancellation into, a long job.

    ``advance`` and ``check`` belong to the working thread, all other calls to any thread.

    Parameters
    ----------
    callback : receives ``Progress`` on the working thread, at most every ``interval_s``
    interval_s : seconds between two reports of one stage (the first and last always come)
    now : clock in seconds, replaceable in tests
    """

    def __init__(
        self,
        callback: ProgressCallback | None = None,
        *,
        interval_s: float = 0.1,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._callback = callback
        self._interval_s = interval_s
        self._now = now
        self._cancelled = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._stage = ""
        self._unit = ""
        self._total: float | None = None
        self._done = 0.0
        self._last_report_s = float("-inf")
        self._samples: deque[tuple[float, float]] = deque(maxlen=64)

    def start(self, stage: str, total: float | None, unit: str = "frames", done: float = 0) -> None:
        """Begin a stage; ``done`` counts what an earlier run already finished."""
        self._stage, self._total, self._unit = stage, total, unit
        self._done = done
        self._samples.clear()
        self._samples.append((self._now(), done))
        self._last_report_s = float("-inf")
        self.check()
        self._report(force=True)

    def advance(self, amount: float = 1) -> None:
        """Count ``amount`` more as done and report.

        Raises
        ------
        Cancelled
            When ``cancel`` was called.
        """
        self.check()
        self._done += amount
        self._report(force=self._total is not None and self._done >= self._total)

    def relay(self, progress: Progress) -> None:
        """Report what was measured elsewhere, e.g. by a child process, as it is."""
        if self._callback is not None:
            self._callback(progress)

    def check(self) -> None:
        """Wait while paused; raise ``Cancelled`` when ``cancel`` was called."""
        if not self._going.is_set():
            self._going.wait()
            self._samples.clear()  # the pause is no part of the rate
            self._samples.append((self._now(), self._done))
        if self._cancelled.is_set():
            raise Cancelled

    def rest(self, seconds: float) -> None:
        """Do nothing for so long, for what comes next may prove needless; then ``check``."""
        self._cancelled.wait(seconds)
        self.check()

    def cancel(self) -> None:
        """Ask the work to stop at its next check, also when paused. Safe from any thread."""
        self._cancelled.set()
        self._going.set()

    def pause(self) -> None:
        """Hold the work at its next check. Safe from any thread."""
        if not self._cancelled.is_set():
            self._going.clear()

    def resume(self) -> None:
        """Let paused work go on. Safe from any thread."""
        self._going.set()

    @property
    def is_paused(self) -> bool:
        """Whether ``pause`` was called and ``resume`` was not."""
        return not self._going.is_set()

    @property
    def is_cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._cancelled.is_set()

    def _report(self, *, force: bool) -> None:
        if self._callback is None:
            return
        now = self._now()
        if not force and now - self._last_report_s < self._interval_s:
            return
        self._last_report_s = now
        self._samples.append((now, self._done))
        while len(self._samples) > 2 and now - self._samples[0][0] > 5.0:
            self._samples.popleft()
        start_s, start_done = self._samples[0]
        elapsed_s = now - start_s
        rate = (self._done - start_done) / elapsed_s if elapsed_s > 0 else 0.0
        remaining = (
            (self._total - self._done) / rate if self._total is not None and rate > 0 else None
        )
        self._callback(Progress(self._stage, self._done, self._total, self._unit, rate, remaining))


def row_blocks(count: int, monitor: Monitor | None, size: int = BLOCK_ROWS) -> Iterator[slice]:
    """Cut ``count`` rows into blocks; before each the monitor may stop the work.

    Raises
    ------
    Cancelled
        When the monitor says so.
    """
    for start in range(0, count, size):
        if monitor is not None:
            monitor.check()
        yield slice(start, min(count, start + size))
