"""What a batch of views costs: one of the losses on sequences, as the configuration says."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from training.config import ConfigError
from training.losses import (
    alignment_loss,
    cross_video_loss,
    cycle_consistency_loss,
    frame_cross_entropy,
    n_pairs_loss,
    sequence_contrastive_loss,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.config import LossConfig


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What the losses see of a batch. V = 2 views, B clips, T frames.

    Attributes
    ----------
    compared : (V, B, T, P), unit rows that are compared: projections, or the embeddings
    embeddings : (V, B, T, D), unit rows
    features : (V, B, T, C), of the trunk
    times_s : (V, B, T), the recordings' own seconds
    moments : (V, B, T), content times in the unit of sigma
    valid : bool (V, B, T)
    labels : int64 (V, B, T), phase of each frame, -1 = none
    actions : B, "" = not known
    lengths : (V, B), of the recordings in the unit of moments; None = the same in both views
    """

    compared: Tensor
    embeddings: Tensor
    features: Tensor
    times_s: Tensor
    moments: Tensor
    valid: Tensor
    labels: Tensor
    actions: tuple[str, ...]
    lengths: Tensor | None = None

    def __post_init__(self) -> None:
        shape = self.valid.shape
        if len(shape) != 3 or shape[0] != 2:
            raise ValueError(f"valid {tuple(shape)} must be (2, B, T)")
        for name in ("compared", "embeddings", "features"):
            values = getattr(self, name)
            if values.ndim != 4 or values.shape[:3] != shape:
                raise ValueError(
                    f"{name} {tuple(values.shape)} must be {tuple(shape)} and channels"
                )
        for name in ("times_s", "moments", "labels"):
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} {tuple(getattr(self, name).shape)} must be {tuple(shape)}"
                )
        if len(self.actions) != shape[1]:
            raise ValueError(f"{len(self.actions)} actions of {shape[1]} clips")
        if self.lengths is not None and self.lengths.shape != shape[:2]:
            raise ValueError(f"lengths {tuple(self.lengths.shape)} must be {tuple(shape[:2])}")


class Classifier(nn.Module):
    """Phase of a frame from its embedding: dropout and one linear layer (published)."""

    def __init__(self, dim: int, phases: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(dim, phases))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Embeddings (..., D) to scores (..., phases)."""
        scores: Tensor = self.layers(embeddings)
        return scores


def sequence_losses(
    views: Views, config: LossConfig, step: int, classifier: Classifier | None
) -> dict[str, Tensor]:
    """Weighted losses by name; their sum is minimised. Joints are not among them.

    One entry bears the name of ``config.name``; "cross" joins it from ``config.cross_start`` on
    where ``config.cross_weight`` is above 0. "tcc" and "lav" align the two views of each clip, and
    all views of clips that show the same known action; "tcn" sees each view alone;
    "classification" works on the embeddings. Everything is computed in at least fp32, autocast or
    not.

    Parameters
    ----------
    step : number of the step, from 0: decides about sigma and "cross"
    classifier : needed for "classification"

    Raises
    ------
    ConfigError
        When ``config.name`` is none of the losses, or "classification" has no phases to learn.
    """
    with torch.autocast(views.compared.device.type, enabled=False):
        found = _LOSSES.get(config.name)
        if found is not None:
            losses = {config.name: found(views, config, step)}
        elif config.name == "classification":
            losses = {config.name: _classification(views, classifier)}
        else:
            raise ConfigError(
                f"loss.name = {config.name!r}: must be one of {', '.join(_LOSSES)}, classification."
            )
        if config.cross_weight and step >= config.cross_start:
            losses["cross"] = config.cross_weight * cross_video_loss(
                views.compared,
                views.valid,
                views.actions,
                margin=config.cross_margin,
                temperature=config.temperature,
            )
    return losses


def sigma_at(step: int, config: LossConfig) -> float:
    """Sigma of the contrastive loss: falls linearly from ``sigma_start`` times its value."""
    left = max(0.0, 1.0 - step / config.sigma_steps) if config.sigma_steps else 0.0
    return config.sigma * (1.0 + (config.sigma_start - 1.0) * left)


def _contrastive(views: Views, config: LossConfig, step: int) -> Tensor:
    return sequence_contrastive_loss(
        *views.compared,
        *views.moments,
        *views.valid,
        temperature=config.temperature,
        sigma=sigma_at(step, config),
        epsilon=config.epsilon,
        negatives=config.negatives,
        own_view=config.own_view,
        reach=config.reach or None,
        lengths1=None if views.lengths is None else views.lengths[0],
        lengths2=None if views.lengths is None else views.lengths[1],
    )


def _cycle_consistency(views: Views, config: LossConfig, step: int) -> Tensor:
    return cycle_consistency_loss(
        *_aligned_pairs(views),
        kind=config.tcc_kind,
        temperature=config.tcc_temperature,
        variance_weight=config.tcc_variance,
        smoothing=config.tcc_smoothing,
        huber=config.tcc_huber,
    )


def _n_pairs(views: Views, config: LossConfig, step: int) -> Tensor:
    return n_pairs_loss(
        views.compared.flatten(0, 1),
        views.moments.flatten(0, 1),
        views.valid.flatten(0, 1),
        reach=config.tcn_reach,
        l2=config.tcn_l2,
        temperature=config.tcn_temperature,
    )


def _alignment(views: Views, config: LossConfig, step: int) -> Tensor:
    return alignment_loss(
        *_aligned_pairs(views),
        gamma=config.lav_gamma,
        margin=config.lav_margin,
        sigma=config.lav_sigma,
        alpha=config.lav_alpha,
    )


_LOSSES: dict[str, Callable[[Views, LossConfig, int], Tensor]] = {
    "scl": _contrastive,
    "tcc": _cycle_consistency,
    "tcn": _n_pairs,
    "lav": _alignment,
}


def _classification(views: Views, classifier: Classifier | None) -> Tensor:
    if classifier is None:
        raise ConfigError(
            "loss.name = 'classification' learns the phases of frames, but no frame of the "
            "training data has one. Name a file of labels (data.labels) or choose another loss."
        )
    return frame_cross_entropy(classifier(views.embeddings.float()), views.labels, views.valid)


def _aligned_pairs(views: Views) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Pairs of sequences that show the same: (P, T, ...) of both, in the order losses take them.

    The two views of each clip, then every view of one clip with every view of another where both
    show the same known action.
    """
    clips = len(views.actions)
    pairs = [(b, clips + b) for b in range(clips)]
    for b, c in combinations(range(clips), 2):
        if views.actions[b] and views.actions[b] == views.actions[c]:
            pairs += [(v * clips + b, w * clips + c) for v, w in product((0, 1), repeat=2)]
    one, two = torch.tensor(pairs, device=views.valid.device).unbind(dim=1)
    flat = [values.flatten(0, 1) for values in (views.compared, views.moments, views.valid)]
    z, moments, valid = flat
    return z[one], z[two], moments[one], moments[two], valid[one], valid[two]
