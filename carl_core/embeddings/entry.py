"""One entry of the store: a folder of raw, append-only files and a ``meta.json``.

::

    features.f16   (N, C) trunk features as they came   vectors.f32   (N, D) unit rows, at the end
    times.f64      (N,)   seconds                       frames.i64    (N,)   frame numbers
    pts.i64        (N,)   ticks                         meta.json     what of it is whole

``meta.json`` is replaced atomically after each chunk. Bytes beyond the chunks it lists are cut off
when the work is taken up again; a chunk whose checksum does not fit ends what can be used.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from carl_core.atomic import write_atomic
from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from carl_core.arrays import Float32, Float64, Int64
    from carl_core.embeddings.locks import FileLock

log = logging.getLogger("carl.store")

META = "meta.json"
FORMAT = "carl-embeddings"
VERSION = 1
# File and element type of what each chunk appends, in the order its checksum runs over them.
_STREAMS = (
    ("features.f16", "<f2"),
    ("times.f64", "<f8"),
    ("pts.i64", "<i8"),
    ("frames.i64", "<i8"),
)
_VECTORS = ("vectors.f32", "<f4")
_FLOAT16_MAX = 65504.0


class DamagedEntryError(Exception):
    """An entry is not what its ``meta.json`` says (inside this package only)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One whole chunk: its number of frames and the checksum over its bytes in all streams."""

    frames: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Meta:
    """What ``meta.json`` says.

    Attributes
    ----------
    key : recording, model and sampling
    channels, dim : C and D
    chunks : whole chunks in order
    vectors : checksum of the vectors once all of them are there, else None
    """

    key: EmbeddingKey
    channels: int
    dim: int
    chunks: tuple[Chunk, ...] = ()
    vectors: str | None = None

    @property
    def frames(self) -> int:
        """Frames in whole chunks."""
        return sum(chunk.frames for chunk in self.chunks)

    def to_text(self) -> str:
        """Write as JSON."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "fingerprint": self.key.fingerprint,
            "model": self.key.model_id,
            "sampling": self.key.sampling,
            "channels": self.channels,
            "dim": self.dim,
            "whole_chunks": len(self.chunks),
            "chunks": [{"frames": c.frames, "checksum": c.checksum} for c in self.chunks],
            "vectors": self.vectors,
        }
        return json.dumps(document)

    @staticmethod
    def from_text(text: str) -> Meta:
        """Read JSON. Raises ``DamagedEntryError``."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT or document["version"] != VERSION:
                raise DamagedEntryError("it is of another format")
            meta = Meta(
                EmbeddingKey(document["fingerprint"], document["model"], document["sampling"]),
                int(document["channels"]),
                int(document["dim"]),
                tuple(Chunk(int(c["frames"]), str(c["checksum"])) for c in document["chunks"]),
                None if document["vectors"] is None else str(document["vectors"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise DamagedEntryError(f"{META} cannot be read ({exc!r})") from exc
        whole = document.get("whole_chunks")
        if whole != len(meta.chunks) or any(c.frames < 1 for c in meta.chunks):
            raise DamagedEntryError(f"{META} contradicts itself")
        return meta


def read_meta(folder: Path) -> Meta:
    """Read ``meta.json``. Raises ``DamagedEntryError`` and, when there is none, ``OSError``."""
    try:
        return Meta.from_text((folder / META).read_text(encoding="utf-8"))
    except UnicodeDecodeError as exc:
        raise DamagedEntryError(f"{META} is not text") from exc


def read_entry(folder: Path, key: EmbeddingKey) -> Embeddings | None:
    """Read a finished entry, checking every checksum; None when it is not finished.

    Raises
    ------
    DamagedEntryError
        When the files are not what ``meta.json`` says.
    OSError
        When there is no entry, or it cannot be read.
    """
    meta = read_meta(folder)
    if meta.key != key:
        raise DamagedEntryError("it belongs to something else")
    if meta.vectors is None:
        return None
    if _whole_chunks(folder, meta) != meta.chunks:
        raise DamagedEntryError("a checksum does not fit")
    vectors = _read(folder, _VECTORS, meta.dim, 0, meta.frames)
    if _digest([vectors]) != meta.vectors:
        raise DamagedEntryError("the checksum of the vectors does not fit")
    columns = {name: _read(folder, (name, kind), 1, 0, meta.frames) for name, kind in _STREAMS[1:]}
    try:
        return Embeddings(
            key, columns["frames.i64"][:, 0], columns["times.f64"][:, 0], vectors.astype(np.float32)
        )
    except ValueError as exc:
        raise DamagedEntryError(str(exc)) from exc


def read_features(folder: Path, key: EmbeddingKey) -> npt.NDArray[np.float16] | None:
    """Return the trunk features (N, C) of a finished entry, memory mapped; None when unfinished.

    Raises
    ------
    DamagedEntryError
        When the files are not what ``meta.json`` says.
    OSError
        When there is no entry, or it cannot be read.
    """
    meta = read_meta(folder)
    if meta.key != key or meta.vectors is None:
        return None
    if _whole_chunks(folder, meta) != meta.chunks:
        raise DamagedEntryError("a checksum does not fit")
    shape = (meta.frames, meta.channels)
    return np.memmap(folder / "features.f16", dtype="<f2", mode="r", shape=shape)


@dataclass(eq=False)
class EntryWriter:
    """Appends the features of one recording to its entry. Made by ``EmbeddingStore.open_writer``.

    Use as a context manager; it holds the entry's lock until closed.

    Attributes
    ----------
    folder : of the entry
    meta : what is whole so far
    frames, pts, times_s : (N,) of the whole recording, as they will be when finished
    """

    folder: Path
    meta: Meta
    frames: Int64
    pts: Int64
    times_s: Float64
    lock: FileLock = field(repr=False)

    def __enter__(self) -> EntryWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the entry free."""
        self.lock.release()

    @property
    def done(self) -> int:
        """Frames whose features are stored."""
        return self.meta.frames

    def take_up(self) -> None:
        """Keep the chunks that are whole and belong to these frames, and cut off the rest.

        Raises
        ------
        StoreError
            When the folder cannot be written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.meta = self._usable()
            for name, kind in _STREAMS:
                width = self._width(name) * np.dtype(kind).itemsize
                with (self.folder / name).open("ab") as stream:
                    stream.truncate(self.done * width)
            self._write_meta()
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
        columns = {
            "features.f16": features,
            "times.f64": self.times_s[start:end],
            "pts.i64": self.pts[start:end],
            "frames.i64": self.frames[start:end],
        }
        blocks = [np.ascontiguousarray(columns[name], dtype=kind) for name, kind in _STREAMS]
        try:
            for (name, _), block in zip(_STREAMS, blocks, strict=True):
                with (self.folder / name).open("ab") as stream:
                    stream.write(block.data)
            chunk = Chunk(len(features), _digest(blocks))
            self.meta = Meta(
                self.meta.key, self.meta.channels, self.meta.dim, (*self.meta.chunks, chunk)
            )
            self._write_meta()
        except OSError as exc:
            raise _unwritable(self.folder, exc) from exc

    def features(self) -> npt.NDArray[np.float16]:
        """Features stored so far, float16 (done, C), memory mapped read-only.

        Raises
        ------
        StoreError
            When they cannot be read.
        """
        shape = (self.done, self.meta.channels)
        if not self.done:
            return np.empty(shape, dtype=np.float16)
        try:
            return np.memmap(self.folder / "features.f16", dtype="<f2", mode="r", shape=shape)
        except (OSError, ValueError) as exc:
            raise StoreError(f"The cache entry {self.folder} cannot be read: {exc}.") from exc

    def finish(self, vectors: Float32) -> None:
        """Store the vectors, float32 (N, D), and mark the entry as complete.

        Raises
        ------
        StoreError
            When they cannot be written.
        """
        if self.done != len(self.frames) or vectors.shape != (self.done, self.meta.dim):
            raise ValueError(f"vectors {vectors.shape} for {self.done}/{len(self.frames)} frames")
        block = np.ascontiguousarray(vectors, dtype="<f4")
        try:
            (self.folder / _VECTORS[0]).write_bytes(block.data)
            self.meta = Meta(
                self.meta.key,
                self.meta.channels,
                self.meta.dim,
                self.meta.chunks,
                _digest([block]),
            )
            self._write_meta()
        except OSError as exc:
            raise _unwritable(self.folder, exc) from exc

    def _usable(self) -> Meta:
        """Return ``meta`` with the chunks of an earlier run that can be used."""
        fresh = Meta(self.meta.key, self.meta.channels, self.meta.dim)
        try:
            found = read_meta(self.folder)
            if (found.key, found.channels, found.dim) != (fresh.key, fresh.channels, fresh.dim):
                raise DamagedEntryError("it belongs to something else")
            whole = _whole_chunks(self.folder, found)
            if whole != found.chunks:
                log.warning(
                    "The cache entry %s is damaged: %d of %d chunks can be used, the rest is "
                    "computed again.",
                    self.folder.name,
                    len(whole),
                    len(found.chunks),
                )
            kept = Meta(fresh.key, fresh.channels, fresh.dim, whole)
            if kept.frames > len(self.frames) or not self._belongs(kept.frames):
                raise DamagedEntryError("its frames are not those of the recording")
        except FileNotFoundError:
            return fresh
        except DamagedEntryError as exc:
            log.warning("The cache entry %s is damaged: %s. Rebuilding it.", self.folder.name, exc)
            return fresh
        return kept

    def _belongs(self, count: int) -> bool:
        expected = {"times.f64": self.times_s, "pts.i64": self.pts, "frames.i64": self.frames}
        return all(
            np.array_equal(
                _read(self.folder, (name, kind), 1, 0, count)[:, 0], expected[name][:count]
            )
            for name, kind in _STREAMS[1:]
        )

    def _width(self, name: str) -> int:
        return self.meta.channels if name == "features.f16" else 1

    def _write_meta(self) -> None:
        write_atomic(self.folder / META, self.meta.to_text())


def to_stored(features: Float32) -> npt.NDArray[np.float16]:
    """Round features to what the store keeps. The head must see nothing finer than this."""
    return np.clip(features, -_FLOAT16_MAX, _FLOAT16_MAX).astype(np.float16)


def _whole_chunks(folder: Path, meta: Meta) -> tuple[Chunk, ...]:
    """Return the leading chunks whose bytes are there and fit their checksum."""
    whole: list[Chunk] = []
    start = 0
    for chunk in meta.chunks:
        try:
            blocks = [
                _read(
                    folder,
                    (name, kind),
                    meta.channels if name == "features.f16" else 1,
                    start,
                    chunk.frames,
                )
                for name, kind in _STREAMS
            ]
        except DamagedEntryError:
            break
        if _digest(blocks) != chunk.checksum:
            break
        whole.append(chunk)
        start += chunk.frames
    return tuple(whole)


def _read(
    folder: Path, stream: tuple[str, str], width: int, start: int, count: int
) -> npt.NDArray[Any]:
    name, kind = stream
    try:
        values = np.fromfile(
            folder / name,
            dtype=kind,
            count=count * width,
            offset=start * width * np.dtype(kind).itemsize,
        )
    except FileNotFoundError as exc:
        raise DamagedEntryError(f"{name} is missing") from exc
    if len(values) != count * width:
        raise DamagedEntryError(f"{name} is too short")
    return values.reshape(count, width)


def _digest(blocks: list[npt.NDArray[Any]]) -> str:
    digest = xxhash.xxh3_128()
    for block in blocks:
        digest.update(np.ascontiguousarray(block).data)
    return str(digest.hexdigest())


def _unwritable(folder: Path, exc: OSError) -> StoreError:
    return StoreError(
        f"The cache {folder.parent} cannot be written: {exc.strerror or exc}. "
        "Free some space, or set CARL_CACHE to a folder that can be written."
    )
