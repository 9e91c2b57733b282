"""Search among all recordings that were ever embedded, however many: an index on disk.

::

    <root>/<model id>/recordings/*.json   what was embedded, and where it lies (``catalogue``)
                      index.json          the segments and what is in them; replaced atomically
                      segment-<n>/        vectors, and codes to find them fast (``segment``)
                      segment-<n>/cells/  of a large segment (``cells``)

New recordings make a new segment; small ones are merged into larger ones, so that there are few
(each is at least twice as large as the next). What a process leaves half-written is not in
``index.json`` and is removed by the next writer. One process writes at a time; readers never wait.
"""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.atomic import write_atomic
from carl_core.embeddings.locks import FileLock
from carl_core.errors import StoreError
from carl_core.paths import make_private
from carl_core.progress import Monitor
from carl_core.retrieval.catalogue import Catalogue
from carl_core.retrieval.cells import Cells, CellsMeta, build_cells
from carl_core.retrieval.segment import Part, Segment
from carl_core.retrieval.writer import SegmentWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from carl_core.arrays import Float32
    from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
    from carl_core.embeddings.store import EmbeddingStore

log = logging.getLogger("carl.search")

_FORMAT, _VERSION = "carl-library", 2
_INDEX = "index.json"

CELLS_FROM = 2_000_000
"""Rows from which a segment gets cells: below, looking at all of them takes some 20 ms."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A segment as ``index.json`` names it."""

    name: str
    parts: tuple[Part, ...]
    cells: CellsMeta | None = None

    @property
    def count(self) -> int:
        return sum(part.count for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Index:
    """What ``index.json`` says."""

    dim: int = 0
    entries: tuple[_Entry, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A recording of the library, and the most that its best moment can score.

    Attributes
    ----------
    bound : upper bound of its best score; of a search in cells, of what was looked at
    segment, part : where its rows are
    """

    bound: float
    segment: Segment
    part: Part


class Library:
    """The embeddings of all recordings by one encoder, to be searched as a whole.

    Parameters
    ----------
    root : folder of all libraries; made when something is written
    model_id : encoder

    Attributes
    ----------
    catalogue : which recordings are known, and where they lie
    """

    def __init__(self, root: Path, model_id: str) -> None:
        self.folder = root / model_id
        self.model_id = model_id
        self.catalogue = Catalogue(self.folder / "recordings")
        self._opened: tuple[_Index, tuple[tuple[Segment, Cells | None], ...]] | None = None

    # What is in it -----------------------------------------------------------------------------

    @property
    def frames(self) -> int:
        """Number of samples that are searched."""
        return sum(entry.count for entry in self._read().entries)

    @property
    def recordings(self) -> int:
        """Number of recordings that are searched."""
        return sum(len(entry.parts) for entry in self._read().entries)

    @property
    def cells(self) -> tuple[CellsMeta, ...]:
        """What is known of the cells of large segments."""
        return tuple(entry.cells for entry in self._read().entries if entry.cells is not None)

    @property
    def wants_cells(self) -> bool:
        """Whether a segment is so large that cells should be built (``build``)."""
        entries = self._read().entries
        return any(entry.cells is None and entry.count >= CELLS_FROM for entry in entries)

    def segments(self) -> tuple[tuple[Segment, Cells | None], ...]:
        """Open what ``index.json`` names; a segment that is damaged is logged and left out."""
        for _ in range(3):  # another process may be replacing what was just read
            index = self._read()
            if self._opened is not None and self._opened[0] == index:
                return self._opened[1]
            try:
                opened = tuple(self._open(entry, index.dim) for entry in index.entries)
            except (OSError, ValueError):
                continue
            self._opened = (index, opened)
            return opened
        usable = self._usable(self._read())
        return tuple(self._open(entry, usable.dim) for entry in usable.entries)

    # Writing -----------------------------------------------------------------------------------

    def update(self, store: EmbeddingStore, monitor: Monitor | None = None) -> int:
        """Take in what was embedded since the last time; return the number of recordings.

        Of a recording embedded at several rates the densest counts. Nothing is done while another
        process is writing.

        Raises
        ------
        StoreError
            When the folder cannot be written.
        Cancelled
            When the monitor says so; what was there before is still there.
        """
        densest: dict[str, tuple[int, EmbeddingKey]] = {}
        for known in self.catalogue.all():
            have = densest.get(known.key.fingerprint)
            if known.key.model_id == self.model_id and (have is None or known.count > have[0]):
                densest[known.key.fingerprint] = (known.count, known.key)
        counts = {p.fingerprint: p.count for segment, _ in self.segments() for p in segment.parts}
        wanted = [key for name, (count, key) in densest.items() if count > counts.get(name, 0)]
        if not wanted:
            return 0

        monitor = monitor or Monitor()
        monitor.start("adding to the library", len(wanted), "recordings")
        return self.add(_loaded(store, wanted, monitor), monitor)

    def add(self, recordings: Iterable[Embeddings], monitor: Monitor | None = None) -> int:
        """Take in recordings as one new segment, and merge small segments.

        Rows of an earlier sampling of the same recording go. Returns the number taken in; 0 while
        another process is writing.

        Raises
        ------
        StoreError, Cancelled
        """
        monitor = monitor or Monitor()
        with self._writing() as index:
            if index is None:
                return 0
            name = self._new_name()
            waiting = iter(recordings)
            first = next(waiting, None)
            if first is None:
                return 0
            with SegmentWriter(self.folder / name, first.dim) as writer:
                writer.add(first)
                for embeddings in waiting:
                    monitor.check()
                    writer.add(embeddings)
                added = writer.finish()
            gone = {part.fingerprint for part in added.parts}
            index = self._without(index, gone, monitor)
            entries = (*index.entries, _Entry(name, added.parts))
            index = _Index(first.dim, entries)
            self._commit(index)
            while len(index.entries) > 1 and index.entries[-2].count < 2 * index.entries[-1].count:
                merged = self._merged(index, index.entries[-2:], monitor)
                index = replace(index, entries=(*index.entries[:-2], merged))
                self._commit(index)
            return len(added.parts)

    def forget(self, fingerprints: Iterable[str], monitor: Monitor | None = None) -> None:
        """Take recordings out, from the disk too. Raises ``StoreError``."""
        names = set(fingerprints)
        try:
            for name in names:
                self.catalogue.forget(name)
        except OSError as error:
            raise self._unwritable(error) from error
        with self._writing() as index:
            if index is None:
                raise StoreError(
                    "The library is being written by another process. Try again in a moment."
                )
            self._commit(self._without(index, names, monitor or Monitor()))

    def build(self, monitor: Monitor | None = None, *, least: int = CELLS_FROM) -> bool:
        """Sort segments of at least ``least`` rows into cells; false while another process writes.

        Minutes for ten million rows; meanwhile searches look at every row.

        Raises
        ------
        StoreError, Cancelled
        """
        with self._writing() as index:
            if index is None:
                return False
            for number, entry in enumerate(index.entries):
                if entry.cells is None and entry.count >= least:
                    segment, _ = self._open(entry, index.dim)
                    done = replace(entry, cells=build_cells(segment, monitor or Monitor()))
                    entries = (*index.entries[:number], done, *index.entries[number + 1 :])
                    index = replace(index, entries=entries)
                    self._commit(index)
        return True

    def clear(self) -> None:
        """Remove everything. Raises ``StoreError``."""
        with self._writing() as index:
            if index is None:
                raise StoreError(
                    "The library is being written by another process. Try again in a moment."
                )
            self._commit(_Index())
            shutil.rmtree(self.folder / "recordings", ignore_errors=True)

    # Searching ---------------------------------------------------------------------------------

    def candidates(self, queries: Float32, *, exactly: bool = False) -> list[Candidate]:
        """All recordings that may hold something like the queries, the likeliest first.

        Parameters
        ----------
        queries : float32 (Q, D) unit rows; of several the mean of their best scores counts
        exactly : look at every row, even where there are cells
        """
        found: list[Candidate] = []
        for segment, cells in self.segments():
            if cells is None or exactly:
                highs = segment.best_of_parts(queries)[1].mean(axis=0)
            else:
                highs = np.mean([_best_in_cells(cells, query) for query in queries], axis=0)
            found += [
                Candidate(float(high), segment, part)
                for high, part in zip(highs.tolist(), segment.parts, strict=True)
                if np.isfinite(high)
            ]
        found.sort(key=lambda one: -one.bound)
        return found

    def best_scores(self, queries: Float32) -> Float32:
        """Return the best score of each query in the whole library, within a hundredth: (Q,)."""
        best = np.full(len(queries), -1.0, dtype=np.float32)
        for segment, cells in self.segments():
            if cells is None:
                lows, highs = segment.best_of_parts(queries)
                best = np.maximum(best, 0.5 * (lows + highs).max(axis=1))
            else:
                for number, query in enumerate(queries):
                    _, scores = cells.nearest(query, 1)
                    best[number] = max(best[number], scores[0]) if len(scores) else best[number]
        return best

    def nearest(
        self, query: Float32, k: int, *, exactly: bool = False
    ) -> list[tuple[float, str, int]]:
        """Find the ``k`` single samples nearest to a query: (score, fingerprint, sample).

        Exact where no segment has cells, or when asked for.
        """
        found: list[tuple[float, str, int]] = []
        for segment, cells in self.segments():
            use = segment if cells is None or exactly else cells
            rows, scores = use.nearest(query, k)
            at = np.searchsorted(segment.starts, rows, side="right") - 1
            for row, score, number in zip(rows.tolist(), scores.tolist(), at.tolist(), strict=True):
                part = segment.parts[number]
                found.append((score, part.fingerprint, row - part.start))
        return sorted(found, key=lambda one: -one[0])[:k]

    # Inside ------------------------------------------------------------------------------------

    def _read(self) -> _Index:
        file = self.folder / _INDEX
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            return _from_json(document, self.model_id)
        except FileNotFoundError:
            return _Index()
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be used (%r): the library is built anew.", file, error)
            return _Index()

    def _open(self, entry: _Entry, dim: int) -> tuple[Segment, Cells | None]:
        segment = Segment(self.folder / entry.name, entry.parts, dim)
        return segment, None if entry.cells is None else Cells(segment, entry.cells)

    def _writing(self) -> AbstractContextManager[_Index | None]:
        return _Writing(self)

    def _commit(self, index: _Index) -> None:
        """Make ``index`` what counts, and remove segments that it does not name."""
        write_atomic(self.folder / _INDEX, json.dumps(_to_json(index, self.model_id)), mode=0o600)
        self._opened = None
        self.sweep(index)

    def sweep(self, index: _Index) -> None:
        """Remove folders that ``index`` does not name (on Windows not while they are read)."""
        named = {entry.name for entry in index.entries}
        for folder in self.folder.glob("segment-*"):
            if folder.name not in named:
                shutil.rmtree(folder, ignore_errors=True)

    def _new_name(self) -> str:
        taken = [int(f.name.split("-")[1].split(".")[0]) for f in self.folder.glob("segment-*")]
        return f"segment-{max(taken, default=0) + 1}"

    def _usable(self, index: _Index) -> _Index:
        """Leave out what is damaged; ``update`` takes it in again from the store."""
        entries = []
        for entry in index.entries:
            try:
                self._open(entry, index.dim)
            except (OSError, ValueError) as error:
                log.warning("%s of the library is damaged (%s): made anew.", entry.name, error)
            else:
                entries.append(entry)
        return replace(index, entries=tuple(entries))

    def _without(self, index: _Index, gone: set[str], monitor: Monitor) -> _Index:
        """Rewrite segments that hold a recording that goes."""
        entries = []
        for entry in index.entries:
            kept = tuple(part for part in entry.parts if part.fingerprint not in gone)
            if len(kept) == len(entry.parts):
                entries.append(entry)
            elif kept:
                entries.append(self._merged(index, (entry,), monitor, gone))
        return replace(index, entries=tuple(entries))

    def _merged(
        self,
        index: _Index,
        entries: tuple[_Entry, ...],
        monitor: Monitor,
        gone: set[str] | None = None,
    ) -> _Entry:
        name = self._new_name()
        with SegmentWriter(self.folder / name, index.dim) as writer:
            for entry in entries:
                segment, _ = self._open(entry, index.dim)
                for part in entry.parts:
                    if part.fingerprint not in (gone or ()):
                        writer.copy(segment, part, monitor.check)
            return _Entry(name, writer.finish().parts)

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"The library {self.folder} cannot be written: {error.strerror or error}. "
            "Free some space, or set CARL_CACHE to a folder that can be written."
        )


class _Writing:
    """Holds the library's lock; gives the index, None while another process writes."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = FileLock(library.folder / ".lock")

    def __enter__(self) -> _Index | None:
        try:
            make_private(self._library.folder)
            if not self._lock.acquire():
                return None
        except OSError as error:
            raise self._library._unwritable(error) from error
        index = self._library._usable(self._library._read())
        self._library.sweep(index)
        return index

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._lock.release()
        if isinstance(error, OSError):
            raise self._library._unwritable(error) from error


def _loaded(
    store: EmbeddingStore, keys: Iterable[EmbeddingKey], monitor: Monitor
) -> Iterator[Embeddings]:
    for key in keys:
        embeddings = store.load(key)
        if embeddings is not None:
            yield embeddings
        monitor.advance()


def _best_in_cells(cells: Cells, query: Float32) -> Float32:
    """Upper bound of the best score of each part among the cells looked at; -inf where none is."""
    rows, scores, errors = cells.scores(query)
    segment = cells.segment
    at = np.searchsorted(segment.starts, rows, side="right") - 1
    highs = np.full(len(segment.parts), -np.inf, dtype=np.float32)
    np.maximum.at(highs, at, scores + errors)
    return highs


def _to_json(index: _Index, model_id: str) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "model": model_id,
        "dim": index.dim,
        "segments": [
            {
                "name": entry.name,
                "parts": [[p.fingerprint, p.sampling, p.count] for p in entry.parts],
                "cells": None if entry.cells is None else asdict(entry.cells),
            }
            for entry in index.entries
        ],
    }


def _from_json(document: Any, model_id: str) -> _Index:
    """Read ``index.json``. Raises ``ValueError``, ``KeyError`` and ``TypeError``."""
    if (document["format"], document["version"]) != (_FORMAT, _VERSION):
        raise ValueError("it is of another format")
    if document["model"] != model_id:
        raise ValueError("it belongs to another encoder")
    entries = []
    for one in document["segments"]:
        parts: list[Part] = []
        for fingerprint, sampling, count in one["parts"]:
            start = parts[-1].stop if parts else 0
            parts.append(Part(str(fingerprint), str(sampling), start, int(count)))
        cells = one["cells"]
        meta = None
        if cells is not None:
            meta = CellsMeta(int(cells["count"]), int(cells["probes"]), float(cells["recall"]))
        entries.append(_Entry(str(one["name"]), tuple(parts), meta))
    return _Index(int(document["dim"]), tuple(entries))
