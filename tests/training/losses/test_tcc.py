"""Temporal cycle-consistency: a slow reference and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from training.losses import KINDS, cycle_consistency_loss  # noqa: E402

pytestmark = pytest.mark.torch


def random_pair(seed: int, counts: tuple[int, int] = (6, 5)) -> list[torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    parts: list[list[torch.Tensor]] = [[], [], []]
    for count in counts:
        parts[0].append(torch.randn(3, count, 4, generator=made, dtype=torch.float64))
        parts[1].append(
            (torch.rand(3, count, generator=made, dtype=torch.float64) * 9).sort().values
        )
        mask = torch.rand(3, count, generator=made) > 0.3
        mask[:, :2] = True
        parts[2].append(mask)
    return [*parts[0], *parts[1], *parts[2]]


def softmax(scores: list[float]) -> np.ndarray:
    weights = np.exp(np.asarray(scores) - max(scores))
    return np.asarray(weights / weights.sum())


def slow_loss(pair: list[torch.Tensor], kind: str) -> float:
    temperature, variance_weight, smoothing, huber = 0.4, 0.02, 0.2, 0.15
    costs = []
    for one, two in ((0, 1), (1, 0)):
        for b in range(3):
            kept = [pair[4 + side][b].numpy() for side in (one, two)]
            u, v = (pair[side][b].numpy()[k] for side, k in zip((one, two), kept, strict=True))
            t = pair[2 + one][b].numpy()[kept[0]]
            t = (t - t.min()) / (t.max() - t.min())
            for i in range(len(u)):
                there = softmax([-((u[i] - x) ** 2).mean() / temperature for x in v])
                neighbour = sum(w * x for w, x in zip(there, v, strict=True))
                beta = softmax([-((neighbour - x) ** 2).mean() / temperature for x in u])
                if kind == "classification":
                    target = np.full(len(u), smoothing / len(u))
                    target[i] += 1 - smoothing
                    costs.append(-(target * np.log(beta)).sum())
                    continue
                returned = (beta * t).sum()
                variance = (beta * (t - returned) ** 2).sum()
                error = abs(t[i] - returned)
                costs.append(
                    {
                        "regression_mse": error**2,
                        "regression_mse_var": error**2 / variance
                        + variance_weight * math.log(variance),
                        "regression_huber": error**2 / 2
                        if error <= huber
                        else huber * (error - huber / 2),
                    }[kind]
                )
    return float(np.mean(costs))


def fast_loss(pair: list[torch.Tensor], kind: str) -> torch.Tensor:
    return cycle_consistency_loss(
        *pair, kind=kind, temperature=0.4, variance_weight=0.02, smoothing=0.2, huber=0.15
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_equals_loops(kind: str, seed: int) -> None:
    pair = random_pair(seed)
    assert float(fast_loss(pair, kind)) == pytest.approx(slow_loss(pair, kind), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_right(kind: str) -> None:
    pair = random_pair(4, counts=(4, 3))
    leaves = [z.requires_grad_() for z in pair[:2]]
    assert torch.autograd.gradcheck(lambda u, v: fast_loss([u, v, *pair[2:]], kind), leaves)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_frames_change_nothing(kind: str) -> None:
    pair = random_pair(1)
    before = fast_loss(pair, kind)
    for side in (0, 1):
        pair[side][~pair[4 + side]] = math.nan
        pair[2 + side][~pair[4 + side]] = math.nan
    pair[0].requires_grad_()
    after = fast_loss(pair, kind)
    (gradient,) = torch.autograd.grad(after, pair[0])
    assert float(after.detach()) == pytest.approx(float(before), rel=1e-12)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", KINDS)
def test_only_differences_of_time_matter_and_not_their_unit(kind: str) -> None:
    pair = random_pair(2)
    before = fast_loss(pair, kind)
    pair[2], pair[3] = pair[2] * 25 + 100, pair[3] * 0.5 - 3
    assert float(fast_loss(pair, kind)) == pytest.approx(float(before), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_cycle_through_gives_zero_and_a_zero_gradient(kind: str) -> None:
    pair = random_pair(3)
    pair[4][:, 1:] = False  # one valid frame
    pair[5][0] = False
    pair[0].requires_grad_()
    loss = fast_loss(pair, kind)
    (gradient,) = torch.autograd.grad(loss, pair[0])
    assert float(loss.detach()) == 0.0
    assert (gradient == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_one_frame_that_comes_back_exactly_stays_finite(kind: str) -> None:
    z = 1e3 * torch.eye(5).unsqueeze(0)
    z.requires_grad_()
    times, mask = torch.arange(5.0).unsqueeze(0), torch.ones(1, 5, dtype=torch.bool)
    loss = cycle_consistency_loss(z, z, times, times, mask, mask, kind=kind, temperature=0.1)
    (gradient,) = torch.autograd.grad(loss, z)
    assert math.isfinite(float(loss.detach()))
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", KINDS)
def test_aligned_sequences_cost_less_than_a_collapsed_one(kind: str) -> None:
    z = 5.0 * torch.eye(8).unsqueeze(0)
    times, mask = torch.arange(8.0).unsqueeze(0), torch.ones(1, 8, dtype=torch.bool)
    good = cycle_consistency_loss(z, z, times, times, mask, mask, kind=kind)
    collapsed = cycle_consistency_loss(
        z, z[:, :1].expand_as(z), times, times, mask, mask, kind=kind
    )
    assert float(good) < float(collapsed)


def test_wrong_input_is_refused() -> None:
    pair = random_pair(0)
    with pytest.raises(ValueError, match="view 2"):
        cycle_consistency_loss(*pair[:3], pair[2], *pair[4:])
    with pytest.raises(ValueError, match="regression_mse_var"):
        cycle_consistency_loss(*pair, kind="mse")
    with pytest.raises(ValueError, match="smoothing"):
        cycle_consistency_loss(*pair, smoothing=1.0)
    with pytest.raises(ValueError, match="temperature"):
        cycle_consistency_loss(*pair, temperature=0.0)
