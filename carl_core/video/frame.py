"""One frame as it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carl_core.arrays import UInt8


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame as shown.

    Attributes
    ----------
    index : frame number, 0-based in presentation order
    pts : presentation timestamp of what is shown
    time_s : seconds from the recording's first frame
    pixels : uint8 (H, W, 3), RGB, read-only
    is_preview : whether another frame was asked for, which is still on its way
    """

    index: int
    pts: int
    time_s: float
    pixels: UInt8
    is_preview: bool = False
