"""What an encoder computes: cut = whole, and nothing depends on how the work is divided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest

from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.errors import ModelError
from tests.helpers.encoders import make_tiny_encoder, tiny_model, tiny_spec

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

SIZE = 32


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("model") / "tiny.onnx", size=SIZE)


@pytest.fixture(scope="module")
def encoder(path: Path) -> Encoder:
    return load_encoder(path)


def clip_of(length: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Pictures that change smoothly: (length, S, S, 3)."""
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 256, (length // 8 + 2, 4, 4, 3)).astype(float)
    places = np.arange(length) / 8
    before = places.astype(int)
    share = (places - before)[:, None, None, None]
    coarse = keys[before] * (1 - share) + keys[before + 1] * share
    return coarse.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2).astype(np.uint8)


def times_of(length: int, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.cumsum(np.random.default_rng(seed).uniform(0.05, 0.15, length))


@pytest.mark.parametrize("clips", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 33, 80])
def test_cut_equals_whole(path: Path, encoder: Encoder, clips: int, length: int) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    frames = np.stack([clip_of(length, seed) for seed in range(clips)])
    times_s = np.stack([times_of(length, seed) for seed in range(clips)])
    valid = np.ones((clips, length), dtype=bool)
    if clips == 3:
        valid[1, length // 2 :] = False
        valid[2] = False
    features, embeddings = session.run(
        ["features", "embeddings"],
        {"frames": frames, "times_s": times_s.astype(np.float32), "valid": valid},
    )
    for clip in range(clips):
        cut = encoder.features(frames[clip])
        np.testing.assert_allclose(cut, features[clip], atol=1e-5)
        vectors = encoder.embed_window(cut, times_s[clip], valid[clip])
        np.testing.assert_allclose(vectors, embeddings[clip], atol=1e-5)


def test_rows_without_a_valid_frame_are_zero(encoder: Encoder) -> None:
    features = encoder.features(clip_of(5))
    vectors = encoder.embed_window(features, times_of(5), np.zeros(5, dtype=bool))
    np.testing.assert_array_equal(vectors, 0.0)


@pytest.mark.parametrize("length", [1, 2, 16, 17, 33, 80, 200])
def test_rows_have_unit_length(encoder: Encoder, length: int) -> None:
    vectors = encoder.encode(clip_of(length), times_of(length))
    assert vectors.shape == (length, encoder.spec.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("offset_s", [1.0, 123.456, 36_000.0, -5.0])
def test_adding_a_constant_to_the_times_changes_nothing(encoder: Encoder, offset_s: float) -> None:
    clip, times_s = clip_of(60), times_of(60)
    moved = encoder.encode(clip, times_s + offset_s)
    np.testing.assert_allclose(moved, encoder.encode(clip, times_s), atol=1e-5)


def test_times_do_matter(encoder: Encoder) -> None:
    clip = clip_of(60)
    slow = encoder.encode(clip, np.arange(60) * 0.4)
    fast = encoder.encode(clip, np.arange(60) * 0.1)
    assert np.abs(slow - fast).max() > 1e-3


@pytest.mark.parametrize("batch", [1, 7, 64, 150])
def test_batch_changes_nothing(encoder: Encoder, batch: int) -> None:
    clip = clip_of(150)
    parts = [encoder.features(clip[k : k + batch]) for k in range(0, len(clip), batch)]
    features = np.concatenate(parts)
    np.testing.assert_allclose(
        encoder.embed_features(features, times_of(150)),
        encoder.encode(clip, times_of(150)),
        atol=1e-4,
    )


def test_threads_change_nothing(path: Path, encoder: Encoder) -> None:
    clip, times_s = clip_of(100), times_of(100)
    alone = load_encoder(path, threads=1).encode(clip, times_s)
    np.testing.assert_allclose(alone, encoder.encode(clip, times_s), atol=1e-4)


def test_what_follows_does_not_change_windows_before_it(encoder: Encoder) -> None:
    clip, times_s = clip_of(200), times_of(200)
    spec = encoder.spec
    short, long = encoder.encode(clip[:150], times_s[:150]), encoder.encode(clip, times_s)
    settled = 150 - spec.window_frames
    np.testing.assert_allclose(short[:settled], long[:settled], atol=1e-5)


def test_windows_are_blended_by_hand(encoder: Encoder) -> None:
    """Two windows: the overlap is the tapered mean of both, renormalised."""
    length, window, overlap = 26, 16, 6
    assert (encoder.spec.window_frames, encoder.spec.overlap_frames) == (window, overlap)
    features, times_s = encoder.features(clip_of(length)), times_of(length)
    first = encoder.embed_window(features[:16], times_s[:16])
    second = encoder.embed_window(features[10:], times_s[10:])
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / overlap)
    middle = first[10:] * (1 - rise)[:, None] + second[:6] * rise[:, None]
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    expected = np.concatenate([first[:10], middle, second[6:]])
    np.testing.assert_allclose(encoder.embed_features(features, times_s), expected, atol=1e-5)


def test_published_encoders_see_the_whole_recording(tmp_path: Path) -> None:
    path = make_tiny_encoder(
        tmp_path / "whole.onnx", window_frames=0, overlap_frames=0, position="carl", clock=True
    )
    encoder = load_encoder(path)
    features, times_s = encoder.features(clip_of(120)), times_of(120)
    np.testing.assert_allclose(
        encoder.embed_features(features, times_s),
        encoder.embed_window(features, times_s),
        atol=1e-6,
    )


def test_wrong_shapes_are_the_programmers_mistake(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="frames must be uint8"):
        encoder.features(np.zeros((2, 8, 8, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="features must be"):
        encoder.embed_features(np.zeros((0, encoder.spec.channels), dtype=np.float32), [])
    with pytest.raises(ValueError, match="do not match"):
        encoder.embed_features(np.zeros((2, encoder.spec.channels), dtype=np.float32), [0.0])


def test_an_encoder_that_gives_no_numbers_is_an_error(tmp_path: Path) -> None:
    model = tiny_model(tiny_spec())
    for tensor in model.graph.initializer:
        if tensor.name == "grey":
            tensor.raw_data = np.full(3, np.nan, np.float32).tobytes()
    path = tmp_path / "nan.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="not numbers"):
        load_encoder(path).features(clip_of(2))
