"""Controls: the published positions, untrained heads, shared trunks."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from carl_core.encoder.onnx import load_encoder
from carl_core.errors import ModelError
from tests.helpers.encoders import make_tiny_encoder
from tests.training.evaluation.made import track_of, warped
from training.config import ModelConfig
from training.evaluation.controls import (
    COLUMNS,
    MODEL,
    UNTRAINED,
    Contestant,
    as_they_are,
    contestants_of,
    position_vectors,
    same_trunks,
    sinusoid,
    untrained_contestants,
)
from training.evaluation.heads import head_config, head_file, untrained_head
from training.export import head_path, save_head
from training.model import CarlModel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.torch

SHAPE = ModelConfig(
    image_size=32, width=32, heads=2, ffn=32, dim=16, projection=16, layers=1, token_dim=0,
    tokens=1, pooling="max",
)  # fmt: skip


def test_positions_are_the_published_ones() -> None:
    golden = [
        [0, 1, 0, 1],
        [-0.756802, 0.921061, 0.039989, 0.999992],
        [0.989358, 0.696707, 0.079915, 0.999968],
    ]
    np.testing.assert_allclose(sinusoid(3, width=4, train_frames=9), golden, atol=1e-6)


def test_position_sees_no_picture_and_no_clock_time() -> None:
    rng = np.random.default_rng(0)
    one = position_vectors(rng.standard_normal((50, 7)).astype(np.float32), np.arange(50) / 10)
    two = position_vectors(np.zeros((50, 3), np.float32), np.arange(50) / 30)
    np.testing.assert_array_equal(one, two)


def write_head(path: Path) -> ModelConfig:
    save_head(CarlModel(SHAPE), head_file(path))
    return SHAPE


def test_an_untrained_head_is_of_the_same_architecture(tmp_path: Path) -> None:
    path = tmp_path / "e.onnx"
    assert head_file(path) == head_path(path)
    write_head(path)
    config = head_config(head_file(path))
    assert config == SHAPE
    trained = CarlModel(SHAPE).head
    fresh = untrained_head(config, trained.from_features.in_features, seed=0)
    shapes = {name: value.shape for name, value in trained.state_dict().items()}
    assert {name: value.shape for name, value in fresh.state_dict().items()} == shapes


def test_the_seed_decides_an_untrained_head_and_the_global_generator_stays() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = (untrained_head(SHAPE, 64, seed).output.weight for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_without_a_head_file_the_column_stays_empty_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cpu")
    with caplog.at_level(logging.WARNING, logger="carl.train"):
        assert untrained_contestants(encoder) == []
    assert "no tiny.head.safetensors beside the encoder" in caplog.text


def test_a_head_file_without_a_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.head.safetensors"
    path.write_bytes(b"no such thing")
    with pytest.raises(ModelError, match="does not say how its head is built"):
        head_config(path)


def test_columns_and_draws(tmp_path: Path) -> None:
    path = make_tiny_encoder(tmp_path / "tiny.onnx")
    write_head(path)
    encoder = load_encoder(path, device="cpu")
    found = contestants_of([encoder, encoder], [0, 0])
    counts = [sum(one.column == column for one in found) for column in COLUMNS]
    assert counts == [2, 1, 1, 3, 1]
    features = np.random.default_rng(0).standard_normal((20, encoder.spec.channels))
    for one in found:
        if one.column in (MODEL, UNTRAINED):
            vectors = one.embed(features.astype(np.float32), np.arange(20) / 10)
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_trunks_are_told_apart_by_what_they_compute(tmp_path: Path) -> None:
    one = make_tiny_encoder(tmp_path / "one.onnx")
    shutil.copy(one, tmp_path / "same.onnx")
    make_tiny_encoder(tmp_path / "coarse.onnx", grid=4)
    paths = [one, tmp_path / "same.onnx", tmp_path / "coarse.onnx", one]
    assert same_trunks([load_encoder(path, device="cpu") for path in paths]) == [0, 0, 1, 0]


def test_means_are_taken_off_as_said() -> None:
    track = track_of(warped(30, 1.0))
    plain = {
        centred: Contestant(MODEL, as_they_are, centred=centred)
        for centred in ("never", "aligning", "always")
    }
    untouched = track.features
    for name, when in (("never", False), ("never", True), ("aligning", False)):
        np.testing.assert_array_equal(plain[name].vectors(track, aligning=when), untouched)
    expected = untouched - untouched.mean(axis=0)
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    for name, when in (("aligning", True), ("always", False), ("always", True)):
        np.testing.assert_allclose(plain[name].vectors(track, aligning=when), expected, atol=1e-5)
