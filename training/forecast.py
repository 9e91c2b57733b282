"""What a run would do and cost, measured on one batch of noise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch

from training import parallel
from training.data import Batch
from training.learner import Learner, losses_of
from training.meter import cost_of, peak_memory
from training.simulate.skeleton import JOINT_NAMES

if TYPE_CHECKING:
    from torch import nn

    from training.config import TrainConfig


def synthetic_batch(
    config: TrainConfig, clips: int, frames: int, *, channels: int = 0, joints: int = 1
) -> Batch:
    """Return a batch of noise of the given size, to measure what a step costs.

    With ``channels`` it holds stored features in place of pictures.
    """
    shape = (2, clips, frames)
    size = 0 if channels else config.model.image_size
    noise = torch.Generator().manual_seed(0)
    times_s = torch.arange(frames, dtype=torch.float32).expand(shape) / 10.0
    return Batch(
        step=0,
        names=tuple(f"noise {number}" for number in range(clips)),
        frames=torch.randint(0, 256, (*shape, size, size, 3), generator=noise, dtype=torch.uint8),
        features=torch.randn(*shape, channels, generator=noise),
        times_s=times_s,
        moments=times_s,
        lengths=torch.full((2, clips), frames / 10.0),
        valid=torch.ones(shape, dtype=torch.bool),
        labels=torch.zeros(shape, dtype=torch.int64),
        points=torch.rand(*shape, joints, 2, generator=noise),
        visible=torch.ones(*shape, joints, dtype=torch.bool),
        body=torch.rand(*shape, joints, 3, generator=noise),
        has_body=torch.ones(shape, dtype=torch.bool),
        actions=("",) * clips,
    )


def forecast(config: TrainConfig, steps_per_epoch: int, phases: int = 0) -> str:
    """Say what a run would do and cost, by one forward and backward pass over noise.

    On a GPU the pass has the size of a real step. On the CPU it has one clip and 16 frames at most,
    and time and memory are scaled by the number of frames.
    """
    device = parallel.device_of(config.run.device)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    torch.manual_seed(config.run.seed)
    data, frames = config.data, config.sampling.frames
    joints = len(JOINT_NAMES) if data.simulated_share > 0 else 1
    shape = config.model
    if shape.backbone != "encoder":
        shape = dataclasses.replace(shape, weights="")  # which weights does not matter here
    shown = dataclasses.replace(config, model=shape)
    learner = Learner(shown, joints, phases).to(device).train()
    clips = data.batch_clips
    is_whole = device.type == "cuda" or data.looks > 0
    seen_clips, seen_frames = (clips, frames) if is_whole else (1, min(frames, 16))
    share = (clips * frames) / (seen_clips * seen_frames)
    batch = synthetic_batch(
        config,
        seen_clips,
        seen_frames,
        channels=learner.carl.trunk.channels if data.looks > 0 else 0,
        joints=joints,
    ).to(device)

    def work() -> None:
        learner.zero_grad(set_to_none=True)
        total = torch.stack(list(losses_of(learner, batch, config).values())).sum()
        torch.autograd.backward(total)

    cost = cost_of(work, learner.parameters(), device)
    lines = [
        f"{section}.{key} = {value!r}"
        for section, values in config.to_json().items()
        for key, value in values.items()
    ]
    lines += ["", f"{'block':24} {'weights':>12} {'trained':>12}"]
    blocks = _blocks_of(learner)
    weights = trained = 0
    for name, block in blocks.items():
        every = sum(one.numel() for one in block.parameters())
        some = sum(one.numel() for one in block.parameters() if one.requires_grad)
        weights, trained = weights + every, trained + some
        if every:
            lines.append(f"{name:24} {every:12,d} {some:12,d}")
    lines.append(f"{'all':24} {weights:12,d} {trained:12,d}")
    steps, parts = config.run.steps, config.run.accumulate
    pictures = 2 * clips * frames * config.model.image_size**2 * 3 * (0 if data.looks else 1)
    states = 4 * (weights + 3 * trained)  # gradient and the optimiser's two moments
    activations = int(cost.kept_bytes * share)
    held = pictures * (data.workers + 2)
    seconds = cost.seconds * share * parts
    lines += [
        "",
        f"steps        {steps} of {parts} x {clips} clips x 2 views x {frames} frames",
        f"epochs       {steps / steps_per_epoch:.1f} of {steps_per_epoch} steps",
        f"memory       {_mib(states + activations + held)}: weights, gradients and optimizer "
        f"{_mib(states)}, activations {_mib(activations)}, batches {_mib(held)}",
        f"time         {seconds:.2f} s per step, {steps * seconds / 3600:.2f} h in all, without "
        f"waiting for data ({device.type}, {torch.get_num_threads()} threads)",
        f"measured on  {seen_clips} clips x 2 views x {seen_frames} frames, scaled by {share:.1f}",
    ]
    peak = peak_memory(device)
    if peak:
        lines.append(f"peak memory  {_mib(peak)} of this measurement, {device.type}")
    return "\n".join(lines)


def _blocks_of(learner: Learner) -> dict[str, nn.Module]:
    carl = learner.carl
    blocks = {f"trunk.{name}": child for name, child in carl.trunk.named_children()}
    blocks |= {f"head.{name}": child for name, child in carl.head.named_children()}
    blocks["projection"] = carl.projection
    if any(one.requires_grad for one in learner.regressor.parameters()):
        blocks["regressor"] = learner.regressor
    if learner.classifier is not None:
        blocks["classifier"] = learner.classifier
    return blocks


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
