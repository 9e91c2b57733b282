"""Where in time the two views of a clip lie. Pure functions of a random generator.

Times here are *content* times: two moments with the same content time show the same thing. In one
recording they are seconds from its first frame, in a pair of simulated clips the action's own
clock.
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
    """

    frames: Int64
    valid: Bool


@dataclass(frozen=True, slots=True, eq=False)
class ViewPair:
    """Two views with their times in the unit of sigma.

    Attributes
    ----------
    first, second : the views
    unit_s : content seconds that one unit of sigma means here
    """

    first: View
    second: View
    unit_s: float


def generator_for(seed: int, *place: int) -> np.random.Generator:
    """Return the generator of one sample, fixed by the run's seed and its place (step, index)."""
    return np.random.default_rng(np.random.SeedSequence((seed, *place)))


def sample_views(
    rng: np.random.Generator,
    times1: Float64,
    times2: Float64,
    config: SamplingConfig,
) -> ViewPair:
    """Cut two overlapping views out of content that two recordings (or one, twice) show.

    1. A step between samples for each view; they differ by up to ``max_speed``.
    2. Each view spans T steps times a ratio in [1, max_ratio], at most what there is.
    3. The first starts anywhere, the second so that both share ``min_overlap`` of the shorter span.
    4. Of the steps in the span a random subset of T is shown, by the frames nearest to them.
    5. Frames that would be shown twice are shown once; the rest of the places is padding.

    This is the published sampler in its working form (crops of ratio * T, not ratio * L).

    Parameters
    ----------
    rng : the only source of chance
    times1, times2 : float64 (N1,), (N2,), content seconds of the frames, ascending
    config : see there

    Raises
    ------
    ValueError
        When a recording has no frame.
    """
    if not len(times1) or not len(times2):
        raise ValueError("a recording without frames has no views")
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
    first = _view(rng, times1, start1, span1, ratio1, config.frames)
    second = _view(rng, times2, start2, span2, ratio2, config.frames)
    unit_s = 1.0
    if config.sigma_unit == "share":
        unit_s = (span1 + span2) / 2
    elif config.sigma_unit == "frames":
        unit_s = (span1 + span2) / 2 / max(1, config.frames - 1)
    return ViewPair(first, second, unit_s if unit_s > 0 else 1.0)


def _view(
    rng: np.random.Generator, times: Float64, start: float, span: float, ratio: float, count: int
) -> View:
    places = max(count, math.ceil(ratio * count))
    shown = np.sort(rng.choice(places, size=count, replace=False))
    wanted = start + span * shown / max(1, places - 1)
    frames = np.unique(_nearest(times, wanted))
    valid = np.arange(count) < len(frames)
    padding = np.full(count - len(frames), frames[-1], dtype=np.int64)
    return View(np.concatenate([frames, padding]), valid)


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
