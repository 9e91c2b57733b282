"""Embedding that takes its time and keeps account, for processes that tests kill.

Loaded by the processes that embed: as ``--preload`` of a Dask worker, or in front of what begins a
process of ours. The file that ``CARL_TEST_ACCOUNT`` names gets a line for each batch: process,
number of frames; and one of no frames for each process that begins.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carl_core.cluster import processes
from carl_core.encoder import embed
from carl_core.encoder.onnx import Encoder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

ACCOUNT = "CARL_TEST_ACCOUNT"
CHUNK_FRAMES = 64
BATCH_FRAMES = 32
_BATCH_S = 0.05
_begin_process = processes._begin_process


def slow_down() -> None:
    """Make every batch of this process slow, small chunks, and write down what is embedded."""
    embed._CHUNK_FRAMES = CHUNK_FRAMES
    features = Encoder.features

    def slow_features(self: Encoder, frames: Any) -> Any:
        time.sleep(_BATCH_S)
        found = features(self, frames)
        _write_down(len(frames))
        return found

    _write_down(0)
    Encoder.features = slow_features  # type: ignore[method-assign]


def _write_down(frames: int) -> None:
    with Path(os.environ[ACCOUNT]).open("a") as account:
        account.write(f"{os.getpid()} {frames}\n")


def dask_setup(worker: Any) -> None:
    """Run by a Dask worker that preloads this file."""
    slow_down()


def begin_slow_process(connection: Connection, threads: int) -> None:
    """Stand for the initializer of a process."""
    slow_down()
    _begin_process(connection, threads)


def embedded(account: Path) -> Counter[int]:
    """Frames embedded so far, by process."""
    frames: Counter[int] = Counter()
    for process, count in _lines(account):
        frames[process] += count
    return +frames


def begun(account: Path) -> set[int]:
    """Processes that began so far, whether they embedded or not."""
    return {process for process, _ in _lines(account)}


def _lines(account: Path) -> Iterator[tuple[int, int]]:
    if account.exists():
        for line in account.read_text().splitlines():
            process, count = line.split()
            yield int(process), int(count)
