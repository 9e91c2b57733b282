"""Embed many recordings: with processes on this machine, or with the workers of a Dask cluster.

A task says which file, which encoder and how to sample it, and nothing else; its result lies in the
store that all workers share. So a task that is repeated, because a worker died or the run was
stopped, finds what was finished and goes on where it stopped: nothing is embedded twice.

For trusted networks: whoever can reach a Dask scheduler can run code on its workers. With TLS
(``Tls``) only holders of a certificate can.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.errors import CarlError, ModelError, StoreError
from carl_core.pipeline import Engine
from carl_core.progress import Monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

ATTEMPTS = 3
"""How often a file is tried whose worker dies: the file may be what kills it."""


@dataclass(frozen=True, slots=True)
class Task:
    """One recording to embed.

    Attributes
    ----------
    path : the file, as all workers reach it
    model : encoder file or None for the bundled one, as all workers reach it
    model_id : what the encoder must be, whatever lies at ``model``
    sampling : "native", "10/1" or None for the encoder's own rate
    device : "auto", "cpu" or "cuda"
    """

    path: str
    model: str | None
    model_id: str
    sampling: str | None
    device: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: how much was embedded, or a sentence on why not."""

    task: Task
    count: int = 0
    dim: int = 0
    sampling: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files (PEM) with which a cluster's connections are encrypted and both sides known."""

    ca: Path
    cert: Path
    key: Path


def embed_one(task: Task) -> Outcome:
    """Embed one recording into the store of this machine. Never raises for a bad file."""
    try:
        engine = _engine(task.model, task.device)
        if engine.encoder.model_id != task.model_id:
            raise ModelError(
                f"The encoder on this machine is {engine.encoder.model_id}, not {task.model_id}. "
                "Put the same encoder file on all machines."
            )
        if engine.store is None:
            raise StoreError("This machine has no cache to keep the embeddings in.")
        recording = engine.open(Path(task.path))
        made = engine.embed(recording, sampling=task.sampling)
    except CarlError as error:
        return Outcome(task, problem=str(error))
    return Outcome(task, *made.vectors.shape, made.key.sampling)


@cache
def _engine(model: str | None, device: str) -> Engine:
    """One engine a process: loading an encoder takes a second."""
    return Engine(None if model is None else Path(model), device=device)


# Processes on this machine ------------------------------------------------------------------------


def with_processes(
    tasks: Sequence[Task], jobs: int, monitor: Monitor | None = None
) -> Iterator[Outcome]:
    """Embed with ``jobs`` processes; yield outcomes as they come.

    A process that dies takes no other file with it: what it worked on is tried again, three times
    at most.

    Raises
    ------
    Cancelled
        When the monitor says so; running files finish first.
    """
    monitor = monitor or Monitor()
    monitor.start(f"embedding {len(tasks)} recordings", len(tasks), "recordings")
    waiting = [(task, 1) for task in tasks]
    while waiting:
        # A broken pool fails all that was queued with it: few at a time, so that few are suspect.
        with _pool(jobs) as pool:
            running: dict[Future[Outcome], tuple[Task, int]] = {}
            try:
                while waiting or running:
                    monitor.check()
                    while waiting and len(running) < jobs:
                        task, attempt = waiting.pop(0)
                        running[pool.submit(embed_one, task)] = (task, attempt)
                    done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                    for future in done:
                        outcome = future.result()
                        del running[future]
                        monitor.advance()
                        yield outcome
            except BrokenProcessPool:
                for task, attempt in running.values():
                    if attempt < ATTEMPTS:
                        waiting.append((task, attempt + 1))
                    else:
                        monitor.advance()
                        yield Outcome(task, problem=_died(task))


def _pool(jobs: int) -> ProcessPoolExecutor:
    # spawn: a fork would copy locks of ONNX Runtime's and BLAS's threads.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_share_cores, initargs=(jobs,))


def _share_cores(jobs: int) -> None:
    """Leave each process its share of the cores; read by libraries that load after this."""
    share = max(1, (os.cpu_count() or 1) // jobs)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(share))


def _died(task: Task) -> str:
    return (
        f"The process that embedded {task.path} died {ATTEMPTS} times, perhaps for want of memory. "
        "Embed it alone, or convert it to H.264 in MP4 first."
    )


# A Dask cluster -----------------------------------------------------------------------------------


def with_dask(
    tasks: Sequence[Task],
    address: str,
    *,
    tls: Tls | None = None,
    monitor: Monitor | None = None,
    connect: Callable[..., Any] | None = None,
) -> Iterator[Outcome]:
    """Embed with the workers of the Dask scheduler at ``address``; yield outcomes as they come.

    A worker that dies hands its task to another (at most three times); the scheduler sees to it.

    Parameters
    ----------
    address : ``tcp://HOST:PORT``, or ``tls://HOST:PORT`` with ``tls``
    connect : stands for ``distributed.Client`` in tests

    Raises
    ------
    CarlError
        When Dask is not installed, or the scheduler cannot be reached.
    Cancelled
        When the monitor says so; what is queued is taken back.
    """
    distributed = _library()
    monitor = monitor or Monitor()
    security = None
    if tls is not None:
        security = distributed.Security(
            tls_ca_file=str(tls.ca),
            tls_client_cert=str(tls.cert),
            tls_client_key=str(tls.key),
            require_encryption=True,
        )
    try:
        client = (connect or distributed.Client)(address, security=security, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise CarlError(
            f"No Dask scheduler answers at {address} ({error}). Start one with `dask scheduler` "
            "and workers with `dask worker`, or leave --scheduler out."
        ) from error
    monitor.start(f"embedding {len(tasks)} recordings", len(tasks), "recordings")
    with client:
        futures = client.map(
            embed_one, list(tasks), pure=False, retries=ATTEMPTS - 1, batch_size=64
        )
        by_key = {future.key: task for future, task in zip(futures, tasks, strict=True)}
        try:
            for future in distributed.as_completed(futures):
                monitor.check()
                monitor.advance()
                if future.status == "finished":
                    outcome: Outcome = future.result()
                    yield outcome
                else:
                    yield Outcome(by_key[future.key], problem=_died(by_key[future.key]))
        finally:
            client.cancel([future for future in futures if not future.done()])


def _library() -> Any:
    # optional: an extra
    try:
        import distributed
    except ImportError as error:
        raise CarlError(
            "Dask is not installed, so --scheduler cannot be used. Install it with: "
            "pip install distributed (the extra [cluster])."
        ) from error
    return distributed


def tasks_for(
    paths: Sequence[Path], engine: Engine, model: Path | None, sampling: str | None, device: str
) -> list[Task]:
    """Return a task for each file; paths become absolute, for workers with other folders."""
    first = Task(
        "",
        None if model is None else str(model.absolute()),
        engine.encoder.model_id,
        sampling,
        device,
    )
    return [replace(first, path=str(path.absolute())) for path in paths]
