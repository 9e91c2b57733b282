"""Cosine distances between two recordings, computed block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment import kernels
from carl_core.arrays import Float32, Float64, Int64, read_only
from carl_core.progress import row_blocks
from carl_core.similarity.matrix import similarity

if TYPE_CHECKING:
    from carl_core.progress import Monitor

# Half-open index rectangle: rows [r0, r1) times columns [c0, c1).
Rectangle = tuple[int, int, int, int]

TYPICAL = 512
"""Samples of either recording by which ``Costs.typical`` judges, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """The matrix of cosine distances 0 to 2, never held whole.

    Attributes
    ----------
    rows : float32 (N, D), samples of the reference, unit or zero rows
    columns : float32 (M, D), samples of the other
    forbidden : rectangles of pairs that must not be matched (cost infinity)
    are_units : whether rows and columns have unit norm (or are zero); else only 1 - their product
        has a meaning, and neighbours are averaged as they are
    """

    rows: Float32
    columns: Float32
    forbidden: tuple[Rectangle, ...] = ()
    are_units: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", read_only(np.asarray(self.rows, np.float32)))
        object.__setattr__(self, "columns", read_only(np.asarray(self.columns, np.float32)))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples of the reference and of the other."""
        return (len(self.rows), len(self.columns))

    def block(self, r0: int, r1: int, c0: int, c1: int) -> Float32:
        """Costs of rows [r0, r1) and columns [c0, c1): float32 (r1 - r0, c1 - c0)."""
        costs = self.similarities(r0, r1, c0, c1)
        np.subtract(np.float32(1.0), costs, out=costs)
        np.maximum(costs, np.float32(0.0), out=costs)  # rounding: never below zero
        return costs

    def similarities(self, r0: int, r1: int, c0: int, c1: int) -> Float32:
        """1 - the costs of a block, up to rounding; minus infinity where it is forbidden."""
        found = similarity(self.rows[r0:r1], self.columns[c0:c1])
        for a0, a1, b0, b1 in self.forbidden:
            found[max(a0 - r0, 0) : max(a1 - r0, 0), max(b0 - c0, 0) : max(b1 - c0, 0)] = -np.inf
        return found

    def at(self, rows: Int64, columns: Int64) -> Float64:
        """Costs of single pairs: int64 (P,) and (P,) to float64 (P,)."""
        found = np.empty(len(rows), dtype=np.float64)
        kernels.costs_at(self.rows, self.columns, rows, columns, found)
        for a0, a1, b0, b1 in self.forbidden:
            found[(rows >= a0) & (rows < a1) & (columns >= b0) & (columns < b1)] = np.inf
        return found

    def part(self, r0: int, r1: int, c0: int, c1: int) -> Costs:
        """Return the same costs on a part of both recordings."""
        moved = tuple((a0 - r0, a1 - r0, b0 - c0, b1 - c0) for a0, a1, b0, b1 in self.forbidden)
        n, m = r1 - r0, c1 - c0
        kept = tuple(f for f in moved if f[1] > 0 and f[3] > 0 and f[0] < n and f[2] < m)
        return Costs(self.rows[r0:r1], self.columns[c0:c1], kept, self.are_units)

    def typical(self) -> tuple[float, float]:
        """Return the typical cost of a best match and of any pair, by ``TYPICAL`` samples of each.

        Masks do not count.
        """
        rows, columns = (evenly(count, TYPICAL) for count in self.shape)
        part = Costs(self.rows[rows], self.columns[columns], are_units=self.are_units)
        block = part.block(0, len(rows), 0, len(columns))
        best = max(np.median(block.min(axis=0)), np.median(block.min(axis=1)))
        return float(best), float(np.median(block))

    def halved(
        self, *, rows: bool = True, columns: bool = True, monitor: Monitor | None = None
    ) -> Costs:
        """Return costs at half the resolution: neighbours are averaged (units: to unit norm again).

        A coarse pair is forbidden only if all its fine pairs are, so nothing possible is lost.
        """
        fr, fc = 1 + rows, 1 + columns
        n, m = self.shape
        forbidden = []
        for a0, a1, b0, b1 in self.forbidden:
            # A rectangle that reaches the recording's end covers the last, shorter pool as well.
            r1 = -(-n // fr) if a1 >= n else a1 // fr
            c1 = -(-m // fc) if b1 >= m else b1 // fc
            r0, c0 = max(-(-a0 // fr), 0), max(-(-b0 // fc), 0)
            if r0 < r1 and c0 < c1:
                forbidden.append((r0, r1, c0, c1))
        rows_pooled = _pool(self.rows, fr, monitor, are_units=self.are_units)
        columns_pooled = _pool(self.columns, fc, monitor, are_units=self.are_units)
        return Costs(rows_pooled, columns_pooled, tuple(forbidden), self.are_units)


def evenly(count: int, most: int) -> Int64:
    """Return at most ``most`` of ``count`` samples, spread evenly: int64 (n,)."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _pool(vectors: Float32, factor: int, monitor: Monitor | None, *, are_units: bool) -> Float32:
    if factor == 1:
        return vectors
    vectors = np.ascontiguousarray(vectors)
    pooled = np.empty((-(-len(vectors) // 2), vectors.shape[1]), dtype=np.float32)
    for block in row_blocks(len(pooled), monitor):
        kernels.halve(vectors[2 * block.start : 2 * block.stop], are_units, pooled[block])
    return pooled
