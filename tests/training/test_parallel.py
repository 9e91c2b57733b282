"""Two processes find the loss, the gradients and the weights that one finds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from carl_core.runs import Failed, Started, Step, read_events  # noqa: E402
from tests.helpers import processes as cases  # noqa: E402
from training import parallel  # noqa: E402
from training.config import ConfigError  # noqa: E402
from training.parallel import GlobalBatchNorm, Processes, StopWish  # noqa: E402

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]
COUNT = 2


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with what two processes left that ran every case together over Gloo."""
    folder = tmp_path_factory.mktemp("two")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    errors = [folder / f"errors.{rank}" for rank in range(COUNT)]
    started = []
    try:
        for rank in range(COUNT):
            command = [sys.executable, cases.__file__, str(rank), str(COUNT), str(folder)]
            with errors[rank].open("w") as file:
                started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=file))
        codes = [process.wait(timeout=200) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert codes == [0, 0], "".join(path.read_text() for path in errors)
    return folder


@pytest.mark.parametrize("name", cases.CASES)
def test_two_processes_find_the_loss_and_the_gradients_of_one(name: str, two: Path) -> None:
    alone = cases.loss_and_gradients(name, Processes())
    # float32 sums in another order (threads, halves of a batch): 1e-8 to 1e-6 measured; batch norms
    # that are trained pass a batch's rounding on through every layer: 2e-6.
    tolerance = 2e-5 if name == "scl, norms trained" else 1e-5
    for rank in range(COUNT):
        found = torch.load(two / f"{name}.{rank}.pt", weights_only=True)
        assert found.keys() == alone.keys()
        for key in alone:
            if key.startswith(("loss", "carl.trunk")) and alone[key].norm() > 0:
                error = (found[key] - alone[key]).norm() / alone[key].norm()
                assert error < tolerance, (key, float(error))
        # Some gradients are zero but for rounding (the bias of keys): measured against all.
        all_found, all_alone = (
            torch.cat([one[key].flatten() for key in alone if not key.startswith("loss")])
            for one in (found, alone)
        )
        assert (all_found - all_alone).norm() < tolerance * all_alone.norm()


@pytest.mark.parametrize("name", cases.RUNS)
def test_two_processes_end_with_the_weights_of_one(name: str, two: Path, tmp_path: Path) -> None:
    alone = cases.whole_run(tmp_path, *cases.RUNS[name])
    found = torch.load(two / f"{name}.0.pt", weights_only=True)
    assert found.keys() == alone.keys()
    torch.testing.assert_close(found["losses"], alone["losses"], rtol=1e-5, atol=0)
    for key, value in alone.items():
        # Added to all scores of a query, these have no effect, and Adam makes whole steps out of
        # the rounding of their gradients.
        if key.endswith("bias.curve_out.bias"):
            continue
        if key.endswith("qkv.bias"):  # the middle third: of the keys
            found[key][16:32] = value[16:32]
        torch.testing.assert_close(found[key], value, rtol=1e-3, atol=2e-5, msg=key)
    events = list(read_events(two / name))
    assert sum(isinstance(event, Started) for event in events) == 1  # one process writes
    assert [event.step for event in events if isinstance(event, Step)] == [len(alone["losses"])]


def test_a_non_finite_loss_in_one_process_stops_both_and_names_the_clips_of_both(
    two: Path,
) -> None:
    messages = {json.loads((two / f"spoiled.{rank}.json").read_text()) for rank in range(COUNT)}
    assert len(messages) == 1
    assert "In step 1 the loss scl became non-finite" in messages.pop()
    report = json.loads((two / "spoiled" / "nonfinite.json").read_text())
    assert len(set(report["clips"])) == cases.CLIPS
    assert isinstance(list(read_events(two / "spoiled"))[-1], Failed)


def test_the_norm_over_all_processes_is_batch_norm_where_there_is_one() -> None:
    plain = torch.nn.BatchNorm2d(3)
    with torch.no_grad():
        plain.weight.uniform_(0.5, 2.0)
        plain.bias.uniform_(-1.0, 1.0)
    copied = torch.nn.BatchNorm2d(3)
    copied.load_state_dict(plain.state_dict())
    shared = GlobalBatchNorm.of(copied)
    for _ in range(2):
        x = (5.0 + 2.0 * torch.randn(4, 3, 5, 6)).requires_grad_()
        y = x.detach().clone().requires_grad_()
        expected, found = plain(x), shared(y)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        weight = torch.randn_like(expected)
        (expected * weight).sum().backward()
        (found * weight).sum().backward()
        torch.testing.assert_close(y.grad, x.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(dict(shared.state_dict()), dict(plain.state_dict()))
    torch.testing.assert_close(shared.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(shared.eval()(y), plain.eval()(x))


def test_norms_are_replaced_under_their_names() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
    net[1].eval()
    before = net.state_dict()
    parallel.synchronise_norms(net, torch.device("cpu"))
    assert isinstance(net[1], GlobalBatchNorm)
    assert not net[1].training
    assert list(net.state_dict()) == list(before)


def test_places_are_dealt_out_evenly_or_not_at_all() -> None:
    assert [Processes(rank, 3).places(6) for rank in range(3)] == [
        slice(0, 2),
        slice(2, 4),
        slice(4, 6),
    ]
    with pytest.raises(ConfigError, match=r"multiple of 4"):
        Processes(0, 4).places(6)


def test_alone_there_is_nothing_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with parallel.joined("cpu") as processes:
        assert (processes.rank, processes.count, processes.is_first) == (0, 1, True)
    tensor = torch.arange(3.0)
    assert parallel.gathered(tensor) is tensor
    assert parallel.everyones("a") == ["a"]
    module = torch.nn.Linear(1, 1)
    assert parallel.spread(module, Processes(), torch.device("cpu")) is module


def test_processes_that_do_not_meet_are_told_about_torchrun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="torchrun"), parallel.joined("cpu"):
        pass


def test_seeds_differ_by_every_number() -> None:
    seeds = {parallel.seed_of(*numbers) for numbers in ((1, 0, 0), (1, 1, 0), (1, 0, 1), (2, 0, 0))}
    assert len(seeds) == 4
    assert parallel.seed_of(1, 0, 0) == parallel.seed_of(1, 0, 0)


def test_the_first_signal_is_a_wish_and_a_later_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(parallel.time, "monotonic", lambda: now[0])
    before = signal.getsignal(signal.SIGTERM)
    with StopWish() as stop:
        assert not stop.is_asked
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)  # torchrun passes it on at once
        assert stop.is_asked
        now[0] += 5.0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before
