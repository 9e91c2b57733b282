"""Train a head a little further on stored features, and keep the best state of it."""

from __future__ import annotations

import copy
import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from carl_core.errors import ModelError
from carl_core.runs import Evaluated
from training.adapt.judge import errors_of
from training.config import (
    AugmentConfig,
    DataConfig,
    LossConfig,
    OptimizerConfig,
    RunConfig,
    SamplingConfig,
    TrainConfig,
)
from training.data import batches
from training.evaluation.heads import head_config, head_embedder, head_file
from training.learner import Learner, losses_of
from training.meter import Meter
from training.optimizers import build_optimizer, learning_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from carl_core.encoder.onnx import Encoder
    from carl_core.runs import Event
    from training.data import Source
    from training.evaluation.cases import FeatureCase
    from training.model import Head

EVERY = 25  # steps between two looks at the held-back part
_PATIENCE = 4  # of these without a gain end it
_CLIPS = 8  # pairs of views a step
_FRAMES = 24
# A head of another file would differ by about 1.
_SAME_HEAD = 2e-3


def config_for(encoder: Encoder, *, steps: int, looks: int, seed: int, threads: int) -> TrainConfig:
    """Return the settings of an adaptation: small steps from where the encoder's head is.

    Raises
    ------
    ModelError
        When the state of the head does not lie beside the encoder, or the encoder goes by a clock.
    """
    if encoder.spec.clock:
        raise ModelError(
            f"The encoder {encoder.path} goes by a clock (a published CARL encoder), and what it "
            "would learn from one recording is its length. Adapt another encoder."
        )
    model = dataclasses.replace(
        head_config(head_file(encoder.path)),
        backbone="encoder",
        freeze="all",
        weights=str(encoder.path),
        image_size=encoder.spec.size,
    )
    step_s = 1.0 / encoder.spec.sample_fps
    return TrainConfig(
        run=RunConfig(steps=steps, seed=seed, threads=threads, device="cpu"),
        data=DataConfig(looks=looks, looks_seed=seed, batch_clips=_CLIPS, workers=0),
        sampling=SamplingConfig(
            frames=_FRAMES,
            max_ratio=1.25,
            min_step_s=0.6 * step_s,
            max_step_s=3.0 * step_s,
            max_speed=3.0,
        ),
        augment=AugmentConfig(),
        model=model,
        loss=LossConfig(temperature=0.05, sigma=0.05, reach=2.0, use_projection=False),
        optimizer=OptimizerConfig(rate=1e-4, final_rate=5e-6, warmup_steps=20),
    )


def learner_from(encoder: Encoder, config: TrainConfig) -> Learner:
    """Return what is trained, with the encoder's own head in its present state.

    Raises
    ------
    ModelError
        When the state beside the encoder is damaged, or another encoder's.
    """
    path = head_file(encoder.path)
    torch.manual_seed(config.run.seed)
    learner = Learner(config, joints=1)
    try:
        learner.carl.head.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError, OSError) as exc:
        raise ModelError(
            f"{path} does not fit the encoder beside it ({str(exc).splitlines()[0]}). "
            "Export the encoder again, which writes both."
        ) from exc
    _check_same(learner.carl.head, encoder, path)
    return learner


def tuned(
    learner: Learner,
    encoder: Encoder,
    config: TrainConfig,
    sources: Sequence[Source],
    copies: Sequence[Sequence[FeatureCase]],
    tell: Callable[[Event], None],
    is_stopped: Callable[[], bool],
) -> bool:
    """Train the head and leave its best state in ``learner``; return whether that is a new one.

    Views of many parts of the recordings are pulled together where they show the same moment and
    apart where they do not (``training.losses.sequence_contrastive_loss``). Every ``EVERY`` steps
    the head aligns ``copies``; the state with the lowest mean error is kept, the first one if none
    is lower. It ends early when nothing was gained for a while, or ``is_stopped()``.

    Parameters
    ----------
    learner : begins with the encoder's own head
    encoder : its file
    config : see ``config_for``
    sources : runs of samples, long ones come more often
    copies : for choosing; the verdict must use others
    tell : receives the steps and the errors
    is_stopped : asked after every step
    """
    head = learner.carl.head
    learner.carl.projection.requires_grad_(False)
    embed = head_embedder(head, encoder.spec)

    def error() -> float:
        head.eval()
        return float(errors_of(embed, copies).mean())

    best, best_state, is_new = error(), copy.deepcopy(head.state_dict()), False
    tell(Evaluated(time.time(), 0, {"held_back_percent": best}))
    optimizer = build_optimizer(head, config)
    steps, waited, meter = config.run.steps, 0, Meter()
    learner.train()
    for batch in batches(0, steps, _places(sources), [], config):
        rate = learning_rate(batch.step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(config.run.seed + batch.step)  # dropout
        losses = losses_of(learner, batch, config, batch.step)
        total: Tensor = torch.stack(list(losses.values())).sum()
        torch.autograd.backward(total)
        norm = nn.utils.clip_grad_norm_(head.parameters(), config.optimizer.clip_norm)
        if not bool(torch.isfinite(total + norm)):
            break  # the best state so far is a finite one
        optimizer.step()
        done = batch.step + 1
        meter.count({"scl": total.item()}, norm.item(), batch.valid.numel())
        is_last = done == steps or is_stopped()
        if done % 5 == 0 or is_last:
            tell(meter.event(time.time(), done, rate, steps - done))
        if done % EVERY == 0 or is_last:
            found = error()
            learner.train()
            tell(Evaluated(time.time(), done, {"held_back_percent": found}))
            waited += 1
            if found < best:
                best, best_state, waited = found, copy.deepcopy(head.state_dict()), 0
                is_new = True
        if is_last or waited >= _PATIENCE:
            break
    head.load_state_dict(best_state)
    head.eval()
    return is_new


def _places(sources: Sequence[Source]) -> list[Source]:
    """Return the runs so often that a long one comes more often, and a step has enough of them."""
    places = [
        source
        for source in sources
        for _ in range(max(1, round(len(source.takes[0].times_s) / _FRAMES)))
    ]
    return places * -(-_CLIPS // len(places))


def _check_same(head: Head, encoder: Encoder, path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(5, encoder.spec.channels)).astype(np.float32)
    times_s = np.arange(5) / encoder.spec.sample_fps
    found = head_embedder(head.eval(), encoder.spec)(features, times_s)
    if not float(np.abs(found - encoder.embed_features(features, times_s)).max()) <= _SAME_HEAD:
        raise ModelError(
            f"{path} is the head of another encoder than the file beside it. Export the encoder "
            "again, which writes both."
        )
