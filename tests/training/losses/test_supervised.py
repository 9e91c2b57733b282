"""Frames' cross-entropy: a slow reference and what does not count."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from training.losses import frame_cross_entropy  # noqa: E402

pytestmark = pytest.mark.torch


def random_frames(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 5, 4, generator=made, dtype=torch.float64)
    labels = torch.randint(-1, 4, (2, 3, 5), generator=made)
    return logits, labels, torch.rand(2, 3, 5, generator=made) > 0.3


def test_equals_loops() -> None:
    logits, labels, mask = random_frames(0)
    costs = []
    for scores, label, is_real in zip(
        logits.flatten(0, 2).tolist(),
        labels.flatten().tolist(),
        mask.flatten().tolist(),
        strict=True,
    ):
        if is_real and label >= 0:
            costs.append(math.log(sum(math.exp(s) for s in scores)) - scores[label])
    assert float(frame_cross_entropy(logits, labels, mask)) == pytest.approx(
        sum(costs) / len(costs), rel=1e-12
    )


def test_gradient_is_right() -> None:
    logits, labels, mask = random_frames(1)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: frame_cross_entropy(x, labels, mask), (logits,))


def test_padded_and_unlabelled_frames_change_nothing() -> None:
    logits, labels, mask = random_frames(2)
    before = frame_cross_entropy(logits, labels, mask)
    logits[~mask | (labels < 0)] = math.nan
    logits.requires_grad_()
    after = frame_cross_entropy(logits, labels, mask)
    (gradient,) = torch.autograd.grad(after, logits)
    assert float(after.detach()) == pytest.approx(float(before), rel=1e-12)
    assert torch.isfinite(gradient).all()


def test_no_label_gives_zero_and_a_zero_gradient() -> None:
    logits, labels, mask = random_frames(3)
    logits.requires_grad_()
    loss = frame_cross_entropy(logits, torch.full_like(labels, -1), mask)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert float(loss.detach()) == 0.0
    assert (gradient == 0).all()


def test_wrong_input_is_refused() -> None:
    logits, labels, mask = random_frames(0)
    with pytest.raises(ValueError, match="labels"):
        frame_cross_entropy(logits, labels[:1], mask)
    with pytest.raises(ValueError, match="bool"):
        frame_cross_entropy(logits, labels, mask.long())
