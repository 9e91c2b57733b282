"""Lanes: one per recording in its own time, joined by threads where they show the same moment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.resources.theme import THEME
from app.views.timeline.axis import GUTTER, MARGIN_RIGHT, Axis
from app.views.timeline.describe import description, text_at
from app.views.timeline.paint_lanes import paint_still
from app.views.timeline.paint_marks import paint_pins
from app.views.timeline.paint_playheads import paint_playheads
from app.views.timeline.range_drag import RangeDrag
from app.views.timeline.scene import BOTTOM, CONFIDENCE, GAP, LANE_MIN, RULER, Scene
from app.views.timeline.scroll import ViewBar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.models.viewstate import Lane, PicturesWish, Thumbnail

WISH_DELAY_MS = 150
"""Rest after moving the view before pictures are asked for."""

WHEEL_STEP = 1.25
"""Zoom of one notch of the wheel."""

_NOTCH = 120.0


class Timeline(QWidget):
    """Paints the lanes; click or drag in a lane to go there, turn the wheel to zoom.

    Signals
    -------
    seek_requested(str, float) : recording id and its own seconds
    scrub_started(), scrub_ended() : the user holds and lets go of the playhead
    lane_pressed(str) : a recording was chosen
    range_wanted(float, float) : in and out were dragged here, seconds of the reference
    view_changed() : other times are in view
    pictures_wanted(tuple[PicturesWish, ...]) : places in view that have no picture of their own
    menu_requested(QPoint) : right click, after going there; a place on the screen
    """

    seek_requested = Signal(str, float)
    scrub_started = Signal()
    scrub_ended = Signal()
    lane_pressed = Signal(str)
    range_wanted = Signal(float, float)
    view_changed = Signal()
    pictures_wanted = Signal(object)
    menu_requested = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = Scene()
        self._playheads: dict[str, float | None] = {}
        self._scrubbed = ""
        self._range = RangeDrag(self._scene)
        self._panned_from: QPointF | None = None
        self._still: QPixmap | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setObjectName("timeline")
        self.setAccessibleName(self.tr("Timeline"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self._bar = ViewBar(self)
        self._bar.scrolled.connect(self._on_bar)
        self._wish_timer = QTimer(self)
        self._wish_timer.setSingleShot(True)
        self._wish_timer.setInterval(WISH_DELAY_MS)
        self._wish_timer.timeout.connect(self._wish)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """What is shown."""
        return self._scene.lanes

    @property
    def axis(self) -> Axis:
        """Which time is where; change it by this widget's methods."""
        return self._scene.axis

    @property
    def painted(self) -> int:
        """Shapes of the last painting: bounded by the pixels, not by the recordings."""
        return self._scene.painted

    def set_lanes(self, lanes: tuple[Lane, ...]) -> None:
        """Show these lanes; thumbnails of those that stay are kept."""
        ids = [lane.recording_id for lane in lanes]
        is_other = ids != [e.recording_id for e in self._scene.lanes]
        self._scene.lanes = lanes
        self._scene.pictures.keep_only(ids)
        self._playheads = {k: v for k, v in self._playheads.items() if k in ids}
        self._scene.axis.set_lanes(lanes)
        if is_other:
            self._scene.axis.fit()
            self.updateGeometry()
        self._on_view()

    def set_pins(self, pins: Mapping[str, tuple[float, ...]]) -> None:
        """Show what is pinned, by recording; all else stays."""
        self._scene.lanes = tuple(
            replace(lane, pins=pins.get(lane.recording_id, ())) for lane in self._scene.lanes
        )
        self.update()

    def add_thumbnail(self, recording_id: str, thumbnail: Thumbnail) -> None:
        """Add a picture to a lane."""
        axis = self._scene.axis
        self._scene.pictures.add(recording_id, thumbnail, axis.start_s + axis.span_s / 2)
        self._redraw()

    def set_playheads(self, times_s: Mapping[str, float | None]) -> None:
        """Show each recording's own time; turn the page when it leaves the view."""
        if self._playheads == times_s:
            return
        before = self._playhead_area()
        self._playheads = dict(times_s)
        self.update(before.united(self._playhead_area()))
        if self.lanes and not self._scrubbed and self._panned_from is None:
            reference_s = self._playheads.get(self.lanes[0].recording_id)
            if reference_s is not None and self._scene.axis.reveal(reference_s):
                self._on_view()

    # What is in view ---------------------------------------------------------------------------

    def fit(self) -> None:
        """Show everything."""
        self._scene.axis.fit()
        self._on_view()

    def zoom(self, factor: float) -> None:
        """Show ``factor`` times as much detail around the playhead, or the middle."""
        reference_s = self._playheads.get(self.lanes[0].recording_id) if self.lanes else None
        axis = self._scene.axis
        is_seen = reference_s is not None and axis.start_s <= reference_s <= axis.end_s
        at_s = (
            reference_s if is_seen and reference_s is not None else axis.start_s + axis.span_s / 2
        )
        self._zoom_at(axis.x_of(at_s), factor)

    def show_stretch(self, start_s: float, end_s: float) -> None:
        """Show this stretch of the reference, and nothing else of it."""
        axis = self._scene.axis
        before = (axis.start_s, axis.span_s)
        axis.show_exactly(start_s, end_s)
        if before != (axis.start_s, axis.span_s):
            self._on_view()

    def _zoom_at(self, x: float, factor: float) -> None:
        self._scene.axis.zoom_at(x, factor)
        self._on_view()

    def _on_bar(self, start_s: float) -> None:
        axis = self._scene.axis
        axis.pan(start_s - axis.start_s)
        self._on_view()

    def _on_view(self) -> None:
        self._bar.follow(self._scene.axis)
        self.setAccessibleDescription(description(self._scene))
        self._wish_timer.start()
        self._redraw()
        self.view_changed.emit()

    def _wish(self) -> None:
        scene = self._scene
        wishes: list[PicturesWish] = []
        for position, lane in enumerate(scene.lanes):
            if scene.pictures.count(lane.recording_id):
                height = scene.picture_rect(position).height()
                wish = scene.pictures.wish(lane, scene.axis, position, height)
                if wish is not None:
                    wishes.append(wish)
        if wishes:
            self.pictures_wanted.emit(tuple(wishes))

    # Geometry ----------------------------------------------------------------------------------

    def lane_rect(self, position: int) -> QRectF:
        """Return where lane ``position`` is drawn."""
        return self._scene.lane_rect(position)

    def x_of(self, time_s: float, position: int = 0) -> float:
        """Return the x of own seconds of the recording on lane ``position``."""
        return self._scene.axis.x_of(time_s, position)

    def time_of(self, x: float, position: int = 0) -> float:
        """Return the own seconds at ``x`` of the recording on lane ``position``."""
        return self._scene.axis.time_of(x, position)

    # Painting ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what stands still from one prepared picture, and pins and playheads over it."""
        if self._still is None:
            self._still = self._make_still()
        painter = QPainter(self)
        ratio = self._still.devicePixelRatio()
        part = QRectF(event.rect())
        source = QRectF(
            part.x() * ratio, part.y() * ratio, part.width() * ratio, part.height() * ratio
        )
        painter.drawPixmap(part, self._still, source)
        if self._scene.lanes:
            room = self._scene.lane_rect(0)
            painter.setClipRect(QRectF(room.left() - 7, 0, room.width() + 14, self.height()))
            for position, lane in enumerate(self._scene.lanes):
                paint_pins(self._scene, painter, position, lane)
            paint_playheads(painter, self._playhead_xs(), self.lane_rect)
        if self.hasFocus():
            painter.setClipping(False)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(THEME.colours.accent), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def _make_still(self) -> QPixmap:
        """Draw all but playheads and pins once: painting 60 times a second must be cheap."""
        scene = self._scene
        scene.ratio = self.devicePixelRatioF()
        still = QPixmap(round(self.width() * scene.ratio), round(self.height() * scene.ratio))
        still.setDevicePixelRatio(scene.ratio)
        still.fill(QColor(THEME.colours.surface))
        painter = QPainter(still)
        painter.setFont(self.font())
        paint_still(scene, painter)
        painter.end()
        return still

    def _redraw(self) -> None:
        self._still = None
        self.update()

    def _playhead_xs(self) -> list[float | None]:
        return [
            None if time_s is None else self.x_of(min(time_s, lane.duration_s), position)
            for position, lane in enumerate(self.lanes)
            for time_s in (self._playheads.get(lane.recording_id),)
        ]

    def _playhead_area(self) -> QRect:
        """Return what the playheads cover."""
        xs = [x for x in self._playhead_xs() if x is not None]
        if not xs:
            return QRect()
        left, right = max(0, int(min(xs)) - 9), min(self.width(), int(max(xs)) + 10)
        return QRect(left, 0, max(0, right - left), self.height())

    # Mouse -------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to a moment, take hold of in or out, or choose a recording by its name."""
        at = event.position()
        position = self._scene.lane_at(at.y())
        if position is None:
            return
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned_from = at
            return
        if event.button() != Qt.MouseButton.LeftButton:
            return
        lane = self.lanes[position]
        is_new = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if at.y() < RULER and self._range.take(at, is_new=is_new):
            return
        if at.y() >= RULER:
            self.lane_pressed.emit(lane.recording_id)
        if at.x() < GUTTER - 4:
            return
        self._scrubbed = lane.recording_id
        self.scrub_started.emit()
        self._seek(at.x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the playhead, the range, or what is in view."""
        x = event.position().x()
        if self._panned_from is not None:
            axis = self._scene.axis
            axis.pan((self._panned_from.x() - x) / axis.scale)
            self._panned_from = event.position()
            self._on_view()
        elif self._range.is_held:
            self._range.move(x)
            self._redraw()
        elif self._scrubbed:
            self._scroll_at_edge(x)
            self._seek(x)
        else:
            is_handle = self._range.is_over_handle(event.position())
            shape = Qt.CursorShape.SizeHorCursor if is_handle else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._panned_from = None
        if self._range.is_held:
            ends = self._range.finish(event.position().x())
            self._redraw()
            if ends is not None:
                self.range_wanted.emit(*ends)
        if self._scrubbed:
            self._scrubbed = ""
            self.scrub_ended.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor; with Shift, or sideways, move along."""
        if not self.lanes:
            return
        turned, axis = event.angleDelta(), self._scene.axis
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or abs(turned.x()) > abs(
            turned.y()
        ):
            notches = (turned.x() or turned.y()) / _NOTCH
            axis.pan(-notches * axis.span_s * 0.1)
            self._on_view()
        else:
            self._zoom_at(event.position().x(), WHEEL_STEP ** (turned.y() / _NOTCH))
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Go to the moment under the mouse, then offer what can be done there."""
        position = self._scene.lane_at(event.pos().y())
        if position is None:
            return
        is_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        if is_mouse and event.pos().x() >= GUTTER:
            self._scrubbed = self.lanes[position].recording_id
            self.lane_pressed.emit(self._scrubbed)
            self._seek(event.pos().x())
            self._scrubbed = ""
        self.menu_requested.emit(event.globalPos())

    def _seek(self, x: float) -> None:
        for position, lane in enumerate(self.lanes):
            if lane.recording_id == self._scrubbed:
                time_s = min(max(self.time_of(x, position), 0.0), lane.duration_s)
                self.seek_requested.emit(lane.recording_id, time_s)

    def _scroll_at_edge(self, x: float) -> None:
        axis, room = self._scene.axis, self.lane_rect(0)
        beyond = min(0.0, x - room.left()) + max(0.0, x - room.right())
        if beyond and not axis.is_fit:
            axis.pan(beyond / axis.scale)
            self._on_view()

    # Other events ------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Say what is under the mouse."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            position = self._scene.lane_at(event.pos().y())
            text = ""
            if position is not None and event.pos().x() >= GUTTER:
                text = text_at(self._scene, position, event.pos().x())
            elif position is not None and event.pos().y() >= RULER:
                text = self.lanes[position].name
            if text:
                QToolTip.showText(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay everything anew."""
        self._scene.width, self._scene.height = self.width(), self.height()
        self._scene.pictures.forget_scaled()
        self._scene.axis.resize(self.width())
        self._bar.setGeometry(
            GUTTER, self.height() - BOTTOM + 1, self.width() - GUTTER - MARGIN_RIGHT, BOTTOM - 3
        )
        self._on_view()
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._redraw()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        """Return room for all lanes."""
        count = max(1, len(self.lanes))
        return QSize(600, RULER + BOTTOM + count * (44 + CONFIDENCE) + (count - 1) * GAP)

    def minimumSizeHint(self) -> QSize:
        """Return room for all lanes at their lowest."""
        count = max(1, len(self.lanes))
        return QSize(300, RULER + BOTTOM + count * LANE_MIN + (count - 1) * GAP)
