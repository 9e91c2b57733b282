"""What a user may choose about an alignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

StepPattern = Literal["2-1-1", "1-1-1"]
STEP_PATTERNS: tuple[StepPattern, ...] = get_args(StepPattern)


@dataclass(frozen=True, slots=True)
class AlignOptions:
    """Options of ``align``; the defaults suit recordings of people and hands at work or sport.

    Attributes
    ----------
    step_pattern : weights of the diagonal and the two straight steps. "2-1-1" (Sakoe and Chiba's
        symmetric pattern, no slope constraint) charges every sample of either recording once, so
        a path is not shortened by preferring diagonals, and every path between two corners weighs
        the same. "1-1-1" charges every matched pair once.
    straight_price : extra charge for every step that holds one recording, as a share of the spread
        between a typical best match and a typical pair; keeps noise from making the map stutter.
        0 = the plain step pattern
    skip_price : charge for every sample left without counterpart at an open end, on the same scale
        (0 = as cheap as a typical best match, 1 = as dear as a typical pair). Where a gap or open
        ends are asked for by name, or repetitions tell that most of a recording is left over, 1 at
        most
    min_rate, max_rate : slowest and fastest rate of the map (seconds of the other per second of the
        reference). Holds (rate 0) stay allowed. Where the recordings as a whole run at another
        pace, the limits widen to half and twice that pace.
    smooth_s : half width (standard deviation) of the smoothing of the playing map, seconds
    centre : subtract each recording's mean vector first. What stays the same all along (place,
        clothes, camera) then no longer counts.
    null_maps : how many null alignments confidence is measured against
    seed : fixes the null maps; the same input and seed give the same result
    exact : "dtw" without anchors and masks searches every pair, in minutes for recordings of hours,
        instead of a corridor around what a coarser resolution found
    """

    step_pattern: StepPattern = "2-1-1"
    straight_price: float = 1.2
    skip_price: float = 2.2
    min_rate: float = 0.2
    max_rate: float = 5.0
    smooth_s: float = 0.15
    centre: bool = True
    null_maps: int = 60
    seed: int = 0
    exact: bool = False

    def __post_init__(self) -> None:
        if self.step_pattern not in STEP_PATTERNS:
            raise ValueError(f"step_pattern must be one of {STEP_PATTERNS}: {self.step_pattern!r}")
        if not 0 < self.min_rate <= 1 <= self.max_rate:
            raise ValueError(
                f"rates must keep 0 < min_rate <= 1 <= max_rate: {self.min_rate}, {self.max_rate}"
            )
        if self.straight_price < 0 or self.skip_price < 0:
            raise ValueError(
                f"prices must not be negative: straight_price {self.straight_price}, "
                f"skip_price {self.skip_price}"
            )
        if self.smooth_s < 0:
            raise ValueError(f"smooth_s must not be negative: {self.smooth_s}")
        if self.null_maps < 0:
            raise ValueError(f"null_maps must not be negative: {self.null_maps}")
