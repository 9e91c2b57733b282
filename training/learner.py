"""Everything that is trained, and what one batch costs it: frames to features, losses by name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch
import xxhash
from torch import Tensor, nn

from training import parallel
from training.config import ConfigError
from training.data import Batch
from training.joints import JointRegressor, joint_losses
from training.meter import cost_of, peak_memory
from training.model import CarlModel, build_model
from training.objective import Classifier, Views, sequence_losses
from training.simulate.skeleton import JOINT_NAMES

if TYPE_CHECKING:
    from carl_core.arrays import Float32, UInt8
    from training.config import TrainConfig
    from training.features import TrunkFunction


class Learner(nn.Module):
    """The encoder, and beside it what only the training uses.

    Attributes
    ----------
    carl : the encoder
    regressor : joints from features and embeddings of simulated frames; frozen where no loss asks
        for them
    classifier : phases from embeddings, for supervised training; None without it

    Parameters
    ----------
    config : settings of the run
    joints : J of the simulated clips
    phases : number of phase labels, 0 = none
    """

    def __init__(self, config: TrainConfig, joints: int, phases: int = 0) -> None:
        super().__init__()
        self.carl: CarlModel = build_model(config.model)
        self.frames_per_batch = config.model.frames_per_batch
        self.regressor = JointRegressor(
            self.carl.trunk.channels, self._map_channels(), config.model.dim, joints
        )
        if not _wants_joints(config):
            self.regressor.requires_grad_(False)
        self.classifier: Classifier | None = None
        if config.loss.name == "classification":
            if phases < 2:
                raise ConfigError(
                    "loss.name = 'classification' learns phases from labels, and the data has "
                    "none. Name them with data.labels, or choose another loss."
                )
            self.classifier = Classifier(config.model.dim, phases)
        if not config.loss.use_projection:
            self.carl.projection.requires_grad_(False)

    def forward(self, batch: Batch, config: TrainConfig, step: int) -> dict[str, Tensor]:
        """Return ``losses_of`` this batch; the way in for several processes."""
        return losses_of(self, batch, config, step)

    def features_of(self, batch: Batch, *, with_map: bool = False) -> tuple[Tensor, Tensor | None]:
        """Features of every frame, and the maps they came from.

        Stored features are taken as they are. Otherwise the trunk sees the valid frames only, all
        together, so that no norm counts the padding; or, where ``model.frames_per_batch`` is set,
        it sees that many frames of all views and clips at a time, the padded ones too (published).

        Returns
        -------
        features : (V, B, T, C), zero where the trunk did not look
        feature_map : (V B T, channels, H, W), zero there too; None when not asked for, and for
            stored features
        """
        if batch.features.shape[-1]:
            return batch.features, None
        frames, valid = batch.frames, batch.valid
        if self.frames_per_batch:
            chunks = torch.split(frames, self.frames_per_batch, dim=2)  # each (V, B, 40, S, S, 3)
            parts = [self._look(chunk.flatten(0, 2), chunk.shape[:3]) for chunk in chunks]
            features = torch.cat([part for part, _ in parts], dim=2)
            maps = torch.cat([part for _, part in parts], dim=2) if with_map else None
        else:
            seen = valid.flatten()
            if bool(seen.all()):
                features, maps = self._look(frames.flatten(0, 2), valid.shape)
            else:
                few, few_maps = self._look(frames.flatten(0, 2)[seen], (int(seen.sum()),))
                features = _placed(few, valid)
                maps = _placed(few_maps, valid) if with_map else None
        return features, None if maps is None or not with_map else maps.flatten(0, 2)

    def _look(self, frames: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Frames (N, S, S, 3) to features (*shape, C) and maps (*shape, channels, H, W)."""
        maps: list[Tensor] = []
        late = self.carl.trunk.get_submodule("late")
        hook = late.register_forward_hook(lambda module, inputs, output: maps.append(output))
        try:
            features: Tensor = self.carl.trunk(frames)
        finally:
            hook.remove()
        return torch.unflatten(features, 0, shape), torch.unflatten(maps[0], 0, shape)

    def _map_channels(self) -> int:
        """Channels of the trunk's last map; 1 where features come stored and there is none."""
        trunk = self.carl.trunk
        if not hasattr(trunk, "late"):
            return 1
        size = trunk.image_size
        with torch.no_grad():
            trunk.eval()
            _, maps = self._look(torch.zeros(1, size, size, 3, dtype=torch.uint8), (1,))
            trunk.train()
        return maps.shape[1]


def _placed(values: Tensor, valid: Tensor) -> Tensor:
    """Put rows (K, ...) of the valid frames into their places, (*valid.shape, ...), else zero."""
    placed = values.new_zeros(*valid.shape, *values.shape[1:])
    placed[valid] = values
    return placed


def losses_of(
    learner: Learner, batch: Batch, config: TrainConfig, step: int = 0
) -> dict[str, Tensor]:
    """Weighted losses of one batch by name; their sum is minimised.

    With several processes and ``loss.gather`` the sequence losses are those of the whole global
    batch, the same in every process. Losses on joints are scaled so that their mean over the
    processes is that of the global batch.

    Parameters
    ----------
    learner : all that is trained
    batch : this process's part of the batch
    config : settings of the run
    step : optimiser step, for losses that change in the course of a run
    """
    views, clips, _ = batch.valid.shape
    device = batch.valid.device.type
    is_reduced = config.run.precision == "bfloat16"
    with torch.autocast(device, torch.bfloat16, enabled=is_reduced):
        features, feature_map = learner.features_of(batch, with_map=_wants_joints(config))
    # Frames of a clip differ by a few percent of their features, which bfloat16 (8 bits) rounds
    # away: the head then sees one and the same frame and collapses. It is cheap in float32.
    features = features.float()
    embeddings, compared = learner.carl.embed_and_project(
        features.flatten(0, 1), batch.times_s.flatten(0, 1), batch.valid.flatten(0, 1)
    )  # (V B, T, D), (V B, T, P)
    embeddings = torch.unflatten(embeddings, 0, (views, clips))
    if config.loss.use_projection:
        compared = torch.unflatten(compared, 0, (views, clips))
    else:
        compared = embeddings
    losses = sequence_losses(
        _views_of(batch, compared, embeddings, features, config),
        config.loss,
        step,
        learner.classifier,
    )
    if feature_map is not None:
        with torch.autocast(device, torch.bfloat16, enabled=is_reduced):
            joints = joint_losses(
                learner.regressor, feature_map, features, embeddings, batch, config.loss
            )
        losses.update(_weighted_by_known(joints, batch))
    return losses


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


def trunk_function(learner: Learner) -> tuple[TrunkFunction, str]:
    """Return the learner's own frozen trunk as a function of pictures, and a name for it."""
    trunk = learner.carl.trunk

    def look(pictures: UInt8) -> Float32:
        was_training = trunk.training
        trunk.eval()
        with torch.inference_mode():
            parts = torch.split(torch.from_numpy(np.ascontiguousarray(pictures)), 64)
            device = next(trunk.parameters()).device
            found = torch.cat([trunk(part.to(device)).cpu() for part in parts])
        trunk.train(was_training)
        features: Float32 = found.float().numpy()
        return features

    digest = xxhash.xxh3_128()
    for name, value in trunk.state_dict().items():
        digest.update(name.encode() + np.ascontiguousarray(value.cpu().numpy()).tobytes())
    return look, digest.hexdigest()


def _views_of(
    batch: Batch, compared: Tensor, embeddings: Tensor, features: Tensor, config: TrainConfig
) -> Views:
    """Return what the sequence losses see: this process's clips, or those of all processes."""
    views = Views(
        compared=compared,
        embeddings=embeddings,
        features=features,
        times_s=batch.times_s,
        moments=batch.moments,
        valid=batch.valid,
        labels=batch.labels,
        actions=batch.actions,
        lengths=batch.lengths,
    )
    if not (config.loss.gather and parallel.is_parallel()):
        return views
    # Features stay where they are: they are large, and no loss on sequences looks at them.
    views = dataclasses.replace(views, features=features[..., :0])
    tensors = {
        field.name: parallel.gathered(value, dim=1)
        for field in dataclasses.fields(views)
        if isinstance(value := getattr(views, field.name), Tensor)
    }
    actions = ("",) * tensors["valid"].shape[1]
    if config.loss.cross_weight or config.loss.name in ("tcc", "lav"):  # the rest do not ask
        actions = tuple(name for part in parallel.everyones(views.actions) for name in part)
    return dataclasses.replace(views, **tensors, actions=actions)


def _wants_joints(config: TrainConfig) -> bool:
    loss = config.loss
    return bool(loss.pose_map_weight or loss.pose_weight or loss.pose_embedding_weight)


def _weighted_by_known(losses: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """Scale means over this process's known joints to its share of the mean over all known ones."""
    if not parallel.is_parallel():
        return losses
    known = torch.stack([batch.visible.sum(), batch.has_body.sum()]).float()
    mean = parallel.mean_of(known).clamp(min=1e-9)
    of_picture, of_body = (known / mean).unbind()
    return {
        name: value * (of_body if name.startswith("body") else of_picture)
        for name, value in losses.items()
    }
