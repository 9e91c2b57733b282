"""Training in one process and in several: the same cases, run by tests and by their helpers.

``python tests/helpers/processes.py RANK COUNT FOLDER`` runs every case as one of COUNT processes
that meet in FOLDER, and leaves what it found there.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from rich.console import Console

from training import learner, parallel, train
from training.bank import Sources
from training.checkpoint import latest_checkpoint
from training.config import TrainConfig, load_config
from training.data import Batch, Source, Take
from training.forecast import synthetic_batch
from training.learner import Learner, losses_of
from training.parallel import Processes

CLIPS, FRAMES = 4, 6
SMALL = (
    "data.root=unused",
    f"data.batch_clips={CLIPS}",
    f"sampling.frames={FRAMES}",
    "model.image_size=32",
    "model.tokens=4",
    "model.token_dim=8",
    "model.width=16",
    "model.heads=2",
    "model.ffn=16",
    "model.dim=8",
    "model.projection=8",
    "model.layers=1",
    "model.dropout=0.0",
    "model.position_scale=1.0",
)
PUBLISHED = (
    "model.norm=batch",
    "model.position=carl",
    "model.pooling=max",
    "model.tokens=1",
    "model.motion=false",
    "model.freeze_norm=true",
    "model.frames_per_batch=4",
)
# One loss and its gradients, by name of the case.
CASES: dict[str, tuple[str, ...]] = {
    "scl, norms trained": (),
    "scl, negatives from the batch": ("loss.negatives=batch", "model.freeze_norm=true"),
    "scl, stored features": ("loss.negatives=batch", "model.freeze=all", "data.looks=1"),
    "scl, published": (*PUBLISHED, "loss.own_view=true", "loss.reach=0"),
    "tcc": ("loss.name=tcc", "model.freeze_norm=true"),
    "joints": (
        "model.freeze_norm=true",
        "loss.pose_map_weight=0.5",
        "loss.pose_weight=0.7",
        "loss.pose_embedding_weight=0.9",
    ),
}
# Whole runs of a few steps.
RUNS: dict[str, tuple[str, ...]] = {
    "run": ("loss.negatives=batch", "model.freeze_norm=true"),
    "accumulated": ("run.accumulate=2", "run.steps=2", "model.freeze_norm=true"),
}
SPOILED = ("run.checkpoint_every=0",)


def config_of(*settings: str) -> TrainConfig:
    return load_config(None, [*SMALL, *settings])


def learner_of(config: TrainConfig) -> Learner:
    torch.manual_seed(3)
    return Learner(config, joints=5, phases=3).train()


def batch_of(config: TrainConfig) -> Batch:
    """Noise with padding and joints that each clip has a different share of."""
    channels = config.model.tokens * config.model.token_dim if config.data.looks else 0
    batch = synthetic_batch(config, CLIPS, FRAMES, channels=channels, joints=5)
    rng = np.random.default_rng(5)
    valid = torch.ones_like(batch.valid)
    valid[0, 1, 4:] = False
    valid[1, 2, 3:] = False
    valid[1, 3, 5:] = False
    known = torch.from_numpy(rng.random(batch.visible.shape) < 0.5)
    known[:, 0] = False
    return dataclasses.replace(
        batch,
        valid=valid,
        moments=batch.times_s + torch.from_numpy(rng.normal(0, 0.01, valid.shape)).float(),
        visible=known & valid.unsqueeze(-1),
        has_body=torch.from_numpy(rng.random(valid.shape) < 0.4) & valid,
    )


def share_of(batch: Batch, places: slice) -> Batch:
    tensors = {
        field.name: value[:, places]
        for field in dataclasses.fields(batch)
        if isinstance(value := getattr(batch, field.name), torch.Tensor)
    }
    return dataclasses.replace(
        batch, names=batch.names[places], actions=batch.actions[places], **tensors
    )


def loss_and_gradients(name: str, processes: Processes) -> dict[str, torch.Tensor]:
    """The mean loss over the processes, gradients and statistics of norms after one batch."""
    config = config_of(*CASES[name])
    module = learner_of(config)
    model = parallel.spread(module, processes, torch.device("cpu"))
    batch = share_of(batch_of(config), processes.places(CLIPS))
    if processes.count == 1:
        found = losses_of(module, batch, config, 0)
    else:
        found = model(batch, config, 0)
    total = torch.stack(list(found.values())).sum()
    total.backward()
    gradients = {
        key: value.grad for key, value in module.named_parameters() if value.grad is not None
    }
    statistics = {key: value.clone() for key, value in module.named_buffers() if "running" in key}
    losses = {f"loss {key}": parallel.mean_of(value) for key, value in found.items()}
    return {**losses, **gradients, **statistics}


def sources_of_noise(*unused: object, **ignored: object) -> Sources:
    """Five short recordings of noise."""
    rng = np.random.default_rng(0)
    recordings = []
    for number in range(5):
        frames = rng.integers(0, 256, (40, 40, 40, 3), dtype=np.uint8)
        times_s = np.arange(40) / 15.0
        recordings.append(Source(f"clip{number}", (Take(frames, times_s, times_s),)))
    return Sources(recordings, [], 1)


def whole_run(folder: Path, *settings: str) -> dict[str, torch.Tensor]:
    """Train a few steps on noise; return the losses and the last weights."""
    config = config_of(
        f"run.dir={folder}", "run.steps=3", "run.tensorboard=false", "run.device=cpu",
        "data.workers=0", "optimizer.warmup_steps=0", "optimizer.rate=1e-3", *settings,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "load_sources", sources_of_noise)
        patch.setattr(train, "export_encoder", lambda model, spec, path: path)
        outcome = train.main(config, console=Console(quiet=True))
    found = {"losses": torch.tensor(outcome.losses)}
    if not dist.is_initialized() or dist.get_rank() == 0:
        path = latest_checkpoint(folder)
        assert path is not None
        found |= torch.load(path, weights_only=True)["weights"]
    return found


def spoiled_run(folder: Path, rank: int) -> str:
    """Train while process 1 alone finds a loss that is no number; return the error."""
    original = learner.losses_of

    def spoiled(*arguments: object) -> dict[str, torch.Tensor]:
        found = original(*arguments)  # type: ignore[arg-type]
        is_spoiled = arguments[3] == 1 and rank == 1
        return {
            name: value * float("nan") if is_spoiled else value for name, value in found.items()
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner, "losses_of", spoiled)
        try:
            whole_run(folder, *SPOILED)
        except train.NonFiniteError as error:
            return str(error)
    return ""


def main(rank: int, count: int, folder: Path) -> None:
    """Run every case as process ``rank`` of ``count``."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=count,
        timeout=timedelta(seconds=60),
    )
    processes = Processes(rank, count)
    for name in CASES:
        torch.save(loss_and_gradients(name, processes), folder / f"{name}.{rank}.pt")
    for name, settings in RUNS.items():
        found = whole_run(folder / name, *settings)
        if rank == 0:
            torch.save(found, folder / f"{name}.0.pt")
    message = spoiled_run(folder / "spoiled", rank)
    (folder / f"spoiled.{rank}.json").write_text(json.dumps(message))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    # All is written. While the interpreter is torn down, threads of torch may abort the process
    # ("terminate called without an active exception"), once in many runs: that is not tested here.
    sys.stderr.flush()
    os._exit(0)
