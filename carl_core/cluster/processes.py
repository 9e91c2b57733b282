"""Embed with several processes on this machine."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carl_core.cluster.tasks import Outcome, Task, embed_one, embed_with, reporting
from carl_core.encoder.providers import usable_cores
from carl_core.progress import Monitor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection


def with_processes(
    tasks: Sequence[Task], jobs: int, monitor: Monitor | None = None
) -> Iterator[Outcome]:
    """Embed with ``jobs`` processes; yield outcomes as they come.

    A process that dies takes no other file with it: its file is tried again, three times in all.

    Raises
    ------
    Cancelled
        When the monitor says so; what was embedded of the running files is kept.
    """
    with contextlib.closing(_Processes(min(jobs, max(1, len(tasks))))) as pool:
        yield from embed_with(pool, tasks, monitor or Monitor())


class _Processes:
    """Slots of one process each, so that it is known which task a process died of."""

    def __init__(self, jobs: int) -> None:
        self.at_once: int | None = jobs
        # spawn: a fork would copy locks of ONNX Runtime's and BLAS's threads.
        self._context = multiprocessing.get_context("spawn")
        self._free: list[_Slot] = [self._slot() for _ in range(jobs)]
        self._busy: dict[Future[Outcome], _Slot] = {}

    def submit(self, task: Task) -> Future[Outcome]:
        """Begin a task in a free process."""
        for future in [future for future in self._busy if future.done()]:
            slot = self._busy.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                slot.close()
                slot = self._slot()
            self._free.append(slot)
        slot = self._free.pop()
        try:
            future = slot.executor.submit(_embed_in_process, task)
        except BrokenProcessPool:  # it died between two tasks
            slot.close()
            slot = self._slot()
            future = slot.executor.submit(_embed_in_process, task)
        self._busy[future] = slot
        return future

    def heard(self) -> list[tuple[str, float]]:
        """Return what the processes told since the last call."""
        told = []
        for slot in (*self._busy.values(), *self._free):
            # A pipe each: with one queue for all, a process killed while writing would block it.
            with contextlib.suppress(EOFError, OSError):
                while slot.connection.poll():
                    told.append(slot.connection.recv())
        return told

    def close(self) -> None:
        """Stop all processes after the batch they are at; what they have embedded is kept."""
        slots = [*self._busy.values(), *self._free]
        for slot in slots:
            slot.stop()
        for slot in slots:
            slot.close()

    def _slot(self) -> _Slot:
        ours, theirs = self._context.Pipe()
        assert self.at_once is not None
        executor = ProcessPoolExecutor(
            1,
            mp_context=self._context,
            initializer=_begin_process,
            initargs=(theirs, max(1, usable_cores() // self.at_once)),
        )
        return _Slot(executor, ours, theirs)


@dataclass(frozen=True, slots=True)
class _Slot:
    executor: ProcessPoolExecutor
    connection: Connection
    theirs: Connection

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.send(None)

    def close(self) -> None:
        self.executor.shutdown()
        self.connection.close()
        self.theirs.close()


@dataclass(slots=True)
class _Process:
    """What a process of ``_Processes`` knows of itself."""

    connection: Connection
    threads: int
    is_stopped: bool = False
    monitor: Monitor | None = None


_process: _Process | None = None


def _begin_process(connection: Connection, threads: int) -> None:
    global _process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the program that started this one
    logging.basicConfig(level=logging.ERROR)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    _process = _Process(connection, threads)
    threading.Thread(target=_listen, args=(_process,), daemon=True, name="carl-stop").start()


def _listen(process: _Process) -> None:
    """Wait for the word to stop, or for the end of the program that started this process."""
    try:
        process.connection.recv()
    except (EOFError, OSError):
        os._exit(1)  # nobody waits for a result; the store bears being left like this
    process.is_stopped = True
    if process.monitor is not None:
        process.monitor.cancel()


def _embed_in_process(task: Task) -> Outcome:
    assert _process is not None
    _process.monitor = reporting(_process.connection.send, task.path)
    if _process.is_stopped:
        _process.monitor.cancel()
    return embed_one(task, _process.monitor, threads=_process.threads)
