"""From the raw path, a staircase of samples, to a map that is pleasant to play.

Monotone, smooth, no faster than allowed, and exactly through the anchors.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from carl_core.alignment import kernels
from carl_core.alignment.gaps import runs_of
from carl_core.alignment.warping_path import Path
from carl_core.errors import AlignmentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.alignment.alignment import Anchor
    from carl_core.alignment.options import AlignOptions
    from carl_core.arrays import Float64, Int64


class PairCosts(Protocol):
    """Costs that can be asked for pair by pair: ``Costs``, or a ``Stretch`` of them."""

    def at(self, rows: Int64, columns: Int64) -> Float64:
        """Costs of single pairs: int64 (P,) and (P,) to float64 (P,)."""
        ...


def effective_max_rate(rate: float, options: AlignOptions) -> float:
    """Fastest allowed rate where the recordings as a whole run at ``rate``.

    A recording in ten-fold slow motion as a whole may vary around that pace too.
    """
    return max(options.max_rate, 2.0 * rate)


def playing_map(
    reference_s: Float64,
    other_s: Float64,
    path: Path,
    costs: PairCosts,
    *,
    anchors: Sequence[Anchor] = (),
    options: AlignOptions,
) -> Float64:
    """Return seconds of the other per reference sample, NaN outside the path: float64 (N,).

    Where the path has gaps, each run between them is a map of its own.

    Parameters
    ----------
    reference_s, other_s : float64 (N,) and (M,), times of the samples
    path : raw path through the samples
    costs : of the pairs, for the position between samples
    anchors : in order of time; the map goes through them exactly
    """
    runs = runs_of(path.reference, path.other)
    if len(runs) > 1:
        found = np.full(len(reference_s), np.nan)
        for run in runs:
            part = Path(
                path.reference[run],
                path.other[run],
                path.costs[run],
                np.ascontiguousarray(path.weights[run]),
                path.total,
            )
            alone = playing_map(reference_s, other_s, part, costs, anchors=anchors, options=options)
            low, high = other_s[part.other[[0, -1]]]
            found = np.where(np.isfinite(alone), np.clip(alone, low, high), found)
        return _within_anchors(found, reference_s, anchors)
    found = np.full(len(reference_s), np.nan)
    first, last = int(path.reference[0]), int(path.reference[-1])
    x = reference_s[path.reference]
    y = _between_samples(other_s, path, costs)
    span_s = x[-1] - x[0]
    rate = (y[-1] - y[0]) / span_s if span_s > 0 else 1.0
    max_rate = effective_max_rate(rate, options)
    step_s = float(np.median(np.diff(reference_s))) if len(reference_s) > 1 else 0.0
    # A hold that only comes from the other's coarser sampling must be smoothed away.
    other_step_s = float(np.median(np.diff(other_s))) / max(rate, 0.05) if len(other_s) > 1 else 0.0
    sigma_s = max(options.smooth_s, step_s, other_step_s, 1e-9)

    inside = [a for a in anchors if reference_s[first] <= a.reference_s <= reference_s[last]]
    edges = [None, *inside, None]
    for left, right in pairwise(edges):
        start_s = left.reference_s if left else reference_s[first]
        end_s = right.reference_s if right else reference_s[last]
        samples = np.arange(first, last + 1)
        times = reference_s[first : last + 1]
        samples = samples[(times >= start_s - 1e-12) & (times <= end_s + 1e-12)]
        if len(samples) == 0:
            continue
        found[samples] = _segment(
            reference_s[samples], (x, y, path.weights), left, right, other_s, sigma_s, max_rate
        )
    # Two segments that share a sample agree there: it lies on the anchor.
    known = np.isfinite(found)
    found[known] = np.maximum.accumulate(found[known])
    return _within_anchors(found, reference_s, anchors)


def _within_anchors(found: Float64, reference_s: Float64, anchors: Sequence[Anchor]) -> Float64:
    """Hold a map back at anchors that lie beyond its ends, where its path does not pass."""
    for anchor in anchors:
        is_after = reference_s >= anchor.reference_s
        found = np.where(
            is_after, np.maximum(found, anchor.other_s), np.minimum(found, anchor.other_s)
        )
    return found


def _segment(
    times: Float64,
    points: tuple[Float64, Float64, Float64],
    left: Anchor | None,
    right: Anchor | None,
    other_s: Float64,
    sigma_s: float,
    max_rate: float,
) -> Float64:
    """Map of one stretch between two anchors (or open ends)."""
    x, y, weights = points
    start_s = left.reference_s if left else -np.inf
    end_s = right.reference_s if right else np.inf
    near = (x >= start_s) & (x <= end_s)
    x, y, weights = x[near], y[near], weights[near]
    if left:
        x, y = np.append(left.reference_s, x), np.append(left.other_s, y)
        weights = np.append(100.0, weights)  # smooth towards the pin, not away from it
    if right:
        x, y = np.append(x, right.reference_s), np.append(y, right.other_s)
        weights = np.append(weights, 100.0)
    order = np.argsort(x, kind="stable")
    smooth: Float64 = kernels.local_line(
        np.ascontiguousarray(times),
        np.ascontiguousarray(x[order]),
        np.ascontiguousarray(y[order]),
        np.ascontiguousarray(weights[order]),
        sigma_s,
    )
    smooth = kernels.isotonic(smooth)
    smooth = kernels.limit_slope(np.ascontiguousarray(times), smooth, max_rate)
    low, high = float(other_s[0]), float(other_s[-1])
    lower = np.full(len(times), low)
    upper = np.full(len(times), high)
    if left:
        lower = np.maximum(lower, left.other_s)
        upper = np.minimum(upper, left.other_s + max_rate * (times - left.reference_s))
    if right:
        upper = np.minimum(upper, right.other_s)
        lower = np.maximum(lower, right.other_s - max_rate * (right.reference_s - times))
    return cast("Float64", np.clip(smooth, lower, np.maximum(lower, upper)))


def _between_samples(other_s: Float64, path: Path, costs: PairCosts) -> Float64:
    """Seconds of the other at each cell of the path, refined between samples.

    The vertex of the parabola through the costs of the three pairs (i, j-1), (i, j), (i, j+1)
    says where between two samples of the other the best match lies.
    """
    m = len(other_s)
    position = path.other.astype(np.float64)
    inner = (path.other > 0) & (path.other < m - 1)
    rows, columns = path.reference[inner], path.other[inner]
    before, here, after = (costs.at(rows, columns + k) for k in (-1, 0, 1))
    with np.errstate(invalid="ignore"):
        bend = before - 2.0 * here + after
        is_valley = (here <= before) & (here <= after) & (bend > 1e-9) & np.isfinite(bend)
        shift = np.where(is_valley, 0.5 * (before - after) / np.where(is_valley, bend, 1.0), 0.0)
    position[inner] += np.clip(shift, -0.5, 0.5)
    refined = np.interp(position, np.arange(m), other_s)
    return np.maximum.accumulate(refined)


def check_anchors(
    anchors: Sequence[Anchor],
    reference_end_s: float,
    other_end_s: float,
    options: AlignOptions,
) -> tuple[Anchor, ...]:
    """Return the anchors in order of time, without repetitions.

    Raises
    ------
    AlignmentError
        When one lies outside a recording, or two contradict each other.
    """
    ordered = sorted(set(anchors), key=lambda a: (a.reference_s, a.other_s))
    for anchor in ordered:
        for time_s, end_s, which in (
            (anchor.reference_s, reference_end_s, "reference"),
            (anchor.other_s, other_end_s, "other recording"),
        ):
            if not 0.0 <= time_s <= end_s + 1e-6:
                raise AlignmentError(
                    f"The anchor {_shown(anchor)} lies outside the {which}, whose samples end at "
                    f"{end_s:.3f} s. Give a time inside it."
                )
    rate = other_end_s / reference_end_s if reference_end_s > 0 else 1.0
    max_rate = effective_max_rate(rate, options)
    for first, second in pairwise(ordered):
        run, rise = second.reference_s - first.reference_s, second.other_s - first.other_s
        if rise < 0 or run <= 0:
            raise AlignmentError(
                f"The anchors {_shown(first)} and {_shown(second)} contradict each other: time "
                "would have to run backwards or stand in two places. Move or remove one of them."
            )
        if rise > max_rate * run * (1 + 1e-9):
            raise AlignmentError(
                f"Between the anchors {_shown(first)} and {_shown(second)} the other recording "
                f"would run at {rise / run:.1f} times its speed; the limit is {max_rate:g}. "
                "Move or remove one of them, or raise the limit."
            )
    return tuple(ordered)


def _shown(anchor: Anchor) -> str:
    return f"{anchor.reference_s:.3f} s = {anchor.other_s:.3f} s"
