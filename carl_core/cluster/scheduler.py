"""Embed with the workers of a Dask cluster (the extra ``cluster``).

For trusted networks: whoever can reach a Dask scheduler can run code on its workers. With TLS
(``Tls``) only holders of a certificate can.
"""

from __future__ import annotations

import contextlib
import queue
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carl_core.cluster.tasks import Outcome, Task, embed_one, embed_with, reporting
from carl_core.errors import CarlError
from carl_core.progress import Monitor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Any

_ANSWER_WITHIN_S = 10.0
_WORKERS_WITHIN_S = 30.0
_TOPIC = "carl-embed"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files (PEM) with which a cluster's connections are encrypted and both sides known."""

    ca: Path
    cert: Path
    key: Path


def with_dask(
    tasks: Sequence[Task], address: str, *, tls: Tls | None = None, monitor: Monitor | None = None
) -> Iterator[Outcome]:
    """Embed with the workers of the Dask scheduler at ``address``; yield outcomes as they come.

    A worker that dies hands its task to another; the scheduler sees to it.

    Parameters
    ----------
    address : ``tcp://HOST:PORT``, or ``tls://HOST:PORT`` with ``tls``

    Raises
    ------
    CarlError
        When Dask is not installed, or no scheduler or no worker can be reached.
    Cancelled
        When the monitor says so; what is queued is taken back, what runs is finished.
    """
    with contextlib.closing(_Cluster(address, tls)) as pool:
        yield from embed_with(pool, tasks, monitor or Monitor())


class _Cluster:
    """The workers of a Dask scheduler."""

    at_once: int | None = None

    def __init__(self, address: str, tls: Tls | None) -> None:
        distributed = _library()
        security = None
        if tls is not None:
            _check_readable(tls)
            security = distributed.Security(
                tls_ca_file=str(tls.ca),
                tls_client_cert=str(tls.cert),
                tls_client_key=str(tls.key),
                require_encryption=True,
            )
        try:
            self._client = distributed.Client(
                address, security=security, timeout=_ANSWER_WITHIN_S, set_as_default=False
            )
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            raise CarlError(
                f"No Dask scheduler answers at {address} ({reason}). Start one with `dask "
                "scheduler` and workers with `dask worker`, or leave --scheduler out."
            ) from error
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS_WITHIN_S)
        except TimeoutError as error:
            self._client.close()
            raise CarlError(
                f"The Dask scheduler at {address} has no workers. Start some with "
                f"`dask worker {address}`."
            ) from error
        self._told: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()
        self._client.subscribe_topic(_TOPIC, lambda event: self._told.put(tuple(event[1])))
        self._executor = self._client.get_executor(pure=False)

    def submit(self, task: Task) -> Future[Outcome]:
        """Hand a task to the scheduler."""
        future: Future[Outcome] = self._executor.submit(_embed_on_worker, task)
        return future

    def heard(self) -> list[tuple[str, float]]:
        """Return what the workers told since the last call."""
        told = []
        with contextlib.suppress(queue.Empty):
            while True:
                told.append(self._told.get_nowait())
        return told

    def close(self) -> None:
        """Take back what is queued and leave the cluster; what runs there is finished there."""
        self._executor.shutdown(wait=False)
        self._client.close()


def _check_readable(tls: Tls) -> None:
    for file in (tls.ca, tls.cert, tls.key):
        try:
            file.open("rb").close()
        except OSError as error:
            raise CarlError(
                f"The TLS file {file} cannot be read: {error.strerror or error}. Give the PEM "
                "files of authority, certificate and key."
            ) from error


def _embed_on_worker(task: Task) -> Outcome:
    worker = _library().get_worker()
    return embed_one(task, reporting(lambda told: worker.log_event(_TOPIC, told), task.path))


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
