"""What an exported picture or video is to look like; loads neither PyAV nor Pillow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

Part = tuple[float, float, float, float]
"""Left, top, width and height of a part of a picture, as shares of it."""

LAYOUTS = ("side", "grid", "overlay", "difference", "wipe")


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How the video looks.

    Attributes
    ----------
    layout : "side" (one row), "grid" (as square as it can be), "overlay" (the second over the
        first; more than two at equal weight), "difference" (of the first two), "wipe" (first left,
        second right of the edge)
    opacity, gain, wipe : of overlay, difference and wipe, see ``carl_core.export.compose``
    range_s : part of master time to write, seconds; None = all
    captions : write names, times and momentary rates
    marks : (recording id, name, start, end) to write below a picture while they last, seconds of
        that recording; a moment (start = end) stays for half a second
    nudges : frames by which a recording is shown ahead of its place, by its id
    parts : part of a recording's picture that fills its place, by its id, see ``Part``; of two in
        one picture the first one's holds for both; left out, the whole picture
    height : pixels of one picture; made smaller where the whole would be wider than 3840
    rate : output frames per second, None = the highest nominal rate of the recordings, <= 60
    audio : keep the reference's sound
    """

    layout: str = "side"
    height: int = 540
    rate: Fraction | None = None
    audio: bool = True
    opacity: float = 0.5
    gain: float = 2.0
    wipe: float = 0.5
    range_s: tuple[float, float] | None = None
    captions: bool = True
    marks: tuple[tuple[str, str, float, float], ...] = ()
    nudges: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.range_s is not None and not 0 <= self.range_s[0] < self.range_s[1]:
            raise ValueError(f"range_s must be ascending and not negative, got {self.range_s}")
        for left, top, width, height in self.parts.values():
            if not (0 <= left <= left + width <= 1.0001 and 0 <= top <= top + height <= 1.0001):
                raise ValueError("parts must lie inside the pictures")
            if min(width, height) <= 0:
                raise ValueError("parts must not be empty")
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout must be one of {LAYOUTS}, got {self.layout!r}")
