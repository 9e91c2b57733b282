from __future__ import annotations

import numpy as np
import pytest

from carl_core.alignment.aligners import METHODS, AlignOptions, align, align_arrays
from carl_core.alignment.alignment import Alignment, Anchor, Mask
from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.errors import AlignmentError, Cancelled
from carl_core.progress import Monitor
from tests.alignment.signals import grid, scene, shown

FAST = AlignOptions(null_maps=20)


def aligned(
    reference_s: np.ndarray,
    vectors: np.ndarray,
    other_s: np.ndarray,
    other_vectors: np.ndarray,
    method: str = "auto",
    **more: object,
) -> Alignment:
    more.setdefault("options", FAST)
    return align_arrays(reference_s, vectors, other_s, other_vectors, method=method, **more)  # type: ignore[arg-type]


def warp(seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Times of the samples of another recording of a scene, and the scene times they show."""
    rng = np.random.default_rng(seed)
    rates = np.exp(np.interp(np.arange(4000), np.linspace(0, 4000, 8), rng.uniform(-0.6, 0.6, 8)))
    shows = np.cumsum(0.1 * rates)
    shows = shows[shows < seconds]
    return np.arange(len(shows)) / 10.0, shows


def test_a_recording_against_itself_is_the_identity() -> None:
    times, vectors = grid(20), shown(scene(0), grid(20), noise=0.2)
    found = aligned(times, vectors, times, vectors)
    assert found.method == "identity"
    assert found.verdict == "aligned"
    np.testing.assert_array_equal(found.other_s, times)
    assert found.gaps == ()
    assert found.confidence.min() >= 0.9


@pytest.mark.parametrize("fps", [10.0, 30.0])
@pytest.mark.parametrize(("rate", "start_s"), [(1.0, 3.0), (2.0, 0.0), (2.0, -0.1), (0.5, 1.0)])
def test_trimmed_and_re_timed_copies_are_exact(fps: float, rate: float, start_s: float) -> None:
    knots = scene(1)
    times = grid(24, fps)
    copy_s = grid(9, fps)
    vectors = shown(knots, times)
    # The copy shows scene time rate * t + start: then reference = rate * other + start.
    copied = shown(knots, np.maximum(rate * copy_s + start_s, 0), noise=0.03, seed=5)
    for turned in (False, True):
        one, two = (times, vectors), (copy_s, copied)
        found = aligned(*(two if turned else one), *(one if turned else two))
        assert found.verdict == "aligned"
        truth = (
            rate * found.reference_s + start_s if turned else (found.reference_s - start_s) / rate
        )
        end_s = times[-1] if turned else copy_s[-1]
        possible = (truth >= 0) & (truth <= end_s)
        error = np.abs(found.other_s - truth)[possible]
        assert np.mean(error <= 1.0 / 30) >= 0.9
        outside = (truth < -0.2) | (truth > end_s + 0.2)
        assert np.isnan(found.other_s[outside]).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_warped_recording_is_followed(seed: int) -> None:
    knots = scene(seed)
    times = grid(30)
    other_s, shows = warp(seed, 30.0)
    found = aligned(
        times,
        shown(knots, times, noise=0.5),
        other_s,
        shown(knots, shows, noise=0.5, seed=1),
        options=AlignOptions(),
    )
    truth = np.interp(times, shows, other_s)
    assert np.nanmedian(np.abs(found.other_s - truth)) < 0.1
    assert found.verdict == "aligned"
    known = found.other_s[np.isfinite(found.other_s)]
    assert np.all(np.diff(known) >= 0)
    assert np.diff(known).max() <= 5.0 * 0.1 + 1e-9
    assert found.confidence.mean() > 0.9


def test_different_beginnings_and_ends_have_no_counterpart() -> None:
    common, ours, theirs = scene(1, 20), scene(2, 12), scene(3, 12)
    part = shown(common, grid(16), noise=0.3)
    shows = grid(16) + 0.8 * np.sin(grid(16) * np.pi / 8)  # at no constant pace
    again = shown(common, shows, noise=0.3, seed=1)
    first = np.concatenate([shown(ours, grid(8)), part])
    second = np.concatenate([again, shown(theirs, grid(6))])
    found = aligned(grid(24), first, grid(22), second)
    assert found.method == "open-end"
    assert "of the reference belong to" in found.reason
    inside = (grid(24) > 8.5) & (grid(24) < 23.5)
    truth = np.interp(grid(24) - 8.0, shows, grid(16))
    assert np.nanmedian(np.abs(found.other_s - truth)[inside]) < 0.06
    assert np.isnan(found.other_s[grid(24) < 7.0]).all()
    assert len(found.gaps) == 1
    assert found.gaps[0] == (0.0, pytest.approx(8.0, abs=0.5))
    assert (found.confidence[grid(24) < 7.0] == 0).all()


@pytest.mark.parametrize("turned", [False, True])
def test_one_inside_the_other(turned: bool) -> None:
    knots = scene(4, 40)
    whole = (grid(36), shown(knots, grid(36), noise=0.3))
    part = (grid(10), shown(knots, grid(10) * 1.2 + 12.0, noise=0.3, seed=1))
    one, two = (part, whole) if turned else (whole, part)
    for method in ("auto", "subsequence"):
        found = aligned(*one, *two, method=method)
        known = np.isfinite(found.other_s)
        t = found.reference_s
        truth = t * 1.2 + 12.0 if turned else (t - 12.0) / 1.2
        assert np.median(np.abs(found.other_s - truth)[known]) < 0.1
        assert found.verdict == "aligned"


def test_offset_and_linear() -> None:
    knots = scene(5, 60)
    times = grid(30)
    vectors = shown(knots, times + 5.0, noise=0.4)
    other = shown(knots, times + 7.23, noise=0.4, seed=2)
    found = aligned(times, vectors, times, other, method="offset")
    assert np.nanmax(np.abs(found.other_s - (times - 2.23))) < 0.05
    assert found.verdict == "aligned"
    straight = aligned(times, vectors, grid(15), other[::2], method="linear")
    assert straight.other_s[0] == 0
    assert straight.other_s[-1] == pytest.approx(14.9)


def test_anchors_are_met_exactly_by_every_warp() -> None:
    knots = scene(6)
    times = grid(20)
    vectors, other = shown(knots, times, noise=0.5), shown(knots, times, noise=0.5, seed=1)
    anchors = (Anchor(5.0, 6.0), Anchor(10.03, 10.51), Anchor(15.0, 14.0))
    for method in ("auto", "dtw", "open-end", "subsequence", "anchors"):
        found = aligned(times, vectors, times, other, method=method, anchors=anchors[::-1])
        assert found.anchors == anchors
        for anchor in anchors:
            assert found.time_map(anchor.reference_s) == pytest.approx(anchor.other_s, abs=1e-9)


def test_contradictory_anchors_are_refused_with_the_reason() -> None:
    times, vectors = grid(20), shown(scene(6), grid(20))

    def refused(*pairs: tuple[float, float]) -> str:
        with pytest.raises(AlignmentError) as raised:
            aligned(times, vectors, times, vectors, anchors=[Anchor(*pair) for pair in pairs])
        return str(raised.value)

    assert "contradict" in refused((5.0, 6.0), (8.0, 4.0))
    assert "contradict" in refused((5.0, 6.0), (5.0, 7.0))
    assert "times its speed" in refused((5.0, 1.0), (6.0, 15.0))
    assert "outside" in refused((5.0, 30.0))
    assert "outside" in refused((-1.0, 3.0))
    with pytest.raises(AlignmentError, match="at least one anchor"):
        aligned(times, vectors, times, vectors, method="anchors")
    with pytest.raises(AlignmentError, match="mask forbids"):
        aligned(times, vectors, times, vectors, anchors=[Anchor(5, 5)], masks=[Mask(4, 6, 4, 6)])
    with pytest.raises(AlignmentError, match="masks close every way"):
        aligned(times, vectors, times, vectors, method="dtw", masks=[Mask(4, 6, 0, 99)])


def test_a_mask_moves_the_map() -> None:
    times, vectors = grid(20), shown(scene(6), grid(20))
    found = aligned(times, vectors, times, vectors, method="dtw", masks=[Mask(8, 12, 8, 12)])
    at = (found.raw_reference >= 80) & (found.raw_reference <= 120)
    at &= (found.raw_other >= 80) & (found.raw_other <= 120)
    assert not at.any()


def test_a_mask_over_all_of_the_other_leaves_the_stretch_without_counterpart() -> None:
    times, vectors = grid(20), shown(scene(6), grid(20))
    whole = (0.0, 21.0)
    outside = (times < 7.5) | (times > 10.5)
    for mask in (Mask(8, 10, *whole), Mask(*whole, 8, 10)):
        found = aligned(times, vectors, times, vectors, masks=[mask])
        assert found.method == "gaps"
        known = np.isfinite(found.other_s)
        masked = times[known] if mask.reference_start_s else found.other_s[known]
        assert not ((masked >= 8) & (masked <= 10)).any()
        assert found.other_s[outside] == pytest.approx(times[outside], abs=0.11)


def test_unrelated_recordings_are_seldom_called_aligned() -> None:
    # By construction about one in twenty passes.
    verdicts = []
    for seed in range(8):
        found = aligned(
            grid(20),
            shown(scene(seed), grid(20)),
            grid(25),
            shown(scene(seed + 900), grid(25)),
        )
        assert found.reason
        verdicts.append(found.verdict)
    assert verdicts.count("aligned") <= 1
    assert verdicts.count("none") >= 4


@pytest.mark.parametrize("method", METHODS)
def test_a_still_scene_is_no_crash_and_no_alignment(method: str) -> None:
    still = np.tile(shown(scene(0), grid(0.1)), (100, 1))
    moving = shown(scene(1), grid(12))
    anchors = [Anchor(2.0, 3.0)] if method == "anchors" else []
    for one, two in (((grid(10), still), (grid(12), moving)), ((grid(10), still),) * 2):
        for first, second in ((one, two), (two, one)):
            found = aligned(*first, *second, method=method, anchors=anchors)
            assert found.verdict == "none"
            assert "looks the same" in found.reason
            assert np.isfinite(found.cost)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 300), (300, 3), (5, 2)])
def test_wildly_different_lengths_are_no_crash(method: str, n: int, m: int) -> None:
    anchors = [Anchor(0.1, 0.1)] if method == "anchors" else []
    found = aligned(
        grid(n / 10),
        shown(scene(0), grid(n / 10)),
        grid(m / 10),
        shown(scene(1), grid(m / 10)),
        method=method,
        anchors=anchors,
    )
    assert len(found.other_s) == n
    assert 0 <= found.match <= 1


def test_unusable_input_is_refused_in_a_sentence() -> None:
    times, vectors = grid(2), shown(scene(0), grid(2))
    bad = vectors.copy()
    bad[3, 2] = np.nan
    for values in (bad, np.where(np.isnan(bad), np.inf, bad)):
        with pytest.raises(AlignmentError, match="not finite"):
            aligned(times, values, times, vectors)
        with pytest.raises(AlignmentError, match="not finite"):
            aligned(times, vectors, times, values)
    for count in (0, 1):
        with pytest.raises(AlignmentError, match="at least two"):
            aligned(times[:count], vectors[:count], times, vectors)
        with pytest.raises(AlignmentError, match="at least two"):
            aligned(times, vectors, times[:count], vectors[:count])
    with pytest.raises(AlignmentError, match="no method"):
        aligned(times, vectors, times, vectors, method="magic")
    with pytest.raises(AlignmentError, match="different encoders"):
        aligned(times, vectors, times, vectors[:, :5])


def test_different_encoders_are_refused() -> None:
    one, two = (
        Embeddings(
            EmbeddingKey("f", model, "native"), np.arange(20), grid(2), shown(scene(0), grid(2))
        )
        for model in ("m1", "m2")
    )
    with pytest.raises(AlignmentError, match="different encoders"):
        align(one, two)
    assert align(one, one).verdict == "aligned"


def test_the_same_seed_gives_the_same_result_and_inputs_stay() -> None:
    knots = scene(7)
    vectors, other = shown(knots, grid(20), noise=0.5), shown(knots, grid(15), noise=0.5, seed=1)
    before = vectors.copy(), other.copy()
    first = aligned(grid(20), vectors, grid(15), other)
    again = aligned(grid(20), vectors, grid(15), other)
    np.testing.assert_array_equal(first.other_s, again.other_s)
    np.testing.assert_array_equal(first.confidence, again.confidence)
    assert (first.match, first.cost, first.reason) == (again.match, again.cost, again.reason)
    np.testing.assert_array_equal(before[0], vectors)
    np.testing.assert_array_equal(before[1], other)


def test_cancelling_stops() -> None:
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        aligned(
            grid(20),
            shown(scene(0), grid(20)),
            grid(20),
            shown(scene(1), grid(20)),
            monitor=monitor,
        )


def test_the_time_map_goes_on_to_the_last_frame() -> None:
    times, vectors = grid(20), shown(scene(0), grid(20))
    found = aligned(times, vectors, times, vectors)
    assert found.time_map(19.99) == pytest.approx(19.99)


def test_long_recordings_are_aligned() -> None:
    knots = scene(8, 900)
    other_s, shows = warp(3, 290.0)
    count = 8000
    times = np.linspace(0, 290, count)
    other_s, shows = (
        np.linspace(0, other_s[-1], 6000),
        np.interp(np.linspace(0, other_s[-1], 6000), other_s, shows),
    )
    found = aligned(
        times, shown(knots, times, noise=0.3), other_s, shown(knots, shows, noise=0.3, seed=1)
    )
    truth = np.interp(times, shows, other_s)
    assert np.nanmedian(np.abs(found.other_s - truth)) < 0.1
    assert found.verdict == "aligned"
