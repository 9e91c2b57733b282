"""Anchors moved: solve anew only around them, and keep the rest of the path.

A cheapest path through given points consists of cheapest parts: where a new path meets the old one
again, what lies beyond is the old path. So a window around the anchors that changed is solved with
its ends fixed on the old path, and widened until the new path meets the old one inside it on both
sides, or reaches the neighbouring anchors or the path's own ends, which stay. O(window squared)
where it is small, O(window) where it is large, whatever the length of the recordings; confidence is
that of before, for ``measured`` to find.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.anchored import solve_between
from carl_core.alignment.playmap import check_anchors, playing_map
from carl_core.alignment.warping_path import Ends, Path, step_weights
from carl_core.similarity.matrix import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.alignment.alignment import Alignment, Anchor
    from carl_core.alignment.looks import Pair, Stretch
    from carl_core.alignment.options import AlignOptions
    from carl_core.arrays import Float64, Int64
    from carl_core.progress import Monitor

WARPED = ("dtw", "open-end", "subsequence")
"""Methods whose path this can change: a path without gaps, searched in the pictures."""

_FIRST = 64
"""Samples to either side of the changed anchors in the first window."""

_MOST = 16_384
"""Longest side of a window; beyond, the whole is solved."""

_EXACT_CELLS = 2048 * 2048
"""Pairs of a window up to which it is solved exactly, in some 20 ms; above, coarse to fine."""

_SMOOTHING = 64
"""Samples beyond the window at which the smoothing of the playing map no longer feels it."""

_Pin = tuple[int, int]


@one_blas_thread()
def resolve(
    previous: Alignment,
    pair: Pair,
    other_s: Float64,
    anchors: Sequence[Anchor],
    options: AlignOptions,
    *,
    monitor: Monitor | None = None,
) -> Alignment | None:
    """Return ``previous`` with other anchors, solved anew around those that changed.

    None where that is not possible, or not cheaper: another kind of alignment, an anchor beyond the
    path's ends, a window that grows too large. Then solve the whole.

    Parameters
    ----------
    pair : the samples both were solved with
    other_s : float64 (M,), times of the other's samples

    Raises
    ------
    AlignmentError
        When the anchors contradict each other.
    Cancelled
        When the monitor says so.
    """
    n, m = pair.shape
    reference_s = previous.reference_s
    if previous.method not in WARPED or len(reference_s) != n or len(other_s) != m:
        return None
    checked = check_anchors(anchors, _end_s(reference_s), _end_s(other_s), options)
    pins = _samples(checked, reference_s, other_s)
    before = _samples(previous.anchors, reference_s, other_s)
    # By their times: a pin may move by frames within one sample, and the map must follow.
    moved = set(checked) ^ set(previous.anchors)
    changed = sorted(set(_samples(sorted(moved, key=_place), reference_s, other_s)))
    kept = [pin for pin in pins if pin in before and pin not in changed]
    if not changed:
        return None
    old = (previous.raw_reference, previous.raw_other)
    best, usual = pair.typical
    price = options.straight_price * max(usual - best, 0.0)
    half = _FIRST
    while True:
        window = _window(old, changed, kept, half)
        if window is None or max(window[1] - window[0], window[3] - window[2]) > _MOST:
            return None
        r0, r1, c0, c1, is_first, is_last = window
        inside = [(i - r0, j - c0) for i, j in pins if r0 <= i <= r1 and c0 <= j <= c1]
        if all(r0 <= i <= r1 and c0 <= j <= c1 for i, j in changed if (i, j) in pins):
            part = solve_between(
                pair.stretch(r0, r1 + 1, c0, c1 + 1).costs,
                [(0, 0), *inside, (r1 - r0, c1 - c0)],
                pattern=options.step_pattern,
                ends=Ends(),
                straight=price,
                monitor=monitor,
                exact_cells=_EXACT_CELLS,
            )
            new = (part.reference + r0, part.other + c0)
            if _meets(old, new, changed, is_first=is_first, is_last=is_last):
                break
        if is_first and is_last:
            return None  # an anchor beyond the ends of the path
        half *= 2
    reference, other = _joined(old, new)
    near = _near(pair, (reference, other), (r0, r1))
    changed_s = _changed_map(
        previous, (reference, other), near, (r0, r1), other_s, checked, options
    )
    known = np.isfinite(changed_s)
    return replace(
        previous,
        cost=_changed_cost(previous, (reference, other), near, (r0, r1), options),
        other_s=changed_s,
        confidence=np.where(known, previous.confidence, 0.0),
        anchors=checked,
        raw_reference=reference,
        raw_other=other,
        is_stable=previous.is_stable and part.is_stable,
    )


def _place(anchor: Anchor) -> tuple[float, float]:
    return anchor.reference_s, anchor.other_s


def _samples(anchors: Sequence[Anchor], reference_s: Float64, other_s: Float64) -> list[_Pin]:
    found: list[_Pin] = []
    for anchor in anchors:
        i = _nearest(reference_s, anchor.reference_s)
        j = _nearest(other_s, anchor.other_s)
        if (i, j) not in found:
            found.append((i, j))
    return found


def _nearest(times_s: Float64, at_s: float) -> int:
    after = int(np.clip(np.searchsorted(times_s, at_s), 1, len(times_s) - 1))
    return after - 1 if at_s - times_s[after - 1] <= times_s[after] - at_s else after


def _window(
    old: tuple[Int64, Int64], changed: list[_Pin], kept: list[_Pin], half: int
) -> tuple[int, int, int, int, bool, bool] | None:
    """Cells (first row, last row, first column, last column) of the old path around the change.

    Also whether the window begins and ends at an anchor or an end of the path that stays, where it
    need not meet the old path before. None where an anchor that stays is not on the path.
    """
    reference, other = old
    first, last = changed[0], changed[-1]
    begin = int(np.searchsorted(reference, first[0] - half))
    begin = min(begin, int(np.searchsorted(other, min(p[1] for p in changed) - half)))
    end = int(np.searchsorted(reference, last[0] + half, side="right")) - 1
    end = max(end, int(np.searchsorted(other, max(p[1] for p in changed) + half, side="right")) - 1)
    is_first = is_last = False
    for i, j in kept:
        at = np.flatnonzero((reference == i) & (other == j))
        if len(at) == 0:
            return None
        if i <= first[0] and int(at[0]) >= begin:
            begin, is_first = int(at[0]), True
        if i >= last[0] and int(at[-1]) <= end:
            end, is_last = int(at[-1]), True
    if begin <= 0:
        begin, is_first = 0, True
    if end >= len(reference) - 1:
        end, is_last = len(reference) - 1, True
    return (
        int(reference[begin]),
        int(reference[end]),
        int(other[begin]),
        int(other[end]),
        is_first,
        is_last,
    )


def _meets(
    old: tuple[Int64, Int64],
    new: tuple[Int64, Int64],
    changed: list[_Pin],
    *,
    is_first: bool,
    is_last: bool,
) -> bool:
    """Whether the paths share a cell before and after the change, the window's ends aside."""
    size = int(max(old[1][-1], new[1][-1])) + 1
    begin = int(np.searchsorted(old[0], new[0][0]))
    end = int(np.searchsorted(old[0], new[0][-1], side="right"))
    within = old[0][begin:end] * size + old[1][begin:end]
    inner = new[0][1:-1] * size + new[1][1:-1]
    shared = np.intersect1d(within, inner, assume_unique=True) // size
    before = is_first or bool((shared < changed[0][0]).any())
    after = is_last or bool((shared > changed[-1][0]).any())
    return before and after


def _joined(old: tuple[Int64, Int64], new: tuple[Int64, Int64]) -> tuple[Int64, Int64]:
    """Return the old path, and the new one from its first cell to its last."""
    begin = int(np.flatnonzero((old[0] == new[0][0]) & (old[1] == new[1][0]))[0])
    end = int(np.flatnonzero((old[0] == new[0][-1]) & (old[1] == new[1][-1]))[-1])
    return (
        np.concatenate([old[0][:begin], new[0], old[0][end + 1 :]]),
        np.concatenate([old[1][:begin], new[1], old[1][end + 1 :]]),
    )


def _near(pair: Pair, path: tuple[Int64, Int64], rows: tuple[int, int]) -> Stretch:
    """Costs along a path where it changed and as far as smoothing carries that."""
    low, high = _reach(path, rows)
    begin = int(np.searchsorted(path[0], low))
    end = int(np.searchsorted(path[0], high, side="right")) - 1
    # Between samples the map also asks for the columns beside the path.
    return pair.stretch(low, high + 1, max(int(path[1][begin]) - 1, 0), int(path[1][end]) + 2)


def _reach(path: tuple[Int64, Int64], rows: tuple[int, int]) -> tuple[int, int]:
    return (
        max(int(path[0][0]), rows[0] - 3 * _SMOOTHING),
        min(int(path[0][-1]), rows[1] + 3 * _SMOOTHING),
    )


def _changed_cost(
    previous: Alignment,
    path: tuple[Int64, Int64],
    near: Stretch,
    rows: tuple[int, int],
    options: AlignOptions,
) -> float:
    """Weighted mean cost of a path, from that of before: only what changed is looked at."""
    sums, sizes = [], []
    for reference, other in ((previous.raw_reference, previous.raw_other), path):
        weights = step_weights(reference, other, options.step_pattern)
        at = slice(*np.searchsorted(reference, [rows[0], rows[1] + 1]).tolist())
        sums.append(float(np.dot(weights[at], near.at(reference[at], other[at]))))
        sizes.append(float(weights.sum()))
    return (previous.cost * sizes[0] - sums[0] + sums[1]) / sizes[1]


def _changed_map(
    previous: Alignment,
    path: tuple[Int64, Int64],
    costs: Stretch,
    rows: tuple[int, int],
    other_s: Float64,
    anchors: tuple[Anchor, ...],
    options: AlignOptions,
) -> Float64:
    """Make the playing map anew where the path changed and as far as smoothing carries that."""
    reference_s = previous.reference_s
    low, high = _reach(path, rows)
    near = slice(*np.searchsorted(path[0], [low, high + 1]).tolist())
    part = Path(
        path[0][near],
        path[1][near],
        costs.at(path[0][near], path[1][near]),
        step_weights(*path, options.step_pattern)[near],
        0.0,
    )
    made = playing_map(reference_s, other_s, part, costs, anchors=anchors, options=options)
    found = previous.other_s.copy()
    inner = slice(max(low, rows[0] - _SMOOTHING), min(high, rows[1] + _SMOOTHING) + 1)
    found[inner] = made[inner]
    known = np.isfinite(found)
    found[known] = np.maximum.accumulate(found[known])
    return found


def _end_s(times_s: Float64) -> float:
    return float(times_s[-1] + np.median(np.diff(times_s)))
