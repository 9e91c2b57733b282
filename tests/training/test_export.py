"""Exported encoders compute what the model computes, and carry nothing of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import onnxruntime  # noqa: E402
from safetensors import safe_open  # noqa: E402

from carl_core.encoder.onnx import load_encoder  # noqa: E402
from carl_core.errors import ModelError  # noqa: E402
from training.config import ModelConfig  # noqa: E402
from training.export import (  # noqa: E402
    check_parity,
    encoder,
    export_encoder,
    head_path,
    spec_of,
)
from training.model import CarlModel, build_model  # noqa: E402

if TYPE_CHECKING:
    import numpy.typing as npt

    from carl_core.encoder.spec import EncoderSpec

pytestmark = pytest.mark.torch

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = 32


def model_of(position: str, *, plain: int = 0) -> CarlModel:
    torch.manual_seed(0)
    config = ModelConfig(
        image_size=SIZE,
        tokens=4,
        token_dim=8,
        layers=1,
        width=32,
        heads=4,
        ffn=48,
        dim=16,
        projection=12,
        position=position,
        motion=position != "carl",
        plain=plain,
        centre=plain > 0,
        norm="batch" if position == "carl" else "layer",
    )
    model = build_model(config)
    with torch.no_grad():
        for parameter in model.head.parameters():  # no parameter at its trivial start
            parameter.add_(torch.randn(parameter.shape) * 0.1)
    return model


def spec_for(model: CarlModel) -> EncoderSpec:
    return spec_of(
        model,
        name="test",
        sample_fps=10.0,
        window_frames=16,
        overlap_frames=6,
        config_digest="abc",
        licence="MIT",
        data="Nothing: untrained.",
    )


@pytest.fixture(scope="module")
def model() -> CarlModel:
    return model_of("relative")


@pytest.fixture(scope="module")
def path(model: CarlModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_encoder(model, spec_for(model), tmp_path_factory.mktemp("export") / "test.onnx")


def clip_of(length: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (length, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def times_of(length: int) -> npt.NDArray[np.float64]:
    return np.cumsum(np.random.default_rng(5).uniform(0.05, 0.15, length))


def test_the_file_reproduces_the_model(model: CarlModel, path: Path) -> None:
    assert check_parity(model, path, lengths=(1, 2, 3, 33, 80)) < 1e-5


@pytest.mark.parametrize("clips", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 33, 80])
def test_cut_equals_whole(path: Path, clips: int, length: int) -> None:
    encoder = load_encoder(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    frames = np.stack([clip_of(length, seed) for seed in range(clips)])
    times_s = np.stack([times_of(length)] * clips)
    valid = np.ones((clips, length), dtype=bool)
    valid[-1, 1:] = False
    inputs = {"frames": frames, "times_s": times_s.astype(np.float32), "valid": valid}
    features, embeddings = session.run(["features", "embeddings"], inputs)
    for clip in range(clips):
        cut = encoder.features(frames[clip])
        np.testing.assert_allclose(cut, features[clip], atol=1e-5)
        vectors = encoder.embed_window(cut, times_s[clip], valid[clip])
        np.testing.assert_allclose(vectors, embeddings[clip], atol=1e-5)


def test_raw_file_ignores_a_constant_in_the_times(path: Path) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    times_s = times_of(80)[None].astype(np.float32)
    inputs = {"frames": clip_of(80)[None], "valid": np.ones((1, 80), bool)}
    plain = session.run(["embeddings"], inputs | {"times_s": times_s})[0]
    moved = session.run(["embeddings"], inputs | {"times_s": times_s + np.float32(8)})[0]
    np.testing.assert_allclose(moved, plain, atol=1e-5)


def test_rows_without_a_valid_frame_are_zero(path: Path) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for length in (1, 2, 80):
        inputs = {
            "frames": clip_of(length)[None],
            "times_s": times_of(length)[None].astype(np.float32),
            "valid": np.zeros((1, length), bool),
        }
        np.testing.assert_array_equal(session.run(["embeddings"], inputs)[0], 0.0)


def test_the_engine_gives_unit_rows_whatever_the_batch(path: Path) -> None:
    encoder = load_encoder(path)
    clip, times_s = clip_of(100), times_of(100)
    whole = encoder.encode(clip, times_s)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
    parts = np.concatenate([encoder.features(clip[k : k + 9]) for k in range(0, 100, 9)])
    np.testing.assert_allclose(encoder.embed_features(parts, times_s), whole, atol=1e-4)


def test_metadata_and_weights_are_inside(model: CarlModel, path: Path) -> None:
    assert load_encoder(path).spec == spec_for(model)
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "test.head.safetensors",
        "test.onnx",
    ]


def test_the_file_names_nothing_of_this_machine(path: Path) -> None:
    content = path.read_bytes()
    for trace in (str(REPOSITORY).encode(), b"site-packages", b".py", b"stack_trace"):
        assert trace not in content


def test_the_head_lies_beside_and_can_be_loaded(model: CarlModel, path: Path) -> None:
    with safe_open(head_path(path), "pt") as file:
        config = ModelConfig(**json.loads(file.metadata()["model"]))
        state = {name: file.get_tensor(name) for name in file.keys()}
    assert config == model.config
    fresh = build_model(config)
    fresh.head.load_state_dict(state)
    for name, value in model.head.state_dict().items():
        assert torch.equal(value, fresh.head.state_dict()[name])


def test_a_file_that_computes_something_else_is_refused(
    model: CarlModel, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    wrong = onnx.load(path)
    for tensor in wrong.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim == 2 and values.size > 100:
            changed = onnx.numpy_helper.from_array(values * np.float32(1.02), tensor.name)
            tensor.CopyFrom(changed)
            break
    monkeypatch.setattr(encoder, "_joined", lambda *_: wrong)
    with pytest.raises(ModelError, match="does not reproduce the model"):
        export_encoder(model, spec_for(model), tmp_path / "wrong.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_spec_of_another_model_is_refused(model: CarlModel, tmp_path: Path) -> None:
    other = build_model(ModelConfig(image_size=64))
    with pytest.raises(ValueError, match="spec says"):
        export_encoder(model, spec_for(other), tmp_path / "x.onnx")


def test_positions_in_seconds_export(tmp_path: Path) -> None:
    model = model_of("seconds")
    path = export_encoder(model, spec_for(model), tmp_path / "seconds.onnx")
    assert check_parity(model, path, lengths=(1, 2, 33)) < 1e-5
    spec = load_encoder(path).spec
    assert (spec.position, spec.clock, spec.window_frames) == ("seconds", False, 16)


def test_a_centred_head_with_a_skip_exports(tmp_path: Path) -> None:
    model = model_of("relative", plain=24)
    path = export_encoder(model, spec_for(model), tmp_path / "skip.onnx")
    assert check_parity(model, path, lengths=(1, 2, 33)) < 1e-5


@pytest.mark.slow
def test_the_published_positions_export_for_any_length(tmp_path: Path) -> None:
    model = model_of("carl")
    spec = spec_for(model)
    assert (spec.clock, spec.window_frames, spec.overlap_frames) == (True, 0, 0)
    path = export_encoder(model, spec, tmp_path / "published.onnx")
    assert check_parity(model, path, lengths=(1, 50, 80, 81, 300)) < 1e-4
    assert load_encoder(path).encode(clip_of(1100), np.arange(1100) / 10).shape == (1100, 16)
