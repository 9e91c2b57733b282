"""Where in time the two views of a clip lie. Pure functions of a random generator.

Times here are *content* times: two moments with the same content time show the same thing. In one
recording they are seconds from its first frame, in a pair of simulated clips the action's own
clock.

Two families: "crops" is ours and counts in seconds. "published", "published_length" and "uniform"
are the samplers of the official code (its strategies ``time_augment`` and ``offset_uniform``) and
count in frames. For Penn Action, Pouring and Kinetics the official code takes the length of the
recording where the length of the view is meant ("published_length"): its offset is then always 0,
and 1 - 2 ln(3/2) = 19 % of the frames are padding when the ratio goes up to 1.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.arrays import Bool, Float64, Int64
    from training.config import SamplingConfig


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The frames of one view.

    Attributes
    ----------
    frames : int64 (T,), ascending; padded places repeat the last one
    valid : bool (T,), False where padded
    moments : float64 (T,), content times in the unit of sigma, on the clock of both views
    """

    frames: Int64
    valid: Bool
    moments: Float64


@dataclass(frozen=True, slots=True, eq=False)
class ViewPair:
    """Two views with their times in the unit of sigma.

    Attributes
    ----------
    first, second : the views
    unit_s : content seconds that one unit of sigma means here; None where sigma counts frames of
        the first recording
    length : of the whole content in the unit of sigma; the published distance between two views
        stretches their moments by the ratio of their lengths, here 1
    """

    first: View
    second: View
    unit_s: float | None
    length: float


def generator_for(seed: int, *place: int) -> np.random.Generator:
    """Return the generator of one sample, fixed by the run's seed and its place (step, index)."""
    return np.random.default_rng(np.random.SeedSequence((seed, *place)))


def sample_views(
    rng: np.random.Generator,
    times1: Float64,
    times2: Float64,
    config: SamplingConfig,
) -> ViewPair:
    """Choose the frames of two views of content that two recordings (or one, twice) show.

    Parameters
    ----------
    rng : the only source of chance
    times1, times2 : float64 (N1,), (N2,), content seconds of the frames, ascending
    config : ``strategy`` decides how

    Raises
    ------
    ValueError
        When a recording has no frame.
    """
    if not len(times1) or not len(times2):
        raise ValueError("a recording without frames has no views")
    if config.strategy == "crops":
        return _crops(rng, times1, times2, config)
    if config.strategy == "uniform":
        steps = (
            _subset_or_all(rng, len(times1), config.frames),
            _subset_or_all(rng, len(times2), config.frames),
        )
    else:
        steps = _published_blocks(rng, times1, times2, config)
    return _pair_of_steps(steps, times1, times2)


def published_steps(
    rng: np.random.Generator,
    length: int,
    config: SamplingConfig,
    *,
    near: int | None = None,
) -> Int64:
    """Draw the steps of one published view: int64 (T,), ascending, not yet clamped.

    1. n = min(L, T); a ratio r in [1, max_ratio].
    2. A block of ceil(r n) frames; "published_length": of ceil(r L).
    3. It begins anywhere in the recording; with ``near``, within (1 - min_overlap) n of it.
    4. A sorted random subset of n steps of the block.
    5. Padding with L to T. What lies outside 0..L-1 is not valid, and is read at the nearest end.

    Parameters
    ----------
    rng : the only source of chance
    length : L, frames of the recording
    config : ``frames`` = T, ``max_ratio``, ``min_overlap``, ``strategy``
    near : first step of the other view, in frames of this recording
    """
    shown = min(length, config.frames)
    ratio = rng.uniform(1.0, config.max_ratio)
    block = math.ceil(ratio * (length if config.strategy == "published_length" else shown))
    last = max(0, length - block)
    lowest, highest = 0, last
    if near is not None:
        shift = int((1.0 - config.min_overlap) * shown)
        lowest, highest = (min(max(0, near + way * shift), last) for way in (-1, 1))
    offset = int(rng.integers(lowest, highest, endpoint=True))
    steps = offset + np.sort(rng.choice(block, size=shown, replace=False))
    return np.pad(steps, (0, config.frames - shown), constant_values=length).astype(np.int64)


def _crops(
    rng: np.random.Generator, times1: Float64, times2: Float64, config: SamplingConfig
) -> ViewPair:
    """Cut two overlapping views out of the content.

    1. A step between samples for each view; they differ by up to ``max_speed``.
    2. Each view spans T steps times a ratio in [1, max_ratio], at most what there is.
    3. The first starts anywhere, the second so that both share ``min_overlap`` of the shorter span.
    4. Of the steps in the span a random subset of T is shown, by the frames nearest to them.
    5. Frames that would be shown twice are shown once; the rest of the places is padding.

    This is the published sampler in its working form (crops of ratio * T, not ratio * L).
    """
    step = _log_uniform(rng, config.min_step_s, config.max_step_s)
    half = math.sqrt(config.max_speed)
    speed = _log_uniform(rng, 1.0 / half, half)
    spans = []
    for times, own_step in ((times1, step * speed), (times2, step / speed)):
        ratio = rng.uniform(1.0, config.max_ratio)
        spans.append((min(ratio * (config.frames - 1) * own_step, _length(times)), ratio))
    (span1, ratio1), (span2, ratio2) = spans
    start1 = rng.uniform(times1[0], times1[-1] - span1)
    shared = config.min_overlap * min(span1, span2)
    earliest = max(float(times2[0]), start1 - span2 + shared)
    latest = min(float(times2[-1]) - span2, start1 + span1 - shared)
    start2 = rng.uniform(earliest, latest) if earliest <= latest else (earliest + latest) / 2
    start2 = float(np.clip(start2, times2[0], times2[-1] - span2))
    unit_s = 1.0
    if config.sigma_unit == "share":
        unit_s = (span1 + span2) / 2
    elif config.sigma_unit == "frames":
        unit_s = (span1 + span2) / 2 / max(1, config.frames - 1)
    unit_s = unit_s if unit_s > 0 else 1.0
    return ViewPair(
        _crop(rng, times1, start1, span1, ratio1, config.frames, unit_s),
        _crop(rng, times2, start2, span2, ratio2, config.frames, unit_s),
        unit_s,
        max(_length(times1), _length(times2)) / unit_s,
    )


def _crop(
    rng: np.random.Generator,
    times: Float64,
    start: float,
    span: float,
    ratio: float,
    count: int,
    unit_s: float,
) -> View:
    places = max(count, math.ceil(ratio * count))
    shown = np.sort(rng.choice(places, size=count, replace=False))
    wanted = start + span * shown / max(1, places - 1)
    frames = np.unique(_nearest(times, wanted))
    valid = np.arange(count) < len(frames)
    padding = np.full(count - len(frames), frames[-1], dtype=np.int64)
    frames = np.concatenate([frames, padding])
    return View(frames, valid, times[frames] / unit_s)


def _published_blocks(
    rng: np.random.Generator, times1: Float64, times2: Float64, config: SamplingConfig
) -> tuple[Int64, Int64]:
    first = published_steps(rng, len(times1), config)
    near = int(first[0])
    if times2 is not times1:
        near = int(_nearest(times2, times1[[near]])[0])
    return first, published_steps(rng, len(times2), config, near=near)


def _subset_or_all(rng: np.random.Generator, length: int, count: int) -> Int64:
    """Draw a sorted random subset of ``count`` frames, or 0..count-1 where there are fewer."""
    if length < count:
        return np.arange(count, dtype=np.int64)
    return np.sort(rng.choice(length, size=count, replace=False)).astype(np.int64)


def _pair_of_steps(steps: tuple[Int64, Int64], times1: Float64, times2: Float64) -> ViewPair:
    """Clamp steps to their recordings; moments are raw frame numbers after that."""
    views = []
    for own, times in zip(steps, (times1, times2), strict=True):
        frames = np.clip(own, 0, len(times) - 1)
        moments = frames.astype(np.float64)
        if times is not times1:  # another take counts on the clock of the first
            moments = np.interp(times[frames], times1, np.arange(len(times1), dtype=np.float64))
        views.append(View(frames, (own >= 0) & (own < len(times)), moments))
    return ViewPair(views[0], views[1], None, float(len(times1)))


def _nearest(times: Float64, wanted: Float64) -> Int64:
    if len(times) == 1:
        return np.zeros(len(wanted), dtype=np.int64)
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    is_before = wanted - times[after - 1] <= times[after] - wanted
    return np.where(is_before, after - 1, after).astype(np.int64)


def _length(times: Float64) -> float:
    return float(times[-1] - times[0])


def _log_uniform(rng: np.random.Generator, lowest: float, highest: float) -> float:
    return math.exp(rng.uniform(math.log(lowest), math.log(highest)))
