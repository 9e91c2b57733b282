"""Pins and masks as the heatmap shows them."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pin:
    """Two moments the user says are the same, seconds of reference and other."""

    reference_s: float
    other_s: float


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle: no match in it, or (``is_corridor``) the path passes through it."""

    reference_s: Range
    other_s: Range
    is_corridor: bool = False


@dataclass(frozen=True, slots=True)
class Wall:
    """Where a dragged pin cannot pass, None = it can: seconds of reference and other."""

    reference_s: float | None = None
    other_s: float | None = None
