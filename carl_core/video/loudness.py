"""How loud a recording is over time, in a few bands of pitch: what two sounds are compared by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from carl_core.arrays import Float32, read_only
from carl_core.video.audio import audio_pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording

LEVELS_PER_S = 200
SOUND_RATE = 8000
_HOP = SOUND_RATE // LEVELS_PER_S
_WINDOW = 160  # 20 ms
# Below 150 Hz there is wind, handling and hum; a telephone's band ends below 4 kHz.
_EDGES_HZ = (150, 350, 650, 1050, 1650, 2500, 3800)
BANDS = len(_EDGES_HZ) - 1
# Power of a window at 80 dB below full scale, so that digital silence has a level too.
_FLOOR = 1e-8
_BLOCK = 30 * SOUND_RATE


@dataclass(frozen=True, eq=False)
class Loudness:
    """Levels of a recording's sound.

    Attributes
    ----------
    levels : float16 (T, BANDS), natural logarithm of the power in each band, 200 a second; row k
        covers 20 ms from ``k / 200`` seconds after the first presented video frame
    """

    levels: npt.NDArray[np.float16]

    def __post_init__(self) -> None:
        if self.levels.ndim != 2 or self.levels.shape[1] != BANDS:
            raise ValueError(f"levels must be (T, {BANDS}), got {self.levels.shape}")
        object.__setattr__(self, "levels", read_only(self.levels.astype(np.float16)))

    @property
    def duration_s(self) -> float:
        """Seconds covered."""
        return len(self.levels) / LEVELS_PER_S

    @property
    def is_silent(self) -> bool:
        """Whether no band ever rises above 80 dB below full scale."""
        return not bool(np.any(self.levels > np.log(2 * _FLOOR)))


def read_loudness(recording: Recording, *, monitor: Monitor | None = None) -> Loudness | None:
    """Decode a recording's sound once and keep its levels; None where there is no sound.

    Memory: half a minute of sound and 2.4 kB a second of recording. Where the file has no sound
    (gaps, a track that begins late or ends early, damage) it is silent.

    Raises
    ------
    UnreadableMediaError
        When the file cannot be read.
    Cancelled
        When the monitor says so.
    """
    total = round(recording.index.duration_s * SOUND_RATE)
    if monitor is not None:
        monitor.start(f"listening to {recording.name}", recording.index.duration_s, "s")
    blocks = []
    heard = False

    def noted() -> Iterator[tuple[int, Float32]]:
        nonlocal heard
        for place, piece in audio_pieces(recording, rate=SOUND_RATE):
            if place >= total:
                return
            heard = True
            yield place, piece[:, 0]

    for block in _blocks(noted(), total):
        blocks.append(levels_of(block))
        if monitor is not None:
            monitor.advance(_BLOCK / SOUND_RATE)
    if not heard or not blocks:
        return None
    count = max(0, (total - _WINDOW) // _HOP + 1)
    return Loudness(np.concatenate(blocks)[:count])


def levels_of(samples: Float32) -> npt.NDArray[np.float16]:
    """Levels (K, BANDS) of mono sound at 8 kHz, float32 (N,); see `Loudness`."""
    if len(samples) < _WINDOW:
        return np.zeros((0, BANDS), dtype=np.float16)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    spectrum = np.fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32), axis=1)
    power = np.square(np.abs(spectrum)) / (_WINDOW / 2) ** 2
    bins = np.searchsorted(np.fft.rfftfreq(_WINDOW, 1 / SOUND_RATE), _EDGES_HZ)
    bands = np.add.reduceat(power, bins, axis=1)[:, :BANDS]
    return np.asarray(np.log(bands + _FLOOR), dtype=np.float16)


def _blocks(pieces: Iterable[tuple[int, Float32]], total: int) -> Iterator[Float32]:
    """Gather pieces into blocks of half a minute that overlap as windows do; gaps are silent."""
    overlap = _WINDOW - _HOP
    buffer = np.zeros(_BLOCK + overlap, dtype=np.float32)
    start = 0
    for place, piece in pieces:
        rest, at = piece, place
        while len(rest):
            first = max(0, start - at)
            room = start + len(buffer) - at
            if room > first:
                part = rest[first:room]
                offset = at + first - start
                buffer[offset : offset + len(part)] = part
            if at + len(rest) <= start + len(buffer):
                break
            # The overlap belongs to both blocks, so the piece is kept for the next one.
            yield buffer
            buffer = np.concatenate([buffer[_BLOCK:], np.zeros(_BLOCK, dtype=np.float32)])
            start += _BLOCK
            if start >= total:
                return
    while start < total:
        yield buffer
        buffer = np.concatenate([buffer[_BLOCK:], np.zeros(_BLOCK, dtype=np.float32)])
        start += _BLOCK
