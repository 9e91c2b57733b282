"""Builds cells of large segments, beside whatever else happens to the library.

A segment does not change, so its cells are made without holding up who writes: only to name them in
``index.json`` the lock is taken, and only if the segment is still there. Where it was rewritten or
removed meanwhile (a recording was forgotten, small segments were merged), the work on it is thrown
away, and what is there now is looked at.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from carl_core.retrieval.cells import CELL_FILES, PARTIAL, build_cells, place_cells
from carl_core.retrieval.seals import sealed

if TYPE_CHECKING:
    from carl_core.progress import Monitor
    from carl_core.retrieval.cells import CellsMeta
    from carl_core.retrieval.library_files import Entry, LibraryFiles
    from carl_core.retrieval.seals import Seal

log = logging.getLogger("carl.search")

_WAIT_S = 0.05


class _GoneError(Exception):
    """The segment whose cells are being built is no longer part of the library."""


class CellsBuilder:
    """Builds the cells of one library; at most one process may (``building.sole_builder``).

    Parameters
    ----------
    files : the library's folder
    least : rows from which a segment gets cells
    """

    def __init__(self, files: LibraryFiles, least: int) -> None:
        self._files = files
        self._least = least
        self._entry: Entry | None = None
        self._stamp: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raise what ends the work on a segment that is gone. For the monitor, now and then."""
        stamp = self._files.stamp()
        if self._entry is None or (stamp is not None and stamp == self._stamp):
            return
        if not self._is_there(self._entry):
            raise _GoneError
        self._stamp = stamp

    def run(self, monitor: Monitor) -> None:
        """Build until every large segment has cells. Raises ``OSError`` and ``Cancelled``."""
        while (found := self._next()) is not None:
            entry, dim = found
            is_gone = False
            self._entry, self._stamp = entry, None
            try:
                self._build(entry, dim, monitor)
            except (_GoneError, OSError):
                is_gone = not self._is_there(entry)
                if not is_gone:
                    raise
            finally:
                self._entry = None
            if is_gone and self._files.folder.is_dir():
                # Windows removes no file that is open: only now nothing of the segment is.
                with self._files.writing():
                    log.info("%s has changed: what was built for it is removed.", entry.name)

    def _next(self) -> tuple[Entry, int] | None:
        index = self._files.usable(self._files.read())
        for entry in index.entries:
            if entry.cells is None and entry.count >= self._least:
                return entry, index.dim
        return None

    def _build(self, entry: Entry, dim: int, monitor: Monitor) -> None:
        segment, _ = self._files.open(entry, dim)
        cells = build_cells(segment, monitor)
        self._commit(entry, cells, sealed(segment.folder / PARTIAL, CELL_FILES), monitor)

    def _commit(
        self, entry: Entry, cells: CellsMeta, seals: dict[str, Seal], monitor: Monitor
    ) -> None:
        is_waiting = False
        while True:
            with self._files.writing() as index:
                if index is not None:
                    done = replace(entry, cells=cells, cell_seals=seals)
                    entries = [done if _is_same(one, entry) else one for one in index.entries]
                    if done not in entries:
                        raise _GoneError
                    place_cells(self._files.folder / entry.name)
                    self._files.commit(replace(index, entries=tuple(entries)))
                    return
            if not is_waiting:
                monitor.start("waiting for another process", None, "")
                is_waiting = True
            monitor.advance(0)
            time.sleep(_WAIT_S)

    def _is_there(self, entry: Entry) -> bool:
        return any(_is_same(one, entry) for one in self._files.read().entries)


def _is_same(one: Entry, other: Entry) -> bool:
    """Whether these are the same files: a name may be used again."""
    return (one.name, one.seals) == (other.name, other.seals)
