"""Positives between recordings: found where there are some, not among strangers."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from training.losses import confident_pairs, cross_video_loss  # noqa: E402

pytestmark = pytest.mark.torch


def walk(rng: np.random.Generator, count: int, dim: int = 32, memory: int = 6) -> np.ndarray:
    """Unit rows that change steadily: neighbours are alike, distant ones are not."""
    steps = np.cumsum(rng.standard_normal((count + memory, dim)), axis=0)
    rows = steps[memory:] - steps[:-memory]
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def related(seed: int, count: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two clips of one course of events: other beginning, speed, noise; and their moments."""
    rng = np.random.default_rng(seed)
    course = walk(rng, 200, memory=12)
    moments = 5 + 3 * np.arange(count), 20 + 4 * np.arange(count)
    rows = [course[m] + 0.05 * rng.standard_normal((count, 32)) for m in moments]
    unit = [np.asarray(r / np.linalg.norm(r, axis=1, keepdims=True), np.float32) for r in rows]
    return unit[0], unit[1], *moments


def test_pairs_of_one_course_are_many_and_right() -> None:
    found, errors = 0, []
    for seed in range(5):
        rows, columns, moments, others = related(seed)
        i, j = confident_pairs(rows, columns)
        found += len(i)
        errors.append(np.abs(moments[i] - others[j]))
    assert found > 5 * 8
    assert np.concatenate(errors).max() <= 4  # one step of the quicker clip


def test_strangers_give_almost_no_pairs() -> None:
    rng = np.random.default_rng(0)
    for dim, memory in ((32, 1), (32, 6), (128, 1), (128, 6)):
        found = [
            len(confident_pairs(walk(rng, 32, dim, memory), walk(rng, 32, dim, memory))[0])
            for _ in range(20)
        ]
        assert np.mean(found) < 1.5  # of 32


def pairs_of(rows: np.ndarray, columns: np.ndarray, margin: float = 0.05) -> set[tuple[int, int]]:
    i, j = confident_pairs(rows, columns, margin=margin)
    return set(zip(i.tolist(), j.tolist(), strict=True))


def test_a_larger_margin_never_finds_more() -> None:
    rows, columns, *_ = related(0)
    some, fewer, few, none = (pairs_of(rows, columns, margin) for margin in (0.05, 0.5, 0.65, 2.0))
    assert some >= fewer >= few
    assert len(some) > len(few)
    assert not none


def test_the_order_of_the_sequences_does_not_matter() -> None:
    rows, columns, *_ = related(7)
    assert pairs_of(rows, columns) == {(i, j) for j, i in pairs_of(columns, rows)}


def test_moments_that_come_twice_are_not_confident() -> None:
    rng = np.random.default_rng(3)
    course = walk(rng, 16)
    assert len(confident_pairs(course, course)[0]) == 16
    assert len(confident_pairs(course, np.concatenate([course, course]))[0]) == 0


def test_reversed_clips_give_no_pairs() -> None:
    course = walk(np.random.default_rng(4), 40)
    assert not pairs_of(course, course[::-1].copy())


def batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips 0 and 1 show one course of events, clip 2 another; two noisy views of each."""
    rng = np.random.default_rng(seed)
    rows, columns, *_ = related(seed)
    clips = np.stack([rows, columns, walk(rng, 32)])
    views = clips + 0.02 * rng.standard_normal((2, *clips.shape))
    z = torch.from_numpy(views)
    return torch.nn.functional.normalize(z, dim=3), torch.ones(2, 3, 32, dtype=torch.bool)


def slow_loss(z: torch.Tensor, mask: torch.Tensor, pairs: list[tuple[int, int]]) -> float:
    costs = []
    for b, c in pairs:
        for v in (0, 1):
            for w in (0, 1):
                one, two = z[v, b][mask[v, b]], z[w, c][mask[w, c]]
                places = [np.flatnonzero(m.numpy()) for m in (mask[v, b], mask[w, c])]
                found = confident_pairs(one.float().numpy(), two.float().numpy())
                for i, j in zip(*(side.tolist() for side in found), strict=True):
                    for a, others, at, place in (
                        (one[i], two, j, places[1]),
                        (two[j], one, i, places[0]),
                    ):
                        scores = [
                            float(a @ other) / 0.2
                            for k, other in enumerate(others)
                            if k == at or abs(place[k] - place[at]) > 3
                        ]
                        below = math.log(sum(math.exp(s) for s in scores))
                        costs.append(below - float(a @ others[at]) / 0.2)
    return float(np.mean(costs))


@pytest.mark.parametrize(
    ("actions", "pairs"),
    [
        (("", "", ""), [(0, 1), (0, 2), (1, 2)]),
        (("a", "a", "b"), [(0, 1)]),
        (("a", "", "b"), [(0, 1), (1, 2)]),
    ],
)
def test_equals_loops(actions: tuple[str, ...], pairs: list[tuple[int, int]]) -> None:
    z, mask = batch(0)
    mask[0, 1, 20:25] = False
    z[0, 1, 20:25] = 0.0
    fast = cross_video_loss(z, mask, actions, temperature=0.2)
    assert float(fast) == pytest.approx(slow_loss(z, mask, pairs), rel=1e-6)


def test_gradient_is_right() -> None:
    rows, columns, *_ = related(0, count=12)
    z = torch.from_numpy(np.stack([rows, columns])[None].astype(np.float64))[..., :6]
    z = torch.nn.functional.normalize(z, dim=3).requires_grad_()
    mask = torch.ones(1, 2, 12, dtype=torch.bool)
    assert float(cross_video_loss(z, mask, ("", "")).detach()) > 0
    # The steps of gradcheck are far below what would change which pairs there are.
    assert torch.autograd.gradcheck(lambda z: cross_video_loss(z, mask, ("", "")), (z,))


def test_without_pairs_it_is_zero_with_a_zero_gradient() -> None:
    z, mask = batch(2)
    z.requires_grad_()
    for actions, valid in ((("a", "b", "c"), mask), (("", "", ""), torch.zeros_like(mask))):
        loss = cross_video_loss(z, valid, actions)
        (gradient,) = torch.autograd.grad(loss, z)
        assert float(loss.detach()) == 0.0
        assert (gradient == 0).all()


def test_it_draws_the_same_moments_together() -> None:
    z, mask = batch(3)
    free = z[:, :2].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_video_loss(free, mask[:, :2], ("", "")), free)
    after = torch.nn.functional.normalize(free.detach() - 0.5 * gradient, dim=3)
    i, j = confident_pairs(z[0, 0].float().numpy(), z[0, 1].float().numpy())
    before = (z[0, 0, i] * z[0, 1, j]).sum(dim=1).mean()
    assert float((after[0, 0, i] * after[0, 1, j]).sum(dim=1).mean()) > float(before)


def test_wrong_input_is_refused() -> None:
    z, mask = batch(0)
    with pytest.raises(ValueError, match="actions"):
        cross_video_loss(z, mask, ("", ""))
    with pytest.raises(ValueError, match="temperature"):
        cross_video_loss(z, mask, ("", "", ""), temperature=0.0)
    with pytest.raises(ValueError, match="T1, D"):
        confident_pairs(np.zeros((5, 3), np.float32), np.zeros((5, 4), np.float32))
