"""Laws of the two-view sampler."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config import SamplingConfig
from training.sampling import generator_for, published_steps, sample_views

# Wide recordings, so that no crop is cut short.
LONG = np.arange(6000) / 30.0


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count1=st.integers(1, 400),
    count2=st.integers(1, 400),
    fps=st.sampled_from([5.0, 24.0, 30.0, 250.0]),
    frames=st.integers(2, 40),
    overlap=st.floats(0, 1),
)
def test_views_are_ascending_and_inside(
    seed: int, count1: int, count2: int, fps: float, frames: int, overlap: float
) -> None:
    times1, times2 = np.arange(count1) / fps, np.arange(count2) / fps
    config = SamplingConfig(frames=frames, min_overlap=overlap)
    pair = sample_views(generator_for(seed), times1, times2, config)
    for view, times in ((pair.first, times1), (pair.second, times2)):
        assert view.frames.shape == view.valid.shape == (frames,)
        assert view.frames.min() >= 0
        assert view.frames.max() < len(times)
        assert view.valid[0]
        shown = view.frames[view.valid]
        assert (np.diff(shown) > 0).all()
        assert not np.diff(view.valid.astype(int)).clip(min=0).any()  # padding comes last
    assert pair.unit_s is not None
    assert pair.unit_s > 0


@pytest.mark.parametrize("seed", range(50))
def test_crops_overlap_as_asked(seed: int) -> None:
    config = SamplingConfig(frames=32, max_ratio=1.0, min_overlap=0.5, max_speed=3.0)
    pair = sample_views(generator_for(seed), LONG, LONG, config)
    first, second = LONG[pair.first.frames], LONG[pair.second.frames]
    shared = min(first[-1], second[-1]) - max(first[0], second[0])
    shorter = min(first[-1] - first[0], second[-1] - second[0])
    assert shared >= 0.5 * shorter - 2 / 30


def test_crops_are_true_crops_and_their_offset_varies() -> None:
    config = SamplingConfig(frames=32, max_ratio=1.5)
    starts, spans, indices = [], [], []
    for seed in range(200):
        pair = sample_views(generator_for(seed), LONG, LONG, config)
        times = LONG[pair.first.frames]
        starts.append(times[0])
        spans.append(times[-1] - times[0])
        other = LONG[pair.second.frames]
        indices.append(np.abs(times - other).mean() / spans[-1])
    assert np.std(starts) > 30  # seconds, of a recording of 200
    assert max(spans) < 1.5 * 31 * 0.2 * 2**0.5 + 0.1
    # The published sampler lets the index give the time away to 7 to 9 %.
    assert np.mean(indices) > 0.15


def test_speeds_differ_by_at_most_the_limit() -> None:
    config = SamplingConfig(frames=64, max_ratio=1.0, max_speed=3.0, min_step_s=0.2, max_step_s=0.5)
    ratios = []
    for seed in range(200):
        pair = sample_views(generator_for(seed), LONG, LONG, config)
        spans = [np.ptp(LONG[view.frames]) for view in (pair.first, pair.second)]
        ratios.append(spans[0] / spans[1])
    assert 2.5 < max(ratios) < 3.05
    assert 0.32 < min(ratios) < 0.4


@pytest.mark.parametrize(("unit", "expected"), [("seconds", 1.0), ("frames", 0.1), ("share", 3.1)])
def test_unit_of_sigma(unit: str, expected: float) -> None:
    config = SamplingConfig(
        frames=32, max_ratio=1.0, min_step_s=0.1, max_step_s=0.1, max_speed=1.0, sigma_unit=unit
    )
    pair = sample_views(generator_for(1), LONG, LONG, config)
    assert pair.unit_s == pytest.approx(expected)


def test_share_does_not_depend_on_the_speed_of_the_recording() -> None:
    config = SamplingConfig(frames=16, min_step_s=0.1, max_step_s=0.1)
    slow = SamplingConfig(frames=16, min_step_s=1.0, max_step_s=1.0)
    one = sample_views(generator_for(3), LONG, LONG, config)
    two = sample_views(generator_for(3), LONG * 10, LONG * 10, slow)
    assert (one.first.frames == two.first.frames).all()
    assert one.unit_s is not None
    assert two.unit_s == pytest.approx(10 * one.unit_s)


def test_same_seed_same_views_and_other_place_other_views() -> None:
    config = SamplingConfig()
    one = sample_views(generator_for(1, 5, 2), LONG, LONG, config)
    two = sample_views(generator_for(1, 5, 2), LONG, LONG, config)
    other = sample_views(generator_for(1, 5, 3), LONG, LONG, config)
    assert (one.first.frames == two.first.frames).all()
    assert not (one.first.frames == other.first.frames).all()


def test_recording_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="without frames"):
        sample_views(generator_for(1), np.zeros(0), LONG, SamplingConfig())


# The published samplers.


def published(strategy: str, frames: int = 80, overlap: float = 0.2) -> SamplingConfig:
    return SamplingConfig(
        frames=frames, strategy=strategy, max_ratio=1.5, min_overlap=overlap, sigma_unit="frames"
    )


def slow_steps(
    rng: np.random.Generator, length: int, config: SamplingConfig, first: list[int] | None
) -> tuple[list[int], list[bool], list[int]]:
    """Transcribe the five steps of SCIENCE 3.1 for one view, one frame at a time."""
    n = length if length < config.frames else config.frames
    r = rng.uniform(1.0, config.max_ratio)
    block = math.ceil(r * n) if config.strategy == "published" else math.ceil(r * length)
    last = length - block if length > block else 0
    candidates = []
    for offset in range(last + 1):
        if first is None or abs(offset - first[0]) <= int((1.0 - config.min_overlap) * n):
            candidates.append(offset)
    if not candidates:  # the first view begins behind every offset there is
        candidates = [last]
    offset = candidates[int(rng.integers(len(candidates)))]
    members = list(range(block))
    rng.shuffle(members)
    steps = sorted(offset + member for member in members[:n])
    while len(steps) < config.frames:
        steps.append(length)
    mask = [0 <= step <= length - 1 for step in steps]
    return steps, mask, [min(max(step, 0), length - 1) for step in steps]


def clamped_share(strategy: str, length: int) -> float:
    config = published(strategy)
    shares = [
        (published_steps(generator_for(seed), length, config) >= length).mean()
        for seed in range(2000)
    ]
    return float(np.mean(shares))


@pytest.mark.parametrize(
    ("length", "share"), [(40, 0.60), (60, 0.40), (80, 0.18), (120, 0.19), (300, 0.19)]
)
def test_share_of_clamped_frames_is_the_published_one(length: int, share: float) -> None:
    """SCIENCE 3.1, T = 80; the expected share without padding is 1 - 2 ln(3/2)."""
    found = clamped_share("published_length", length)
    assert found == pytest.approx(share, abs=0.02)
    if length >= 80:
        expected = 1 - 2 * math.log(1.5)
        assert found == pytest.approx(expected, abs=0.01)


def test_crops_of_the_working_form_clamp_nothing_in_a_long_recording() -> None:
    assert clamped_share("published", 120) == 0.0
    assert clamped_share("published", 300) == 0.0


@pytest.mark.parametrize(("length", "share"), [(80, 0.069), (150, 0.082), (300, 0.087)])
def test_the_index_gives_the_time_away_as_published(length: int, share: float) -> None:
    """SCIENCE 2.6: mean distance in time of frames at the same index, of the length."""
    times = np.arange(length) / 25
    found = []
    for seed in range(800):
        pair = sample_views(generator_for(seed), times, times, published("published_length"))
        both = pair.first.valid & pair.second.valid
        found.append(np.abs(pair.first.moments - pair.second.moments)[both].mean() / length)
    assert np.mean(found) == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize("length", [200, 300, 1000])
def test_the_index_gives_less_away_in_crops(length: int) -> None:
    """SCIENCE 2.6: 22 to 32 % of the block for FineGym."""
    times = np.arange(length) / 25
    found = []
    for seed in range(400):
        pair = sample_views(generator_for(seed), times, times, published("published"))
        found.append(np.abs(pair.first.moments - pair.second.moments).mean() / (1.25 * 80))
    assert 0.20 < np.mean(found) < 0.335


@pytest.mark.parametrize("strategy", ["published", "published_length"])
@pytest.mark.parametrize("length", [5, 30, 45, 200])
def test_published_views_are_distributed_as_the_slow_transcription(
    strategy: str, length: int
) -> None:
    config = published(strategy, frames=32, overlap=0.4)
    times = np.arange(length) / 25
    draws = 400
    fast = np.zeros((draws, 2, 4))
    slow = np.zeros((draws, 2, 4))
    for seed in range(draws):
        pair = sample_views(generator_for(seed), times, times, config)
        rng = generator_for(seed, 1)
        steps1, mask1, read1 = slow_steps(rng, length, config, None)
        _, mask2, read2 = slow_steps(rng, length, config, steps1)
        for place, (view, mask, read) in enumerate(
            ((pair.first, mask1, read1), (pair.second, mask2, read2))
        ):
            # First and last frame, how many are valid, and the distance to the first view's start.
            start = pair.first.frames[0]
            fast[seed, place] = (
                view.frames[0], view.frames[-1], view.valid.sum(), abs(view.frames[0] - start)
            )  # fmt: skip
            slow[seed, place] = (read[0], read[-1], sum(mask), abs(read[0] - read1[0]))
    error = np.sqrt((fast.var(axis=0) + slow.var(axis=0)) / draws)
    assert (np.abs(fast.mean(axis=0) - slow.mean(axis=0)) <= 4.5 * error + 1e-9).all()
    for share in (0.1, 0.5, 0.9):
        expected = np.quantile(slow, share, axis=0)
        assert np.quantile(fast, share, axis=0) == pytest.approx(expected, abs=0.06 * length)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    length=st.integers(2, 300),
    frames=st.integers(2, 90),
    strategy=st.sampled_from(["published", "published_length", "uniform"]),
    overlap=st.floats(0, 1),
)
def test_published_views_keep_their_laws(
    seed: int, length: int, frames: int, strategy: str, overlap: float
) -> None:
    config = published(strategy, frames, overlap)
    times = np.arange(length) / 25
    pair = sample_views(generator_for(seed), times, times, config)
    assert pair.unit_s is None
    assert pair.length == length
    for view in (pair.first, pair.second):
        assert view.frames.shape == view.valid.shape == view.moments.shape == (frames,)
        assert (view.moments == view.frames).all()
        assert (np.diff(view.frames[view.valid]) > 0).all()
        assert (view.frames[~view.valid] == length - 1).all()
        # A few steps of ratio * L places may all lie beyond the end: as published.
        may_miss = strategy == "published_length" and frames <= math.ceil(1.5 * length) - length
        assert view.valid.any() or may_miss
    if strategy == "published":
        # The second view's block begins so near that both blocks share min_overlap * n steps.
        shown = min(length, frames)
        start = pair.second.frames[0] - math.ceil(1.5 * shown) + shown
        assert start <= pair.first.frames[0] + int((1 - overlap) * shown)


def test_uniform_views_span_the_recording_and_short_ones_are_shown_whole() -> None:
    config = published("uniform", frames=20)
    times = np.arange(200) / 25
    firsts = [sample_views(generator_for(seed), times, times, config).first for seed in range(300)]
    assert all(view.valid.all() for view in firsts)
    # The smallest of 20 of 200 without repetition is (200 + 1) / 21 - 1 on average.
    assert np.mean([view.frames[0] for view in firsts]) == pytest.approx(201 / 21 - 1, abs=1.5)
    short = sample_views(generator_for(1), times[:12], times[:12], config).first
    assert short.frames.tolist() == [*range(12)] + [11] * 8
    assert short.valid.tolist() == [True] * 12 + [False] * 8


def test_another_take_counts_on_the_clock_of_the_first() -> None:
    """Frame k of the first shows what frame 2 k of the second does."""
    one, two = np.arange(300) / 10, np.arange(600) / 20
    pair = sample_views(generator_for(4), one, two, published("published", frames=40))
    assert pair.second.moments == pytest.approx(pair.second.frames / 2, abs=0.51)
    assert pair.length == 300


def test_crops_tell_the_length_in_the_unit_of_sigma() -> None:
    pair = sample_views(generator_for(3), LONG, LONG[:900], SamplingConfig())
    assert pair.unit_s is not None
    assert pair.length == pytest.approx(LONG[-1] / pair.unit_s)
    assert pair.first.moments == pytest.approx(LONG[pair.first.frames] / pair.unit_s)
