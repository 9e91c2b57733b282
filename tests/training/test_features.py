"""Stored looks: what a frozen trunk sees, computed once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from carl_core.progress import Cancelled, Monitor  # noqa: E402
from training.config import load_config  # noqa: E402
from training.data import Source, Take, make_batch  # noqa: E402
from training.features import encoder_trunk, stored_looks  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.arrays import Float32, UInt8
    from training.config import TrainConfig

pytestmark = pytest.mark.torch


class Trunk:
    """Left half and right half of a picture as two channels; counts what it sees."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pictures: UInt8) -> Float32:
        assert pictures.shape[1:] == (16, 16, 3)
        self.seen += len(pictures)
        halves = pictures.astype(np.float32).reshape(len(pictures), 16, 2, 8, 3)
        return halves.mean(axis=(1, 3, 4))


def config(*settings: str) -> TrainConfig:
    return load_config(
        None,
        [
            "data.root=x", "data.looks=4", "model.freeze=all", "model.image_size=16",
            "sampling.frames=6", "data.batch_clips=2", *settings,
        ],
    )  # fmt: skip


def source(name: str, frames: int = 40, takes: int = 1) -> Source:
    """Bright on the left, dark on the right."""
    pictures = np.zeros((frames, 20, 20, 3), dtype=np.uint8)
    pictures[:, :, :10] = np.linspace(120, 200, frames, dtype=np.uint8)[:, None, None, None]
    times_s = np.arange(frames) / 10
    return Source(name, tuple(Take(pictures, times_s, times_s) for _ in range(takes)))


def test_look_0_is_the_recording_and_odd_looks_are_mirrored(tmp_path: Path) -> None:
    (stored,) = stored_looks([source("a")], config(), Trunk(), "t", tmp_path, Monitor())
    features = stored.takes[0].features
    assert features is not None
    assert features.shape == (4, 40, 2)
    assert features.dtype == np.float16
    # The edge between the halves is blurred by the resize: up to 2 % of either half.
    np.testing.assert_allclose(features[0, :, 0], np.linspace(120, 200, 40), rtol=0.025)
    np.testing.assert_allclose(features[0, :, 1], 0, atol=5)
    is_left_brighter = features[:, :, 0] > features[:, :, 1]
    assert is_left_brighter[[0, 2]].all()
    assert not is_left_brighter[[1, 3]].any()
    assert not np.allclose(features[0], features[2])


def test_what_is_stored_is_not_computed_again(tmp_path: Path) -> None:
    trunk = Trunk()
    sources = [source("a", takes=2), source("b")]
    first = stored_looks(sources, config(), trunk, "t", tmp_path, Monitor())
    assert trunk.seen == 3 * 4 * 40
    again = stored_looks(sources, config("run.seed=9"), trunk, "t", tmp_path, Monitor())
    assert trunk.seen == 3 * 4 * 40
    for one, two in zip(first, again, strict=True):
        for take, other in zip(one.takes, two.takes, strict=True):
            np.testing.assert_array_equal(take.features, other.features)
    for changed in (config("augment.min_area=0.9"), config("data.looks_seed=2")):
        stored_looks(sources[1:], changed, trunk, "t", tmp_path, Monitor())
    stored_looks(sources[1:], config(), trunk, "another trunk", tmp_path, Monitor())
    assert trunk.seen == (3 + 3) * 4 * 40


def test_a_cancelled_store_leaves_no_half_file(tmp_path: Path) -> None:
    monitor = Monitor()

    class Cancelling(Trunk):
        def __call__(self, pictures: UInt8) -> Float32:
            monitor.cancel()
            return super().__call__(pictures)

    with pytest.raises(Cancelled):
        stored_looks([source("a")], config(), Cancelling(), "t", tmp_path, monitor)
    assert list(tmp_path.iterdir()) == []


def test_batches_draw_views_of_one_kind_from_stored_looks(tmp_path: Path) -> None:
    settings = config()
    stored = stored_looks([source("a"), source("b")], settings, Trunk(), "t", tmp_path, Monitor())
    is_mirrored = []
    for step in range(12):
        batch = make_batch(step, stored, [], settings)
        assert batch.frames.shape == (2, 2, 6, 0, 0, 3)
        assert batch.features.shape == (2, 2, 6, 2)
        left = batch.features[..., 0] > batch.features[..., 1]  # (V, B, T)
        assert (left == left[:1, :, :1]).all()  # both views, all frames alike
        is_mirrored += left[0, :, 0].tolist()
    assert 4 <= sum(is_mirrored) <= 20  # of 24; both kinds come


def test_the_trunk_of_an_encoder_file_gives_its_features() -> None:
    settings = dataclasses.replace(config().model, backbone="encoder", weights="bundled")
    trunk, name = encoder_trunk(dataclasses.replace(config(), model=settings))
    pictures = np.random.default_rng(0).integers(0, 255, (2, 112, 112, 3), dtype=np.uint8)
    assert trunk(pictures).shape == (2, 1600)
    assert len(name) == 16
