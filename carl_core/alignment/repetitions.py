"""How often a recording repeats itself, from its distances to itself a while later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.alignment.looks import Look

_LONGEST = 192  # samples that are looked at
_SHORTEST = 4  # samples of a period
_LATEST = 0.67  # of the recording: one and a half repetitions must be seen
# A repetition looks like the one before it: their distance is below this share of the largest
# distance at a shorter lag. On 22 development recordings three of squats and pull-ups do (one only
# from 0.7), and no other one at 0.8.
_RETURNS = 0.75
_NEARLY = 1.15  # of several lags that are nearly as good, the shortest is the period


def period_of(look: Look) -> float | None:
    """Return the period of a recording as a share of its length, None where nothing repeats.

    The first lag at which the root mean square distance of samples that far apart has a minimum
    that nearly all longer lags do not undercut. O(N^2) for at most 192 samples.
    """
    coarse = look.pooled(_LONGEST)
    n = len(coarse)
    if n < 3 * _SHORTEST:
        return None
    distances = coarse.distances(np.arange(n))
    lags = np.arange(1, int(_LATEST * n) + 1)
    apart = np.asarray([np.sqrt(np.mean(np.diagonal(distances, int(lag)) ** 2)) for lag in lags])
    highest = np.maximum.accumulate(apart)
    inner = np.arange(_SHORTEST - 1, len(lags) - 1)
    is_minimum = (apart[inner] <= apart[inner - 1]) & (apart[inner] < apart[inner + 1])
    found = inner[is_minimum & (apart[inner] <= _RETURNS * highest[inner])]
    if len(found) == 0:
        return None
    first = found[apart[found] <= _NEARLY * apart[found].min()][0]
    return float(lags[first]) / n


def describe(
    ours: float | None, theirs: float | None, matched: tuple[float, float], *, reference: bool
) -> str:
    """Say how many repetitions either recording shows, and which of the more were matched.

    Parameters
    ----------
    ours, theirs : periods of the reference and of the other, as ``period_of`` gives them
    matched : the part that was matched, as shares of the recording with more repetitions
    reference : whether that is the reference

    Returns
    -------
    str
        A clause, empty where nothing repeats.
    """
    counts = [1 if period is None else max(1, round(1.0 / period)) for period in (ours, theirs)]
    if max(counts) == 1:
        return ""
    if counts[0] == counts[1]:
        return f"both show {counts[0]} repetitions"
    period = ours if reference else theirs
    assert period is not None  # it shows more than one
    most = max(counts)
    first = min(most, round(matched[0] / period) + 1)
    last = min(most, max(first, round(matched[1] / period)))
    which = _ordinal(first) if first == last else f"{_ordinal(first)} to {_ordinal(last)}"
    return (
        f"the reference shows {counts[0]} repetition{'s' if counts[0] > 1 else ''}, the other "
        f"{counts[1]}; matched to the {which} of the {'reference' if reference else 'other'}"
    )


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
