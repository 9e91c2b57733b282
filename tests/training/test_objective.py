"""The losses by name, as the configuration chooses them."""

from __future__ import annotations

import dataclasses
import math

import pytest

torch = pytest.importorskip("torch")
from training.config import ConfigError, LossConfig  # noqa: E402
from training.losses import (  # noqa: E402
    KINDS,
    alignment_loss,
    cross_video_loss,
    cycle_consistency_loss,
    n_pairs_loss,
    sequence_contrastive_loss,
)
from training.objective import Classifier, Views, sequence_losses, sigma_at  # noqa: E402

pytestmark = pytest.mark.torch

NAMES = ("scl", "tcc", "tcn", "lav", "classification")
CLIPS, FRAMES, DIM = 3, 16, 12
# Unit rows are at most 4 apart: TCC divides that by the channel count and this.
CONFIG = LossConfig(tcc_temperature=0.1 / DIM, lav_sigma=2.0)


def views_of(z: torch.Tensor, *, seed: int = 0, actions: tuple[str, ...] | None = None) -> Views:
    """Views of clips whose second view begins an eighth later, the last clip padded."""
    made = torch.Generator().manual_seed(seed)
    grid = torch.arange(FRAMES) / FRAMES
    moments = torch.stack([grid, grid + 0.125]).unsqueeze(1).expand(2, CLIPS, FRAMES)
    valid = torch.ones(2, CLIPS, FRAMES, dtype=torch.bool)
    valid[1, 2, 12:] = False
    unit = torch.nn.functional.normalize(z, dim=3)
    return Views(
        compared=unit,
        embeddings=unit,
        features=torch.randn(2, CLIPS, FRAMES, 5, generator=made),
        times_s=10.0 * moments,
        moments=moments,
        valid=valid,
        labels=(4 * moments).long().clamp(max=4),
        actions=actions or ("", "", ""),
    )


def free_embeddings(seed: int = 0) -> torch.Tensor:
    made = torch.Generator().manual_seed(seed)
    return torch.randn(2, CLIPS, FRAMES, DIM, generator=made)


def aligned_embeddings() -> torch.Tensor:
    """Embeddings along one curve of content time: the same moment is the same vector."""
    moments = views_of(free_embeddings()).moments
    places = torch.linspace(0.0, 1.2, DIM)
    return torch.exp(-((moments.unsqueeze(3) - places) ** 2) / (2 * 0.1**2))


@pytest.mark.parametrize("name", NAMES)
def test_a_few_steps_lower_the_loss(name: str) -> None:
    config = dataclasses.replace(CONFIG, name=name)
    torch.manual_seed(0)
    classifier = Classifier(DIM, 5, dropout=0.0)
    z = free_embeddings().requires_grad_()
    optimizer = torch.optim.SGD([z], lr=1.0)
    values = []
    for _ in range(10):
        losses = sequence_losses(views_of(z), config, 0, classifier)
        assert list(losses) == [name]
        optimizer.zero_grad()
        losses[name].backward()
        assert torch.isfinite(z.grad).all()
        optimizer.step()
        values.append(float(losses[name].detach()))
    assert all(math.isfinite(value) for value in values)
    assert values[-1] < values[0]
    assert (z.grad[1, 2, 12:] == 0).all()  # padding


@pytest.mark.parametrize("actions", [("", "", ""), ("a", "a", "b")])
@pytest.mark.parametrize("name", ["scl", "tcn", "lav"])  # a cycle does not see the order
def test_aligned_views_score_better_than_shuffled_ones(name: str, actions: tuple[str, ...]) -> None:
    config = dataclasses.replace(CONFIG, name=name)
    good = aligned_embeddings()
    bad = good.clone()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    bad[1, :, :12] = good[1][:, order]
    scores = [
        float(sequence_losses(views_of(z, actions=actions), config, 0, None)[name])
        for z in (good, bad)
    ]
    assert scores[0] < scores[1]


@pytest.mark.parametrize("kind", KINDS)
def test_cycles_score_aligned_views_better_than_collapsed_or_unrelated_ones(kind: str) -> None:
    config = dataclasses.replace(CONFIG, name="tcc", tcc_kind=kind)
    # The same moments in both, no padding: a frame without a counterpart comes back elsewhere, and
    # in units of its variance that error is far above 1, the cost of a collapsed embedding.
    good = aligned_embeddings()[:1].expand(2, -1, -1, -1)
    collapsed = good[:, :, :1].expand_as(good)
    unrelated = torch.stack([good[0], free_embeddings()[1]])
    valid = torch.ones(2, CLIPS, FRAMES, dtype=torch.bool)
    scores = [
        float(
            sequence_losses(dataclasses.replace(views_of(z), valid=valid), config, 0, None)["tcc"]
        )
        for z in (good, collapsed, unrelated)
    ]
    assert scores[0] < min(scores[1:])


def test_every_field_reaches_its_loss() -> None:
    views = views_of(free_embeddings(1))
    z, t, valid = views.compared, views.moments, views.valid
    pair = z[0], z[1], t[0], t[1], valid[0], valid[1]
    lengths = torch.tensor([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    config = LossConfig(
        temperature=0.3, sigma=0.2, epsilon=1e-3, negatives="batch", own_view=True, reach=0.5,
        tcc_kind="regression_huber", tcc_temperature=0.02, tcc_huber=0.01, tcn_reach=1, tcn_l2=0.1,
        lav_gamma=0.3, lav_margin=1.0, lav_sigma=3.0, lav_alpha=0.2,
    )  # fmt: skip
    both = valid.flatten(0, 1)
    expected = {
        "scl": sequence_contrastive_loss(
            *pair, temperature=0.3, sigma=0.2, epsilon=1e-3, negatives="batch", own_view=True,
            reach=0.5, lengths1=lengths[0], lengths2=lengths[1],
        ),
        "tcc": cycle_consistency_loss(*pair, kind="regression_huber", temperature=0.02, huber=0.01),
        "tcn": n_pairs_loss(z.flatten(0, 1), t.flatten(0, 1), both, reach=1, l2=0.1),
        "lav": alignment_loss(*pair, gamma=0.3, margin=1.0, sigma=3.0, alpha=0.2),
    }  # fmt: skip
    views = dataclasses.replace(views, lengths=lengths)
    for name, value in expected.items():
        found = sequence_losses(views, dataclasses.replace(config, name=name), 0, None)
        assert float(found[name]) == pytest.approx(float(value), rel=1e-6), name
    for kind, field, other in (
        ("regression_mse_var", "tcc_variance", 0.5),
        ("classification", "tcc_smoothing", 0.5),
    ):
        tcc = dataclasses.replace(config, name="tcc", tcc_kind=kind)
        changed = dataclasses.replace(tcc, **{field: other})
        values = [float(sequence_losses(views, c, 0, None)["tcc"]) for c in (tcc, changed)]
        assert values[0] != pytest.approx(values[1], rel=1e-3)


@pytest.mark.parametrize("name", ["tcc", "lav"])
def test_clips_of_one_known_action_are_aligned_with_each_other(name: str) -> None:
    config = dataclasses.replace(CONFIG, name=name)
    z = free_embeddings(2)
    views = views_of(z, actions=("a", "b", "a"))
    t, valid, unit = views.moments, views.valid, views.compared
    pairs = [((0, b), (1, b)) for b in range(3)]
    pairs += [((v, 0), (w, 2)) for v in (0, 1) for w in (0, 1)]
    stacked = [
        torch.stack([values[pair[side]] for pair in pairs])
        for values in (unit, t, valid)
        for side in (0, 1)
    ]
    expected = (
        cycle_consistency_loss(*stacked, temperature=0.1 / DIM)
        if name == "tcc"
        else alignment_loss(*stacked, sigma=2.0)
    )
    found = sequence_losses(views, config, 0, None)[name]
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
    unknown = sequence_losses(views_of(z), config, 0, None)[name]
    assert float(unknown) != pytest.approx(float(found), rel=1e-3)


def test_sigma_falls_to_its_value() -> None:
    config = LossConfig(sigma=0.1, sigma_start=5.0, sigma_steps=100)
    assert [sigma_at(step, config) for step in (0, 50, 100, 500)] == pytest.approx(
        [0.5, 0.3, 0.1, 0.1]
    )
    assert sigma_at(0, LossConfig(sigma=0.1)) == 0.1
    views = views_of(free_embeddings())
    early, late = (sequence_losses(views, config, step, None)["scl"] for step in (0, 100))
    assert float(late) == pytest.approx(
        float(sequence_losses(views, LossConfig(sigma=0.1), 0, None)["scl"]), rel=1e-6
    )
    assert float(early) != pytest.approx(float(late), rel=1e-3)


def test_pairs_between_clips_join_from_their_first_step_on() -> None:
    views = views_of(aligned_embeddings())
    config = LossConfig(cross_weight=0.5, cross_start=10, cross_margin=0.1)
    assert list(sequence_losses(views, config, 9, None)) == ["scl"]
    losses = sequence_losses(views, config, 10, None)
    assert list(losses) == ["scl", "cross"]
    expected = cross_video_loss(views.compared, views.valid, views.actions, margin=0.1)
    assert float(expected) > 0
    assert float(losses["cross"]) == pytest.approx(0.5 * float(expected), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_autocast_does_not_round_inside(name: str) -> None:
    config = dataclasses.replace(CONFIG, name=name, cross_weight=1.0)
    views = views_of(aligned_embeddings())
    classifier = Classifier(DIM, 5).eval().requires_grad_(False)
    plain = sequence_losses(views, config, 0, classifier)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = sequence_losses(views, config, 0, classifier)
    assert [float(value) for value in cast.values()] == [float(value) for value in plain.values()]


def test_half_precision_embeddings_are_compared_in_single() -> None:
    views = views_of(free_embeddings())
    half = dataclasses.replace(
        views, compared=views.compared.bfloat16(), embeddings=views.embeddings.bfloat16()
    )
    for name in NAMES:
        config = dataclasses.replace(CONFIG, name=name)
        loss = sequence_losses(half, config, 0, Classifier(DIM, 5))[name]
        assert loss.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_costs_nothing(name: str) -> None:
    z = free_embeddings().requires_grad_()
    views = dataclasses.replace(views_of(z), valid=torch.zeros(2, CLIPS, FRAMES, dtype=torch.bool))
    config = dataclasses.replace(CONFIG, name=name, cross_weight=1.0)
    losses = sequence_losses(views, config, 0, Classifier(DIM, 5))
    sum(losses.values()).backward()
    assert all(float(loss.detach()) == 0.0 for loss in losses.values())
    assert (z.grad == 0).all()


def test_phases_without_labels_and_unknown_names_are_refused() -> None:
    views = views_of(free_embeddings())
    with pytest.raises(ConfigError, match=r"data\.labels"):
        sequence_losses(views, LossConfig(name="classification"), 0, None)
    with pytest.raises(ConfigError, match="scl, tcc, tcn, lav, classification"):
        sequence_losses(views, LossConfig(name="simclr"), 0, None)


def test_views_that_do_not_fit_are_refused() -> None:
    views = views_of(free_embeddings())
    for change, message in (
        ({"valid": views.valid[:1]}, "valid"),
        ({"compared": views.compared[:, :2]}, "compared"),
        ({"moments": views.moments[..., :3]}, "moments"),
        ({"actions": ("a",)}, "actions"),
        ({"lengths": torch.ones(2, 4)}, "lengths"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(views, **change)


def test_the_classifier_scores_every_frame() -> None:
    classifier = Classifier(DIM, 7)
    assert classifier(torch.zeros(2, 3, 4, DIM)).shape == (2, 3, 4, 7)
    assert sum(p.numel() for p in classifier.parameters()) == DIM * 7 + 7
