"""Drawing what stands still: ruler, lanes, pictures, confidence, gaps, threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPen, QPixmap, QPolygonF

from app.resources.text import format_time
from app.resources.theme import THEME
from app.views.painting import draw_chip
from app.views.timeline.axis import GUTTER
from app.views.timeline.items import (
    FRAME_RULER,
    frame_borders,
    frame_width,
    reduced,
    ruler_ticks,
    thread_pairs,
)
from app.views.timeline.paint_marks import paint_hits, paint_marks, paint_range
from app.views.timeline.scene import CONFIDENCE, RULER, Scene

if TYPE_CHECKING:
    from app.models.viewstate import Lane

INK = QColor(10, 11, 13, 165)
_LABEL = QColor(10, 11, 13, 215)


def paint_still(scene: Scene, painter: QPainter) -> None:
    """Draw everything but playheads and what follows the mouse."""
    scene.painted = 0
    if not scene.lanes:
        return
    _paint_ruler(scene, painter)
    room = QRectF(GUTTER - 1, 0, scene.lane_rect(0).width() + 2, scene.height)
    for position, lane in enumerate(scene.lanes):
        painter.save()
        painter.setClipRect(room)
        if position:
            _paint_threads(scene, painter, position)
        _paint_lane(scene, painter, position, lane)
        painter.restore()
        _paint_name(scene, painter, position, lane)
    painter.save()
    painter.setClipRect(room.adjusted(-8, 0, 8, 0))
    for position, lane in enumerate(scene.lanes):
        paint_marks(scene, painter, position, lane)
        paint_hits(scene, painter, position, lane)
    paint_range(scene, painter)
    painter.restore()


def _paint_ruler(scene: Scene, painter: QPainter) -> None:
    colours, axis, lane = THEME.colours, scene.axis, scene.lanes[0]
    painter.save()
    small = painter.font()
    small.setPointSizeF(small.pointSizeF() * 0.85)
    painter.setFont(small)
    counts_frames = frame_width(lane, axis) >= FRAME_RULER
    if not axis.is_fit:
        painter.setPen(QColor(colours.dim))
        decimals = 2 if axis.span_s < 10 else (1 if axis.span_s < 60 else 0)
        start, end = (format_time(t, decimals=decimals) for t in (axis.start_s, axis.end_s))
        painter.drawText(
            QRectF(10, 0, GUTTER - 18, RULER - 4), Qt.AlignmentFlag.AlignVCenter, f"{start} – {end}"
        )
    painter.setClipRect(QRectF(GUTTER - 8, 0, scene.width, RULER))
    for tick in ruler_ticks(lane, axis):
        painter.setPen(QColor(colours.line if not tick.text else colours.dim))
        high = 5 if tick.text else 3
        painter.drawLine(QPointF(tick.x, RULER - 1 - high), QPointF(tick.x, RULER - 1))
        scene.painted += 1
        if tick.text:
            label = QRectF(tick.x - 45, 0, 90, RULER - 6)
            if counts_frames:
                label = QRectF(tick.x + 2, 0, 90, RULER - 6)
            label.moveRight(min(label.right(), scene.width + 30.0))
            label.moveLeft(max(label.left(), GUTTER - 8 - 45 + 24.0))
            side = Qt.AlignmentFlag.AlignLeft if counts_frames else Qt.AlignmentFlag.AlignHCenter
            painter.drawText(label, side | Qt.AlignmentFlag.AlignVCenter, tick.text)
            scene.painted += 1
    painter.restore()


def _paint_lane(scene: Scene, painter: QPainter, position: int, lane: Lane) -> None:
    colours = THEME.colours
    picture = scene.picture_rect(position)
    if picture.width() > 0:
        painter.fillRect(picture, QColor(colours.picture))
        _paint_pictures(scene, painter, position, lane, picture)
        _paint_borders(scene, painter, position, lane, picture)
        _paint_unmapped(scene, painter, position, lane)
        _paint_uncertain(scene, painter, position, lane)
        _paint_curve(scene, painter, position, lane, picture)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        edge = QColor(colours.accent) if lane.is_active else QColor(colours.line)
        painter.setPen(QPen(edge, 1))
        painter.drawRect(picture.adjusted(-0.5, -0.5, 0.5, 0.5))
        scene.painted += 2
    if lane.confidence is not None:
        _paint_confidence(scene, painter, position, lane)


def _paint_name(scene: Scene, painter: QPainter, position: int, lane: Lane) -> None:
    rect = scene.lane_rect(position)
    middle = rect.center().y() - CONFIDENCE / 2
    draw_chip(painter, QRectF(10, middle - 10, 20, 19), lane.letter, lane.position)
    painter.setPen(QColor(THEME.colours.text if lane.is_active else THEME.colours.dim))
    room = GUTTER - 38 - 10
    name = QFontMetricsF(painter.font()).elidedText(
        _stem(lane.name), Qt.TextElideMode.ElideRight, room
    )
    painter.drawText(
        QRectF(38, middle - 12, room, 24),
        Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
        name,
    )
    scene.painted += 2


def _paint_pictures(
    scene: Scene, painter: QPainter, position: int, lane: Lane, picture: QRectF
) -> None:
    """Lay pictures side by side; a place that waits for its own shows its neighbour faintly."""
    height = picture.height()
    drawn: QPixmap | None = None
    painter.save()
    painter.setClipRect(picture, Qt.ClipOperation.IntersectClip)
    for slot in scene.pictures.slots(lane, scene.axis, position, height):
        found = scene.pictures.nearest(lane.recording_id, slot, height, scene.ratio)
        if found is None:
            break
        pixmap, is_inside = found
        wide = pixmap.width() / scene.ratio
        if not is_inside and drawn is pixmap and slot.width > wide * 1.5:
            continue  # one frame over many places says nothing
        painter.setOpacity(1.0 if is_inside else 0.45)
        at = slot.x + max(0.0, (slot.width - wide) / 2)
        painter.drawPixmap(QPointF(at, picture.top()), pixmap)
        drawn = pixmap
        scene.painted += 1
    painter.restore()


def _paint_borders(
    scene: Scene, painter: QPainter, position: int, lane: Lane, picture: QRectF
) -> None:
    """Mark where each frame begins: over the whole height where frames are wide."""
    xs = frame_borders(lane, scene.axis, position)
    if not len(xs):
        return
    high = picture.height() if frame_width(lane, scene.axis) >= 24 else 6.0
    dark, bright = QColor(0, 0, 0, 150), QColor(255, 255, 255, 150)
    for x in xs.tolist():
        painter.fillRect(QRectF(round(x) - 1, picture.bottom() - high, 3, high), dark)
        painter.fillRect(QRectF(round(x), picture.bottom() - high, 1, high), bright)
    scene.painted += 2 * len(xs)


def _paint_unmapped(scene: Scene, painter: QPainter, position: int, lane: Lane) -> None:
    """Hatch what has no counterpart: not by colour alone."""
    if not lane.mapped and lane.confidence is None:
        return
    edges = [0.0]
    for start_s, end_s in lane.mapped:
        edges += [start_s, end_s]
    edges.append(lane.duration_s)
    text = QCoreApplication.translate("Timeline", "no counterpart")
    for start_s, end_s in zip(edges[::2], edges[1::2], strict=True):
        # Samples are some frames apart: the last frames are no gap.
        if end_s - start_s >= max(lane.duration_s * 0.01, 0.25):
            part = scene.part(position, start_s, end_s)
            lines = QBrush(QColor(255, 255, 255, 60), Qt.BrushStyle.BDiagPattern)
            _hatch(scene, painter, part, INK, lines, text)


def _paint_uncertain(scene: Scene, painter: QPainter, position: int, lane: Lane) -> None:
    """Hatch the other way where the map may be wrong, and say so where there is room."""
    shade = QColor("#f3bb52")  # over pictures, in both themes
    shade.setAlpha(45)
    line = QColor("#f3bb52")
    line.setAlpha(120)
    lines = QBrush(line, Qt.BrushStyle.FDiagPattern)
    text = QCoreApplication.translate("Timeline", "uncertain")
    for start_s, end_s in lane.uncertain:
        _hatch(scene, painter, scene.part(position, start_s, end_s), shade, lines, text)


def _hatch(
    scene: Scene, painter: QPainter, part: QRectF, shade: QColor, lines: QBrush, text: str
) -> None:
    if part.width() <= 0:
        return
    painter.fillRect(part, shade)
    painter.fillRect(part, lines)
    scene.painted += 2
    needed = QFontMetricsF(painter.font()).horizontalAdvance(text) + 10
    if part.width() < needed + 8 or part.height() < 20:
        return
    label = QRectF(part.center().x() - needed / 2, part.top() + 3, needed, 16)
    painter.fillRect(label, _LABEL)
    painter.setPen(QColor("#e9ebee"))
    painter.drawText(label, Qt.AlignmentFlag.AlignCenter, text)
    scene.painted += 2


def _paint_confidence(scene: Scene, painter: QPainter, position: int, lane: Lane) -> None:
    """Draw a low hill: its height is the confidence, of each pixel the least."""
    assert lane.confidence is not None
    rect, picture = scene.lane_rect(position), scene.picture_rect(position)
    floor = rect.bottom()
    track = QRectF(picture.left(), floor - CONFIDENCE, picture.width(), CONFIDENCE)
    painter.fillRect(track, QColor(THEME.colours.raised))
    scene.painted += 1
    xs, values = reduced(lane.confidence, scene.axis, position, take_least=True)
    if len(xs) < 2:
        return
    hill = QPolygonF([QPointF(xs[0], floor)])
    for x, value in zip(xs.tolist(), values.tolist(), strict=True):
        hill.append(QPointF(x, floor - value * CONFIDENCE))
    hill.append(QPointF(xs[-1], floor))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(THEME.colours.good))
    painter.drawPolygon(hill)
    scene.painted += len(xs)


def _paint_curve(
    scene: Scene, painter: QPainter, position: int, lane: Lane, picture: QRectF
) -> None:
    """Draw how alike each moment is to what was looked for, over the pictures."""
    if lane.curve is None or len(lane.curve) < 2:
        return
    xs, values = reduced(lane.curve, scene.axis, position, take_least=False)
    if len(xs) < 2:
        return
    ys = picture.bottom() - 2 - np.clip(values, 0.0, 1.0) * (picture.height() - 4)
    line = QPolygonF([QPointF(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)])
    painter.save()
    painter.setClipRect(picture, Qt.ClipOperation.IntersectClip)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, width in ((QColor(0, 0, 0, 190), 3.5), (QColor("#ffe066"), 1.5)):
        painter.setPen(QPen(colour, width))
        painter.drawPolyline(line)
    painter.restore()
    scene.painted += 2 * len(xs)


def _paint_threads(scene: Scene, painter: QPainter, position: int) -> None:
    above, below = scene.lanes[position - 1], scene.lanes[position]
    has_strip = above.confidence is not None
    over = scene.lane_rect(position - 1) if has_strip else scene.picture_rect(position - 1)
    top = over.bottom() + 1
    bottom = scene.lane_rect(position).top() - 1
    colour = QColor(THEME.colours.dim)
    colour.setAlpha(120)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colour, 1))
    for up, down in thread_pairs(above, below, scene.axis, position).tolist():
        painter.drawLine(QPointF(up, top), QPointF(down, bottom))
        scene.painted += 1
    painter.restore()


def _stem(name: str) -> str:
    """Leave out the suffix: there is little room."""
    return name.rpartition(".")[0] or name
