"""Batches: reproducible, in step with the truth, mirrored as bodies are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
from training.bank import COUNTERPARTS, body_joints, cached_size, simulated_source
from training.config import TrainConfig, config_from_json
from training.data import Source, Take, batches, make_batch
from training.datasets.folder import spaced_frames
from training.simulate.clip import random_view
from training.simulate.motion import random_action
from training.simulate.skeleton import JOINT_NAMES

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def action() -> Source:
    return simulated_source(5, size=48, views=2, frames=24)


def recording(seed: int = 0, count: int = 60) -> Source:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (count, 40, 40, 3), dtype=np.uint8)
    times_s = np.arange(count) / 15
    return Source(f"recording {seed}", (Take(frames, times_s, times_s),))


def config(**sections: dict[str, object]) -> TrainConfig:
    values: dict[str, dict[str, object]] = {
        "data": {"root": "x", "simulated_share": 0.5, "batch_clips": 4},
        "sampling": {"frames": 6},
        "model": {"image_size": 32},
    }
    for name, entries in sections.items():
        values[name] = values.get(name, {}) | entries
    return config_from_json(values)


def test_shapes_and_masks_of_a_mixed_batch(action: Source) -> None:
    actions = [action, replace(action, name=action.name + " again")]
    batch = make_batch(3, [recording(0), recording(1)], actions, config())
    joints = len(JOINT_NAMES)
    assert batch.frames.shape == (2, 4, 6, 32, 32, 3)
    assert batch.points.shape == (2, 4, 6, joints, 2)
    assert batch.body.shape == (2, 4, 6, joints, 3)
    is_simulated = np.array([name.startswith(action.name) for name in batch.names])
    assert is_simulated.sum() == 2
    assert len(set(batch.names)) == 4
    assert not batch.has_body[:, ~is_simulated].any()
    assert not batch.visible[:, ~is_simulated].any()
    assert (batch.has_body == batch.valid)[:, is_simulated].all()
    assert batch.visible[:, is_simulated].any()
    assert (batch.times_s[:, :, 0] == 0).all()


def test_a_batch_is_a_function_of_seed_and_step(action: Source) -> None:
    sources = [recording(0), recording(1)]
    one, again = (make_batch(3, sources, [action], config()) for _ in range(2))
    assert (one.frames == again.frames).all()
    for other in (
        make_batch(4, sources, [action], config()),
        make_batch(3, sources, [action], config(run={"seed": 2})),
    ):
        assert not (one.frames == other.frames).all()


def test_no_clip_is_its_own_negative() -> None:
    settings = config(data={"simulated_share": 0.0, "batch_clips": 8})
    for step in range(5):
        names = make_batch(step, [recording(0), recording(1)], [], settings).names
        assert sorted(names) == ["recording 0", "recording 1"]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_threads_give_the_same_batches_in_order(workers: int) -> None:
    settings = config(data={"workers": workers, "simulated_share": 0.0})
    sources = [recording(seed) for seed in range(3)]
    found = list(batches(2, 9, sources, [], settings))
    assert [batch.step for batch in found] == list(range(2, 9))
    expected = make_batch(5, sources, [], settings)
    assert (found[3].frames == expected.frames).all()


def test_an_error_in_a_thread_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Source("broken", (Take(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0), np.zeros(0)),))
    stream = batches(0, 5, [broken], [], config(data={"simulated_share": 0.0}))
    with pytest.raises(ValueError, match="without frames"):
        next(stream)


def test_equal_moments_show_equal_poses(action: Source) -> None:
    """The truth that the loss relies on: content time decides the body's joints in both takes."""
    one, two = action.takes
    assert one.body is not None
    assert two.body is not None
    near = np.abs(one.content_s[:, None] - two.content_s[None])
    rows, columns = np.unravel_index(np.argsort(near, axis=None)[:10], near.shape)
    same = np.abs(one.body[rows] - two.body[columns]).mean()
    far = np.abs(one.body[rows] - two.body[columns[::-1]]).mean()
    assert same < 0.2  # metres; bodies differ in size and style
    assert same < far


def test_body_joints_turn_with_the_body() -> None:
    rng = np.random.default_rng(3)
    act = random_action(rng, duration_s=(3.0, 4.0))
    view = random_view(rng, act, size=32)
    joints = body_joints(act, view, np.linspace(0, act.duration_s, 20))
    left, right = JOINT_NAMES.index("left_hip"), JOINT_NAMES.index("right_hip")
    assert (joints[:, left, 0] >= 0).all()
    assert np.abs(joints[:, left, 0] + joints[:, right, 0]).max() < 0.05
    assert np.abs(joints[:, left, 1] - joints[:, right, 1]).max() < 0.05
    assert joints[..., 2].min() > -0.05  # nothing below the floor


def test_a_mirrored_picture_exchanges_left_and_right(action: Source) -> None:
    same = {
        "min_area": 1.0, "max_area": 1.0, "max_aspect": 1.0, "brightness": 0.0, "contrast": 0.0,
        "saturation": 0.0, "hue": 0.0, "grey": 0.0, "blur": 0.0, "noise": 0.0, "cutout": 0.0,
    }  # fmt: skip
    plain, mirrored = (
        make_batch(
            1,
            [],
            [action],
            config(data={"simulated_share": 1.0}, augment=same | {"flip": flip}),
        )
        for flip in (0.0, 1.0)
    )
    order = list(COUNTERPARTS)
    points = plain.points[..., order, :].clone()
    points[..., 0] = 1 - points[..., 0]
    assert (points - mirrored.points).abs().max() < 1e-5
    body = plain.body[..., order, :].clone()
    body[..., 0] *= -1
    assert (body - mirrored.body).abs().max() < 1e-5
    assert (plain.visible[..., order] == mirrored.visible).all()
    difference = plain.frames.flip(-2).int() - mirrored.frames.int()
    assert difference.abs().float().mean() < 1.0


def test_counterparts_are_pairs() -> None:
    order = np.array(COUNTERPARTS)
    assert (order[order] == np.arange(len(order))).all()
    assert JOINT_NAMES[order[JOINT_NAMES.index("left_wrist")]] == "right_wrist"
    assert order[JOINT_NAMES.index("nose")] == JOINT_NAMES.index("nose")


@pytest.mark.parametrize(("fps", "expected"), [(30.0, 15), (10.0, 10), (250.0, 15), (15.0, 15)])
def test_cached_frames_come_at_the_rate_asked_for(fps: float, expected: int) -> None:
    chosen = spaced_frames(np.arange(round(20 * fps)) / fps, max_fps=15.0, max_clip_s=10.0)
    assert chosen[0] == 0
    assert (np.diff(chosen) > 0).all()
    assert len(chosen) == pytest.approx(10 * expected, abs=1)


def test_cached_pictures_leave_room_for_crops() -> None:
    assert cached_size(112) == 144
    assert cached_size(96) == 112
