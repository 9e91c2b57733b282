"""A build of the library's index in a process of its own.

Sorting millions of rows takes all cores for minutes: a process can give way to everything else, and
holds nobody's interpreter. What it has done is kept however it ends, so to hold it means to end it,
and to let it go on to begin another.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from carl_core.errors import Cancelled, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO, Any

    from carl_core.progress import Monitor
    from carl_core.retrieval.library import Library

# -P: the current folder may hold anything, also a file called numpy.py.
PROGRAM: tuple[str, ...] = (sys.executable, "-P", "-m", "carl_core.cli.main")
WAITING = "waiting for other work"
_LOOK_S = 0.1
_CALM_LOOKS = 10  # other work often comes in several pieces, one right after another
_END_S = 5.0
_INTERRUPTED = 130  # what ``carl`` returns when it was stopped


def start_build(
    model: Path | str | None, least: int, errors: IO[Any] | int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start ``carl library build`` behind everything else; it outlives this process.

    Parameters
    ----------
    model : encoder, None = the bundled one
    least : rows from which a segment gets cells
    errors : where what it says goes
    """
    command = [*PROGRAM, "library", "build", "--idle", "--device", "cpu", "--least", str(least)]
    if model is not None:
        command += ["--model", str(model)]
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.IDLE_PRIORITY_CLASS | subprocess.CREATE_NO_WINDOW
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command,
        stdin=quiet,
        stdout=quiet,
        stderr=errors,
        start_new_session=True,
        creationflags=flags,
    )


def build_apart(
    library: Library,
    model: Path | str | None,
    least: int,
    monitor: Monitor,
    is_free: Callable[[], bool] = lambda: True,
) -> None:
    """Have the index built by another process; return when it is, or when somebody else does it.

    Parameters
    ----------
    monitor : shows what that process says; while it is paused, none runs
    is_free : whether nothing else wants the processor; until then none runs, either

    Raises
    ------
    StoreError
        When it cannot be built.
    Cancelled
        When the monitor says so, or somebody stopped the process (``carl library stop``).
    """
    while True:
        monitor.check()
        if not is_free():
            _wait(is_free, monitor)
        with tempfile.TemporaryFile() as errors:
            process = start_build(model, least, errors)
            try:
                is_ended = _watch(process, library, monitor, is_free)
            finally:
                _end(process)
            if is_ended:
                errors.seek(0)
                _judge(process.returncode, errors.read().decode("utf-8", errors="replace"))
                return


def _wait(is_free: Callable[[], bool], monitor: Monitor) -> None:
    monitor.start(WAITING, None, "")
    calm = 0
    while calm < _CALM_LOOKS:
        monitor.rest(_LOOK_S)
        calm = calm + 1 if is_free() else 0


def _watch(
    process: subprocess.Popen[bytes],
    library: Library,
    monitor: Monitor,
    is_free: Callable[[], bool],
) -> bool:
    """Report until the process ends; false as soon as it must be held."""
    last = None
    while True:
        try:
            process.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            pass
        else:
            return True
        if monitor.is_cancelled:
            raise Cancelled
        if monitor.is_paused or not is_free():
            return False
        progress = library.building
        if progress is not None and progress != last:
            last = progress
            monitor.relay(progress)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _judge(code: int, said: str) -> None:
    if code == _INTERRUPTED:
        raise Cancelled
    if code != 0:
        lines = [line.removeprefix("carl: ") for line in said.splitlines() if line.strip()]
        reason = lines[-1] if lines else f"its process ended with {code}."
        raise StoreError(f"The index of all recordings was not built: {reason}")
