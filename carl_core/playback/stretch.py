"""Play sound faster or slower with its pitch kept.

Method: WSOLA (Verhelst and Roelands, "An overlap-add technique based on waveform similarity",
ICASSP 1993). Sound is copied as it is; where copying has moved too far from the place that is
due, it goes on near that place, at the spot whose wave is most like what would have come next,
and the two are faded into each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.arrays import Float32

SLOWEST, FASTEST = 0.4, 2.5
"""Speeds that can be asked for; 0.5 to 2 sounds well."""

SEGMENT_S = 0.02
"""Sound between two decisions on where to go on: a change of speed is heard after this long."""

_FADE_S = 0.01
_REACH_S = 0.01  # either way; both together hold a whole period down to 50 Hz
# Of two places that fit alike, the one nearer to what is due is taken.
_OFF_CENTRE = 0.05

Fill = Callable[[int, "Float32"], None]
"""(number of the first sample, float32 (N, channels) to fill): gives sound, silence where none."""


class TimeStretcher:
    """Sound from anywhere at any speed, piece by piece. One thread at a time.

    Parameters
    ----------
    fill : where the sound comes from, by sample number
    rate : samples a second
    channels : of the sound
    """

    def __init__(self, fill: Fill, *, rate: int, channels: int = 2) -> None:
        if rate < 1000 or channels < 1:
            raise ValueError(f"need 1000 samples a second and a channel, got {rate}, {channels}")
        # Here, because numba takes its time: not for those who only import this module.
        from carl_core.playback.kernels import most_alike

        self._most_alike = most_alike
        self._fill = fill
        self._segment = round(SEGMENT_S * rate)
        self._fade = round(_FADE_S * rate)
        self._reach = round(_REACH_S * rate)
        self._ready = np.zeros((self._segment, channels), dtype=np.float32)
        self._left = 0  # samples of _ready not read yet
        self._template = np.zeros((self._fade, channels), dtype=np.float32)
        self._region = np.zeros((2 * self._reach + self._segment, channels), dtype=np.float32)
        self._rise = ((np.arange(self._fade, dtype=np.float32) + 0.5) / self._fade)[:, None]
        self._next = 0  # sample that continues what was made last
        self._due = 0.0  # sample that should
        self._speed = 1.0

    @property
    def position(self) -> float:
        """Sample that is read next: what is heard."""
        return float(self._next - self._left)

    @property
    def due(self) -> float:
        """Sample that should be read next at the speeds asked for; `position` keeps near it."""
        return self._due - self._left * self._speed

    @property
    def reach(self) -> int:
        """Samples around `due` that the next segment may be taken from, either way."""
        return self._reach + 2 * self._segment

    def start(self, position: float) -> None:
        """Begin at a sample, with nothing before it."""
        self._next = round(position)
        self._due = float(position)
        self._left = 0

    def jump(self, position: float) -> None:
        """Go on at a sample, faded into it; what is heard gets there after a segment at most."""
        self._due = position + self._left * self._speed

    def read(self, out: Float32, speed: float) -> None:
        """Fill ``out`` (N, channels) with the sound that comes next at ``speed``.

        At speed 1 this is the sound itself, sample by sample.
        """
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"speed must be within {SLOWEST} and {FASTEST}, got {speed}")
        done = 0
        while done < len(out):
            if self._left == 0:
                self._make_segment(speed)
            count = min(len(out) - done, self._left)
            first = self._segment - self._left
            out[done : done + count] = self._ready[first : first + count]
            self._left -= count
            done += count

    def _make_segment(self, speed: float) -> None:
        length = self._segment
        # While it is copied the place that is due moves on: be right in the middle.
        wanted = round(self._due + length * (speed - 1) / 2)
        if abs(wanted - self._next) <= self._reach:
            self._fill(self._next, self._ready)
        else:
            self._fill(self._next, self._template)
            self._fill(wanted - self._reach, self._region)
            at = self._most_alike(
                self._template.reshape(-1),
                self._region[: 2 * self._reach + self._fade].reshape(-1),
                self._template.shape[1],
                _OFF_CENTRE,
            )
            self._ready[:] = self._region[at : at + length]
            head = self._ready[: self._fade]
            head -= self._template
            head *= self._rise
            head += self._template
            self._next = wanted - self._reach + at
        self._next += length
        self._left = length
        self._due += length * speed
        self._speed = speed


def stretch(samples: Float32, speed: float, *, rate: int) -> Float32:
    """Return ``samples`` (N, channels) at ``speed``: float32 (round(N / speed), channels)."""

    def fill(first: int, out: Float32) -> None:
        out[:] = 0.0
        low, high = max(first, 0), min(first + len(out), len(samples))
        if low < high:
            out[low - first : high - first] = samples[low:high]

    result = np.empty((round(len(samples) / speed), samples.shape[1]), dtype=np.float32)
    TimeStretcher(fill, rate=rate, channels=samples.shape[1]).read(result, speed)
    return result
