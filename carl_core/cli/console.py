"""Results to stdout; progress and messages to stderr."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from carl_core.progress import Monitor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.progress import TaskID

    from carl_core.alignment.timemap import TimeMap
    from carl_core.progress import Progress
    from carl_core.video.recording import Recording

_stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def printable(text: object) -> str:
    r"""Return text that any stream can take: undecodable bytes of paths become ``\\x..``."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def message(text: str, *, is_error: bool = False) -> None:
    """Write one sentence to stderr."""
    prefix = "carl: " if is_error else ""
    _stderr.print(printable(prefix + text), markup=False, style="bold red" if is_error else "")


def tell_problems(recording: Recording) -> None:
    """Say what is wrong with a recording that is used all the same."""
    for problem in recording.info.problems:
        message(f"{recording.name}: {problem}")


def tell_unmapped(others: Sequence[Recording], maps: Mapping[str, TimeMap]) -> None:
    """Say which recordings a video shows without a map."""
    for other in others:
        if other.id not in maps:
            message(f"{other.name}: no convincing alignment, shown from its start at its own speed")


def result(text: str) -> None:
    """Write one line of the result to stdout."""
    print(printable(text))


def result_json(document: Any) -> None:
    """Write the result as one JSON document to stdout."""
    # Undecodable path bytes travel as escaped surrogates, which JSON can hold and we can read.
    json.dump(document, sys.stdout, indent=1, allow_nan=False)
    sys.stdout.write("\n")


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Monitor]:
    """Show progress with rate and time left on a terminal; elsewhere nothing is printed."""
    if quiet or not _stderr.is_terminal:
        yield Monitor()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}", markup=False),
    )
    with Bars(*columns, console=_stderr, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            speed = f"{progress.rate:.0f} {progress.unit}/s" if progress.rate else ""
            if 0 < progress.rate < 1:  # e.g. whole recordings
                speed = f"{60 * progress.rate:.1f} {progress.unit}/min"
            if progress.remaining_s is not None:
                minutes, seconds = divmod(round(progress.remaining_s), 60)
                speed += f", {minutes}:{seconds:02d} left"
            if progress.stage not in tasks:
                tasks[progress.stage] = bars.add_task(printable(progress.stage), speed="")
            bars.update(
                tasks[progress.stage],
                total=progress.total,
                completed=progress.done,
                speed=speed,
            )

        yield Monitor(show)
