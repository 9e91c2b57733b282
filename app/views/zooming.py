"""Zoom at the cursor and pan, for every widget that shows a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt

from app.models.looking import Zoom

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QMouseEvent, QWheelEvent

STEP = 1.2
"""Factor of one notch of the wheel."""


class Zooming:
    """Turns wheel and drags into a ``Zoom``.

    Parameters
    ----------
    rect : where the whole picture lies in the widget
    changed : called with the new zoom
    """

    def __init__(self, rect: Callable[[], QRectF], changed: Callable[[Zoom], None]) -> None:
        self._rect = rect
        self._changed = changed
        self._from: QPointF | None = None
        self.zoom = Zoom()

    @property
    def is_panning(self) -> bool:
        """Whether a drag moves the picture."""
        return self._from is not None

    def source(self) -> QRectF:
        """Part of the picture that is seen, 0..1 in both directions."""
        return QRectF(*self.zoom.part)

    def point(self, at: QPointF) -> QPointF:
        """Return where in the picture ``at`` lies, 0..1."""
        rect, seen = self._rect(), self.source()
        return QPointF(
            seen.x() + (at.x() - rect.x()) / max(1.0, rect.width()) * seen.width(),
            seen.y() + (at.y() - rect.y()) / max(1.0, rect.height()) * seen.height(),
        )

    def on_wheel(self, event: QWheelEvent) -> None:
        """Zoom at the cursor."""
        notches = event.angleDelta().y() / 120
        if not notches:
            event.ignore()
            return
        point = self.point(event.position())
        x, y = min(max(point.x(), 0.0), 1.0), min(max(point.y(), 0.0), 1.0)
        self._changed(self.zoom.at(self.zoom.factor * STEP**notches, x, y))
        event.accept()

    def on_press(self, event: QMouseEvent) -> bool:
        """Begin to pan: middle button, or left on a zoomed picture; return whether it did."""
        is_middle = event.button() == Qt.MouseButton.MiddleButton
        is_left = event.button() == Qt.MouseButton.LeftButton and self.zoom.factor > 1.0
        if is_middle or (is_left and not event.modifiers()):
            self._from = event.position()
        return self.is_panning

    def on_move(self, event: QMouseEvent) -> bool:
        """Pan; return whether a pan is under way."""
        if self._from is None:
            return False
        rect, seen = self._rect(), self.source()
        moved = event.position() - self._from
        self._from = event.position()
        self._changed(
            self.zoom.moved(
                -moved.x() / max(1.0, rect.width()) * seen.width(),
                -moved.y() / max(1.0, rect.height()) * seen.height(),
            )
        )
        return True

    def on_release(self) -> None:
        """End a pan."""
        self._from = None
