"""Notice that a file is not what was written: by size and time of change, and then by its content.

As in the store: what kept both is taken to be unchanged, since reading everything at each opening
would cost hundreds of times what a memory map does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Seal:
    """What a file was when it was finished: bytes, time of change (ns), xxh3-128 of its content."""

    size: int
    changed_ns: int
    digest: str


class SealedFile:
    """A file that is written once, from its beginning to its end. One thread at a time."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")
        self._sum = xxhash.xxh3_128()

    def write(self, data: memoryview) -> None:
        """Append. Raises ``OSError``."""
        self._stream.write(data)
        self._sum.update(data)

    def finish(self) -> Seal:
        """Flush to the disk, close, and return the seal. Raises ``OSError``."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        status = os.fstat(self._stream.fileno())
        self._stream.close()
        return Seal(status.st_size, status.st_mtime_ns, str(self._sum.hexdigest()))

    def close(self) -> None:
        """Leave it as it is."""
        self._stream.close()


def check_seals(folder: Path, seals: Mapping[str, Seal]) -> None:
    """Compare files with what they were.

    Raises
    ------
    ValueError
        When one is another.
    OSError
        When one is missing or cannot be read.
    """
    for name, seal in seals.items():
        path = folder / name
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) == (seal.size, seal.changed_ns):
            continue
        if status.st_size != seal.size or _digest(path) != seal.digest:
            raise ValueError(f"{name} is not what was written")


def seals_to_json(seals: Mapping[str, Seal]) -> dict[str, list[Any]]:
    """Write as JSON."""
    return {name: [seal.size, seal.changed_ns, seal.digest] for name, seal in seals.items()}


def seals_from_json(document: Any) -> dict[str, Seal]:
    """Read JSON. Raises ``ValueError``, ``TypeError`` and ``AttributeError``."""
    return {
        str(name): Seal(int(size), int(changed_ns), str(digest))
        for name, (size, changed_ns, digest) in document.items()
    }


def _digest(path: Path) -> str:
    whole = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK_BYTES):
            whole.update(block)
    return str(whole.hexdigest())
