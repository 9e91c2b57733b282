"""A lock between processes on a file, held as long as the file is open."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from carl_core.paths import reachable

if TYPE_CHECKING:
    from pathlib import Path

_IS_WINDOWS = sys.platform == "win32"


class FileLock:
    """An exclusive lock on a file; the system drops it when the process ends, however it ends.

    Two locks on one file exclude each other inside one process, too.
    """

    def __init__(self, path: Path) -> None:
        self._path = reachable(path)
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; return whether it was. Raises ``OSError``."""
        if self._descriptor is not None:
            return False
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def is_current(self) -> bool:
        """Whether the file that is locked is still the one of that name. Raises ``OSError``."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def write(self, text: str) -> None:
        """Say in the file who holds the lock. Raises ``OSError``."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, text.encode("utf-8"))

    def discard(self) -> None:
        """Give the lock back and remove its file; nothing happens when it is not held.

        Who takes it meanwhile holds a file that is gone, or keeps it: see ``is_current``.
        """
        if self._descriptor is None:
            return
        # Windows removes no file that is open. There nobody's is removed afterwards, either.
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self.release()
        if _IS_WINDOWS:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._descriptor is not None:
            _unlock(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        # What is closed is unlocked when the system comes to it; the next one shall not wait.
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        """Nothing: closing does it at once."""
