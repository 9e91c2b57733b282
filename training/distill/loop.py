"""Train the student on stored looks, resume where it stopped, write its encoder file."""

from __future__ import annotations

import json
import math
import os
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
import xxhash
from rich.console import Console
from torch import Tensor, nn

from carl_core.atomic import replacing, write_atomic
from carl_core.encoder.spec import EncoderSpec
from carl_core.errors import CarlError, StoreError
from carl_core.progress import Monitor
from carl_core.runs import Evaluated, Finished, Started
from training.config import ConfigError
from training.distill.feed import Feed, Looks, recoloured
from training.distill.shards import load_shard, make_shards
from training.distill.student import PLACE_CHANNELS, Student
from training.distill.views import GROUP
from training.export.encoder import export_encoder
from training.losses import difference_loss, located_joint_loss, place_loss
from training.meter import Journal, Meter, progress_lines
from training.parallel import device_of

if TYPE_CHECKING:
    from training.distill.settings import DistillSettings, RunSettings

STATE_NAME = "state.pt"
ENCODER_NAME = "trunk.onnx"
_HELD_BACK = 25  # one source in so many is not trained on
_EVALUATION_GROUPS = 256


class DistillError(CarlError):
    """A distillation that cannot go on."""


def distill(settings: DistillSettings, *, console: Console | None = None) -> Path:
    """Make the looks, train the student, write ``trunk.onnx``; go on where an earlier run stopped.

    Returns
    -------
    the encoder file: the trunk, and a head that only scales the features to unit length

    Raises
    ------
    ConfigError
        When the run folder holds a run with other settings, or ``run.device`` is not there.
    MediaError, ModelError
        When there is nothing to look at, or a teacher is missing.
    DistillError
        When the loss is not finite.
    """
    console = console or Console(stderr=True)
    run = settings.run
    folder = Path(run.dir)
    folder.mkdir(parents=True, exist_ok=True)
    device = device_of(run.device)
    threads = run.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    looks = folder / f"views-{settings.digest('views')}"
    names = make_shards(
        settings.views, looks, size=settings.student.size, workers=threads,
        monitor=Monitor(progress_lines(console)),
    )  # fmt: skip
    shards = [load_shard(looks, name) for name in names]
    held_back = [shard for shard in shards if is_held_back(shard.name)] or shards[:1]
    feed = Feed([shard for shard in shards if not is_held_back(shard.name)] or shards)
    torch.manual_seed(run.seed)
    student = Student(settings.student)
    mean, deviation = feed.statistics()
    student.place_mean.copy_(torch.from_numpy(mean))
    student.place_std.copy_(torch.from_numpy(deviation))
    student.to(device).to(memory_format=torch.channels_last)
    optimizer = _optimizer(student, run)
    done = _resume(folder, settings, student, optimizer)
    write_atomic(folder / "config.json", json.dumps(asdict(settings), indent=2) + "\n")
    journal = Journal(folder, console, done=done, steps=run.steps, curves=False)
    with journal:
        journal.write(Started(journal.now(), done, run.steps, asdict(settings), str(device)))
        began, meter = time.monotonic(), Meter()
        meter.begin_wait()
        stream = feed.batches(done, run.steps, run.batch, run.seed, device=device)
        for step, batch in enumerate(stream, done):
            meter.end_wait()
            rate = _rate(step, run)
            for group in optimizer.param_groups:
                group["lr"] = rate
            losses = _losses(student.train(), batch, run, step)
            total = torch.stack(list(losses.values())).sum()
            optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            norm = nn.utils.clip_grad_norm_(student.parameters(), 5.0)
            if not math.isfinite(float(total.detach()) + float(norm)):
                raise DistillError(
                    f"The loss of step {step} is not finite. Go on from the last saved state with "
                    "a smaller run.rate, or with run.precision=float32."
                )
            optimizer.step()
            done = step + 1
            means = {name: float(value.detach()) for name, value in losses.items()}
            meter.count(means, float(norm), len(batch.pixels))
            if done % run.log_every == 0 or done == run.steps:
                journal.write(meter.event(journal.now(), done, rate, run.steps - done))
            if done % run.checkpoint_every == 0 or done == run.steps:
                _save(folder, settings, student, optimizer, done)
                scores = evaluate(student, Feed(held_back))
                journal.write(Evaluated(journal.now(), done, scores))
            meter.begin_wait()
        _weigh_pose(student, feed, settings.student.pose_share)
        scores = evaluate(student, Feed(held_back))
        path = write_encoder(student.cpu(), settings, folder / ENCODER_NAME)
        journal.write(Evaluated(journal.now(), done, scores))
        journal.write(Finished(journal.now(), done, complete=True))
        console.print(f"{path}, {time.monotonic() - began:.0f} s", highlight=False)
    return path


def is_held_back(name: str) -> bool:
    """Whether the source of this name is only evaluated on: one clip in 25, by its name."""
    return name.startswith("clip-") and xxhash.xxh32_intdigest(name.encode()) % _HELD_BACK == 0


@torch.no_grad()
def evaluate(student: Student, feed: Feed) -> dict[str, float]:
    """Losses on looks at sources that were held back; 1 = nothing is known."""
    student.eval()
    device = student.pixel_mean.device
    groups = np.unique(np.linspace(0, len(feed) - 1, _EVALUATION_GROUPS).astype(np.int64))
    sums: dict[str, float] = {}
    parts = np.array_split(groups, max(1, len(groups) // 32))
    for part in parts:
        batch = feed.batch(part, device=device)
        pixels = batch.pixels.permute(0, 3, 1, 2).to(torch.float32) / 255.0
        for name, value in _compared(student, pixels, batch).items():
            sums[name] = sums.get(name, 0.0) + float(value) / len(parts)
    return {f"held back, {name}": value for name, value in sums.items()}


def write_encoder(student: Student, settings: DistillSettings, path: Path) -> Path:
    """Write the student as an encoder file whose head only scales to unit length."""
    spec = EncoderSpec(
        name=settings.run.name,
        size=student.image_size,
        fit="squash",
        dim=student.channels,
        channels=student.channels,
        tokens=student.tokens,
        sample_fps=10.0,
        window_frames=64,
        overlap_frames=0,
        position="none",
        clock=False,
        config_digest=settings.digest(),
        licence=settings.run.licence,
        data="Free clips and images, simulated figures; taught by MobileNetV2 and MoveNet.",
    )
    return export_encoder(_Encoder(student), spec, path)


class _Encoder(nn.Module):
    """Trunk, and a head without weights."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.trunk = student
        self.head = _UnitHead()
        self.dim = student.channels


class _UnitHead(nn.Module):
    def forward(self, features: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        rows = F.normalize(features, dim=-1, eps=1e-6)
        # A frame without a time is none; the times play no other part.
        return torch.where((valid & (times_s == times_s)).unsqueeze(-1), rows, 0.0)


def _losses(student: Student, batch: Looks, run: RunSettings, step: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(run.seed * 1_000_003 + step)
    pixels = recoloured(batch.pixels, generator)
    is_half = run.precision == "bfloat16"
    with torch.autocast(pixels.device.type, torch.bfloat16) if is_half else nullcontext():
        found = _compared(student, pixels, batch)
    return {
        "places": run.place_weight * found["places"],
        "tokens": found["tokens"],
        "differences": run.difference_weight * found["differences"],
        "joints": run.joints_weight * found["joints"],
    }


def _compared(student: Student, pixels: Tensor, batch: Looks) -> dict[str, Tensor]:
    places, scores, nowhere = student.look(pixels)
    mean = student.place_mean[:, None, None]
    target = (batch.places - mean) / student.place_std[:, None, None]
    with torch.autocast(pixels.device.type, enabled=False):
        ours, theirs = student.tokens_of(places.float()), student.tokens_of(target)
        return {
            "places": place_loss(places, target),
            "tokens": place_loss(ours, theirs) / theirs.square().mean().clamp(min=1e-6),
            "differences": difference_loss(ours, theirs, batch.is_sequence, GROUP),
            "joints": located_joint_loss(scores.float(), nowhere.float(), batch.joints),
        }


@torch.no_grad()
def _weigh_pose(student: Student, feed: Feed, share: float) -> None:
    """Scale the pose so that within recordings it varies ``share`` times as much as the places."""
    student.eval()
    student.pose_scale.fill_(1.0)
    device = student.pixel_mean.device
    energies = torch.zeros(2, device=device)
    for part in np.array_split(np.linspace(0, len(feed) - 1, 512).astype(np.int64), 16):
        batch = feed.batch(part, device=device)
        features = student(batch.pixels).unflatten(0, (-1, GROUP))[batch.is_sequence]
        changes = (features - features.mean(dim=1, keepdim=True)).square()
        energies[0] += changes[..., :-PLACE_CHANNELS].sum()
        energies[1] += changes[..., -PLACE_CHANNELS:].sum()
    if float(energies.min()) > 0:
        student.pose_scale.fill_(share * math.sqrt(float(energies[0] / energies[1])))


def _optimizer(student: Student, run: RunSettings) -> torch.optim.Optimizer:
    trained = list(student.parameters())
    return torch.optim.AdamW(
        [
            {
                "params": [one for one in trained if one.ndim > 1],
                "weight_decay": run.weight_decay,
            },
            {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=run.rate,
    )


def _rate(step: int, run: RunSettings) -> float:
    if step < run.warmup_steps:
        return run.rate * (step + 1) / run.warmup_steps
    share = (step - run.warmup_steps) / max(1, run.steps - run.warmup_steps)
    return run.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def _save(
    folder: Path, settings: DistillSettings, student: Student, optimizer: Any, done: int
) -> None:
    state = {
        "step": done,
        "digest": settings.digest(),
        "weights": student.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    try:
        with replacing(folder / STATE_NAME) as partial:
            torch.save(state, partial)
    except OSError as exc:
        raise StoreError(f"The state of the run cannot be written to {folder} ({exc}).") from exc


def _resume(
    folder: Path, settings: DistillSettings, student: Student, optimizer: torch.optim.Optimizer
) -> int:
    path = folder / STATE_NAME
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as exc:  # torch raises a dozen types on damaged files
        raise StoreError(
            f"{path} cannot be read ({exc}). Delete it to begin again: the looks are kept."
        ) from exc
    if state["digest"] != settings.digest():
        raise ConfigError(
            f"{folder} holds a run with other settings. Choose another run.dir, or delete {path}."
        )
    student.load_state_dict(state["weights"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
