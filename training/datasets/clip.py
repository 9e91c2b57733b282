"""What every data set gives: the pictures of one recording, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from carl_core.arrays import Float64, Int64, UInt8


class Frames(Protocol):
    """Pictures of one recording: a NumPy array, or what decodes only what it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, 3)."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, frames: Int64, /) -> UInt8:
        """Pictures (K, H, W, 3) of ascending frame numbers int64 (K,), which may repeat."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Pictures of one recording.

    Attributes
    ----------
    name : for messages
    frames : uint8 (N, H, W, 3), memory-mapped or decoded when asked for
    times_s : float64 (N,), seconds from the recording's first frame
    labels : int64 (N,), phase of each frame, -1 = none; None where there are no labels
    action : what is done, "" = not known
    """

    name: str
    frames: Frames
    times_s: Float64
    labels: Int64 | None = None
    action: str = ""
