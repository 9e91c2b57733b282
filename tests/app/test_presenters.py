from __future__ import annotations

import numpy as np
import pytest

from app.models.similaritymap import SimilarityMap
from app.presenters.status import describe_progress
from app.presenters.timeline import thumbnail_frames
from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.progress import Progress
from carl_core.similarity.matrix import similarity
from tests.helpers.recordings import fake_recording


def embeddings(count: int, seed: int, times_s: np.ndarray | None = None) -> Embeddings:
    vectors = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    times = np.arange(count) / 10 if times_s is None else times_s
    return Embeddings(EmbeddingKey(f"f{seed}", "m", "10/1"), np.arange(count), times, vectors)


def as_bytes(values: np.ndarray) -> np.ndarray:
    return (values + 1) / 2 * 255


def test_map_holds_the_similarity_of_each_pair() -> None:
    first, second = embeddings(40, 1), embeddings(30, 2)
    whole = SimilarityMap(columns=first, rows=second)
    picture = whole.picture(*whole.whole_s, side=1024)
    assert picture.values.shape == (30, 40)
    assert picture.column_range_s == pytest.approx((-0.05, 3.95))
    assert picture.row_range_s == pytest.approx((-0.05, 2.95))
    centred = [
        e.vectors - e.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        for e in (second, first)
    ]
    rows, columns = (c / np.linalg.norm(c, axis=1, keepdims=True) for c in centred)
    expected = as_bytes(similarity(rows, columns))
    assert np.abs(picture.values - expected).max() <= 1.0


@pytest.mark.parametrize("side", [1024, 600, 300])
def test_a_part_is_cut_out_of_the_whole_across_tiles(side: int) -> None:
    first, second = embeddings(1500, 1), embeddings(1300, 2)
    made = SimilarityMap(columns=first, rows=second)
    part = made.picture((20.0, 75.0), (30.0, 110.0), side=side)
    level = made.level_for(800, side)
    step = 2**level
    top = round((part.row_range_s[0] + 0.05) / 0.1 / step)
    left = round((part.column_range_s[0] + 0.05) / 0.1 / step)
    tiles = made._pyramid
    for row, column in ((0, 0), (part.values.shape[0] - 1, part.values.shape[1] - 1)):
        r, c = top + row, left + column
        tile = tiles.tile(level, r // tiles.tile_size, c // tiles.tile_size)
        assert part.values[row, column] == tile[r % tiles.tile_size, c % tiles.tile_size]
    assert part.column_range_s[0] <= 20.0
    assert part.column_range_s[1] >= 75.0
    assert max(part.values.shape) <= side + 2


def test_irregular_times_keep_true_seconds_on_the_axis() -> None:
    times = np.concatenate([np.arange(10) / 10, 1.0 + np.arange(10) / 5])
    one = embeddings(20, 3, times)
    made = SimilarityMap(columns=one, rows=one)
    picture = made.picture(*made.whole_s, side=1024)
    assert picture.column_range_s[1] == pytest.approx(times[-1], abs=0.2)
    diagonal = np.diag(picture.values)
    assert diagonal.min() >= 250, "a moment is not at its own time on both axes"


def test_thumbnails_are_spread_and_prefer_key_frames() -> None:
    recording = fake_recording("a", 1000)
    frames = thumbnail_frames(recording.index, 32)
    assert len(frames) == 32
    assert max(np.diff(frames)) < 2.5 * 1000 / 32
    sparse = fake_recording("b", 3)
    assert thumbnail_frames(sparse.index, 32) == [0, 1, 2]


def test_progress_is_written_with_rate_and_time_left() -> None:
    parts = describe_progress(Progress("embedding", 41, 100, "frames", 310.4, 79.5))
    assert parts == ["41%", "310 frames/s", "1:20 left"]
    assert describe_progress(Progress("embedding", 1, None, "frames", 0.0, None)) == []
