"""How much better an alignment is than alignments of what does not belong together.

The null: one recording shifted in a circle, played backwards, cut into blocks and shuffled, and
recordings of something else (a bank of embeddings by the same encoder). Each null is aligned by the
same method as the real thing. Shuffling single frames would be no null: smooth but unrelated
recordings beat it.

As a whole, an alignment is compared with the recordings of something else alone, where there are
any: they tell matching pairs of development recordings from others better than shuffled copies do
(area under the curve 0.94 against 0.79). Around a sample, both count. A search through a bank also
asks how well the path fits by itself, and how alike the two recordings are on the average: two
views of a workbench are, a workbench and a golfer are not. Together 0.98.

Four refinements. As a whole, a null counts as worse only by a margin: a seam in a shuffled copy
costs a little by itself. Where only a part of one recording is used, the other one is shuffled: a
shuffled whole would still hold the part. A shuffled copy that is as good as the original
(repetitions, or stillness) is no null and does not count; this is decided from that recording
alone. And around a sample, a null map that leads to what the real counterpart shows is no null
there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_exact
from carl_core.alignment.looks import Look, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from carl_core.alignment.alignment import Verdict
    from carl_core.alignment.options import AlignOptions
    from carl_core.alignment.warping_path import Path
    from carl_core.arrays import Bool, Float32, Float64, Int64
    from carl_core.progress import Monitor


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A path through the samples of a pair, and how badly it fits as a whole.

    ``score`` None: the mean cost counts.
    """

    path: Path
    score: float | None = None


Solver = Callable[[Pair], Solved]

# Fixed on development recordings: 2 of 44 unrelated pairs reach 0.90 with a bank, 9 reach 0.75.
ALIGNED_FROM = 0.90
UNCERTAIN_FROM = 0.75
# Evidence: share of worse nulls + 0.7 level - 3 score. Matching pairs have -1.3 to 1.3 (median
# -0.1), unrelated ones -2.4 to -0.2 (median -1.5).
_LEVEL_WEIGHT = 0.7
_SCORE_WEIGHT = 3.0
_ALIGNED_EVIDENCE = -0.4865  # is worth ALIGNED_FROM
_PER_EVIDENCE = 0.34
_FEWEST_FOR_LEVEL = 8  # clips of a bank
NEIGHBOURHOOD_S = 0.5
# Null alignments are solved at this resolution at most: 60 of them take about a second.
LONGEST = 600
_BANK_SHARE = 0.6  # of the null maps, where a bank is given
# A null must cost this much more to count as worse as a whole. On development recordings unrelated
# pairs lie at most 0.7 % below the median of their nulls, matching pairs 1.2 to 16 %.
_MARGIN = 0.005
_MARGIN_HERE = 0.02  # the same around one sample, where less is averaged
# Two samples show the same when they differ by less than this share of the usual difference.
_SAME_CONTENT = 0.3
# A shuffled copy whose alignment with its original costs less than this share of the usual
# difference (or than two samples in a row differ, up to the second share) holds the same content in
# the same order.
_SELF_LIKE = (0.15, 0.3)
# The same for a search: copies shifted in a circle score 0.09 to 0.26 against their originals,
# squats played backwards 0.22 to 0.29, other recordings backwards or in blocks mostly 0.31 to 0.5.
_SELF_SCORE = 0.3
_FEWEST_SHARE = 0.25  # of the null maps that must count


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """How far a path can be trusted.

    Attributes
    ----------
    confidence : per reference sample (N,), 0 to 1
    match : of the whole, 0 to 1; ``verdict_of`` reads it
    better_than : share of null alignments that fit worse
    """

    confidence: Float64
    match: float
    better_than: float


def verdict_of(match: float) -> Verdict:
    """Return "aligned" from 0.90, "none" below 0.75, else "uncertain"."""
    if match >= ALIGNED_FROM:
        return "aligned"
    return "uncertain" if match >= UNCERTAIN_FROM else "none"


def measure_trust(
    pair: Pair,
    path: Path,
    reference_s: Float64,
    *,
    solver: Solver,
    straight: float,
    skip: float,
    options: AlignOptions,
    bank: Sequence[Float32] = (),
    longest: int = LONGEST,
    monitor: Monitor | None = None,
) -> Trust:
    """Compare ``path`` with the paths of null recordings solved the same way.

    Parameters
    ----------
    pair : the real pair; masks do not count
    path : the solved path, in the samples of ``pair``
    reference_s : float64 (N,), times of the reference's samples
    solver : solves any pair the way ``path`` was solved
    straight, skip : prices of a straight step and of a sample left without counterpart
    bank : vectors (T, D) of unrelated recordings
    longest : samples of either recording at which nulls are solved at most
    """
    n = pair.shape[0]
    if options.null_maps == 0:
        return Trust(np.zeros(n), 0.0, 0.0)
    coarse = pair.pooled(longest, longest)
    rows = np.arange(n) * coarse.shape[0] // n
    times_s = np.bincount(rows, reference_s) / np.bincount(rows)
    # Like is compared with like: at the same resolution, by the same rounds.
    solved = solver(coarse)
    if coarse is pair and solved.score is None:
        solved = Solved(path)
    path = solved.path
    real = _Profile.of(path, coarse.shape, skip, straight, times_s)
    real_whole = real.whole if solved.score is None else solved.score
    counterparts = _counterparts(path, coarse.shape[0])
    columns = coarse.other.rows
    usual = _usual_distance(columns)
    worse_whole = counted_whole = 0.0
    worse_here, counted_here = np.zeros(len(times_s)), np.zeros(len(times_s))
    shuffle_rows = _uses_more_of_reference(path, coarse.shape)
    belongs = _belongs_by_cost if solved.score is None else _BelongsByScore(solver)
    for null in _nulls(coarse, shuffle_rows, options, bank, belongs):
        if monitor is not None:
            monitor.check()
        null_solved = solver(null.pair)
        null_path = null_solved.path
        profile = _Profile.of(null_path, null.pair.shape, skip, straight, times_s)
        null_whole = profile.whole if null_solved.score is None else null_solved.score
        around, differs = profile.around, np.ones(len(times_s), dtype=np.bool_)
        is_shuffled = null.rows is not None or null.columns is not None
        if not (is_shuffled and bank):
            counted_whole += 1.0
            worse_whole += float(null_whole > (1.0 + _MARGIN) * real_whole)
        if is_shuffled:
            shown = _counterparts(null_path, coarse.shape[0])
            if null.columns is not None:
                shown = np.where(shown >= 0, null.columns[shown], -1)
            if null.rows is not None:  # back to the reference's own order
                back = np.argsort(null.rows)
                shown, around = shown[back], around[back]
            differs = ~_same(columns, counterparts, shown, _SAME_CONTENT * usual)
        worse_here += differs & (around > (1.0 + _MARGIN_HERE) * real.around)
        counted_here += differs
    # With few nulls left there is little evidence: they cannot count for all.
    fewest = _FEWEST_SHARE * options.null_maps
    fewest_whole = fewest * (_BANK_SHARE if bank else 1.0)
    confidence = (worse_here / np.maximum(counted_here, fewest))[rows]
    better_than = worse_whole / max(counted_whole, fewest_whole)
    match = better_than
    if solved.score is not None and len(bank) >= _FEWEST_FOR_LEVEL:
        likeness = _LEVEL_WEIGHT * level(coarse, bank)
        evidence = better_than + likeness - _SCORE_WEIGHT * solved.score
        match = ALIGNED_FROM + _PER_EVIDENCE * (evidence - _ALIGNED_EVIDENCE)
    return Trust(confidence, min(max(match, 0.0), 1.0), better_than)


def level(pair: Pair, bank: Sequence[Float32]) -> float:
    """How alike two recordings are on the average, -1 to 1: cosine of their mean vectors.

    What every recording has in common, the mean of the bank's means, is subtracted first.
    """
    common = np.mean([clip.mean(axis=0, dtype=np.float64) for clip in bank], axis=0)
    ours, theirs = (
        look.vectors.mean(axis=0, dtype=np.float64) - common
        for look in (pair.reference, pair.other)
    )
    size = float(np.linalg.norm(ours) * np.linalg.norm(theirs))
    return float(ours @ theirs) / size if size > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Null:
    """A pair that does not belong together, and how its samples were reordered."""

    pair: Pair
    rows: Int64 | None = None
    columns: Int64 | None = None


def _uses_more_of_reference(path: Path, shape: tuple[int, int]) -> bool:
    ours = (path.reference[-1] - path.reference[0] + 1) / shape[0]
    theirs = (path.other[-1] - path.other[0] + 1) / shape[1]
    return bool(ours > theirs + 0.1)


def _nulls(
    pair: Pair,
    shuffle_rows: bool,
    options: AlignOptions,
    bank: Sequence[Float32],
    belongs: Callable[[Look, Look], bool],
) -> Iterator[_Null]:
    """Null pairs, at most ``options.null_maps`` of them.

    ``belongs`` says whether a shuffled copy still holds what the original holds, in its order.
    """
    rng = np.random.default_rng(options.seed)
    from_bank = round(_BANK_SHARE * options.null_maps) if bank else 0
    own = pair.reference if shuffle_rows else pair.other
    m = len(own)
    for k in range(options.null_maps - from_bank):
        if k % 3 == 0:
            order = _shifted(m, rng)
        elif k % 3 == 1:
            order = _blocks(m, rng)
        else:
            order = (np.arange(m) if k == 2 else _shifted(m, rng))[::-1].copy()
        copy = own.reordered(order)
        if belongs(own, copy):
            continue
        if shuffle_rows:
            yield _Null(Pair(copy, pair.other), rows=order)
        else:
            yield _Null(Pair(pair.reference, copy), columns=order)
    for k in range(from_bank):
        clip = bank[int(rng.integers(len(bank)))] if k >= len(bank) else bank[k]
        other = Look(_stretched(clip, pair.shape[1], rng), options.centre)
        yield _Null(Pair(pair.reference, other))


def _counterparts(path: Path, n: int) -> Int64:
    """Column in the middle of the path's cells of each row, -1 outside the path: int64 (N,)."""
    found = np.full(n, -1, dtype=np.int64)
    rows, starts = np.unique(path.reference, return_index=True)
    ends = np.append(starts[1:], len(path.reference)) - 1
    found[rows] = (path.other[starts] + path.other[ends]) // 2
    return found


def _usual_distance(columns: Float32) -> float:
    """Median distance of two samples of one recording."""
    part = columns[np.linspace(0, len(columns) - 1, min(len(columns), 200)).astype(np.int64)]
    return float(np.median(1.0 - part @ part.T))


def _belongs_by_cost(own: Look, copy: Look) -> bool:
    return solve_exact(Costs(own.rows, copy.rows)).mean_cost <= _self_like(own.rows)


class _BelongsByScore:
    """The same for a search, which would find the original in a shifted copy: by its score."""

    def __init__(self, solver: Solver) -> None:
        self._solver = solver

    def __call__(self, own: Look, copy: Look) -> bool:
        score = self._solver(Pair(own, copy)).score
        return score is not None and score <= _SELF_SCORE


def _self_like(rows: Float32) -> float:
    """Cost below which a shuffled copy of a recording is no null."""
    usual = _usual_distance(rows)
    in_a_row = float(np.mean(1.0 - np.einsum("ij,ij->i", rows[:-1], rows[1:])))
    return min(max(_SELF_LIKE[0] * usual, 1.3 * in_a_row), _SELF_LIKE[1] * usual)


def _same(columns: Float32, one: Int64, two: Int64, limit: float) -> Bool:
    """Whether the samples ``one`` and ``two`` of the other look the same, row by row."""
    products = np.einsum("ij,ij->i", columns[one], columns[two], dtype=np.float64)
    return np.asarray((one >= 0) & (two >= 0) & (1.0 - products <= limit))


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """Mean cost of a path as a whole, and around each reference sample."""

    whole: float
    around: Float64

    @staticmethod
    def of(
        path: Path, shape: tuple[int, int], skip: float, straight: float, times_s: Float64
    ) -> _Profile:
        n, m = shape
        used_rows, used_columns = len(np.unique(path.reference)), len(np.unique(path.other))
        left_out = (n - used_rows) + (m - used_columns)
        steps = np.diff(path.reference) + np.diff(path.other)
        charged = path.weights * path.costs
        charged[1:] += straight * (steps == 1)
        weight = float(path.weights.sum())
        unit = weight / (used_rows + used_columns)  # weight of one sample: 1 in 2-1-1
        whole = (charged.sum() + skip * unit * left_out) / (weight + unit * left_out)
        sums = np.bincount(path.reference, charged, minlength=n)
        weights = np.bincount(path.reference, path.weights, minlength=n)
        sums = np.where(weights > 0, sums, skip)
        weights = np.where(weights > 0, weights, 1.0)
        low = np.searchsorted(times_s, times_s - NEIGHBOURHOOD_S - 1e-9)
        high = np.searchsorted(times_s, times_s + NEIGHBOURHOOD_S + 1e-9)
        total = np.concatenate([[0.0], np.cumsum(sums)])
        count = np.concatenate([[0.0], np.cumsum(weights)])
        return _Profile(whole, (total[high] - total[low]) / (count[high] - count[low]))


def _shifted(m: int, rng: np.random.Generator) -> Int64:
    """Shift in a circle by a tenth to nine tenths."""
    return np.roll(np.arange(m), int(rng.integers(max(1, m // 10), max(2, m - m // 10))))


def _blocks(m: int, rng: np.random.Generator) -> Int64:
    """Four to eight blocks in another order (never the given one)."""
    count = min(int(rng.integers(4, 9)), m)
    edges = np.linspace(0, m, count + 1).astype(np.int64)
    order = rng.permutation(count)
    if count > 1 and np.all(order == np.arange(count)):
        order = np.roll(order, 1)
    return np.concatenate([np.arange(edges[b], edges[b + 1]) for b in order])


def _stretched(clip: Float32, m: int, rng: np.random.Generator) -> Float32:
    """Play a piece of ``clip`` over m samples, to and fro where it is too short."""
    length = min(len(clip), max(2, round(m * float(np.exp(rng.uniform(-0.5, 0.5))))))
    start = int(rng.integers(0, len(clip) - length + 1))
    turns = max(1, -(-m // (2 * length)))  # never slower than half speed
    position = np.linspace(0, turns * (length - 1), m)
    position = np.abs((position + length - 1) % (2 * max(1, length - 1)) - (length - 1))
    before = np.minimum(position.astype(np.int64), length - 1)
    after = np.minimum(before + 1, length - 1)
    share = (position - before)[:, None].astype(np.float32)
    piece = clip[start : start + length]
    return np.asarray(piece[before] * (1 - share) + piece[after] * share, dtype=np.float32)
