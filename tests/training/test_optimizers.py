"""Optimisers and schedules against slow references and the published way to drive them."""

from __future__ import annotations

import itertools
import math

import pytest

torch = pytest.importorskip("torch")
from training.config import TrainConfig, load_config  # noqa: E402
from training.optimizers import build_optimizer, learning_rate  # noqa: E402

pytestmark = pytest.mark.torch


def config(*settings: str) -> TrainConfig:
    return load_config(None, ["data.root=unused", *settings])


def module() -> torch.nn.Module:
    made = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)
    )
    made[2].weight.requires_grad_(False)
    return made


def test_adamw_lets_only_matrices_decay() -> None:
    net = module()
    with torch.no_grad():
        net[0].bias.fill_(0.5)
    before = {name: value.detach().clone() for name, value in net.named_parameters()}
    optimizer = build_optimizer(net, config("optimizer.rate=0.1", "optimizer.weight_decay=0.2"))
    for value in net.parameters():
        if value.requires_grad:
            value.grad = torch.zeros_like(value)
    optimizer.step()
    for name, value in net.named_parameters():
        expected = before[name] * (1 - 0.1 * 0.2) if name == "0.weight" else before[name]
        torch.testing.assert_close(value.detach(), expected)


def test_published_adam_couples_the_decay_into_every_gradient_that_it_is_given() -> None:
    net = module()
    with torch.no_grad():
        net[0].bias.fill_(0.5)
    rate, decay = 0.01, 0.3
    optimizer = build_optimizer(
        net,
        config("optimizer.name=adam", f"optimizer.rate={rate}", f"optimizer.weight_decay={decay}"),
    )
    given = {id(one) for group in optimizer.param_groups for one in group["params"]}
    assert id(net[2].weight) not in given
    assert {id(net[0].bias), id(net[1].weight), id(net[1].bias)} <= given
    weights = {name: value.detach().clone() for name, value in net.named_parameters()}
    first = {name: torch.zeros_like(value) for name, value in weights.items()}
    second = {name: torch.zeros_like(value) for name, value in weights.items()}
    generator = torch.Generator().manual_seed(0)
    for step in range(1, 4):
        for name, value in net.named_parameters():
            if not value.requires_grad:
                continue
            value.grad = torch.randn(value.shape, generator=generator)
            slope = value.grad + decay * weights[name]
            first[name] = 0.9 * first[name] + 0.1 * slope
            second[name] = 0.999 * second[name] + 0.001 * slope**2
            moved = first[name] / (1 - 0.9**step)
            scale = (second[name] / (1 - 0.999**step)).sqrt() + 1e-8
            weights[name] = weights[name] - rate * moved / scale
        optimizer.step()
    for name, value in net.named_parameters():
        torch.testing.assert_close(value.detach(), weights[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("epochs", "per_epoch"), [(1, 3), (7, 4), (300, 2)])
def test_cosine_epochs_is_the_published_schedule(epochs: int, per_epoch: int) -> None:
    settings = config(
        "optimizer.schedule=cosine_epochs",
        "optimizer.rate=1e-4",
        "optimizer.warmup_steps=0",
        f"run.epochs={epochs}",
        f"run.steps={epochs * per_epoch}",
    )
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs + 1, eta_min=0)
    for epoch in range(epochs):
        for place in range(per_epoch):
            found = learning_rate(epoch * per_epoch + place, settings, per_epoch)
            assert found == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9, abs=1e-15)
            optimizer.step()
        if epoch != epochs - 1:  # published: the scheduler stays after the last epoch
            scheduler.step()


def test_cosine_epochs_counts_its_epochs_from_the_steps_where_only_they_are_given() -> None:
    settings = config(
        "optimizer.schedule=cosine_epochs", "optimizer.rate=1.0", "optimizer.warmup_steps=0",
        "run.steps=10",
    )  # fmt: skip
    assert learning_rate(9, settings, 4) == pytest.approx(0.5 * (1 + math.cos(math.pi * 2 / 4)))


def test_the_rate_rises_in_a_line_and_falls_to_its_final_value() -> None:
    settings = config(
        "run.steps=110", "optimizer.warmup_steps=10", "optimizer.rate=1e-3",
        "optimizer.final_rate=1e-5",
    )  # fmt: skip
    rates = [learning_rate(step, settings) for step in range(111)]
    assert rates[:10] == pytest.approx([1e-4 * (step + 1) for step in range(10)])
    assert max(rates) == rates[10] == pytest.approx(1e-3)
    assert rates[60] == pytest.approx((1e-3 + 1e-5) / 2)
    assert rates[110] == pytest.approx(1e-5)
    assert all(one > other for one, other in itertools.pairwise(rates[10:]))
