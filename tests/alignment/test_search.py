from __future__ import annotations

import numpy as np
import pytest

from carl_core.alignment.aligners import AlignOptions, align_arrays
from carl_core.alignment.looks import Look, Pair, fused_costs
from carl_core.alignment.repetitions import describe, period_of
from carl_core.alignment.search import search, to_samples
from tests.alignment.signals import grid, scene, shown

OPTIONS = AlignOptions(null_maps=0)


def rotated(vectors: np.ndarray, share: float, seed: int = 9) -> np.ndarray:
    """The same moments as another camera might put them: turned in the space, distances kept."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(vectors.shape[1],) * 2))
    mixed = (1 - share) * vectors + share * vectors @ turn
    return np.asarray(mixed, dtype=np.float32)


def repeated(count: float, period_s: float, *, noise: float, bend: float = 0.0) -> np.ndarray:
    """Samples at 10 a second of a round of 3 s, shown in ``period_s``, again and again.

    ``bend`` makes the pace within a round uneven.
    """
    knots = scene(4, 3)[:6]
    knots = np.concatenate([np.tile(knots, (12, 1)), knots[:4]])
    phase = grid(count * period_s) / period_s
    return shown(knots, 3.0 * (phase + bend * np.sin(2 * np.pi * phase) ** 2), noise=noise)


def test_pooling_keeps_means_and_leaves_short_recordings_alone() -> None:
    vectors = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    look = Look(vectors, centre=True)
    assert look.pooled(12) is look
    np.testing.assert_allclose(look.pooled(4).vectors, vectors.reshape(4, 3, 3).mean(1), atol=1e-6)
    fifths = look.pooled(5).vectors
    np.testing.assert_allclose(fifths.mean(0), vectors.mean(0), atol=1e-6)
    first = (vectors[0] + vectors[1] + 0.4 * vectors[2]) / 2.4
    np.testing.assert_allclose(fifths[0], first, atol=1e-6)


def scaled(look: Look) -> np.ndarray:
    """Samples that are 1 apart, root mean square over all pairs."""
    apart = look.vectors[:, None] - look.vectors[None]
    return look.vectors / np.sqrt(np.mean(np.sum(apart**2, axis=2)))


def test_fused_costs_are_the_formula() -> None:
    rng = np.random.default_rng(1)
    pair = Pair(*(Look(rng.normal(size=(k, 5)).astype(np.float32), True) for k in (9, 7)))
    rows, columns = np.asarray([0, 2, 4, 8]), np.asarray([0, 1, 5, 6])
    ours, theirs = scaled(pair.reference), scaled(pair.other)
    ours = np.linalg.norm(ours[:, None] - ours[rows][None], axis=2)
    theirs = np.linalg.norm(theirs[:, None] - theirs[columns][None], axis=2)
    structure = np.mean((ours[:, None] - theirs[None]) ** 2, axis=2)
    direct = 1.0 - pair.reference.rows @ pair.other.rows.T
    expected = 0.5 * direct / np.median(direct) + 0.5 * structure / np.median(structure)
    found = fused_costs(pair, rows, columns).block(0, 9, 0, 7)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_path_at_fewer_samples_becomes_one_through_all() -> None:
    pair = Pair(*(Look(shown(scene(0), grid(k)), True) for k in (12, 9)))
    found = search(pair, OPTIONS, longest=30)
    path = to_samples(found.path, found.size, pair.costs)
    di, dj = np.diff(path.reference), np.diff(path.other)
    assert ((di >= 0) & (di <= 1) & (dj >= 0) & (dj <= 1) & (di + dj > 0)).all()
    assert path.reference[0] >= 0
    assert path.reference[-1] <= 119
    assert path.other[-1] <= 89


@pytest.mark.parametrize("slower", [3.0, 10.0, 0.1])
def test_slow_motion_is_followed(slower: float) -> None:
    knots = scene(2, 14)
    times = grid(12, 10.0 if slower > 1 else 100.0)
    bend = times + 0.4 * np.sin(times)
    other_s = grid(12 * slower, 10.0 if slower > 1 else 100.0)
    found = align_arrays(
        times,
        shown(knots, bend, noise=0.3),
        other_s,
        shown(knots, other_s / slower, noise=0.3, seed=1),
        options=OPTIONS,
    )
    error = np.abs(found.other_s - bend * slower) / slower
    assert np.nanmedian(error) < 0.1
    assert np.isfinite(found.other_s).mean() > 0.9


def test_another_camera_is_followed_by_what_repeats_within_each() -> None:
    # Nearly orthogonal to one another, the recordings share little but their structure.
    times, knots = grid(12), scene(3, 16)
    bend = times + 0.8 * np.sin(times / 2)
    first = shown(knots, bend, noise=0.1)
    second = rotated(shown(knots, times, noise=0.1, seed=1), 0.75)
    found = align_arrays(times, first, times, second, options=OPTIONS)
    plain = align_arrays(times, first, times, second, method="dtw", options=OPTIONS)
    inside = (bend > 0) & (bend < 11.9)
    errors = [np.nanmedian(np.abs(a.other_s - bend)[inside]) for a in (found, plain)]
    assert errors[0] < 0.2
    assert errors[0] <= errors[1]


@pytest.mark.parametrize(("ours", "theirs"), [(1, 8), (3, 8), (8, 1)])
def test_one_run_of_repetitions_is_matched(ours: int, theirs: int) -> None:
    first = repeated(ours, 3.0, noise=0.1)
    second = rotated(repeated(theirs, 2.0, noise=0.1, bend=0.15), 0.6)
    found = align_arrays(grid(ours * 3.0), first, grid(theirs * 2.0), second, options=OPTIONS)
    known = np.isfinite(found.other_s)
    t, u = found.reference_s[known], found.other_s[known]
    rate = np.polyfit(t, u, 1)[0]
    assert rate == pytest.approx(2.0 / 3.0, rel=0.25)
    # One whole number of repetitions apart everywhere: nearest consistent answer, no jumps.
    shift = (u - t * 2.0 / 3.0) / 2.0
    assert np.abs(shift - np.round(np.median(shift))).max() < 0.4
    assert f"the reference shows {ours} repetition" in found.reason
    assert f"the other {theirs}" in found.reason
    assert known.mean() == pytest.approx(min(1.0, theirs / ours), abs=0.1)


@pytest.mark.parametrize("is_reference", [False, True])
def test_the_first_repetitions_are_taken_though_a_later_one_fits_a_little_better(
    is_reference: bool,
) -> None:
    few = repeated(2, 3.0, noise=0.1)
    many = rotated(repeated(8, 2.0, noise=0.1, bend=0.15), 0.6)
    fifth = slice(80, 120)  # its fifth and sixth repetition are a little more like it
    many[fifth] = 0.9 * many[fifth] + 0.1 * repeated(2, 2.0, noise=0.0)[:40]
    pair = [(grid(6), few), (grid(16), many)]
    one, two = pair[::-1] if is_reference else pair
    found = align_arrays(*one, *two, options=OPTIONS)
    known = np.isfinite(found.other_s)
    at = found.reference_s[known] if is_reference else found.other_s[known]
    assert at[0] < 1.0
    assert 3.0 < at[-1] < 5.0
    assert "the 1st to 2nd of" in found.reason


def test_periods_are_found_and_only_where_something_repeats() -> None:
    for count, period_s in ((3.0, 4.0), (8.0, 2.0), (5.0, 3.0)):
        period = period_of(Look(repeated(count, period_s, noise=0.2), True))
        assert period is not None
        assert 1.0 / period == pytest.approx(count, rel=0.05)
    for seed in range(20):
        assert period_of(Look(shown(scene(seed), grid(20), noise=0.2), True)) is None
    assert period_of(Look(repeated(1.0, 3.0, noise=0.2), True)) is None
    assert period_of(Look(repeated(1.0, 0.5, noise=0.2), True)) is None


def test_repetitions_are_told_in_words() -> None:
    assert describe(None, None, (0.0, 1.0), reference=False) == ""
    assert describe(0.25, 0.26, (0.0, 1.0), reference=False) == "both show 4 repetitions"
    assert describe(None, 0.125, (0.25, 0.37), reference=False) == (
        "the reference shows 1 repetition, the other 8; matched to the 3rd of the other"
    )
    assert describe(1 / 12, 0.5, (0.0, 2 / 12), reference=True) == (
        "the reference shows 12 repetitions, the other 2; matched to the 1st to 2nd of the "
        "reference"
    )
