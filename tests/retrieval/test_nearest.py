from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.retrieval import nearest
from carl_core.retrieval.library import Library
from carl_core.retrieval.stretches import STRETCH
from tests.retrieval.test_library import MODEL, recording

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.retrieval.segment import Segment

DIM = 40


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def drawn(count: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(count, DIM)))


def slow(count: int, seed: int) -> np.ndarray:
    """Rows that turn slowly, as frames of a recording do."""
    steps = np.random.default_rng(seed).normal(size=(count // 40 + 2, DIM))
    at = np.arange(count) / 40
    low = at.astype(int)
    return unit(steps[low] * (1 - at + low)[:, None] + steps[low + 1] * (at - low)[:, None])


def still(count: int, seed: int) -> np.ndarray:
    """A camera on something that does not move: rows differ by noise."""
    chance = np.random.default_rng(seed)
    return unit(chance.normal(size=DIM) + 1e-4 * chance.normal(size=(count, DIM)))


def segment_of(folder: Path, *recordings: np.ndarray) -> Segment:
    library = Library(folder, MODEL)
    library.add([recording("abcdefgh"[n], rows) for n, rows in enumerate(recordings)])
    ((segment, _),) = library.segments()
    return segment


@pytest.mark.parametrize("kind", [drawn, slow, still])
@pytest.mark.parametrize("k", [1, 10, 100])
def test_nothing_nearer_is_left_out(tmp_path: Path, kind: object, k: int) -> None:
    rows = [kind(count, seed) for seed, count in enumerate((1501, 16, 1, 777, 3200))]  # type: ignore[operator]
    segment = segment_of(tmp_path, *rows)
    everything = np.concatenate(rows)
    queries = [*drawn(4, 99), everything[1510], everything[-1], unit(everything[800:801] + 0.05)[0]]
    excluded = (1517, 1518 + 500)
    for query in queries:
        scores = everything.astype(np.float64) @ query
        found, found_scores = segment.nearest(query, k)
        np.testing.assert_allclose(found_scores, np.sort(scores)[::-1][:k], atol=2e-6)
        np.testing.assert_allclose(found_scores, scores[found], atol=2e-6)
        assert len(set(found.tolist())) == k
        scores[slice(*excluded)] = -np.inf
        found, found_scores = segment.nearest(query, k, excluded=excluded)
        np.testing.assert_allclose(found_scores, np.sort(scores)[::-1][:k], atol=2e-6)
        assert not ((found >= excluded[0]) & (found < excluded[1])).any()


def test_of_fewer_rows_than_wanted_all_are_found(tmp_path: Path) -> None:
    segment = segment_of(tmp_path, slow(20, 1))
    found, _ = segment.nearest(drawn(1, 2)[0], 50)
    assert sorted(found.tolist()) == list(range(20))
    found, _ = segment.nearest(drawn(1, 2)[0], 50, excluded=(0, 20))
    assert len(found) == 0


@pytest.mark.parametrize("kind", [drawn, slow, still])
def test_rows_score_between_the_bounds_of_their_stretch(tmp_path: Path, kind: object) -> None:
    rows = [kind(count, seed) for seed, count in enumerate((100, 3, 333))]  # type: ignore[operator]
    segment = segment_of(tmp_path, *rows)
    stretches = segment.stretches
    assert np.diff(stretches.starts).max() == STRETCH
    for part in segment.parts:  # a stretch belongs to one recording
        assert part.start in stretches.starts
    everything = np.arange(len(stretches))
    for query in (*drawn(5, 7), rows[0][50]):
        coarse = stretches.scores(query)
        fine = coarse + stretches.finer(query, everything)
        for scores, radii in ((coarse, "radii.f32"), (fine, "fine_radii.f32")):
            radius = np.repeat(stretches.array(radii), np.diff(stretches.starts))
            middle = np.repeat(scores, np.diff(stretches.starts))
            assert (np.abs(segment.vectors @ query - middle) <= radius).all()
    if kind is still:  # what is left is how far the rows lie apart, not how they were rounded
        assert stretches.array("fine_radii.f32").max() < stretches.array("radii.f32").min() / 3


def test_where_frames_follow_one_another_slowly_few_rows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [slow(3000, seed) for seed in range(4)]
    segment = segment_of(tmp_path, *rows)
    read: list[int] = []
    among = nearest._among

    def counted(segment: Segment, query: object, chosen: np.ndarray, *rest: object) -> object:
        read.append(len(chosen))
        return among(segment, query, chosen, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(nearest, "_among", counted)
    for at in range(100, 2900, 400):
        segment.nearest(rows[2][at], 5)
    assert len(read) == 7
    assert np.mean(read) < len(segment.stretches) / 10


def test_recordings_copied_from_segment_to_segment_keep_their_stretches(tmp_path: Path) -> None:
    library = Library(tmp_path, MODEL)
    rows = [slow(count, count) for count in (500, 77, 130, 64)]
    for name, one in zip("abcd", rows, strict=True):
        library.add([recording(name, one)])
    library.forget(["b" * 32])
    kept = [rows[0], rows[2], rows[3]]
    for query in drawn(5, 3):
        scores = np.concatenate(kept) @ query
        found = library.nearest(query, 8)
        np.testing.assert_allclose([f[0] for f in found], np.sort(scores)[::-1][:8], atol=2e-6)
