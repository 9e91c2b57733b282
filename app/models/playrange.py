"""In and out: where playing stops, and where it begins again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carl_core.playback.schedule import Schedule

_AT_OUT_S = 2e-3


class PlayedRange:
    """The range that is played.

    Attributes
    ----------
    reference_s : in and out, seconds of the reference; None = everything is played
    master_s : the same in master time
    """

    def __init__(self) -> None:
        self.reference_s: tuple[float, float] | None = None
        self.master_s = (0.0, 0.0)
        self._ticked_s = 0.0

    def follow(self, schedule: Schedule) -> None:
        """Find in and out in another schedule's master time."""
        if self.reference_s is None:
            self.master_s = (0.0, schedule.duration_s)
            return
        edges = [schedule.master_time_of(schedule.reference.id, t) for t in self.reference_s]
        start_s, end_s = (0.0 if t is None else t for t in edges)
        self.master_s = (start_s, min(end_s, schedule.duration_s))

    def begin_again(self, now_s: float, rate: float) -> float | None:
        """Return where to play from when it stands at out; None = from where it stands."""
        start_s, end_s = self.master_s
        is_at_out = rate > 0 and abs(now_s - end_s) < _AT_OUT_S
        return start_s if self.reference_s is not None and is_at_out else None

    def tick(self, now_s: float, rate: float) -> float | None:
        """Return where to stop when an end was passed since the last tick.

        None also where the range was left by hand: then nothing stops.
        """
        before_s, self._ticked_s = self._ticked_s, now_s
        if self.reference_s is None:
            return None
        start_s, end_s = self.master_s
        if rate > 0 and before_s < end_s <= now_s:
            return max(start_s, end_s - 1e-3)  # the last frame of the range stays
        if rate < 0 and now_s < start_s <= before_s:
            return start_s
        return None
