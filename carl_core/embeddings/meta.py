"""What an entry of the store says about itself, and the checks of its raw files.

::

    features.f16   (N, C) trunk features as they came   vectors.f32   (N, D) unit rows, at the end
    times.f64      (N,)   seconds                       frames.i64    (N,)   frame numbers
    pts.i64        (N,)   ticks                         meta.json     whose they are, if finished
    chunks.txt     a line for each whole chunk: frames, checksum over its bytes in all streams

A chunk counts when its line is there to its end; bytes of the streams beyond the lines are cut off
when the work is taken up again, and a chunk whose checksum does not fit ends what can be used.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from carl_core.atomic import write_atomic
from carl_core.embeddings.embeddings import EmbeddingKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

META = "meta.json"
CHUNKS = "chunks.txt"
FORMAT = "carl-embeddings"
VERSION = 2
STREAMS = (
    ("features.f16", "<f2"),
    ("times.f64", "<f8"),
    ("pts.i64", "<i8"),
    ("frames.i64", "<i8"),
)
"""File and element type of what each chunk appends, in the order its checksum runs over them."""
VECTORS = ("vectors.f32", "<f4")


class DamagedEntryError(Exception):
    """An entry is not what it says of itself (inside this package only)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One whole chunk: its number of frames and the checksum over its bytes in all streams."""

    frames: int
    checksum: str

    def to_line(self) -> str:
        """Write as a line of ``chunks.txt``."""
        return f"{self.frames} {self.checksum}\n"


@dataclass(frozen=True, slots=True)
class Finished:
    """What is said of an entry once it is whole.

    Attributes
    ----------
    frames : N
    vectors : checksum
    stamps : size in bytes and time of change (ns) of each file
    """

    frames: int
    vectors: str
    stamps: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Meta:
    """What ``meta.json`` says.

    Attributes
    ----------
    key : recording, model and sampling
    channels, dim : C and D
    finished : None until all vectors are there
    """

    key: EmbeddingKey
    channels: int
    dim: int
    finished: Finished | None = None

    def width(self, name: str) -> int:
        """Values of a stream's row."""
        return self.channels if name == "features.f16" else 1

    def to_text(self) -> str:
        """Write as JSON."""
        finished = self.finished
        document = {
            "format": FORMAT,
            "version": VERSION,
            "fingerprint": self.key.fingerprint,
            "model": self.key.model_id,
            "sampling": self.key.sampling,
            "channels": self.channels,
            "dim": self.dim,
            "frames": None if finished is None else finished.frames,
            "vectors": None if finished is None else finished.vectors,
            "stamps": {} if finished is None else finished.stamps,
        }
        return json.dumps(document)

    @staticmethod
    def from_text(text: str) -> Meta:
        """Read JSON. Raises ``DamagedEntryError``."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT or document["version"] != VERSION:
                raise DamagedEntryError("it is of another format")
            finished = None
            if document["vectors"] is not None:
                finished = Finished(
                    int(document["frames"]),
                    str(document["vectors"]),
                    {str(n): (int(s[0]), int(s[1])) for n, s in document["stamps"].items()},
                )
            channels, dim = int(document["channels"]), int(document["dim"])
            if min(channels, dim, finished.frames if finished else 1) < 1:
                raise DamagedEntryError(f"{META} contradicts itself")
            return Meta(
                EmbeddingKey(document["fingerprint"], document["model"], document["sampling"]),
                channels,
                dim,
                finished,
            )
        except (
            ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError,
            RecursionError,
        ) as exc:  # fmt: skip
            raise DamagedEntryError(f"{META} cannot be read ({exc!r})") from exc


def read_meta(folder: Path) -> Meta:
    """Read ``meta.json``. Raises ``DamagedEntryError`` and, when there is none, ``OSError``."""
    try:
        return Meta.from_text((folder / META).read_text(encoding="utf-8"))
    except UnicodeDecodeError as exc:
        raise DamagedEntryError(f"{META} is not text") from exc


def write_meta(folder: Path, meta: Meta) -> None:
    """Replace ``meta.json`` at once. Raises ``OSError``."""
    write_atomic(folder / META, meta.to_text())


def listed_chunks(folder: Path) -> tuple[Chunk, ...]:
    """Return the chunks whose lines are whole; none where the list is missing. Raises ``OSError``.

    What follows a line that makes no sense does not count.
    """
    try:
        text = (folder / CHUNKS).read_bytes().decode("ascii", "replace")
    except FileNotFoundError:
        return ()
    chunks = []
    for line in text.split("\n")[:-1]:  # a line being written has no end
        frames, _, checksum = line.partition(" ")
        if not frames.isdecimal() or int(frames) < 1 or not checksum:
            break
        chunks.append(Chunk(int(frames), checksum))
    return tuple(chunks)


def whole_chunks(folder: Path, meta: Meta, listed: Sequence[Chunk]) -> tuple[Chunk, ...]:
    """Return the leading chunks whose bytes are there and fit their checksum."""
    whole: list[Chunk] = []
    start = 0
    for chunk in listed:
        try:
            blocks = [
                rows_of(folder, stream, meta.width(stream[0]), start, chunk.frames)
                for stream in STREAMS
            ]
        except DamagedEntryError:
            break
        if digest(blocks) != chunk.checksum:
            break
        whole.append(chunk)
        start += chunk.frames
    return tuple(whole)


def stamps_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of every file of an entry.

    Files that kept both are taken for unchanged: reading and hashing everything costs a hundred
    times what opening does. A file cut short by a power failure has another size.

    Raises
    ------
    DamagedEntryError
        When one is missing.
    """
    stamps = {}
    for name in (*(name for name, _ in STREAMS), VECTORS[0], CHUNKS):
        try:
            about = os.stat(f"{folder}/{name}")  # noqa: PTH116  called for every opening: fast
        except FileNotFoundError as exc:
            raise DamagedEntryError(f"{name} is missing") from exc
        stamps[name] = (about.st_size, about.st_mtime_ns)
    return stamps


def rows_of(
    folder: Path, stream: tuple[str, str], width: int, start: int, count: int
) -> npt.NDArray[Any]:
    """Read rows of a file, (count, width). Raises ``DamagedEntryError`` where they are missing."""
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


def digest(blocks: Sequence[npt.NDArray[Any]]) -> str:
    """Return the checksum over the bytes of arrays."""
    whole = xxhash.xxh3_128()
    for block in blocks:
        whole.update(np.ascontiguousarray(block).data)
    return str(whole.hexdigest())
