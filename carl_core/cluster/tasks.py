"""One recording as a task, and how many of them are embedded elsewhere and followed from here.

A task says which file, which encoder and how to sample it, and nothing else; its result lies in the
store that all workers share. So a task that is repeated, because a worker died or the run was
stopped, finds what was finished and goes on where it stopped: nothing is embedded twice.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from carl_core.assets import asset_path
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.errors import CarlError, ModelError
from carl_core.progress import Monitor
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from carl_core.embeddings.embeddings import EmbeddingKey
    from carl_core.progress import Progress

log = logging.getLogger("carl.embed")

ATTEMPTS = 3
"""How often a file is tried that fails, or whose worker dies: the file may be what kills it."""
_POLL_S = 0.2
_REPORT_S = 0.5
_NO_LIMIT = sys.maxsize


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
    """What became of a task: where its vectors are kept, or a sentence on why there are none."""

    task: Task
    key: EmbeddingKey | None = None
    count: int = 0
    dim: int = 0
    problem: str = ""


def tasks_for(
    paths: Iterable[Path], model: Path | None, model_id: str, sampling: str | None, device: str
) -> list[Task]:
    """Return one task for each file; paths become absolute, for workers in other folders."""
    file = None if model is None else str(model.absolute())
    names = dict.fromkeys(str(path.absolute()) for path in paths)
    return [Task(name, file, model_id, sampling, device) for name in names]


def embed_one(task: Task, monitor: Monitor | None = None, *, threads: int | None = None) -> Outcome:
    """Embed one recording into the store of this machine; a bad file is an outcome, too.

    The limit of the store is not kept: what was embedded first would be gone before the last is.

    Raises
    ------
    Cancelled
    """
    try:
        encoder = _encoder(task.model, task.device, threads)
        if encoder.model_id != task.model_id:
            raise ModelError(
                f"The encoder on this machine is {encoder.model_id}, not {task.model_id}. "
                "Put the same encoder file on all machines."
            )
        made = embed_recording(
            open_recording(Path(task.path)),
            encoder,
            sampling=task.sampling,
            store=EmbeddingStore(limit_bytes=_NO_LIMIT),
            monitor=monitor,
            waits=True,
        )
    except CarlError as error:
        return Outcome(task, problem=str(error))
    return Outcome(task, made.key, len(made), made.dim)


@cache
def _encoder(model: str | None, device: str, threads: int | None) -> Encoder:
    """Return the one encoder of this process: loading it takes a second."""
    path = asset_path("encoder.onnx") if model is None else Path(model)
    return load_encoder(path, device=device, threads=threads)


def one_by_one(tasks: Sequence[Task], monitor: Monitor | None = None) -> Iterator[Outcome]:
    """Embed in this process; yield outcomes as they come. Raises ``Cancelled``."""
    for task in tasks:
        yield embed_one(task, monitor)


class Pool(Protocol):
    """Something that embeds elsewhere."""

    at_once: int | None
    """How many tasks it takes at a time, None = all."""

    def submit(self, task: Task) -> Future[Outcome]:
        """Begin a task."""
        ...

    def heard(self) -> list[tuple[str, float]]:
        """Paths and how much of them is embedded, 0 to 1, since the last call."""
        ...


def embed_with(pool: Pool, tasks: Sequence[Task], monitor: Monitor) -> Iterator[Outcome]:
    """Embed in a pool, trying again what fails; yield outcomes as they come.

    Progress is one for all: in recordings, of which what is embedded of running ones is a part.

    Raises
    ------
    Cancelled
    """
    monitor.start(f"embedding {len(tasks)} recordings", len(tasks), "recordings")
    waiting = deque((task, 1) for task in tasks)
    running: dict[Future[Outcome], tuple[Task, int]] = {}
    shares = dict.fromkeys((task.path for task in tasks), 0.0)
    while waiting or running:
        monitor.check()
        while waiting and (pool.at_once is None or len(running) < pool.at_once):
            task, attempt = waiting.popleft()
            running[pool.submit(task)] = (task, attempt)
        done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        heard = pool.heard()
        outcomes: list[Outcome] = []
        for future in done:
            task, attempt = running.pop(future)
            outcome, is_final = _outcome_of(future, task)
            if outcome.problem and not is_final and attempt < ATTEMPTS:
                log.info("attempt %d of %s failed: %s", attempt, task.path, outcome.problem)
                waiting.append((task, attempt + 1))
            else:
                heard.append((task.path, 1.0))
                outcomes.append(outcome)
        for path, share in heard:
            # A task begun anew tells small shares again: time only goes forward.
            if share > shares.get(path, 1.0):
                monitor.advance(share - shares[path])
                shares[path] = share
        yield from outcomes


def _outcome_of(future: Future[Outcome], task: Task) -> tuple[Outcome, bool]:
    """Return what a task came to, and whether there is no use in trying it again."""
    try:
        return future.result(), False
    except BrokenProcessPool:
        return Outcome(task, problem=_died(task)), False
    except CancelledError:
        reason = "The connection to the scheduler was lost before it was embedded"
        return Outcome(task, problem=f"{task.path}: {reason}. Run the same command again."), True
    except Exception as error:  # whatever a worker on another machine ran into
        if type(error).__name__ == "KilledWorker":  # it was tried on several workers
            return Outcome(task, problem=_died(task)), True
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        return Outcome(
            task,
            problem=f"{task.path}: the worker could not embed it ({reason}). "
            "Install the same version of this program on all workers.",
        ), False


def _died(task: Task) -> str:
    return (
        f"{task.path}: the process that embedded it died {ATTEMPTS} times, perhaps for want of "
        "memory. Embed it alone, or convert it to H.264 in MP4 first."
    )


def reporting(send: Callable[[tuple[str, float]], Any], path: str) -> Monitor:
    """Return a monitor that hands over (path, share done) now and then."""

    def tell(progress: Progress) -> None:
        if progress.total:
            send((path, progress.done / progress.total))

    return Monitor(tell, interval_s=_REPORT_S)
