"""Which recording is heard, how loud, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject

from app import settings as keys
from app.audio.output import Trouble
from app.models.sound import REFERENCE, SoundChoice, SoundState
from carl_core.playback.sound import HIGHEST_RATE, LOWEST_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.audio.player import AudioPlayer
    from app.models.session import Entry, SessionModel
    from app.presenters.playback import PlaybackPresenter
    from app.settings import Settings
    from carl_core.playback.schedule import Schedule

STEP = 5
"""Per cent of volume at a key press."""

_SAME_S = 5e-4


class SoundView(Protocol):
    """The volume control, as this presenter sees it."""

    def set_sound(self, state: SoundState) -> None:
        """Show volume, what is heard and what can be."""
        ...


class SoundPresenter(QObject):
    """Lets one recording be heard in step with the tiles: the reference, until another is chosen.

    Parameters
    ----------
    audio : not owned; whoever made it closes it
    """

    def __init__(
        self,
        session: SessionModel,
        player: PlaybackPresenter,
        audio: AudioPlayer,
        settings: Settings,
        view: SoundView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._player = player
        self._audio = audio
        self._settings = settings
        self._view = view
        self._chosen = REFERENCE
        self._volume = min(max(settings.get(keys.VOLUME), 0), 100)
        self._is_muted = settings.get(keys.MUTED)
        self._shift_s: float | None = 0.0
        self._state: SoundState | None = None
        session.recordings_changed.connect(self._on_recordings_changed)
        session.schedule_changed.connect(self._play)
        player.time_changed.connect(self._on_time)
        audio.state_changed.connect(lambda _state: self._show())
        self._set_gain()
        self._on_recordings_changed()

    # Commands ----------------------------------------------------------------------------------

    def toggle_mute(self) -> None:
        """Be silent, or heard again."""
        if self._is_silent:
            self._is_muted = False
            self._volume = self._volume or STEP
        else:
            self._is_muted = True
        self._set_gain()
        self._show()

    def set_volume(self, volume: int) -> None:
        """Set the volume, 0 to 100; above 0 it is heard again."""
        self._volume = min(max(volume, 0), 100)
        self._is_muted = self._is_muted and self._volume == 0
        self._set_gain()
        self._show()

    def change_volume(self, steps: int) -> None:
        """Make it louder (+1) or quieter (-1)."""
        self.set_volume(self._volume + steps * STEP)

    def choose(self, recording_id: str) -> None:
        """Hear a recording; ``REFERENCE`` = whichever is the reference."""
        if recording_id == REFERENCE or self._session.entry(recording_id) is not None:
            self._chosen = recording_id
            self._play()
            self._show()

    def choose_active(self) -> None:
        """Hear the active recording."""
        active = self._session.active_id
        self.choose(REFERENCE if active == self._session.reference_id else active)

    # Keeping up --------------------------------------------------------------------------------

    def _on_recordings_changed(self) -> None:
        if self._session.entry(self._chosen) is None:
            self._chosen = REFERENCE
        if any(_has_sound(e) for e in self._session.entries):
            self._audio.check()
        self._play()
        self._show()

    def _on_time(self, _time_s: float) -> None:
        heard = self._heard()
        if heard is not None and not _is_near(self._player.shift_of(heard.id), self._shift_s):
            self._play()
        course = self._player.clock.course
        self._audio.follow(course)
        if self._state is not None and self._state.note != self._note(heard):
            self._show()

    def _play(self) -> None:
        """Hand over whose sound is heard, and where in it one is when."""
        heard, schedule = self._heard(), self._session.schedule
        if heard is None or schedule is None or not _has_sound(heard):
            self._audio.play(None, _nowhere)
        else:
            self._shift_s = self._player.shift_of(heard.id)
            self._audio.play(heard.recording, _own_time(schedule, heard.id, self._shift_s))

    def _heard(self) -> Entry | None:
        return self._session.entry(self._chosen or self._session.reference_id)

    @property
    def _is_silent(self) -> bool:
        return self._is_muted or self._volume == 0

    def _set_gain(self) -> None:
        self._settings.set(keys.VOLUME, self._volume)
        self._settings.set(keys.MUTED, self._is_muted)
        self._audio.set_gain(0.0 if self._is_muted else gain_of(self._volume))

    # Words -------------------------------------------------------------------------------------

    def _show(self) -> None:
        heard = self._heard()
        state = SoundState(
            volume=self._volume,
            is_muted=self._is_silent,
            chosen=self._chosen,
            letter="" if heard is None else heard.letter,
            choices=self._choices(),
            note=self._note(heard),
        )
        if state != self._state:
            self._state = state
            self._view.set_sound(state)

    def _choices(self) -> tuple[SoundChoice, ...]:
        reference = self._session.entry(self._session.reference_id)
        if reference is None:
            return ()
        first = self.tr("The reference ({letter})").format(letter=reference.letter)
        return (
            SoundChoice(REFERENCE, first, _has_sound(reference)),
            *(
                SoundChoice(e.id, f"{e.letter}  {e.recording.name}", _has_sound(e))
                for e in self._session.entries
            ),
        )

    def _note(self, heard: Entry | None) -> str:
        if heard is None:
            return ""
        state = self._audio.state
        if state.trouble is not None:
            return self._words_for(state.trouble)
        if not _has_sound(heard):
            return self.tr("{name} has no sound. Choose another recording to hear.").format(
                name=heard.recording.name
            )
        if state.unreadable_id == heard.id:
            return self.tr(
                "The sound of {name} cannot be read. Check the file and its drive, then open it "
                "again."
            ).format(name=heard.recording.name)
        course = self._player.clock.course
        if course.is_playing and not LOWEST_RATE <= course.rate <= HIGHEST_RATE:
            return self.tr(
                "Silent at this speed: sound is played forwards, from half to twice the speed."
            )
        return ""

    def _words_for(self, trouble: Trouble) -> str:
        if trouble is Trouble.NO_LIBRARY:
            return self.tr(
                "No sound: the Python package sounddevice is missing. Install it with "
                'pip install "carl-align[audio]", on Linux also the system package '
                "libportaudio2, and start CARL again."
            )
        if trouble is Trouble.NO_PORTAUDIO:
            return self.tr(
                "No sound: the system library PortAudio is missing. Install it (Debian and "
                "Ubuntu: libportaudio2, Fedora: portaudio) and start CARL again."
            )
        if trouble is Trouble.NO_DEVICE:
            return self.tr(
                "No sound: this computer has no sound device. Connect one and play again."
            )
        if trouble is Trouble.LOST:
            return self.tr(
                "No sound: the sound device has gone away. Connect it again, or choose another "
                "in the system's settings, and play again."
            )
        return self.tr(
            "No sound: the sound device cannot be opened, perhaps because another program "
            "holds it. Close that program and play again."
        )


def gain_of(volume: int) -> float:
    """Amplitude for a volume of 0 to 100 per cent: its cube, about as loudness is heard."""
    return float((volume / 100) ** 3)


def _has_sound(entry: Entry) -> bool:
    return entry.recording.info.audio is not None


def _is_near(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) < _SAME_S


def _own_time(
    schedule: Schedule, recording_id: str, shift_s: float | None
) -> Callable[[float], float | None]:
    """Return the recording's own time at a master time, as the tile shows it."""
    if shift_s is None:
        return _nowhere

    def own_time(time_s: float) -> float | None:
        own_s = schedule.own_time_at(recording_id, time_s)
        return None if own_s is None else own_s + shift_s

    return own_time


def _nowhere(_time_s: float) -> float | None:
    """Return None: nothing is heard."""
    return None
