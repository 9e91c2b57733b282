"""Which recording a step goes by, and the exact time at which a frame is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carl_core.playback.schedule import Schedule
    from carl_core.video.recording import Recording

_NEAR_S = (0.0, 1e-7, -1e-7, 1e-5, -1e-5, 1e-3, -1e-3)


def fastest(schedule: Schedule, now_s: float, frames: int) -> Recording | None:
    """Return the recording whose neighbouring frame is nearest in time; None = none has one.

    Parameters
    ----------
    now_s : master seconds
    frames : only its sign counts: forwards or backwards
    """
    nearest: tuple[float, Recording] | None = None
    direction = 1 if frames > 0 else -1
    shown = schedule.frames_at(now_s)
    for recording in schedule.recordings:
        current = shown.get(recording.id)
        if current is None or not 0 <= current + direction < len(recording.index):
            continue
        beside_s = recording.index.time_of(current + direction)
        at = schedule.master_time_of(recording.id, beside_s)
        if at is None or not 0 <= at <= schedule.duration_s + 1e-9:
            continue
        # From its own present frame: the clock may stand anywhere inside it.
        here = schedule.master_time_of(recording.id, recording.index.time_of(current))
        length_s = abs(at - (now_s if here is None else here))
        if nearest is None or length_s < nearest[0]:
            nearest = (length_s, recording)
    return nearest[1] if nearest is not None else None


def exact_time(schedule: Schedule, recording_id: str, frame: int, at_s: float) -> float:
    """Return a time next to ``at_s`` at which ``frame`` is shown, against rounding in a map."""
    for nudge_s in _NEAR_S:
        near = min(max(at_s + nudge_s, 0.0), schedule.duration_s)
        if schedule.frames_at(near)[recording_id] == frame:
            return near
    return at_s
