"""A real Dask cluster on this machine: a scheduler and workers in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from carl_core.cli.main import main
from carl_core.cluster import scheduler
from carl_core.cluster.scheduler import Tls, with_dask
from carl_core.embeddings.store import EmbeddingStore
from carl_core.errors import CarlError
from carl_core.progress import Monitor, Progress
from tests.cluster.conftest import FRAMES
from tests.helpers import slow_embedding
from tests.helpers.slow_embedding import BATCH_FRAMES, CHUNK_FRAMES, begun, embedded

if TYPE_CHECKING:
    from carl_core.cluster.tasks import Task

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
    # Of Dask's own code, and of what it finds installed.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:dask"),
]
REPOSITORY = Path(__file__).resolve().parents[2]


class Cluster:
    """A scheduler and its workers; ``options`` go to all of them."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._about = folder / "scheduler.json"
        self._started: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", "--port", "0")
        while not self._about.exists():
            assert self._started[0].poll() is None, (folder / "0.log").read_text()
            time.sleep(0.05)
        self.address: str = json.loads(self._about.read_text())["address"]

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *exc: object) -> None:
        for process in reversed(self._started):
            process.kill()
            process.wait()

    def add_worker(self) -> None:
        self._start(
            "worker", "--no-nanny", "--nthreads", "1",
            "--local-directory", str(self._folder), "--preload", slow_embedding.__file__,
        )  # fmt: skip

    def _start(self, kind: str, *options: str) -> None:
        command = [
            sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard",
            "--host", "127.0.0.1", "--scheduler-file", str(self._about), *options, *self._options,
        ]  # fmt: skip
        with (self._folder / f"{len(self._started)}.log").open("w") as output:
            self._started.append(
                subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT)
            )


def test_a_killed_worker_loses_nothing_and_embeds_nothing_twice(
    tasks: list[Task], account: Path, tmp_path: Path
) -> None:
    killed: list[int] = []
    heard: list[Progress] = []

    def kill_one(progress: Progress) -> None:
        heard.append(progress)
        if progress.done >= 0.8 and not killed:
            killed.append(embedded(account).most_common(1)[0][0])
            os.kill(killed[0], signal.SIGKILL)

    broken = replace(tasks[0], path=__file__)
    monitor = Monitor(kill_one, interval_s=0)
    with Cluster(tmp_path) as cluster:
        cluster.add_worker()
        cluster.add_worker()
        outcomes = {
            outcome.task.path: outcome
            for outcome in with_dask([*tasks, broken], cluster.address, monitor=monitor)
        }
    assert killed
    assert "test_scheduler.py" in outcomes.pop(broken.path).problem
    assert outcomes.keys() == {task.path for task in tasks}
    store = EmbeddingStore()
    for outcome in outcomes.values():
        assert not outcome.problem
        assert outcome.key is not None
        stored = store.load(outcome.key)
        assert stored is not None
        assert len(stored) == FRAMES
    total = FRAMES * len(tasks)
    # What the killed worker had not yet stored is lost: less than one group.
    assert total <= embedded(account).total() <= total + CHUNK_FRAMES + BATCH_FRAMES
    assert len(begun(account)) == 2
    assert heard[-1].done == pytest.approx(len(tasks) + 1)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_carl_embeds_over_tls(
    files: list[Path],
    model: Path,
    account: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=carl", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    pem = [str(cert), str(cert), str(key)]
    options = [
        word
        for name, file in zip(("--tls-ca-file", "--tls-cert", "--tls-key"), pem, strict=True)
        for word in (name, file)
    ]
    with Cluster(tmp_path, *options) as cluster:
        address = cluster.address
        assert address.startswith("tls://")
        tls = Tls(*map(Path, pem))
        with monkeypatch.context() as patch:
            patch.setattr(scheduler, "_ANSWER_WITHIN_S", 2.0)
            patch.setattr(scheduler, "_WORKERS_WITHIN_S", 0.1)
            with pytest.raises(CarlError, match="No Dask scheduler answers"):
                list(with_dask([], address))
            with pytest.raises(CarlError, match=r"no\.pem cannot be read"):
                list(with_dask([], address, tls=replace(tls, ca=tmp_path / "no.pem")))
            with pytest.raises(CarlError, match=r"has no workers.*dask worker tls://"):
                list(with_dask([], address, tls=tls))
        cluster.add_worker()
        arguments = ["embed", str(files[0]), "--scheduler", address, "--model", str(model)]
        assert main([*arguments, "--tls", *pem]) == 0
        assert "0.mp4: 80 vectors of 64, 10/1" in capsys.readouterr().out


def test_tls_files_without_a_scheduler_are_wrong_usage(files: list[Path], model: Path) -> None:
    given = ["embed", str(files[0]), "--model", str(model), "--tls", "a", "b", "c"]
    assert main(given) == 2
