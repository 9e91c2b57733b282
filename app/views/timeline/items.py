"""What of a lane is worth drawing at a zoom: never more items than pixels allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.resources.text import format_time

if TYPE_CHECKING:
    from app.models.viewstate import Lane
    from app.views.timeline.axis import Axis
    from carl_core.arrays import Float64, Int64

LABEL_WIDTH = 90
"""Pixels between two labels of the ruler, at least."""

THREAD_GAP = 36
"""Pixels between two threads, at least."""

FRAME_TICK = 5.0
"""Pixels from frame to frame from which on their borders are drawn."""

FRAME_RULER = 14.0
"""Pixels from frame to frame from which on the ruler counts frames."""

_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
    *(10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000, 86400),
)


@dataclass(frozen=True, slots=True)
class Tick:
    """A line on the ruler; "" = without a label."""

    x: float
    text: str


def nice_step(least: float) -> float:
    """Return the smallest step a ruler may have (1, 2, 5, 10, 15, 30, 60 … s) >= least."""
    return next((s for s in _STEPS if s >= least), float(_STEPS[-1]))


def frame_width(lane: Lane, axis: Axis) -> float:
    """Pixels from frame to frame as a rule; 0 where frames are not known."""
    times = lane.frame_times_s
    if len(times) < 2:
        return 0.0
    return float(times[-1] - times[0]) / (len(times) - 1) * axis.scale


def frames_in_view(lane: Lane, axis: Axis, position: int) -> Int64:
    """Return the numbers of the frames on the screen, the one that begins before it included."""
    start_s, end_s = axis.visible_s(position)
    times = lane.frame_times_s
    first = max(0, int(np.searchsorted(times, start_s, side="right")) - 1)
    last = int(np.searchsorted(times, end_s, side="right"))
    return np.arange(first, max(first, last), dtype=np.int64)


def frame_borders(lane: Lane, axis: Axis, position: int) -> Float64:
    """Return x of the frames' own times where they are far enough apart, else none."""
    if frame_width(lane, axis) < FRAME_TICK:
        return np.empty(0)
    xs = axis.xs_of(lane.frame_times_s[frames_in_view(lane, axis, position)], position)
    return apart(xs, 2.0)


def ruler_ticks(lane: Lane, axis: Axis) -> list[Tick]:
    """Return the ticks of the reference's ruler: times, or frame numbers at deep zoom."""
    each = frame_width(lane, axis)
    if each >= FRAME_RULER:
        frames = frames_in_view(lane, axis, 0)
        every = next((n for n in (1, 2, 5, 10) if n * each >= 56), 10)
        xs = axis.xs_of(lane.frame_times_s[frames])
        return [
            Tick(float(x), f"f {frame}" if frame % every == 0 else "")
            for x, frame in zip(xs, frames.tolist(), strict=True)
        ]
    step_s = nice_step(LABEL_WIDTH / axis.scale)
    decimals = next((d for d, least in ((0, 1), (1, 0.1), (2, 0.01)) if step_s >= least), 3)
    first, last = axis.start_s, min(axis.end_s, max(axis.full_s, axis.limits_s()[1]))
    numbers = range(int(np.ceil(first / step_s - 1e-6)), int(np.floor(last / step_s + 1e-6)) + 1)
    return [
        Tick(axis.x_of(n * step_s), format_time(n * step_s, decimals=decimals)) for n in numbers
    ]


def thread_pairs(above: Lane, below: Lane, axis: Axis, position: int) -> Float64:
    """Return x (on the lane above, on this lane) of moments that belong together, (M, 2).

    They stand at round times of the reference, so that they stay in place when the lanes are
    scrolled, and at its frames at deep zoom.
    """
    none = np.empty((0, 2))
    if below.time_map is None or (above.time_map is None and not above.is_reference):
        return none
    reach_s = axis.span_s / 2
    low, high = max(0.0, axis.start_s - reach_s), axis.end_s + reach_s
    step_s = nice_step(THREAD_GAP / axis.scale)
    frames = above.frame_times_s
    if above.is_reference and frame_width(above, axis) >= THREAD_GAP:
        instants = frames[np.searchsorted(frames, low) : np.searchsorted(frames, high)]
    else:
        instants = np.arange(np.ceil(low / step_s), np.floor(high / step_s) + 1) * step_s
    if not len(instants):
        return none
    ups = instants if above.time_map is None else above.time_map(instants)
    pairs = np.stack(
        [axis.xs_of(ups, position - 1), axis.xs_of(below.time_map(instants), position)], axis=1
    )
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    left, right = axis.x_of(axis.start_s), axis.x_of(axis.end_s)
    pairs = pairs[((pairs >= left) & (pairs <= right)).any(axis=1)]
    # Where one of the two holds still, many threads would meet in a point.
    kept: list[int] = []
    for k in range(len(pairs)):
        if not kept or (pairs[k] - pairs[kept[-1]] >= THREAD_GAP / 4).all():
            kept.append(k)
    return pairs[kept]


def apart(xs: Float64, least: float) -> Float64:
    """Leave out of ascending ``xs`` what is nearer than ``least`` pixels to the one before."""
    if not len(xs):
        return xs
    cells = np.floor(xs / least)
    keep = np.concatenate([[True], np.diff(cells) > 0])
    return np.asarray(xs[keep])


def reduced(
    points: Float64, axis: Axis, position: int, *, take_least: bool
) -> tuple[Float64, Float64]:
    """Return x and value of (time, value) pairs in view: one a pixel, its least or greatest.

    Parameters
    ----------
    points : float64 (N, 2), ascending times
    """
    start_s, end_s = axis.visible_s(position)
    first = max(0, int(np.searchsorted(points[:, 0], start_s)) - 1)
    last = int(np.searchsorted(points[:, 0], end_s, side="right")) + 1
    points = points[first:last]
    if not len(points):
        return np.empty(0), np.empty(0)
    xs = axis.xs_of(points[:, 0], position)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(np.floor(xs)) > 0]))
    values = (np.minimum if take_least else np.maximum).reduceat(points[:, 1], starts)
    return xs[starts], values
