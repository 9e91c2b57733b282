"""Everything that is trained: frames to features, batches to losses by name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch
import xxhash
from torch import Tensor, nn

from training import parallel
from training.config import ConfigError
from training.joints import JointRegressor, joint_losses
from training.model import CarlModel, build_model
from training.objective import Classifier, Views, sequence_losses

if TYPE_CHECKING:
    from carl_core.arrays import Float32, UInt8
    from training.config import TrainConfig
    from training.data import Batch
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
