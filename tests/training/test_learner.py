"""Which frames the trunk sees, which precision the head works in, and what comes stored."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tests.helpers.processes import PUBLISHED, batch_of, config_of, learner_of  # noqa: E402
from training.config import ConfigError, TrainConfig  # noqa: E402
from training.learner import Learner, losses_of, trunk_function  # noqa: E402

if TYPE_CHECKING:
    from training.data import Batch

pytestmark = pytest.mark.torch


def with_other_padding(batch: Batch) -> Batch:
    """Show something else wherever a frame is not valid."""
    frames = batch.frames.clone()
    frames[~batch.valid] = 255 - frames[~batch.valid]
    return dataclasses.replace(batch, frames=frames)


def total_of(learner: Learner, batch: Batch, config: TrainConfig) -> float:
    return float(torch.stack(list(losses_of(learner, batch, config).values())).sum().detach())


def statistics_of(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in learner.named_buffers() if "running" in name}


def test_padded_frames_reach_no_norm() -> None:
    config = config_of()
    one, two = learner_of(config), learner_of(config)
    batch = batch_of(config)
    assert not batch.valid.all()
    assert total_of(one, batch, config) == total_of(two, with_other_padding(batch), config)
    first, second = statistics_of(one), statistics_of(two)
    assert first
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    # The statistics are those of the valid frames, all together.
    reference = learner_of(config)
    reference.carl.trunk(batch.frames[batch.valid])
    for name, value in statistics_of(reference).items():
        torch.testing.assert_close(first[name], value, rtol=1e-6, atol=1e-7)


def test_features_come_back_in_their_places() -> None:
    config = config_of("model.freeze_norm=true", "loss.pose_map_weight=1.0")
    learner, batch = learner_of(config), batch_of(config_of())
    features, maps = learner.features_of(batch, with_map=True)
    assert maps is not None
    assert maps.shape[0] == batch.valid.numel()
    expected = learner.carl.trunk(batch.frames[1, 2, :1])[0]
    torch.testing.assert_close(features[1, 2, 0], expected, rtol=1e-4, atol=1e-6)
    assert not features[~batch.valid].any()
    assert not maps[~batch.valid.flatten()].any()


def test_published_trunk_sees_chunks_of_all_clips_and_their_padding() -> None:
    settings = [one for one in PUBLISHED if "freeze_norm" not in one]
    config = config_of(*settings)
    learner, batch = learner_of(config), batch_of(config)
    features, _ = learner.features_of(batch)
    # By hand: four frames of both views of all clips, then the two that are left.
    reference = learner_of(config)
    parts = [
        reference.carl.trunk(batch.frames[:, :, start:end].reshape(-1, 32, 32, 3))
        for start, end in ((0, 4), (4, 6))
    ]
    torch.testing.assert_close(features[:, :, :4].flatten(0, 2), parts[0])
    torch.testing.assert_close(features[:, :, 4:].flatten(0, 2), parts[1])
    expected = statistics_of(reference)
    for name, value in statistics_of(learner).items():
        assert torch.equal(value, expected[name]), name
    moved, _ = learner_of(config).features_of(with_other_padding(batch))
    assert not torch.equal(moved[batch.valid], features[batch.valid])


def test_stored_features_stand_for_the_frozen_trunk() -> None:
    seen = config_of("model.freeze=all", "loss.pose_weight=1.0")
    learner, batch = learner_of(seen), batch_of(config_of())
    look, name = trunk_function(learner)
    flat = batch.frames.flatten(0, 2).numpy()
    stored = torch.from_numpy(look(flat)).unflatten(0, batch.valid.shape)
    without_frames = dataclasses.replace(
        batch, features=stored, frames=batch.frames[..., :0, :0, :]
    )
    by_trunk = losses_of(learner, batch, seen)
    by_store = losses_of(learner, without_frames, seen)
    assert by_store.keys() == {"scl"}  # joints need the trunk's map, and teach a trunk
    assert by_trunk.keys() > {"scl"}
    torch.testing.assert_close(by_store["scl"], by_trunk["scl"], rtol=1e-5, atol=1e-6)
    assert trunk_function(learner_of(seen))[1] == name
    torch.manual_seed(4)
    assert trunk_function(Learner(seen, 5))[1] != name


def test_the_head_works_in_float32_where_the_trunk_does_not() -> None:
    settings = ("model.freeze=all", "data.looks=1")
    exact = config_of(*settings)
    reduced = config_of(*settings, "run.precision=bfloat16")
    batch = batch_of(exact)
    assert total_of(learner_of(exact), batch, exact) == total_of(
        learner_of(reduced), batch, reduced
    )
    # With pictures the trunk rounds, so the same comparison differs there.
    batch = batch_of(config_of())
    one = total_of(learner_of(config_of()), batch, config_of())
    rounded = config_of("run.precision=bfloat16")
    assert total_of(learner_of(rounded), batch, rounded) != one


def test_phases_are_learned_from_labels() -> None:
    config = config_of("loss.name=classification", "model.freeze_norm=true")
    learner, batch = learner_of(config), batch_of(config)
    labels = torch.randint(0, 3, batch.valid.shape)
    losses = losses_of(learner, dataclasses.replace(batch, labels=labels), config)
    assert losses.keys() == {"classification"}
    assert float(losses["classification"].detach()) == pytest.approx(np.log(3), abs=0.5)
    losses["classification"].backward()
    assert learner.classifier is not None
    assert all(one.grad is not None for one in learner.classifier.parameters())
    with pytest.raises(ConfigError, match="labels"):
        Learner(config, joints=1, phases=0)


def test_what_no_loss_asks_for_is_not_trained() -> None:
    learner = learner_of(config_of("loss.use_projection=false"))
    assert not any(one.requires_grad for one in learner.regressor.parameters())
    assert not any(one.requires_grad for one in learner.carl.projection.parameters())
    wanted = learner_of(config_of("loss.pose_weight=1.0"))
    assert all(one.requires_grad for one in wanted.regressor.parameters())
