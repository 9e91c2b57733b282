"""What lies in a library's folder: ``index.json``, the segments it names, the lock of who writes.

::

    recordings/*.json    what was embedded, and where it lies (``catalogue``)
    index.json           the segments and what is in them; replaced atomically
    segment-<n>/         vectors, and codes to find them fast (``segment``)
    segment-<n>/cells/   of a large segment (``cells``)

What a process leaves half-written is not in ``index.json`` and is removed by the next writer. One
process writes at a time; readers never wait.
"""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from carl_core.atomic import write_atomic
from carl_core.embeddings.locks import FileLock
from carl_core.errors import StoreError
from carl_core.paths import make_private
from carl_core.retrieval.cells import Cells, CellsMeta
from carl_core.retrieval.segment import Part, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger("carl.search")

_FORMAT, _VERSION = "carl-library", 2
_INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment as ``index.json`` names it."""

    name: str
    parts: tuple[Part, ...]
    cells: CellsMeta | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(part.count for part in self.parts)


@dataclass(frozen=True, slots=True)
class Index:
    """What ``index.json`` says."""

    dim: int = 0
    entries: tuple[Entry, ...] = ()


class LibraryFiles:
    """The folder of one encoder's library. Safe from several threads and processes.

    Parameters
    ----------
    folder : made when something is written
    model_id : encoder
    """

    def __init__(self, folder: Path, model_id: str) -> None:
        self.folder = folder
        self.model_id = model_id

    def read(self) -> Index:
        """Read ``index.json``; one that cannot be used is logged and counts as empty."""
        file = self.folder / _INDEX
        try:
            return _from_json(json.loads(file.read_text(encoding="utf-8")), self.model_id)
        except FileNotFoundError:
            return Index()
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be used (%r): the library is built anew.", file, error)
            return Index()

    def open(self, entry: Entry, dim: int) -> tuple[Segment, Cells | None]:
        """Open a segment. Raises ``OSError`` and ``ValueError`` when it is damaged."""
        segment = Segment(self.folder / entry.name, entry.parts, dim)
        return segment, None if entry.cells is None else Cells(segment, entry.cells)

    def usable(self, index: Index) -> Index:
        """Leave out what is damaged, and log it; it is taken in again from the store."""
        entries = []
        for entry in index.entries:
            try:
                self.open(entry, index.dim)
            except (OSError, ValueError) as error:
                log.warning("%s of the library is damaged (%s): made anew.", entry.name, error)
            else:
                entries.append(entry)
        return replace(index, entries=tuple(entries))

    def size_bytes(self) -> int:
        """Bytes of the segments on the disk."""
        total = 0
        for file in self.folder.glob("segment-*/**/*"):
            try:
                total += file.stat().st_size if file.is_file() else 0
            except FileNotFoundError:  # another process is writing
                continue
        return total

    @contextmanager
    def writing(self) -> Iterator[Index | None]:
        """Hold the lock; gives what is usable, None while another process writes.

        Raises
        ------
        StoreError
            When the folder cannot be written, then or inside.
        """
        lock = FileLock(self.folder / ".lock")
        try:
            make_private(self.folder)
            if not lock.acquire():
                yield None
                return
            index = self.usable(self.read())
            self._sweep(index)
            yield index
        except OSError as error:
            raise self.unwritable(error) from error
        finally:
            lock.release()

    def commit(self, index: Index) -> None:
        """Make ``index`` what counts, and remove segments that it does not name."""
        text = json.dumps(_to_json(index, self.model_id))
        write_atomic(self.folder / _INDEX, text, mode=0o600)
        self._sweep(index)

    def new_name(self) -> str:
        """Return a name that no segment has."""
        taken = [int(f.name.split("-")[1].split(".")[0]) for f in self.folder.glob("segment-*")]
        return f"segment-{max(taken, default=0) + 1}"

    def unwritable(self, error: OSError) -> StoreError:
        """Say that the folder cannot be written, and what to do."""
        return StoreError(
            f"The library {self.folder} cannot be written: {error.strerror or error}. "
            "Free some space, or set CARL_CACHE to a folder that can be written."
        )

    def _sweep(self, index: Index) -> None:
        """Remove folders that ``index`` does not name (on Windows not while they are read)."""
        named = {entry.name for entry in index.entries}
        for folder in self.folder.glob("segment-*"):
            if folder.name not in named:
                shutil.rmtree(folder, ignore_errors=True)


def _to_json(index: Index, model_id: str) -> dict[str, Any]:
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


def _from_json(document: Any, model_id: str) -> Index:
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
        entries.append(Entry(str(one["name"]), tuple(parts), meta))
    return Index(int(document["dim"]), tuple(entries))
