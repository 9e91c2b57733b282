"""The teacher networks, where they are at hand, and what is said where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from carl_core.errors import ModelError
from training.teachers import IMAGE_FILE, POSE_FILE, ImageTeacher, PoseTeacher

FOLDER = (
    Path(os.environ.get("CARL_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "weights"
)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no teacher network"):
        ImageTeacher(tmp_path / IMAGE_FILE)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / IMAGE_FILE
    path.write_bytes(b"no network at all")
    with pytest.raises(ModelError, match="not a TensorFlow Lite network"):
        ImageTeacher(path)


@pytest.mark.shared
def test_another_network_than_expected_is_refused() -> None:
    if not (FOLDER / POSE_FILE).is_file():
        pytest.skip(f"needs the teacher networks in {FOLDER} (set CARL_SHARED)")
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(ModelError, match="another network"):
        ImageTeacher(FOLDER / POSE_FILE)


@pytest.mark.shared
def test_pooled_features_are_made_of_the_places() -> None:
    """Pictures that differ in one corner differ most in that corner of the map."""
    if not (FOLDER / IMAGE_FILE).is_file():
        pytest.skip(f"needs the teacher networks in {FOLDER} (set CARL_SHARED)")
    pytest.importorskip("ai_edge_litert")
    plain = np.full((1, 224, 224, 3), 128, np.uint8)
    marked = plain.copy()
    marked[:, :64, 160:] = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    pooled, places = ImageTeacher(FOLDER / IMAGE_FILE)(np.concatenate([plain, marked]))
    assert pooled.shape == (2, 1280)
    assert (pooled >= 0).all()
    change = np.abs(places[1] - places[0]).sum(axis=-1)
    row, column = np.unravel_index(change.argmax(), change.shape)
    assert (row, column) in {(0, 5), (0, 6), (1, 5), (1, 6)}


@pytest.mark.shared
def test_joints_lie_in_the_square() -> None:
    if not (FOLDER / POSE_FILE).is_file():
        pytest.skip(f"needs the teacher networks in {FOLDER} (set CARL_SHARED)")
    pytest.importorskip("ai_edge_litert")
    joints = PoseTeacher(FOLDER / POSE_FILE)(np.zeros((1, 192, 192, 3), np.uint8))
    assert joints.shape == (1, 17, 3)
    assert joints[..., 2].max() < 0.5  # nobody is there
