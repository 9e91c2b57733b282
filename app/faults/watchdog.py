"""Notice when the event loop is held, and say by what."""

from __future__ import annotations

import faulthandler
import logging
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer

log = logging.getLogger("carl.loop")

HELD_LIMIT_S = 0.5
_MOST_BEATS = 100_000


@dataclass(frozen=True, slots=True)
class Stall:
    """The event loop was held.

    Attributes
    ----------
    held_s : for at least how long when it was noticed, seconds
    stack : what the main thread was doing then
    """

    held_s: float
    stack: str


class LoopWatchdog(QObject):
    """Measures the turns of the event loop it lives on, and trips when one takes too long.

    A timer beats on the main thread; a thread looks on. ``delays_s`` holds how much later than due
    each beat came, what a key press would have waited, of the last minutes. Time in which the main
    thread could run but the machine was busy with other programs is no hold of ours: where the
    system tells it (Linux), it does not count towards a trip, and with ``measures_own``
    ``own_delays_s`` holds each delay without it.
    """

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        limit_s: float = HELD_LIMIT_S,
        interval_s: float = 0.01,
        measures_own: bool = False,
    ) -> None:
        super().__init__(parent)
        self.stalls: list[Stall] = []
        self.delays_s: deque[float] = deque(maxlen=_MOST_BEATS)
        self.own_delays_s: deque[float] = deque(maxlen=_MOST_BEATS)
        self._measures_own = measures_own
        self._limit_s = limit_s
        self._interval_s = interval_s
        self._main = threading.get_ident()
        self._schedule = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._beat_at = time.perf_counter()
        self._starved_at_beat_s = 0.0
        self._tripped_for: float | None = None
        self._stop = threading.Event()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(round(interval_s * 1000))
        self._timer.timeout.connect(self._on_beat)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self.stalls.clear()
        self.delays_s.clear()
        self.own_delays_s.clear()
        self._starved_at_beat_s = self._starved_s()
        self._stop.clear()
        self._beat_at = time.perf_counter()
        self._timer.start()
        self._thread = threading.Thread(target=self._watch, name="carl-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the figures stay."""
        self._timer.stop()
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _on_beat(self) -> None:
        now = time.perf_counter()
        delay_s = max(0.0, now - self._beat_at - self._interval_s)
        self.delays_s.append(delay_s)
        self._beat_at = now
        if self._measures_own:
            starved_s = self._starved_s()
            self.own_delays_s.append(max(0.0, delay_s - (starved_s - self._starved_at_beat_s)))
            self._starved_at_beat_s = starved_s

    def _watch(self) -> None:
        seen_at, starved_s = self._beat_at, self._starved_s()
        while not self._stop.wait(self._limit_s / 10):
            beat_at = self._beat_at
            if beat_at != seen_at:
                seen_at, starved_s = beat_at, self._starved_s()
            held_s = time.perf_counter() - beat_at
            if held_s > self._limit_s:
                held_s -= self._starved_s() - starved_s
            if held_s <= self._limit_s or self._tripped_for == beat_at:
                continue
            self._tripped_for = beat_at
            stack = stack_of(self._main)
            self.stalls.append(Stall(held_s, stack))
            log.warning("the event loop has been held for %.2f s by:\n%s", held_s, stack)

    def _starved_s(self) -> float:
        """Seconds the main thread has waited for a core so far; 0 where nobody tells."""
        try:
            return int(self._schedule.read_text().split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            return 0.0


def stack_of(thread_id: int) -> str:
    """Return what a thread is doing, newest call first.

    NOTE: never through ``sys._current_frames``: whoever holds a frame holds its locals, and would
    destroy the main thread's Qt objects on this thread when the function returns meanwhile.
    """
    with tempfile.TemporaryFile("w+") as out:
        faulthandler.dump_traceback(out, all_threads=True)
        out.seek(0)
        sections = out.read().split("\n\n")
    wanted = f"0x{thread_id:016x}"
    return next((s for s in sections if wanted in s.partition("\n")[0]), "(unknown)") + "\n"
