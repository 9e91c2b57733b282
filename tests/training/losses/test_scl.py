"""The sequence contrastive loss: published values, a slow reference, laws."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from training.losses import sequence_contrastive_loss  # noqa: E402

pytestmark = pytest.mark.torch

STEPS = ((0, 2, 3, 5, 7, 9), (1, 2, 4, 6, 8, 9))


def golden_embeddings(clips: int, view: int) -> torch.Tensor:
    angle = torch.tensor(
        [[0.3 * t + 0.1 * view + 0.7 * b for t in range(6)] for b in range(clips)],
        dtype=torch.float64,
    )
    rows = torch.stack([angle.cos(), angle.sin(), torch.full_like(angle, 0.5)], dim=-1)
    return rows / rows.norm(dim=-1, keepdim=True)


def golden_loss(clips: int, invalid: tuple[int, int], negatives: str) -> float:
    masks = [torch.ones(clips, 6, dtype=torch.bool) for _ in range(2)]
    for mask, count in zip(masks, invalid, strict=True):
        mask[:, 6 - count :] = False
    times = [torch.tensor([steps] * clips, dtype=torch.float64) for steps in STEPS]
    loss = sequence_contrastive_loss(
        golden_embeddings(clips, 0),
        golden_embeddings(clips, 1),
        *times,
        *masks,
        temperature=0.1,
        sigma=math.sqrt(10),
        epsilon=1e-6,
        negatives=negatives,
    )
    return float(loss)


@pytest.mark.parametrize(
    ("clips", "invalid", "negatives", "expected"),
    [
        (1, (0, 0), "single", 0.1177940581),
        (1, (1, 2), "single", 0.0971631426),
        (2, (0, 0), "batch", 0.9357221604),
        (2, (0, 0), "single", 0.1177940581),
    ],
)
def test_published_values(
    clips: int, invalid: tuple[int, int], negatives: str, expected: float
) -> None:
    # The published code holds its temperature in single precision: 5e-9 apart.
    assert golden_loss(clips, invalid, negatives) == pytest.approx(expected, abs=1e-8)


def random_views(seed: int, clips: int = 3, counts: tuple[int, int] = (7, 5)) -> list[torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    parts: list[list[torch.Tensor]] = [[], [], []]
    for count in counts:
        rows = torch.randn(clips, count, 4, generator=made, dtype=torch.float64)
        parts[0].append(rows / rows.norm(dim=-1, keepdim=True))
        times = torch.rand(clips, count, generator=made, dtype=torch.float64) * 3
        parts[1].append(times.sort(dim=1).values)
        parts[2].append(torch.rand(clips, count, generator=made) > 0.3)
    return [*parts[0], *parts[1], *parts[2]]


def slow_loss(
    views: list[torch.Tensor],
    temperature: float,
    sigma: float,
    negatives: str,
    reach: float | None,
    own_view: bool = False,
    lengths: tuple[list[float], list[float]] | None = None,
) -> float:
    z, t, mask = ([v.numpy() for v in views[k : k + 2]] for k in (0, 2, 4))
    total, count = 0.0, 0
    for own, other in ((0, 1), (1, 0)):
        for b in range(len(z[0])):
            ratio = 1.0 if lengths is None else lengths[other][b] / lengths[own][b]
            for i in range(z[own].shape[1]):
                columns = [j for j in range(z[other].shape[1]) if mask[other][b, j]]
                if not mask[own][b, i] or not columns:
                    continue
                gaps = [abs(t[own][b, i] * ratio - t[other][b, j]) for j in columns]
                if reach is not None and min(gaps) > reach * sigma:
                    continue
                weights = np.array([math.exp(-(gap**2) / (2 * sigma**2)) for gap in gaps])
                q = weights / weights.sum()
                score = np.array(
                    [math.exp(z[own][b, i] @ z[other][b, j] / temperature) for j in columns]
                )
                below = score.sum()
                for c in range(len(z[0])):
                    for view in (0, 1):
                        for k in range(z[view].shape[1]):
                            is_own = own_view and (c, view) == (b, own) and k != i
                            is_cross = negatives == "batch" and c != b
                            if mask[view][c, k] and (is_own or is_cross):
                                below += math.exp(z[own][b, i] @ z[view][c, k] / temperature)
                total += float((q * (np.log(q) - np.log(score / below))).sum())
                count += 1
    return total / max(count, 1)


@pytest.mark.parametrize("negatives", ["single", "batch"])
@pytest.mark.parametrize("own_view", [False, True])
@pytest.mark.parametrize("reach", [None, 1.0])
@pytest.mark.parametrize("seed", range(2))
def test_equals_loops(negatives: str, own_view: bool, reach: float | None, seed: int) -> None:
    views = random_views(seed)
    fast = sequence_contrastive_loss(
        *views, temperature=0.3, sigma=0.4, negatives=negatives, reach=reach, own_view=own_view
    )
    slow = slow_loss(views, 0.3, 0.4, negatives, reach, own_view)
    assert float(fast) == pytest.approx(slow, rel=1e-9)


def test_times_are_compared_as_shares_of_the_recordings() -> None:
    views = random_views(7)
    lengths = ([3.0, 4.0, 5.0], [6.0, 4.0, 2.0])
    tensors = [torch.tensor(side, dtype=torch.float64) for side in lengths]
    fast = sequence_contrastive_loss(
        *views, temperature=0.3, sigma=0.4, lengths1=tensors[0], lengths2=tensors[1]
    )
    slow = slow_loss(views, 0.3, 0.4, "single", None, lengths=lengths)
    assert float(fast) == pytest.approx(slow, rel=1e-9)
    equal = sequence_contrastive_loss(
        *views, temperature=0.3, sigma=0.4, lengths1=tensors[0], lengths2=tensors[0]
    )
    without = sequence_contrastive_loss(*views, temperature=0.3, sigma=0.4)
    assert float(equal) == pytest.approx(float(without), rel=1e-12)


def published_loss(views: list[torch.Tensor], negatives: str, own_view: bool) -> float:
    """Follow the published definition, frame by frame, with its weight of masked pairs."""
    frames = [
        (
            b,
            view,
            views[view][b, k].numpy(),
            float(views[2 + view][b, k]),
            bool(views[4 + view][b, k]),
        )
        for b in range(len(views[0]))
        for view in (0, 1)
        for k in range(views[view].shape[1])
    ]
    total, count = 0.0, 0
    for b, view, z, t, is_real in frames:
        if not is_real:
            continue
        below, positives = 0.0, []
        for c, other_view, other, s, other_real in frames:
            counts = c == b if negatives == "single" else True
            counts = counts and (own_view or (c, other_view) != (b, view))
            weight = float(counts) if other_real else 1e-6
            below += weight * math.exp(z @ other / 0.3)
            if c == b and other_view != view and other_real:
                positives.append((math.exp(-((t - s) ** 2) / (2 * 0.4**2)), z @ other / 0.3))
        norm = sum(q for q, _ in positives)
        for q, score in positives:
            p = math.exp(score) / below
            total += q / norm * (math.log(q / norm) - math.log(p + 1e-6))
        count += 1
    return total / count


@pytest.mark.parametrize("negatives", ["single", "batch"])
@pytest.mark.parametrize("own_view", [False, True])
def test_epsilon_reproduces_the_published_definition(negatives: str, own_view: bool) -> None:
    views = random_views(8)
    views[4][:, 0], views[5][:, 0] = True, True
    fast = sequence_contrastive_loss(
        *views, temperature=0.3, sigma=0.4, epsilon=1e-6, negatives=negatives, own_view=own_view
    )
    assert float(fast) == pytest.approx(published_loss(views, negatives, own_view), rel=1e-9)


@pytest.mark.parametrize("negatives", ["single", "batch"])
@pytest.mark.parametrize("epsilon", [0.0, 1e-6])
@pytest.mark.parametrize("own_view", [False, True])
def test_gradient_is_right(negatives: str, epsilon: float, own_view: bool) -> None:
    views = random_views(5, clips=2, counts=(4, 3))
    views[0].requires_grad_()
    views[1].requires_grad_()
    lengths = torch.tensor([2.0, 3.0]), torch.tensor([3.0, 3.0])

    def loss(z1: torch.Tensor, z2: torch.Tensor) -> torch.Tensor:
        return sequence_contrastive_loss(
            z1, z2, *views[2:], temperature=0.5, sigma=0.5, epsilon=epsilon, negatives=negatives,
            own_view=own_view, lengths1=lengths[0], lengths2=lengths[1],
        )  # fmt: skip

    assert torch.autograd.gradcheck(loss, (views[0], views[1]))


def test_masked_frames_change_nothing() -> None:
    views = random_views(1)
    settings = {"temperature": 0.1, "sigma": 0.5, "negatives": "batch", "own_view": True}
    before = sequence_contrastive_loss(*views, **settings)
    for z, t, mask in ((views[0], views[2], views[4]), (views[1], views[3], views[5])):
        z[~mask], t[~mask] = math.nan, math.nan
    views[0].requires_grad_()
    after = sequence_contrastive_loss(*views, **settings)
    (gradient,) = torch.autograd.grad(after, views[0])
    assert float(after.detach()) == pytest.approx(float(before), rel=1e-12)
    assert torch.isfinite(gradient).all()


def test_frames_and_clips_may_come_in_any_order() -> None:
    views = random_views(2)
    before = sequence_contrastive_loss(*views, temperature=0.1, sigma=0.5, negatives="batch")
    order1, order2 = torch.randperm(7), torch.randperm(5)
    clips = torch.randperm(3)
    shuffled = [
        part[clips][:, order1 if number % 2 == 0 else order2] for number, part in enumerate(views)
    ]
    after = sequence_contrastive_loss(*shuffled, temperature=0.1, sigma=0.5, negatives="batch")
    assert float(after) == pytest.approx(float(before), rel=1e-12)


def test_views_may_be_exchanged() -> None:
    views = random_views(3)
    swapped = [views[k] for k in (1, 0, 3, 2, 5, 4)]
    one = sequence_contrastive_loss(*views, temperature=0.1, sigma=0.5)
    two = sequence_contrastive_loss(*swapped, temperature=0.1, sigma=0.5)
    assert float(one) == pytest.approx(float(two), rel=1e-12)


def test_only_the_unit_of_time_matters() -> None:
    views = random_views(4)
    one = sequence_contrastive_loss(*views, temperature=0.1, sigma=0.5)
    views[2], views[3] = views[2] * 30 + 100, views[3] * 30 + 100
    two = sequence_contrastive_loss(*views, temperature=0.1, sigma=15.0)
    assert float(one) == pytest.approx(float(two), rel=1e-9)


def test_clips_without_partners_give_zero_and_a_finite_gradient() -> None:
    views = random_views(6)
    views[0].requires_grad_()
    views[5][:] = False
    for epsilon in (0.0, 1e-6):
        for negatives in ("single", "batch"):
            loss = sequence_contrastive_loss(
                *views, temperature=0.1, sigma=0.5, epsilon=epsilon, negatives=negatives
            )
            (gradient,) = torch.autograd.grad(loss, views[0])
            assert float(loss.detach()) == 0.0
            assert (gradient == 0).all()


def test_unlikely_positives_stay_finite_in_half_precision() -> None:
    z = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]], dtype=torch.bfloat16)
    t = torch.tensor([[0.0, 1.0]])
    mask = torch.ones(1, 2, dtype=torch.bool)
    loss = sequence_contrastive_loss(z, -z, t, t, mask, mask, temperature=0.01, sigma=0.1)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(200.0, rel=1e-3)


def test_wrong_shapes_are_refused() -> None:
    views = random_views(0)
    with pytest.raises(ValueError, match="view 2"):
        sequence_contrastive_loss(*views[:3], views[2], *views[4:], temperature=0.1, sigma=0.5)
    with pytest.raises(ValueError, match="bool"):
        sequence_contrastive_loss(
            *views[:4], views[4].float(), views[5], temperature=0.1, sigma=0.5
        )
    with pytest.raises(ValueError, match="negatives"):
        sequence_contrastive_loss(*views, temperature=0.1, sigma=0.5, negatives="all")
    with pytest.raises(ValueError, match="both or none"):
        sequence_contrastive_loss(*views, temperature=0.1, sigma=0.5, lengths1=torch.ones(3))
    with pytest.raises(ValueError, match="lengths"):
        sequence_contrastive_loss(
            *views, temperature=0.1, sigma=0.5, lengths1=torch.ones(3), lengths2=torch.ones(2)
        )
    with pytest.raises(ValueError, match="sigma"):
        sequence_contrastive_loss(*views, temperature=0.1, sigma=0.0)
