"""The published linear probe of FineGym: one linear layer on frozen embeddings of single frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.progress import Monitor
    from training.evaluation.protocol import Embedded

EPOCHS = 100
RATE = 50.0  # published for embeddings learned without labels; 0.1 after supervised training
_MOMENTUM = 0.9
_DECAY = 1e-6
_VIDEOS_PER_STEP = 10


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """Micro top-1 accuracy over labelled frames after the last epoch, 0..1, NaN without any."""

    train: float
    val: float


def linear_probe(
    train: Sequence[Embedded],
    val: Sequence[Embedded],
    *,
    seed: int,
    epochs: int = EPOCHS,
    rate: float = RATE,
    monitor: Monitor | None = None,
) -> ProbeScore:
    """Fit and score the probe.

    Raises
    ------
    ValueError
        When no training recording has labels.
    """
    layer = fit_probe(
        train,
        classes=_classes([*train, *val]),
        seed=seed,
        epochs=epochs,
        rate=rate,
        monitor=monitor,
    )
    return ProbeScore(_accuracy(layer, train), _accuracy(layer, val))


def fit_probe(
    train: Sequence[Embedded],
    *,
    classes: int,
    seed: int,
    epochs: int = EPOCHS,
    rate: float = RATE,
    monitor: Monitor | None = None,
) -> nn.Linear:
    """Fit the layer: SGD with momentum 0.9 and decay 1e-6, the rate a cosine to 0 over the epochs.

    Each step takes ten recordings and the mean cross-entropy of their labelled frames; a rest of
    fewer is left out of that epoch. With fewer than ten in all (which the published code refuses),
    a step takes all of them.

    Parameters
    ----------
    train : recordings with labels 0..classes-1
    classes : width of the layer
    seed : of weights and order
    epochs, rate : see above; the rate changes once per epoch
    monitor : progress in epochs

    Raises
    ------
    ValueError
        When no training recording has labels.
    """
    parts = [one.labelled() for one in train if one.labels is not None]
    items = [
        (torch.as_tensor(np.asarray(one.vectors, np.float32)), torch.as_tensor(one.labels))
        for one in parts
        if len(one.vectors)
    ]
    if not items:
        raise ValueError("a linear probe needs training recordings with labels")
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = nn.Linear(items[0][0].shape[1], classes)
    optimizer = torch.optim.SGD(
        layer.parameters(), lr=rate, momentum=_MOMENTUM, weight_decay=_DECAY
    )
    size = min(_VIDEOS_PER_STEP, len(items))
    if monitor is not None:
        monitor.start("fitting the probe", epochs, "epochs")
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = 0.5 * rate * (1.0 + math.cos(math.pi * epoch / epochs))
        order = torch.randperm(len(items), generator=generator).tolist()
        for start in range(0, len(items) - size + 1, size):
            chosen = [items[place] for place in order[start : start + size]]
            vectors = torch.cat([item[0] for item in chosen])
            labels = torch.cat([item[1] for item in chosen])
            loss = F.cross_entropy(layer(vectors), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if monitor is not None:
            monitor.advance()
    return layer


def _classes(recordings: Sequence[Embedded]) -> int:
    labels = [int(one.labels.max()) for one in recordings if one.labels is not None]
    return max(labels, default=-1) + 1


def _accuracy(layer: nn.Linear, recordings: Sequence[Embedded]) -> float:
    right, count = 0, 0
    with torch.inference_mode():
        for one in recordings:
            part = one.labelled()
            if part.labels is None or len(part.labels) == 0:
                continue
            scores = layer(torch.as_tensor(np.asarray(part.vectors, np.float32)))
            right += int((scores.argmax(dim=1).numpy() == part.labels).sum())
            count += len(part.labels)
    return right / count if count else math.nan
