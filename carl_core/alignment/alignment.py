"""What an alignment is: the map for playing, the raw path, and how much to trust them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from carl_core.alignment.timemap import TimeMap
from carl_core.arrays import Float64, Int64, as_read_only

Verdict = Literal["aligned", "uncertain", "none"]
# Maps that search nothing in the pictures: whoever chooses one wants to see it.
_BY_HAND = ("linear", "offset", "anchors")
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class Anchor:
    """Two moments the user declares to be the same: a hard constraint, seconds."""

    reference_s: float
    other_s: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.reference_s) and np.isfinite(self.other_s)):
            raise ValueError(f"an anchor needs two finite times, got {self}")


@dataclass(frozen=True, slots=True)
class Mask:
    """A rectangle of pairs of moments that must not be matched, seconds, ends included."""

    reference_start_s: float
    reference_end_s: float
    other_start_s: float
    other_end_s: float

    def __post_init__(self) -> None:
        edges = (
            self.reference_start_s,
            self.reference_end_s,
            self.other_start_s,
            self.other_end_s,
        )
        if not np.isfinite(edges).all():
            raise ValueError(f"a mask needs four finite times, got {self}")
        if self.reference_start_s > self.reference_end_s or self.other_start_s > self.other_end_s:
            raise ValueError(f"a mask must start before it ends, got {self}")


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How another recording follows the reference.

    Attributes
    ----------
    method : the method that made the map (for ``auto``: the one it chose)
    cost : mean cosine distance along the raw path, weighted as the path was solved, 0 to 2
    match : evidence that both show the same, 0 to 1: share of null alignments that are worse as a
        whole; of a search through a bank, also how well it fits and how alike both look
    verdict : "aligned", "uncertain" or "none"
    reason : one sentence: what was chosen and why, or why not
    reference_s : float64 (N,), times of the reference's samples, strictly ascending
    other_s : float64 (N,), the map for playing, non-decreasing, NaN = no counterpart
    confidence : float64 (N,), 0 to 1: share of null alignments that are worse around the sample
    gaps : stretches of the reference without counterpart, (start, end) in seconds
    anchors : the user's pins the map goes through exactly
    raw_reference, raw_other : int64 (P,), sample indices along the raw path, both non-decreasing
    is_stable : false where a wider search changed a path that was found coarse to fine (of
        recordings of hours); ``reason`` says so too
    lengths_s : seconds that reference and other last; ``time_map`` stays inside them
    """

    method: str
    cost: float
    match: float
    verdict: Verdict
    reason: str
    reference_s: Float64
    other_s: Float64
    confidence: Float64
    gaps: tuple[tuple[float, float], ...]
    anchors: tuple[Anchor, ...]
    raw_reference: Int64
    raw_other: Int64
    is_stable: bool = True
    lengths_s: tuple[float, float] = (math.inf, math.inf)
    _map: TimeMap | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("reference_s", "other_s", "confidence"):
            object.__setattr__(self, name, as_read_only(getattr(self, name), np.float64))
        for name in ("raw_reference", "raw_other"):
            object.__setattr__(self, name, as_read_only(getattr(self, name), np.int64))
        object.__setattr__(self, "anchors", tuple(self.anchors))
        object.__setattr__(self, "gaps", tuple((float(a), float(b)) for a, b in self.gaps))
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict must be one of {VERDICTS}, got {self.verdict!r}")
        if not 0.0 <= self.match <= 1.0 or not np.isfinite(self.cost):
            raise ValueError(f"match {self.match} must lie in 0..1, cost {self.cost} be finite")
        if self.confidence.shape != self.reference_s.shape:
            raise ValueError("confidence and reference_s must have one shape")
        if not ((self.confidence >= 0) & (self.confidence <= 1)).all():
            raise ValueError("confidence must lie between 0 and 1")
        if self.raw_reference.shape != self.raw_other.shape or self.raw_other.ndim != 1:
            raise ValueError("raw_reference and raw_other must be two rows of one length")
        TimeMap(self.reference_s, self.other_s)  # checks shapes, order and monotony

    @property
    def is_playable(self) -> bool:
        """Whether to play along the map: it convinces somewhat, or the user asked for just it."""
        return self.verdict != "none" or bool(self.anchors) or self.method in _BY_HAND

    @property
    def time_map(self) -> TimeMap:
        """The map for playing: through the samples and, exactly, through the anchors.

        It goes on past the last sample for one sample step, at the last rate, since the frames
        after the last sampled one are shown too, but not past the end of either recording. Made
        once.
        """
        if self._map is None:
            object.__setattr__(self, "_map", self._made_map())
        assert self._map is not None
        return self._map

    def _made_map(self) -> TimeMap:
        reference_s, other_s = self.reference_s, self.other_s
        for anchor in self.anchors:
            near = np.abs(reference_s - anchor.reference_s) <= 1e-9
            if near.any():
                other_s = np.where(near, anchor.other_s, other_s)
                continue
            at = int(np.searchsorted(reference_s, anchor.reference_s))
            reference_s = np.insert(reference_s, at, anchor.reference_s)
            other_s = np.insert(other_s, at, anchor.other_s)
        if len(self.reference_s) >= 2 and np.isfinite(other_s[-2:]).all():
            step_s = float(np.median(np.diff(self.reference_s)))
            slope = (other_s[-1] - other_s[-2]) / (reference_s[-1] - reference_s[-2])
            step_s = min(step_s, self.lengths_s[0] - reference_s[-1])
            if step_s > 0:
                reference_s = np.append(reference_s, reference_s[-1] + step_s)
                other_s = np.append(other_s, other_s[-1] + slope * step_s)
        return TimeMap(reference_s, np.minimum(other_s, self.lengths_s[1]))
