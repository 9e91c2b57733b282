from __future__ import annotations

import numpy as np
import pytest

from carl_core.errors import Cancelled
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


def thin_diagonal(count: int) -> SimilarityPyramid:
    """Rows that are alike only where both are the same sample."""
    rows = np.random.default_rng(0).normal(size=(count, 64)).astype(np.float32)
    return SimilarityPyramid(rows, rows, tile_size=64)


def test_a_thin_diagonal_survives_zooming_out_as_a_peak() -> None:
    pyramid = thin_diagonal(1000)
    level = pyramid.n_levels - 1
    mean, peak = pyramid.tile(level, 0, 0), pyramid.tile(level, 0, 0, peak=True)
    on, off = np.diagonal(peak), peak[~np.eye(len(peak), dtype=bool)]
    assert on.min() == 255
    assert off.max() < 230
    assert np.diagonal(mean).mean() < 200


@pytest.mark.parametrize(
    ("pace", "shift", "clear_of_the_rest"), [(1.0, 0, 50), (1.0, 7, 5), (1.2, 0, 25)]
)
def test_a_thin_diagonal_survives_nine_levels(
    pace: float, shift: int, clear_of_the_rest: int
) -> None:
    """As many levels as 100,000 samples have: a peak is then of means of 16 samples."""
    count, side = 64 << 8, 64
    rows = np.random.default_rng(0).normal(size=(count, 64)).astype(np.float32)
    at = np.round(np.arange(int(count / pace)) * pace).astype(int)
    columns = np.roll(rows, -shift, axis=0)[np.minimum(at, count - 1)]
    pyramid = SimilarityPyramid(rows, columns, tile_size=side)
    assert pyramid.n_levels == 9
    peak = pyramid.tile(8, 0, 0, peak=True)
    row = np.arange(1, int((peak.shape[1] - 1) * min(pace, 1.0)))
    column = ((row + 0.5) / pace).astype(int)
    near = np.abs(np.arange(peak.shape[1]) - (np.arange(len(peak))[:, None] + 0.5) / pace) < 2
    on = np.max([peak[row, np.clip(column + k, 0, peak.shape[1] - 1)] for k in (-1, 0, 1)], axis=0)
    assert int(on.min()) - int(peak[~near].max()) >= clear_of_the_rest


def test_peaks_are_the_greatest_of_the_finer_cells() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(301, 16)).astype(np.float32)
    columns = rng.normal(size=(263, 16)).astype(np.float32)
    pyramid = SimilarityPyramid(rows, columns, tile_size=80)
    whole = np.concatenate(
        [
            np.concatenate([pyramid.tile(0, r, c) for c in range(pyramid.grid(0)[1])], axis=1)
            for r in range(pyramid.grid(0)[0])
        ]
    )
    for level in (1, 2):
        side = 1 << level
        for r in range(pyramid.grid(level)[0]):
            for c in range(pyramid.grid(level)[1]):
                tile = pyramid.tile(level, r, c, peak=True)
                for i, j in ((0, 0), (tile.shape[0] - 1, tile.shape[1] - 1), (3, 5)):
                    y, x = (r * 80 + i) * side, (c * 80 + j) * side
                    assert abs(int(tile[i, j]) - int(whole[y : y + side, x : x + side].max())) <= 1


def test_tiles_are_kept_up_to_the_limit() -> None:
    rows = np.random.default_rng(2).normal(size=(640, 8)).astype(np.float32)
    pyramid = SimilarityPyramid(rows, rows, tile_size=64, cache_bytes=10 * 64 * 64)
    first = pyramid.tile(0, 0, 0)
    assert pyramid.tile(0, 0, 0) is first
    for r in range(10):
        for c in range(10):
            pyramid.tile(0, r, c)
            assert pyramid.cached_bytes <= 10 * 64 * 64
    assert pyramid.tile(0, 0, 0) is not first


def test_looking_for_peaks_can_be_stopped() -> None:
    def stop() -> None:
        raise Cancelled

    pyramid = thin_diagonal(1000)
    with pytest.raises(Cancelled):
        pyramid.tile(pyramid.n_levels - 1, 0, 0, peak=True, check=stop)
