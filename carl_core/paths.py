"""Paths from files and people, asked about without raising; where things are kept, if at all."""

from __future__ import annotations

import errno
import ntpath
import os
import stat
from pathlib import Path, PurePath, PureWindowsPath

import platformdirs

from carl_core import waiting

KEEP_NOTHING = "CARL_KEEP_NOTHING"
"""Set to 1: no cache, no recent projects, no log; what must lie somewhere goes at the end."""

_IS_WINDOWS = os.name == "nt"
# Folders may have 248 characters, files 260; entries of the cache add a hundred to its folder.
_LONG_FOR_WINDOWS = 150


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether a file lies at ``path``; false where that cannot be asked, or nothing answers.

    Of a path without permission or of one that is too long, ``Path.is_file`` raises.
    """
    try:
        return waiting.answered(
            lambda: os.path.isfile(reachable(Path(path))),  # noqa: PTH113
            waiting.ANSWER_S / 4,
        )
    except TimeoutError:
        return False


def reachable(path: Path) -> Path:
    r"""Return the path to ask the system with; the one given stays what people see and we keep.

    Windows takes paths of more than 260 characters only in a form of their own, see ``extended``.
    """
    return Path(extended(str(path.absolute()))) if _IS_WINDOWS else path


def extended(path: str) -> str:
    r"""Return an absolute Windows path as ``\\?\...`` (shares: ``\\?\UNC\...``) where it is long.

    What is short, has that form already or names no drive stays as it is.
    """
    whole = ntpath.normpath(path)  # nothing is resolved in that form, slashes are none
    if len(whole) < _LONG_FOR_WINDOWS or whole.startswith(("\\\\?\\", "\\\\.\\")):
        return path
    if whole.startswith("\\\\"):
        return "\\\\?\\UNC" + whole[1:]
    return "\\\\?\\" + whole if whole[1:3] == ":\\" else path


def parts_of(path: str) -> PurePath:
    """Take a path from a file apart that may have been written on another kind of system."""
    is_of_windows = path[1:3] in (":\\", ":/") or path.startswith("\\\\")
    return PureWindowsPath(path) if is_of_windows else PurePath(path)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is a folder; false where that cannot be asked, or nothing answers."""
    try:
        return waiting.answered(
            lambda: os.path.isdir(reachable(Path(path))),  # noqa: PTH112
            waiting.ANSWER_S / 4,
        )
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
    path = reachable(Path(path))
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


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone. Raises ``OSError``.

    What is there already stays as it is.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def settings_file() -> Path:
    """Where the window's settings lie; ``CARL_CONFIG`` names another folder."""
    folder = os.environ.get("CARL_CONFIG") or platformdirs.user_config_dir("carl")
    return Path(folder) / "window.ini"


def state_folder() -> Path:
    """Folder of recent projects and unsaved work: ``CARL_STATE``, or the user's."""
    given = os.environ.get("CARL_STATE")
    return Path(given) if given else platformdirs.user_state_path("carl")


def log_folder() -> Path:
    """Folder of the window's log: in ``CARL_STATE``, or the user's."""
    given = os.environ.get("CARL_STATE")
    return Path(given) / "log" if given else platformdirs.user_log_path("carl")
