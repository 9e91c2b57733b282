"""The sound device, behind a door: through PortAudio where that is, otherwise a reason why not."""

from __future__ import annotations

import importlib
import logging
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from carl_core.arrays import Float32

log = logging.getLogger("carl.sound")

RATE = 48000
CHANNELS = 2

LATENCY_S = 0.08
"""Sound handed over ahead: bridges what the interpreter keeps us waiting; it is accounted for."""


class Trouble(Enum):
    """Why there is no sound."""

    NO_LIBRARY = "no library"
    NO_PORTAUDIO = "no portaudio"
    NO_DEVICE = "no device"
    REFUSED = "refused"
    LOST = "lost"

    @property
    def may_pass(self) -> bool:
        """Whether it can be otherwise at the next try, without a restart."""
        return self not in (Trouble.NO_LIBRARY, Trouble.NO_PORTAUDIO)


class SoundUnavailable(Exception):
    """There is no sound device to be had.

    Attributes
    ----------
    trouble : what kind
    """

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(detail)
        self.trouble = trouble


class OutputStream(Protocol):
    """An open device that asks for sound until it is closed."""

    @property
    def rate(self) -> int:
        """Samples a second."""
        ...

    def close(self) -> None:
        """Stop at once; nothing is asked for afterwards."""
        ...


class Output(Protocol):
    """Where streams come from. May be slow: not for the GUI thread; one thread at a time."""

    def check(self) -> None:
        """Return when there is a sound device.

        Raises
        ------
        SoundUnavailable
            When there is none.
        """
        ...

    def open(
        self, fill: Callable[[Float32, float], None], ended: Callable[[], None]
    ) -> OutputStream:
        """Start the device.

        Parameters
        ----------
        fill : called on the device's thread with float32 (N, 2) to fill, and the seconds until
            its first sample is heard
        ended : called on any thread when the device stops by itself

        Raises
        ------
        SoundUnavailable
            When it cannot be started.
        """
        ...


class PortAudioOutput:
    """The system's default sound device, through ``sounddevice``."""

    def __init__(self) -> None:
        self._is_stale = False  # PortAudio lists devices once

    def check(self) -> None:
        """Return when there is a default sound device; see `Output`."""
        library = _library()
        if self._is_stale:
            library._terminate()
            library._initialize()
            self._is_stale = False
        try:
            library.query_devices(kind="output")
        except (library.PortAudioError, ValueError) as exc:
            self._is_stale = True
            raise SoundUnavailable(Trouble.NO_DEVICE, str(exc)) from exc

    def open(
        self, fill: Callable[[Float32, float], None], ended: Callable[[], None]
    ) -> OutputStream:
        """Start the default device; see `Output`."""
        self.check()
        self._is_stale = True  # by the next time, another may be plugged in
        library = _library()
        rates = [RATE]
        own = round(float(library.query_devices(kind="output")["default_samplerate"]))
        if own != RATE:
            rates.append(own)  # a system that does not convert
        for rate in rates:
            try:
                return _PortAudioStream(library, rate, fill, ended)
            except library.PortAudioError as exc:
                log.info("the sound device cannot be opened at %d Hz: %s", rate, exc)
                reason = exc
        raise SoundUnavailable(Trouble.REFUSED, str(reason)) from reason


class _PortAudioStream:
    def __init__(
        self,
        library: ModuleType,
        rate: int,
        fill: Callable[[Float32, float], None],
        ended: Callable[[], None],
    ) -> None:
        self.rate = rate
        self._fill = fill
        self._ended = ended
        self._is_closing = False
        self._latency_s = LATENCY_S
        self._stream = library.OutputStream(
            samplerate=rate,
            channels=CHANNELS,
            dtype="float32",
            latency=LATENCY_S,
            callback=self._on_asked,
            finished_callback=self._on_finished,
        )
        try:
            self._latency_s = float(self._stream.latency)
            self._stream.start()
        except library.PortAudioError:
            self._stream.close(ignore_errors=True)
            raise

    def close(self) -> None:
        """Stop at once."""
        self._is_closing = True
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _on_asked(self, out: Float32, _frames: int, times: Any, _status: object) -> None:
        ahead_s = times.outputBufferDacTime - times.currentTime
        # Some systems do not say when.
        is_said = times.outputBufferDacTime > 0.0 and 0.0 <= ahead_s < 2.0
        self._fill(out, ahead_s if is_said else self._latency_s)

    def _on_finished(self) -> None:
        if not self._is_closing:
            self._ended()


def _library() -> ModuleType:
    """Import ``sounddevice``: an extra, and it looks for a system library when imported."""
    try:
        return importlib.import_module("sounddevice")
    except ModuleNotFoundError as exc:
        raise SoundUnavailable(Trouble.NO_LIBRARY, str(exc)) from exc
    except OSError as exc:
        raise SoundUnavailable(Trouble.NO_PORTAUDIO, str(exc)) from exc
