"""What lies in a library's folder: ``index.json``, the segments it names, the lock of who writes.

::

    recordings/*.json    what was embedded, and where it lies (``catalogue``)
    index.json           the segments and what is in them; replaced atomically
    segment-<n>/         vectors, and codes to find them fast (``segment``)
    segment-<n>/cells/   of a large segment (``cells``)

What a process leaves half-written is not in ``index.json`` and is removed by the next writer. One
process writes at a time; readers never wait, and who builds cells (``indexing``) only to name them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
import shutil
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from carl_core.atomic import write_atomic
from carl_core.embeddings.locks import FileLock
from carl_core.errors import StoreError
from carl_core.paths import make_private
from carl_core.retrieval.cells import FOLDER, Cells, CellsMeta
from carl_core.retrieval.seals import Seal, check_seals, seals_from_json, seals_to_json
from carl_core.retrieval.segment import FILES, Part, Segment
from carl_core.retrieval.stretches import STRETCH_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger("carl.search")

_FORMAT, _VERSION = "carl-library", 3
_INDEX = "index.json"
_GONE = ".gone"
SEGMENT_FILES = (*FILES, *STRETCH_FILES)


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment as ``index.json`` names it.

    Attributes
    ----------
    name : of its folder
    parts : recordings in order of their rows
    seals : of its files
    cells : None = it has none
    cell_seals : of their files
    """

    name: str
    parts: tuple[Part, ...]
    seals: dict[str, Seal] = field(hash=False)
    cells: CellsMeta | None = None
    cell_seals: dict[str, Seal] = field(default_factory=dict, hash=False)

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
        except (
            OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError,
            RecursionError,
        ) as error:  # fmt: skip
            log.warning("%s cannot be used (%r): the library is built anew.", file, error)
            return Index()

    def open(self, entry: Entry, dim: int) -> tuple[Segment, Cells | None]:
        """Open a segment; cells that are damaged are logged and left out.

        Raises ``OSError`` and ``ValueError`` when the segment itself is damaged.
        """
        check_seals(self.folder / entry.name, entry.seals)
        segment = Segment(self.folder / entry.name, entry.parts, dim)
        if entry.cells is None:
            return segment, None
        try:
            check_seals(segment.folder / FOLDER, entry.cell_seals)
            return segment, Cells(segment, entry.cells)
        except (OSError, ValueError) as error:
            log.warning("The cells of %s are damaged (%s): made anew.", entry.name, error)
            return segment, None

    def usable(self, index: Index) -> Index:
        """Leave out what is damaged, and log it; it is taken in again from the store."""
        entries = []
        for entry in index.entries:
            try:
                _, cells = self.open(entry, index.dim)
            except (OSError, ValueError) as error:
                log.warning("%s of the library is damaged (%s): made anew.", entry.name, error)
            else:
                entries.append(entry if cells is not None else replace(entry, cells=None))
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

    @contextlib.contextmanager
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

    def stamp(self) -> tuple[int, ...] | None:
        """Return what is another once ``index.json`` was written anew; None when there is none."""
        try:
            status = (self.folder / _INDEX).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def new_name(self) -> str:
        """Return a name that no segment has or had: cells may still be built for one that went."""
        while True:
            name = f"segment-{secrets.randbelow(10**9)}"
            if not any(self.folder.glob(f"{name}*")):
                return name

    def unwritable(self, error: OSError) -> StoreError:
        """Say that the folder cannot be written, and what to do."""
        return StoreError(
            f"The library {self.folder} cannot be written: {error.strerror or error}. "
            "Free some space, or set CARL_CACHE to a folder that can be written."
        )

    def _sweep(self, index: Index) -> None:
        """Remove folders that ``index`` does not name (on Windows not while they are read).

        They are given another name first: who builds cells in one of them can put nothing there any
        more while it is being removed.
        """
        named = {entry.name for entry in index.entries}
        for folder in self.folder.glob("segment-*"):
            if folder.name not in named:
                gone = folder if folder.suffix else folder.with_suffix(_GONE)
                if gone != folder:
                    with contextlib.suppress(OSError):
                        folder.replace(gone)
                for one in {folder, gone}:
                    shutil.rmtree(one, ignore_errors=True)


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
                "files": seals_to_json(entry.seals),
                "cells": None if entry.cells is None else asdict(entry.cells),
                "cell_files": seals_to_json(entry.cell_seals),
            }
            for entry in index.entries
        ],
    }


def _from_json(document: Any, model_id: str) -> Index:
    """Read ``index.json``. Raises what a document of another kind makes it raise."""
    if (document["format"], document["version"]) != (_FORMAT, _VERSION):
        raise ValueError("it is of another format")
    if document["model"] != model_id:
        raise ValueError("it belongs to another encoder")
    entries = []
    for one in document["segments"]:
        name = str(one["name"])
        if re.fullmatch(r"segment-[0-9]{1,9}", name) is None:
            raise ValueError(f"{name!r} is no segment")
        parts: list[Part] = []
        for fingerprint, sampling, count in one["parts"]:
            start = parts[-1].stop if parts else 0
            if int(count) < 1:
                raise ValueError(f"{count} rows")
            parts.append(Part(str(fingerprint), str(sampling), start, int(count)))
        cells = one["cells"]
        meta = None
        if cells is not None:
            meta = CellsMeta(int(cells["count"]), int(cells["probes"]), float(cells["recall"]))
            if not 1 <= meta.probes <= meta.count:
                raise ValueError(f"{meta.probes} of {meta.count} cells")
        seals, own = seals_from_json(one["files"]), seals_from_json(one["cell_files"])
        if seals.keys() != set(SEGMENT_FILES) or not parts:
            raise ValueError(f"{name} lacks files or recordings")
        entries.append(Entry(name, tuple(parts), seals, meta, own))
    return Index(int(document["dim"]), tuple(entries))
