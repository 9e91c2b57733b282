"""One recording's picture, with its name, time and rate in a quiet overlay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QDrag,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from app.resources.theme import THEME
from app.views.over_picture import paint_chips, paint_note, paint_progress
from app.views.painting import FRAME_MIME, fitted, image_over
from app.views.surface import Surface
from app.views.tile_words import TileWords
from app.views.zooming import Zooming
from carl_core.video.frame import MovingFrame

if TYPE_CHECKING:
    from app.models.looking import Zoom
    from app.models.viewstate import TileState
    from carl_core.video.reader import Frame

RESIZE_DELAY_MS = 120
"""Decoding to a new size waits until resizing pauses."""

BUSY_MS = 40


class Tile(QWidget):
    """Paints the newest frame. Drag it to the search panel to look for what it shows.

    Signals
    -------
    pressed(str) : the recording was chosen
    resized(str) : the picture needs another size
    menu_requested(str, QPoint) : context menu, global position
    doubled(str) : double-clicked
    zoomed(str, Zoom) : wheel or drag
    surface_failed(str) : the graphics card did not draw; the picture is painted from now on
    """

    doubled = Signal(str)
    zoomed = Signal(str, object)
    surface_failed = Signal(str)
    pressed = Signal(str)
    resized = Signal(str)
    menu_requested = Signal(str, QPoint)

    def __init__(self, state: TileState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._frame: Frame | None = None
        self._image: QImage | None = None
        self._surface: Surface | None = None
        self._has_counterpart = True
        self._press_at: QPoint | None = None
        self._busy_step = 0
        self.zooming = Zooming(
            self._picture_rect, lambda zoom: self.zoomed.emit(self._state.recording_id, zoom)
        )
        self.words = TileWords(self, state)
        self.setObjectName(f"tile-{state.recording_id}")
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu)
        self._resize_timer = QTimer(self)
        self._resize_timer.setSingleShot(True)
        self._resize_timer.setInterval(RESIZE_DELAY_MS)
        self._resize_timer.timeout.connect(self._on_resized)
        self._busy_timer = QTimer(self)
        self._busy_timer.setInterval(BUSY_MS)
        self._busy_timer.timeout.connect(self._on_busy)
        self._apply_state()

    @property
    def state(self) -> TileState:
        """What it says now."""
        return self._state

    @property
    def frame(self) -> Frame | None:
        """What it shows now."""
        return self._frame

    @property
    def has_counterpart(self) -> bool:
        """False while it is dimmed."""
        return self._has_counterpart

    def set_state(self, state: TileState) -> None:
        """Change the words."""
        if state != self._state:
            self._state = self.words.state = state
            self._apply_state()
            self._repaint()

    def show_frame(self, frame: Frame, rate: float | None) -> None:
        """Show a frame; its pixels are shared, not copied."""
        self._frame = frame
        self.words.rate = rate
        self._show_words()
        if self._surface is not None:
            self._surface.planes = frame.planes if isinstance(frame, MovingFrame) else None
        # With planes on the surface, pixels are made only when somebody wants them.
        is_drawn = self._surface is not None and self._surface.planes is not None
        self._image = None if is_drawn else image_over(frame.pixels)
        self._repaint()

    def set_surface(self, is_wanted: bool) -> None:
        """Have the graphics card draw the picture, or paint it."""
        if is_wanted and self._surface is None:
            surface = Surface(
                self,
                picture=lambda: (self._picture_rect(), self.zooming.source()),
                paint_pixels=self._paint_pixels,
                paint_over=self._paint_over,
            )
            # Queued: it comes while the surface paints, and takes it away.
            surface.failed.connect(self.surface_failed, Qt.ConnectionType.QueuedConnection)
            surface.show()
            self._surface = surface
        elif not is_wanted:
            self.close_surface()
        if self._frame is not None:
            self.show_frame(self._frame, self.words.rate)

    def close_surface(self) -> None:
        """Give back what the graphics card keeps for the picture."""
        if self._surface is not None:
            self._surface.release()
            self._surface.hide()
            self._surface.deleteLater()
            self._surface = None

    def _repaint(self) -> None:
        self.update() if self._surface is None else self._surface.update()

    def set_counterpart(self, has_counterpart: bool) -> None:
        """Dim the picture, or not."""
        if has_counterpart is not self._has_counterpart:
            self._has_counterpart = has_counterpart
            self._show_words()
            self._repaint()

    def set_match(self, match: float | None) -> None:
        """Say how similar the frame shown is to the reference's, -1 to 1; None = unknown."""
        if match != self.words.match:
            self.words.match = match
            self._repaint()

    def _show_words(self) -> None:
        self.words.frame = self._frame if self._has_counterpart else None

    def set_zoom(self, zoom: Zoom) -> None:
        """Show this part of the picture."""
        self.zooming.zoom = zoom
        self._repaint()

    def picture_size(self) -> tuple[int, int]:
        """Device pixels (width, height) the whole picture covers, at most the recording's own."""
        rect = self._picture_rect()
        ratio = self.devicePixelRatioF() * self.zooming.zoom.factor
        scale = min(1.0, self._state.width / max(1.0, rect.width() * ratio))
        width = max(16, round(rect.width() * ratio * scale) // 2 * 2)
        height = max(16, round(rect.height() * ratio * scale) // 2 * 2)
        return width, height

    def _apply_state(self) -> None:
        state = self._state
        reference = self.tr(", reference") if state.is_reference else ""
        self.setAccessibleName(f"{state.letter}: {state.name}{reference}")
        self.setAccessibleDescription(state.note or state.status or state.kind)
        is_busy = state.progress is not None and state.progress < 0
        if is_busy and not self._busy_timer.isActive():
            self._busy_timer.start()
        elif not is_busy:
            self._busy_timer.stop()

    def _picture_rect(self) -> QRectF:
        return fitted(QRectF(self.rect()).adjusted(2, 2, -2, -2), self._state.aspect)

    def _on_resized(self) -> None:
        self.resized.emit(self._state.recording_id)

    def _on_busy(self) -> None:
        self._busy_step += 1
        if self._surface is None:
            self.update(QRect(0, self.height() - 8, self.width(), 8))
        else:
            self._surface.update()

    def _on_menu(self, at: QPoint) -> None:
        self.pressed.emit(self._state.recording_id)
        self.menu_requested.emit(self._state.recording_id, self.mapToGlobal(at))

    # Painting ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw picture, header, note, progress and frame."""
        if self._surface is not None:
            return  # it covers everything
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(THEME.colours.picture))
        self._paint_pixels(painter)
        self._paint_over(painter)
        painter.end()

    def _paint_over(self, painter: QPainter) -> None:
        if not self._has_counterpart:
            painter.fillRect(self._picture_rect(), QColor(8, 9, 11, 178))
        self.words.paint(painter)
        if self._state.chips:
            paint_chips(painter, QRectF(self.rect()), self._state.chips)
        if not self._has_counterpart:
            paint_note(painter, QRectF(self.rect()), self.tr("No counterpart here"), is_strong=True)
        elif self._state.note:
            room = QRectF(self.rect()).adjusted(0, 0, 0, -self.words.footer_height)
            paint_note(painter, room, self._state.note, is_strong=False)
        if self._state.progress is not None:
            paint_progress(painter, QRectF(self.rect()), self._state, self._busy_step)
        if self._state.is_active:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(THEME.colours.accent), 2))
            painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))

    def _paint_pixels(self, painter: QPainter) -> None:
        if self._image is None:
            return
        rect = self._picture_rect()
        ratio = self.devicePixelRatioF()
        is_zoomed = self.zooming.zoom.factor > 1.0
        is_scaled = is_zoomed or abs(self._image.width() - rect.width() * ratio) > 2
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, is_scaled)
        if is_scaled:
            self._image.setDevicePixelRatio(1.0)
            seen = self.zooming.source()
            width, height = self._image.width(), self._image.height()
            painter.drawImage(
                rect,
                self._image,
                QRectF(
                    seen.x() * width,
                    seen.y() * height,
                    seen.width() * width,
                    seen.height() * height,
                ),
            )
        else:
            at = QPointF(round(rect.x() * ratio) / ratio, round(rect.y() * ratio) / ratio)
            self._image.setDevicePixelRatio(ratio)
            painter.drawImage(at, self._image)

    # Events ------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for pictures of the new size once resizing pauses."""
        self._resize_timer.start()
        if self._surface is not None:
            self._surface.setGeometry(self.rect())
        super().resizeEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose this recording."""
        self.pressed.emit(self._state.recording_id)
        if self.zooming.on_press(event):
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self._press_at = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan, or begin to drag the picture away."""
        if self.zooming.on_move(event):
            return
        if self._press_at is None or self._frame is None:
            return
        moved = event.position().toPoint() - self._press_at
        if moved.manhattanLength() >= QApplication.startDragDistance():
            self._press_at = None
            self._drag()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Nothing was dragged."""
        self._press_at = None
        self.zooming.on_release()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show this recording alone, or all again."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.doubled.emit(self._state.recording_id)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor."""
        self.zooming.on_wheel(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Choose this recording when Tab comes to it."""
        super().focusInEvent(event)
        if event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
        ):
            self.pressed.emit(self._state.recording_id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose this recording with Return."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.pressed.emit(self._state.recording_id)
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        """Return a middling size; the grid decides."""
        return QSize(480, 300)

    def _drag(self) -> None:
        drag = QDrag(self)
        drag.setMimeData(self.drag_data())
        if self._frame is not None:
            picture = QPixmap.fromImage(image_over(self._frame.pixels)).scaledToWidth(
                160, Qt.TransformationMode.SmoothTransformation
            )
            drag.setPixmap(picture)
        drag.exec(Qt.DropAction.CopyAction)

    def drag_data(self) -> QMimeData:
        """Return what a drag of this tile carries."""
        data = QMimeData()
        data.setData(FRAME_MIME, self._state.recording_id.encode())
        return data
