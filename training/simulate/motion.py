"""Actions (poses over action time), personal style, and the clock of one performance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Float32, Float64, as_read_only
from training.simulate.keys import Key, stand
from training.simulate.phrases import PHRASES, TRAINING_FAMILIES
from training.simulate.pose import ANGLES, INDEX, POSE_NAMES, POSE_SIZE, clipped, mirrored

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE_RATE = 60.0  # poses per second of action time in the table


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """What is done, without who does it: poses on a regular grid of action time.

    Attributes
    ----------
    family : the movement family that leads (see ``phrases.FAMILIES``)
    phrases : families of all parts, in order
    poses : float32 (N, P), row i at i / ``TABLE_RATE`` seconds, angles in degrees
    key_times_s, key_names : the moments at which key poses are reached
    """

    family: str
    phrases: tuple[str, ...]
    poses: Float32
    key_times_s: Float64
    key_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.poses.ndim != 2 or self.poses.shape[1] != POSE_SIZE or len(self.poses) < 2:
            raise ValueError(f"poses of shape {self.poses.shape} are not (N >= 2, {POSE_SIZE})")
        if len(self.key_times_s) != len(self.key_names):
            raise ValueError("key times and key names differ in number")

    @property
    def duration_s(self) -> float:
        """Length U of the action in seconds of action time."""
        return (len(self.poses) - 1) / TABLE_RATE


@dataclass(frozen=True, slots=True, eq=False)
class Style:
    """How one person differs from another doing the same: small, smooth, in angles only.

    Attributes
    ----------
    gain : float64 (P,), amplitude of each angle relative to the action's
    offsets : float64 (K, P), degrees at K evenly spaced action times, joined smoothly
    mirrored : left and right exchanged
    """

    gain: Float64
    offsets: Float64
    mirrored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """The clock of one performance: action time as a non-decreasing function of view time.

    Attributes
    ----------
    times_s : float64 (K,), strictly ascending from 0, seconds of view time
    action_s : float64 (K,), non-decreasing action times there
    """

    times_s: Float64
    action_s: Float64

    def __post_init__(self) -> None:
        if self.times_s.shape != self.action_s.shape or self.times_s.ndim != 1:
            raise ValueError("a warp needs two arrays of the same length")
        if np.any(np.diff(self.times_s) <= 0) or np.any(np.diff(self.action_s) < 0):
            raise ValueError("a warp must run forward")

    @property
    def duration_s(self) -> float:
        """Length of the performance in view time."""
        return float(self.times_s[-1])

    def action_at(self, times_s: Float64) -> Float64:
        """Return the action times at view times; clamped to the performance."""
        return np.interp(times_s, self.times_s, self.action_s)

    def time_of(self, action_s: Float64) -> Float64:
        """Return the first view times at which action times are reached; NaN outside."""
        # The first row at or beyond the moment; the row before it lies truly below, also at rests.
        beyond = np.clip(np.searchsorted(self.action_s, action_s), 1, len(self.action_s) - 1)
        before = beyond - 1
        rise = self.action_s[beyond] - self.action_s[before]
        part = (action_s - self.action_s[before]) / np.where(rise > 0, rise, 1.0)
        found = self.times_s[before] + part * (self.times_s[beyond] - self.times_s[before])
        outside = (action_s < self.action_s[0]) | (action_s > self.action_s[-1])
        result: Float64 = np.where(outside, np.nan, found)
        return result


def random_action(
    rng: np.random.Generator,
    *,
    duration_s: tuple[float, float] = (4.0, 20.0),
    families: Sequence[str] = TRAINING_FAMILIES,
    repeat_probability: float = 0.2,
) -> Action:
    """Draw an action: phrases of one to four families, one after the other.

    The length is drawn log-uniformly from ``duration_s``; the action is cut there, wherever it is.
    """
    wanted_s = float(np.exp(rng.uniform(np.log(duration_s[0]), np.log(duration_s[1]))))
    family = str(rng.choice(list(families)))
    pool = [family] if rng.random() < 0.3 else [family, *rng.choice(list(families), size=3)]
    keys, elapsed_s = [stand(rng, 0.0)], 0.0
    parts: list[str] = []
    while elapsed_s < wanted_s + 0.5:
        name = family if not parts else str(rng.choice(pool))
        phrase = _varied(rng, PHRASES[name](rng))
        repeats = int(rng.integers(2, 4)) if rng.random() < repeat_probability else 1
        for _ in range(repeats):
            keys += phrase
        if rng.random() < 0.4:
            keys.append(stand(rng, float(rng.uniform(0.5, 1.0))))
        parts.append(name)
        elapsed_s = sum(key.move_s + key.hold_s for key in keys)
    action = action_from_keys(keys, family=family, phrases=tuple(parts), rng=rng)
    return _cut(action, wanted_s)


def action_from_keys(
    keys: Sequence[Key],
    *,
    family: str,
    phrases: tuple[str, ...] = (),
    rng: np.random.Generator | None = None,
) -> Action:
    """Join key poses smoothly: no overshoot, rest at turning points, no kinks.

    With ``rng``, the angles do not all arrive together (some joints lead, some lag by up to a tenth
    of a second) and the body sways a little, as bodies do.
    """
    times, poses, moments = [], [], []
    now_s, previous = 0.0, keys[0].pose
    for i, key in enumerate(keys):
        now_s += key.move_s if i else 0.0
        moments.append(now_s)
        target = key.pose.copy()
        # The short way round for the heading.
        turn = target[INDEX["yaw"]] - previous[INDEX["yaw"]]
        target[INDEX["yaw"]] -= 360.0 * np.round(turn / 360.0)
        times.append(now_s)
        poses.append(target)
        if key.hold_s > 0:
            now_s += key.hold_s
            times.append(now_s)
            poses.append(target)
        previous = target
    grid = np.arange(int(np.ceil(now_s * TABLE_RATE)) + 1) / TABLE_RATE
    knots, values = np.array(times), np.array(poses)
    lags = np.zeros(POSE_SIZE)
    if rng is not None:
        lags[ANGLES] = rng.uniform(-0.05, 0.05, POSE_SIZE - 3)
    table = _monotone_cubic(knots, values, grid, lags)
    if rng is not None:
        sway = _smooth_noise(rng, len(grid), POSE_SIZE, knot_s=0.8)
        table[:, ANGLES] += sway[:, ANGLES] * 1.2
    table = clipped(_smoothed(table, sigma_s=0.045))
    return Action(
        family=family,
        phrases=phrases or (family,),
        poses=as_read_only(table, np.float32),
        key_times_s=as_read_only(moments, np.float64),
        key_names=tuple(key.name for key in keys),
    )


def pose_at(action: Action, action_s: Float64, style: Style | None = None) -> Float64:
    """Return the poses float64 (T, P) at action times (T,), as one person does them."""
    position = np.clip(np.asarray(action_s) * TABLE_RATE, 0, len(action.poses) - 1.001)
    below = position.astype(np.int64)
    part = (position - below)[:, None]
    values: Float64 = action.poses[below] * (1 - part) + action.poses[below + 1] * part
    if style is None:
        return values
    neutral = action.poses[0]
    values = neutral + (values - neutral) * style.gain
    knots = np.linspace(0, action.duration_s, len(style.offsets))
    values = clipped(values + _monotone_cubic(knots, style.offsets, np.asarray(action_s)))
    return mirrored(values) if style.mirrored else values


def random_style(rng: np.random.Generator, action: Action, *, strength: float = 1.0) -> Style:
    """Draw a personal style; ``strength`` 1 is about 4 degrees and 8 % of amplitude."""
    gain = np.ones(POSE_SIZE)
    gain[ANGLES] += rng.normal(0, 0.08 * strength, POSE_SIZE - 3)
    gain[INDEX["pitch"]] = gain[INDEX["l_hip"]] = gain[INDEX["r_hip"]]  # keeps the balance
    count = max(2, round(action.duration_s / 1.5))
    offsets = rng.normal(0, 2.5 * strength, (count, POSE_SIZE)) + rng.normal(
        0, 3.0 * strength, POSE_SIZE
    )
    offsets[:, :3] = 0
    calm = [INDEX[name] for name in ("pitch", "roll", "yaw")]
    offsets[:, calm] *= 0.4
    return Style(as_read_only(gain, np.float64), as_read_only(offsets, np.float64))


def random_warp(
    rng: np.random.Generator,
    action: Action,
    *,
    rate: tuple[float, float] = (0.3, 3.0),
    trim: float = 0.2,
    hold_probability: float = 0.15,
) -> Warp:
    """Draw a clock: a base rate and smooth changes, all inside ``rate``, trims, rarely a rest.

    Up to ``trim`` of the action is missing at either end.
    """
    start = rng.uniform(0, trim) * action.duration_s if rng.random() < 0.8 else 0.0
    end = action.duration_s * (1 - (rng.uniform(0, trim) if rng.random() < 0.8 else 0.0))
    count = max(3, int((end - start) * 20))
    action_s = np.linspace(start, end, count)
    low, high = np.log(rate[0]), np.log(rate[1])
    base = np.clip(rng.normal(0, 0.35), low, high)
    wander = _smooth_noise(rng, count, 1, knot_s=rng.uniform(0.6, 2.5), rate=20.0)[:, 0]
    rates = np.exp(np.clip(base + wander * rng.uniform(0.05, 0.5), low, high))
    steps = np.diff(action_s) * 0.5 * (1 / rates[1:] + 1 / rates[:-1])
    times_s = np.concatenate([[0.0], np.cumsum(steps)])
    if rng.random() < hold_probability and count > 10:
        at = int(rng.integers(2, count - 2))
        times_s = np.insert(times_s, at + 1, times_s[at])
        action_s = np.insert(action_s, at + 1, action_s[at])
        times_s[at + 1 :] += rng.uniform(0.2, 1.0)
    return Warp(as_read_only(times_s, np.float64), as_read_only(action_s, np.float64))


def _varied(rng: np.random.Generator, phrase: list[Key]) -> list[Key]:
    """Return a phrase with jittered poses, its own tempo, and left for right in half the cases."""
    tempo = float(np.exp(rng.normal(0, 0.18)))
    swap = rng.random() < 0.5
    names = np.array([0 if name in ("x", "y", "lift") else 1 for name in POSE_NAMES])
    jitter = rng.normal(0, 4.0, POSE_SIZE) * names
    jitter[[INDEX["pitch"], INDEX["roll"], INDEX["yaw"]]] *= 0.3
    keys = []
    for key in phrase:
        values = clipped(key.pose + jitter)
        values = mirrored(values) if swap else values
        keys.append(Key(key.name, values, key.move_s * tempo, key.hold_s * tempo))
    return keys


def _cut(action: Action, duration_s: float) -> Action:
    rows = min(len(action.poses), max(2, round(duration_s * TABLE_RATE) + 1))
    kept = int(np.searchsorted(action.key_times_s, (rows - 1) / TABLE_RATE, side="right"))
    return Action(
        family=action.family,
        phrases=action.phrases,
        poses=action.poses[:rows],
        key_times_s=action.key_times_s[:kept],
        key_names=action.key_names[:kept],
    )


def _monotone_cubic(
    knots: Float64, values: Float64, times_s: Float64, lags: Float64 | None = None
) -> Float64:
    """Interpolate (K, P) knots without overshoot (Fritsch and Carlson 1980) at (T,) times."""
    gaps = np.diff(knots)
    keep = np.concatenate([[True], gaps > 1e-9])
    knots, values = knots[keep], values[keep]
    if len(knots) == 1:
        return np.repeat(values, len(times_s), axis=0)
    gaps = np.diff(knots)[:, None]
    slopes = np.diff(values, axis=0) / gaps
    tangents = np.zeros_like(values)
    before, after = slopes[:-1], slopes[1:]
    left, right = 2 * gaps[1:] + gaps[:-1], gaps[1:] + 2 * gaps[:-1]
    same_way = before * after > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (left + right) / (left / before + right / after)
    tangents[1:-1] = np.where(same_way, mean, 0.0)
    moved = times_s[:, None] - (np.zeros((1, values.shape[1])) if lags is None else lags)  # (T, P)
    moved = np.clip(moved, knots[0], knots[-1])
    below = np.clip(np.searchsorted(knots, moved, side="right") - 1, 0, len(knots) - 2)
    width = gaps[below, 0]
    s = (moved - knots[below]) / width
    column = np.arange(values.shape[1])[None]
    value0, value1 = values[below, column], values[below + 1, column]
    tangent0, tangent1 = tangents[below, column] * width, tangents[below + 1, column] * width
    s2, s3 = s * s, s * s * s
    result: Float64 = (
        (2 * s3 - 3 * s2 + 1) * value0
        + (s3 - 2 * s2 + s) * tangent0
        + (3 * s2 - 2 * s3) * value1
        + (s3 - s2) * tangent1
    )
    return result


def _smoothed(table: Float64, *, sigma_s: float) -> Float64:
    """Convolve (N, P) rows in time with a Gaussian, ends repeated."""
    reach = max(1, int(3 * sigma_s * TABLE_RATE))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sigma_s * TABLE_RATE)) ** 2)
    weights /= weights.sum()
    padded = np.concatenate(
        [np.repeat(table[:1], reach, 0), table, np.repeat(table[-1:], reach, 0)]
    )
    result = np.zeros_like(table)
    for i, weight in enumerate(weights):
        result += weight * padded[i : i + len(table)]
    return result


def _smooth_noise(
    rng: np.random.Generator, count: int, width: int, *, knot_s: float, rate: float = TABLE_RATE
) -> Float64:
    """Return (count, width) noise of unit variance at knots ``knot_s`` seconds apart."""
    length_s = count / rate
    knots = knot_s * np.arange(max(2, int(np.ceil(length_s / knot_s)) + 2), dtype=np.float64)
    values = rng.normal(size=(len(knots), width))
    times_s: Float64 = np.arange(count) / rate
    return _monotone_cubic(knots, values, times_s)
