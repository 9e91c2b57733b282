"""Everything that stands still on the timeline, and where the lanes lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF

from app.views.timeline.axis import GUTTER, MARGIN_RIGHT, Axis
from app.views.timeline.pictures import Pictures

if TYPE_CHECKING:
    from app.models.viewstate import Lane

RULER = 22
GAP = 24
"""Between two lanes; the threads run here."""

CONFIDENCE = 6
LANE_MIN, LANE_MAX = 30, 64
BOTTOM = 14
"""Under the lanes, for the scroll bar."""

PHASE_HEIGHT = 14.0
"""Height of a phase's bar at the lower edge of a lane."""


@dataclass
class Scene:
    """What is painted; ``painted`` counts the shapes of the last time."""

    axis: Axis = field(default_factory=Axis)
    pictures: Pictures = field(default_factory=Pictures)
    lanes: tuple[Lane, ...] = ()
    width: int = 600
    height: int = 200
    ratio: float = 1.0
    painted: int = 0

    def lane_rect(self, position: int) -> QRectF:
        """Return where lane ``position`` is drawn."""
        count = max(1, len(self.lanes))
        room = self.height - RULER - BOTTOM - GAP * (count - 1)
        height = min(max(room / count, LANE_MIN), LANE_MAX)
        top = RULER + position * (height + GAP)
        return QRectF(GUTTER, top, max(10, self.width - GUTTER - MARGIN_RIGHT), height)

    def picture_rect(self, position: int) -> QRectF:
        """Return where the pictures of a lane are drawn: its length, as far as it is in view."""
        rect = self.lane_rect(position)
        left = self.axis.x_of(0.0, position)
        right = self.axis.x_of(self.lanes[position].duration_s, position)
        left = min(max(left, rect.left()), rect.right())
        right = min(max(right, left + (4 if self.axis.is_fit else 0)), rect.right())
        return QRectF(left, rect.top(), right - left, rect.height() - CONFIDENCE - 1)

    def part(self, position: int, start_s: float, end_s: float) -> QRectF:
        """Return what a stretch of a lane's own seconds covers on the screen."""
        picture = self.picture_rect(position)
        left = max(self.axis.x_of(start_s, position), picture.left())
        right = min(self.axis.x_of(end_s, position), picture.right())
        return QRectF(left, picture.top(), max(0.0, right - left), picture.height())

    def lane_at(self, y: float) -> int | None:
        """Return the number of the lane at ``y``; the ruler counts as the first."""
        if not self.lanes:
            return None
        for position in range(len(self.lanes)):
            if y < self.lane_rect(position).bottom() + GAP / 2:
                return position
        return len(self.lanes) - 1

    def range_xs(self) -> tuple[float, float] | None:
        """Return x of in and out."""
        if not self.lanes or self.lanes[0].range_s is None:
            return None
        start_s, end_s = self.lanes[0].range_s
        return self.axis.x_of(start_s), self.axis.x_of(end_s)
