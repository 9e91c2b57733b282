"""The one clock of playback. Players are functions of its time; it waits for none of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Course:
    """Where a clock's time goes as long as nobody touches the clock. Safe from any thread.

    Attributes
    ----------
    from_s : time on the master line ...
    from_now : ... at this reading of the monotone clock, seconds
    rate : master seconds per second
    is_playing : whether time moves at all
    limits_s : first and last time that can be reached
    loop_s : the range that is repeated, or None
    """

    from_s: float = 0.0
    from_now: float = 0.0
    rate: float = 1.0
    is_playing: bool = False
    limits_s: tuple[float, float] = (0.0, 0.0)
    loop_s: tuple[float, float] | None = None

    def time_at(self, now: float) -> float:
        """Master time at a reading of the monotone clock, also one to come."""
        at = self._unlimited(now)
        start_s, end_s = self.limits_s
        return min(max(at, start_s), end_s)

    def is_over(self, now: float) -> bool:
        """Whether time has run into a limit by then and stopped."""
        start_s, end_s = self.limits_s
        return not start_s <= self._unlimited(now) <= end_s

    def _unlimited(self, now: float) -> float:
        if not self.is_playing:
            return self.from_s
        at = self.from_s + (now - self.from_now) * self.rate
        if self.loop_s is not None:
            start_s, end_s = self.loop_s
            # Enter a loop from outside by running into it; only leaving it wraps.
            if self.rate > 0 and at >= end_s and self.from_s <= end_s:
                return start_s + (at - end_s) % (end_s - start_s)
            if self.rate < 0 and at < start_s and self.from_s >= start_s:
                return end_s - (start_s - at) % (end_s - start_s)
        return at


class PlaybackClock:
    """Time that can run forwards and backwards at any rate, stop, jump and loop.

    Nothing ticks here: ``time_s`` is computed from ``now`` when asked, so any number of readers
    see the same time and none can make it drift. One thread at a time.

    Parameters
    ----------
    now : seconds of a monotone clock, replaceable in tests. Not ``time.monotonic``: on Windows
        it moves in steps of 16 ms before Python 3.13
    """

    def __init__(self, *, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._start_s = 0.0
        self._end_s = 0.0
        self._loop_s: tuple[float, float] | None = None
        self._rate = 1.0
        self._playing = False
        self._course = Course()

    @property
    def time_s(self) -> float:
        """Seconds on the master time line, always within the limits."""
        return self._settle()

    @property
    def rate(self) -> float:
        """Master seconds per second; negative runs backwards."""
        return self._rate

    @property
    def is_playing(self) -> bool:
        """Whether time moves; turns False by itself at the end of the limits."""
        self._settle()
        return self._playing

    @property
    def course(self) -> Course:
        """Where time goes from here; another one after every change, the same in between."""
        self._settle()
        return self._course

    @property
    def limits_s(self) -> tuple[float, float]:
        """First and last time that can be reached, seconds."""
        return self._start_s, self._end_s

    @property
    def loop_s(self) -> tuple[float, float] | None:
        """The range that playing repeats, seconds, or None."""
        return self._loop_s

    def set_limits(self, start_s: float, end_s: float) -> None:
        """Confine time to [start_s, end_s]; the present time moves to the nearer limit."""
        if not start_s <= end_s:
            raise ValueError(f"limits must ascend, got {start_s} and {end_s}")
        at = self._settle()
        self._start_s, self._end_s = start_s, end_s
        self._loop_s = None
        self._restart(at)

    def set_loop(self, loop_s: tuple[float, float] | None) -> None:
        """Repeat a range while playing, or None to play to the end."""
        if loop_s is not None and not loop_s[0] < loop_s[1]:
            raise ValueError(f"a loop needs start < end, got {loop_s}")
        at = self._settle()
        self._loop_s = loop_s
        self._restart(at)

    def play(self) -> None:
        """Run. At the end of the limits, start over from the other end."""
        at = self._settle()
        if self._rate > 0 and at >= self._end_s:
            at = self._start_s
        elif self._rate < 0 and at <= self._start_s:
            at = self._end_s
        self._playing = True
        self._restart(at)

    def pause(self) -> None:
        """Stop at the present time."""
        at = self._settle()
        self._playing = False
        self._restart(at)

    def seek(self, time_s: float) -> None:
        """Jump to ``time_s`` (clamped to the limits); playing goes on from there."""
        self._restart(time_s)

    def set_rate(self, rate: float) -> None:
        """Change speed and direction without a jump; ``rate`` must not be 0 (pause instead)."""
        if rate == 0:
            raise ValueError("rate must not be 0: pause instead")
        at = self._settle()
        self._rate = rate
        self._restart(at)

    def _restart(self, time_s: float) -> None:
        self._course = Course(
            from_s=min(max(time_s, self._start_s), self._end_s),
            from_now=self._now(),
            rate=self._rate,
            is_playing=self._playing,
            limits_s=(self._start_s, self._end_s),
            loop_s=self._loop_s,
        )

    def _settle(self) -> float:
        """Return the present time; stop at a limit, wrap around in a loop."""
        now = self._now()
        at = self._course.time_at(now)
        if self._playing and self._course.is_over(now):
            self._playing = False
            self._restart(at)
        return at
