"""Pins, masks and a keyboard cursor over the heatmap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QContextMenuEvent, QKeyEvent, QMouseEvent, QPen
from PySide6.QtWidgets import QGraphicsRectItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.models.pinning import Patch, Pin, Wall
    from app.views.heatmap.plot import MapPlot

REACH = 10.0
"""Pixels around a pin within which a press takes hold of it."""

_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}


class PinLayer(QObject):
    """Draws on a plot, and reads mouse and keys before the plot does.

    Shift+click pins; a pin is dragged; Delete removes what is selected; Alt+drag makes a mask,
    Ctrl+Alt+drag a corridor. A press on the path takes hold of the playhead, a double click there
    chooses the stretch between two pins. The middle button moves the map. With the plot focused the
    arrow keys move a cursor by a frame (with Shift by ten), Return pins there, Delete takes out the
    pin or rectangle there, Escape puts it away.

    Signals
    -------
    pin_wanted(float, float) : reference seconds, other seconds
    drag_begun(int), dragged(float, float), drag_ended() : of the pin of this number
    pin_removed(int), patch_removed(int)
    patch_wanted(tuple, tuple, bool) : seconds of reference and other; whether it is a corridor
    cursor_moved(float, float) : show this pair
    path_held(), path_dragged(float), path_let_go() : along the path, seconds of the reference
    path_doubled(float, QPoint) : seconds of the reference, place on the screen
    menu_wanted(float, float, QPoint) : seconds of reference and other, place on the screen
    """

    pin_wanted = Signal(float, float)
    drag_begun = Signal(int)
    dragged = Signal(float, float)
    drag_ended = Signal()
    pin_removed = Signal(int)
    patch_removed = Signal(int)
    patch_wanted = Signal(object, object, bool)
    cursor_moved = Signal(float, float)
    path_held = Signal()
    path_dragged = Signal(float)
    path_let_go = Signal()
    path_doubled = Signal(float, QPoint)
    menu_wanted = Signal(float, float, QPoint)

    def __init__(self, plot: MapPlot, place: Callable[[], tuple[float, float]]) -> None:
        super().__init__(plot)
        self._plot = plot
        self._box: Any = plot.box
        self._is_enabled = True
        self._is_on_path = False
        self._moved_from: QPointF | None = None
        self._place = place
        self._pins: tuple[Pin, ...] = ()
        self._patches: tuple[Patch, ...] = ()
        self._selected: tuple[str, int] | None = None
        self._held: int | None = None
        self._from: QPointF | None = None
        self._cursor: tuple[float, float] | None = None
        self.steps_s: tuple[float, float] = (0.04, 0.04)
        self._spots = pg.ScatterPlotItem(size=15, symbol="d")
        # The same ones for ever: the plot keeps a picture of a pin for each pen it was ever given.
        self._pin_pen = pg.mkPen("#000000", width=2)
        self._pin_brush, self._chosen_brush = pg.mkBrush("#ffffff"), pg.mkBrush("#ff9f1c")
        self._cross = pg.ScatterPlotItem(
            size=19, symbol="+", pen=pg.mkPen("#ffffff", width=2), brush=pg.mkBrush("#ffffff")
        )
        self._walls = [
            pg.InfiniteLine(
                angle=angle, pen=pg.mkPen("#ff5a4f", width=2.5, style=Qt.PenStyle.DashLine)
            )
            for angle in (90, 0)
        ]
        self._rubber = QGraphicsRectItem()
        self._rubber.setPen(_pen("#ffffff", style=Qt.PenStyle.DashLine))
        for item in (*self._walls, self._rubber):
            item.hide()
        for item in (self._spots, self._cross, *self._walls, self._rubber):
            self._box.addItem(item, ignoreBounds=True)
        self._drawn: list[QGraphicsRectItem] = []
        plot.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        plot.installEventFilter(self)
        plot.viewport().installEventFilter(self)

    @property
    def selected(self) -> tuple[str, int] | None:
        """("pin" or "patch", number) of what Delete would take out."""
        return self._selected

    def place(self) -> tuple[float, float]:
        """Seconds of reference and other at the keyboard's cursor, else at the playhead."""
        return self._cursor or self._place()

    def set_enabled(self, is_enabled: bool) -> None:
        """Take gestures and show pins, or leave the map alone: its axes are not the pair."""
        self._is_enabled = is_enabled
        self._spots.setVisible(is_enabled)
        for item in self._drawn:
            item.setVisible(is_enabled)

    def set_pins(self, pins: tuple[Pin, ...], patches: tuple[Patch, ...]) -> None:
        """Show these pins and rectangles."""
        if len(pins) != len(self._pins) or len(patches) != len(self._patches):
            self._selected = self._selected if self._held is not None else None
        self._pins, self._patches = pins, patches
        self._draw()

    def set_wall(self, wall: Wall) -> None:
        """Show what a dragged pin runs against."""
        for line, value in zip(self._walls, (wall.reference_s, wall.other_s), strict=True):
            line.setVisible(value is not None)
            if value is not None:
                line.setValue(value)

    def _draw(self) -> None:
        chosen = self._selected
        self._spots.setData(
            [
                {
                    "pos": (pin.reference_s, pin.other_s),
                    "brush": self._chosen_brush if chosen == ("pin", n) else self._pin_brush,
                    "pen": self._pin_pen,
                }
                for n, pin in enumerate(self._pins)
            ]
        )
        for item in self._drawn:
            self._box.removeItem(item)
        self._drawn = []
        for number, patch in enumerate(self._patches):
            (left, right), (bottom, top) = patch.reference_s, patch.other_s
            item = QGraphicsRectItem(QRectF(left, bottom, right - left, top - bottom))
            style = (
                Qt.BrushStyle.Dense6Pattern if patch.is_corridor else Qt.BrushStyle.DiagCrossPattern
            )
            colour = QColor("#56b4e9" if patch.is_corridor else "#ff8078")
            brush = QBrush(colour, style)
            transform = self._box.childTransform().inverted()[0]
            brush.setTransform(transform)  # a hatch in pixels, not in seconds
            item.setBrush(brush)
            is_chosen = chosen == ("patch", number)
            item.setPen(_pen("#ff9f1c" if is_chosen else colour.name(), 3.0 if is_chosen else 1.5))
            self._box.addItem(item, ignoreBounds=True)
            item.setVisible(self._is_enabled)
            self._drawn.append(item)

    # Mouse and keys ----------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take what is meant for pins and masks; leave the rest to the plot."""
        kind = event.type()
        if isinstance(event, QMouseEvent):
            if kind == QEvent.Type.MouseButtonDblClick:
                return self._on_double(event)
            if kind == QEvent.Type.MouseButtonPress:
                return self._on_press(event)
            if kind == QEvent.Type.MouseMove:
                return self._on_move(event)
            if kind == QEvent.Type.MouseButtonRelease:
                return self._on_release(event)
        if isinstance(event, QContextMenuEvent) and watched is self._plot:
            return self._on_menu(event)
        if isinstance(event, QKeyEvent) and watched is self._plot:
            if kind == QEvent.Type.ShortcutOverride and self._is_ours(event):
                event.accept()  # before the window takes the arrows for steps
                return True
            if kind == QEvent.Type.KeyPress and self._is_ours(event):
                return self._on_key(event)
        return False

    def _on_press(self, event: QMouseEvent) -> bool:
        modifiers, at = event.modifiers(), event.position()
        if event.button() == Qt.MouseButton.MiddleButton:
            self._moved_from = at
            return True
        if event.button() == Qt.MouseButton.RightButton:
            point = self._point(at)
            self.menu_wanted.emit(point.x(), point.y(), event.globalPosition().toPoint())
            return True
        if event.button() != Qt.MouseButton.LeftButton or not self._is_enabled:
            return False
        if modifiers & Qt.KeyboardModifier.AltModifier:
            self._from = at
            return True
        number = self._pin_near(at)
        if number is not None:
            self._held = number
            self._select(("pin", number))
            self.drag_begun.emit(number)
            return True
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            point = self._point(at)
            self.pin_wanted.emit(point.x(), point.y())
            return True
        self._select(self._patch_near(at))
        on_path_s = self._plot.nearest_on_path(at)
        if on_path_s is None:
            return False
        self._is_on_path = True
        self.path_held.emit()
        self.path_dragged.emit(on_path_s)
        return True

    def _on_double(self, event: QMouseEvent) -> bool:
        if event.button() != Qt.MouseButton.LeftButton or not self._is_enabled:
            return False
        on_path_s = self._plot.nearest_on_path(event.position())
        if on_path_s is not None:
            self.path_doubled.emit(on_path_s, event.globalPosition().toPoint())
        return on_path_s is not None

    def _on_move(self, event: QMouseEvent) -> bool:
        if self._moved_from is not None:
            one, two = self._point(self._moved_from), self._point(event.position())
            self._moved_from = event.position()
            self._box.translateBy(x=one.x() - two.x(), y=one.y() - two.y())
            return True
        if self._is_on_path:
            on_path_s = self._plot.nearest_on_path(event.position(), reach=1e9)
            if on_path_s is not None:
                self.path_dragged.emit(on_path_s)
            return True
        if self._held is not None:
            point = self._point(event.position())
            self.dragged.emit(point.x(), point.y())
            return True
        if self._from is not None:
            one, two = self._point(self._from), self._point(event.position())
            self._rubber.setRect(QRectF(one, two).normalized())
            self._rubber.show()
            return True
        return False

    def _on_release(self, event: QMouseEvent) -> bool:
        if self._moved_from is not None:
            self._moved_from = None
            return True
        if self._is_on_path:
            self._is_on_path = False
            self.path_let_go.emit()
            return True
        if self._held is not None:
            self._held = None
            self.drag_ended.emit()
            return True
        if self._from is not None:
            one, two = self._point(self._from), self._point(event.position())
            moved = (event.position() - self._from).manhattanLength()
            self._from = None
            self._rubber.hide()
            if moved > REACH:
                rect = QRectF(one, two).normalized()
                is_corridor = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
                self.patch_wanted.emit(
                    (rect.left(), rect.right()), (rect.top(), rect.bottom()), is_corridor
                )
            return True
        return False

    def _on_menu(self, event: QContextMenuEvent) -> bool:
        """Offer the menu by key; by mouse it was there when the button went down."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            at = self._plot.mapFromScene(self._box.mapViewToScene(QPointF(*self.place())))
            self.menu_wanted.emit(*self.place(), self._plot.viewport().mapToGlobal(at))
        return True

    def _is_ours(self, event: QKeyEvent) -> bool:
        key, modifiers = Qt.Key(event.key()), event.modifiers()
        if not self._is_enabled:
            return False
        if key in _ARROWS:
            allowed = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier
            return not modifiers & ~allowed
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            return self._cursor is not None
        is_any = self._selected is not None or self._at_cursor() is not None
        return key == Qt.Key.Key_Delete and is_any

    def _on_key(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        if key in _ARROWS:
            self._move_cursor(
                key, 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            )
        elif key == Qt.Key.Key_Escape:
            self._put_cursor(None)
        elif key == Qt.Key.Key_Delete and (chosen := self._selected or self._at_cursor()):
            kind, number = chosen
            self._selected = None
            (self.pin_removed if kind == "pin" else self.patch_removed).emit(number)
        elif self._cursor is not None:
            self.pin_wanted.emit(*self._cursor)
        return True

    def _move_cursor(self, key: Qt.Key, steps: int) -> None:
        x, y = self.place()
        across, up = _ARROWS[key]
        x = max(0.0, x + across * steps * self.steps_s[0])
        y = max(0.0, y + up * steps * self.steps_s[1])
        self._put_cursor((x, y))
        self.cursor_moved.emit(x, y)

    def _put_cursor(self, at: tuple[float, float] | None) -> None:
        self._cursor = at
        self._cross.setData([at[0]] if at else [], [at[1]] if at else [])

    def _select(self, chosen: tuple[str, int] | None) -> None:
        if chosen != self._selected:
            self._selected = chosen
            self._draw()

    def _point(self, at: QPointF) -> QPointF:
        return self._plot.point(at)

    def _pin_near(self, at: QPointF) -> int | None:
        nearest: tuple[float, int] | None = None
        for number, pin in enumerate(self._pins):
            scene = self._box.mapViewToScene(QPointF(pin.reference_s, pin.other_s))
            away = (QPointF(self._plot.mapFromScene(scene)) - at).manhattanLength()
            if away <= REACH and (nearest is None or away < nearest[0]):
                nearest = (away, number)
        return nearest[1] if nearest is not None else None

    def patch_at(self, reference_s: float, other_s: float) -> int | None:
        """Return the number of the rectangle that these seconds lie in."""
        for number, patch in enumerate(self._patches):
            (left, right), (bottom, top) = patch.reference_s, patch.other_s
            if left <= reference_s <= right and bottom <= other_s <= top:
                return number
        return None

    def _patch_near(self, at: QPointF) -> tuple[str, int] | None:
        point = self._point(at)
        number = self.patch_at(point.x(), point.y())
        return None if number is None else ("patch", number)

    def _at_cursor(self) -> tuple[str, int] | None:
        """Return the pin, or else the rectangle, at the keyboard's cursor."""
        if self._cursor is None:
            return None
        scene = self._box.mapViewToScene(QPointF(*self._cursor))
        number = self._pin_near(QPointF(self._plot.mapFromScene(scene)))
        if number is not None:
            return "pin", number
        number = self.patch_at(*self._cursor)
        return None if number is None else ("patch", number)


def _pen(colour: str, width: float = 1.5, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    pen = QPen(QColor(colour), width, style)
    pen.setCosmetic(True)
    return pen
