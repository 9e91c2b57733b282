"""Search among all recordings that were ever embedded, however many: an index on disk.

What lies where is told in ``library_files``; ``growing`` changes it. A library keeps rows of its
own, which stay when the cache of embeddings is emptied; above its limit what was embedded or opened
longest ago goes first.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.errors import StoreError
from carl_core.progress import Monitor
from carl_core.retrieval import building
from carl_core.retrieval.catalogue import Catalogue
from carl_core.retrieval.growing import add_recordings, without
from carl_core.retrieval.indexing import CellsBuilder
from carl_core.retrieval.kept_scores import kept_best_scores
from carl_core.retrieval.library_files import Index, LibraryFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from carl_core.arrays import Float32
    from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
    from carl_core.embeddings.store import EmbeddingStore
    from carl_core.progress import Progress
    from carl_core.retrieval.catalogue import Known
    from carl_core.retrieval.cells import Cells, CellsMeta
    from carl_core.retrieval.segment import Part, Segment

log = logging.getLogger("carl.search")

CELLS_FROM = 2_000_000
"""Rows from which a segment gets cells: below, an exact search takes some tens of milliseconds."""

DEFAULT_LIMIT_BYTES = 32_000_000_000
_FREED = 0.1  # of the limit: to take a recording out, its segment is written anew
_BUSY = "The library is being written by another process. Try again in a moment."


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
    limit_bytes : above which recordings go; None = ``CARL_LIBRARY_GB``, or 32 GB

    Attributes
    ----------
    catalogue : which recordings are known, and where they lie
    """

    def __init__(self, root: Path, model_id: str, *, limit_bytes: int | None = None) -> None:
        self.folder = root / model_id
        self.model_id = model_id
        self.limit_bytes = default_limit_bytes() if limit_bytes is None else limit_bytes
        self.catalogue = Catalogue(self.folder / "recordings")
        self._files = LibraryFiles(self.folder, model_id)
        self._opened: tuple[Index, tuple[tuple[Segment, Cells | None], ...]] | None = None

    # What is in it -----------------------------------------------------------------------------

    @property
    def frames(self) -> int:
        """Number of samples that are searched."""
        return sum(entry.count for entry in self._files.read().entries)

    @property
    def recordings(self) -> int:
        """Number of recordings that are searched."""
        return sum(len(entry.parts) for entry in self._files.read().entries)

    @property
    def size_bytes(self) -> int:
        """What it takes of the disk."""
        return self._files.size_bytes()

    @property
    def cells(self) -> tuple[CellsMeta, ...]:
        """What is known of the cells of large segments."""
        entries = self._files.read().entries
        return tuple(entry.cells for entry in entries if entry.cells is not None)

    @property
    def wants_cells(self) -> bool:
        """Whether a segment is so large that cells should be built, and nobody does it yet."""
        return self.lacks_cells and self.building is None

    @property
    def lacks_cells(self) -> bool:
        """Whether searches look at every row of a segment that is large enough for cells."""
        if self.frames < CELLS_FROM:  # known without opening anything
            return False
        return any(cells is None and len(one) >= CELLS_FROM for one, cells in self.segments())

    def densest(self) -> dict[str, Known]:
        """Return what is known of each recording, embedded most densely, by fingerprint."""
        found: dict[str, Known] = {}
        for known in self.catalogue.all():
            have = found.get(known.key.fingerprint)
            if known.key.model_id == self.model_id and (have is None or known.count > have.count):
                found[known.key.fingerprint] = known
        return found

    @property
    def building(self) -> Progress | None:
        """How far a build is, in whichever process; None when there is none."""
        return building.progress_in(self.folder)

    def segments(self) -> tuple[tuple[Segment, Cells | None], ...]:
        """Open what ``index.json`` names; a segment that is damaged is logged and left out."""
        files = self._files
        for _ in range(3):  # another process may be replacing what was just read
            index = files.read()
            if self._opened is not None and self._opened[0] == index:
                return self._opened[1]
            try:
                opened = tuple(files.open(entry, index.dim) for entry in index.entries)
            except (OSError, ValueError):
                continue
            self._opened = (index, opened)
            return opened
        usable = files.usable(files.read())
        return tuple(files.open(entry, usable.dim) for entry in usable.entries)

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
        densest = self.densest()
        counts = {p.fingerprint: p.count for segment, _ in self.segments() for p in segment.parts}
        wanted = [one.key for name, one in densest.items() if one.count > counts.get(name, 0)]
        if not wanted:
            return 0

        monitor = monitor or Monitor()
        monitor.start("adding to the library", len(wanted), "recordings")
        return self.add(_loaded(store, wanted, monitor), monitor)

    def add(self, recordings: Iterable[Embeddings], monitor: Monitor | None = None) -> int:
        """Take in recordings, and take out what was used longest ago if they are too many.

        Rows of an earlier sampling of the same recording go. Returns the number taken in; 0 while
        another process is writing.

        Raises
        ------
        StoreError, Cancelled
        """
        monitor = monitor or Monitor()
        with self._files.writing() as index:
            if index is None:
                return 0
            self._opened = None
            count = add_recordings(self._files, index, recordings, monitor)
            if self._files.size_bytes() > self.limit_bytes:
                self._shrink(monitor)
            return count

    def forget(self, fingerprints: Iterable[str], monitor: Monitor | None = None) -> None:
        """Take recordings out, from the disk too. Raises ``StoreError``."""
        names = set(fingerprints)
        with self._files.writing() as index:
            if index is None:
                raise StoreError(_BUSY)
            for name in names:
                self.catalogue.forget(name)
            self._take_out(index, names, monitor or Monitor())

    def build(self, monitor: Monitor | None = None, *, least: int = CELLS_FROM) -> bool:
        """Sort segments of at least ``least`` rows into cells; false while another process does.

        Minutes for ten million rows; meanwhile searches look at every row, and recordings come and
        go as always. Other processes see how far it is (``building``) and can stop it. A later one
        goes on where this one ended.

        Raises
        ------
        StoreError, Cancelled
        """
        builder = CellsBuilder(self._files, least)
        try:
            with building.sole_builder(self.folder) as is_mine:
                if is_mine:
                    with building.told(self.folder, monitor or Monitor(), builder.check) as told:
                        builder.run(told)
                return is_mine
        except OSError as error:
            raise self._files.unwritable(error) from error

    def stop_building(self) -> bool:
        """Ask whichever process builds to stop; return whether one does. Raises ``StoreError``."""
        try:
            return building.stop(self.folder)
        except OSError as error:
            raise self._files.unwritable(error) from error

    def clear(self) -> None:
        """Remove everything. Raises ``StoreError``."""
        with self._files.writing() as index:
            if index is None:
                raise StoreError(_BUSY)
            self._opened = None
            self._files.commit(Index())
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

    def best_scores(self, queries: Float32, monitor: Monitor | None = None) -> Float32:
        """Return the best score of each query in the whole library, within a hundredth: (Q,).

        A segment does not change, so what was found in it is kept beside it for the next time.

        Raises
        ------
        Cancelled
        """
        best = np.full(len(queries), -1.0, dtype=np.float32)
        for segment, cells in self.segments():
            best = np.maximum(best, kept_best_scores(segment, cells, queries, monitor or Monitor()))
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

    def _take_out(self, index: Index, names: set[str], monitor: Monitor) -> None:
        self._opened = None
        self._files.commit(without(self._files, index, names, monitor))

    def _shrink(self, monitor: Monitor) -> None:
        """Take out what was used longest ago, and some more than the limit asks for."""
        index = self._files.read()
        total = self._files.size_bytes()
        bytes_a_row = total / max(sum(entry.count for entry in index.entries), 1)
        parts = [part for entry in index.entries for part in entry.parts]
        ages = self.catalogue.last_used()
        parts.sort(key=lambda part: ages.get(part.fingerprint, 0.0))
        gone: set[str] = set()
        for part in parts:
            if total <= (1 - _FREED) * self.limit_bytes:
                break
            gone.add(part.fingerprint)
            total -= int(part.count * bytes_a_row)
        log.info("%d recordings leave the library: it has reached its limit.", len(gone))
        for name in gone:
            self.catalogue.forget(name)
        self._take_out(index, gone, monitor)


def default_limit_bytes() -> int:
    """Limit of a library nobody gives one. Raises ``StoreError``."""
    given = os.environ.get("CARL_LIBRARY_GB", "").strip()
    if not given:
        return DEFAULT_LIMIT_BYTES
    try:
        return int(float(given) * 1e9)
    except (ValueError, OverflowError) as error:
        raise StoreError(
            f"CARL_LIBRARY_GB is {given!r}, which is no number of gigabytes. Set it to one, or not."
        ) from error


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
