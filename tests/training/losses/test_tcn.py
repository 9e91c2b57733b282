"""Time-contrastive n-pairs: a slow reference and laws."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from training.losses import n_pairs_loss  # noqa: E402

pytestmark = pytest.mark.torch


def random_clips(seed: int, count: int = 9) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    z = torch.randn(3, count, 4, generator=made, dtype=torch.float64)
    times = torch.rand(3, count, generator=made, dtype=torch.float64).sort().values
    mask = torch.rand(3, count, generator=made) > 0.2
    return z, times, mask


def slow_loss(
    z: torch.Tensor, times: torch.Tensor, mask: torch.Tensor, reach: float, l2: float
) -> float:
    costs = []
    for b in range(len(z)):
        gaps = sorted(
            float(times[b, k + 1] - times[b, k])
            for k in range(z.shape[1] - 1)
            if mask[b, k] and mask[b, k + 1]
        )
        pairs = []
        for k in range(0, z.shape[1] - 1, 2):
            gap = float(times[b, k + 1] - times[b, k])
            if mask[b, k] and mask[b, k + 1] and gap <= reach * gaps[(len(gaps) - 1) // 2]:
                pairs.append((z[b, k + 1].numpy(), z[b, k].numpy()))
        for anchor, positive in pairs:
            below = sum(math.exp(anchor @ other) for _, other in pairs)
            costs.append(
                math.log(below) - anchor @ positive + l2 * (anchor @ anchor + positive @ positive)
            )
    return float(sum(costs) / max(1, len(costs)))


@pytest.mark.parametrize("reach", [1.0, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_equals_loops(seed: int, reach: float) -> None:
    clips = random_clips(seed)
    fast = n_pairs_loss(*clips, reach=reach, l2=0.01)
    assert float(fast) == pytest.approx(slow_loss(*clips, reach, 0.01), rel=1e-9)


def test_pairs_across_a_hole_do_not_count() -> None:
    z, _, _ = random_clips(0, count=6)
    mask = torch.ones(3, 6, dtype=torch.bool)
    even = torch.tensor([0.0, 1, 2, 3, 4, 5], dtype=torch.float64).expand(3, 6)
    holed = torch.tensor([0.0, 1, 2, 30, 31, 32], dtype=torch.float64).expand(3, 6)
    without = n_pairs_loss(z[:, [0, 1, 4, 5]], even[:, :4], mask[:, :4])
    assert float(n_pairs_loss(z, holed, mask)) == pytest.approx(float(without), rel=1e-12)
    assert float(n_pairs_loss(z, even, mask)) != pytest.approx(float(without), rel=1e-3)


def test_gradient_is_right() -> None:
    z, times, mask = random_clips(1, count=6)
    z.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: n_pairs_loss(z, times, mask, l2=0.1), (z,))


def test_masked_frames_change_nothing() -> None:
    z, times, mask = random_clips(2)
    before = n_pairs_loss(z, times, mask)
    z[~mask], times[~mask] = math.nan, math.nan
    z.requires_grad_()
    after = n_pairs_loss(z, times, mask)
    (gradient,) = torch.autograd.grad(after, z)
    assert float(after.detach()) == pytest.approx(float(before), rel=1e-12)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("count", [0, 1, 6])
def test_nothing_to_pair_gives_zero_and_a_zero_gradient(count: int) -> None:
    z, times, mask = random_clips(3, count=count)
    z.requires_grad_()
    loss = n_pairs_loss(z, times, torch.zeros_like(mask))
    (gradient,) = torch.autograd.grad(loss, z)
    assert float(loss.detach()) == 0.0
    assert (gradient == 0).all()


def test_equal_vectors_cost_the_logarithm_of_the_pairs() -> None:
    z = torch.nn.functional.normalize(torch.ones(2, 8, 3, dtype=torch.float64), dim=2)
    times, mask = torch.arange(8.0).expand(2, 8), torch.ones(2, 8, dtype=torch.bool)
    assert float(n_pairs_loss(z, times, mask)) == pytest.approx(math.log(4) + 2 * 0.0005, rel=1e-9)


def test_wrong_input_is_refused() -> None:
    z, times, mask = random_clips(0)
    with pytest.raises(ValueError, match="clips: embeddings"):
        n_pairs_loss(z, times[:, :-1], mask)
    with pytest.raises(ValueError, match="bool"):
        n_pairs_loss(z, times, mask.float())
    with pytest.raises(ValueError, match="reach"):
        n_pairs_loss(z, times, mask, reach=0.0)
