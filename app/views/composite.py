"""Two recordings in one picture: overlay, difference, wipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.models.looking import Look, Mode, Zoom
from app.resources.text import format_rate, format_time
from app.resources.theme import THEME
from app.views.painting import digits_font, draw_chip, fitted, image_over
from app.views.zooming import Zooming
from carl_core.export import compose

if TYPE_CHECKING:
    from app.models.viewstate import TileState
    from carl_core.arrays import UInt8
    from carl_core.video.reader import Frame

_LEAST_FOR_KIND = 760
"""Pixels of both names together; below, the kind of the map is left out."""

HANDLE_REACH = 9.0
"""Pixels beside the edge of a wipe within which a press takes hold of it."""


class Composite(QWidget):
    """Paints the two newest frames as one picture, by ``carl_core.export.compose``.

    Signals
    -------
    wiped(float) : the edge was dragged, 0..1 of the width
    zoomed(Zoom) : wheel or drag
    resized() : pictures of another size are wanted
    """

    wiped = Signal(float)
    zoomed = Signal(object)
    resized = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composite")
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self._look = Look()
        self._states: dict[str, TileState] = {}
        self._frames: dict[str, Frame] = {}
        self._rates: dict[str, float | None] = {}
        self._absent: set[str] = set()
        self._mixed: UInt8 | None = None
        self._image: QImage | None = None
        self._is_wiping = False
        self._digits = digits_font(self.font(), scale=0.95)
        self.zooming = Zooming(self.picture_rect, self.zoomed.emit)

    @property
    def pixels(self) -> UInt8 | None:
        """The picture as it is shown, uint8 (H, W, 3), before zooming; None = there is none."""
        if self._mixed is None:
            self._mixed = self._mix()
        return self._mixed

    def set_look(self, look: Look) -> None:
        """Show these two, in this way."""
        self._look = look
        names = " / ".join(
            f"{s.letter} {s.name}" for i in (look.first, look.second) if (s := self._states.get(i))
        )
        self.setAccessibleName(names or self.tr("Comparison"))
        self._changed()

    def set_states(self, states: tuple[TileState, ...]) -> None:
        """Know all recordings' words."""
        self._states = {s.recording_id: s for s in states}
        for known in [i for i in self._frames if i not in self._states]:
            del self._frames[known]
        self._changed()

    def show_frame(self, recording_id: str, frame: Frame, rate: float | None) -> None:
        """Take a recording's newest frame."""
        self._frames[recording_id] = frame
        self._rates[recording_id] = rate
        if recording_id in (self._look.first, self._look.second):
            self._changed()

    def set_counterpart(self, recording_id: str, has_counterpart: bool) -> None:
        """Say whether a recording has a picture that belongs here."""
        if has_counterpart:
            self._absent.discard(recording_id)
        else:
            self._absent.add(recording_id)
        self._changed()

    def set_zoom(self, zoom: Zoom) -> None:
        """Show this part."""
        self.zooming.zoom = zoom
        self.update()

    def picture_rect(self) -> QRectF:
        """Where the picture lies: the first recording's shape."""
        state = self._states.get(self._look.first)
        return fitted(QRectF(self.rect()).adjusted(2, 2, -2, -2), state.aspect if state else 16 / 9)

    def picture_size(self, recording_id: str) -> tuple[int, int]:
        """Device pixels (width, height) a recording's picture covers, at most its own."""
        state = self._states.get(recording_id)
        if state is None:
            return 160, 120
        rect = fitted(self.picture_rect(), state.aspect)
        wanted = self.devicePixelRatioF() * self.zooming.zoom.factor
        scale = min(wanted, state.width / max(1.0, rect.width()))
        if recording_id == self._look.second and (first := self._states.get(self._look.first)):
            # Both at one scale, so that they lie over one another.
            scale = min(wanted, first.width / max(1.0, self.picture_rect().width()))
        return (
            max(16, round(rect.width() * scale) // 2 * 2),
            max(16, round(rect.height() * scale) // 2 * 2),
        )

    def _changed(self) -> None:
        self._mixed = self._image = None
        self.update()

    def _mix(self) -> UInt8 | None:
        look = self._look
        pictures = [
            self._frames[i].pixels
            for i in (look.first, look.second)
            if i in self._frames and i not in self._absent
        ]
        if not pictures:
            return None
        if len(pictures) == 1:
            return pictures[0]
        first, second = pictures
        second = compose.placed(second, first.shape[1], first.shape[0])
        if look.mode is Mode.DIFFERENCE:
            return compose.difference(first, second, look.gain)
        if look.mode is Mode.WIPE:
            return compose.wipe(first, second, look.wipe)
        return compose.blend(first, second, look.opacity)

    # Painting ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the picture, the edge and the words."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(THEME.colours.picture))
        rect = self.picture_rect()
        pixels = self.pixels
        if pixels is not None:
            if self._image is None:
                self._image = image_over(pixels)
            seen = self.zooming.source()
            width, height = self._image.width(), self._image.height()
            source = QRectF(
                seen.x() * width, seen.y() * height, seen.width() * width, seen.height() * height
            )
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(rect, self._image, source)
        missing = [i for i in (self._look.first, self._look.second) if i in self._absent]
        if missing:
            painter.fillRect(rect, QColor(8, 9, 11, 150))
            self._paint_note(painter, missing)
        elif self._look.mode is Mode.WIPE and pixels is not None:
            self._paint_edge(painter, rect)
        self._paint_words(painter)
        painter.end()

    def _edge_x(self) -> float:
        rect, seen = self.picture_rect(), self.zooming.source()
        return rect.x() + (self._look.wipe - seen.x()) / seen.width() * rect.width()

    def _paint_edge(self, painter: QPainter, rect: QRectF) -> None:
        x = self._edge_x()
        if not rect.left() <= x <= rect.right():
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(0, 0, 0, 170), 4))
        painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
        painter.setPen(QPen(QColor("#ffffff"), 2))
        painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
        knob = QRectF(0, 0, 26, 26)
        knob.moveCenter(QPointF(x, rect.center().y()))
        painter.setBrush(QColor(0, 0, 0, 190))
        painter.drawEllipse(knob)
        middle = knob.center()
        for side in (-1, 1):
            tip = QPointF(middle.x() + side * 8, middle.y())
            painter.drawLine(tip, QPointF(middle.x() + side * 4, middle.y() - 4))
            painter.drawLine(tip, QPointF(middle.x() + side * 4, middle.y() + 4))

    def _paint_words(self, painter: QPainter) -> None:
        """Write names left and right, where each stands in a wipe, on one dark strip."""
        strip = QRectF(0, 0, self.width(), 30)
        painter.fillRect(strip, QColor(0, 0, 0, 165))
        for side, recording_id in enumerate((self._look.first, self._look.second)):
            state = self._states.get(recording_id)
            if state is None:
                continue
            half = QRectF(side * self.width() / 2 + 8, 0, self.width() / 2 - 16, 30)
            draw_chip(painter, QRectF(half.x(), 6, 20, 19), state.letter, state.position)
            words = self._readout(recording_id, state)
            painter.setFont(self._digits)
            width = QFontMetricsF(self._digits).horizontalAdvance(words)
            painter.setPen(QColor("#f2f4f6"))
            painter.drawText(half, _RIGHT, words)
            painter.setFont(self.font())
            room = half.width() - width - 40
            if room > 40:
                name = QFontMetricsF(self.font()).elidedText(
                    state.name, Qt.TextElideMode.ElideRight, room
                )
                painter.drawText(half.adjusted(28, 0, 0, 0), _LEFT, name)

    def _readout(self, recording_id: str, state: TileState) -> str:
        frame = self._frames.get(recording_id)
        if frame is None or recording_id in self._absent:
            return "–"
        rate = "" if state.is_reference else format_rate(self._rates.get(recording_id))
        kind = state.kind if self.width() > _LEAST_FOR_KIND else ""
        number = f"f{frame.index}" if self.width() > 620 else ""
        preview = self.tr("preview") if frame.is_preview else ""
        parts = [preview, kind, rate, format_time(frame.time_s), number]
        return "  ".join(part for part in parts if part)

    def _paint_note(self, painter: QPainter, missing: list[str]) -> None:
        letters = ", ".join(s.letter for i in missing if (s := self._states.get(i)))
        text = self.tr("No counterpart here: {letters}").format(letters=letters)
        font = self.font()
        font.setBold(True)
        painter.setFont(font)
        pill = QRectF(0, 0, QFontMetricsF(font).horizontalAdvance(text) + 28, 36)
        pill.moveCenter(QRectF(self.rect()).center())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 205))
        painter.drawRoundedRect(pill, 8, 8)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, text)

    # Events ------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the edge (Alt: anywhere), or pan."""
        is_left = event.button() == Qt.MouseButton.LeftButton
        is_near = abs(event.position().x() - self._edge_x()) <= HANDLE_REACH
        is_alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if self._look.mode is Mode.WIPE and is_left and (is_near or is_alt):
            self._is_wiping = True
            self._wipe_to(event.position())
        elif not self.zooming.on_press(event):
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the edge or the picture."""
        if self._is_wiping:
            self._wipe_to(event.position())
        elif not self.zooming.on_move(event):
            is_near = abs(event.position().x() - self._edge_x()) <= HANDLE_REACH
            is_wipe = self._look.mode is Mode.WIPE
            shape = (
                Qt.CursorShape.SplitHCursor if is_wipe and is_near else Qt.CursorShape.ArrowCursor
            )
            self.setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._is_wiping = False
        self.zooming.on_release()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor."""
        self.zooming.on_wheel(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for pictures of the new size."""
        self.resized.emit()
        super().resizeEvent(event)

    def sizeHint(self) -> QSize:
        """Return a middling size."""
        return QSize(640, 400)

    def _wipe_to(self, at: QPointF) -> None:
        self.wiped.emit(min(max(self.zooming.point(at).x(), 0.0), 1.0))


_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
