"""The linear probe against SGD written out in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from training.evaluation.probe import fit_probe, linear_probe
from training.evaluation.protocol import Embedded

pytestmark = pytest.mark.torch


def clips(count: int, seed: int, *, apart: float) -> list[Embedded]:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((4, 6))
    found = []
    for k in range(count):
        labels = rng.integers(-1, 4, 12)
        vectors = apart * centres[labels] + rng.standard_normal((12, 6))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found.append(Embedded(f"{k}", vectors.astype(np.float32), np.arange(12) / 10, labels))
    return found


def test_steps_are_those_of_sgd_with_momentum_and_a_cosine() -> None:
    train, epochs, rate = clips(7, 0, apart=1.0), 6, 5.0
    layer = fit_probe(train, classes=4, seed=3, epochs=epochs, rate=rate)
    torch.manual_seed(3)
    start = torch.nn.Linear(6, 4)
    weights = start.weight.detach().numpy().astype(np.float64)
    bias = start.bias.detach().numpy().astype(np.float64)
    x = np.concatenate([one.labelled().vectors for one in train]).astype(np.float64)
    y = np.concatenate([one.labelled().labels for one in train])  # type: ignore[misc]
    speed_w, speed_b = np.zeros_like(weights), np.zeros_like(bias)
    for epoch in range(epochs):  # all seven fit into one step
        scores = x @ weights.T + bias
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        error = (odds - np.eye(4)[y]) / len(y)
        speed_w = 0.9 * speed_w + error.T @ x + 1e-6 * weights
        speed_b = 0.9 * speed_b + error.sum(axis=0) + 1e-6 * bias
        now = 0.5 * rate * (1 + math.cos(math.pi * epoch / epochs))
        weights, bias = weights - now * speed_w, bias - now * speed_b
    np.testing.assert_allclose(layer.weight.detach().numpy(), weights, atol=1e-4)
    np.testing.assert_allclose(layer.bias.detach().numpy(), bias, atol=1e-4)


def test_what_lies_apart_is_told_apart_and_noise_is_not() -> None:
    found = linear_probe(clips(20, 0, apart=6.0), clips(8, 1, apart=6.0), seed=0, epochs=30)
    assert found.val > 0.97
    blind = linear_probe(clips(20, 0, apart=0.0), clips(40, 1, apart=0.0), seed=0, epochs=30)
    assert blind.val == pytest.approx(0.25, abs=0.1)


def test_accuracy_is_that_of_labelled_frames() -> None:
    train = clips(12, 0, apart=6.0)
    good = linear_probe(train, train, seed=0, epochs=20)
    unlabelled = [
        Embedded("", np.zeros((9, 6), np.float32), np.arange(9), np.full(9, -1, dtype=np.int64))
    ]
    assert linear_probe(train, train + unlabelled, seed=0, epochs=20) == good
    assert math.isnan(linear_probe(train, unlabelled, seed=0, epochs=1).val)


def test_the_seed_decides_and_the_global_generator_stays() -> None:
    train = clips(23, 0, apart=1.0)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, two, other = (fit_probe(train, classes=4, seed=s, epochs=3) for s in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.weight, two.weight)
    assert not torch.equal(one.weight, other.weight)


def test_nothing_labelled_is_refused() -> None:
    blank = Embedded("", np.zeros((3, 2), np.float32), np.arange(3.0))
    with pytest.raises(ValueError, match="labels"):
        fit_probe([blank], classes=2, seed=0)
