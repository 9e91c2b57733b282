"""When each frame of a recording is shown. Only this module converts ticks to seconds.

Identity of a frame is its presentation timestamp (pts). Seconds count from the first presented
frame (after edit lists). Nothing multiplies an index by ``1 / fps``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Bool, Float64, Int64, as_read_only, read_only

if TYPE_CHECKING:
    from fractions import Fraction

    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """Presentation timestamps of all presented frames of one video stream, ascending.

    Attributes
    ----------
    pts : int64 (N,), N >= 1, strictly ascending ticks
    end_pts : tick at which the last frame stops being shown, > pts[-1]
    is_key : bool (N,), frames decoding can start from
    time_base : seconds per tick
    """

    pts: Int64
    end_pts: int
    is_key: Bool
    time_base: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "pts", as_read_only(self.pts, np.int64))
        object.__setattr__(self, "is_key", as_read_only(self.is_key, np.bool_))
        if self.pts.ndim != 1 or len(self.pts) == 0:
            raise ValueError(f"pts must be one row of at least one tick, got {self.pts.shape}")
        if self.is_key.shape != self.pts.shape:
            raise ValueError(f"is_key {self.is_key.shape} does not match pts {self.pts.shape}")
        if np.any(np.diff(self.pts) <= 0):
            raise ValueError("pts must be strictly ascending")
        if self.end_pts <= int(self.pts[-1]):
            raise ValueError(f"end_pts {self.end_pts} must lie after pts[-1] {int(self.pts[-1])}")
        if self.time_base <= 0:
            raise ValueError(f"time_base must be positive, got {self.time_base}")

    def __len__(self) -> int:
        return len(self.pts)

    @cached_property
    def times_s(self) -> Float64:
        """float64 (N,): seconds of each frame from the first presented frame."""
        ticks = (self.pts - self.pts[0]).astype(np.float64)
        return read_only(ticks * self.time_base.numerator / self.time_base.denominator)

    @cached_property
    def duration_s(self) -> float:
        """Seconds from the first frame's appearance to the last one's end."""
        return float((self.end_pts - int(self.pts[0])) * self.time_base)

    def time_of(self, frame: int) -> float:
        """Seconds at which ``frame`` (0-based, in presentation order) appears."""
        if not 0 <= frame < len(self.pts):
            raise IndexError(f"frame {frame} of {len(self.pts)}")
        return float(self.times_s[frame])

    def frame_shown_at(self, time_s: float) -> int:
        """Return the number of the frame on screen at ``time_s``: the last with time <= time_s.

        Clamped to the first and last frame outside the recording.
        """
        return int(self.frames_shown_at(np.asarray([time_s]))[0])

    def frames_shown_at(self, times_s: npt.ArrayLike) -> Int64:
        """Vectorised ``frame_shown_at``: float (T,) seconds to int64 (T,) frame numbers."""
        times = np.asarray(times_s, dtype=np.float64)
        # A time computed from a frame's own pts must find that frame: half a tick of tolerance.
        half_tick_s = float(self.time_base) / 2
        found = np.searchsorted(self.times_s, times + half_tick_s, side="right") - 1
        return np.clip(found, 0, len(self.pts) - 1).astype(np.int64)

    def nearest_frames(self, times_s: npt.ArrayLike) -> Int64:
        """Frame numbers whose appearance lies nearest to each of ``times_s`` (T,)."""
        times = np.asarray(times_s, dtype=np.float64)
        after = np.clip(np.searchsorted(self.times_s, times), 1, max(1, len(self.pts) - 1))
        if len(self.pts) == 1:
            return np.zeros(times.shape, dtype=np.int64)
        before = after - 1
        is_before = times - self.times_s[before] <= self.times_s[after] - times
        return np.where(is_before, before, after).astype(np.int64)

    @cached_property
    def is_variable(self) -> bool:
        """Whether frame intervals differ by more than the rounding of the time base.

        A container that rounds to ticks makes intervals of a constant rate differ by one tick.
        """
        if len(self.pts) < 3:
            return False
        steps = np.diff(self.pts)
        return bool(steps.max() - steps.min() > 1 and steps.max() > 1.02 * np.median(steps))
