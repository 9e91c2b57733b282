from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.alignment.aligners import AlignOptions, align_arrays
from carl_core.alignment.confidence import Solved, level, measure_trust, verdict_of
from carl_core.alignment.looks import Look, Pair
from carl_core.alignment.nullbank import bank_for, write_bank
from carl_core.alignment.warping_path import Path as WarpingPath
from tests.alignment.signals import grid, scene, shown

if TYPE_CHECKING:
    from pathlib import Path


def pair(count: int, noise: float = 0.6) -> tuple[np.ndarray, ...]:
    times = grid(count / 10)
    shows = times + 0.5 * np.sin(times / 2)
    knots = scene(3, count / 10 + 5)
    return times, shown(knots, times, noise=noise), times, shown(knots, shows, noise=noise, seed=1)


def test_verdicts_follow_the_stated_thresholds() -> None:
    assert [verdict_of(match) for match in (1.0, 0.90, 0.899, 0.75, 0.749, 0.0)] == [
        "aligned",
        "aligned",
        "uncertain",
        "uncertain",
        "none",
        "none",
    ]


def test_the_verdict_of_an_alignment_follows_its_match() -> None:
    for noise in (0.3, 2.0, 4.0):
        found = align_arrays(*pair(200, noise))
        assert found.verdict == verdict_of(found.match)


def test_confidence_is_low_where_the_recordings_differ() -> None:
    times = grid(30)
    knots, strange = scene(0), scene(1)
    shows = times + 0.5 * np.sin(times / 2)
    other = shown(knots, shows, noise=0.4, seed=1)
    other[100:200] = shown(strange, times[100:200], noise=0.4, seed=2)
    found = align_arrays(times, shown(knots, times, noise=0.4), times, other, method="dtw")
    right = np.r_[10:85, 215:290]
    assert np.median(found.confidence[right]) >= 0.95
    assert np.median(found.confidence[115:185]) < 0.8


def test_a_repetition_is_no_null() -> None:
    # Five equal rounds against five: shifted by a round, the other fits just as well. That must
    # not count against the match.
    one_round = scene(4, 4)[:8]
    knots = np.concatenate([np.tile(one_round, (5, 1)), one_round[:4]])
    times = grid(20)
    shows = times + 0.3 * np.sin(times)
    bank = [shown(scene(seed), grid(12)) for seed in range(50, 74)]
    first, second = shown(knots, times, noise=0.4), shown(knots, shows, noise=0.4, seed=1)
    found = align_arrays(times, first, times, second, bank=bank)
    assert found.verdict == "aligned"
    strange = [
        align_arrays(
            times,
            first,
            times,
            shown(scene(seed), times, noise=0.4, seed=seed),
            bank=bank,
            options=AlignOptions(null_maps=30),
        ).verdict
        for seed in range(100, 105)
    ]
    assert strange.count("aligned") <= 1  # one in twenty by construction


@pytest.mark.parametrize(
    ("score", "are_alike", "verdict"),
    [
        (0.30, True, "aligned"),
        (0.30, False, "aligned"),  # what fits that closely needs to look alike no more
        (0.50, True, "aligned"),
        (0.50, False, "uncertain"),
        (0.75, True, "uncertain"),  # both workshops, but not the same work
        (0.75, False, "none"),
    ],
)
def test_the_evidence_is_the_nulls_the_fit_and_the_likeness(
    score: float, are_alike: bool, verdict: str
) -> None:
    n = 40
    places = np.eye(48)[[0, 0 if are_alike else 1]]
    course = shown(scene(3), grid(4))
    course -= course.mean(axis=0)
    looks = [Look((course + place).astype(np.float32), centre=True) for place in places]
    real = Pair(*looks)
    bank = [clip - clip.mean(axis=0) for clip in (shown(scene(k), grid(12)) for k in range(50, 74))]
    step = np.arange(n)
    path = WarpingPath(step, step, np.full(n, 0.1), np.ones(n), total=0.1 * n)

    def solver(given: Pair) -> Solved:
        return Solved(path, score if given is real else 0.9)  # every null is worse

    trust = measure_trust(
        real,
        path,
        grid(4),
        solver=solver,
        straight=0.0,
        skip=1.0,
        options=AlignOptions(),
        bank=bank,
    )
    assert trust.better_than == 1.0
    assert verdict_of(trust.match) == verdict


def test_the_level_is_the_cosine_of_the_means_without_what_the_bank_has_in_common() -> None:
    common = np.array([5.0, 0.0, 0.0])
    looks = [
        Look((common + row + 0.1 * np.eye(3)).astype(np.float32), centre=True)
        for row in ([0.0, 1.0, 0.0], [0.0, 1.0, 1.0])
    ]
    bank = [(common + 0.1 / 3 + s * np.eye(3)[:1]).astype(np.float32) for s in (-1, 1)]
    assert level(Pair(*looks), bank) == pytest.approx(np.sqrt(0.5), abs=1e-5)


def test_no_null_maps_means_no_evidence() -> None:
    found = align_arrays(*pair(100), options=AlignOptions(null_maps=0))
    assert found.match == 0
    assert found.verdict == "none"
    assert "not compared" in found.reason


def test_a_bank_comes_back_per_encoder(tmp_path: Path) -> None:
    clips = [shown(scene(k), grid(3 + k)) for k in range(3)]
    path = tmp_path / "bank.npz"
    write_bank(path, {"m1": clips, "m2": clips[:1]})
    found = bank_for("m1", path)
    assert [len(clip) for clip in found] == [30, 40, 50]
    np.testing.assert_allclose(found[1], clips[1], atol=1e-3)
    assert len(bank_for("m2", path)) == 1
    assert bank_for("other", path) == ()
    assert bank_for("m1", tmp_path / "missing.npz") == ()


def test_a_damaged_bank_is_reported_and_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bank.npz"
    path.write_bytes(b"PK\x03\x04 not really")
    assert bank_for("m1", path) == ()
    assert "cannot be read" in caplog.text
