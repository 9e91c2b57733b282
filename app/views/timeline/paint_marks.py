"""Drawing what people and searches put on the lanes: markers, phases, pins, range, hits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from app.resources.theme import THEME
from app.views.timeline.items import apart
from app.views.timeline.scene import PHASE_HEIGHT, RULER, Scene

if TYPE_CHECKING:
    from app.models.viewstate import Lane, LaneMark


def paint_marks(scene: Scene, painter: QPainter, position: int, lane: Lane) -> None:
    """Draw a lane's marks over its pictures; carried over ones are dashed and not filled."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font = painter.font()
    font.setPointSizeF(font.pointSizeF() * 0.8)
    painter.setFont(font)
    picture, axis = scene.picture_rect(position), scene.axis
    last_x = -1
    for mark in lane.marks:
        left = axis.x_of(mark.start_s, position)
        right = left if mark.end_s is None else axis.x_of(mark.end_s, position)
        if right < picture.left() or left > picture.right() or int(left) == last_x:
            continue  # markers that would begin at the same pixel are one
        last_x = int(left)
        if mark.end_s is None:
            _paint_marker(painter, picture, mark, left)
        else:
            _paint_phase(painter, picture, mark, left, right)
        scene.painted += 3
    painter.restore()


def paint_pins(scene: Scene, painter: QPainter, position: int, lane: Lane) -> None:
    """Draw what is pinned: over the prepared picture, for a pin that is dragged moves all along."""
    if not lane.pins:
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor("#101216"), 1.5))
    painter.setBrush(QColor("#ffffff"))
    picture, axis = scene.picture_rect(position), scene.axis
    y = picture.center().y()
    for x in apart(axis.xs_of(np.sort(np.asarray(lane.pins)), position), 3.0).tolist():
        if not picture.left() - 6 <= x <= picture.right() + 6:
            continue
        painter.drawPolygon(
            QPolygonF([QPointF(x, y - 6), QPointF(x + 5, y), QPointF(x, y + 6), QPointF(x - 5, y)])
        )
    painter.restore()


def _paint_marker(painter: QPainter, picture: QRectF, mark: LaneMark, x: float) -> None:
    style = Qt.PenStyle.DashLine if mark.is_derived else Qt.PenStyle.SolidLine
    for pen in (QPen(QColor(0, 0, 0, 200), 4), QPen(QColor(mark.colour or "#999999"), 2, style)):
        painter.setPen(pen)
        painter.drawLine(QPointF(x, picture.top()), QPointF(x, picture.bottom()))


def _paint_phase(
    painter: QPainter, picture: QRectF, mark: LaneMark, left: float, right: float
) -> None:
    colour = QColor(mark.colour or "#999999")
    left, right = max(left, picture.left()), min(right, picture.right())
    bar = QRectF(left, picture.bottom() - PHASE_HEIGHT, max(2.0, right - left), PHASE_HEIGHT)
    style = Qt.PenStyle.DashLine if mark.is_derived else Qt.PenStyle.SolidLine
    painter.setPen(QPen(colour, 1.5, style))
    painter.setBrush(QColor(16, 18, 22, 215) if mark.is_derived else colour)
    painter.drawRect(bar)
    if bar.width() > 24:
        text = QFontMetricsF(painter.font()).elidedText(
            mark.name, Qt.TextElideMode.ElideRight, bar.width() - 8
        )
        is_dark = mark.is_derived or colour.lightnessF() < 0.45
        painter.setPen(QColor("#ffffff" if is_dark else "#101216"))
        painter.drawText(bar.adjusted(4, 0, -4, 0), Qt.AlignmentFlag.AlignVCenter, text)


def paint_hits(scene: Scene, painter: QPainter, position: int, lane: Lane) -> None:
    """Draw a small flag for each moment the last search found."""
    if not lane.hits:
        return
    picture = scene.picture_rect(position)
    xs = apart(scene.axis.xs_of(np.sort(np.asarray(lane.hits)), position), 4.0)
    xs = xs[(xs >= picture.left() - 5) & (xs <= picture.right() + 5)]
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor("#101216"), 1))
    painter.setBrush(QColor("#ffe066"))
    top = picture.top() - 1
    for x in xs.tolist():
        painter.drawPolygon(
            QPolygonF([QPointF(x - 5, top), QPointF(x + 5, top), QPointF(x, top + 8)])
        )
    painter.restore()
    scene.painted += len(xs)


def paint_range(scene: Scene, painter: QPainter) -> None:
    """Draw in and out with handles on the ruler, and darken the reference's lane outside."""
    xs = scene.range_xs()
    if xs is None:
        return
    start, end = xs
    lane, picture = scene.lane_rect(0), scene.picture_rect(0)
    accent = QColor(THEME.colours.accent)
    shade = QColor(accent)
    shade.setAlpha(60)
    left, right = max(start, lane.left()), min(end, lane.right())
    if right > left:
        painter.fillRect(QRectF(left, RULER - 8, right - left, 7), shade)
    for a, b in ((picture.left(), start), (end, picture.right())):
        a, b = max(a, picture.left()), min(b, picture.right())
        if b > a:
            painter.fillRect(
                QRectF(a, picture.top(), b - a, picture.height()), QColor(0, 0, 0, 150)
            )
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font = painter.font()
    font.setPointSizeF(font.pointSizeF() * 0.75)
    font.setBold(True)
    painter.setFont(font)
    for x, letter, is_start in ((start, "I", True), (end, "O", False)):
        if not lane.left() - 8 <= x <= lane.right() + 8:
            continue
        painter.fillRect(QRectF(x - 1, RULER - 14, 2, picture.bottom() - RULER + 14), accent)
        flag = QRectF(x - 13 if is_start else x, RULER - 16, 13, 15)
        flag.moveRight(min(flag.right(), lane.right() + 8))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(accent)
        painter.drawRoundedRect(flag, 3, 3)
        painter.setPen(QColor(THEME.colours.on_accent))
        painter.drawText(flag, Qt.AlignmentFlag.AlignCenter, letter)
        scene.painted += 3
    painter.restore()
