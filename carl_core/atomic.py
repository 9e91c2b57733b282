"""Write a file whole or not at all. Every file a user may keep is written through here.

What is written lies beside the target under a hidden name (``.NAME.PROCESS.XXXXXXXX.part``) until
it is whole: flushed to the disk, renamed, and the folder flushed, so that after a crash or a cut of
power there is the old file or the new one. What a killed process left lies there for an hour and
goes with the next file of that name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.paths import reachable

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".part"
LEFT_S = 3600.0
"""A partial file that nobody wrote to for so long was left by a process that was killed."""

_IS_WINDOWS = os.name == "nt"
_WAITS_S = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Windows refuses to replace what another program has open: who looks at new files (a virus
scanner, an index, a synchronised folder) lets go of them after a moment."""

_LONGEST_NAME = 200  # bytes; systems allow 255 for a name, and the partial one is longer


def write_atomic(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Replace ``path`` by ``content`` (text as UTF-8, line ends as they are).

    Parameters
    ----------
    path : its folder is made when missing; of a link, what it points to is replaced
    mode : permissions; None = those of the file that is there, else the usual ones

    Raises
    ------
    OSError
        When it cannot be written; what was there before is still there.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path, mode=mode) as partial, partial.open("wb") as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Yield an empty file to write to; it takes the place of ``path`` when the block ends well.

    After an error inside the block it is removed, and ``path`` is as it was. Otherwise as
    ``write_atomic``.
    """
    path = reachable(target_of(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = begin(path, mode=mode)
    try:
        yield partial
        finish(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def begin(path: Path, *, mode: int | None = None) -> Path:
    """Make the empty partial file of ``path``, for writers that live longer than a block.

    Its ending is that of ``path`` where a library looks at it. End with ``finish``, or remove it.

    Raises
    ------
    OSError
        When the folder is missing or takes no files.
    """
    path = reachable(path)
    _sweep(path)
    partial = path.with_name(f"{_beginning(path)}{os.getpid()}.{secrets.token_hex(4)}{SUFFIX}")
    is_new = False
    if mode is None:
        try:
            mode = path.stat().st_mode & 0o777
        except OSError:
            mode, is_new = 0o666, True
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    if not is_new:
        with contextlib.suppress(OSError):  # some file systems keep no permissions
            partial.chmod(mode)
    return partial


def finish(partial: Path, path: Path) -> None:
    """Flush a partial file to the disk and give it its name.

    Raises
    ------
    OSError
        When the disk or the folder refuses; ``path`` is as it was.
    """
    path = reachable(path)
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    for wait_s in _WAITS_S if _IS_WINDOWS else ():
        try:
            partial.replace(path)
            break
        except PermissionError:
            time.sleep(wait_s)
    else:
        partial.replace(path)
    flush_folder(path.parent)


def target_of(path: Path) -> Path:
    """Return what is to be replaced: of a link, what it points to."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def flush_folder(folder: Path) -> None:
    """Make renamings in a folder last; not every system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def _beginning(path: Path) -> str:
    name = os.fsencode(path.name)
    if len(name) > _LONGEST_NAME:
        return f".{hashlib.sha256(name).hexdigest()[:32]}."
    return f".{path.name}."


def _sweep(path: Path) -> None:
    """Remove what killed processes left beside ``path``."""
    beginning, before = _beginning(path), time.time() - LEFT_S
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name.startswith(beginning) and entry.name.endswith(SUFFIX):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < before:
                        os.unlink(entry.path)  # noqa: PTH108 (a name, as the entry has it)
