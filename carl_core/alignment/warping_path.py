"""A warping path through the pairs of two recordings' samples, and what its steps and ends cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Float64, Int64, read_only

if TYPE_CHECKING:
    from carl_core.alignment.options import StepPattern

CLOSED = math.inf
_WEIGHTS: dict[StepPattern, tuple[float, float, float]] = {
    "2-1-1": (2.0, 1.0, 1.0),
    "1-1-1": (1.0, 1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Ends:
    """Price of each sample left out at the four ends; infinity = nothing may be left out."""

    reference_begin: float = CLOSED
    other_begin: float = CLOSED
    reference_end: float = CLOSED
    other_end: float = CLOSED

    def as_array(self) -> Float64:
        """float64 (4,) in the order of the fields."""
        return np.asarray(
            [self.reference_begin, self.other_begin, self.reference_end, self.other_end],
            dtype=np.float64,
        )

    def scaled(self, pattern: StepPattern) -> Ends:
        """Prices per sample for ``pattern``: a matched pair weighs 2 in 2-1-1 and 1 in 1-1-1."""
        factor = _WEIGHTS[pattern][0] / 2.0
        return Ends(*(float(price) * factor for price in self.as_array()))


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A monotone path through the pairs of samples.

    Attributes
    ----------
    reference, other : int64 (P,), sample indices; every step is (1, 1), (1, 0) or (0, 1). Only a
        path with gaps (``gaps``) has longer ones: what they pass over has no counterpart
    costs : float64 (P,), cost of each pair
    weights : float64 (P,), weight of each pair
    total : sum of weights times costs, plus the price of the samples left out
    is_stable : false where searching more of the matrix changed a path found coarse to fine
    """

    reference: Int64
    other: Int64
    costs: Float64
    weights: Float64
    total: float
    is_stable: bool = True

    def __post_init__(self) -> None:
        for name in ("reference", "other", "costs", "weights"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def mean_cost(self) -> float:
        """Weighted mean cost of the matched pairs, 0 to 2."""
        return float(np.dot(self.weights, self.costs) / self.weights.sum())


def step_prices(pattern: StepPattern) -> tuple[float, float, float]:
    """Return the weights of the diagonal, the step in the reference and the step in the other."""
    return _WEIGHTS[pattern]


def step_weights(reference: Int64, other: Int64, pattern: StepPattern) -> Float64:
    """Weight of each pair of a path: of the diagonal for the first one and where both go on."""
    diagonal, reference_step, other_step = _WEIGHTS[pattern]
    ours = np.diff(reference, prepend=reference[0] - 1) > 0
    theirs = np.diff(other, prepend=other[0] - 1) > 0
    return np.where(ours & theirs, diagonal, np.where(ours, reference_step, other_step))
