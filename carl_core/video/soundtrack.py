"""A recording's sound as two sounds are compared by: its waveform piece by piece, its loudness."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from carl_core.errors import MediaError
from carl_core.video.audio import read_audio
from carl_core.video.info import display_text
from carl_core.video.loudness import SOUND_RATE, read_loudness

if TYPE_CHECKING:
    from carl_core.arrays import Float32
    from carl_core.progress import Monitor
    from carl_core.video.loudness import Loudness
    from carl_core.video.recording import Recording


class Soundtrack:
    """The sound of one recording; time 0 is its first presented frame."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._loudness: Loudness | None = None

    @property
    def name(self) -> str:
        """File name for display."""
        return self._recording.name

    @property
    def duration_s(self) -> float:
        """Seconds of the recording."""
        return self._recording.index.duration_s

    @cached_property
    def has_sound(self) -> bool:
        """Whether the file has a sound track that can be decoded."""
        return self._recording.info.audio is not None

    def wave(self, start_s: float, end_s: float) -> Float32:
        """Mono samples at 8 kHz, float32 (N,); silent outside the recording and where damaged.

        Raises
        ------
        MediaError
            When the file cannot be read, or none of its sound can be decoded.
        """
        count = max(0, round((end_s - start_s) * SOUND_RATE))
        inside = (max(0.0, start_s), min(self.duration_s, end_s))
        wave = np.zeros(count, dtype=np.float32)
        if inside[1] <= inside[0]:
            return wave
        read = read_audio(
            self._recording, rate=SOUND_RATE, channels=1, start_s=inside[0], end_s=inside[1]
        )
        if read is None:
            return wave
        first = round((inside[0] - start_s) * SOUND_RATE)
        part = read[: count - first, 0]
        # A broken decoder may give numbers that are none.
        wave[first : first + len(part)] = np.nan_to_num(part, posinf=0.0, neginf=0.0)
        return wave

    def loudness(self, monitor: Monitor | None = None) -> Loudness:
        """Levels of the whole recording, read once.

        Raises
        ------
        MediaError
            When the file cannot be read, or none of its sound can be decoded.
        """
        if self._loudness is None:
            self._loudness = read_loudness(self._recording, monitor=monitor)
        if self._loudness is None:
            raise MediaError(
                f"Nothing of the sound of {display_text(self._recording.path)} can be decoded. "
                "Align by the pictures instead.",
                path=self._recording.path,
            )
        return self._loudness
