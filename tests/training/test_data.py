"""Batches: reproducible, in step with the truth, mirrored as bodies are."""

from __future__ import annotations

import dataclasses
import threading
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from training.bank import COUNTERPARTS, body_joints, cached_size, simulated_source
from training.config import ConfigError, TrainConfig, config_from_json
from training.data import Batch, Source, Take, batches, make_batch, steps_per_epoch
from training.data.__main__ import main
from training.data.draw import draw_sources
from training.datasets.folder import spaced_frames
from training.simulate.clip import random_view
from training.simulate.motion import random_action
from training.simulate.skeleton import JOINT_NAMES

if TYPE_CHECKING:
    from pathlib import Path

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


class Decoded:
    """Pictures that are made when asked for, as those of a video are; remembers what was asked."""

    def __init__(self, pictures: np.ndarray) -> None:
        self._pictures = pictures
        self.asked: list[np.ndarray] = []
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, ...]:
        return self._pictures.shape

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, frames: np.ndarray) -> np.ndarray:
        with self._lock:
            self.asked.append(frames)
        return self._pictures[frames]


def decoded(seed: int = 0, count: int = 60, side: int = 40) -> tuple[Source, Decoded]:
    rng = np.random.default_rng(seed)
    frames = Decoded(rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8))
    times_s = np.arange(count) / 15
    return Source(f"video {seed}", (Take(frames, times_s, times_s),)), frames


def tensors(batch: Batch) -> dict[str, torch.Tensor]:
    values = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    return {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}


PUBLISHED = {
    "sampling": {
        "strategy": "published_length",
        "sigma_unit": "frames",
        "frames": 6,
        "min_overlap": 0.2,
    },
    "augment": {"recipe": "published", "shared_flip": False, "min_area": 0.8, "jitter": 0.8},
}


@pytest.mark.parametrize("sections", [{}, PUBLISHED], ids=["fixed", "published"])
@pytest.mark.parametrize("places", [slice(0, 2), slice(2, 4), slice(1, 2)])
def test_places_are_cut_from_the_very_batch(
    action: Source, sections: dict[str, dict[str, object]], places: slice
) -> None:
    sources = [recording(seed) for seed in range(4)]
    settings = config(**sections)
    whole = make_batch(7, sources, [action], settings)
    part = make_batch(7, sources, [action], settings, places=places)
    assert part.names == whole.names[places]
    for name, value in tensors(part).items():
        assert torch.equal(value, getattr(whole, name)[:, places]), name


def test_a_process_without_a_place_is_an_error() -> None:
    settings = config(data={"simulated_share": 0.0})
    with pytest.raises(ConfigError, match="has 2 clips"):
        make_batch(1, [recording(0), recording(1)], [], settings, places=slice(2, 4))


def test_workers_change_nothing_for_published_batches_of_decoded_frames() -> None:
    sources = [decoded(seed)[0] for seed in range(3)]
    found = [
        list(batches(0, 6, sources, [], config(**PUBLISHED, data=data)))
        for data in ({"workers": 0, "simulated_share": 0.0}, {"workers": 4, "simulated_share": 0.0})
    ]
    for one, two in zip(*found, strict=True):
        assert one.names == two.names
        for name, value in tensors(one).items():
            assert torch.equal(value, getattr(two, name)), name


def test_decoded_frames_give_what_an_array_gives() -> None:
    source, _ = decoded(3)
    pictures = source.takes[0].pictures()
    times_s = source.takes[0].times_s
    plain = Source(source.name, (Take(pictures, times_s, times_s),))
    for sections in ({}, PUBLISHED):
        settings = config(**sections, data={"simulated_share": 0.0})
        one, two = (make_batch(2, [each], [], settings) for each in (source, plain))
        assert torch.equal(one.frames, two.frames)


def test_both_views_are_decoded_in_one_ascending_pass_and_no_frame_twice() -> None:
    source, frames = decoded()
    for step in range(10):
        make_batch(step, [source], [], config(data={"simulated_share": 0.0}))
    assert len(frames.asked) == 10
    for asked in frames.asked:
        assert (np.diff(asked) > 0).all()
        assert len(asked) <= 2 * 6


def test_padding_shows_the_frame_it_repeats() -> None:
    """A recording of 4 frames in views of 6: the last is shown three times, and not valid."""
    settings = config(
        sampling={"strategy": "uniform", "sigma_unit": "frames", "frames": 6},
        augment={"noise": 0.0},
        data={"simulated_share": 0.0},
    )
    batch = make_batch(1, [decoded(count=4)[0]], [], settings)
    assert batch.valid[0, 0].tolist() == [True] * 4 + [False] * 2
    assert batch.moments[0, 0].tolist() == [0, 1, 2, 3, 3, 3]
    assert (batch.frames[:, :, 3] == batch.frames[:, :, 5]).all()
    assert not (batch.frames[:, :, 2] == batch.frames[:, :, 3]).all()


def test_lengths_are_of_the_whole_recording() -> None:
    settings = config(**PUBLISHED, data={"simulated_share": 0.0, "batch_clips": 2})
    batch = make_batch(1, [recording(0, 60), recording(1, 45)], [], settings)
    expected = [60.0 if name == "recording 0" else 45.0 for name in batch.names]
    assert batch.lengths.tolist() == [expected, expected]
    seconds = make_batch(
        1, [recording(0, 61)], [], config(sampling={"sigma_unit": "seconds"},
                                          data={"simulated_share": 0.0}),
    )  # fmt: skip
    assert seconds.lengths[0, 0].item() == pytest.approx(60 / 15)


def test_published_flips_are_independent() -> None:
    """A mark on the left edge of every picture is left or right in each view, on its own."""
    frames = np.zeros((20, 32, 32, 3), np.uint8)
    frames[:, :, :10] = 250
    times_s = np.arange(20) / 10
    source = Source("marked", (Take(frames, times_s, times_s),))
    kinds = set()
    for step in range(30):
        batch = make_batch(step, [source], [], config(**PUBLISHED, data={"simulated_share": 0.0}))
        left = batch.frames[:, 0, 0, :, :8].float().mean(dim=(1, 2, 3))
        right = batch.frames[:, 0, 0, :, -8:].float().mean(dim=(1, 2, 3))
        kinds.add(tuple((left > right).tolist()))
    assert len(kinds) == 4


@pytest.mark.parametrize("count", [3, 8, 11])
def test_an_epoch_shows_every_recording_once_in_an_order_of_its_own(count: int) -> None:
    settings = config(data={"draw": "epochs", "simulated_share": 0.0, "batch_clips": 3})
    sources = [recording(seed, 4) for seed in range(count)]
    length = steps_per_epoch(count, settings)
    assert length == count // 3
    orders = []
    for epoch in range(3):
        steps = range(epoch * length, (epoch + 1) * length)
        orders.append([one.name for step in steps for one in draw_sources(
            step, sources, [], settings
        )])  # fmt: skip
        assert len(orders[-1]) == len(set(orders[-1])) == 3 * length
    if count > 3:
        assert orders[0] != orders[1] != orders[2]


def test_an_epoch_of_fewer_recordings_than_places_is_one_step() -> None:
    settings = config(data={"draw": "epochs", "simulated_share": 0.0, "batch_clips": 8})
    sources = [recording(seed, 4) for seed in range(3)]
    assert steps_per_epoch(3, settings) == 1
    assert {one.name for one in draw_sources(5, sources, [], settings)} == {
        one.name for one in sources
    }


def test_simulated_pairs_take_their_places_of_an_epoch(action: Source) -> None:
    settings = config(data={"draw": "epochs", "simulated_share": 0.25, "batch_clips": 4})
    sources = [recording(seed, 4) for seed in range(7)]
    assert steps_per_epoch(7, settings) == 2
    drawn = draw_sources(0, sources, [action], settings)
    assert [one is action for one in drawn] == [False, False, False, True]


@pytest.mark.parametrize("draw", ["random", "epochs"])
def test_batches_of_one_action_hold_one_action(draw: str) -> None:
    sizes = {"bowl": 7, "jump": 4, "swing": 2}
    sources = [
        replace(recording(seed, 4), name=f"{action} {seed}", action=action)
        for action, count in sizes.items()
        for seed in range(count)
    ]
    settings = config(
        data={"draw": draw, "same_action": True, "simulated_share": 0.0, "batch_clips": 3}
    )
    length = steps_per_epoch(len(sources), settings)
    assert length == 4  # 13 recordings: bowl 3 + 3, jump 3, and a rest filled up
    seen = []
    for step in range(3 * length):
        drawn = draw_sources(step, sources, [], settings)
        assert len({one.action for one in drawn}) == 1
        assert len({one.name for one in drawn}) == len(drawn) <= 3
        seen.append([one.name for one in drawn])
    assert {name.split()[0] for names in seen for name in names} == set(sizes)
    if draw == "epochs":
        for epoch in range(3):
            names = [name for part in seen[epoch * length : (epoch + 1) * length] for name in part]
            assert len(set(names)) >= 11  # of 13: at most the rests of two actions are left out


def test_peak_memory_does_not_depend_on_the_length_of_the_recording() -> None:
    """The bound stated in ``training.data.batch``, for two clips of 8 and of 600 frames."""

    class Endless:
        def __init__(self, count: int) -> None:
            self.shape = (count, 96, 96, 3)

        def __len__(self) -> int:
            return self.shape[0]

        def __getitem__(self, frames: np.ndarray) -> np.ndarray:
            return np.full((len(frames), *self.shape[1:]), 99, np.uint8)

    settings = config(
        sampling={"frames": 8},
        model={"image_size": 64},
        data={"simulated_share": 0.0, "batch_clips": 2},
    )
    peaks = []
    for count in (8, 600, 600):
        times_s = np.arange(count) / 15
        takes = [Take(Endless(count), times_s, times_s) for _ in range(2)]
        sources = [Source(str(number), (take,)) for number, take in enumerate(takes)]
        make_batch(0, sources, [], settings)  # what is made once: compiled code, noise
        tracemalloc.start()
        make_batch(1, sources, [], settings)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    batch_bytes = 2 * 2 * 8 * 64 * 64 * 3
    sample_bytes = 2 * 8 * 96 * 96 * 3 + 8 * (96 * 96 + 64 * 64) * 3
    assert max(peaks) < 1.1 * (batch_bytes + sample_bytes) + 200_000
    assert peaks[1] < peaks[0] + 2 * 8 * 96 * 96 * 3


def test_the_command_line_knows_check_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["ceck", str(tmp_path)]) == 2
    assert "training.data check" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "training.data check" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "nowhere")]) != 0


def test_a_batch_names_what_its_sources_show() -> None:
    pictures = np.zeros((30, 16, 16, 3), dtype=np.uint8)
    times_s = np.arange(30) / 10
    sources = [
        Source(name, (Take(pictures, times_s, times_s),), action)
        for name, action in (("a", "squat"), ("b", ""), ("c", "bowl"))
    ]
    config = config_from_json(
        {"data": {"root": "x", "batch_clips": 3}, "model": {"image_size": 16}}
    )
    batch = make_batch(0, sources, [], config)
    shown = {source.name: source.action for source in sources}
    assert batch.actions == tuple(shown[name] for name in batch.names)
    assert make_batch(0, sources, [], config, places=slice(1, 2)).actions == batch.actions[1:2]
