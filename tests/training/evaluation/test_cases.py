"""Cases of known correspondence: the truth is true, and methods are told apart by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")
from carl_core.errors import MediaError
from tests.helpers.encoders import tiny_spec
from tests.helpers.videos import make_video
from training.config import AugmentConfig
from training.datasets.folder import Clip
from training.evaluation.cases import (
    FeatureCase,
    Truth,
    case_error,
    case_errors,
    feature_cases_from_copies,
    feature_cases_from_moments,
    feature_cases_from_simulated,
    score_embedder,
)
from training.evaluation.controls import as_they_are, position_vectors
from training.evaluation.tracks import Track, raw_vectors, sampled_at

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.torch


class GreyEncoder:
    """Features are 8 x 8 grey cells; counts the frames that it saw."""

    def __init__(self, fps: float = 10.0) -> None:
        self.spec = tiny_spec(sample_fps=fps)
        self.frames = 0

    def features(self, frames: np.ndarray) -> np.ndarray:
        assert frames.shape[1:] == (32, 32, 3)
        assert frames.dtype == np.uint8
        self.frames += len(frames)
        cells = frames.reshape(len(frames), 8, 4, 8, 4, 3).mean(axis=(2, 4, 5))
        return cells.reshape(len(frames), 64).astype(np.float32)


def moving_spot(count: int, size: int = 48, name: str = "spot") -> Clip:
    """A bright spot on its way from the left to the right, 30 frames a second."""
    x = np.arange(size)
    centre = np.linspace(0.1, 0.9, count)[:, None] * size
    row = 200 * np.exp(-0.5 * ((x[None] - centre) / (0.1 * size)) ** 2) + 20
    frames = np.repeat(np.repeat(row[:, None, :, None], size, axis=1), 3, axis=3)
    return Clip(name, frames.astype(np.uint8), np.arange(count) / 30)


def case_of(reference: np.ndarray, other: np.ndarray, *truths: Truth) -> FeatureCase:
    """Features are one-hot of what is shown."""
    tracks = [
        Track("", np.eye(40, dtype=np.float32)[shown], np.zeros((len(shown), 4), np.float32),
              np.arange(len(shown)) / 10, np.arange(len(shown)) / 10)
        for shown in (reference, other)
    ]  # fmt: skip
    return FeatureCase("", "made", *tracks, truths)


def test_errors_of_a_path_by_hand() -> None:
    """The other waits at its frame 2 for three samples: they are its mean, 0.3 s."""
    case = case_of(
        np.array([0, 1, 2, 3]),
        np.array([0, 1, 2, 2, 2, 3]),
        Truth(np.array([0.0, 0.2, 0.3]), np.array([0.0, 0.2, 0.5]), 0.5),
    )
    found = case_error(case, as_they_are, centre=False)
    assert found.median_s == pytest.approx(0.0)
    assert found.mean_s == pytest.approx(0.1 / 3)
    linear = case_error(case, None, centre=False)
    assert linear.mean_s == pytest.approx((abs(2 / 3 * 0.5 - 0.2)) / 3)
    assert linear.median_percent == pytest.approx(0.0, abs=1e-9)


def test_between_samples_the_map_is_linear() -> None:
    case = case_of(np.arange(4), np.arange(4), Truth(np.array([0.25]), np.array([0.45]), 0.4))
    assert case_error(case, as_they_are, centre=False).mean_s == pytest.approx(0.2)
    assert case_errors(case, as_they_are, centre=False) == pytest.approx(50.0)


def test_of_several_truths_the_nearest_counts() -> None:
    far = Truth(np.array([0.0, 0.3]), np.array([0.3, 0.9]), 0.6)
    near = Truth(np.array([0.0, 0.3]), np.array([0.0, 0.4]), 0.4)
    case = case_of(np.arange(4), np.arange(4), far, near)
    assert case_error(case, as_they_are, centre=False).mean_s == pytest.approx(0.05)


def test_position_alone_is_linear_time() -> None:
    rng = np.random.default_rng(0)
    shown = [np.sort(rng.integers(0, 40, count)) for count in (50, 80)]
    moments = np.linspace(0.3, 4.5, 20)
    case = case_of(*shown, Truth(moments, moments * 1.7, 5.0))
    position = case_error(case, position_vectors, centre=False)
    assert position.mean_s == pytest.approx(case_error(case, None, centre=False).mean_s, abs=0.05)


def test_scores_are_medians_and_means_by_group_and_embed_once() -> None:
    calls = []

    def embed(features: np.ndarray, times_s: np.ndarray) -> np.ndarray:
        calls.append(len(features))
        return features

    one = case_of(np.arange(4), np.arange(4), Truth(np.array([0.1]), np.array([0.2]), 1.0))
    two = FeatureCase("", "made", one.reference, one.other,
                      (Truth(np.array([0.1]), np.array([0.5]), 1.0),))  # fmt: skip
    three = FeatureCase("", "else", one.other, one.reference, one.truths)
    scores = score_embedder(embed, [one, two, two, three], centre=False)
    assert len(calls) == 2
    assert list(scores) == ["made", "else"]
    assert scores["made"].median_percent == pytest.approx(40.0)
    assert scores["made"].mean_percent == pytest.approx(30.0)
    assert scores["made"].mean_s == pytest.approx(0.3)
    assert (scores["made"].cases, scores["else"].cases) == (3, 1)


def test_copies_show_what_their_truth_says() -> None:
    """The spot's place tells the moment: each copy's content is where its spot is brightest."""
    encoder = GreyEncoder()
    clip = moving_spot(150)
    cases = feature_cases_from_copies([clip], encoder, 6, 3)
    assert [case.group for case in cases] == ["copies"] * 6
    for number, case in enumerate(cases):
        copy = case.other if number % 2 == 0 else case.reference
        assert copy.content_s[0] >= 0
        assert copy.content_s[-1] <= clip.times_s[-1]
        assert (np.diff(copy.content_s) >= 0).all()
        assert np.abs(np.diff(copy.times_s) - 0.1).max() < 0.02
        (truth,) = case.truths
        assert truth.span_s == pytest.approx(
            min(case.reference.content_s[-1], case.other.content_s[-1])
            - max(case.reference.content_s[0], case.other.content_s[0])
        )
        # Every moment asked for is shown by the other, up to a sample at double speed.
        gaps = np.abs(case.other.content_s[None] - truth.content_s[:, None]).min(axis=1)
        assert gaps.max() <= 0.15
        known = np.interp(truth.reference_s, case.reference.times_s, case.reference.content_s)
        np.testing.assert_allclose(known, truth.content_s)


def test_copies_are_trimmed_and_retimed_and_look_different() -> None:
    cases = feature_cases_from_copies([moving_spot(150)], GreyEncoder(), 8, 3)
    copies = [case.other if k % 2 == 0 else case.reference for k, case in enumerate(cases)]
    starts = [copy.content_s[0] for copy in copies]
    assert max(starts) > 0.3
    rates = np.concatenate([np.diff(copy.content_s) / np.diff(copy.times_s) for copy in copies])
    assert rates.min() < 0.7
    assert rates.max() > 1.5
    original = cases[0].reference
    levels = {round(float(copy.features.mean()), 3) for copy in copies}
    assert len(levels) == 8
    assert round(float(original.features.mean()), 3) not in levels


def test_who_sees_beats_linear_time_on_copies() -> None:
    clips = [moving_spot(150, name="one"), moving_spot(210, name="two")]
    # The encoder sees places in the picture, so the crop must leave them where they are.
    looks = AugmentConfig(min_area=1.0, max_area=1.0, max_aspect=1.0, cutout=0.0)
    cases = feature_cases_from_copies(clips, GreyEncoder(), 4, 0, augment=looks)
    seeing = score_embedder(as_they_are, cases, centre=True)["copies"]
    linear = score_embedder(None, cases, centre=False)["copies"]
    assert seeing.cases == 8
    assert seeing.mean_percent < 0.4 * linear.mean_percent


def test_copies_are_a_function_of_the_seed() -> None:
    def features(seed: int, count: int) -> np.ndarray:
        cases = feature_cases_from_copies([moving_spot(60)], GreyEncoder(), count, seed)
        return cases[0].other.features

    np.testing.assert_array_equal(features(1, 1), features(1, 2))
    assert features(1, 1).shape != features(2, 1).shape or not np.array_equal(
        features(1, 1), features(2, 1)
    )


def test_simulated_pairs_ask_for_what_both_show() -> None:
    (case,) = feature_cases_from_simulated(1, 1_000_000, GreyEncoder(fps=5.0))
    (truth,) = case.truths
    assert truth.content_s.min() >= max(case.reference.content_s[0], case.other.content_s[0])
    assert truth.content_s.max() <= min(case.reference.content_s[-1], case.other.content_s[-1])

    def embed(features: np.ndarray, times_s: np.ndarray) -> np.ndarray:
        track = case.reference if times_s is case.reference.times_s else case.other
        angle = track.content_s * 0.3
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)

    assert case_error(case, embed, centre=False).mean_s < 0.15


@pytest.mark.shared
def test_labelled_recordings_are_decoded_once(shared_data: Path) -> None:
    encoder = GreyEncoder()
    cases = feature_cases_from_moments(shared_data, encoder, ["board_3cam"])
    assert len(cases) == 30
    assert encoder.frames <= 3 * 160  # three cameras at 6 frames a second
    assert {case.group for case in cases} == {"board_3cam"}
    exact = [case for case in cases if case.name.split(" = ")[0] == case.name.split(" = ")[1]]
    assert not exact
    linear = score_embedder(None, cases, centre=False)["board_3cam"]
    assert linear.median_percent == pytest.approx(7.20, abs=0.3)  # benchmarks/alignment.py: 7.2


@pytest.mark.shared
def test_an_unknown_group_is_named(shared_data: Path) -> None:
    with pytest.raises(ValueError, match="no labelled group 'none'"):
        feature_cases_from_moments(shared_data, GreyEncoder(), ["none"])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, "labels.json cannot be used"),
        ("{", "labels.json cannot be used"),
        ({"g": {"a.mp4": {"top": "3"}}}, "frames must be whole numbers"),
        ({"g": {"a.mp4": {"top": 30}, "b.mp4": {"top": 2}}}, "names frame 30 of g/a.mp4"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(tmp_path: Path, labels: object, said: str) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "g").mkdir(exist_ok=True)
        make_video(tmp_path / "g" / name, frames=30, size=(64, 48))
    if labels is not None:
        text = labels if isinstance(labels, str) else json.dumps(labels)
        (tmp_path / "labels.json").write_text(text)
    with pytest.raises(MediaError, match=said):
        feature_cases_from_moments(tmp_path, GreyEncoder())


def test_labelled_videos_are_sampled_as_the_engine_does(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    for name, frames in (("a.mp4", 50), ("b.mp4", 75)):
        make_video(tmp_path / "g" / name, frames=frames, fps=25, size=(64, 48))
    labels = {"g": {"a.mp4": {"x": 5, "y": 25}, "b.mp4": {"x": 10, "y": 50}}, "_about": "text"}
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    encoder = GreyEncoder()
    forward, back = feature_cases_from_moments(tmp_path, encoder)
    assert encoder.frames == 50 + 65  # each file once: every frame of 2 s, 64 or more of 3 s
    assert forward.reference is back.other
    assert forward.name == "g/a.mp4 = g/b.mp4"
    (truth,) = forward.truths
    np.testing.assert_allclose(truth.reference_s, [0.2, 1.0])
    np.testing.assert_allclose(truth.content_s, [0.4, 2.0])
    assert truth.span_s == pytest.approx(1.6)


def test_samples_are_the_nearest_frames() -> None:
    times_s = np.arange(50) / 24
    chosen = sampled_at(times_s, 10.0)
    expected = [int(np.argmin(np.abs(times_s - k / 10))) for k in range(21)]  # 2.04 s long
    assert chosen.tolist() == sorted(set(expected))
    assert sampled_at(times_s, None).tolist() == list(range(50))
    assert sampled_at(times_s, 1000.0).tolist() == list(range(50))


def test_small_pixels_are_means_of_cells() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    cells = pictures.astype(float).mean(axis=3).reshape(2, 32, 2, 32, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(raw_vectors(pictures), cells.reshape(2, -1), rtol=1e-5)


def test_a_case_of_pixels_has_pixels_for_features() -> None:
    case = case_of(np.arange(3), np.arange(3)).with_pixels()
    assert case.reference.features is case.reference.pixels
    assert case.other.features.shape == (3, 4)
