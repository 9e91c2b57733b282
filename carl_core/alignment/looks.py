"""What one recording looks like to the aligner: unit rows for costs, distances within itself.

Two cameras, or two people, put the same moment at different places of the embedding space. What
differs little is how far the moments of one recording are from one another: its matrix of
self-distances (Junejo et al., "View-independent action recognition from temporal
self-similarities", PAMI 2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.costs import TYPICAL, Costs, evenly
from carl_core.progress import Monitor, row_blocks
from carl_core.similarity.matrix import centre_of, directions, one_blas_thread

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Float64, Int64
    from carl_core.similarity.matrix import Centre

_POOLED = 4096  # samples whose running sums are held at a time


@dataclass(eq=False)
class Look:
    """The samples of one recording at one resolution.

    Attributes
    ----------
    vectors : float32 (N, D), as the encoder gave them (or means of neighbours)
    centre : whether costs are taken after subtracting the recording's mean
    monitor : asked every some thousand samples whether to stop
    """

    vectors: Float32
    centre: bool
    monitor: Monitor | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def rows(self) -> Float32:
        """float32 (N, D), unit rows, centred where asked."""
        return directions(self.vectors, self.middle, self.monitor)

    @cached_property
    def middle(self) -> Centre:
        """What ``rows`` are measured from."""
        return centre_of(self.vectors, centre=self.centre, monitor=self.monitor)

    def rows_at(self, at: slice | Int64) -> Float32:
        """Return some of ``rows``; where these were not asked for, no more are made than that."""
        made = self.__dict__.get("rows")
        return directions(self.vectors[at], self.middle) if made is None else made[at]

    @cached_property
    def _scale(self) -> tuple[Float64, float]:
        """Mean (D,), and what samples are divided by to be 1 apart (root mean square)."""
        count, dim = self.vectors.shape
        total, square = np.zeros(dim), 0.0
        for block in row_blocks(count, self.monitor):
            total += self.vectors[block].sum(axis=0, dtype=np.float64)
        mean = total / count
        for block in row_blocks(count, self.monitor):
            square += float(np.sum((self.vectors[block] - mean) ** 2))
        return mean, max(float(np.sqrt(2.0 * square / count)), 1e-12)

    def _scaled(self, at: slice | Int64) -> Float32:
        """Return samples centred and scaled, float32 (n, D); they are not kept."""
        mean, size = self._scale
        return np.asarray((self.vectors[at] - mean) / size, dtype=np.float32)

    def distances(self, to: Int64) -> Float32:
        """Distances of every sample to the samples ``to``: int64 (K,) to float32 (N, K).

        Scaled so that two samples are 1 apart (root mean square).
        """
        chosen = self._scaled(to)
        theirs = np.einsum("ij,ij->i", chosen, chosen)
        found = np.empty((len(self.vectors), len(to)), dtype=np.float32)
        for block in row_blocks(len(self.vectors), self.monitor):
            part = self._scaled(block)
            with one_blas_thread():
                products = part @ chosen.T
            ours = np.einsum("ij,ij->i", part, part)
            squares = ours[:, None] + theirs[None] - 2.0 * products
            found[block] = np.sqrt(np.maximum(squares, 0.0))
        return found

    def pooled(self, count: int) -> Look:
        """Return the mean of ``count`` equal stretches (of fractions of samples); itself if >= N.

        O(N D); nothing is lost that ``count`` samples could show.
        """
        n, dim = self.vectors.shape
        if count >= n:
            return self
        edges = np.linspace(0.0, n, count + 1)
        means = np.empty((count, dim), dtype=np.float32)
        step = max(1, _POOLED * count // n)
        for first in range(0, count, step):
            if self.monitor is not None:
                self.monitor.check()
            at = edges[first : first + step + 1]
            begin = int(at[0])
            before = np.minimum(at.astype(np.int64), n - 1)
            covered = self.vectors[begin : int(before[-1]) + 1]
            sums = np.zeros((len(covered) + 1, dim))  # of the samples before each, from the first
            np.cumsum(covered, axis=0, dtype=np.float64, out=sums[1:])
            share = (at - before)[:, None]
            before -= begin
            at_edges = sums[before] * (1.0 - share) + sums[before + 1] * share
            means[first : first + step] = np.diff(at_edges, axis=0) / np.diff(at)[:, None]
        return Look(means, self.centre, self.monitor)

    def reordered(self, order: Int64) -> Look:
        """Return the samples in another order (or some of them)."""
        return Look(np.ascontiguousarray(self.vectors[order]), self.centre, self.monitor)


@dataclass(eq=False)
class Pair:
    """Two recordings at one resolution: ``reference`` rows, ``other`` columns."""

    reference: Look
    other: Look

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples of both."""
        return (len(self.reference), len(self.other))

    @cached_property
    def costs(self) -> Costs:
        """Cosine distances, without masks."""
        return Costs(self.reference.rows, self.other.rows)

    @cached_property
    def typical(self) -> tuple[float, float]:
        """Typical cost of a best match and of any pair."""
        rows, columns = (
            look.rows_at(evenly(len(look), TYPICAL)) for look in (self.reference, self.other)
        )
        return Costs(rows, columns).typical()

    def stretch(self, r0: int, r1: int, c0: int, c1: int) -> Stretch:
        """Costs of reference samples [r0, r1) and others [c0, c1), without making all rows."""
        rows = self.reference.rows_at(slice(r0, r1))
        return Stretch(Costs(rows, self.other.rows_at(slice(c0, c1))), r0, c0)

    def part(
        self,
        *,
        start: tuple[int, int] = (0, 0),
        stop: tuple[int | None, int | None] = (None, None),
    ) -> Pair:
        """Return a stretch of either recording, samples ``start`` to before ``stop``."""
        return Pair(
            *(
                Look(look.vectors[first:last], look.centre, look.monitor)
                for look, first, last in zip((self.reference, self.other), start, stop, strict=True)
            )
        )

    def pooled(self, n: int, m: int) -> Pair:
        """Return both at no more than ``n`` and ``m`` samples."""
        if n >= len(self.reference) and m >= len(self.other):
            return self
        return Pair(self.reference.pooled(n), self.other.pooled(m))


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Costs of some neighbouring samples of a pair.

    Attributes
    ----------
    costs : of these alone; their first sample is 0
    row0, column0 : samples of the pair at which it begins
    """

    costs: Costs
    row0: int
    column0: int

    def at(self, rows: Int64, columns: Int64) -> Float64:
        """Costs of single pairs, in samples of the whole: int64 (P,) and (P,) to float64 (P,)."""
        return self.costs.at(rows - self.row0, columns - self.column0)


# Weight of structure against direct likeness. On development groups and features 0.3 to 0.9 do
# equally well, every one better than none.
_STRUCTURE = 0.5
_LANDMARKS = 128


def fused_costs(pair: Pair, rows: Int64, columns: Int64, monitor: Monitor | None = None) -> Costs:
    """Return costs that also ask whether a pair lies alike among the pairs of a first path.

    Fused Gromov-Wasserstein (Vayer et al. 2020, the linearised objective of their Algorithm 1) with
    a warping path in place of the transport plan: with distances A within the reference and B
    within the other and the path's pairs (r_k, c_k),

        F(i, j) = (1 - w) C(i, j) / C_usual + w mean_k (A(i, r_k) - B(j, c_k))^2 / G_usual.

    Every square is written out, so that F is one product of vectors, like ``Costs`` itself: O((N +
    M) K) memory.

    Parameters
    ----------
    rows, columns : int64 (P,), the first path, in samples of ``pair``
    monitor : asked between the steps whether to stop
    """
    monitor = monitor or Monitor()
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _LANDMARKS)).round().astype(np.int64)
    monitor.check()
    ours = pair.reference.distances(rows[chosen])
    monitor.check()
    theirs = pair.other.distances(columns[chosen])
    monitor.check()
    k = len(chosen)
    structure = _expanded(ours[:, :0], ours, theirs[:, :0], theirs, 0.0, 1.0 / k, monitor)
    monitor.check()
    direct_usual = max(pair.typical[1], 1e-9)
    monitor.check()
    structure_usual = max(structure.typical()[1], 1e-9)
    del structure  # a quarter of what follows
    return _expanded(
        pair.reference.rows,
        ours,
        pair.other.rows,
        theirs,
        (1.0 - _STRUCTURE) / direct_usual,
        _STRUCTURE / structure_usual / k,
        monitor,
    )


def _expanded(
    rows: Float32 | Float64,
    ours: Float32,
    columns: Float32 | Float64,
    theirs: Float32,
    direct: float,
    structure: float,
    monitor: Monitor,
) -> Costs:
    """Costs ``direct (1 - x y) + structure |a - b|^2`` from unit rows x, y and distances a, b."""
    alike, apart = float(np.sqrt(direct)), float(np.sqrt(2.0 * structure))
    one, rest = np.ones((len(ours), 1)), np.full((len(ours), 1), 1.0 - direct)
    other_one = np.ones((len(theirs), 1))
    first = _side_by_side(
        (rows, alike),
        (ours, apart),
        (_squares(ours), -structure),
        (one, 1.0),
        (rest, 1.0),
        monitor=monitor,
    )
    second = _side_by_side(
        (columns, alike),
        (theirs, apart),
        (other_one, 1.0),
        (_squares(theirs), -structure),
        (other_one, 1.0),
        monitor=monitor,
    )
    return Costs(first, second, are_units=False)


def _squares(distances: Float32) -> Float64:
    """Return the squared length of every row: (N, 1)."""
    return np.asarray(np.einsum("ij,ij->i", distances, distances, dtype=np.float64)[:, None])


def _side_by_side(*pieces: tuple[Float32 | Float64, float], monitor: Monitor) -> Float32:
    """Return arrays (N, ..) times their factors in one of 4 bytes a number, and no larger copy."""
    count = len(pieces[0][0])
    joined = np.empty((count, sum(piece.shape[1] for piece, _ in pieces)), dtype=np.float32)
    at = 0
    for piece, factor in pieces:
        width = piece.shape[1]
        for rows in row_blocks(count, monitor):
            joined[rows, at : at + width] = factor * piece[rows].astype(np.float64)
        at += width
    return joined
