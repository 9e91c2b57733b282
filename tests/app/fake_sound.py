"""A sound device that asks when told, and a sound that says where it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from app.audio.output import SoundUnavailable, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from carl_core.video.recording import Recording

SCALE = 2.0**-23


class FakeStream:
    """Asks for sound when told."""

    def __init__(
        self, rate: int, fill: Callable[[np.ndarray, float], None], ended: Callable[[], None]
    ) -> None:
        self.rate = rate
        self.fill = fill
        self.ended = ended
        self.is_closed = False

    def ask(self, frames: int, ahead_s: float) -> np.ndarray:
        assert not self.is_closed
        out = np.full((frames, 2), np.nan, np.float32)
        self.fill(out, ahead_s)
        return out

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeOutput:
    """A device, or none."""

    trouble: Trouble | None = None
    rate: int = 48000
    streams: list[FakeStream] = field(default_factory=list)
    checks: int = 0

    def check(self) -> None:
        self.checks += 1
        if self.trouble is not None:
            raise SoundUnavailable(self.trouble, "made up")

    def open(
        self, fill: Callable[[np.ndarray, float], None], ended: Callable[[], None]
    ) -> FakeStream:
        self.check()
        self.streams.append(FakeStream(self.rate, fill, ended))
        return self.streams[-1]

    @property
    def is_open(self) -> bool:
        return bool(self.streams) and not self.streams[-1].is_closed


class FakeSource:
    """Samples say their own number on the left; on the right is a constant."""

    def __init__(self, recording: Recording, rate: int) -> None:
        self.recording = recording
        self.rate = rate
        self.failure: Exception | None = None
        self.is_closed = False
        self.is_broken = False

    def want(self, sample: int, then: int | None = None) -> None:
        pass

    def has(self, first: int, count: int) -> bool:
        return True

    def copy(self, first: int, out: np.ndarray) -> None:
        if self.is_broken:
            raise RuntimeError("broken on purpose")
        out[:, 0] = np.arange(first, first + len(out)) * SCALE
        out[:, 1] = 0.5

    def close(self) -> None:
        self.is_closed = True
