"""Soft-DTW and the contrastive regulariser: slow references, exact cases, laws."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from training.losses import alignment_loss, contrastive_idm, soft_dtw  # noqa: E402

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
        mask[:, 1] = True
        parts[2].append(mask)
    return [*parts[0], *parts[1], *parts[2]]


def paths(n: int, m: int) -> list[list[tuple[int, int]]]:
    if (n, m) == (1, 1):
        return [[(0, 0)]]
    found = []
    for i, j in ((n - 1, m), (n, m - 1), (n - 1, m - 1)):
        if i and j:
            found += [[*path, (n - 1, m - 1)] for path in paths(i, j)]
    return found


def test_soft_dtw_is_the_soft_minimum_over_all_paths() -> None:
    costs = torch.rand(2, 4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    masks = torch.ones(2, 4, dtype=torch.bool), torch.ones(2, 3, dtype=torch.bool)
    fast = soft_dtw(costs, *masks, gamma=0.2)
    for b in range(2):
        totals = [sum(float(costs[b, i, j]) for i, j in path) for path in paths(4, 3)]
        slow = -0.2 * np.logaddexp.reduce(-np.asarray(totals) / 0.2)
        assert float(fast[b]) == pytest.approx(slow, rel=1e-12)


def test_the_gradient_of_soft_dtw_is_the_expected_path() -> None:
    costs = torch.rand(1, 4, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    masks = torch.ones(1, 4, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    all_paths = paths(4, 3)
    totals = np.asarray([sum(float(costs[0, i, j]) for i, j in path) for path in all_paths])
    chance = np.exp(-(totals - totals.min()) / 0.2)
    expected = np.zeros((4, 3))
    for share, path in zip(chance / chance.sum(), all_paths, strict=True):
        for i, j in path:
            expected[i, j] += share
    costs.requires_grad_()
    (gradient,) = torch.autograd.grad(soft_dtw(costs, *masks, gamma=0.2).sum(), costs)
    np.testing.assert_allclose(gradient[0].numpy(), expected, rtol=1e-10)


def test_a_hard_minimum_is_dtw() -> None:
    costs = torch.rand(1, 5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    masks = torch.ones(1, 5, dtype=torch.bool), torch.ones(1, 4, dtype=torch.bool)
    least = min(sum(float(costs[0, i, j]) for i, j in path) for path in paths(5, 4))
    assert float(soft_dtw(costs, *masks, gamma=1e-4)) == pytest.approx(least, abs=1e-3)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 6), (6, 1), (3, 7)])
def test_soft_dtw_of_any_shape_has_the_right_gradient(n: int, m: int) -> None:
    made = torch.Generator().manual_seed(n + m)
    costs = torch.rand(3, n, m, generator=made, dtype=torch.float64, requires_grad=True)
    rows = torch.rand(3, n, generator=made) > 0.3
    columns = torch.rand(3, m, generator=made) > 0.3
    rows[0], columns[0] = True, True
    assert torch.autograd.gradcheck(lambda c: soft_dtw(c, rows, columns, gamma=0.1), (costs,))


def test_masked_rows_and_columns_are_cut_out_of_soft_dtw() -> None:
    made = torch.Generator().manual_seed(5)
    costs = torch.rand(1, 6, 5, generator=made)
    rows = torch.tensor([[True, False, True, True, False, True]])
    columns = torch.tensor([[False, True, True, False, True]])
    cut = costs[:, rows[0]][:, :, columns[0]]
    every = torch.ones(1, 4, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    expected = soft_dtw(cut, *every, gamma=0.1)
    assert torch.equal(soft_dtw(costs, rows, columns, gamma=0.1), expected)


def test_large_costs_stay_finite_in_single_precision() -> None:
    costs = 1e4 * torch.rand(2, 40, 50, generator=torch.Generator().manual_seed(6))
    costs.requires_grad_()
    masks = torch.ones(2, 40, dtype=torch.bool), torch.ones(2, 50, dtype=torch.bool)
    value = soft_dtw(costs, *masks, gamma=0.01)
    (gradient,) = torch.autograd.grad(value.sum(), costs)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()
    assert gradient[:, 0, 0].tolist() == pytest.approx([1.0, 1.0])
    assert gradient[:, -1, -1].tolist() == pytest.approx([1.0, 1.0])


def slow_idm(z: np.ndarray, times: np.ndarray, margin: float, sigma: float) -> float:
    if not len(z):
        return 0.0
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    span = max(times.max() - times.min(), 1e-9)
    total = 0.0
    for i, j in product(range(len(z)), repeat=2):
        distance = float(((z[i] - z[j]) ** 2).sum())
        if abs(times[i] - times[j]) > sigma:
            weight = 1 + ((times[i] - times[j]) / span) ** 2
            total += weight * max(0.0, margin - distance)
        else:
            total += distance
    return total


@pytest.mark.parametrize("sigma", [0.5, 2.0, 10.0])
def test_idm_equals_loops(sigma: float) -> None:
    made = torch.Generator().manual_seed(7)
    z = torch.randn(3, 8, 4, generator=made, dtype=torch.float64)
    mask = torch.ones(3, 8, dtype=torch.bool)
    mask[1, 5:], mask[2] = False, False
    times = torch.arange(8, dtype=torch.float64).expand(3, 8)  # the median step is 1
    fast = contrastive_idm(z, 3.0 * times + 7.0, mask, margin=2.0, sigma=sigma)
    for b in range(3):
        kept = mask[b].numpy()
        slow = slow_idm(z[b].numpy()[kept], times[b].numpy()[kept], 2.0, sigma)
        assert float(fast[b]) == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("cost", ["euclidean", "cosine"])
def test_the_loss_is_the_sum_of_its_parts(cost: str) -> None:
    u, v, times_u, times_v, mask_u, mask_v = pair = random_pair(8)
    each = []
    for b in range(3):
        a, c = u[b][mask_u[b]], v[b][mask_v[b]]
        if cost == "cosine":
            costs = 1 - torch.nn.functional.cosine_similarity(a[:, None], c[None], dim=2)
        else:
            costs = ((a[:, None] - c[None]) ** 2).sum(dim=2)
        every = [torch.ones(1, side, dtype=torch.bool) for side in costs.shape]
        path = soft_dtw(costs[None], *every, gamma=0.3)
        spread = contrastive_idm(u[b : b + 1], times_u[b : b + 1], mask_u[b : b + 1], sigma=2.0)
        spread += contrastive_idm(v[b : b + 1], times_v[b : b + 1], mask_v[b : b + 1], sigma=2.0)
        each.append(float(path + 0.7 * spread) / (0.5 * (len(a) + len(c))))
    fast = alignment_loss(*pair, gamma=0.3, sigma=2.0, alpha=0.7, cost=cost)
    assert float(fast) == pytest.approx(np.mean(each), rel=1e-9)


@pytest.mark.parametrize("cost", ["euclidean", "cosine"])
def test_gradient_is_right(cost: str) -> None:
    pair = random_pair(9, counts=(4, 3))
    leaves = [z.requires_grad_() for z in pair[:2]]

    def loss(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return alignment_loss(u, v, *pair[2:], gamma=0.2, sigma=1.5, cost=cost)

    assert torch.autograd.gradcheck(loss, leaves)


def test_masked_frames_change_nothing() -> None:
    pair = random_pair(10)
    before = alignment_loss(*pair, sigma=2.0)
    for side in (0, 1):
        pair[side][~pair[4 + side]] = math.nan
        pair[2 + side][~pair[4 + side]] = math.nan
    pair[0].requires_grad_()
    after = alignment_loss(*pair, sigma=2.0)
    (gradient,) = torch.autograd.grad(after, pair[0])
    assert float(after.detach()) == pytest.approx(float(before), rel=1e-12)
    assert torch.isfinite(gradient).all()


def test_an_empty_side_gives_zero_and_a_zero_gradient() -> None:
    pair = random_pair(11)
    pair[5][:] = False
    pair[0].requires_grad_()
    loss = alignment_loss(*pair)
    (gradient,) = torch.autograd.grad(loss, pair[0])
    assert float(loss.detach()) == 0.0
    assert (gradient == 0).all()


def test_wrong_input_is_refused() -> None:
    pair = random_pair(0)
    with pytest.raises(ValueError, match="view 2"):
        alignment_loss(*pair[:3], pair[2], *pair[4:])
    with pytest.raises(ValueError, match="cost"):
        alignment_loss(*pair, cost="l1")
    with pytest.raises(ValueError, match="gamma"):
        alignment_loss(*pair, gamma=0.0)
    with pytest.raises(ValueError, match="must be"):
        soft_dtw(torch.rand(3, 6, 5), pair[5], pair[4], gamma=0.1)
