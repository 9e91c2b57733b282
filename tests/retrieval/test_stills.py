from __future__ import annotations

import numpy as np
import pytest

from carl_core.retrieval import stills
from carl_core.retrieval.retriever import Query, Retriever
from carl_core.retrieval.stills import Stills, centred, common_mean

PLACE = 10.0 * np.ones(64)  # what all frames of one place have in common


def frames_of(count: int, seed: int) -> np.ndarray:
    """Features (T, 64) float16: far from the origin, every frame with something of its own."""
    own = np.random.default_rng(seed).normal(size=(count, 64))
    return (PLACE + own).astype(np.float16)


def searched(features: np.ndarray, mean: np.ndarray) -> Stills:
    count = len(features)
    return Stills(np.arange(count) * 3, np.arange(count) / 10, features, mean)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    features = frames_of(50, 0)
    mean = common_mean([features])
    query = centred(frames_of(2, 1), mean)
    whole = searched(features, mean).similar_to(query)
    monkeypatch.setattr(stills, "_BLOCK", 7)
    np.testing.assert_allclose(common_mean([features]), mean, rtol=1e-6)
    np.testing.assert_allclose(searched(features, mean).similar_to(query), whole, atol=1e-5)


def test_every_recording_has_the_same_say_in_the_mean() -> None:
    ones, threes = np.ones((90, 4), np.float16), np.full((10, 4), 3, np.float16)
    np.testing.assert_allclose(common_mean([ones, threes]), 2.0)


def test_what_all_have_in_common_is_no_likeness() -> None:
    features = frames_of(40, 0)
    mean = common_mean([features])
    other = centred(frames_of(1, 1), mean)
    assert np.abs(searched(features, mean).similar_to(other)).max() < 0.6
    same = searched(features, mean).similar_to(centred(features[7:8], mean))
    assert int(np.argmax(same)) == 7
    assert same[7, 0] == pytest.approx(1.0, abs=1e-3)


def test_noise_around_one_picture_is_not_blown_up() -> None:
    noise = 0.005 * np.random.default_rng(0).normal(size=(40, 64))
    features = (PLACE + noise).astype(np.float16)
    mean = common_mean([features])
    assert np.linalg.norm(centred(features, mean), axis=1).max() < 0.1
    result = Retriever({"a": searched(features, mean)}, strangers=[centred(features, mean)]).search(
        Query(centred(features[3:4], mean))
    )
    assert not result.convincing


def test_unrelated_frames_are_the_yardstick() -> None:
    features = frames_of(60, 0)
    mean = common_mean([features])
    bank = [centred(frames_of(20, seed), mean) for seed in range(10, 18)]
    retriever = Retriever({"a": searched(features, mean)}, strangers=bank)
    noise = 0.3 * np.random.default_rng(5).normal(size=(1, 64))
    found = retriever.search(Query(centred(features[31:32] + noise, mean)))
    assert (found.hits[0].frame, found.convincing) == (93, True)
    assert "unrelated" in found.reason
    accepted = [
        retriever.search(Query(centred(row[None], mean))).convincing for row in frames_of(40, 99)
    ]
    assert np.mean(accepted) <= 0.1  # 0.02 is the aim


def test_standing_out_alone_does_not_convince() -> None:
    """Some frame is nearest to anything: where there is a yardstick, it alone decides."""
    features = frames_of(60, 0)
    features[10] += np.float16(3)
    mean = common_mean([features])
    query = Query(centred((PLACE + 3 + np.random.default_rng(3).normal(size=64))[None], mean))
    alone = Retriever({"a": searched(features, mean)})
    strangers = [centred(frames_of(20, 7) + np.float16(3), mean)]
    compared = Retriever({"a": searched(features, mean)}, strangers=strangers)
    assert alone.search(query).convincing
    assert not compared.search(query).convincing


def test_wrong_shapes_and_ranges_are_refused() -> None:
    features = frames_of(10, 0)
    mean = common_mean([features])
    with pytest.raises(ValueError, match="must be"):
        Stills(np.arange(9), np.arange(9) / 10, features, mean)
    with pytest.raises(ValueError, match="must be"):
        Stills(np.arange(10), np.arange(10) / 10, features, mean[:5])
    with pytest.raises(ValueError, match="times_s"):
        Stills(np.arange(10), np.arange(9) / 10, features, mean)
    with pytest.raises(ValueError, match="one frame"):
        Retriever({"a": searched(features, mean)}).search(Query(centred(features[:3], mean)))
