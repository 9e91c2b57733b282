"""Changes a library on disk: recordings come and go.

New recordings make a new segment; small ones are merged into larger ones, so that there are few
(each is at least twice as large as the next).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from carl_core.retrieval.library_files import SEGMENT_FILES, Entry, Index
from carl_core.retrieval.seals import sealed
from carl_core.retrieval.writer import SegmentWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.progress import Monitor
    from carl_core.retrieval.library_files import LibraryFiles


def add_recordings(
    files: LibraryFiles, index: Index, recordings: Iterable[Embeddings], monitor: Monitor
) -> int:
    """Take in recordings as one new segment, and merge small segments; return their number.

    Rows of an earlier sampling of the same recording go. Raises ``OSError`` and ``Cancelled``.
    """
    name = files.new_name()
    waiting = iter(recordings)
    first = next(waiting, None)
    if first is None:
        return 0
    with SegmentWriter(files.folder / name, first.dim) as writer:
        writer.add(first)
        for embeddings in waiting:
            monitor.check()
            writer.add(embeddings)
        added = writer.finish()
    seals = sealed(added.folder, SEGMENT_FILES)
    gone = {part.fingerprint for part in added.parts}
    index = without(files, index, gone, monitor)
    index = Index(first.dim, (*index.entries, Entry(name, added.parts, seals)))
    files.commit(index)
    while len(index.entries) > 1 and index.entries[-2].count < 2 * index.entries[-1].count:
        merged = _copied(files, index, index.entries[-2:], set(), monitor)
        index = replace(index, entries=(*index.entries[:-2], merged))
        files.commit(index)
    return len(added.parts)


def without(files: LibraryFiles, index: Index, gone: set[str], monitor: Monitor) -> Index:
    """Rewrite segments that hold a recording that goes. Raises ``OSError`` and ``Cancelled``."""
    entries = []
    for entry in index.entries:
        kept = tuple(part for part in entry.parts if part.fingerprint not in gone)
        if len(kept) == len(entry.parts):
            entries.append(entry)
        elif kept:
            entries.append(_copied(files, index, (entry,), gone, monitor))
    return replace(index, entries=tuple(entries))


def _copied(
    files: LibraryFiles,
    index: Index,
    entries: tuple[Entry, ...],
    gone: set[str],
    monitor: Monitor,
) -> Entry:
    """Write what is left of some segments as one new one."""
    name = files.new_name()
    with SegmentWriter(files.folder / name, index.dim) as writer:
        for entry in entries:
            segment, _ = files.open(entry, index.dim)
            for part in entry.parts:
                if part.fingerprint not in gone:
                    writer.copy(segment, part, monitor.check)
        made = writer.finish()
    return Entry(name, made.parts, sealed(made.folder, SEGMENT_FILES))
