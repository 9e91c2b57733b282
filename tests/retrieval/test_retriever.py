from __future__ import annotations

import numpy as np
import pytest

from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.retrieval.retriever import Query, Retriever


def walk(count: int, seed: int, dim: int = 32, smooth: int = 8) -> np.ndarray:
    """A smooth random sequence of unit vectors: neighbours are alike, moments apart are not."""
    noise = np.random.default_rng(seed).normal(size=(count + 4 * smooth, dim))
    kernel = np.hanning(4 * smooth + 1)
    rows = np.stack([np.convolve(noise[:, d], kernel, "valid") for d in range(dim)], axis=1)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def recording(vectors: np.ndarray, fps: float = 10.0, stride: int = 3) -> Embeddings:
    count = len(vectors)
    return Embeddings(
        EmbeddingKey("f" * 32, "m" * 16, "10/1"),
        np.arange(count) * stride,
        np.arange(count) / fps,
        vectors,
    )


def test_a_frame_finds_itself_and_convinces() -> None:
    vectors = walk(400, 0)
    result = Retriever({"a": recording(vectors), "b": recording(walk(300, 1))}).search(
        Query(vectors[123:124])
    )
    hit = result.hits[0]
    assert (hit.recording, hit.frame, hit.time_s) == ("a", 369, pytest.approx(12.3))
    assert hit.score == pytest.approx(1.0, abs=1e-5)
    assert hit.span[0] <= hit.time_s <= hit.span[1]
    assert result.convincing
    assert set(result.curves) == {"a", "b"}
    assert len(result.curves["b"]) == 300


def test_a_moment_that_comes_three_times_gives_three_first_hits() -> None:
    vectors = walk(400, 2).copy()
    moment = walk(15, 9)
    for start in (50, 180, 300):
        vectors[start : start + 15] = moment
    result = Retriever({"a": recording(vectors)}).search(Query(moment[7:8]), k=5)
    assert sorted(hit.frame // 3 for hit in result.hits[:3]) == [57, 187, 307]
    assert result.hits[3].score < 0.9


def test_one_hit_per_moment() -> None:
    vectors = walk(400, 3)
    hits = Retriever({"a": recording(vectors)}).search(Query(vectors[200:201]), k=50).hits
    times = sorted(hit.time_s for hit in hits)
    assert np.diff(times).min() >= 1.0
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("seed", range(12))
def test_what_was_never_recorded_does_not_convince(seed: int) -> None:
    result = Retriever(
        {"a": recording(walk(400, seed)), "b": recording(walk(400, seed + 50))}
    ).search(Query(walk(1, seed + 100)))
    assert not result.convincing
    assert result.hits
    assert result.reason


def test_a_still_recording_never_convinces() -> None:
    still = np.tile(walk(1, 0), (200, 1))
    result = Retriever({"a": recording(still)}).search(Query(still[:1]))
    assert len(result.hits) == 1
    assert not result.convincing


def test_order_counts_in_a_range() -> None:
    vectors = walk(400, 4).copy()
    phrase = walk(30, 11)
    vectors[60:90] = phrase[::-1]
    vectors[250:280] = phrase
    result = Retriever({"a": recording(vectors)}).search(Query(phrase))
    assert result.convincing
    assert result.hits[0].span == pytest.approx((25.0, 28.0), abs=0.21)
    assert result.hits[0].score == pytest.approx(1.0, abs=1e-3)
    backward = next((h for h in result.hits[1:] if 6.0 <= h.time_s <= 9.0), None)
    assert backward is None or backward.score < 0.75


def test_a_range_is_found_at_another_speed() -> None:
    vectors = walk(400, 5).copy()
    phrase = walk(40, 12)
    vectors[100:120] = phrase[::2]
    result = Retriever({"a": recording(vectors)}).search(Query(phrase))
    assert result.hits[0].time_s == pytest.approx(11.0, abs=0.3)
    assert result.convincing


def test_a_range_longer_than_the_recording_is_no_crash() -> None:
    result = Retriever({"a": recording(walk(10, 6))}).search(Query(walk(60, 7)))
    assert len(result.hits) == 1


def test_excluded_moments_are_no_hits() -> None:
    vectors = walk(300, 8)
    query = Query(vectors[100:101], excluded=(("a", 9.0, 11.0),))
    result = Retriever({"a": recording(vectors)}).search(query)
    assert all(not 9.0 <= hit.time_s <= 11.0 for hit in result.hits)
    assert not result.convincing
    nothing = Query(vectors[100:101], excluded=(("a", -1.0, 100.0),))
    assert Retriever({"a": recording(vectors)}).search(nothing).hits == ()


def test_wrong_use_is_refused() -> None:
    retriever = Retriever({"a": recording(walk(20, 0))})
    with pytest.raises(ValueError, match="components"):
        retriever.search(Query(np.ones((1, 5), np.float32)))
    with pytest.raises(ValueError, match="positive"):
        retriever.search(Query(walk(1, 0)), k=0)
    with pytest.raises(ValueError, match="Q >= 1"):
        Query(np.ones((0, 5), np.float32))
    with pytest.raises(ValueError, match="finite"):
        Query(np.full((1, 5), np.nan, np.float32))
    with pytest.raises(ValueError, match="nothing"):
        Retriever({})


def test_strangers_are_the_yardstick_where_nothing_stands_out() -> None:
    """A slow walk: most of it is much like the query, so its distance from the rest says little."""
    searched = walk(200, 1, dim=3, smooth=40)
    strangers = [walk(120, seed, dim=32, smooth=40)[:, :3] for seed in range(10, 22)]
    units = [s / np.linalg.norm(s, axis=1, keepdims=True) for s in strangers]
    query = Query(searched[100:120])
    alone = Retriever({"a": recording(searched)}).search(query)
    compared = Retriever({"a": recording(searched)}, strangers=units).search(query)
    assert not alone.convincing
    assert compared.convincing
    assert "unrelated" in compared.reason
    # Queries taken from the recording itself score 1: a blurred one is no better than those.
    noise = 0.3 * np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    blurred = Query(searched[100:120] + noise)
    other = Retriever({"a": recording(searched)}, strangers=[searched]).search(blurred)
    assert not other.convincing
    assert "would convince" in other.reason


def test_what_looks_more_like_the_unwanted_is_no_hit() -> None:
    first, second = np.eye(4, dtype=np.float32)[:2]
    between = (first + second) / np.sqrt(2)
    rows = np.stack([np.eye(4, dtype=np.float32)[2]] * 60)
    rows[10], rows[40] = first, between * 0.98
    rows[25] = second
    found = Retriever({"a": recording(rows)}).search(Query(between[None]), k=3)
    assert found.hits[0].frame == 120
    left = Retriever({"a": recording(rows)}).search(Query(between[None], unlike=second[None]), k=3)
    assert 75 not in [hit.frame for hit in left.hits]
    assert left.hits[0].frame == 120
    none = Retriever({"a": recording(rows[:1])}).search(Query(rows[1:2], unlike=rows[:1]), k=3)
    assert len(none.hits) == 1  # exactly as much alike: not more


def test_each_recording_has_its_own_verdict() -> None:
    chance = np.random.default_rng(3)
    quiet = chance.normal(size=(300, 16)).astype(np.float32)
    loud = quiet.copy()
    wanted = np.ones((1, 16), dtype=np.float32)
    loud[100] = wanted[0] * 4
    found = Retriever({"has": recording(loud), "lacks": recording(quiet)}).search(
        Query(wanted), k=50
    )
    assert found.convincing
    assert found.verdicts["has"][0]
    assert not found.verdicts["lacks"][0]


def test_a_retriever_asked_again_knows_what_strangers_score(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searched = {"one": recording(walk(60, 0))}
    retriever = Retriever(searched, strangers=[walk(40, 1)])
    measured: list[int] = []
    measure = Retriever._scores_of_strangers

    def counted(self: Retriever, length: int) -> np.ndarray:
        measured.append(length)
        return measure(self, length)

    monkeypatch.setattr(Retriever, "_scores_of_strangers", counted)
    first, second = (retriever._strangers_for(3) for _ in range(2))
    assert measured == [3]
    assert first is second
    assert retriever.is_over(searched)
    assert not retriever.is_over({"one": recording(walk(60, 0))})
