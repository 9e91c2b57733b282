"""Notice that a file is not what was written: by size and time of change, and then by its content.

As in the store: what kept both is taken to be unchanged, since reading everything at each opening
would cost hundreds of times what a memory map does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Seal:
    """What a file was when it was finished: bytes, time of change (ns), xxh3-128 of its content."""

    size: int
    changed_ns: int
    digest: str


def sealed(folder: Path, names: Iterable[str]) -> dict[str, Seal]:
    """Read files that were just written, and return their seals. Raises ``OSError``."""
    seals = {}
    for name in names:
        status = (folder / name).stat()
        seals[name] = Seal(status.st_size, status.st_mtime_ns, _digest(folder / name))
    return seals


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
        status = (folder / name).stat()
        if (status.st_size, status.st_mtime_ns) == (seal.size, seal.changed_ns):
            continue
        if status.st_size != seal.size or _digest(folder / name) != seal.digest:
            raise ValueError(f"{name} is not what was written")


def seals_to_json(seals: Mapping[str, Seal]) -> dict[str, list[Any]]:
    """Write as JSON."""
    return {name: [seal.size, seal.changed_ns, seal.digest] for name, seal in seals.items()}


def seals_from_json(document: Any) -> dict[str, Seal]:
    """Read JSON. Raises ``ValueError``, ``TypeError``, ``OverflowError`` and ``AttributeError``."""
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
