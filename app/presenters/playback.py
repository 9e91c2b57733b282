"""Playing in step: one clock, and every tile a function of its time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.models.playing import TileFigures
from app.models.playrange import PlayedRange
from app.models.stepping import exact_time, fastest
from app.presenters.readouts import MomentaryRates, TransportReadout
from carl_core.playback.clock import PlaybackClock
from carl_core.playback.schedule import TimeBase

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.models.playing import FrameSource, PlayerView
    from app.models.session import SessionModel
    from carl_core.arrays import Int64
    from carl_core.playback.schedule import Schedule
    from carl_core.video.reader import Frame

TICK_MS = 16
INSTANTS_AHEAD = 8
"""How many display instants ahead frames are decoded while playing."""

SPEEDS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 4.0, 8.0)


class PlaybackPresenter(QObject):
    """Runs the clock and asks for the frames it makes due.

    Signals
    -------
    time_changed(float) : master seconds, at every tick while playing
    nudged() : a recording is shown beside its place, or not any more
    """

    time_changed = Signal(float)
    nudged = Signal()

    def __init__(
        self,
        session: SessionModel,
        frames: FrameSource,
        view: PlayerView,
        parent: QObject | None = None,
        *,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(parent)
        self.clock = PlaybackClock(now=now)
        self.figures: dict[str, TileFigures] = {}
        self.shown: dict[str, Frame] = {}
        self._session = session
        self._frames = frames
        self._view = view
        self._speed = 1.0
        self._is_looping = False
        self._steps_shortest = False
        self._range = PlayedRange()
        self._resumes_at: float | None = None
        self.own_times_s: dict[str, float | None] = {}
        self._free: dict[str, int] = {}
        self._nudges: dict[str, int] = {}
        self._is_synced = True
        self._due: dict[str, Int64] = {}
        self._due_from = (0.0, 1.0)
        self._rates = MomentaryRates(now)
        self._readout = TransportReadout(self.clock, view, now)
        self._counterparts: dict[str, bool] = {}
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._on_tick)
        self._schedule_before: Schedule | None = None
        session.schedule_changed.connect(self._on_schedule_changed)
        session.active_changed.connect(lambda _id: self._show_transport())

    # Commands ----------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Play or pause."""
        if self.clock.is_playing:
            self.pause()
        else:
            self.play()

    def play(self, rate: float | None = None) -> None:
        """Play at ``rate``, or forwards at the chosen speed."""
        if self._session.schedule is None:
            return
        self._free.clear()
        if not self._is_synced:  # only the active one runs
            self._free = {
                i: frame.index for i, frame in self.shown.items() if i != self._session.active_id
            }
        self.clock.set_rate(self._speed if rate is None else rate)
        begin_s = self._range.begin_again(self.clock.time_s, self.clock.rate)
        if begin_s is not None:
            self.clock.seek(begin_s)
        self._range.tick(self.clock.time_s, self.clock.rate)
        self.clock.play()
        self._timer.start()
        self.refresh()
        self._show_transport()

    def pause(self) -> None:
        """Stop where it is."""
        self.clock.pause()
        self._timer.stop()
        self.refresh()

    def shuttle(self, direction: int) -> None:
        """J and L: run in a direction, and faster each time."""
        rate = self.clock.rate
        if self.clock.is_playing and rate * direction > 0:
            rate = direction * min(8.0, abs(rate) * 2)
        else:
            rate = direction * 1.0
        self.play(rate)

    def change_speed(self, step: int) -> None:
        """Choose the next slower (-1) or faster (+1) speed; 0 = normal."""
        at = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - self._speed))
        at = SPEEDS.index(1.0) if step == 0 else min(max(at + step, 0), len(SPEEDS) - 1)
        self.set_speed(SPEEDS[at])

    def set_speed(self, speed: float) -> None:
        """Play at ``speed``, keeping the direction."""
        self._speed = speed
        self.clock.set_rate(-speed if self.clock.rate < 0 and self.clock.is_playing else speed)
        self._show_transport()

    def set_looping(self, is_looping: bool) -> None:
        """Begin again at the end, or stop there."""
        self._is_looping = is_looping
        self._set_limits()

    @property
    def is_synced(self) -> bool:
        """Whether moving the active recording moves the others."""
        return self._is_synced

    def set_synced(self, is_synced: bool) -> None:
        """Move all recordings in step, or the active one alone (until it is pinned)."""
        self._is_synced = is_synced
        if is_synced:
            self._free.clear()
        self.refresh()

    @property
    def nudges(self) -> dict[str, int]:
        """Frames by which recordings are shown beside their place, where they are."""
        return dict(self._nudges)

    def nudge(self, recording_id: str, frames: int) -> None:
        """Show a recording ``frames`` further beside its place, the others still."""
        if self._session.entry(recording_id) is None:
            return
        if recording_id in self._free:
            self._step_alone(recording_id, self._free[recording_id], frames)
            return
        total = self._nudges.pop(recording_id, 0) + frames
        if total:
            self._nudges[recording_id] = total
        self.refresh()
        self.nudged.emit()

    def clear_nudge(self, recording_id: str) -> None:
        """Show a recording in its place again."""
        if self._nudges.pop(recording_id, 0) or self._free.pop(recording_id, None) is not None:
            self.refresh()
            self.nudged.emit()

    def frame_due(self, recording_id: str) -> int | None:
        """Frame that belongs on the screen now, nudges and lone steps included; None = none."""
        free = self._free.get(recording_id)
        if free is not None:
            return free
        due = self._due.get(recording_id)
        return int(due[0]) if due is not None and due[0] >= 0 else None

    def shift_of(self, recording_id: str) -> float | None:
        """Seconds by which a recording is shown beside its place; None while it stands still."""
        entry = self._session.entry(recording_id)
        if entry is None or recording_id in self._free:
            return None
        nudge = self._nudges.get(recording_id, 0)
        shown = self.frame_due(recording_id)
        if not nudge or shown is None:
            return 0.0
        index = entry.recording.index
        place = min(max(shown - nudge, 0), len(index) - 1)
        return index.time_of(shown) - index.time_of(place)

    def begin_scrub(self) -> None:
        """Hold the clock while the user drags the playhead."""
        self._resumes_at = self.clock.rate if self.clock.is_playing else None
        if self._resumes_at is not None:
            self.pause()

    def end_scrub(self) -> None:
        """Go on as before the drag."""
        rate, self._resumes_at = self._resumes_at, None
        if rate is not None:
            self.play(rate)

    def seek(self, time_s: float) -> None:
        """Jump to a master time; playing goes on from there."""
        self._free.clear()
        self.clock.seek(time_s)
        self.refresh()

    def seek_by(self, seconds: float) -> None:
        """Jump by seconds of master time."""
        self.seek(self.clock.time_s + seconds)

    def seek_by_share(self, share: float) -> None:
        """Jump by a share of the length."""
        schedule = self._session.schedule
        if schedule is not None:
            self.seek_by(share * schedule.duration_s)

    def set_range(self, range_s: tuple[float, float] | None) -> None:
        """Play only this range, seconds of the reference; None = everything."""
        if range_s != self._range.reference_s:
            self._range.reference_s = range_s
            self._set_limits()

    def seek_end(self, *, is_end: bool) -> None:
        """Jump to the beginning or the end."""
        schedule = self._session.schedule
        if schedule is not None:
            # The last moment shows the last frame; the very end belongs to nobody.
            self.seek(max(0.0, schedule.duration_s - 1e-3) if is_end else 0.0)

    def seek_own(self, recording_id: str, time_s: float) -> None:
        """Jump to where a recording shows its own ``time_s``.

        Where the others have no counterpart, only this recording moves.
        """
        schedule = self._session.schedule
        entry = self._session.entry(recording_id)
        if schedule is None or entry is None:
            return
        index = entry.recording.index
        frame = index.frame_shown_at(time_s)
        at = schedule.master_time_of(recording_id, index.time_of(frame))
        if at is not None and 0 <= at <= schedule.duration_s:
            self.seek(exact_time(schedule, recording_id, frame, at))
        else:
            self.pause()
            self._free = {recording_id: frame}
            self.refresh()

    def show_pair(self, reference_s: float, recording_id: str, other_s: float) -> None:
        """Show two moments that the alignment does not pair, until the next move."""
        schedule = self._session.schedule
        entry = self._session.entry(recording_id)
        if schedule is None or entry is None:
            return
        self.pause()
        self._free = {recording_id: entry.recording.index.frame_shown_at(other_s)}
        at = schedule.master_time_of(schedule.reference.id, reference_s)
        self.clock.seek(reference_s if at is None else at)
        self.refresh()

    def show_alone(self, recording_id: str, time_s: float) -> None:
        """Show a moment of one recording, the others as they are, until the next move."""
        entry = self._session.entry(recording_id)
        if entry is None:
            return
        self.pause()
        self._free[recording_id] = entry.recording.index.frame_shown_at(time_s)
        self.refresh()
        self.nudged.emit()

    def set_step_rule(self, rule: str) -> None:
        """Step by frames of the "active" recording, or of the "fastest": whose frame ends first."""
        self._steps_shortest = rule == "fastest"

    def step(self, frames: int) -> None:
        """Move one recording by exactly ``frames`` of its own frames; the others follow."""
        schedule = self._session.schedule
        entry = self._session.entry(self._session.active_id)
        if schedule is None or entry is None:
            return
        if self.clock.is_playing:
            self.pause()
        now_s = self.clock.time_s
        recording = entry.recording
        if recording.id in self._free:
            self._step_alone(recording.id, self._free[recording.id], frames)
            return
        if not self._is_synced:
            shown = self.frame_due(recording.id)
            self._step_alone(recording.id, 0 if shown is None else shown, frames)
            return
        if self._steps_shortest:
            recording = fastest(schedule, now_s, frames) or recording
        current = schedule.frames_at(now_s)[recording.id]
        if current is None:  # no counterpart here: step along the reference
            recording = schedule.reference
            current = schedule.frames_at(now_s)[recording.id]
        if current is None:
            return
        target = min(max(current + frames, 0), len(recording.index) - 1)
        at = schedule.master_time_of(recording.id, recording.index.time_of(target))
        if at is None or not 0 <= at <= schedule.duration_s + 1e-9:
            if 0 <= current + frames < len(recording.index):
                # Beyond the aligned stretch this recording moves alone.
                self._free = {recording.id: target}
                self.refresh()
            return
        self.seek(exact_time(schedule, recording.id, target, at))

    def _step_alone(self, recording_id: str, frame: int, frames: int) -> None:
        entry = self._session.entry(recording_id)
        assert entry is not None
        self._free[recording_id] = min(max(frame + frames, 0), len(entry.recording.index) - 1)
        self.refresh()
        self.nudged.emit()

    # Ticks -------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for what is due now, and tell everybody the time."""
        schedule = self._session.schedule
        if schedule is None:
            return
        time_s = self.clock.time_s
        is_playing = self.clock.is_playing
        if is_playing:
            ahead = np.arange(INSTANTS_AHEAD) * (self.clock.rate * TICK_MS / 1000)
            instants = np.clip(time_s + ahead, 0.0, schedule.duration_s)
        else:
            instants = np.asarray([time_s])
        self.own_times_s, self._due = {}, {}
        self._due_from = (time_s, self.clock.rate)
        for recording_id, own_s in schedule.times_along(instants).items():
            entry = self._session.entry(recording_id)
            assert entry is not None
            known = np.isfinite(own_s)
            index = entry.recording.index
            shown = index.frames_shown_at(np.where(known, own_s, 0.0))
            own_now_s = float(own_s[0]) if known[0] else None
            nudge = self._nudges.get(recording_id, 0)
            if nudge:
                shown = np.clip(shown + nudge, 0, len(index) - 1)
                own_now_s = index.time_of(int(shown[0])) if known[0] else None
            due = np.where(known, shown, -1)
            self._due[recording_id] = due
            self.own_times_s[recording_id] = own_now_s
            free = self._free.get(recording_id)
            if free is not None:
                self.own_times_s[recording_id] = entry.recording.index.time_of(free)
            has_counterpart = free is not None or bool(due[0] >= 0)
            if self._counterparts.get(recording_id) is not has_counterpart:
                self._counterparts[recording_id] = has_counterpart
                self._view.set_counterpart(recording_id, has_counterpart)
            plan = (
                (free,) if free is not None else tuple(dict.fromkeys(int(f) for f in due if f >= 0))
            )
            if not has_counterpart and recording_id in self.shown:
                continue  # keeps what it shows, dimmed
            if plan:
                self._frames.want(recording_id, plan, self._view.picture_size(recording_id))
            elif recording_id not in self.shown:
                self._frames.want(recording_id, (0,), self._view.picture_size(recording_id))
        self._show_transport(is_urgent=not is_playing)
        self.time_changed.emit(time_s)

    @property
    def is_up_to_date(self) -> bool:
        """Whether every tile shows the frame that is due."""
        return all(
            due[0] < 0 or ((frame := self.shown.get(i)) is not None and frame.index == due[0])
            for i, due in self._due.items()
        )

    def reset_figures(self) -> None:
        """Begin counting anew."""
        self.figures = {}

    def on_frame_ready(self, recording_id: str, frame: Frame) -> None:
        """Show a decoded frame. A frame that comes late is better than none, but counted."""
        schedule = self._session.schedule
        if schedule is None or self._session.entry(recording_id) is None:
            return
        if frame.is_preview:  # the frame that is due is on its way
            self._view.show_frame(recording_id, frame, None)
            return
        figures = self.figures.setdefault(recording_id, TileFigures())
        figures.shown += 1
        figures.pts.add(frame.pts)
        if self.clock.is_playing:
            due = self._due_now(recording_id)
            if due is not None and (due - frame.index) * self.clock.rate > 0:
                figures.late += 1
        self.shown[recording_id] = frame
        rate = None
        if recording_id not in self._free:
            rate = self._rates.at(schedule, recording_id, self.clock)
        self._view.show_frame(recording_id, frame, rate)

    def _due_now(self, recording_id: str) -> int | None:
        """Return the frame that belongs on the screen at this moment, by the last tick's plan."""
        due = self._due.get(recording_id)
        if due is None:
            return None
        from_s, rate = self._due_from
        at = int((self.clock.time_s - from_s) / (rate * TICK_MS / 1000))
        frame = int(due[min(max(at, 0), len(due) - 1)])
        return frame if frame >= 0 else None

    def _on_tick(self) -> None:
        if not self.clock.is_playing:
            self._timer.stop()  # ran into the end
        elif not self._is_looping:
            stop_s = self._range.tick(self.clock.time_s, self.clock.rate)
            if stop_s is not None:
                self.clock.seek(stop_s)
                self.pause()
        self.refresh()

    # Keeping up with the session ---------------------------------------------------------------

    def _on_schedule_changed(self) -> None:
        ids = {e.id for e in self._session.entries}
        for known in (
            self.shown,
            self.figures,
            self._counterparts,
            self._free,
            self._rates.known,
            self._nudges,
        ):
            for recording_id in [i for i in known if i not in ids]:
                del known[recording_id]
        schedule = self._session.schedule
        if schedule is None:
            self._schedule_before = None
            self.clock.pause()
            self._timer.stop()
            self.clock.set_limits(0.0, 0.0)
            self._show_transport()
            return
        self._set_limits()
        before, self._schedule_before = self._schedule_before, schedule
        if before is not None and schedule.base is TimeBase.MEAN is before.base:
            reference_id = schedule.reference.id
            if before.reference.id == reference_id:
                # Another map makes another mean of it: what is on the screen stays.
                reference_s = before.reference_time_at(self.clock.time_s)
                master_s = schedule.master_time_of(reference_id, reference_s)
                if master_s is not None:
                    self.clock.seek(master_s)
        self.refresh()

    def _set_limits(self) -> None:
        schedule = self._session.schedule
        if schedule is None:
            return
        self.clock.set_limits(0.0, schedule.duration_s)
        self._range.follow(schedule)
        start_s, end_s = self._range.master_s
        self.clock.set_loop(
            (start_s, end_s) if self._is_looping and end_s - start_s > 0.05 else None
        )

    def _show_transport(self, *, is_urgent: bool = True) -> None:
        entry = self._session.entry(self._session.active_id)
        own_s = None if entry is None else self.own_times_s.get(entry.id)
        index = None if entry is None else entry.recording.index
        self._readout.show(self._session.schedule, index, own_s, self._speed, is_urgent=is_urgent)
