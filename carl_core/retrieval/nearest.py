"""The rows of a segment that are nearest to a query, exactly, though most of them are not read.

In three steps: the means of the stretches say what the best rows score at least, and which
stretches may hold such rows (first with the means' 8 bits, then with 8 more); the codes of the rows
of these say which of them may be among the best; the vectors of those decide. Where neighbouring
rows are too unlike for that, the codes of all rows are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from carl_core.retrieval.mapping import threads

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Int64
    from carl_core.retrieval.segment import Segment

_SPARSE = 3  # where more than one row in so many may be among the best, all are read
_TOGETHER = 1 << 11  # stretches that one thread scans at a time
_BLOCK = 512  # rows whose best score is bounded together where all are read
_ROUNDING = np.float32(1e-5)  # of products in float32, as in ``kernels``


def nearest_rows(
    segment: Segment, query: Float32, k: int, excluded: tuple[int, int]
) -> tuple[Int64, Float32]:
    """Find the ``k`` rows with the greatest score: rows and scores, best first.

    Parameters
    ----------
    query : float32 (D,), of unit norm
    excluded : rows from, to that do not count
    """
    least, chosen, highs = _promising(segment, query, k, excluded)
    starts = segment.stretches.starts
    if (starts[chosen + 1] - starts[chosen]).sum() > len(segment) // _SPARSE:
        rows = _all_above(segment, query, k, excluded, least)
    else:
        rows = _among(segment, query, chosen, highs, least)
    return segment.ranked(query, _without(rows, excluded), k)


def _promising(
    segment: Segment, query: Float32, k: int, excluded: tuple[int, int]
) -> tuple[np.float32, Int64, Float32]:
    """Return what the ``k`` best rows score at least, and the stretches that may hold such rows.

    The third is what the best row of each of those scores at most.
    """
    stretches = segment.stretches
    starts = stretches.starts
    scores = stretches.scores(query)
    radii = stretches.array("radii.f32")
    highs, lows = scores + radii, scores - radii
    lows[(starts[:-1] < excluded[1]) & (starts[1:] > excluded[0])] = -np.inf
    if k >= len(lows):
        everything = np.arange(len(lows))
        return np.float32(-np.inf), everything, highs
    # Each stretch has a row that scores at least its low; the k-th of their own rows scores more.
    best = np.argpartition(lows, -k)[-k:]
    rows = np.concatenate([np.arange(starts[at], starts[at + 1]) for at in np.sort(best).tolist()])
    _, found = segment.ranked(query, _without(rows, excluded), k)
    least = lows[best].min()
    if len(found) == k:
        least = max(least, found[-1] - _ROUNDING)
    chosen = np.flatnonzero(highs >= least)
    if len(chosen) > len(highs) // 2:  # neighbours are unlike: finer means would not help
        return least, chosen, highs[chosen]
    highs = (
        scores[chosen] + stretches.finer(query, chosen) + stretches.array("fine_radii.f32")[chosen]
    )
    kept = highs >= least
    return least, chosen[kept], highs[kept]


def _among(
    segment: Segment, query: Float32, chosen: Int64, highs: Float32, least: np.float32
) -> Int64:
    """Return the rows of the chosen stretches that may score ``least``."""
    # heavy: numba
    from carl_core.retrieval.kernels import scan_stretches

    starts, errors = segment.stretches.starts, segment.array("errors.f32")
    codes, scales = segment.array("codes.i8"), segment.array("scales.f32")

    def some(first: int) -> Int64:
        mine = chosen[first : first + _TOGETHER]
        sizes = starts[mine + 1] - starts[mine]
        places = np.cumsum(sizes) - sizes
        rows: Int64 = np.repeat(starts[mine] - places, sizes) + np.arange(sizes.sum())
        scores = np.empty(len(rows), dtype=np.float32)
        scan_stretches(codes, scales, query, starts, mine, places, scores)
        at_most = np.minimum(scores + errors[rows], np.repeat(highs[first:][: len(mine)], sizes))
        found: Int64 = rows[at_most >= least]
        return found

    return np.concatenate(list(threads().map(some, range(0, max(len(chosen), 1), _TOGETHER))))


def _all_above(
    segment: Segment, query: Float32, k: int, excluded: tuple[int, int], least: np.float32
) -> Int64:
    """Return the rows that may be among the ``k`` best, reading the codes of all."""
    # heavy: numba
    from carl_core.retrieval.kernels import bounds

    count, chunk = len(segment), _BLOCK << 6
    scores = np.empty(count, dtype=np.float32)
    lows, highs = (np.empty(-(-count // _BLOCK), np.float32) for _ in range(2))
    errors = segment.array("errors.f32")

    def some(first: int) -> None:
        last = min(first + chunk, count)
        segment.scan(first, last, query, scores)
        scores[max(first, excluded[0]) : max(first, min(last, excluded[1]))] = -np.inf
        starts = np.append(np.arange(first, last, _BLOCK), last) - first
        at = slice(first // _BLOCK, first // _BLOCK + len(starts) - 1)
        bounds(scores[first:last], errors[first:last], starts, lows[at], highs[at])

    list(threads().map(some, range(0, count, chunk)))
    # The k-th best of the blocks' best is not above the k-th best of all.
    if k < len(lows):
        least = max(least, np.partition(lows, -k)[-k])
    return np.concatenate(
        [
            np.flatnonzero(scores[a : a + _BLOCK] + errors[a : a + _BLOCK] >= least) + a
            for a in (np.flatnonzero(highs >= least) * _BLOCK).tolist()
        ]
    )


def _without(rows: Int64, excluded: tuple[int, int]) -> Int64:
    return rows[(rows < excluded[0]) | (rows >= excluded[1])]
