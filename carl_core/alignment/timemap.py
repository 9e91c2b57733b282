"""The time map: seconds of the reference to seconds of another recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np

from carl_core.arrays import Float64, as_read_only

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class TimeMap:
    """A monotone, piecewise linear map; NaN where there is no counterpart.

    Safe from any thread: nothing changes after construction.

    Attributes
    ----------
    reference_s : float64 (K,), K >= 1, finite and strictly ascending knots, seconds
    other_s : float64 (K,), non-decreasing where finite, NaN = no counterpart. Between a finite
        knot and a NaN knot there is no counterpart either.
    """

    reference_s: Float64
    other_s: Float64

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference_s", as_read_only(self.reference_s, np.float64))
        object.__setattr__(self, "other_s", as_read_only(self.other_s, np.float64))
        if self.reference_s.ndim != 1 or len(self.reference_s) == 0:
            raise ValueError(
                f"reference_s must hold one row of knots, got {self.reference_s.shape}"
            )
        if self.other_s.shape != self.reference_s.shape:
            raise ValueError(
                f"{self.other_s.shape} other_s for {self.reference_s.shape} reference_s"
            )
        if not np.isfinite(self.reference_s).all() or np.any(np.diff(self.reference_s) <= 0):
            raise ValueError("reference_s must be finite and strictly ascending")
        finite = self.other_s[~np.isnan(self.other_s)]
        if np.isinf(finite).any() or np.any(np.diff(finite) < 0):
            raise ValueError("other_s must be finite or NaN, and must not descend")

    @overload
    def __call__(self, t_s: float) -> float: ...
    @overload
    def __call__(self, t_s: npt.NDArray[np.floating]) -> Float64: ...
    def __call__(self, t_s: float | npt.NDArray[np.floating]) -> float | Float64:
        """Seconds of the other recording at ``t_s`` of the reference, NaN without counterpart."""
        times = np.asarray(t_s, dtype=np.float64)
        before, after, share = self._locate(times)
        with np.errstate(invalid="ignore"):
            low, high = self.other_s[before], self.other_s[after]
            value = low + share * (high - low)
            # A knot belongs to itself: a NaN neighbour must not swallow it.
            value = np.where(share <= 0.0, low, np.where(share >= 1.0, high, value))
        inside = (times >= self.reference_s[0]) & (times <= self.reference_s[-1])
        value = np.where(inside, value, np.nan)
        return float(value) if np.ndim(t_s) == 0 else value

    def slope_at(self, t_s: float) -> float:
        """Seconds of the other per second of the reference at ``t_s``; NaN without counterpart.

        At a knot the slope to its right counts, at the last knot the one to its left.
        """
        if not np.isfinite(self(float(t_s))) or len(self.reference_s) < 2:
            return float("nan")
        right = int(np.searchsorted(self.reference_s, t_s, side="right"))
        for after in (right, right - 1):
            if 1 <= after < len(self.reference_s):
                before = after - 1
                run = self.reference_s[after] - self.reference_s[before]
                slope = float((self.other_s[after] - self.other_s[before]) / run)
                if (
                    np.isfinite(slope)
                    and self.reference_s[before] <= t_s <= self.reference_s[after]
                ):
                    return slope
        return float("nan")

    @property
    def domain(self) -> tuple[float, float]:
        """First and last second of the reference with a counterpart; (NaN, NaN) without any."""
        known = np.flatnonzero(np.isfinite(self.other_s))
        if len(known) == 0:
            return (float("nan"), float("nan"))
        return (float(self.reference_s[known[0]]), float(self.reference_s[known[-1]]))

    def inverse(self) -> TimeMap:
        """Return the map from the other recording's seconds to the reference's.

        Where the other holds still, the first moment of the hold belongs to its exact time and
        the last one to the next representable number, so that ``self(inverse(t)) == t`` stays
        true on both sides. A stretch without counterpart stays one.
        """
        known = np.flatnonzero(~np.isnan(self.other_s))
        if len(known) == 0:
            start = float(self.reference_s[0])
            return TimeMap(np.asarray([start]), np.asarray([np.nan]))
        other_s, reference_s = self.other_s[known], self.reference_s[known]
        # A hold: knots no further apart than representable numbers are.
        is_new = other_s[1:] > np.nextafter(other_s[:-1], np.inf)
        firsts = np.concatenate([[0], np.flatnonzero(is_new) + 1])
        lasts = np.append(firsts[1:] - 1, len(known) - 1)
        ends_s = np.where(
            lasts > firsts,
            np.maximum(np.nextafter(other_s[firsts], np.inf), other_s[lasts]),
            other_s[firsts],
        )
        held = np.flatnonzero(lasts > firsts)
        # Between a hold's last moment and the next knot, half way: no counterpart.
        after_gap = np.flatnonzero(known[firsts[1:]] - known[lasts[:-1]] > 1) + 1
        before_s, after_s = ends_s[after_gap - 1], other_s[firsts[after_gap]]
        middles_s = before_s + 0.5 * (after_s - before_s)
        middles_s = middles_s[(before_s < middles_s) & (middles_s < after_s)]
        inverse_s = np.concatenate([other_s[firsts], ends_s[held], middles_s])
        values_s = np.concatenate(
            [reference_s[firsts], reference_s[lasts[held]], np.full(len(middles_s), np.nan)]
        )
        order = np.argsort(inverse_s, kind="stable")
        return TimeMap(inverse_s[order], values_s[order])

    def _locate(self, times: Float64) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Float64]:
        """Knots before and after each time, and how far between them (0 to 1)."""
        last = len(self.reference_s) - 1
        after = np.clip(np.searchsorted(self.reference_s, times, side="left"), min(1, last), last)
        before = np.maximum(after - 1, 0)
        run = self.reference_s[after] - self.reference_s[before]
        share = np.where(run > 0, (times - self.reference_s[before]) / np.where(run > 0, run, 1), 0)
        return before, after, np.asarray(share, dtype=np.float64)
