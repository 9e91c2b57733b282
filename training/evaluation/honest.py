"""What a clock cannot win, on recordings with phase labels.

- boundary error: where the phase boundaries of one recording land in another along a DTW path;
- the same, and precision of the first K, when both recordings are trimmed at random beforehand;
- tau against a rotated recording: its second part plays first. Tau itself stays a clock's game
  under trims, because any map that never turns back scores 1; here the right answer turns back.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_exact
from carl_core.similarity.matrix import unit_rows
from training.evaluation.protocol import Embedded, Tau, order_tau

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.alignment.options import StepPattern
    from carl_core.arrays import Float32, Int64
    from training.evaluation.controls import Contestant
    from training.evaluation.tracks import Track

TRIM = 0.3  # largest share cut from either end
MOST_PAIRS = 400
ROTATION = (0.3, 0.7)  # share of a recording after which it begins when rotated


@dataclass(frozen=True, slots=True)
class BoundaryError:
    """Phase boundaries carried from one recording to another, and labels along.

    Attributes
    ----------
    frames, seconds, percent : mean distance from the true boundary; percent of the recording's
        length. NaN where the two share no boundary
    label_accuracy : share of the other's labelled frames that get their own label
    boundaries : compared
    """

    frames: float
    seconds: float
    percent: float
    label_accuracy: float
    boundaries: int


def transfer(
    reference: Embedded, other: Embedded, *, pattern: StepPattern = "2-1-1"
) -> BoundaryError:
    """Carry the boundaries and labels of ``reference`` over to ``other`` by plain global DTW.

    A boundary lies between two frames; it lands midway between where both land, and a frame lands
    on the mean of the frames that the path puts beside it. The n-th change from one phase to
    another is compared with the n-th such change of the other recording; changes that only one of
    the two has are not counted. Each frame of the other gets the label of the middle one of the
    reference's frames beside it.

    Parameters
    ----------
    reference, other : labelled, every frame in order, vectors as they shall be compared
    """
    rows, columns = (unit_rows(one.vectors, centre=False) for one in (reference, other))
    path = solve_exact(Costs(rows, columns), pattern=pattern)
    landing = np.bincount(path.reference, weights=path.other) / np.bincount(path.reference)
    assert reference.labels is not None
    assert other.labels is not None
    ours, theirs = boundaries(reference.labels), boundaries(other.labels)
    shared = sorted(ours.keys() & theirs.keys())
    frames, seconds = [], []
    order = np.arange(len(other.times_s))
    for key in shared:
        found = (landing[ours[key] - 1] + landing[ours[key]]) / 2
        true = theirs[key] - 0.5
        frames.append(abs(found - true))
        seconds.append(abs(np.subtract(*np.interp([found, true], order, other.times_s))))
    count = len(other.times_s)
    first = np.searchsorted(path.other, order, side="left")
    last = np.searchsorted(path.other, order, side="right") - 1
    given = reference.labels[path.reference[(first + last) // 2]]
    has_label = other.labels >= 0
    accuracy = float((given == other.labels)[has_label].mean()) if has_label.any() else math.nan
    if not shared:
        return BoundaryError(math.nan, math.nan, math.nan, accuracy, 0)
    mean = float(np.mean(frames))
    percent = 100.0 * mean / max(1, count - 1)
    return BoundaryError(mean, float(np.mean(seconds)), percent, accuracy, len(shared))


def boundaries(labels: Int64) -> dict[tuple[int, int, int], int]:
    """First frame after each change of phase, by (from, to, how often before); -1 is no phase."""
    changes = np.flatnonzero((labels[1:] != labels[:-1]) & (labels[1:] >= 0) & (labels[:-1] >= 0))
    seen: Counter[tuple[int, int]] = Counter()
    found = {}
    for frame in changes.tolist():
        key = (int(labels[frame]), int(labels[frame + 1]))
        found[(*key, seen[key])] = frame + 1
        seen[key] += 1
    return found


def boundary_errors(contestant: Contestant, tracks: Sequence[Track]) -> BoundaryError:
    """Mean over ordered pairs of recordings of an action, then over actions.

    All pairs up to ``MOST_PAIRS`` of an action, beyond that a fixed draw of as many. A recording
    without labels takes no part.
    """
    labelled = [track for track in tracks if track.labels is not None]
    shown = [contestant.embedded(track, aligning=True) for track in labelled]
    found: dict[str, list[BoundaryError]] = {}
    for i, j in _pairs(labelled):
        found.setdefault(labelled[i].action, []).append(transfer(shown[i], shown[j]))
    return _mean([_mean(errors) for errors in found.values()])


def trimmed(track: Track, rng: np.random.Generator, *, most: float = TRIM) -> Track:
    """Cut up to a share ``most`` from either end; at least two frames stay."""
    count = len(track)
    start = int(rng.uniform(0.0, most) * count)
    end = count - int(rng.uniform(0.0, most) * count)
    return track.part(start, max(end, start + 2)) if count >= 2 else track


def trimmed_tracks(tracks: Sequence[Track], seed: int) -> list[Track]:
    """Trim every recording on its own, drawn by (seed, place)."""
    return [
        trimmed(track, np.random.default_rng([seed, place])) for place, track in enumerate(tracks)
    ]


def rotated_tau(contestant: Contestant, tracks: Sequence[Track], *, stride: int, seed: int) -> Tau:
    """Tau of nearest neighbours in recordings whose second part is played first.

    For the ordered pairs of ``boundary_errors``, the other recording begins after a share of 0.3 to
    0.7 of its length and goes on from its beginning. Its frames are counted as they were before:
    1 where the pictures decide, at most 0.16 where the place in the recording does.
    """
    queries = [contestant.embedded(track).labelled() for track in tracks]
    turned: list[tuple[Float32, Int64]] = []
    for place, track in enumerate(tracks):
        rng = np.random.default_rng([seed, place])
        start = int(rng.uniform(*ROTATION) * len(track))
        vectors = contestant.vectors(_rotated(track, start), aligning=False)
        order = np.roll(np.arange(len(track)), -start)
        if track.labels is not None:
            has_label = track.labels[order] >= 0
            vectors, order = vectors[has_label], order[has_label]
        turned.append((vectors[::stride], order[::stride]))
    found = []
    for i, j in _pairs(tracks):
        vectors, order = turned[j]
        asked = queries[i].vectors[::stride]
        if len(asked) == 0 or len(vectors) == 0:
            found.append(math.nan)
            continue
        found.append(order_tau(order[cdist(asked, vectors, "sqeuclidean").argmin(axis=1)]))
    known = [value for value in found if not math.isnan(value)]
    mean = float(np.mean(known)) if known else math.nan
    return Tau(mean, len(found), len(found) - len(known))


def _rotated(track: Track, start: int) -> Track:
    """Play a recording from frame ``start`` on and then its beginning, at its own steps."""
    order = np.roll(np.arange(len(track)), -start)
    return replace(
        track,
        features=track.features[order],
        pixels=track.pixels[order],
        content_s=track.content_s[order],
        labels=None if track.labels is None else track.labels[order],
    )


def _pairs(tracks: Sequence[Track]) -> list[tuple[int, int]]:
    """Ordered pairs of one action, at most ``MOST_PAIRS`` of each."""
    by_action: dict[str, list[tuple[int, int]]] = {}
    for i, j in permutations(range(len(tracks)), 2):
        if tracks[i].action == tracks[j].action:
            by_action.setdefault(tracks[i].action, []).append((i, j))
    chosen = []
    for pairs in by_action.values():
        if len(pairs) > MOST_PAIRS:
            rng = np.random.default_rng(len(pairs))
            drawn = np.sort(rng.permutation(len(pairs))[:MOST_PAIRS])
            pairs = [pairs[place] for place in drawn]
        chosen += pairs
    return chosen


def _mean(errors: Sequence[BoundaryError]) -> BoundaryError:
    """Mean of what is known, each number on its own."""

    def mean(values: list[float]) -> float:
        known = [value for value in values if not math.isnan(value)]
        return float(np.mean(known)) if known else math.nan

    return BoundaryError(
        mean([error.frames for error in errors]),
        mean([error.seconds for error in errors]),
        mean([error.percent for error in errors]),
        mean([error.label_accuracy for error in errors]),
        sum(error.boundaries for error in errors),
    )
