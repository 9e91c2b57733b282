"""A new head on the trunk of an encoder file: trained on its features, joined to its graph."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from carl_core.assets import asset_path  # noqa: E402
from carl_core.encoder.onnx import load_encoder  # noqa: E402
from carl_core.errors import ModelError  # noqa: E402
from tests.helpers.encoders import make_tiny_encoder  # noqa: E402
from training.backbones import StoredTrunk  # noqa: E402
from training.config import ModelConfig  # noqa: E402
from training.export import export_encoder, spec_of  # noqa: E402
from training.model import CarlModel, build_model  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.encoder.spec import EncoderSpec

pytestmark = pytest.mark.torch

HEAD = {"layers": 1, "width": 32, "heads": 4, "ffn": 48, "dim": 16, "projection": 12}


def model_on(weights: Path | str, *, size: int, **changes: object) -> CarlModel:
    torch.manual_seed(0)
    chosen = {"backbone": "encoder", "freeze": "all", "weights": str(weights), "image_size": size}
    return build_model(ModelConfig(**(HEAD | chosen | changes)))  # type: ignore[arg-type]


def spec_for(model: CarlModel) -> EncoderSpec:
    return spec_of(
        model,
        name="new head",
        sample_fps=10.0,
        window_frames=16,
        overlap_frames=6,
        config_digest="abc",
        licence="MIT",
        data="Nothing: untrained.",
        fit="crop",
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("tiny") / "tiny.onnx")


def test_the_bundled_encoder_lends_its_trunk() -> None:
    model = model_on("bundled", size=112)
    assert isinstance(model.trunk, StoredTrunk)
    assert (model.trunk.channels, model.trunk.tokens) == (1600, 5)
    assert not list(model.trunk.parameters())
    assert all(parameter.requires_grad for parameter in model.head.parameters())
    features = torch.randn(2, 5, 1600)
    times_s = torch.arange(5.0).repeat(2, 1)
    rows = model.head(features, times_s, torch.ones(2, 5, dtype=torch.bool))
    assert rows.shape == (2, 5, 16)
    rows[..., 0].sum().backward()
    assert model.head.from_features.weight.grad is not None


def test_a_new_head_on_the_bundled_trunk_is_one_file(tmp_path: Path) -> None:
    model = model_on("bundled", size=112)
    path = export_encoder(model, spec_for(model), tmp_path / "new.onnx")
    new, old = load_encoder(path, device="cpu"), load_encoder(asset_path("encoder.onnx"))
    assert new.spec.fit == old.spec.fit == "squash"
    frames = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    np.testing.assert_array_equal(new.features(frames), old.features(frames))
    assert new.encode(frames, [0.0, 0.1, 0.2]).shape == (3, 16)


@pytest.mark.slow
def test_a_head_can_be_replaced_again_and_again(tiny: Path, tmp_path: Path) -> None:
    first = model_on(tiny, size=32)
    once = export_encoder(first, spec_for(first), tmp_path / "once.onnx")
    second = model_on(once, size=32)
    twice = export_encoder(second, spec_for(second), tmp_path / "twice.onnx")
    assert abs(twice.stat().st_size - once.stat().st_size) < 100
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = load_encoder(tiny, device="cpu").features(frames)
    np.testing.assert_array_equal(load_encoder(twice, device="cpu").features(frames), expected)


def test_frames_are_refused() -> None:
    model = model_on("bundled", size=112)
    with pytest.raises(ModelError, match=r"data\.looks"):
        model.trunk(torch.zeros(1, 112, 112, 3, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("weights", "size", "words"),
    [
        ("", 32, "needs an encoder file"),
        ("nowhere.onnx", 32, "no encoder file nowhere.onnx"),
        ("bundled", 32, r"Set model\.image_size=112"),
    ],
)
def test_a_trunk_that_cannot_be_lent_is_a_sentence(weights: str, size: int, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        model_on(weights, size=size)


def test_a_file_that_changed_meanwhile_is_refused(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    shutil.copyfile(tiny, path)
    model = model_on(path, size=32)
    make_tiny_encoder(path, name="another")
    with pytest.raises(ModelError, match="has changed"):
        export_encoder(model, spec_for(model), tmp_path / "new.onnx")
    assert not (tmp_path / "new.onnx").exists()
