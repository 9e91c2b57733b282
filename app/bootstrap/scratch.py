"""A folder that goes with the process, however that ends: the next window removes what was left."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from carl_core.embeddings.locks import FileLock

_PREFIX = "carl-"
_ALIVE = ".alive"


class Scratch:
    """A private temporary folder, and the claim that it is in use.

    Attributes
    ----------
    folder : where it is
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = FileLock(self.folder / _ALIVE)
        self._lock.acquire()

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        self._lock.release()  # Windows removes no file that is open
        shutil.rmtree(self.folder, ignore_errors=True)


def sweep() -> int:
    """Remove such folders of processes that are gone; return how many."""
    gone = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or not (folder / _ALIVE).is_file() or not _is_ours(folder):
                continue
            lock = FileLock(folder / _ALIVE)
            if lock.acquire():
                lock.release()
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
    return gone


def _is_ours(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
