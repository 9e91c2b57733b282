"""Checkpoints: atomic, pointed at, refused when foreign."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from carl_core.errors import StoreError  # noqa: E402
from training.checkpoint import (  # noqa: E402
    check_same_run,
    latest_checkpoint,
    load_checkpoint,
    named_checkpoint,
    save_checkpoint,
)
from training.config import ConfigError, TrainConfig, load_config  # noqa: E402

pytestmark = pytest.mark.torch


def learner(width: int = 3) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    module = torch.nn.Linear(2, width)
    return module, torch.optim.AdamW(module.parameters(), lr=0.1)


def step_of(module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    module(torch.linspace(-1, 1, 8).view(4, 2)).pow(2).sum().backward()
    optimizer.step()


def save(folder: Path, step: int, keep: int = 2) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    module, optimizer = learner()
    step_of(module, optimizer)
    save_checkpoint(
        folder, step=step, modules=module, optimizer=optimizer, config=TrainConfig(), keep=keep
    )
    return module, optimizer


def test_weights_and_optimizer_come_back(tmp_path: Path) -> None:
    module, optimizer = save(tmp_path, 7)
    step_of(module, optimizer)
    path = latest_checkpoint(tmp_path)
    assert path is not None
    again, its_optimizer = learner()
    saved = load_checkpoint(path, modules=again, optimizer=its_optimizer)
    assert saved.step == 7
    assert saved.config == TrainConfig().to_json()
    step_of(again, its_optimizer)
    assert torch.equal(again.weight, module.weight)


def test_a_run_may_change_its_length_and_its_reports_but_not_what_it_learns() -> None:
    before = load_config(None, ["data.root=videos"]).to_json()
    folder = Path("runs")
    longer = load_config(
        None, ["data.root=videos", "run.steps=9", "run.tensorboard=false", "export.name=a"]
    )
    check_same_run(before, longer, folder)
    other = load_config(None, ["data.root=videos", "optimizer.rate=1e-5", "loss.sigma=0.5"])
    with pytest.raises(ConfigError, match=r"loss\.sigma.*optimizer\.rate"):
        check_same_run(before, other, folder)
    # A checkpoint of an earlier version knows fewer settings.
    del before["loss"]["sigma"], before["optimizer"]["rate"]
    check_same_run(before, other, folder)


def test_a_run_starts_from_a_file_or_from_a_folder(tmp_path: Path) -> None:
    save(tmp_path, 4)
    path = tmp_path / "step-00000004.pt"
    assert named_checkpoint(str(tmp_path)) == path
    assert named_checkpoint(str(path)) == path
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no checkpoint"):
        named_checkpoint(str(tmp_path / "empty"))


def test_the_newest_ones_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 10):
        save(tmp_path, step)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == [
        "step-00000003.pt",
        "step-00000010.pt",
    ]
    latest = latest_checkpoint(tmp_path)
    assert latest is not None
    assert latest.name == "step-00000010.pt"
    assert not list(tmp_path.glob("*.partial"))


def test_no_run_no_checkpoint(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    (tmp_path / "latest").write_text("../elsewhere.pt")
    assert latest_checkpoint(tmp_path) is None


def test_another_models_checkpoint_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 1)
    path = latest_checkpoint(tmp_path)
    assert path is not None
    module, _ = learner(width=5)
    with pytest.raises(StoreError, match="another model"):
        load_checkpoint(path, modules=module)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "step-00000001.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(StoreError, match="cannot be read"):
        load_checkpoint(path, modules=learner()[0])


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        save(tmp_path / "file", 1)
