"""Distillation: its losses, its looks, and a run that stops and goes on."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from carl_core.encoder.onnx import load_encoder  # noqa: E402
from training.config import ConfigError  # noqa: E402
from training.distill import loop, shards, views  # noqa: E402
from training.distill.feed import Feed, recoloured  # noqa: E402
from training.distill.settings import DistillSettings, ViewSettings, load_settings  # noqa: E402
from training.distill.student import Student  # noqa: E402
from training.losses import difference_loss, located_joint_loss, place_loss  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from training.distill.shards import Shard

VIEWS = ViewSettings(actions=2, action_views=1, action_frames=8, seed=3)


class _See:
    """A teacher that says how bright each cell is."""

    def __init__(self, path: Path) -> None: ...

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cells = pixels.reshape(-1, 7, 32, 7, 32, 3).mean(axis=(2, 4)) / 25.0 - 5.0
        return np.zeros((len(pixels), 1280), np.float32), np.tile(cells, 107)[..., :320]


class _Pose:
    def __init__(self, path: Path) -> None: ...

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return np.full((len(pixels), 17, 3), 0.5, np.float32)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Shard]:
    monkeypatch.setattr(shards, "ImageTeacher", _See)
    monkeypatch.setattr(shards, "PoseTeacher", _Pose)
    folder = tmp_path / "run" / f"views-{VIEWS_DIGEST}"
    folder.mkdir(parents=True)
    for source in views.list_sources(VIEWS):
        shards.make_shard(source, VIEWS, folder, 112)
    return [shards.load_shard(folder, s.name) for s in views.list_sources(VIEWS)]


VIEWS_DIGEST = replace(DistillSettings(), views=VIEWS).digest("views")


def test_losses_are_one_at_the_level_of_a_guess_and_zero_when_right() -> None:
    rng = torch.Generator().manual_seed(0)
    target = torch.randn(8, 5, 7, 7, generator=rng)
    is_sequence = torch.tensor([True, False])
    assert float(place_loss(target, target)) == 0
    assert float(place_loss(torch.zeros_like(target), target)) == pytest.approx(1, abs=0.1)
    assert float(difference_loss(target, target, is_sequence, 4)) == 0
    assert float(difference_loss(0 * target, target, is_sequence, 4)) == pytest.approx(1)
    # What all frames of a group share is nobody's business, nor is a group of unrelated images.
    moved = target + 3.0
    moved[4:] = torch.randn(4, 5, 7, 7, generator=rng)
    assert float(difference_loss(moved, target, is_sequence, 4)) == pytest.approx(0, abs=1e-10)
    nothing = difference_loss(target, target + 1, torch.tensor([False, False]), 4)
    assert float(nothing) == 0


def test_joint_loss_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    scores = torch.from_numpy(rng.normal(size=(3, 2, 4, 6)))
    nowhere = torch.from_numpy(rng.normal(size=(3, 2)))
    joints = torch.from_numpy(rng.uniform(0, 1, (3, 2, 3))).float()
    joints[0, 0, 2], joints[1, 1, 2], joints[2, 0, 2] = 0.9, 0.05, 0.2
    expected = weights = 0.0
    for n in range(3):
        for j in range(2):
            x, y, score = joints[n, j].tolist()
            logits = np.append(scores[n, j].numpy().ravel(), float(nowhere[n, j]))
            log_shares = logits - np.log(np.exp(logits).sum())
            if score >= 0.35:
                aim = np.array(
                    [
                        math.exp(-0.5 * ((c + 0.5 - 6 * x) ** 2 + (r + 0.5 - 4 * y) ** 2) / 0.64)
                        for r in range(4)
                        for c in range(6)
                    ]
                )
                expected += score * -(aim / aim.sum() * log_shares[:-1]).sum()
                weights += score
            elif score < 0.15:
                expected += 0.25 * -log_shares[-1]
                weights += 0.25
    found = located_joint_loss(scores, nowhere, joints)
    assert float(found) == pytest.approx(expected / max(1.0, weights) / math.log(25), rel=1e-5)


def test_settings_name_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[run]\nstepps = 3\n")
    with pytest.raises(ConfigError, match=r"no key run\.stepps"):
        load_settings(file, [])
    with pytest.raises(ConfigError, match=r"run\.steps = 'many' must be of type int"):
        load_settings(None, ["run.steps=many"])
    with pytest.raises(ConfigError, match="multiple of 4"):
        load_settings(None, ["run.batch=6"])
    with pytest.raises(ConfigError, match="no section"):
        load_settings(None, ["runn.batch=8"])
    assert load_settings(None, ["run.rate=1", "student.widths=[8,8,8,8]"]).student.widths[0] == 8


def test_a_run_may_go_on_on_another_device() -> None:
    usual = load_settings(None, [])
    assert load_settings(None, ["run.device=cpu"]).digest() == usual.digest()
    assert load_settings(None, ["student.pose_share=2"]).digest() == usual.digest()
    assert load_settings(None, ["run.rate=1"]).digest() != usual.digest()
    with pytest.raises(ConfigError, match=r"run\.device must be"):
        load_settings(None, ["run.device=gpu"])


def test_looks_depend_on_the_seed_alone_and_joints_follow_the_box() -> None:
    (source,) = views.list_sources(VIEWS)
    first = list(views.groups_of(source, VIEWS))
    again = list(views.groups_of(source, VIEWS))
    other = list(views.groups_of(source, replace(VIEWS, seed=4)))
    assert all(np.array_equal(a.wide, b.wide) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.wide, b.wide) for a, b in zip(first, other, strict=True))
    for group in first:
        assert group.wide.shape == (4, 224, 224, 3)
        assert group.joints is not None
        seen = group.joints[..., 2] == 1
        assert (group.joints[seen][:, :2] >= 0).all()
        assert (group.joints[seen][:, :2] < 1).all()


def test_a_mirrored_look_exchanges_left_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    class Rng:
        def random(self) -> float:
            return 0.0  # the whole picture, mirrored

    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, 9] = 0.25, 0.5, 1.0  # left wrist
    picture = np.zeros((1, 40, 60, 3), np.uint8)
    picture[:, :, :20] = 200
    look = views._look(picture, VIEWS, Rng(), joints=joints)  # type: ignore[arg-type]
    assert look.joints is not None
    assert look.joints[0, 10].tolist() == [0.75, 0.5, 1.0]
    assert look.wide[0, 100, 200, 0] == 200
    assert look.wide[0, 100, 20, 0] == 0
    assert look.bars == (1.0, 128 / 192)
    assert look.tall[0, 10].max() == 0


def test_the_pose_teachers_square_becomes_the_picture() -> None:
    group = views.Group(np.zeros((1, 1, 1, 3), np.uint8), np.zeros(0, np.uint8), (1.0, 0.5), None)
    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, 0] = 0.375, 0.25, 0.8
    joints[0, 1] = 0.1, 0.25, 0.8  # in the black bar
    found = shards._found(joints, group)
    assert found[0, 0].tolist() == pytest.approx([0.25, 0.25, 0.8])
    assert found[0, 1, 2] == 0


def test_batches_are_the_same_after_a_stop(made: list[Shard]) -> None:
    feed = Feed(made)
    whole = list(feed.batches(0, 5, 8, seed=1))
    rest = list(feed.batches(3, 5, 8, seed=1))
    assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(whole[3:], rest, strict=True))
    assert whole[0].places.shape == (8, 320, 7, 7)
    one, two = (recoloured(whole[0].pixels, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)


def test_a_stopped_run_goes_on_to_the_same_weights(made: list[Shard], tmp_path: Path) -> None:
    from rich.console import Console

    quiet = Console(file=io.StringIO())
    small = replace(
        DistillSettings(),
        views=VIEWS,
        student=replace(DistillSettings().student, widths=(4, 4, 8, 8)),
        run=replace(
            DistillSettings().run, dir=str(tmp_path / "run"), steps=4, batch=8, warmup_steps=1,
            checkpoint_every=2, threads=1, precision="float32",
        ),
    )  # fmt: skip
    path = loop.distill(small, console=quiet)
    encoder = load_encoder(path)
    assert encoder.spec.channels == 5 * 320
    whole = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["weights"]

    (tmp_path / "run" / "state.pt").unlink()

    class Stop(Exception):
        pass

    def stop(*_: object) -> dict[str, float]:
        raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "evaluate", stop)  # after the state of step 2 has been saved
        with pytest.raises(Stop):
            loop.distill(small, console=quiet)
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 2
    loop.distill(small, console=quiet)
    again = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["weights"]
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    with pytest.raises(ConfigError, match="other settings"):
        loop.distill(replace(small, run=replace(small.run, rate=1e-4)), console=quiet)


def test_features_are_the_teachers_language() -> None:
    """A student that knows the places gives their means over the cells, and a pose."""
    student = Student(DistillSettings().student).eval()
    student.place_mean.fill_(2.0)
    with torch.no_grad():
        student.to_places.weight.zero_()
        student.to_places.bias.fill_(1.0)
        features = student(torch.zeros(2, 112, 112, 3, dtype=torch.uint8)).view(2, 5, 320)
    assert torch.allclose(features[:, :4], torch.full((2, 4, 320), 3.0), atol=1e-5)
    assert features[:, 4, 85:].abs().max() == 0


def test_soft_places_of_joints() -> None:
    student = Student(DistillSettings().student)
    scores = torch.full((1, 17, 14, 14), -20.0)
    scores[:, :, 3, 10] = 20.0
    nowhere = torch.full((1, 17), -30.0)
    nowhere[0, 5] = 60.0
    pose = student.pose(scores, nowhere)[0]
    absolute_x, absolute_y, sure = pose[34:51], pose[51:68], 2 * pose[68:]
    assert sure[0] == pytest.approx(1, abs=1e-4)
    assert sure[5] == pytest.approx(0, abs=1e-4)
    assert absolute_x[0] == pytest.approx(10.5 / 14 - 0.5, abs=1e-4)
    assert absolute_y[0] == pytest.approx(3.5 / 14 - 0.5, abs=1e-4)
    assert pose[5] == pytest.approx(0, abs=1e-3)
