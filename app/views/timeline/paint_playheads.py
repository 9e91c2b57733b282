"""Drawing where we are: 60 times a second while playing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from app.resources.theme import PLAYHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def paint_playheads(
    painter: QPainter, xs: Sequence[float | None], lane_rect: Callable[[int], QRectF]
) -> None:
    """Draw a line on each lane and join neighbours; None = this lane shows nothing now."""
    # Upright lines as filled rectangles: antialiased ones cost 20 times as much.
    colour, edge = QColor(PLAYHEAD), QColor(0, 0, 0, 170)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    previous: QPointF | None = None
    for position, place in enumerate(xs):
        if place is None:
            previous = None
            continue
        bar, x = lane_rect(position), round(place)
        top, bottom = bar.top() - (6 if position == 0 else 1), bar.bottom()
        painter.fillRect(QRectF(x - 2, top, 4, bottom - top), edge)
        painter.fillRect(QRectF(x - 1, top, 2, bottom - top), colour)
        if previous is not None:
            painter.setPen(QPen(colour, 1.5))
            painter.drawLine(previous, QPointF(x, top))
        if position == 0:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            y = bar.top() - 1
            painter.drawPolygon(
                QPolygonF([QPointF(x - 6, y - 9), QPointF(x + 6, y - 9), QPointF(x, y)])
            )
        previous = QPointF(x, bottom)
