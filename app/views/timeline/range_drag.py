"""Dragging in and out on the ruler."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.views.timeline.scene import RULER

if TYPE_CHECKING:
    from PySide6.QtCore import QPointF

    from app.views.timeline.scene import Scene

REACH = 13.0
"""Pixels to either side of a handle within which a press takes hold of it."""


class RangeDrag:
    """One end of the range follows the mouse, the other stays."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._held_s: float | None = None  # the end that stays, seconds of the reference

    @property
    def is_held(self) -> bool:
        """Whether the user drags."""
        return self._held_s is not None

    def is_over_handle(self, at: QPointF) -> bool:
        """Whether a press here would take hold of in or out."""
        xs = self._scene.range_xs()
        return at.y() < RULER and xs is not None and min(abs(at.x() - x) for x in xs) <= REACH

    def take(self, at: QPointF, *, is_new: bool) -> bool:
        """Begin at a press on the ruler: a new range, or the nearer end of the present one."""
        xs = self._scene.range_xs()
        if is_new:
            self._held_s = self._time_at(at.x())
        elif xs is not None and self.is_over_handle(at):
            start_s, end_s = self._scene.lanes[0].range_s or (0.0, 0.0)
            is_start = abs(at.x() - xs[0]) <= abs(at.x() - xs[1])
            self._held_s = end_s if is_start else start_s
        return self.is_held

    def move(self, x: float) -> None:
        """Show the range as it would be."""
        assert self._held_s is not None
        ends = sorted((self._held_s, self._time_at(x)))
        lanes = self._scene.lanes
        self._scene.lanes = (replace(lanes[0], range_s=(ends[0], ends[1])), *lanes[1:])

    def finish(self, x: float) -> tuple[float, float] | None:
        """Let go; return the new range, None when it is empty."""
        self.move(x)
        self._held_s = None
        start_s, end_s = self._scene.lanes[0].range_s or (0.0, 0.0)
        return (start_s, end_s) if end_s > start_s else None

    def _time_at(self, x: float) -> float:
        return min(max(self._scene.axis.time_of(x), 0.0), self._scene.lanes[0].duration_s)
