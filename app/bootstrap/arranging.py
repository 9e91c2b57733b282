"""Three arrangements of panels, each remembered as the user left it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import settings as keys
from app.actions import ActionId
from app.bootstrap.parts import Feature

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts

_LAYOUTS = {
    "compare": ActionId.LAYOUT_COMPARE,
    "align": ActionId.LAYOUT_ALIGN,
    "train": ActionId.LAYOUT_TRAIN,
}


class LayoutsFeature(Feature):
    """Changes between arrangements; they exist while recordings are shown."""

    needs_recordings = (*_LAYOUTS.values(), ActionId.RESET_LAYOUT)

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        wanted = parts.settings.get(keys.LAYOUT_NAME)
        self.current = wanted if wanted in _LAYOUTS else keys.LAYOUT_NAME.default
        parts.actions[_LAYOUTS[self.current]].setChecked(True)
        parts.window.emptying.connect(self._keep)
        parts.window.filled.connect(self._show)

    def handlers(self) -> Handlers:
        """Return the three layouts and the way back to their first state."""
        return {
            ActionId.LAYOUT_COMPARE: lambda: self.change_to("compare"),
            ActionId.LAYOUT_ALIGN: lambda: self.change_to("align"),
            ActionId.LAYOUT_TRAIN: lambda: self.change_to("train"),
            ActionId.RESET_LAYOUT: self.reset,
        }

    def change_to(self, name: str) -> None:
        """Keep how this layout was left, and show another as it was left."""
        self._keep()
        self.current = name
        self.parts.settings.set(keys.LAYOUT_NAME, name)
        self.parts.actions[_LAYOUTS[name]].setChecked(True)
        self._show()

    def reset(self) -> None:
        """Put this layout back as it was at first."""
        self.parts.window.arrange(self.current)
        self._keep()

    def close(self) -> None:
        """Keep how the layout was left."""
        if self.parts.window.shows_recordings:
            self._keep()
            self.parts.settings.sync()

    def _keep(self) -> None:
        self.parts.settings.set(keys.layout_key(self.current), self.parts.window.layout_state())

    def _show(self) -> None:
        state = self.parts.settings.get(keys.layout_key(self.current))
        if state.isEmpty() or not self.parts.window.restore_layout(state):
            self.parts.window.arrange(self.current)
