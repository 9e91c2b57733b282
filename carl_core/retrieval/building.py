"""A build in the background, seen and stopped from other processes.

The process that builds holds a lock, and writes how far it is to ``building.json`` beside the
index, once a second; whoever wants it to stop puts a file ``stop`` there, or kills it. What it did
so far is kept (``cells``).
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING

from carl_core.atomic import write_atomic
from carl_core.embeddings.locks import FileLock
from carl_core.errors import Cancelled
from carl_core.paths import make_private
from carl_core.progress import Monitor, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_STATUS, _STOP = "building.json", "stop"
_LOCK = ".building"
_EVERY_S = 1.0
_TRIES, _WAIT_S = 4, 0.05  # who asks whether somebody builds has the lock for a moment
_FIELDS = ("stage", "done", "total", "unit", "rate", "remaining_s")


@contextlib.contextmanager
def sole_builder(folder: Path) -> Iterator[bool]:
    """Hold the lock of who builds in this folder; false when another does. Raises ``OSError``."""
    lock = FileLock(folder / _LOCK)
    try:
        make_private(folder)
        for _ in range(_TRIES):
            if lock.acquire():
                break
            time.sleep(_WAIT_S)
        yield lock.is_held
    finally:
        lock.release()


@contextlib.contextmanager
def told(folder: Path, outer: Monitor, check: Callable[[], None]) -> Iterator[Monitor]:
    """Give a monitor that reports to ``outer`` and to other processes, and heeds both.

    What ``check`` raises ends the work, too.
    """
    (folder / _STOP).unlink(missing_ok=True)
    stage, done, written_s = "", 0.0, float("-inf")

    def tell(progress: Progress) -> None:
        nonlocal stage, done, written_s
        check()
        is_new = progress.stage != stage
        if is_new or time.monotonic() - written_s >= _EVERY_S:
            written_s = time.monotonic()
            document = {name: getattr(progress, name) for name in _FIELDS}
            write_atomic(folder / _STATUS, json.dumps(document), mode=0o600)
        if (folder / _STOP).exists():
            raise Cancelled
        before, stage, done = done, progress.stage, progress.done
        if is_new:
            outer.start(stage, progress.total, progress.unit, done)
        else:
            outer.advance(done - before)

    try:
        yield Monitor(tell)
    finally:
        for name in (_STATUS, _STOP):
            with contextlib.suppress(OSError):
                (folder / name).unlink(missing_ok=True)


def progress_in(folder: Path) -> Progress | None:
    """Return how far a build in this folder is; None when there is none."""
    file = folder / _STATUS
    try:
        if not file.exists() or not _is_locked(folder):
            return None  # a process that was killed leaves the file
        document = json.loads(file.read_text(encoding="utf-8"))
        return Progress(*(document[name] for name in _FIELDS))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stop(folder: Path) -> bool:
    """Ask a build in this folder to stop; return whether there is one. Raises ``OSError``."""
    if progress_in(folder) is None:
        return False
    write_atomic(folder / _STOP, "", mode=0o600)
    return True


def _is_locked(folder: Path) -> bool:
    lock = FileLock(folder / _LOCK)
    try:
        return not lock.acquire()
    finally:
        lock.release()
