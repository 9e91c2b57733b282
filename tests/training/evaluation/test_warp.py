"""The known-warp test: an encoder that knows the truth is right, linear time is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")
from carl_core.encoder.onnx import load_encoder
from tests.helpers.encoders import make_tiny_encoder
from training.bank import warp_pairs
from training.config import EvaluationConfig, ExportConfig, ModelConfig
from training.data import Source, Take
from training.evaluation.cases import feature_cases_from_simulated, score_embedder
from training.evaluation.controls import as_they_are
from training.evaluation.warp import (
    known_warp_scores,
    raw_embedder,
    torch_embedder,
    warp_error,
)
from training.model import build_model

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.torch


def circle(content_s: np.ndarray) -> np.ndarray:
    """Pictures from which the content time can be read: its angle is in two pixels."""
    frames = np.zeros((len(content_s), 32, 32, 3), np.uint8)
    frames[:, 0, 0] = np.round(127 + 120 * np.cos(content_s))[:, None]
    frames[:, 0, 1] = np.round(127 + 120 * np.sin(content_s))[:, None]
    return frames


@pytest.fixture
def pair() -> Source:
    first = np.linspace(0.0, 5.0, 60)
    second = 0.5 + 4.0 * np.linspace(0, 1, 90) ** 2
    takes = (
        Take(circle(content), content, np.arange(len(content)) / 10) for content in (first, second)
    )
    return Source("circle", tuple(takes))


def knowing(clip: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    return clip[:, 0, :2, 0].astype(np.float32) - 127


def test_who_knows_the_content_is_right(pair: Source) -> None:
    error = warp_error(pair, knowing, centre=False)
    assert error.median_s < 0.06  # samples are 0.085 s apart
    assert error.median_percent == pytest.approx(100 * error.median_s / 4.0)


def test_linear_time_is_off_by_what_the_warp_says(pair: Source) -> None:
    error = warp_error(pair, None, centre=False)
    one, two = pair.takes
    expected = np.interp(np.linspace(0, 89, 60), np.arange(90), two.content_s) - one.content_s
    shared = (one.content_s >= 0.5) & (one.content_s <= 4.5)
    assert error.mean_s == pytest.approx(np.abs(expected)[shared].mean())


def test_scores_name_every_method(pair: Source) -> None:
    scores = known_warp_scores(knowing, [pair, pair])
    assert set(scores) == {
        f"{method}_{unit}"
        for method in ("encoder", "encoder_centred", "linear", "raw")
        for unit in ("mean_s", "median_percent")
    }
    assert scores["encoder_mean_s"] < 0.3 * scores["linear_mean_s"]


def test_raw_pixels_are_means_of_cells() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    vectors = raw_embedder(clip, np.arange(3.0))
    assert vectors.shape == (3, 1024)
    cell = clip[1, :4, :4].mean()
    assert vectors[1, 0] == pytest.approx(cell, rel=0.2)
    even = np.full((1, 112, 112, 3), 7, np.uint8)
    assert raw_embedder(even, np.zeros(1)) == pytest.approx(7.0)


def test_the_module_is_embedded_in_windows_of_unit_rows() -> None:
    shape = ModelConfig(image_size=48, width=32, heads=2, ffn=32, dim=16, projection=16, layers=1)
    embed = torch_embedder(build_model(shape), ExportConfig(window_frames=8, overlap_frames=4))
    clip = np.random.default_rng(0).integers(0, 256, (21, 48, 48, 3), dtype=np.uint8)
    vectors = embed(clip, np.arange(21) / 10)
    assert vectors.shape == (21, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(21), abs=1e-4)


def test_scores_are_those_of_cases_with_features(tmp_path: Path) -> None:
    """Training scores pictures, the evaluation stored features: the numbers agree."""
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cpu")
    pairs = warp_pairs(EvaluationConfig(actions=3), encoder.spec.size, encoder.spec.sample_fps)
    pictures = known_warp_scores(encoder.encode, pairs)
    cases = feature_cases_from_simulated(3, EvaluationConfig().seed, encoder)
    for name, embed, shown, centre in (
        ("encoder", encoder.embed_features, cases, False),
        ("encoder_centred", encoder.embed_features, cases, True),
        ("linear", None, cases, False),
        ("raw", as_they_are, [case.with_pixels() for case in cases], True),
    ):
        found = score_embedder(embed, shown, centre=centre)["simulated"]
        assert found.mean_s == pytest.approx(pictures[f"{name}_mean_s"], rel=0.03)
        assert found.mean_percent == pytest.approx(pictures[f"{name}_median_percent"], rel=0.05)
