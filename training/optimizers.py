"""Which weights move, how, and at what rate: our optimiser and schedule, and the published ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

    from training.config import TrainConfig


def build_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimiser of all weights that are trained; frozen ones are not given to it.

    "adamw" decays matrices and kernels, apart from the gradient; biases, norms and positions are
    left alone. "adam" adds ``weight_decay`` times the weight to the gradient of everything, norms
    and biases too, as the published code does.
    """
    settings = config.optimizer
    trained = [one for one in module.parameters() if one.requires_grad]
    if settings.name == "adam":
        return torch.optim.Adam(trained, lr=settings.rate, weight_decay=settings.weight_decay)
    groups = [
        {
            "params": [one for one in trained if one.ndim > 1],
            "weight_decay": settings.weight_decay,
        },
        {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate)


def learning_rate(step: int, config: TrainConfig, steps_per_epoch: int = 1) -> float:
    """Return the rate of ``step`` (from 0): a linear warm-up, then what the schedule says.

    "cosine" falls with every step and reaches ``final_rate`` at the last one. "cosine_epochs" is
    the published schedule: constant within an epoch and
    ``rate * (1 + cos(pi * epoch / (epochs + 1))) / 2`` in epoch 0, 1, ...; its period is one epoch
    longer than the run, so the last epoch still learns, and ``final_rate`` plays no part.

    Parameters
    ----------
    step : optimiser steps done so far
    config : ``run.steps`` is the number of steps in all
    steps_per_epoch : optimiser steps of one pass over the recordings
    """
    settings = config.optimizer
    warm_up = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    if settings.schedule == "cosine_epochs":
        epochs = config.run.epochs or math.ceil(config.run.steps / steps_per_epoch)
        epoch = min(step // steps_per_epoch, epochs - 1)
        return warm_up * settings.rate * 0.5 * (1.0 + math.cos(math.pi * epoch / (epochs + 1)))
    if step < settings.warmup_steps:
        return settings.rate * warm_up
    length = max(1, config.run.steps - settings.warmup_steps)
    share = min(1.0, (step - settings.warmup_steps) / length)
    return settings.final_rate + (settings.rate - settings.final_rate) * 0.5 * (
        1.0 + math.cos(math.pi * share)
    )
