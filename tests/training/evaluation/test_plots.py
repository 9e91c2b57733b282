"""Pictures: written where there is something to draw, and showing what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")
from PIL import Image

from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_exact
from carl_core.errors import ExportError
from carl_core.runs import Evaluated, Finished, Step
from carl_core.similarity.matrix import unit_rows
from tests.training.evaluation.made import track_of, warped
from training.evaluation.plots import (
    Cloud,
    Matched,
    _plane,
    plot_embeddings,
    plot_losses,
    plot_similarity,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.torch


def steps(count: int) -> list[Step]:
    return [
        Step(0.0, k, {"total": 2.0 / (k + 1), "scl": 1.0 / (k + 1)}, 1e-3, 1.0, 10.0, 0.1, 5.0)
        for k in range(count)
    ]


def colours(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def has_colour(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(pixels.astype(int) - colour).max(axis=-1) < 12).any())


def test_losses_and_scores_are_drawn(tmp_path: Path) -> None:
    events = [
        *steps(20),
        Evaluated(0.0, 19, {"encoder_median_percent": 4.0, "encoder_mean_s": 1.0}),
    ]
    assert plot_losses(events, tmp_path / "new" / "losses.png", title="run")
    wide = colours(tmp_path / "new" / "losses.png")
    assert has_colour(wide, (0x00, 0x72, 0xB2))
    assert has_colour(wide, (0xD5, 0x5E, 0x00))
    assert plot_losses(steps(20), tmp_path / "alone.png")
    assert wide.shape[1] > 1.5 * colours(tmp_path / "alone.png").shape[1]


def test_a_run_without_steps_draws_nothing(tmp_path: Path) -> None:
    assert not plot_losses([Finished(0.0, 0, complete=False)], tmp_path / "losses.png")
    assert not (tmp_path / "losses.png").exists()


def test_a_loss_that_is_not_finite_leaves_a_gap(tmp_path: Path) -> None:
    broken = Step(0.0, 21, {"total": float("nan")}, 1e-3, 1.0, 10.0, 0.1, 5.0)
    assert plot_losses([*steps(20), broken], tmp_path / "losses.png")


def test_similarity_shows_path_and_truth(tmp_path: Path) -> None:
    one, two = track_of(warped(40, 1.0)), track_of(warped(50, 1.4))
    rows, columns = (unit_rows(track.features, centre=True) for track in (one, two))
    truth = np.array([[1.0, 2.0], [2.5, 3.5]])
    path = solve_exact(Costs(rows, columns))
    panel = Matched("model", rows, columns, one.times_s, two.times_s, path, truth)
    plot_similarity([panel, panel], tmp_path / "similarity.png", title="one = two")
    pixels = colours(tmp_path / "similarity.png")
    assert has_colour(pixels, (0xD5, 0x5E, 0x00))  # the truth
    assert has_colour(pixels, (253, 234, 69))  # the bright end of cividis: the diagonal


@pytest.mark.parametrize("has_labels", [True, False])
def test_embeddings_are_drawn_by_phase_or_by_place(tmp_path: Path, has_labels: bool) -> None:
    tracks = [track_of(warped(40, power), name=f"clip {power}") for power in (1.0, 1.3)]
    clouds = [Cloud(one.name, one.features, one.labels if has_labels else None) for one in tracks]
    plot_embeddings([("model", clouds), ("raw trunk", clouds)], tmp_path / "embeddings.png")
    assert has_colour(colours(tmp_path / "embeddings.png"), (0x00, 0x9E, 0x73)) == has_labels


def test_the_plane_holds_most_of_the_variance() -> None:
    rng = np.random.default_rng(0)
    flat = np.zeros((300, 20))
    flat[:, 0], flat[:, 1], flat[:, 2] = rng.normal(0, 3, 300), rng.normal(0, 2, 300), 10.0
    turned = flat @ np.linalg.qr(rng.standard_normal((20, 20)))[0]
    planes, share = _plane([turned[:100].astype(np.float32), turned[100:].astype(np.float32)])
    assert share > 0.97  # unit length bends the plane a little
    assert [plane.shape for plane in planes] == [(100, 2), (200, 2)]
    found = np.concatenate(planes)
    assert abs(np.corrcoef(found[:, 0], flat[:, 0])[0, 1]) > 0.97
    one_dimension, share = _plane([np.ones((5, 1), np.float32)])
    assert one_dimension[0].shape == (5, 2)


def test_a_picture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        plot_losses(steps(3), tmp_path / "file" / "losses.png")
