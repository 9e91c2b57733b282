"""Lanes: one per recording in its own time, joined by threads where they show the same moment."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.resources.text import format_time
from app.resources.theme import PLAYHEAD, THEME
from app.views.lane_marks import paint_marks
from app.views.painting import draw_chip, image_over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.models.viewstate import Lane, Thumbnail

GUTTER = 150
"""Width of the names."""

RULER = 22
MARGIN_RIGHT = 14
GAP = 24
"""Between two lanes; the threads run here."""

CONFIDENCE = 6
LANE_MIN, LANE_MAX = 30, 64
BOTTOM = 6
STRIP_DELAY_MS = 30


class Timeline(QWidget):
    """Paints the lanes; click or drag in a lane to go there.

    Signals
    -------
    seek_requested(str, float) : recording id and its own seconds
    scrub_started(), scrub_ended() : the user holds and lets go of the playhead
    lane_pressed(str) : a recording was chosen
    """

    seek_requested = Signal(str, float)
    scrub_started = Signal()
    scrub_ended = Signal()
    lane_pressed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lanes: tuple[Lane, ...] = ()
        self._thumbnails: dict[str, list[tuple[float, QPixmap]]] = {}
        self._strips: dict[str, QPixmap] = {}
        self._playheads: dict[str, float | None] = {}
        self._scrubbed = ""
        self._still: QPixmap | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setObjectName("timeline")
        self.setAccessibleName(self.tr("Timeline"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self._strip_timer = QTimer(self)
        self._strip_timer.setSingleShot(True)
        self._strip_timer.setInterval(STRIP_DELAY_MS)
        self._strip_timer.timeout.connect(self._make_strips)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """What is shown."""
        return self._lanes

    def set_lanes(self, lanes: tuple[Lane, ...]) -> None:
        """Show these lanes; thumbnails of those that stay are kept."""
        ids = {lane.recording_id for lane in lanes}
        is_other = [lane.recording_id for lane in lanes] != [e.recording_id for e in self._lanes]
        self._lanes = lanes
        for known in (self._thumbnails, self._strips, self._playheads):
            for recording_id in [i for i in known if i not in ids]:
                del known[recording_id]
        if is_other:
            self.updateGeometry()
            self._strip_timer.start()
        self.setAccessibleDescription(
            "; ".join(
                f"{e.letter} {e.name}, {format_time(e.duration_s, decimals=0)}" for e in lanes
            )
        )
        self._redraw()

    def add_thumbnail(self, recording_id: str, thumbnail: Thumbnail) -> None:
        """Add a picture to a lane."""
        pixmap = QPixmap.fromImage(image_over(thumbnail.pixels))
        pictures = self._thumbnails.setdefault(recording_id, [])
        at = bisect_left([time_s for time_s, _ in pictures], thumbnail.time_s)
        pictures.insert(at, (thumbnail.time_s, pixmap))
        self._strip_timer.start()

    def set_playheads(self, times_s: Mapping[str, float | None]) -> None:
        """Show each recording's own time."""
        if self._playheads != times_s:
            before = self._playhead_area()
            self._playheads = dict(times_s)
            self.update(before.united(self._playhead_area()))

    # Geometry ----------------------------------------------------------------------------------

    def lane_rect(self, position: int) -> QRectF:
        """Return where lane ``position`` is drawn."""
        count = max(1, len(self._lanes))
        room = self.height() - RULER - BOTTOM - GAP * (count - 1)
        height = min(max(room / count, LANE_MIN), LANE_MAX)
        top = RULER + position * (height + GAP)
        return QRectF(GUTTER, top, max(10, self.width() - GUTTER - MARGIN_RIGHT), height)

    def x_of(self, time_s: float) -> float:
        """Return the x of a recording's own seconds; all lanes share the scale."""
        return GUTTER + time_s / self._span_s() * (self.width() - GUTTER - MARGIN_RIGHT)

    def time_of(self, x: float) -> float:
        """Return the seconds at ``x``."""
        return (x - GUTTER) / max(1, self.width() - GUTTER - MARGIN_RIGHT) * self._span_s()

    def _span_s(self) -> float:
        return max((lane.duration_s for lane in self._lanes), default=1.0) or 1.0

    def _bar(self, position: int) -> QRectF:
        """Return a lane's rectangle over its own length."""
        rect = self.lane_rect(position)
        rect.setRight(max(rect.left() + 4, self.x_of(self._lanes[position].duration_s)))
        return rect

    # Painting ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what stands still from one prepared picture, and the playheads over it."""
        if self._still is None:
            self._still = self._make_still()
        painter = QPainter(self)
        ratio = self._still.devicePixelRatio()
        part = QRectF(event.rect())
        source = QRectF(
            part.x() * ratio, part.y() * ratio, part.width() * ratio, part.height() * ratio
        )
        painter.drawPixmap(part, self._still, source)
        self._paint_playheads(painter)
        painter.end()

    def _make_still(self) -> QPixmap:
        """Draw all but the playheads once: painting 60 times a second must cost next to nothing."""
        ratio = self.devicePixelRatioF()
        still = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        still.setDevicePixelRatio(ratio)
        still.fill(QColor(THEME.colours.surface))
        if self._lanes:
            painter = QPainter(still)
            painter.setFont(self.font())
            self._paint_ruler(painter)
            for position, lane in enumerate(self._lanes):
                if position:
                    self._paint_threads(painter, position)
                self._paint_lane(painter, position, lane)
            painter.end()
        return still

    def _redraw(self) -> None:
        self._still = None
        self.update()

    def _playhead_area(self) -> QRect:
        """Return what the playheads cover."""
        xs = [
            self.x_of(min(time_s, lane.duration_s))
            for lane in self._lanes
            if (time_s := self._playheads.get(lane.recording_id)) is not None
        ]
        if not xs:
            return QRect()
        left, right = int(min(xs)) - 9, int(max(xs)) + 10
        return QRect(left, 0, right - left, self.height())

    def _paint_ruler(self, painter: QPainter) -> None:
        colours = THEME.colours
        span_s = self._span_s()
        width = self.width() - GUTTER - MARGIN_RIGHT
        step_s = nice_step(span_s / max(2.0, width / 90))
        decimals = 0 if step_s >= 1 else (1 if step_s >= 0.1 else 2)
        small = painter.font()
        small.setPointSizeF(small.pointSizeF() * 0.85)
        painter.save()
        painter.setFont(small)
        count = int(span_s / step_s + 1e-9)
        for tick in range(count + 1):
            x = self.x_of(tick * step_s)
            painter.setPen(QColor(colours.line))
            painter.drawLine(QPointF(x, RULER - 6), QPointF(x, RULER - 1))
            painter.setPen(QColor(colours.dim))
            text = format_time(tick * step_s, decimals=decimals)
            label = QRectF(x - 45, 0, 90, RULER - 6)
            label.moveRight(min(label.right(), self.width() + 30.0))
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()

    def _paint_lane(self, painter: QPainter, position: int, lane: Lane) -> None:
        colours = THEME.colours
        rect = self.lane_rect(position)
        bar = self._bar(position)
        picture = QRectF(bar.left(), bar.top(), bar.width(), bar.height() - CONFIDENCE - 1)
        self._paint_name(painter, rect, lane)
        painter.fillRect(picture, QColor(colours.picture))
        strip = self._strips.get(lane.recording_id)
        if strip is not None:
            painter.drawPixmap(picture, strip, QRectF(strip.rect()))
        if lane.mapped or lane.confidence is not None:
            self._paint_unmapped(painter, picture, lane)
        if lane.confidence is not None:
            self._paint_confidence(painter, bar, lane)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        edge = QColor(colours.accent) if lane.is_active else QColor(colours.line)
        painter.setPen(QPen(edge, 1))
        painter.drawRect(picture.adjusted(-0.5, -0.5, 0.5, 0.5))
        paint_marks(painter, picture, lane, self.x_of)
        self._paint_hits(painter, picture, lane)

    def _paint_name(self, painter: QPainter, rect: QRectF, lane: Lane) -> None:
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

    def _paint_unmapped(self, painter: QPainter, picture: QRectF, lane: Lane) -> None:
        """Hatch what has no counterpart: not by colour alone."""
        edges = [0.0]
        for start_s, end_s in lane.mapped:
            edges += [start_s, end_s]
        edges.append(lane.duration_s)
        for start_s, end_s in zip(edges[::2], edges[1::2], strict=True):
            # Samples are some frames apart: the last frames are no gap.
            if end_s - start_s < max(lane.duration_s * 0.01, 0.25):
                continue
            left, right = self.x_of(start_s), self.x_of(end_s)
            part = QRectF(left, picture.top(), right - left, picture.height())
            painter.fillRect(part, QColor(10, 11, 13, 165))
            painter.fillRect(part, QBrush(QColor(255, 255, 255, 60), Qt.BrushStyle.BDiagPattern))

    def _paint_confidence(self, painter: QPainter, bar: QRectF, lane: Lane) -> None:
        """Draw a low hill: its height is the confidence."""
        floor = bar.bottom()
        track = QRectF(bar.left(), floor - CONFIDENCE, bar.width(), CONFIDENCE)
        painter.fillRect(track, QColor(THEME.colours.raised))
        if lane.confidence is None or len(lane.confidence) < 2:
            return
        points = lane.confidence
        if len(points) > 2 * bar.width():
            points = points[:: int(len(points) // bar.width())]
        hill = QPolygonF([QPointF(self.x_of(float(points[0, 0])), floor)])
        for time_s, value in points:
            hill.append(QPointF(self.x_of(float(time_s)), floor - float(value) * CONFIDENCE))
        hill.append(QPointF(self.x_of(float(points[-1, 0])), floor))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(THEME.colours.good))
        painter.drawPolygon(hill)

    def _paint_threads(self, painter: QPainter, position: int) -> None:
        lane = self._lanes[position]
        if lane.threads is None or not len(lane.threads):
            return
        top = self._bar(position - 1).bottom() + 1
        bottom = self._bar(position).top() - 1
        colour = QColor(THEME.colours.dim)
        colour.setAlpha(120)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colour, 1))
        for above_s, below_s in lane.threads:
            painter.drawLine(
                QPointF(self.x_of(float(above_s)), top), QPointF(self.x_of(float(below_s)), bottom)
            )
        painter.restore()

    def _paint_hits(self, painter: QPainter, picture: QRectF, lane: Lane) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor("#101216"), 1))
        painter.setBrush(QColor("#ffe066"))
        for time_s in lane.hits:
            x = self.x_of(time_s)
            top = picture.top() - 1
            painter.drawPolygon(
                QPolygonF([QPointF(x - 5, top), QPointF(x + 5, top), QPointF(x, top + 8)])
            )
        painter.restore()

    def _paint_playheads(self, painter: QPainter) -> None:
        # Upright lines as filled rectangles: antialiased ones cost 20 times as much.
        colour, edge = QColor(PLAYHEAD), QColor(0, 0, 0, 170)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        previous: QPointF | None = None
        for position, lane in enumerate(self._lanes):
            time_s = self._playheads.get(lane.recording_id)
            if time_s is None:
                previous = None
                continue
            bar = self._bar(position)
            x = round(self.x_of(min(time_s, lane.duration_s)))
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

    def _make_strips(self) -> None:
        """Lay each lane's pictures side by side, nearest in time to each place."""
        ratio = self.devicePixelRatioF()
        for position, lane in enumerate(self._lanes):
            pictures = self._thumbnails.get(lane.recording_id)
            if not pictures:
                continue
            bar = self._bar(position)
            height = bar.height() - CONFIDENCE - 1
            first = pictures[0][1]
            width = max(4.0, height * first.width() / first.height())
            strip = QPixmap(round(bar.width() * ratio), round(height * ratio))
            strip.setDevicePixelRatio(ratio)
            strip.fill(QColor(THEME.colours.picture))
            painter = QPainter(strip)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            times = np.asarray([time_s for time_s, _ in pictures])
            for slot in range(int(np.ceil(bar.width() / width))):
                centre_s = self.time_of(bar.left() + (slot + 0.5) * width)
                nearest = int(np.abs(times - centre_s).argmin())
                picture = pictures[nearest][1]
                place = QRectF(slot * width, 0, width, height)
                painter.drawPixmap(place, picture, QRectF(picture.rect()))
            painter.end()
            self._strips[lane.recording_id] = strip
        self._redraw()

    # Events ------------------------------------------------------------------------------------

    def lane_at(self, y: float) -> int | None:
        """Return the number of the lane at ``y``; the ruler counts as the first."""
        if not self._lanes:
            return None
        for position in range(len(self._lanes)):
            if y < self.lane_rect(position).bottom() + GAP / 2:
                return position
        return len(self._lanes) - 1

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to a moment, or choose a recording by its name."""
        position = self.lane_at(event.position().y())
        if position is None or event.button() != Qt.MouseButton.LeftButton:
            return
        lane = self._lanes[position]
        if event.position().y() >= RULER:
            self.lane_pressed.emit(lane.recording_id)
        if event.position().x() < GUTTER - 4:
            return
        self._scrubbed = lane.recording_id
        self.scrub_started.emit()
        self._seek(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the playhead."""
        if self._scrubbed:
            self._seek(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of the playhead."""
        if self._scrubbed:
            self._scrubbed = ""
            self.scrub_ended.emit()

    def _seek(self, x: float) -> None:
        lane = next((e for e in self._lanes if e.recording_id == self._scrubbed), None)
        if lane is not None:
            time_s = min(max(self.time_of(x), 0.0), lane.duration_s)
            self.seek_requested.emit(lane.recording_id, time_s)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay the pictures anew."""
        self._still = None
        self._strip_timer.start()
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._still = None
            self._strip_timer.start()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        """Return room for all lanes."""
        count = max(1, len(self._lanes))
        return QSize(600, RULER + BOTTOM + count * 50 + (count - 1) * GAP)

    def minimumSizeHint(self) -> QSize:
        """Return room for all lanes at their lowest."""
        count = max(1, len(self._lanes))
        return QSize(300, RULER + BOTTOM + count * LANE_MIN + (count - 1) * GAP)


def _stem(name: str) -> str:
    """Leave out the suffix: there is little room."""
    return name.rpartition(".")[0] or name


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 15, 30, 60 … (times a power of ten below 1) >= least."""
    steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800]
    return next((s for s in steps if s >= least), 3600.0)
