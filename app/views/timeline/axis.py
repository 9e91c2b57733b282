"""Which time is where on the lanes: zoom, scroll, and how the lanes are linked.

The window shows ``span_s`` seconds of the reference from ``start_s`` on. All lanes have the same
scale (pixels a second), so that lengths can be compared by eye. Fully zoomed out every lane begins
at its own zero, as if nothing were aligned. Zoomed in, each aligned lane is shifted as a whole so
that what it shows at the window's centre is the counterpart of what the reference shows there; the
further from the centre, the more the threads slant where the speeds differ. In between the shift
grows with the zoom and is complete at twice the whole: nothing jumps. Beyond its first and last
counterpart, and across a stretch without any, a lane's shift is held or interpolated. Lanes that
are not aligned share the reference's axis.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from app.models.viewstate import Lane
    from carl_core.alignment.timemap import TimeMap
    from carl_core.arrays import Float64

GUTTER = 150
"""Width of the names."""

MARGIN_RIGHT = 14
WIDEST_FRAME = 160
"""Pixels of a frame at the deepest zoom."""


class _Link(NamedTuple):
    """A map, which is held so that its identity stays its own, and where it is known."""

    time_map: TimeMap
    knots: tuple[Float64, Float64] | None


class Axis:
    """Time to pixels and back, for every lane."""

    def __init__(self) -> None:
        self.start_s = 0.0
        self.span_s = 1.0
        self._full_s = 1.0
        self._frame_s = 0.04
        self._width = 100.0
        self._is_fit = True
        self._links: list[tuple[Float64, Float64] | None] = []
        self._durations: list[float] = []
        self._offsets: list[float] = []
        self._known_links: dict[int, _Link] = {}
        self._known_steps: dict[int, tuple[Float64, float]] = {}

    @property
    def width(self) -> float:
        """Pixels between the names and the right margin."""
        return self._width

    @property
    def full_s(self) -> float:
        """Seconds of the longest lane: what "fit" shows."""
        return self._full_s

    @property
    def is_fit(self) -> bool:
        """Whether everything is shown."""
        return self._is_fit

    @property
    def scale(self) -> float:
        """Pixels a second."""
        return self._width / self.span_s

    @property
    def least_span_s(self) -> float:
        """Shortest stretch the window can show: some single frames."""
        return min(self._full_s, self._width / WIDEST_FRAME * self._frame_s)

    @property
    def end_s(self) -> float:
        """Right edge, seconds of the reference."""
        return self.start_s + self.span_s

    def set_lanes(self, lanes: tuple[Lane, ...]) -> None:
        """Follow the lanes; what is shown stays where it can."""
        # Most calls change neither maps nor frames: what takes long is kept by the array it is of.
        self._known_links = {
            id(time_map): self._known_links.get(id(time_map)) or _Link(time_map, _knots(time_map))
            for time_map in (lane.time_map for lane in lanes)
            if time_map is not None
        }
        self._known_steps = {
            id(times): self._known_steps.get(id(times)) or (times, float(np.median(np.diff(times))))
            for times in (lane.frame_times_s for lane in lanes)
            if len(times) > 1
        }
        self._links = [
            None if lane.time_map is None else self._known_links[id(lane.time_map)].knots
            for lane in lanes
        ]
        self._durations = [lane.duration_s for lane in lanes]
        self._full_s = max(self._durations, default=1.0) or 1.0
        steps = (step_s for _, step_s in self._known_steps.values())
        self._frame_s = max(1e-4, min(steps, default=0.04))
        self._settle()

    def resize(self, width: float) -> None:
        """Follow the widget's width in pixels."""
        self._width = max(10.0, width - GUTTER - MARGIN_RIGHT)
        self._settle()

    def fit(self) -> None:
        """Show everything."""
        self._is_fit = True
        self._settle()

    def zoom_at(self, x: float, factor: float) -> None:
        """Show ``factor`` times as much detail; the reference's time at ``x`` stays there."""
        share = (x - GUTTER) / self._width
        anchor_s = self.start_s + share * self.span_s
        span_s = max(self.span_s / factor, self.least_span_s)
        self._is_fit = span_s >= self._full_s
        self.span_s = span_s
        self.start_s = anchor_s - share * span_s
        self._settle()

    def pan(self, seconds: float) -> None:
        """Show what comes ``seconds`` later."""
        self.start_s += seconds
        self._settle()

    def show_exactly(self, start_s: float, end_s: float) -> None:
        """Show a stretch of the reference, as far as there is one and it is not too short."""
        span_s = max(end_s - start_s, self.least_span_s)
        self._is_fit = span_s >= self._full_s * 0.999
        self.span_s = span_s
        self.start_s = (start_s + end_s - span_s) / 2
        self._settle()

    def reveal(self, time_s: float) -> bool:
        """Turn the page so that a time of the reference is shown; return whether it moved."""
        if self._is_fit or self.start_s <= time_s <= self.end_s:
            return False
        before = self.start_s
        self.start_s = time_s - self.span_s * (0.1 if time_s > self.end_s else 0.9)
        self._settle()
        return self.start_s != before

    def limits_s(self) -> tuple[float, float]:
        """First and last second of the reference the window can be scrolled to."""
        share = self._link_share()
        low, high = 0.0, self._full_s
        for knots, duration_s in zip(self._links, self._durations, strict=True):
            if knots is not None:
                _, lead = knots
                low = min(low, -share * float(lead[0]))
                high = max(high, duration_s - share * float(lead[-1]))
        return low, high

    def offset_s(self, position: int) -> float:
        """Own seconds of a lane minus seconds of the reference at the same x."""
        return self._offsets[position] if 0 <= position < len(self._offsets) else 0.0

    def x_of(self, time_s: float, position: int = 0) -> float:
        """Return the x of a lane's own seconds."""
        return GUTTER + (time_s - self.offset_s(position) - self.start_s) * self.scale

    def xs_of(self, times_s: Float64, position: int = 0) -> Float64:
        """Vectorised ``x_of``: float64 (T,) to float64 (T,)."""
        return GUTTER + (times_s - self.offset_s(position) - self.start_s) * self.scale

    def time_of(self, x: float, position: int = 0) -> float:
        """Return a lane's own seconds at ``x``."""
        return self.start_s + self.offset_s(position) + (x - GUTTER) / self.scale

    def visible_s(self, position: int = 0) -> tuple[float, float]:
        """Own seconds of a lane at the left and right edge."""
        offset_s = self.offset_s(position)
        return self.start_s + offset_s, self.end_s + offset_s

    def _link_share(self) -> float:
        """How far the lanes are linked: 0 when everything is shown, 1 from twice that on."""
        return min(1.0, max(0.0, math.log2(self._full_s / self.span_s)))

    def _settle(self) -> None:
        if self._is_fit:
            self.start_s, self.span_s = 0.0, self._full_s
        else:
            self.span_s = min(max(self.span_s, self.least_span_s), self._full_s)
            low, high = self.limits_s()
            self.start_s = min(max(self.start_s, low), max(low, high - self.span_s))
        share, centre_s = self._link_share(), self.start_s + self.span_s / 2
        self._offsets = [
            0.0 if knots is None else share * float(np.interp(centre_s, *knots))
            for knots in self._links
        ]


def _knots(time_map: TimeMap) -> tuple[Float64, Float64] | None:
    """Where a map is known: seconds of the reference, and how far the other's are ahead."""
    known = np.isfinite(time_map.other_s)
    if not known.any():
        return None
    reference_s = time_map.reference_s[known]
    return reference_s, time_map.other_s[known] - reference_s
