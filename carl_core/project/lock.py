"""Who has a project open: a lock beside it, dropped by the system however its holder ends.

It hinders nobody from reading or writing; it lets the second window say that there is a first.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
from typing import TYPE_CHECKING

from carl_core.embeddings.locks import FileLock
from carl_core.paths import reachable

if TYPE_CHECKING:
    from pathlib import Path

_MOST_TEXT = 200  # characters


class ProjectLock:
    """The claim of one window on one project. Safe to release twice.

    Parameters
    ----------
    project : the project file; need not exist
    """

    def __init__(self, project: Path) -> None:
        self.project = project
        self._path = lock_path(project)
        self._lock = FileLock(self._path)

    def acquire(self) -> str | None:
        """Claim the project.

        Returns
        -------
        None when nobody else has it, also where the folder takes no lock (nobody saves there);
        otherwise who has it, "" where that is not known
        """
        try:
            for _ in range(3):
                if not self._lock.acquire():
                    return _holder(self._path)
                if self._lock.is_current():
                    break
                self._lock.release()  # its file was removed meanwhile: it guards nothing
        except OSError:
            return None
        with contextlib.suppress(OSError):
            self._lock.write(f"process {os.getpid()} of {_user()} on {platform.node()}")
        return None

    def release(self) -> None:
        """Give the claim back and remove the file."""
        self._lock.discard()


def is_open_somewhere(project: Path) -> bool:
    """Whether a window, this process's own included, has the project open."""
    path = lock_path(project)
    if not path.is_file():
        return False
    lock = FileLock(path)
    try:
        if not lock.acquire():
            return True
    except OSError:
        return False
    lock.release()
    return False


def lock_path(project: Path) -> Path:
    """Where the lock of a project lies."""
    return reachable(project.with_name(f".{project.name}.lock"))


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:_MOST_TEXT].strip()
    except OSError:  # Windows: what is locked cannot be read
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"
