"""Anchors re-solve only their neighbourhood, and to the same path as solving everything."""

from __future__ import annotations

import numpy as np
import pytest

from carl_core.alignment.aligners import AlignOptions, align_arrays
from carl_core.alignment.alignment import Alignment, Anchor
from carl_core.alignment.looks import Look, Pair
from carl_core.alignment.nearby import resolve

OPTIONS = AlignOptions(null_maps=0)


def walk(count: int, seed: int) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(size=(count + 20, 24))
    smooth = np.stack([np.convolve(c, np.hanning(9), mode="same") for c in steps.T], axis=1)
    rows = smooth[10 : 10 + count]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    vectors = walk(1500, 1)
    at = np.linspace(0, 1, 1300) ** 1.1 * 1499
    other = vectors[at.round().astype(int)]
    noise = np.random.default_rng(2).normal(size=other.shape).astype(np.float32) * 0.05
    return np.arange(1500) / 10, vectors, np.arange(1300) / 10, other + noise


def solved(pair: tuple[np.ndarray, ...], anchors: list[Anchor]) -> Alignment:
    return align_arrays(*pair, method="dtw", anchors=anchors, options=OPTIONS)


def near(pair: tuple[np.ndarray, ...], old: Alignment, anchors: list[Anchor]) -> Alignment | None:
    both = Pair(Look(pair[1], OPTIONS.centre), Look(pair[3], OPTIONS.centre))
    return resolve(old, both, pair[2], anchors, OPTIONS)


@pytest.mark.parametrize("shift_s", [0.0, 0.5, 2.0, -3.0])
def test_it_is_the_path_of_the_whole_solution(pair: tuple[np.ndarray, ...], shift_s: float) -> None:
    old = solved(pair, [])
    anchors = [Anchor(70.0, float(old.time_map(70.0)) + shift_s)]
    full, quick = solved(pair, anchors), near(pair, old, anchors)
    assert quick is not None
    np.testing.assert_array_equal(quick.raw_reference, full.raw_reference)
    np.testing.assert_array_equal(quick.raw_other, full.raw_other)
    both = np.isfinite(full.other_s) & np.isfinite(quick.other_s)
    np.testing.assert_allclose(quick.other_s[both], full.other_s[both], atol=0.02)
    assert (np.isfinite(full.other_s) == np.isfinite(quick.other_s)).all()
    assert float(quick.time_map(70.0)) == pytest.approx(anchors[0].other_s, abs=1e-9)


def test_a_moved_anchor_leaves_what_lies_beyond_its_neighbours(
    pair: tuple[np.ndarray, ...],
) -> None:
    old = solved(pair, [])
    at = {t: float(old.time_map(t)) for t in (40.0, 70.0, 100.0)}
    pins = [Anchor(40.0, at[40.0]), Anchor(70.0, at[70.0]), Anchor(100.0, at[100.0])]
    first = solved(pair, pins)
    moved = [pins[0], Anchor(70.0, at[70.0] + 1.5), pins[2]]
    quick = near(pair, first, moved)
    assert quick is not None
    outside = (first.reference_s < 30.0) | (first.reference_s > 110.0)
    np.testing.assert_array_equal(quick.other_s[outside], first.other_s[outside])
    full = solved(pair, moved)
    np.testing.assert_array_equal(quick.raw_other, full.raw_other)
    removed = near(pair, quick, [moved[0], moved[2]])
    assert removed is not None
    np.testing.assert_array_equal(removed.raw_other, solved(pair, [moved[0], moved[2]]).raw_other)


def test_a_pin_that_moves_by_less_than_a_sample_is_followed(
    pair: tuple[np.ndarray, ...],
) -> None:
    old = solved(pair, [])
    other_s = float(np.round(old.time_map(70.0), 1))
    first = near(pair, old, [Anchor(70.0, other_s)])
    assert first is not None
    moved = near(pair, first, [Anchor(70.0, other_s + 0.03)])
    assert moved is not None
    assert float(moved.time_map(70.0)) == pytest.approx(other_s + 0.03, abs=1e-9)
    np.testing.assert_array_equal(moved.raw_other, first.raw_other)


def test_the_ends_of_the_path_stay_where_they_are(pair: tuple[np.ndarray, ...]) -> None:
    old = solved(pair, [])
    anchors = [Anchor(2.0, 3.0)]
    quick = near(pair, old, anchors)
    assert quick is not None
    assert (quick.raw_reference[0], quick.raw_other[0]) == (0, 0)
    np.testing.assert_array_equal(quick.raw_other, solved(pair, anchors).raw_other)
    # A recording of seconds is all within one window: that is no reason to do nothing.
    short = tuple(part[:150] for part in pair)
    base = solved(short, [])
    moved = near(short, base, [Anchor(8.0, float(base.time_map(8.0)) + 0.5)])
    assert moved is not None
    assert float(moved.time_map(8.0)) == pytest.approx(float(base.time_map(8.0)) + 0.5)


def test_an_anchor_beyond_the_path_is_left_to_a_full_solution(
    pair: tuple[np.ndarray, ...],
) -> None:
    times, vectors, other_s, others = pair
    old = align_arrays(
        times, vectors, other_s[:400], others[400:800], method="subsequence", options=OPTIONS
    )
    assert old.raw_reference[0] > 100
    part = (times, vectors, other_s[:400], others[400:800])
    assert near(part, old, [Anchor(1.0, 1.0)]) is None


def test_with_anchors_the_path_changes_only_around_them(pair: tuple[np.ndarray, ...]) -> None:
    free = align_arrays(*pair, options=OPTIONS)
    at = {t: float(free.time_map(t)) for t in (60.0, 70.0, 80.0)}
    pins = [Anchor(60.0, at[60.0]), Anchor(70.0, at[70.0] + 1.0), Anchor(80.0, at[80.0])]
    pinned = align_arrays(*pair, anchors=pins, options=OPTIONS)
    assert pinned.method == free.method
    outside = (free.reference_s < 40.0) | (free.reference_s > 100.0)
    np.testing.assert_array_equal(pinned.other_s[outside], free.other_s[outside])
    near_by = ((free.reference_s < 55.0) | (free.reference_s > 85.0)) & ~outside
    np.testing.assert_allclose(pinned.other_s[near_by], free.other_s[near_by], atol=0.1)
    for pin in pins:
        assert float(pinned.time_map(pin.reference_s)) == pytest.approx(pin.other_s, abs=1e-9)


def test_what_it_cannot_do_it_leaves(pair: tuple[np.ndarray, ...]) -> None:
    old = solved(pair, [])
    assert near(pair, old, []) is None  # nothing changed
    linear = align_arrays(*pair, method="linear", options=OPTIONS)
    assert near(pair, linear, [Anchor(70.0, 65.0)]) is None
    far = [Anchor(20.0, float(old.time_map(20.0))), Anchor(130.0, float(old.time_map(130.0)))]
    quick = near(pair, old, far)
    if quick is not None:
        np.testing.assert_array_equal(quick.raw_other, solved(pair, far).raw_other)


def test_of_the_samples_only_the_neighbourhood_is_made_and_the_answer_is_the_same(
    pair: tuple[np.ndarray, ...],
) -> None:
    old = solved(pair, [])
    anchors = [Anchor(70.0, float(old.time_map(70.0)) + 1.0)]
    whole, part = (Pair(Look(pair[1], True), Look(pair[3], True)) for _ in range(2))
    assert len(whole.costs.rows) == len(pair[1])  # all rows are made
    first, second = (resolve(old, both, pair[2], anchors, OPTIONS) for both in (whole, part))
    assert first is not None
    assert second is not None
    assert "rows" not in vars(part.reference)
    np.testing.assert_array_equal(first.raw_other, second.raw_other)
    np.testing.assert_array_equal(first.other_s, second.other_s)
    assert first.cost == second.cost


def test_the_cost_is_that_of_the_whole_path(pair: tuple[np.ndarray, ...]) -> None:
    old = solved(pair, [])
    for shift_s in (0.5, -3.0):
        anchors = [Anchor(70.0, float(old.time_map(70.0)) + shift_s)]
        quick = near(pair, old, anchors)
        assert quick is not None
        assert quick.cost == pytest.approx(solved(pair, anchors).cost, rel=1e-9)
