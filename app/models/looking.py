"""How the pictures are shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Mode(Enum):
    """One of the views of the pictures."""

    GRID = "grid"
    OVERLAY = "overlay"
    DIFFERENCE = "difference"
    WIPE = "wipe"


@dataclass(frozen=True, slots=True)
class Look:
    """What the stage shows.

    Attributes
    ----------
    mode : all tiles, or two recordings in one picture
    first, second : ids of the two, "" = there is none
    opacity : of the second over the first, 0..1
    gain : of the difference, 1..16
    wipe : place of the edge, 0..1 of the width
    """

    mode: Mode = Mode.GRID
    first: str = ""
    second: str = ""
    opacity: float = 0.5
    gain: float = 2.0
    wipe: float = 0.5

    @property
    def is_composite(self) -> bool:
        """Whether two recordings are one picture."""
        return self.mode is not Mode.GRID and bool(self.first) and bool(self.second)


@dataclass(frozen=True, slots=True)
class Zoom:
    """Part of a picture that fills its place.

    Attributes
    ----------
    factor : 1 = the whole picture
    x, y : middle of what is seen, 0..1 of the picture
    """

    factor: float = 1.0
    x: float = 0.5
    y: float = 0.5

    LARGEST: ClassVar[float] = 16.0

    @property
    def part(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of what is seen, as shares of the picture."""
        side = 1 / self.factor
        return self.x - side / 2, self.y - side / 2, side, side

    def at(self, factor: float, x: float, y: float) -> Zoom:
        """Zoom to ``factor`` so that the point (x, y) of the picture stays where it is."""
        factor = min(max(factor, 1.0), Zoom.LARGEST)
        share = self.factor / factor
        return Zoom(factor, x + (self.x - x) * share, y + (self.y - y) * share).held()

    def moved(self, dx: float, dy: float) -> Zoom:
        """Move what is seen by shares of the picture."""
        return Zoom(self.factor, self.x + dx, self.y + dy).held()

    def held(self) -> Zoom:
        """Return the nearest zoom that shows nothing beside the picture."""
        half = 0.5 / self.factor
        return Zoom(
            self.factor,
            min(max(self.x, half), 1.0 - half),
            min(max(self.y, half), 1.0 - half),
        )
