"""What everything that scans the library's files shares: how they are mapped, and the threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


def mapped(path: Path, kind: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Map a file of exactly this shape. Raises ``OSError`` and ``ValueError``."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if path.stat().st_size != size:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes in place of {size}")
    # A plain view: slices of np.memmap cost ten times as much as the rows they show.
    return np.asarray(np.memmap(path, dtype=kind, mode="r", shape=shape)).view(np.ndarray)


def thread_count() -> int:
    """Threads that a search uses."""
    return min(8, os.cpu_count() or 1)


@cache
def threads() -> ThreadPoolExecutor:
    """Return the threads that searches share."""
    return ThreadPoolExecutor(thread_count(), thread_name_prefix="carl-scan")
