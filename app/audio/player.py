"""Plays the sound of one recording in step with the playback clock.

Three threads: the main one says what is to be heard, a controlling one does everything that may
be slow (import the library, open and close the device), and the device's own asks for sound.
What the device's thread needs it finds ready; it waits for nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.audio.output import RATE, PortAudioOutput, SoundUnavailable, Trouble
from carl_core.playback.clock import Course
from carl_core.playback.sound import HIGHEST_RATE, LOWEST_RATE, SoundPlan, SoundSource, SyncedSound
from carl_core.video.sound_ahead import SoundAhead

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.audio.output import Output, OutputStream
    from carl_core.arrays import Float32
    from carl_core.video.recording import Recording

log = logging.getLogger("carl.sound")

LOOK_S = 0.5
"""How often an open device is looked at."""

STALL_S = 3.0
"""A device that asks for nothing for this long is gone."""

LINGER_S = 10.0
"""The device stays open this long after it was last needed: starting it is heard as a delay."""


class Source(SoundSource, Protocol):
    """What is needed of ``carl_core.video.sound_ahead.SoundAhead``."""

    @property
    def recording(self) -> Recording:
        """Whose sound it is."""
        ...

    @property
    def failure(self) -> Exception | None:
        """Why nothing can be read, or None."""
        ...

    def close(self) -> None:
        """Stop and wait for the thread."""
        ...


@dataclass(frozen=True, slots=True)
class OutputState:
    """How it stands with the sound device.

    Attributes
    ----------
    is_known : whether anybody has looked
    is_open : whether it is running
    trouble : why there is none, or None
    unreadable_id : recording whose sound cannot be read, "" = none
    """

    is_known: bool = False
    is_open: bool = False
    trouble: Trouble | None = None
    unreadable_id: str = ""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the main thread wants.

    Attributes
    ----------
    attempt : grows when the user starts playing: what failed before is tried again
    """

    recording: Recording | None = None
    own_time: Callable[[float], float | None] = lambda time_s: time_s
    course: Course = field(default_factory=Course)
    gain: float = 1.0
    attempt: int = 0

    @property
    def is_audible(self) -> bool:
        course = self.course
        is_heard_rate = LOWEST_RATE <= course.rate <= HIGHEST_RATE
        return (
            self.recording is not None and course.is_playing and is_heard_rate and self.gain > 0.0
        )


def open_sound_ahead(recording: Recording, rate: int) -> Source:
    """Open the real sound of a recording."""
    return SoundAhead(recording, rate=rate)


class AudioPlayer(QObject):
    """The sound of one recording. Methods belong to the main thread and return at once.

    Signals
    -------
    state_changed(OutputState) : on the main thread

    Parameters
    ----------
    output : the sound device; None = the system's default
    now : the clock that courses are told by
    """

    state_changed = Signal(object)
    _changed_elsewhere = Signal()

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        output: Output | None = None,
        now: Callable[[], float] = time.perf_counter,
        open_source: Callable[[Recording, int], Source] = open_sound_ahead,
    ) -> None:
        super().__init__(parent)
        self.state = OutputState()
        self._now = now
        self._open_source = open_source
        self._output = output or PortAudioOutput()
        self._lock = threading.Condition()
        self._wish = _Wish()
        self._is_closed = False
        self._has_news = False
        self._thread: threading.Thread | None = None
        # Of the controlling thread; read elsewhere with the lock held.
        self._found = OutputState()
        self._stream: OutputStream | None = None
        self._sound: SyncedSound | None = None
        self._source: Source | None = None
        self._failed_attempt = -1
        self._is_lost = False
        self._asked_at = 0.0
        self._needed_at = 0.0
        self._changed_elsewhere.connect(self._on_changed, Qt.ConnectionType.QueuedConnection)

    @property
    def sync_error_s(self) -> float | None:
        """How far what is heard is ahead of the clock, seconds; None while silent."""
        sound = self._sound
        if sound is None or sound.sync_error_s != sound.sync_error_s:
            return None
        return sound.sync_error_s

    @property
    def gaps(self) -> int:
        """How often sound did not come in time since the device was opened."""
        return 0 if self._sound is None else self._sound.gaps

    def check(self) -> None:
        """Find out in the background whether there is a sound device."""
        if not self.state.is_known:
            self._tell()

    def play(self, recording: Recording | None, own_time: Callable[[float], float | None]) -> None:
        """Make ``recording`` the one that is heard whenever the clock runs; None = nothing.

        Parameters
        ----------
        own_time : master seconds to the recording's own, None = no counterpart; is called on the
            device's thread and must be quick
        """
        self._set(replace(self._wish, recording=recording, own_time=own_time))

    def follow(self, course: Course) -> None:
        """Keep to this course of the clock from now on."""
        before = self._wish
        if course is before.course:
            return
        is_started = course.is_playing and not before.course.is_playing
        self._set(replace(before, course=course, attempt=before.attempt + is_started))

    def set_gain(self, gain: float) -> None:
        """Set the amplitude, 0 = mute to 1 = as recorded."""
        if gain != self._wish.gain:
            self._set(replace(self._wish, gain=gain))

    def close(self) -> None:
        """Let go of the device and wait for the threads."""
        with self._lock:
            self._is_closed = True
            self._lock.notify()
        if self._thread is not None:
            self._thread.join()

    def _set(self, wish: _Wish) -> None:
        is_turn = wish.is_audible is not self._wish.is_audible
        is_other = wish.recording is not self._wish.recording or wish.attempt != self._wish.attempt
        with self._lock:
            self._wish = wish
            self._publish()
        if is_turn or (is_other and wish.is_audible):
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._has_news = True
            self._lock.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="carl-audio", daemon=True)
            self._thread.start()

    def _publish(self) -> None:
        """Hand the device's thread what it needs. With the lock held."""
        if self._sound is not None:
            wish, source = self._wish, self._source
            is_this = source is not None and source.recording is wish.recording
            self._sound.plan = SoundPlan(source if is_this else None, wish.own_time, wish.course)
            self._sound.gain = wish.gain

    @Slot()
    def _on_changed(self) -> None:
        with self._lock:
            found = self._found
        if found != self.state:
            self.state = found
            self.state_changed.emit(found)

    # On the device's thread --------------------------------------------------------------------

    def _fill(self, sound: SyncedSound, out: Float32, ahead_s: float) -> None:
        self._asked_at = time.monotonic()
        try:
            sound.fill(out, self._now() + ahead_s)
        except Exception:  # a border: into the device's library nothing may be raised
            log.exception("no sound could be made")
            out[:] = 0.0
            self._on_ended()

    def _on_ended(self) -> None:
        with self._lock:
            self._is_lost = True
            self._has_news = True
            self._lock.notify()

    # On the controlling thread -----------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._has_news and not self._is_closed:
                    self._lock.wait(LOOK_S if self._stream is not None else None)
                self._has_news = False
                wish = self._wish
                if self._is_closed:
                    break
            self._look(wish)
        self._close_stream()

    def _look(self, wish: _Wish) -> None:
        at = time.monotonic()
        if wish.is_audible:
            self._needed_at = at
        if self._stream is not None:
            if self._is_lost or at - self._asked_at > STALL_S:
                log.warning("the sound device has gone away")
                self._close_stream()
                self._fail(wish, Trouble.LOST)
            elif at - self._needed_at > LINGER_S:
                self._close_stream()
                self._find(is_open=False)
        if wish.is_audible and self._stream is None and self._may_try(wish):
            self._open_stream(wish)
        elif not self._found.is_known:
            self._check(wish)
        if self._stream is not None and wish.recording is not None:
            self._change_source(wish.recording)
            self._note_failure()

    def _may_try(self, wish: _Wish) -> bool:
        trouble = self._found.trouble
        return trouble is None or (trouble.may_pass and wish.attempt > self._failed_attempt)

    def _check(self, wish: _Wish) -> None:
        try:
            self._output.check()
        except SoundUnavailable as exc:
            log.info("no sound: %s (%s)", exc.trouble.value, exc)
            self._fail(wish, exc.trouble)
        else:
            SyncedSound(rate=RATE)  # what it imports is there when the user plays
            self._find(is_known=True, trouble=None)

    def _open_stream(self, wish: _Wish) -> None:
        stream: OutputStream | None = None
        sound: SyncedSound | None = None
        self._is_lost = False

        def fill(out: Float32, ahead_s: float) -> None:
            made = sound  # asked for before it is there: the rate is known only once it runs
            if made is None:
                out[:] = 0.0
                self._asked_at = time.monotonic()
            else:
                self._fill(made, out, ahead_s)

        try:
            self._asked_at = time.monotonic()
            stream = self._output.open(fill, self._on_ended)
        except SoundUnavailable as exc:
            log.info("no sound: %s (%s)", exc.trouble.value, exc)
            self._fail(wish, exc.trouble)
            return
        sound = SyncedSound(rate=stream.rate)
        with self._lock:
            self._stream, self._sound = stream, sound
            self._publish()
        self._find(is_known=True, is_open=True, trouble=None)

    def _close_stream(self) -> None:
        stream, source = self._stream, self._source
        with self._lock:
            self._stream = self._sound = self._source = None
        if stream is not None:
            stream.close()
        if source is not None:
            source.close()

    def _change_source(self, recording: Recording) -> None:
        before = self._source
        if before is not None and before.recording is recording:
            return
        assert self._stream is not None
        source = self._open_source(recording, self._stream.rate)
        with self._lock:
            self._source = source
            self._publish()
        if before is not None:
            before.close()

    def _note_failure(self) -> None:
        source = self._source
        if source is not None:
            self._find(unreadable_id=source.recording.id if source.failure is not None else "")

    def _fail(self, wish: _Wish, trouble: Trouble) -> None:
        self._failed_attempt = wish.attempt
        self._find(is_known=True, is_open=False, trouble=trouble)

    def _find(self, **changes: object) -> None:
        with self._lock:
            found = replace(self._found, **changes)  # type: ignore[arg-type]
            if found == self._found:
                return
            self._found = found
        if not self._is_closed:
            self._changed_elsewhere.emit()
