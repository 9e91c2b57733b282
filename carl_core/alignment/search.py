"""Search how two recordings belong together: at which pace, and which parts of them.

A recording may show less than the other, more, or the same more slowly; from the numbers of samples
alone that cannot be told. So several paces are tried. At each, the finer recording is averaged so
that the diagonal means that pace, and a path with open ends is found on costs that know the
structure of both recordings (``looks``). The best by ``Found.score`` is taken. Where one recording
repeats an action more often than the other, the first repetitions that fit are taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.dtw import solve
from carl_core.alignment.looks import Pair, fused_costs
from carl_core.alignment.repetitions import period_of
from carl_core.alignment.warping_path import Ends, Path, step_weights

if TYPE_CHECKING:
    from carl_core.alignment.costs import Costs
    from carl_core.alignment.options import AlignOptions
    from carl_core.arrays import Float64, Int64
    from carl_core.progress import Monitor

# Pace of the reference's samples against the other's, as multiples of the pace at which both would
# last equally long: up to eight repetitions against one, in octaves (between two of them the path
# bends; half octaves changed nothing on development recordings).
PACES = (1.0, 0.5, 2.0, 0.25, 4.0, 0.125, 8.0)
# The choice is made at this resolution at most: 7 paces take some 20 ms.
COARSE = 128
# Null recordings are searched at this one, in one round: 60 of them must not take long.
NULL_LONGEST, NULL_ROUNDS = 64, 1
_FEWEST = 8  # samples of either recording at a pace other than 1
_ROUNDS = 2
_PAIRS = 100  # moments along a path whose distances are compared
# Weights of the mean cost and of the share without counterpart beside the difference in structure.
# From 0 to 1 and from 0.3 to 1 they changed little on development recordings.
_COST_WEIGHT = 0.3
_SHARE_WEIGHT = 0.3
# What another pace must gain per octave. On development recordings chance gains less.
_DOUBT = 0.1
_DOUBT_LOOSE = 0.2
# Prices (straight, skip) where much may be left out: whole repetitions, or what a user says.
LOOSE = (0.6, 1.0)
# Earlier repetitions are taken when their score is at most this many times the best one's.
_NEARLY = 1.25
_SLACK = 0.25  # of a period that their ends may lie off
_PAD = 2  # coarse samples around a coarse path that is refined


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A path at one pace.

    Attributes
    ----------
    pace : see ``PACES``
    open_ends : whether samples might be left out at the ends
    size : numbers of samples at which it was solved
    path : in these samples
    score : how badly it fits, 0 = perfectly; comparable between paces of one pair and between pairs
    is_loose : whether leaving much out was cheap
    repeats : whether repetitions say that this is the pace
    """

    pace: float
    open_ends: bool
    size: tuple[int, int]
    path: Path
    score: float
    is_loose: bool = False
    repeats: bool = False


def search(
    pair: Pair,
    options: AlignOptions,
    *,
    longest: int = COARSE,
    rounds: int = _ROUNDS,
    monitor: Monitor | None = None,
) -> Found:
    """Return the best path of ``pair``, at no more than ``longest`` samples on either side."""
    if monitor is not None:
        monitor.check()
    coarse = pair.pooled(longest, longest)
    if monitor is not None:
        monitor.check()
    found = [solve_at(coarse, 1.0, options, open_ends=False, rounds=rounds, monitor=monitor)]
    for pace in PACES:
        if pace == 1.0 or min(_sizes(coarse.shape, pace)) >= _FEWEST:
            found.append(solve_at(coarse, pace, options, rounds=rounds, monitor=monitor))
            one = solve_at(coarse, pace, _loose(options), rounds=rounds, monitor=monitor)
            found.append(replace(one, is_loose=True))
    pace_of_repetitions = _pace_of_repetitions(coarse)
    if pace_of_repetitions is not None:
        if min(_sizes(coarse.shape, pace_of_repetitions)) >= _FEWEST:
            one = solve_at(
                coarse, pace_of_repetitions, _loose(options), rounds=rounds, monitor=monitor
            )
            found.append(replace(one, is_loose=True, repeats=True))
    best = min(found, key=_doubted)
    best = replace(best, size=coarse.shape, path=to_samples(best.path, best.size, coarse.costs))
    return _earliest(coarse, best, options, rounds, monitor) if best.repeats else best


def _doubted(one: Found) -> float:
    if one.repeats:
        return one.score
    return one.score + _DOUBT * abs(math.log2(one.pace)) + _DOUBT_LOOSE * one.is_loose


def _loose(options: AlignOptions) -> AlignOptions:
    """Return options by which leaving much out is cheap."""
    straight, skip = LOOSE
    return replace(
        options,
        straight_price=min(options.straight_price, straight),
        skip_price=min(options.skip_price, skip),
    )


def _earliest(
    pair: Pair, best: Found, options: AlignOptions, rounds: int, monitor: Monitor | None
) -> Found:
    """Of the repetitions that fit nearly as well as the best, return the first.

    Where one recording shows more of them than the other, several parts of it are right. Which
    of these fits best by a hair is a matter of chance; the first is what people expect.
    """
    periods = (period_of(pair.reference), period_of(pair.other))
    period = min(p for p in periods if p is not None)
    is_reference = periods[0] == period
    count = pair.shape[0 if is_reference else 1]
    at = best.path.reference if is_reference else best.path.other
    length = period * count
    for back in range(round(at[0] / length), 0, -1):
        stop = min(count, round(at[-1] + 1 - (back - _SLACK) * length))
        part = pair.part(stop=(stop, None) if is_reference else (None, stop))
        if min(part.shape) < _FEWEST:
            continue
        pace = _same_pace(best.pace, pair, part)
        earlier = solve_at(part, pace, _loose(options), rounds=rounds, monitor=monitor)
        if earlier.score <= _NEARLY * best.score:
            path = to_samples(earlier.path, earlier.size, part.costs)
            return replace(best, path=path, score=earlier.score)
    return best


def refined(
    pair: Pair, found: Found, options: AlignOptions, *, monitor: Monitor | None = None
) -> Path:
    """Solve again at full resolution what ``search`` found at a coarser one.

    Parameters
    ----------
    found : its ``open_ends`` may have been taken back
    """
    path = to_samples(found.path, found.size, pair.costs)
    options = _loose(options) if found.is_loose else options
    if not found.open_ends:
        fine = solve_at(
            pair,
            found.pace,
            options,
            open_ends=False,
            guess=(path.reference, path.other),
            monitor=monitor,
        )
        return to_samples(fine.path, fine.size, pair.costs)
    # Only around the part that was found: elsewhere something may fit by chance.
    pads = [-(-_PAD * count // size) for count, size in zip(pair.shape, found.size, strict=True)]
    starts = [
        max(0, int(at[0]) - pad) for at, pad in zip((path.reference, path.other), pads, strict=True)
    ]
    stops = [
        int(at[-1]) + 1 + pad for at, pad in zip((path.reference, path.other), pads, strict=True)
    ]
    part = pair.part(start=(starts[0], starts[1]), stop=(stops[0], stops[1]))
    fine = solve_at(
        part,
        _same_pace(found.pace, pair, part),
        options,
        guess=(path.reference - starts[0], path.other - starts[1]),
        monitor=monitor,
    )
    inside = to_samples(fine.path, fine.size, part.costs)
    return replace(inside, reference=inside.reference + starts[0], other=inside.other + starts[1])


def _same_pace(pace: float, whole: Pair, part: Pair) -> float:
    """Pace of a part, see ``PACES``, at which its samples run as those of the whole did."""
    (n, m), (rows, columns) = whole.shape, part.shape
    return pace * (m / n) * (rows / columns)


def solve_at(
    pair: Pair,
    pace: float,
    options: AlignOptions,
    *,
    open_ends: bool = True,
    guess: tuple[Int64, Int64] | None = None,
    rounds: int = _ROUNDS,
    monitor: Monitor | None = None,
) -> Found:
    """Find the best path at one pace.

    Parameters
    ----------
    guess : a first path in samples of ``pair``; without it, one is found on the plain costs
    rounds : how often the costs are fused along the last path, and solved again
    """
    n, m = _sizes(pair.shape, pace)
    pooled = pair.pooled(n, m)
    if guess is None:
        path = solve_costs(
            pooled.costs, options, pooled.typical, open_ends=open_ends, monitor=monitor
        )
        rows, columns = path.reference, path.other
    else:
        rows, columns = guess[0] * n // pair.shape[0], guess[1] * m // pair.shape[1]
    for _ in range(rounds):
        fused = fused_costs(pooled, rows, columns, monitor)
        path = solve_costs(fused, options, fused.typical(), open_ends=open_ends, monitor=monitor)
        del fused  # of hours it is hundreds of megabytes, and the next round makes another
        if np.array_equal(path.reference, rows) and np.array_equal(path.other, columns):
            break
        rows, columns = path.reference, path.other
    return Found(pace, open_ends, (n, m), path, score_of(pooled, path, options))


def solve_costs(
    costs: Costs,
    options: AlignOptions,
    typical: tuple[float, float],
    *,
    open_ends: bool,
    monitor: Monitor | None = None,
) -> Path:
    """Solve with prices on the scale of these costs."""
    best, usual = typical
    spread = max(usual - best, 0.0)
    skip = best + options.skip_price * spread
    return solve(
        costs,
        pattern=options.step_pattern,
        ends=Ends(skip, skip, skip, skip) if open_ends else Ends(),
        straight=options.straight_price * spread,
        monitor=monitor,
    )


def score_of(pair: Pair, path: Path, options: AlignOptions) -> float:
    """How badly a path fits: difference in structure, mean cost, share without counterpart.

    The structure is compared at moments spread evenly along the path: root mean square of the
    difference of their distances within the reference and within the other. The mean cost includes
    the price of straight steps, in units of a typical pair. Of the shares without counterpart the
    smaller counts: one recording may lie inside the other, but not only parts of both belong
    together without a reason.
    """
    n, m = pair.shape
    best, usual = pair.typical
    at = np.linspace(0, len(path.reference) - 1, min(_PAIRS, len(path.reference)))
    chosen = at.round().astype(np.int64)
    rows, columns = path.reference[chosen], path.other[chosen]
    ours = pair.reference.distances(rows)[rows]
    theirs = pair.other.distances(columns)[columns]
    structure = float(np.sqrt(np.mean((ours - theirs) ** 2)))
    straight = options.straight_price * max(usual - best, 0.0)
    steps = np.diff(path.reference) + np.diff(path.other)
    costs = pair.costs.at(path.reference, path.other)
    charged = float(np.dot(path.weights, costs)) + straight * float(np.sum(steps == 1))
    mean = charged / max(float(path.weights.sum()) * usual, 1e-9)
    left_out = min(1.0 - len(np.unique(path.reference)) / n, 1.0 - len(np.unique(path.other)) / m)
    return structure + _COST_WEIGHT * mean + _SHARE_WEIGHT * left_out


def to_samples(path: Path, size: tuple[int, int], costs: Costs) -> Path:
    """Return the path at ``size`` samples as a path through the samples of ``costs``.

    The curve through the middles of its cells, from edge to edge of the first and the last, rounded
    to whole samples.
    """
    shape = costs.shape
    if size == shape:
        return Path(
            path.reference,
            path.other,
            costs.at(path.reference, path.other),
            path.weights,
            path.total,
            path.is_stable,
        )
    x = _curve(path.reference, size[0], shape[0])
    y = _curve(path.other, size[1], shape[1])
    length = np.concatenate([[0.0], np.cumsum(np.diff(x) + np.diff(y))])
    at = np.linspace(0.0, length[-1], int(4 * length[-1]) + 2)
    rows = np.interp(at, length, x).round().astype(np.int64)
    columns = np.interp(at, length, y).round().astype(np.int64)
    is_new = np.concatenate([[True], (np.diff(rows) > 0) | (np.diff(columns) > 0)])
    rows, columns = rows[is_new], columns[is_new]
    weights = step_weights(rows, columns, "2-1-1")
    return Path(rows, columns, costs.at(rows, columns), weights, path.total, path.is_stable)


def _curve(at: Int64, size: int, count: int) -> Float64:
    """Positions of pooled samples among ``count`` samples; the outer ones to their outer edges."""
    width = count / size
    found = (at + 0.5) * width - 0.5
    found[0] = at[0] * width
    found[-1] = (at[-1] + 1) * width - 1.0
    return np.asarray(np.clip(np.maximum.accumulate(found), 0, count - 1))


def _pace_of_repetitions(pair: Pair) -> float | None:
    """Return the pace at which one repetition of each lasts equally long, where one repeats.

    A recording that does not repeat itself is taken for one repetition.
    """
    ours, theirs = period_of(pair.reference), period_of(pair.other)
    if ours is None and theirs is None:
        return None
    return (theirs or 1.0) / (ours or 1.0)


def _sizes(shape: tuple[int, int], pace: float) -> tuple[int, int]:
    """Numbers of samples at which the diagonal is ``pace`` times the overall pace."""
    n, m = shape
    if n <= m * pace:
        return n, min(m, max(2, round(n / pace)))
    return min(n, max(2, round(m * pace))), m
