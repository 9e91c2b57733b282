"""Metrics a clock cannot win: exact where the truth is known, and clocks lose."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")
from tests.training.evaluation.made import track_of, warped
from training.evaluation import honest
from training.evaluation.controls import MODEL, POSITION, Contestant, as_they_are, position_vectors
from training.evaluation.honest import (
    boundaries,
    boundary_errors,
    rotated_tau,
    transfer,
    trimmed,
    trimmed_tracks,
)
from training.evaluation.protocol import Embedded, kendall_tau, retrieval_precision

pytestmark = pytest.mark.torch

SEEING = Contestant(MODEL, as_they_are)
CLOCK = Contestant(POSITION, position_vectors, centred="never")
POWERS = (1.0, 0.8, 1.3, 1.1)


@pytest.fixture
def tracks() -> list:
    return [
        track_of(warped(60 + 15 * k, power), name=f"{k}", noise=0.02, seed=k)
        for k, power in enumerate(POWERS)
    ]


def test_identical_recordings_have_no_boundary_error() -> None:
    one = SEEING.embedded(track_of(warped(50, 1.0)), aligning=True)
    found = transfer(one, one)
    assert (found.frames, found.seconds, found.percent) == (0.0, 0.0, 0.0)
    assert found.label_accuracy == 1.0
    assert found.boundaries == 3


def test_a_boundary_lands_where_the_path_leads() -> None:
    """Each frame of the first is shown twice by the second, the boundary between them once."""
    vectors = np.eye(6, dtype=np.float32)
    labels = np.array([0, 0, 1, 1, 1, 2])
    one = Embedded("", vectors, np.arange(6.0), labels)
    two = Embedded("", vectors.repeat(2, axis=0), np.arange(12) / 10, labels.repeat(2))
    assert transfer(one, two).frames == 0.0
    late = labels.repeat(2)
    late[4] = 0  # the second's boundary lies one frame after where the pictures change
    found = transfer(one, Embedded("", two.vectors, two.times_s, late))
    assert found.frames == pytest.approx((1 + 0) / 2)
    assert found.seconds == pytest.approx(0.05)
    assert found.percent == pytest.approx(100 * 0.5 / 11)
    assert found.label_accuracy == pytest.approx(11 / 12)


def test_changes_are_told_apart_by_phases_and_how_often_before() -> None:
    labels = np.array([0, 0, 1, 0, 1, 1, -1, 2, 2, 0])
    assert boundaries(labels) == {(0, 1, 0): 2, (1, 0, 0): 3, (0, 1, 1): 4, (2, 0, 0): 9}


def test_without_a_common_boundary_nothing_is_claimed() -> None:
    one = Embedded("", np.eye(4, dtype=np.float32), np.arange(4.0), np.array([0, 0, 1, 1]))
    two = Embedded("", np.eye(4, dtype=np.float32), np.arange(4.0), np.array([2, 2, 2, 2]))
    found = transfer(one, two)
    assert math.isnan(found.frames)
    assert found.boundaries == 0
    assert found.label_accuracy == 0.0


def test_who_sees_carries_boundaries_and_a_clock_does_not(tracks: list) -> None:
    seeing, clock = boundary_errors(SEEING, tracks), boundary_errors(CLOCK, tracks)
    assert seeing.percent < 1.5
    assert clock.percent > 3 * seeing.percent
    assert seeing.label_accuracy > clock.label_accuracy
    assert seeing.boundaries == 12 * 3


def test_trims_make_a_clock_worse_and_hardly_who_sees(tracks: list) -> None:
    whole = [boundary_errors(one, tracks).percent for one in (SEEING, CLOCK)]
    pieces = trimmed_tracks(tracks, 0)
    cut = [boundary_errors(one, pieces).percent for one in (SEEING, CLOCK)]
    assert cut[0] < 3.0
    assert cut[1] > whole[1] + 3.0

    def precision(one: Contestant, seed: int | None) -> float:
        shown = tracks if seed is None else trimmed_tracks(tracks, seed)
        return retrieval_precision([one.embedded(track) for track in shown], stride=1)[5]

    assert precision(SEEING, 0) > 0.9
    assert precision(CLOCK, None) > precision(CLOCK, 0) + 0.1


def test_tau_stays_a_game_of_clocks_under_trims(tracks: list) -> None:
    cut = [CLOCK.embedded(track) for track in trimmed_tracks(tracks, 0)]
    assert kendall_tau(cut, stride=1).mean > 0.99


def test_a_clock_loses_tau_on_rotated_recordings(tracks: list) -> None:
    assert rotated_tau(SEEING, tracks, stride=1, seed=0).mean > 0.95
    clock = rotated_tau(CLOCK, tracks, stride=1, seed=0)
    assert clock.mean < 0.2
    assert (clock.pairs, clock.undefined) == (12, 0)


def test_a_trimmed_recording_is_a_piece_of_it_on_a_clock_of_its_own() -> None:
    whole = track_of(warped(100, 1.0))
    cuts = [trimmed(whole, np.random.default_rng(seed)) for seed in range(50)]
    starts = np.array(
        [int(np.argmax((whole.features == one.features[0]).all(axis=1))) for one in cuts]
    )
    lengths = np.array([len(one) for one in cuts])
    assert starts.min() < 5
    assert 25 <= starts.max() < 30
    assert lengths.min() >= 40
    assert {one.times_s[0] for one in cuts} == {0.0}
    for start, one in zip(starts, cuts, strict=True):
        np.testing.assert_array_equal(one.features, whole.features[start : start + len(one)])
        np.testing.assert_array_equal(one.labels, whole.labels[start : start + len(one)])  # type: ignore[index]


def test_trims_are_the_same_for_everyone(tracks: list) -> None:
    one, two = trimmed_tracks(tracks, 4), trimmed_tracks(tracks, 4)
    assert [len(track) for track in one] == [len(track) for track in two]
    assert [len(track) for track in one] != [len(track) for track in trimmed_tracks(tracks, 5)]


def test_actions_weigh_the_same_and_are_not_mixed() -> None:
    near = [track_of(warped(40, 1.0), action="a"), track_of(warped(40, 1.0), action="a")]
    far = [track_of(warped(50 + k, 1.0 + k / 10), action="b") for k in range(4)]
    both = boundary_errors(CLOCK, near + far)
    apart = [boundary_errors(CLOCK, part) for part in (near, far)]
    assert both.percent == pytest.approx((apart[0].percent + apart[1].percent) / 2)
    assert both.boundaries == apart[0].boundaries + apart[1].boundaries


def test_of_many_pairs_a_fixed_draw_is_compared(
    monkeypatch: pytest.MonkeyPatch, tracks: list
) -> None:
    whole = boundary_errors(CLOCK, tracks)
    monkeypatch.setattr(honest, "MOST_PAIRS", 5)
    few = boundary_errors(CLOCK, tracks)
    assert few.boundaries == 5 * 3
    assert few == boundary_errors(CLOCK, tracks)
    assert few.percent == pytest.approx(whole.percent, rel=0.6)
