"""One point of the map, a frame of the reference and one of the other: its menu and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication

from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.faults.messages import Message, Severity
from app.resources.text import format_time
from app.views.menus import pop_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtCore import QObject, QPoint

    from app.bootstrap.mapping import MappingFeature
    from app.bootstrap.parts import Handlers, Parts

_OF_A_PAIR = (
    ActionId.POINT_PIN,
    ActionId.POINT_BEGIN,
    ActionId.POINT_END,
    ActionId.NO_COUNTERPART,
    ActionId.POINT_UNMASK,
    None,
    ActionId.POINT_IN,
    ActionId.POINT_OUT,
    ActionId.POINT_FIND,
    None,
)


class PointFeature(Feature):
    """Commands for the point under the mouse, the keyboard's cursor, or else the playhead."""

    needs_recordings = (
        ActionId.POINT_GO,
        ActionId.POINT_COPY,
        *(w for w in _OF_A_PAIR if w is not None and w is not ActionId.NO_COUNTERPART),
    )

    def __init__(self, parts: Parts, parent: QObject, mapping: MappingFeature) -> None:
        super().__init__(parts, parent)
        self._mapping = mapping
        self._at: tuple[float, float] | None = None
        self._layer = parts.window.heatmap.pins
        self._layer.menu_wanted.connect(self._show_menu)

    def handlers(self) -> Handlers:
        """Return what can be done at a point of the map."""
        heatmap, pinning = self._mapping.heatmap, self._mapping.pinning
        return {
            ActionId.POINT_GO: lambda: heatmap.seek(*self._point()),
            ActionId.POINT_PIN: lambda: self._in_a_pair(pinning.add),
            ActionId.POINT_BEGIN: lambda: self._in_a_pair(pinning.begin_at),
            ActionId.POINT_END: lambda: self._in_a_pair(pinning.end_at),
            ActionId.POINT_UNMASK: lambda: self._in_a_pair(self._unmask),
            ActionId.POINT_IN: lambda: self._go_and(ActionId.IN),
            ActionId.POINT_OUT: lambda: self._go_and(ActionId.OUT),
            ActionId.POINT_FIND: lambda: self._go_and(ActionId.FIND_FRAME),
            ActionId.POINT_COPY: self._copy,
        }

    def _point(self) -> tuple[float, float]:
        """Seconds of reference and other that a command is about."""
        return self._at or self._layer.place()

    def _show_menu(self, column_s: float, row_s: float, at: QPoint) -> None:
        """Offer what can be done with the pair of moments under the mouse or the cursor."""
        is_pair = self._mapping.heatmap.kind.is_pair
        is_masked = self._layer.patch_at(column_s, row_s) is not None
        commands = [
            ActionId.POINT_GO,
            *(w for w in _OF_A_PAIR if is_pair and (is_masked or w is not ActionId.POINT_UNMASK)),
            ActionId.POINT_COPY,
            ActionId.LANES_FIT,
        ]
        self._at = (column_s, row_s)
        actions = [None if w is None else self.parts.actions[w] for w in commands]
        menu = pop_up(self.parts.window, "heatmap-menu", actions, at)
        if menu is not None:
            # A menu hides before it runs what was chosen.
            menu.aboutToHide.connect(lambda: QTimer.singleShot(0, self, self._leave))

    def _leave(self) -> None:
        self._at = None

    def _in_a_pair(self, do: Callable[[float, float], None]) -> None:
        if self._mapping.heatmap.kind.is_pair:
            do(*self._point())
        else:
            self._say(self.tr("This map shows one recording with itself. Show a pair first."))

    def _unmask(self, reference_s: float, other_s: float) -> None:
        patch = self._layer.patch_at(reference_s, other_s)
        if patch is None:
            self._say(self.tr("There is no mask at the cursor of the map."))
        else:
            self._mapping.pinning.remove_patch(patch)

    def _go_and(self, which: ActionId) -> None:
        """Go to the point, then run a command there."""

        def run(reference_s: float, other_s: float) -> None:
            self._mapping.heatmap.seek(reference_s, other_s)
            self.parts.actions[which].trigger()

        self._in_a_pair(run)

    def _copy(self) -> None:
        times = (format_time(max(0.0, time_s)) for time_s in self._point())
        QGuiApplication.clipboard().setText("\t".join(times))

    def _say(self, text: str) -> None:
        self.parts.reporter.report(Message(text, Severity.INFO, topic="point"))
