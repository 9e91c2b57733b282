"""Whether the best hit of a search means anything."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from carl_core.arrays import Float64

_FEWEST = 8  # samples of background without which nothing can stand out
_SAME = 0.98  # cosine from which two frames are the same picture
_MARGIN = 1.5  # standard deviations above what chance would reach
_ALL_ALIKE = 0.02  # differences of similarity below this mean nothing
# A hit convinces when it scores higher than this share of queries from unrelated clips. Chosen on
# four directions of two development pairs: accepts 0.67 to 1.0 of matching queries (0.33 to 0.5 in
# the worst direction) and 0 to 0.33 of unrelated ones.
_STRANGER_SHARE = 0.8
# Single frames: more strangers and a larger share, for the features of a trunk hold right and
# unrelated pictures further apart. On fourteen recordings, 0.95 and 0.98 accept 0.99 of altered
# frames alike, and 0.046 and 0.034 of unrelated photographs.
_STILL_SHARE = 0.98


class Yardstick:
    """Decides whether hits convince; what strangers score is computed once, when first needed.

    Parameters
    ----------
    strangers : returns float64 (S,), the best scores of queries from unrelated clips; None = there
        are none
    by_stills : whether single frames were searched by a picture
    """

    def __init__(self, strangers: Callable[[], Float64 | None], by_stills: bool) -> None:
        self._make = strangers
        self._by_stills = by_stills

    @cached_property
    def _scores(self) -> Float64 | None:
        return self._make()

    def judge(
        self, best: float, background: Float64, everything: Float64, moments: float
    ) -> tuple[bool, str]:
        """Return whether the best hit of what was searched convinces, and a sentence.

        Parameters
        ----------
        best : its score
        background : float64 (B,), the scores outside its moment
        everything : float64 (T,), all scores
        moments : how many independent ones were searched, roughly
        """
        convincing, reason = _judge(best, background, everything, moments)
        # To stand out is not enough for a single frame: some frame is nearest to anything.
        is_open = self._by_stills or not convincing
        if is_open and float(np.ptp(everything)) > _ALL_ALIKE and self._scores is not None:
            share = _STILL_SHARE if self._by_stills else _STRANGER_SHARE
            return _compare(best, self._scores, share)
        return convincing, reason


def _compare(score: float, strangers: Float64, share: float) -> tuple[bool, str]:
    """Whether a score is higher than what queries from unrelated material reach."""
    worse = float(np.mean(strangers < score))
    text = f"{len(strangers)} queries from unrelated recordings"
    if worse >= share:
        return True, f"The best score {score:.2f} is higher than that of {worse:.0%} of {text}."
    needed = float(np.quantile(strangers, share))
    return False, (
        f"Nothing stands out: the best score {score:.2f} is higher than that of only {worse:.0%} "
        f"of {text}; {needed:.2f} would convince."
    )


def _judge(
    best: float, background: Float64, everything: Float64, moments: float
) -> tuple[bool, str]:
    """Whether the best hit stands out from the rest, and a sentence.

    Its distance from the median of the rest, in robust standard deviations (1.4826 MAD), must
    exceed by 1.5 what the highest of as many independent normal values reaches, sqrt(2 ln n).
    """
    if len(background) < _FEWEST:
        if best >= _SAME and float(np.ptp(everything)) > _ALL_ALIKE:
            return True, f"The best moment is practically the query itself ({best:.2f})."
        return False, "There is too little beside the best moment to tell whether it stands out."
    middle = float(np.median(background))
    spread = 1.4826 * float(np.median(np.abs(background - middle)))
    lead = best - middle
    if lead <= _ALL_ALIKE:
        return False, "Everything searched looks equally much like the query."
    distance = lead / max(spread, 0.25 * _ALL_ALIKE)
    needed = float(np.sqrt(2.0 * np.log(max(moments, 2.0)))) + _MARGIN
    if distance < needed:
        return False, (
            f"Nothing stands out: the best score {best:.2f} lies only {distance:.1f} "
            f"standard deviations above the rest (about {middle:.2f}); {needed:.1f} would convince."
        )
    return True, (
        f"The best score {best:.2f} lies {distance:.1f} standard deviations above the rest "
        f"(about {middle:.2f})."
    )
