"""One part of the library on disk: the vectors of some recordings, written once and then only read.

::

    vectors.f32 (N, D)   unit rows                  frames.i64 (N,)   frame numbers
    codes.i8    (N, D)   the rows in 8 bits         times.f64  (N,)   seconds
    scales.f32  (N,)     of each row's code         errors.f32 (N,)   its distance from the row

A search reads the codes, a quarter of the bytes, and knows from ``errors`` between which bounds the
true score of each row lies; only rows that may be among the best are looked up in ``vectors``. So
it is exact. Neighbouring frames look alike, so it mostly need not read all codes either: what
sixteen of them can score at most is known from their mean (``stretches``). All files are memory
mapped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.retrieval.mapping import mapped, thread_count, threads
from carl_core.retrieval.nearest import nearest_rows
from carl_core.retrieval.stretches import Stretches
from carl_core.similarity.matrix import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from carl_core.arrays import Float32, Int64
    from carl_core.progress import Monitor

FILES: dict[str, tuple[str, bool]] = {
    "vectors.f32": ("<f4", True),
    "codes.i8": ("<i1", True),
    "scales.f32": ("<f4", False),
    "errors.f32": ("<f4", False),
    "frames.i64": ("<i8", False),
    "times.f64": ("<f8", False),
}
"""Element type of each file, and whether a row has D of them."""

_CHUNK = 1 << 15  # rows that one thread scans at a time
_BLOCK = 1 << 13  # rows widened for a product with several queries at a time: 12 MB at D = 384
_FEW = 6  # up to so many queries are scanned one by one


@dataclass(frozen=True, slots=True)
class Part:
    """Rows ``start`` to ``start + count`` of a segment: one recording at one sampling."""

    fingerprint: str
    sampling: str
    start: int
    count: int

    @property
    def stop(self) -> int:
        """Row after the last one."""
        return self.start + self.count


class Segment:
    """A segment opened for reading. Safe from any thread.

    Attributes
    ----------
    folder : where it lies
    parts : recordings in order of their rows; together they are all rows
    stretches : runs of a few rows each
    """

    def __init__(self, folder: Path, parts: Sequence[Part], dim: int) -> None:
        self.folder = folder
        self.parts = tuple(parts)
        self._count = sum(part.count for part in parts)
        self._arrays = {
            name: mapped(folder / name, kind, (self._count, dim) if is_wide else (self._count,))
            for name, (kind, is_wide) in FILES.items()
        }
        self.stretches = Stretches(folder, [(part.start, part.count) for part in parts], dim)

    def __len__(self) -> int:
        return self._count

    @property
    def vectors(self) -> Float32:
        """float32 (N, D), unit rows, mapped."""
        return self._arrays["vectors.f32"]

    def array(self, name: str) -> npt.NDArray[Any]:
        """One of ``FILES`` or of ``STRETCH_FILES``, mapped."""
        return self._arrays[name] if name in FILES else self.stretches.array(name)

    @cached_property
    def starts(self) -> Int64:
        """First row of each part, and N."""
        return np.asarray([*(part.start for part in self.parts), self._count], dtype=np.int64)

    def embeddings(self, part: Part, model_id: str) -> Embeddings:
        """Return what was embedded of a recording, as the store gives it."""
        rows = slice(part.start, part.stop)
        return Embeddings(
            EmbeddingKey(part.fingerprint, model_id, part.sampling),
            self._arrays["frames.i64"][rows],
            self._arrays["times.f64"][rows],
            self._arrays["vectors.f32"][rows],
        )

    def scores(self, query: Float32) -> Float32:
        """Score of every row's code: float32 (N,). True scores lie within ``errors.f32`` of it."""
        found = np.empty(self._count, dtype=np.float32)

        def some(first: int) -> None:
            self.scan(first, first + _CHUNK, query, found)

        list(threads().map(some, range(0, self._count, _CHUNK)))
        return found

    def best_of_parts(
        self, queries: Float32, monitor: Monitor | None = None
    ) -> tuple[Float32, Float32]:
        """Bounds of the best score of each part for each query: lows, highs, both (Q, parts).

        Raises ``Cancelled`` when the monitor says so.
        """
        # heavy: numba
        from carl_core.retrieval.kernels import bounds

        shape = (len(queries), len(self.parts))
        lows, highs = np.empty(shape, np.float32), np.empty(shape, np.float32)
        errors = self._arrays["errors.f32"]
        if len(queries) <= _FEW:
            for number, query in enumerate(queries):
                bounds(self.scores(query), errors, self.starts, lows[number], highs[number])
            return lows, highs
        lows[:], highs[:] = -np.inf, -np.inf
        if monitor is not None:
            monitor.start("comparing with everything", self._count, "frames")
        for first, scores in self._products(queries):  # scores (Q, rows)
            if monitor is not None:
                monitor.advance(scores.shape[1])
            rows = slice(first, first + scores.shape[1])
            begin = int(np.searchsorted(self.starts, first, side="right")) - 1
            inside = np.clip(self.starts[begin:], first, rows.stop) - first
            inside = inside[: int(np.searchsorted(inside, scores.shape[1])) + 1]
            part = slice(begin, begin + len(inside) - 1)
            edges = inside[:-1]
            own = errors[rows]
            lows[:, part] = np.maximum(
                lows[:, part], np.maximum.reduceat(scores - own, edges, axis=1)
            )
            highs[:, part] = np.maximum(
                highs[:, part], np.maximum.reduceat(scores + own, edges, axis=1)
            )
        return lows, highs

    def nearest(
        self, query: Float32, k: int, *, excluded: tuple[int, int] = (0, 0)
    ) -> tuple[Int64, Float32]:
        """Find the ``k`` rows with the greatest score, exactly: rows and scores, best first.

        Parameters
        ----------
        excluded : rows from, to that do not count
        """
        return nearest_rows(self, query, k, excluded)

    def ranked(self, query: Float32, rows: Int64, k: int) -> tuple[Int64, Float32]:
        """Return the ``k`` best of the rows by their vectors, best first."""
        # heavy: numba
        from carl_core.retrieval.kernels import products

        found = np.empty(len(rows), dtype=np.float32)
        products(self.vectors, rows, query, found)
        order = np.argsort(-found, kind="stable")[:k]
        return rows[order], found[order]

    def scan(self, first: int, last: int, query: Float32, scores: Float32) -> None:
        """Write the scores of rows ``first`` to ``last`` into their places."""
        # heavy: numba
        from carl_core.retrieval.kernels import scan

        rows = slice(first, last)
        codes, scales = self._arrays["codes.i8"][rows], self._arrays["scales.f32"][rows]
        scan(codes, scales, query, scores[rows])

    def _products(self, queries: Float32) -> Iterator[tuple[int, Float32]]:
        codes, scales = self._arrays["codes.i8"], self._arrays["scales.f32"]

        def some(first: int) -> Float32:
            rows = slice(first, first + _BLOCK)
            found: Float32 = queries @ codes[rows].astype(np.float32).T
            found *= scales[rows]
            return found

        firsts = range(0, self._count, _BLOCK)
        width = thread_count()
        with one_blas_thread():
            for group in range(0, len(firsts), width):
                some_firsts = firsts[group : group + width]
                yield from zip(some_firsts, threads().map(some, some_firsts), strict=True)
