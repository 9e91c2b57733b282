"""What is written while playing: rates, time, frame number. Only as often as one can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.models.viewstate import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.models.playing import PlayerView
    from carl_core.playback.clock import PlaybackClock
    from carl_core.playback.schedule import Schedule
    from carl_core.timebase import FrameIndex

RATE_S = 0.12
"""How often a tile's rate is measured while playing."""

TRANSPORT_S = 0.04
"""How often time and frame number are written while playing."""


class MomentaryRates:
    """The rates of all tiles.

    Attributes
    ----------
    known : when each was measured, and what was found
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.known: dict[str, tuple[float, float | None]] = {}

    def at(self, schedule: Schedule, recording_id: str, clock: PlaybackClock) -> float | None:
        """Return the momentary rate of a recording, None = no counterpart."""
        now = self._now()
        measured_at, rate = self.known.get(recording_id, (float("-inf"), None))
        if not clock.is_playing or now - measured_at > RATE_S:
            rate = schedule.rate_of(recording_id, clock.time_s)
            self.known[recording_id] = (now, rate)
        return rate


class TransportReadout:
    """Time and frame number beside the play buttons."""

    def __init__(self, clock: PlaybackClock, view: PlayerView, now: Callable[[], float]) -> None:
        self._clock = clock
        self._view = view
        self._now = now
        self._shown_at = float("-inf")

    def show(
        self,
        schedule: Schedule | None,
        index: FrameIndex | None,
        own_s: float | None,
        speed: float,
        *,
        is_urgent: bool,
    ) -> None:
        """Write it now, or, when it is not urgent, only if the last time is long enough ago.

        Parameters
        ----------
        index : frames of the active recording
        own_s : its own seconds, None = no counterpart
        speed : the chosen one, shown while nothing plays
        """
        now = self._now()
        if not is_urgent and now - self._shown_at < TRANSPORT_S:
            return
        self._shown_at = now
        if schedule is None:
            self._view.set_transport(Transport())
            return
        clock = self._clock
        self._view.set_transport(
            Transport(
                time_s=clock.time_s,
                duration_s=schedule.duration_s,
                is_playing=clock.is_playing,
                rate=clock.rate if clock.is_playing else speed,
                frame=None if own_s is None or index is None else index.frame_shown_at(own_s),
                frames=0 if index is None else len(index),
                is_enabled=True,
            )
        )
