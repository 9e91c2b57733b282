"""Write an entry of the store chunk by chunk, to be taken up after any interruption."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from carl_core.atomic import write_atomic
from carl_core.embeddings.entry import read_entry
from carl_core.embeddings.meta import (
    CHUNKS,
    STREAMS,
    VECTORS,
    Chunk,
    DamagedEntryError,
    Finished,
    Meta,
    digest,
    listed_chunks,
    read_meta,
    rows_of,
    stamps_of,
    whole_chunks,
    write_meta,
)
from carl_core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import FileIO
    from pathlib import Path

    import numpy.typing as npt

    from carl_core.arrays import Float32, Float64, Int64
    from carl_core.embeddings.locks import FileLock

log = logging.getLogger("carl.store")


@dataclass(eq=False)
class EntryWriter:
    """Appends the features of one recording to its entry. Made by ``EmbeddingStore.open_writer``.

    Use as a context manager; it holds the entry's lock until closed.

    Attributes
    ----------
    folder : of the entry
    meta : whose it is
    frames, pts, times_s : (N,) of the whole recording, as they will be when finished
    done : frames whose features are stored
    is_finished : whether the vectors of exactly these frames were there already, whole: somebody
        else finished between two looks
    """

    folder: Path
    meta: Meta
    frames: Int64
    pts: Int64
    times_s: Float64
    lock: FileLock = field(repr=False)
    done: int = 0
    is_finished: bool = False
    _streams: list[FileIO] = field(default_factory=list, repr=False)

    def __enter__(self) -> EntryWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the entry free."""
        for stream in self._streams:
            stream.close()
        self.lock.release()

    def take_up(self) -> None:
        """Keep the chunks that are whole and belong to these frames, and cut off the rest.

        Raises
        ------
        StoreError
            When the folder cannot be written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = self._usable()
            self.done = sum(chunk.frames for chunk in kept)
            self.is_finished = self.done == len(self.frames) and self._has_vectors()
            if self.is_finished:  # nothing is touched: who has just finished it looks for it
                return
            write_meta(self.folder, self.meta)
            # The list first: whatever of the streams it does not speak of may be cut off.
            write_atomic(self.folder / CHUNKS, "".join(chunk.to_line() for chunk in kept))
            for name, kind in STREAMS:
                stream = (self.folder / name).open("ab", buffering=0)
                self._streams.append(stream)
                stream.truncate(self.done * self.meta.width(name) * np.dtype(kind).itemsize)
        except OSError as exc:
            raise _unwritable(self.folder, exc) from exc

    def append(self, features: npt.NDArray[np.float16]) -> None:
        """Store the features of the next frames as one whole chunk: float16 (n, C).

        Raises
        ------
        StoreError
            When they cannot be written, e.g. because the disk is full.
        """
        start, end = self.done, self.done + len(features)
        if features.dtype != np.float16 or features.shape[1:] != (self.meta.channels,):
            raise ValueError(f"features must be float16 (n, {self.meta.channels})")
        if not start < end <= len(self.frames):
            raise ValueError(f"chunk {start}..{end} of {len(self.frames)} frames")
        columns = (
            features,
            self.times_s[start:end],
            self.pts[start:end],
            self.frames[start:end],
        )
        blocks = [
            np.ascontiguousarray(column, dtype=kind)
            for column, (_, kind) in zip(columns, STREAMS, strict=True)
        ]
        chunk = Chunk(len(features), digest(blocks))
        try:
            for stream, block in zip(self._streams, blocks, strict=True):
                _write_all(stream, block)
            with (self.folder / CHUNKS).open("ab", buffering=0) as listed:
                _write_all(listed, np.frombuffer(chunk.to_line().encode("ascii"), np.uint8))
        except OSError as exc:
            raise _unwritable(self.folder, exc) from exc
        self.done = end

    def features(self) -> StoredFeatures:
        """Features stored so far, float16 (done, C), read piece by piece."""
        return StoredFeatures(self.folder, (self.done, self.meta.channels))

    def finish(self, blocks: Iterable[Float32]) -> None:
        """Store the vectors, blocks of float32 (n, D) in order, and mark the entry as complete.

        Raises
        ------
        StoreError
            When they cannot be written.
        """
        if self.done != len(self.frames):
            raise ValueError(f"only {self.done} of {len(self.frames)} frames have features")
        count, checksum = 0, xxhash.xxh3_128()
        try:
            # A new file, not the old one overwritten, which somebody may have mapped; and not by
            # renaming, at which file systems wait for the disk.
            path = self.folder / VECTORS[0]
            path.unlink(missing_ok=True)
            with path.open("xb", buffering=0) as stream:
                for vectors in blocks:
                    block = np.ascontiguousarray(vectors, dtype="<f4")
                    if block.ndim != 2 or block.shape[1] != self.meta.dim:
                        raise ValueError(f"vectors must be (n, {self.meta.dim})")
                    if not np.isfinite(
                        block.sum()
                    ):  # readers rely on it; unit rows do not overflow
                        raise ValueError("vectors must be finite")
                    checksum.update(block.data)
                    _write_all(stream, block)
                    count += len(block)
            if count != self.done:
                raise ValueError(f"{count} vectors for {self.done} frames")
            finished = Finished(count, str(checksum.hexdigest()), stamps_of(self.folder))
            write_meta(self.folder, replace(self.meta, finished=finished))
        except (OSError, DamagedEntryError) as exc:
            raise _unwritable(self.folder, exc) from exc

    def _usable(self) -> tuple[Chunk, ...]:
        """Return the chunks of an earlier run that can be used."""
        try:
            found = read_meta(self.folder)
            ours = (self.meta.key, self.meta.channels, self.meta.dim)
            if (found.key, found.channels, found.dim) != ours:
                raise DamagedEntryError("it belongs to something else")
            listed = listed_chunks(self.folder)
            whole = whole_chunks(self.folder, found, listed)
            if whole != listed:
                log.warning(
                    "The cache entry %s is damaged: %d of %d chunks can be used, the rest is "
                    "computed again.",
                    self.folder.name,
                    len(whole),
                    len(listed),
                )
            count = sum(chunk.frames for chunk in whole)
            if count > len(self.frames) or not self._belongs(count):
                raise DamagedEntryError("its frames are not those of the recording")
        except FileNotFoundError:
            return ()
        except DamagedEntryError as exc:
            log.warning("The cache entry %s is damaged: %s. Rebuilding it.", self.folder.name, exc)
            return ()
        return whole

    def _has_vectors(self) -> bool:
        try:
            return read_entry(self.folder, self.meta.key) is not None
        except (DamagedEntryError, FileNotFoundError):
            return False

    def _belongs(self, count: int) -> bool:
        columns = (self.times_s, self.pts, self.frames)
        return count == 0 or all(
            np.array_equal(rows_of(self.folder, stream, 1, 0, count)[:, 0], column[:count])
            for stream, column in zip(STREAMS[1:], columns, strict=True)
        )


class StoredFeatures:
    """Features of an entry that is being written, float16 (N, C), read where they are asked for.

    Not memory mapped: pages of a map count as memory of the process until the system wants them.
    """

    def __init__(self, folder: Path, shape: tuple[int, int]) -> None:
        self._folder = folder
        self.shape: tuple[int, ...] = shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice, /) -> npt.NDArray[np.float16]:
        """Read rows (one after the other). Raises ``StoreError``."""
        start, end, _ = rows.indices(len(self))
        try:
            return rows_of(self._folder, STREAMS[0], self.shape[1], start, max(0, end - start))
        except (OSError, DamagedEntryError) as exc:
            raise StoreError(f"The cache entry {self._folder} cannot be read: {exc}.") from exc


def _write_all(stream: FileIO, block: npt.NDArray[Any]) -> None:
    # Without a buffer: nothing of a chunk may be written after its line.
    left = block.data.cast("B")
    while left:
        left = left[stream.write(left) :]


def _unwritable(folder: Path, exc: Exception) -> StoreError:
    reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return StoreError(
        f"The cache {folder.parent} cannot be written: {reason}. "
        "Free some space, or set CARL_CACHE to a folder that can be written."
    )
