"""Paths from files and people, asked about without raising; where things are kept, if at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import platformdirs

from carl_core import waiting

KEEP_NOTHING = "CARL_KEEP_NOTHING"
"""Set to 1: no cache, no recent projects, no log; what must lie somewhere goes at the end."""


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether a file lies at ``path``; false where that cannot be asked, or nothing answers.

    Of a path without permission or of one that is too long, ``Path.is_file`` raises.
    """
    try:
        return waiting.answered(lambda: os.path.isfile(path), waiting.ANSWER_S / 4)  # noqa: PTH113
    except TimeoutError:
        return False


def read_bounded(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Read a file that a stranger may have made: an ordinary one, of a limited size.

    Raises
    ------
    OSError
        When it cannot be read, is larger, or is no ordinary file (a pipe would be waited for, a
        device may never end).
    """
    path = Path(path)
    try:
        status = path.stat()
    except ValueError as exc:  # a null character
        raise OSError(errno.EINVAL, "there can be no such path") from exc
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file", str(path))
    if status.st_size > most_bytes:
        raise OSError(
            errno.EFBIG,
            f"it has {status.st_size / 2**20:.0f} MiB, and such files have {most_bytes >> 20} at "
            "most",
            str(path),
        )
    with path.open("rb") as file:
        # NOTE: room is made for as many bytes as are asked for, however few there are.
        return file.read(status.st_size)


def keeps_nothing() -> bool:
    """Whether nothing of what is looked at may be kept, see ``KEEP_NOTHING``."""
    return os.environ.get(KEEP_NOTHING, "") not in ("", "0")


def state_folder() -> Path:
    """Folder of recent projects and unsaved work: ``CARL_STATE``, or the user's."""
    given = os.environ.get("CARL_STATE")
    return Path(given) if given else platformdirs.user_state_path("carl")


def log_folder() -> Path:
    """Folder of the window's log: in ``CARL_STATE``, or the user's."""
    given = os.environ.get("CARL_STATE")
    return Path(given) / "log" if given else platformdirs.user_log_path("carl")
