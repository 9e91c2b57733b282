"""Markers, phases, pins and the range that is played, drawn on a lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.models.viewstate import Lane

PHASE_HEIGHT = 14.0


def paint_marks(
    painter: QPainter, picture: QRectF, lane: Lane, x_of: Callable[[float], float]
) -> None:
    """Draw a lane's marks over its pictures; carried over ones are dashed and not filled."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font = painter.font()
    font.setPointSizeF(font.pointSizeF() * 0.8)
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    if lane.range_s is not None:
        start, end = (x_of(time_s) for time_s in lane.range_s)
        shade = QColor(0, 0, 0, 150)
        painter.fillRect(
            QRectF(picture.left(), picture.top(), start - picture.left(), picture.height()), shade
        )
        painter.fillRect(QRectF(end, picture.top(), picture.right() - end, picture.height()), shade)
        painter.setPen(QPen(QColor("#ffffff"), 2))
        for x, side in ((start, 1), (end, -1)):
            painter.drawLine(QPointF(x, picture.top()), QPointF(x, picture.bottom()))
            for y in (picture.top() + 1, picture.bottom() - 1):
                painter.drawLine(QPointF(x, y), QPointF(x + side * 5, y))
    for mark in lane.marks:
        colour = QColor(mark.colour or "#999999")
        style = Qt.PenStyle.DashLine if mark.is_derived else Qt.PenStyle.SolidLine
        left = x_of(mark.start_s)
        if mark.end_s is None:
            painter.setPen(QPen(QColor(0, 0, 0, 200), 4))
            painter.drawLine(QPointF(left, picture.top()), QPointF(left, picture.bottom()))
            painter.setPen(QPen(colour, 2, style))
            painter.drawLine(QPointF(left, picture.top()), QPointF(left, picture.bottom()))
            continue
        right = x_of(mark.end_s)
        bar = QRectF(left, picture.bottom() - PHASE_HEIGHT, max(2.0, right - left), PHASE_HEIGHT)
        painter.setPen(QPen(colour, 1.5, style))
        painter.setBrush(QColor(16, 18, 22, 215) if mark.is_derived else colour)
        painter.drawRect(bar)
        if bar.width() > 24:
            text = metrics.elidedText(mark.name, Qt.TextElideMode.ElideRight, bar.width() - 8)
            is_dark = mark.is_derived or colour.lightnessF() < 0.45
            painter.setPen(QColor("#ffffff" if is_dark else "#101216"))
            painter.drawText(bar.adjusted(4, 0, -4, 0), Qt.AlignmentFlag.AlignVCenter, text)
    painter.setPen(QPen(QColor("#101216"), 1.5))
    painter.setBrush(QColor("#ffffff"))
    for time_s in lane.pins:
        x, y = x_of(time_s), picture.center().y()
        painter.drawPolygon(
            QPolygonF([QPointF(x, y - 6), QPointF(x + 5, y), QPointF(x, y + 6), QPointF(x - 5, y)])
        )
    painter.restore()
