"""Cells of a large segment: rows that lie near one another, so that a search reads only some cells.

An inverted file (Sivic and Zisserman, "Video Google", ICCV 2003): every row belongs to the nearest
of some centres, found by spherical k-means; a search reads the ``probes`` cells whose centres are
most like the query, and ranks what it finds by the vectors themselves. How many cells that takes is
measured on rows of the segment itself, against the exact search.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.atomic import begin, finish, rename
from carl_core.retrieval.mapping import mapped, thread_count, threads
from carl_core.similarity.matrix import one_blas_thread

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from carl_core.arrays import Float32, Int64
    from carl_core.progress import Monitor
    from carl_core.retrieval.segment import Segment

FOLDER = "cells"
PARTIAL = "cells.part"
_CENTRES, _CELL_OF = "centres.f32", "cell_of.i32"
CELL_FILES = (_CENTRES, "offsets.i64", "rows.i32", "codes.i8", "scales.f32", "errors.f32")
_ITERATIONS = 8
_TRAINED_ON = 32  # rows per cell
_BLOCK = 1 << 13
_QUERIES = 64
_NEAREST = 10
RECALL = 0.99
_AIM = 0.995  # a little above, for the sample is small


@dataclass(frozen=True, slots=True)
class CellsMeta:
    """What is known of a segment's cells.

    Attributes
    ----------
    count : number of cells
    probes : cells a search reads
    recall : measured share of the ten nearest rows of other recordings that it finds
    """

    count: int
    probes: int
    recall: float


class Cells:
    """The cells of a segment, opened for reading. Safe from any thread."""

    def __init__(self, segment: Segment, meta: CellsMeta, name: str = FOLDER) -> None:
        folder = segment.folder / name
        n, dim = segment.vectors.shape
        self.segment = segment
        self.meta = meta
        self._centres: Float32 = mapped(folder / _CENTRES, "<f4", (meta.count, dim))
        self._offsets: Int64 = mapped(folder / "offsets.i64", "<i8", (meta.count + 1,))
        self._rows = mapped(folder / "rows.i32", "<i4", (n,))
        self._codes = mapped(folder / "codes.i8", "<i1", (n, dim))
        self._scales = mapped(folder / "scales.f32", "<f4", (n,))
        self._errors = mapped(folder / "errors.f32", "<f4", (n,))

    def scores(self, query: Float32, probes: int | None = None) -> tuple[Int64, Float32, Float32]:
        """Rows of the nearest cells, the scores of their codes, and how far these may be off."""
        # heavy: numba
        from carl_core.retrieval.kernels import scan

        probes = min(probes or self.meta.probes, self.meta.count)
        like = self._centres @ query
        chosen = np.sort(np.argpartition(-like, probes - 1)[:probes])
        spans = [(int(self._offsets[c]), int(self._offsets[c + 1])) for c in chosen.tolist()]
        spans = [span for span in spans if span[0] < span[1]]
        places = np.cumsum([0, *(b - a for a, b in spans)])
        found = np.empty(int(places[-1]), dtype=np.float32)

        def some(number: int) -> None:
            a, b = spans[number]
            to = found[places[number] : places[number + 1]]
            scan(self._codes[a:b], self._scales[a:b], query, to)

        list(threads().map(some, range(len(spans))))
        rows, errors = (
            np.concatenate([array[a:b] for a, b in spans] or [array[:0]])
            for array in (self._rows, self._errors)
        )
        return rows.astype(np.int64), found, errors

    def nearest(
        self,
        query: Float32,
        k: int,
        *,
        excluded: tuple[int, int] = (0, 0),
        probes: int | None = None,
    ) -> tuple[Int64, Float32]:
        """Find the ``k`` best rows of the nearest cells: rows and true scores, best first."""
        rows, scores, errors = self.scores(query, probes)
        counts = (rows < excluded[0]) | (rows >= excluded[1])
        rows, scores, errors = rows[counts], scores[counts], errors[counts]
        if len(rows) > k:
            least = np.partition(scores - errors, -k)[-k]
            rows = rows[scores + errors >= least]
        return self.segment.ranked(query, rows, k)


def cells_for(count: int) -> int:
    """Return a number of cells for a segment of ``count`` rows."""
    return 1 << int(np.clip(round(np.log2(max(count, 1) ** 0.5 / 3)), 4, 13))


def build_cells(segment: Segment, monitor: Monitor, *, count: int | None = None) -> CellsMeta:
    """Sort a segment's rows into cells beside its files, and measure how many a search needs.

    They lie in ``PARTIAL`` until ``place_cells``. O(N C D) time; memory a few bytes a row.

    What a build that was cancelled or killed had done is kept, and the next one goes on there.

    Raises
    ------
    OSError
        When the disk is full or the segment was removed; what was done is removed then.
    Cancelled
        When the monitor says so.
    """
    partial = segment.folder / PARTIAL
    partial.mkdir(mode=0o700, exist_ok=True)
    try:
        count = min(count or cells_for(len(segment)), len(segment))
        centres = _kept_centres(segment, partial, count, monitor)
        cell_of = _kept_cells(segment, partial, centres, monitor)
        _write(segment, partial, cell_of, count, monitor)
        return _measured(segment, count, monitor)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def place_cells(folder: Path) -> None:
    """Move cells that were built in a segment's folder to their place. Raises ``OSError``."""
    for file in (folder / PARTIAL).iterdir():
        if file.name not in CELL_FILES:  # what only building needs, and what killed builds left
            file.unlink()
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    rename(folder / PARTIAL, folder / FOLDER)


def _kept_centres(segment: Segment, partial: Path, count: int, monitor: Monitor) -> Float32:
    """Return the centres that an earlier build found, or find them and keep them."""
    file, shape = partial / _CENTRES, (count, segment.vectors.shape[1])
    try:  # not mapped: an open file keeps Windows from moving the folder
        return np.fromfile(file, dtype="<f4").reshape(shape)
    except (OSError, ValueError):
        (partial / _CELL_OF).unlink(missing_ok=True)  # by other centres
        centres = _centres(segment, count, monitor)
        new = begin(file)  # unlike ``write_atomic`` this makes no folder where one was removed
        new.write_bytes(centres.astype("<f4").tobytes())
        finish(new, file)
        return centres


def _kept_cells(
    segment: Segment, partial: Path, centres: Float32, monitor: Monitor
) -> npt.NDArray[np.int32]:
    """Return the nearest centre of every row: int32 (N,). Goes on where an earlier build ended."""
    file, count = partial / _CELL_OF, len(segment)
    with file.open("ab") as stream:
        done = min(stream.tell() // 4, count)
        stream.truncate(4 * done)
        monitor.start("sorting into cells", count, "frames", done)
        step = _BLOCK * thread_count()
        for first in range(done, count, step):
            # A quarter of the bytes of the vectors; which cell a row is in need not be exact.
            codes = segment.array("codes.i8")[first : first + step]
            stream.write(_assigned(codes, centres).astype("<i4").data)
            stream.flush()
            monitor.advance(len(codes))
        os.fsync(stream.fileno())
    return np.fromfile(file, dtype="<i4")


def _centres(segment: Segment, count: int, monitor: Monitor) -> Float32:
    """Spherical k-means on a sample: unit rows (C, D)."""
    chance = np.random.default_rng(0)
    size = min(len(segment), _TRAINED_ON * count)
    chosen = np.sort(chance.choice(len(segment), size, replace=False))
    sample = np.ascontiguousarray(segment.vectors[chosen])
    centres = sample[np.sort(chance.choice(size, count, replace=False))]
    monitor.start("learning cells", _ITERATIONS, "rounds")
    for _ in range(_ITERATIONS):
        nearest = _assigned(sample, centres, monitor)
        order = np.argsort(nearest, kind="stable")
        used, begins = np.unique(nearest[order], return_index=True)
        sums = np.add.reduceat(sample[order], begins, axis=0)
        centres = sample[chance.integers(size, size=count)]  # an empty cell begins anew
        centres[used] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        monitor.advance()
    return centres


def _assigned(vectors: npt.NDArray[Any], centres: Float32, monitor: Monitor | None = None) -> Int64:
    """Return the centre most like every row, of whatever length these are: int64 (N,)."""
    found = np.empty(len(vectors), dtype=np.int64)

    def some(first: int) -> None:
        rows = slice(first, first + _BLOCK)
        found[rows] = np.argmax(vectors[rows].astype(np.float32, copy=False) @ centres.T, axis=1)

    firsts, width = range(0, len(vectors), _BLOCK), thread_count()
    with one_blas_thread():
        for group in range(0, len(firsts), width):
            list(threads().map(some, firsts[group : group + width]))
            if monitor is not None:
                monitor.check()
    return found


def _write(
    segment: Segment, folder: Path, cell_of: npt.NDArray[np.int32], count: int, monitor: Monitor
) -> None:
    order = np.argsort(cell_of, kind="stable").astype(np.int32)
    counts = np.bincount(cell_of, minlength=count)
    columns = {
        "offsets.i64": np.concatenate([[0], np.cumsum(counts)]).astype("<i8"),
        "rows.i32": order,
    }
    for name, values in columns.items():
        with (folder / name).open("wb") as stream:
            stream.write(np.ascontiguousarray(values).data)
            os.fsync(stream.fileno())
    names = ("codes.i8", "scales.f32", "errors.f32")
    monitor.start("writing cells", len(names) * len(order), "rows")
    for name in names:
        array = segment.array(name)
        with (folder / name).open("wb") as stream:
            for first in range(0, len(order), _BLOCK):
                rows = array[order[first : first + _BLOCK]]
                stream.write(np.ascontiguousarray(rows).data)
                monitor.advance(len(rows))
            stream.flush()
            os.fsync(stream.fileno())


def _measured(segment: Segment, count: int, monitor: Monitor) -> CellsMeta:
    """Find how many cells must be read for a recall a little above ``RECALL``.

    Queries are rows of the segment; their own recording does not count, for its neighbouring frames
    would be found anyway.
    """
    chosen = np.random.default_rng(1).choice(len(segment), min(_QUERIES, len(segment)), False)
    monitor.start("measuring the recall", len(chosen), "queries")
    exact: list[tuple[Float32, tuple[int, int], Float32]] = []
    for row in chosen.tolist():
        query = np.array(segment.vectors[row])
        own = (0, 0)
        if len(segment.parts) > 1:
            at = int(np.searchsorted(segment.starts, row, side="right")) - 1
            own = (segment.parts[at].start, segment.parts[at].stop)
        _, scores = segment.nearest(query, _NEAREST, excluded=own)
        exact.append((query, own, scores))
        monitor.advance()
    probes, recall = 4, 0.0
    while True:
        cells = Cells(segment, CellsMeta(count, min(probes, count), recall), PARTIAL)
        shares = []
        for query, own, right in exact:
            _, scores = cells.nearest(query, _NEAREST, excluded=own)
            # By their scores, not their numbers: of rows that are the same any will do.
            shares.append((scores >= right[-1:] - 1e-6).sum() / max(len(right), 1))
            monitor.check()
        recall = float(np.mean(shares))
        if recall >= _AIM or probes >= count:
            return CellsMeta(count, min(probes, count), recall)
        probes *= 2
