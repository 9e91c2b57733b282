"""Sound that follows the playback clock: made in pieces for moments at which they will be heard.

The clock is master. For every piece one knows when its first sample leaves the loudspeaker, hence
where the clock is then and which moment of the recording belongs there. Where the sound has
moved away from it (two quartzes are never alike, speeds change, people jump), it is played a
little faster or slower until it is back, or from far away goes on at the right place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from carl_core.playback.clock import Course
from carl_core.playback.stretch import FASTEST, SLOWEST, TimeStretcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from carl_core.arrays import Float32

LOWEST_RATE, HIGHEST_RATE = 0.5, 2.0
"""Rates of the clock at which there is sound; none backwards."""

CHANNELS = 2

_BLOCK_S = 0.02
# Farther away than this it jumps. Twice as far would be heard as not in step.
_JUMP_S = 0.03
# Nearer, its speed is changed by up to this share from here on until there.
_TRIM = 0.04
_TRIM_FROM_S = 0.004
_TRIM_TO_S = 0.0005
_TRIM_TIME_S = 0.5
_SMOOTHING_S = 0.2  # of the measured error: the system says when with some jitter
_SLOPE_S = 0.05
_MARGIN_S = 0.1  # of decoded sound; with less it fades out while there is something to fade


class SoundSource(Protocol):
    """What is needed of ``carl_core.video.sound_ahead.SoundAhead``; nothing here may wait."""

    def want(self, sample: int, then: int | None = None) -> None:
        """Have the sound from here on made ready, and that from ``then`` on for a jump there."""
        ...

    def has(self, first: int, count: int) -> bool:
        """Whether these samples are ready."""
        ...

    def copy(self, first: int, out: Float32) -> None:
        """Copy samples (N, 2), silence where there is none."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SoundPlan:
    """What is to be heard.

    Attributes
    ----------
    source : the sound of a recording, None = silence
    own_time : master seconds to the recording's own, None = no counterpart; any thread
    course : where the clock's time goes
    """

    source: SoundSource | None = None
    own_time: Callable[[float], float | None] = field(default=lambda time_s: time_s)
    course: Course = field(default_factory=Course)


class SyncedSound:
    """Sound in step with a clock.

    ``fill`` belongs to one thread, that of the sound device. ``plan`` and ``gain`` may be set, and
    the figures read, from any other; nothing waits.

    Attributes
    ----------
    plan : what is to be heard from the next piece on
    gain : 0 to 1, amplitude
    sync_error_s : how far the sound heard last was ahead of the clock; NaN while silent
    gaps : how often sound that should have been heard was not decoded in time
    """

    def __init__(self, *, rate: int) -> None:
        self.rate = rate
        self.plan = SoundPlan()
        self.gain = 1.0
        self.sync_error_s = float("nan")
        self.gaps = 0
        self._block = round(_BLOCK_S * rate)
        self._stretcher = TimeStretcher(self._copy, rate=rate, channels=CHANNELS)
        self._source: SoundSource | None = None  # what is heard, until it has faded out
        self._loudness = 0.0  # gain at the end of the last block
        self._speed = 1.0
        self._error_s = 0.0  # smoothed
        self._is_trimming = False
        self._expected: tuple[float, float] = (0.0, 0.0)  # (heard at, own time there)
        self._looked_at: SoundPlan | None = None
        self._loop_sample: int | None = None
        self._fills = 0
        self._far_since: int | None = None

    def fill(self, out: Float32, heard_at: float) -> None:
        """Fill ``out`` (N, 2); its first sample is heard at this reading of the clock's ``now``."""
        self._fills += 1
        plan = self.plan
        for first in range(0, len(out), self._block):
            self._fill_block(out[first : first + self._block], heard_at + first / self.rate, plan)

    def _fill_block(self, out: Float32, heard_at: float, plan: SoundPlan) -> None:
        place = self._place(plan, heard_at)
        if plan.source is not self._source:
            if self._loudness > 0.0:
                place = None  # the one before fades out first
            else:
                self._source = plan.source
        if place is not None and not self._is_ready(*place):
            self.gaps += self._loudness > 0.0
            place = None
        gain = self.gain if place is not None else 0.0
        if gain == 0.0 and self._loudness == 0.0:
            out[:] = 0.0
            self.sync_error_s = float("nan")
            return
        speed = self._speed if place is None else self._keep_up(*place, heard_at)
        self._stretcher.read(out, speed)
        if gain != self._loudness:
            out *= np.linspace(self._loudness, gain, len(out), dtype=np.float32)[:, None]
            self._loudness = gain
        elif gain != 1.0:
            out *= np.float32(gain)

    def _place(self, plan: SoundPlan, heard_at: float) -> tuple[float, float] | None:
        """Own seconds to be heard and their speed; None = nothing is to be heard."""
        course = plan.course
        if plan.source is None or not course.is_playing or course.is_over(heard_at):
            return None
        if not LOWEST_RATE <= course.rate <= HIGHEST_RATE:
            return None
        time_s = course.time_at(heard_at)
        own_s = plan.own_time(time_s)
        if own_s is None:
            return None
        known = [
            (at_s, near_s)
            for at_s in (time_s - _SLOPE_S, time_s, time_s + _SLOPE_S)
            if (near_s := plan.own_time(at_s)) is not None
        ]
        speed = course.rate
        if len(known) > 1:
            speed *= (known[-1][1] - known[0][1]) / (known[-1][0] - known[0][0])
        plan.source.want(round(own_s * self.rate), self._loop_start(plan))
        return (own_s, speed) if SLOWEST <= speed <= FASTEST else None

    def _loop_start(self, plan: SoundPlan) -> int | None:
        """Sample at which a loop begins again; worked out once for a plan."""
        if plan is not self._looked_at:
            loop_s = plan.course.loop_s
            start_s = None if loop_s is None else plan.own_time(loop_s[0])
            self._loop_sample = None if start_s is None else round(start_s * self.rate)
            self._looked_at = plan
        return self._loop_sample

    def _is_ready(self, own_s: float, speed: float) -> bool:
        assert self._source is not None
        reach = self._stretcher.reach
        span_s = _MARGIN_S if self._loudness > 0.0 else 2 * _MARGIN_S
        first = round(own_s * self.rate) - reach
        return self._source.has(first, 2 * reach + round(span_s * speed * self.rate))

    def _keep_up(self, own_s: float, speed: float, heard_at: float) -> float:
        """Note how far the sound is from where it belongs; return the speed to play it at."""
        if self._loudness == 0.0:
            self._stretcher.start(own_s * self.rate)
            self._begin_anew()
        error_s = self._stretcher.due / self.rate - own_s
        if abs(error_s) > _JUMP_S:
            # The system may be wrong about one piece; a jump of the clock is none of its doing.
            before_at, before_s = self._expected
            moved_s = own_s - before_s - (heard_at - before_at) * self._speed
            if self._far_since is None:
                self._far_since = self._fills
            if abs(moved_s) > _JUMP_S / 2 or self._fills > self._far_since:
                self._stretcher.jump(own_s * self.rate)
                self._begin_anew()
        else:
            self._far_since = None
            share = min(1.0, _BLOCK_S / _SMOOTHING_S)
            self._error_s += (error_s - self._error_s) * share
        self._expected = (heard_at, own_s)
        self._speed = speed
        self.sync_error_s = self._stretcher.position / self.rate - own_s
        if abs(self._error_s) > _TRIM_FROM_S:
            self._is_trimming = True
        elif abs(self._error_s) < _TRIM_TO_S:
            self._is_trimming = False
        if not self._is_trimming:
            return speed
        trim = min(max(self._error_s / _TRIM_TIME_S, -_TRIM), _TRIM)
        return min(max(speed * (1 - trim), SLOWEST), FASTEST)

    def _begin_anew(self) -> None:
        self._error_s = 0.0
        self._is_trimming = False
        self._far_since = None

    def _copy(self, first: int, out: Float32) -> None:
        if self._source is None:
            out[:] = 0.0
        else:
            self._source.copy(first, out)
