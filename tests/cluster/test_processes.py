"""Processes on this machine: one that dies, one that has to stop."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from carl_core.cluster import processes
from carl_core.cluster.processes import with_processes
from carl_core.embeddings.meta import listed_chunks
from carl_core.embeddings.store import EmbeddingStore
from carl_core.errors import Cancelled
from carl_core.progress import Monitor, Progress
from tests.cluster.conftest import FRAMES
from tests.helpers.slow_embedding import (
    BATCH_FRAMES,
    CHUNK_FRAMES,
    begin_slow_process,
    begun,
    embedded,
)

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.cluster.tasks import Outcome, Task


def all_kept(outcomes: list[Outcome]) -> bool:
    store = EmbeddingStore()
    return all(
        outcome.key is not None and len(store.load(outcome.key) or ()) == FRAMES
        for outcome in outcomes
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_process_loses_nothing_and_embeds_nothing_twice(
    tasks: list[Task], account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_begin_process", begin_slow_process)
    killed: list[int] = []
    heard: list[Progress] = []

    def kill_one(progress: Progress) -> None:
        heard.append(progress)
        if progress.done >= 0.8 and not killed:
            killed.append(embedded(account).most_common(1)[0][0])
            os.kill(killed[0], signal.SIGKILL)

    broken = replace(tasks[0], path=__file__)
    outcomes = list(with_processes([*tasks, broken], 2, Monitor(kill_one, interval_s=0)))
    assert killed
    assert len(begun(account)) == 3, "another process takes the place of the killed one"
    failed = [outcome for outcome in outcomes if outcome.problem]
    assert [outcome.task for outcome in failed] == [broken]
    whole = [outcome for outcome in outcomes if not outcome.problem]
    assert sorted(outcome.task.path for outcome in whole) == sorted(task.path for task in tasks)
    assert all_kept(whole)
    total = FRAMES * len(tasks)
    # What the killed process had not yet stored is lost: less than one group.
    assert total <= embedded(account).total() <= total + CHUNK_FRAMES + BATCH_FRAMES
    assert heard[-1].done == pytest.approx(len(tasks) + 1)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_process_that_dies_between_two_tasks_is_replaced(
    tasks: list[Task], account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_begin_process", begin_slow_process)
    with contextlib.closing(processes._Processes(1)) as pool:
        assert not pool.submit(tasks[0]).result().problem
        (slot,) = pool._busy.values()
        os.kill(begun(account).pop(), signal.SIGKILL)
        while not slot.executor._broken:  # no word of it comes from outside
            time.sleep(0.01)
        assert not pool.submit(tasks[1]).result().problem
    assert len(begun(account)) == 2


def test_cancelling_stops_the_processes_and_keeps_what_they_have(
    tasks: list[Task], account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_begin_process", begin_slow_process)

    def stop(progress: Progress) -> None:
        if progress.done > 0:
            monitor.cancel()

    monitor = Monitor(stop, interval_s=0)
    with pytest.raises(Cancelled):
        list(with_processes(tasks, 2, monitor))
    assert not multiprocessing.active_children()
    total = embedded(account).total()
    assert 0 < total < FRAMES * len(tasks)
    folders = [meta.parent for meta in EmbeddingStore().root.glob("*/meta.json")]
    assert sum(chunk.frames for folder in folders for chunk in listed_chunks(folder)) == total
