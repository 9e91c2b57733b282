"""The simulator: same seed, same clip; exact correspondence; joints inside the drawn figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.simulate import clip as clips
from training.simulate.body import random_body
from training.simulate.clip import (
    random_view,
    render_clip,
    sample_times,
    simulate_pair,
    simulate_pairs,
)
from training.simulate.motion import (
    TABLE_RATE,
    Action,
    Warp,
    pose_at,
    random_action,
    random_style,
    random_warp,
)
from training.simulate.phrases import (
    FAMILIES,
    HELD_OUT_FAMILIES,
    PHRASES,
    TRAINING_FAMILIES,
)
from training.simulate.pose import INDEX, POSE_HIGH, POSE_LOW, mirrored, pose
from training.simulate.skeleton import JOINT_NAMES, pose_body

SIZE = 64


@pytest.fixture(scope="module")
def action() -> Action:
    return random_action(
        np.random.default_rng(4), duration_s=(6.0, 6.0), families=("squat", "kick")
    )


def _joint(name: str) -> int:
    return JOINT_NAMES.index(name)


def test_same_seed_gives_the_same_pair_and_another_seed_another() -> None:
    first, again, other = (
        simulate_pair(np.random.default_rng(seed), frames=6, size=SIZE) for seed in (1, 1, 2)
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.frames, two.frames)
        np.testing.assert_array_equal(one.joints, two.joints)
        np.testing.assert_array_equal(one.action_s, two.action_s)
    assert np.mean(first[0].frames != other[0].frames) > 0.5


def test_threads_change_nothing() -> None:
    alone = list(simulate_pairs(3, range(4), frames=3, size=SIZE))
    together = list(simulate_pairs(3, range(4), frames=3, size=SIZE, workers=2))
    for one, two in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one[0].frames, two[0].frames)
        np.testing.assert_array_equal(one[1].frames, two[1].frames)


def test_a_frame_does_not_depend_on_the_frames_beside_it(action: Action) -> None:
    view = random_view(np.random.default_rng(8), action, size=SIZE, bystander_probability=1.0)
    times = np.linspace(0, view.duration_s, 5)
    whole = render_clip(action, view, times)
    alone = render_clip(action, view, times[3:4])
    np.testing.assert_array_equal(whole.frames[3], alone.frames[0])
    np.testing.assert_array_equal(whole.visible[3], alone.visible[0])


def test_clips_have_the_promised_shapes() -> None:
    pair = simulate_pair(np.random.default_rng(5), frames=7, size=(72, 48))
    for clip in pair:
        assert clip.frames.shape == (7, 48, 72, 3)
        assert clip.frames.dtype == np.uint8
        assert clip.joints.shape == (7, len(JOINT_NAMES), 2)
        assert clip.visible.shape == (7, len(JOINT_NAMES))
        assert clip.times_s.dtype == clip.action_s.dtype == clip.joints.dtype == np.float32
        assert np.all(np.isfinite(clip.joints))
        assert np.all(np.diff(clip.times_s) > 0)
        assert np.all(np.diff(clip.action_s) >= 0)
        assert not clip.frames.flags.writeable
        outside = np.any((clip.joints < 0) | (clip.joints >= 1), axis=-1)
        assert not np.any(clip.visible & outside)


def test_equal_action_time_means_equal_joints_whatever_the_clock(action: Action) -> None:
    rng = np.random.default_rng(11)
    view = random_view(rng, action, size=SIZE, shake=0.0, trim=0.0)
    other = replace(view, warp=random_warp(np.random.default_rng(12), action, trim=0.1))
    moments = np.linspace(1.0, 5.0, 9)
    one = render_clip(action, view, view.warp.time_of(moments))
    two = render_clip(action, other, other.warp.time_of(moments))
    np.testing.assert_allclose(one.action_s, two.action_s, atol=1e-5)
    np.testing.assert_allclose(one.action_s, moments, atol=1e-5)
    np.testing.assert_allclose(one.joints, two.joints, atol=1e-5)


def test_style_changes_angles_a_little_and_smoothly(action: Action) -> None:
    moments = np.linspace(0, action.duration_s, 200)
    plain = pose_at(action, moments)
    for seed in range(5):
        own = pose_at(action, moments, random_style(np.random.default_rng(seed), action))
        apart = np.abs(own - plain)[:, 3:]
        assert 1.0 < apart.mean() < 8.0
        assert apart.max() < 40.0
        # What moves in one moves in the other: the spread of the squat and the kick is far larger.
        knee = INDEX["r_knee"]
        assert np.corrcoef(own[:, knee], plain[:, knee])[0, 1] > 0.9
        assert np.abs(np.diff(own - plain, axis=0)).max() < 5.0


def test_visible_joints_lie_inside_the_drawn_figure() -> None:
    parts = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    names = [f"{side}_{part}" for side in ("left", "right") for part in parts]
    limbs = [_joint(name) for name in (*names, "chest", "pelvis", "neck")]
    hits = total = 0
    shares = []
    for seed in range(12):
        rng = np.random.default_rng([21, seed])
        some = random_action(rng, duration_s=(5.0, 5.0))
        view = random_view(rng, some, size=SIZE, clean=True)
        times = np.linspace(0, view.duration_s, 5)
        # The same figure in black and in white: only its own pixels differ.
        black = replace(view, body=replace(view.body, materials=view.body.materials * 0.0))
        white = replace(view, body=replace(view.body, materials=view.body.materials * 0.0 + 0.8))
        drawn = render_clip(some, black, times, samples=1)
        differs = np.any(drawn.frames != render_clip(some, white, times, samples=1).frames, axis=-1)
        shares.append(differs.mean())
        for t in range(len(times)):
            for j in limbs:
                if drawn.visible[t, j]:
                    x, y = (drawn.joints[t, j] * SIZE).astype(int)
                    hits += int(differs[t, y, x])
                    total += 1
    assert total > 300
    assert hits / total > 0.99
    assert 0.005 < min(shares) < max(shares) < 0.6


def test_a_joint_behind_the_body_is_not_visible() -> None:
    standing = Action("stand", ("stand",), np.stack([pose()] * 2).astype(np.float32),
                      np.zeros(1), ("stand",))  # fmt: skip
    warp = Warp(np.array([0.0, 1.0]), np.array([0.0, 1 / TABLE_RATE]))
    seen = {}
    for azimuth in (0.0, 90.0, 180.0):
        view = random_view(np.random.default_rng(1), standing, size=128, azimuth=azimuth, warp=warp,
                           clean=True, style_strength=0.0, shake=0.0)  # fmt: skip
        seen[azimuth] = render_clip(standing, view, np.zeros(1))
    nose, left, right = _joint("nose"), _joint("left_shoulder"), _joint("right_shoulder")
    assert seen[0.0].joints[0, left, 0] > seen[0.0].joints[0, right, 0]
    assert seen[180.0].joints[0, left, 0] < seen[180.0].joints[0, right, 0]
    # From its left the figure looks to the picture's left and hides its right arm.
    assert seen[90.0].joints[0, nose, 0] < seen[90.0].joints[0, left, 0]
    assert seen[90.0].visible[0, left]
    assert not seen[90.0].visible[0, right]
    assert seen[0.0].visible[0, nose]
    assert not seen[180.0].visible[0, nose]


@pytest.mark.parametrize("seed", range(8))
def test_a_warp_runs_forward_within_its_speed_limits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    some = random_action(rng, duration_s=(4.0, 12.0))
    warp = random_warp(rng, some, rate=(0.5, 2.0), trim=0.25, hold_probability=0.5)
    rates = np.diff(warp.action_s) / np.diff(warp.times_s)
    moving = rates[rates > 0]
    assert len(rates) - len(moving) <= 1  # at most one rest
    assert moving.min() > 0.5 - 1e-9
    assert moving.max() < 2.0 + 1e-9
    assert 0 <= warp.action_s[0] <= 0.25 * some.duration_s
    assert 0.75 * some.duration_s <= warp.action_s[-1] <= some.duration_s + 1e-9
    moments = np.linspace(warp.action_s[0], warp.action_s[-1], 50)
    np.testing.assert_allclose(warp.action_at(warp.time_of(moments)), moments, atol=1e-9)
    assert np.isnan(warp.time_of(np.array([warp.action_s[-1] + 1.0])))[0]


def test_a_warp_that_runs_backward_is_refused() -> None:
    with pytest.raises(ValueError, match="forward"):
        Warp(np.array([0.0, 1.0]), np.array([1.0, 0.5]))


@pytest.mark.parametrize("even", [True, False])
def test_sample_times_ascend_within_the_view(even: bool) -> None:
    times = sample_times(np.random.default_rng(0), 3.0, 20, even=even)
    assert len(times) == 20
    assert times[0] >= 0
    assert times[-1] <= 3.0
    assert np.all(np.diff(times) > 0)


def test_held_out_families_are_not_trained_on() -> None:
    assert set(HELD_OUT_FAMILIES).isdisjoint(TRAINING_FAMILIES)
    assert set(HELD_OUT_FAMILIES) | set(TRAINING_FAMILIES) == set(FAMILIES)
    for seed in range(30):
        some = random_action(np.random.default_rng(seed), duration_s=(4.0, 8.0))
        assert set(some.phrases).isdisjoint(HELD_OUT_FAMILIES)
        assert 4.0 - 0.02 <= some.duration_s <= 8.0 + 0.02


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_moves_and_stays_within_anatomy(family: str) -> None:
    rng = np.random.default_rng(31)
    some = random_action(rng, duration_s=(5.0, 5.0), families=(family,))
    assert some.family == family
    poses = some.poses.astype(np.float64)
    assert np.all(poses >= POSE_LOW - 1e-3)
    assert np.all(poses <= POSE_HIGH + 1e-3)
    assert np.ptp(poses[:, 3:], axis=0).max() > 20
    speed = np.abs(np.diff(poses[:, 3:], axis=0)).max() * TABLE_RATE
    assert speed < 2000  # degrees per second; a fast throw reaches about 1,500
    body = random_body(rng)
    joints, solids = pose_body(body, poses)
    assert np.all(np.isfinite(solids))
    # Bones keep their length, and nothing sinks into the floor.
    for a, b in (("left_knee", "left_ankle"), ("right_elbow", "right_wrist")):
        bones = np.linalg.norm(joints[:, _joint(a)] - joints[:, _joint(b)], axis=-1)
        assert np.ptp(bones) < 1e-9
    assert joints[..., 2].min() > -0.01


def test_every_phrase_starts_from_named_keys_with_positive_times() -> None:
    for family in FAMILIES:
        for seed in range(10):
            for key in PHRASES[family](np.random.default_rng(seed)):
                assert key.name
                assert key.move_s > 0
                assert key.hold_s >= 0


def test_a_mirrored_pose_is_the_mirror_image() -> None:
    rng = np.random.default_rng(3)
    some = random_action(rng, duration_s=(4.0, 4.0), families=("free",))
    poses = some.poses[::20].astype(np.float64)
    np.testing.assert_allclose(mirrored(mirrored(poses)), poses)
    body = random_body(rng)
    joints, _ = pose_body(body, poses)
    reflected, _ = pose_body(body, mirrored(poses))
    swap = [
        _joint(n.replace("left", "?").replace("right", "left").replace("?", "right"))
        for n in JOINT_NAMES
    ]
    np.testing.assert_allclose(reflected[:, swap] * [1, -1, 1], joints, atol=1e-9)


def test_natural_pictures_serve_as_backgrounds(action: Action) -> None:
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[..., 0] = 255
    view = random_view(np.random.default_rng(0), action, size=SIZE, images=[picture],
                       image_probability=1.0, clean=True)  # fmt: skip
    frame = render_clip(action, view, np.zeros(1)).frames[0]
    corner = frame[:3, :3].reshape(-1, 3).astype(int)
    assert np.all(corner[:, 0] > 150)
    assert np.all(corner[:, 1:] < 5)


def test_unknown_angles_are_refused() -> None:
    with pytest.raises(ValueError, match="tail"):
        pose(tail=10.0)


def test_the_first_joints_are_in_coco_order() -> None:
    assert JOINT_NAMES[:7] == (
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    )  # fmt: skip
    assert JOINT_NAMES[16] == "right_ankle"
    assert clips.SimulatedClip.__dataclass_params__.frozen  # type: ignore[attr-defined]
