"""Embeddings check themselves."""

from __future__ import annotations

import numpy as np
import pytest

from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings

KEY = EmbeddingKey("f" * 32, "m" * 16, "10/1")


def test_arrays_are_read_only_and_typed() -> None:
    embeddings = Embeddings(KEY, [0, 3], [0.0, 0.1], [[1, 0], [0, 1]])  # type: ignore[arg-type]
    assert (len(embeddings), embeddings.dim) == (2, 2)
    assert embeddings.vectors.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        embeddings.vectors[0, 0] = 2


@pytest.mark.parametrize(
    ("frames", "times_s", "vectors", "said"),
    [
        ([], [], np.empty((0, 2)), "at least one"),
        ([0, 1], [0.0], np.eye(2), "times_s"),
        ([0, 1], [0.0, 0.1], np.eye(3), "vectors"),
        ([1, 1], [0.0, 0.1], np.eye(2), "ascending"),
        ([0, 1], [0.1, 0.1], np.eye(2), "ascending"),
        ([0, 1], [0.0, 0.1], np.full((2, 2), np.nan), "finite"),
    ],
)
def test_impossible_values_are_refused(
    frames: list[int], times_s: list[float], vectors: np.ndarray, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Embeddings(KEY, np.array(frames), np.array(times_s), vectors)


def test_a_key_has_no_empty_part() -> None:
    with pytest.raises(ValueError, match="model_id"):
        EmbeddingKey("f", "", "native")
