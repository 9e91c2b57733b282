"""How much better an alignment is than alignments of what does not belong together.

The null: the other recording shifted in a circle, played backwards, cut into blocks and shuffled,
and recordings of something else (a bank of embeddings by the same encoder). Each null is aligned by
the same method as the real thing. Shuffling single frames would be no null: smooth but unrelated
recordings beat it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import Path
from carl_core.similarity.matrix import unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from carl_core.alignment.alignment import Verdict
    from carl_core.alignment.options import AlignOptions
    from carl_core.arrays import Float32, Float64, Int64
    from carl_core.progress import Monitor

Solver = Callable[[Costs], Path]

# Fixed on development recordings (DESIGN.md §6).
ALIGNED_FROM = 0.95
UNCERTAIN_FROM = 0.80
NEIGHBOURHOOD_S = 0.5
# Null alignments are solved at this resolution at most: 60 of them take about a second.
_LONGEST = 600
_BANK_SHARE = 0.4  # of the null maps, where a bank is given


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """Confidence per reference sample (N,) and the match of the whole, 0 to 1."""

    confidence: Float64
    match: float


def verdict_of(match: float) -> Verdict:
    """Return "aligned" from 0.95, "none" below 0.80, else "uncertain"."""
    if match >= ALIGNED_FROM:
        return "aligned"
    return "uncertain" if match >= UNCERTAIN_FROM else "none"


def measure_trust(
    costs: Costs,
    path: Path,
    reference_s: Float64,
    *,
    solver: Solver,
    straight: float,
    skip: float,
    options: AlignOptions,
    bank: Sequence[Float32] = (),
    monitor: Monitor | None = None,
) -> Trust:
    """Compare ``path`` with the paths of null recordings solved the same way.

    Parameters
    ----------
    costs : of the real pair, without masks
    path : the solved path, in the samples of ``costs``
    reference_s : float64 (N,), times of the reference's samples
    solver : solves any costs the way ``path`` was solved
    straight, skip : prices of a straight step and of a sample left without counterpart
    bank : vectors (T, D) of unrelated recordings
    """
    n = costs.shape[0]
    if options.null_maps == 0:
        return Trust(np.zeros(n), 0.0)
    row_factor = column_factor = 1
    while max(costs.shape) > _LONGEST:
        rows, columns = costs.shape[0] > _LONGEST, costs.shape[1] > _LONGEST
        costs = costs.halved(rows=rows, columns=columns)
        row_factor *= 1 + rows
        column_factor *= 1 + columns
    times_s = _pooled_times(reference_s, row_factor, costs.shape[0])

    if row_factor * column_factor > 1:  # like is compared with like: the same resolution
        path = solver(costs)
    real = _Profile.of(path, costs.shape, skip, straight, times_s)
    worse_whole = 0.0
    worse_here = np.zeros(len(times_s))
    nulls = list(_nulls(costs, options, bank))
    for null in nulls:
        if monitor is not None:
            monitor.check()
        null_path = solver(null)
        profile = _Profile.of(null_path, null.shape, skip, straight, times_s)
        worse_whole += float(profile.whole > real.whole)
        worse_here += profile.around > real.around
    confidence = np.repeat(worse_here / len(nulls), row_factor)[:n]
    return Trust(confidence, worse_whole / len(nulls))


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
        used_rows = int(path.reference[-1] - path.reference[0]) + 1
        used_columns = int(path.other[-1] - path.other[0]) + 1
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


def _pooled_times(times_s: Float64, factor: int, count: int) -> Float64:
    """Middle times of pools of ``factor`` samples."""
    starts = np.minimum(np.arange(count) * factor, len(times_s) - 1)
    ends = np.minimum(starts + factor - 1, len(times_s) - 1)
    return np.asarray(0.5 * (times_s[starts] + times_s[ends]))


def _nulls(costs: Costs, options: AlignOptions, bank: Sequence[Float32]) -> Iterator[Costs]:
    """Costs of the reference against null recordings, ``options.null_maps`` of them."""
    rng = np.random.default_rng(options.seed)
    m = costs.shape[1]
    from_bank = round(_BANK_SHARE * options.null_maps) if bank else 0
    own = options.null_maps - from_bank
    makers: list[Callable[[], Int64]] = [
        lambda: _shifted(m, rng),
        lambda: _blocks(m, rng),
        lambda: _shifted(m, rng)[::-1],
    ]
    for k in range(own):
        order = np.arange(m)[::-1] if k == 2 else makers[k % 3]()
        yield Costs(costs.rows, np.ascontiguousarray(costs.columns[order]))
    for k in range(from_bank):
        clip = bank[int(rng.integers(len(bank)))] if k >= len(bank) else bank[k]
        columns = unit_rows(_stretched(clip, m, rng), centre=options.centre)
        yield Costs(costs.rows, columns)


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
