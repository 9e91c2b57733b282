from __future__ import annotations

import numpy as np
import pytest

from carl_core.similarity.matrix import similarity, unit_rows
from carl_core.similarity.pyramid import SimilarityPyramid


def vectors(count: int, seed: int = 0, dim: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def test_unit_rows_centre_and_keep_rows_without_direction_zero() -> None:
    rows = unit_rows(np.asarray([[1, 0], [3, 0], [2, 0]], np.float32), centre=True)
    np.testing.assert_allclose(rows, [[-1, 0], [1, 0], [0, 0]])


def test_unit_rows_do_not_blow_up_rounding_noise_of_a_still_recording() -> None:
    rows = np.tile(vectors(1), (50, 1))
    rows = rows + np.float32(1e-7) * vectors(50, seed=1)
    assert np.abs(unit_rows(rows, centre=True)).max() == 0


def test_inputs_are_not_modified() -> None:
    rows = vectors(5)
    rows.flags.writeable = False
    before = rows.copy()
    SimilarityPyramid(rows, rows).tile(0, 0, 0)
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize("centre", [True, False])
def test_tiles_of_every_level_are_means_of_the_similarities(centre: bool) -> None:
    rows, columns = vectors(37), vectors(90, seed=1)
    pyramid = SimilarityPyramid(rows, columns, centre=centre, tile_size=16)
    full = similarity(unit_rows(rows, centre=centre), unit_rows(columns, centre=centre))
    assert pyramid.n_levels == 4
    for level in range(pyramid.n_levels):
        n, m = pyramid.shape(level)
        step = 2**level
        assert (n, m) == (-(-37 // step), -(-90 // step))
        down, across = pyramid.grid(level)
        whole = np.block([[pyramid.tile(level, r, c) for c in range(across)] for r in range(down)])
        assert whole.shape == (n, m)
        expected = np.asarray(
            [
                [
                    full[i * step : (i + 1) * step, j * step : (j + 1) * step].mean()
                    for j in range(m)
                ]
                for i in range(n)
            ]
        )
        assert np.abs(whole / 127.5 - 1.0 - expected).max() <= 0.5 / 127.5 + 1e-5
    assert max(pyramid.shape(pyramid.n_levels - 1)) <= 16


def test_same_frame_is_255_and_its_opposite_0() -> None:
    rows = np.asarray([[1, 0], [-1, 0]], np.float32)
    np.testing.assert_array_equal(
        SimilarityPyramid(rows, rows, centre=False).tile(0, 0, 0), [[255, 0], [0, 255]]
    )


def test_tiles_are_read_only_and_outside_there_are_none() -> None:
    pyramid = SimilarityPyramid(vectors(3), vectors(4))
    assert not pyramid.tile(0, 0, 0).flags.writeable
    for r, c in ((1, 0), (0, 1), (-1, 0)):
        with pytest.raises(ValueError, match="tile"):
            pyramid.tile(0, r, c)


def test_wrong_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="differ"):
        SimilarityPyramid(vectors(3), vectors(3, dim=8))
    with pytest.raises(ValueError, match="at least one"):
        SimilarityPyramid(vectors(3)[:0], vectors(3))
