"""Smaller variants of an encoder: what they are, and when they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from carl_core.encoder import quantize
from carl_core.encoder.modelfile import read_model_file
from carl_core.encoder.onnx import load_encoder
from carl_core.encoder.quantize import agreement, clip_of, make_variant
from carl_core.errors import ModelError
from carl_core.video.recording import open_recording
from tests.helpers.encoders import make_tiny_encoder, tiny_spec
from tests.helpers.scenes import make_scene

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from carl_core.video.recording import Recording


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return open_recording(make_scene(tmp_path_factory.mktemp("video") / "scene.mp4"))


@pytest.fixture(scope="module")
def clip(recording: Recording) -> npt.NDArray[np.uint8]:
    return clip_of(recording, tiny_spec(), 64)


def test_a_clip_is_spread_over_the_recording(recording: Recording) -> None:
    clip = clip_of(recording, tiny_spec(), 64)
    assert clip.shape == (64, 32, 32, 3)
    assert clip_of(recording, tiny_spec(), 16).shape == (16, 32, 32, 3)
    np.testing.assert_array_equal(clip_of(recording, tiny_spec(), 1000)[:16], clip[:16])


@pytest.mark.parametrize("kind", quantize.KINDS)
def test_a_variant_is_an_encoder_that_agrees(
    model: Path, tmp_path: Path, clip: npt.NDArray[np.uint8], kind: str
) -> None:
    found = make_variant(model, tmp_path / "variant.onnx", kind, [clip])
    one, other = load_encoder(model), load_encoder(tmp_path / "variant.onnx")
    assert other.model_id != one.model_id
    assert other.spec.name == f"tiny {kind}"
    assert found.is_enough
    assert found == agreement(one, other, [clip[16:32], clip[48:]])
    assert 0.99 <= found.lowest <= found.mean <= 1.0001
    trunk = onnx.ModelProto.FromString(read_model_file(tmp_path / "variant.onnx").trunk)
    kinds = {tensor.data_type for tensor in trunk.graph.initializer}
    expected = {"int8": onnx.TensorProto.INT8, "float16": onnx.TensorProto.FLOAT16}[kind]
    assert expected in kinds
    head = onnx.ModelProto.FromString(read_model_file(tmp_path / "variant.onnx").head)
    assert expected not in {tensor.data_type for tensor in head.graph.initializer}


def test_a_variant_that_sees_something_else_is_not_kept(
    model: Path,
    tmp_path: Path,
    clip: npt.NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quantize, "ENOUGH", 1.1)
    with pytest.raises(ModelError, match="sees these recordings otherwise"):
        make_variant(model, tmp_path / "variant.onnx", "int8", [clip])
    assert not (tmp_path / "variant.onnx").exists()


def test_what_is_no_encoder_is_said(tmp_path: Path, clip: npt.NDArray[np.uint8]) -> None:
    (tmp_path / "other.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="not an ONNX model"):
        make_variant(tmp_path / "other.onnx", tmp_path / "variant.onnx", "int8", [clip])
