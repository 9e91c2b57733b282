"""Commands as such: the palette, the key sheet, and the user's own keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal

from app import settings as keys
from app.actions import (
    ACTIONS,
    SPECS,
    ActionId,
    apply_keys,
    effective_keys,
    native_key,
    overrides_from_text,
    overrides_to_text,
    plain_text,
    tip_of,
    tooltip,
    translated,
)
from app.bootstrap.parts import Feature
from app.views.keys import KeySheet
from app.views.palette import Command, Palette

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts

MOST_RECENT = 8


class CommandsFeature(Feature):
    """Finds commands and gives them keys.

    Signals
    -------
    change_keys_wanted() : the user wants to see the settings of keys
    """

    change_keys_wanted = Signal()

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        self.overrides = overrides_from_text(parts.settings.get(keys.KEYS))
        self.keymap = effective_keys(ACTIONS, self.overrides)
        apply_keys(parts.actions, self.keymap)

    def handlers(self) -> Handlers:
        """Return palette and key sheet."""
        return {ActionId.PALETTE: self.show_palette, ActionId.KEYS: self._show_keys}

    def set_overrides(self, overrides: dict[ActionId, tuple[str, ...]]) -> None:
        """Put other keys in force and keep them."""
        self.overrides = dict(overrides)
        self.keymap = effective_keys(ACTIONS, self.overrides)
        apply_keys(self.parts.actions, self.keymap)
        self.parts.settings.set(keys.KEYS, overrides_to_text(self.overrides))

    def show_palette(self) -> None:
        """List all commands."""
        palette = Palette(self._commands(), self._recent(), self.parts.window)
        palette.chosen.connect(self._run)
        palette.open()
        window = self.parts.window
        top = window.mapToGlobal(window.rect().topLeft())
        palette.move(top.x() + (window.width() - palette.width()) // 2, top.y() + 72)
        palette.field.setFocus()

    def _show_keys(self) -> None:
        sheet = KeySheet(self.parts.window, self.keymap.keys)
        sheet.change_requested.connect(sheet.close)
        sheet.change_requested.connect(self.change_keys_wanted)
        sheet.show()

    def _commands(self) -> tuple[Command, ...]:
        return tuple(
            Command(
                spec.id,
                plain_text(spec),
                translated(spec.menu).replace("&", ""),
                tip_of(spec),
                tuple(native_key(k) for k in self.keymap.keys[spec.id]),
                self._why_not(spec.id),
                action.isChecked() if action.isCheckable() else None,
            )
            for spec in ACTIONS
            if spec.id is not ActionId.PALETTE
            for action in (self.parts.actions[spec.id],)
        )

    def _why_not(self, which: ActionId) -> str:
        """Return why a command is greyed, "" where it is not."""
        action = self.parts.actions[which]
        if action.isEnabled():
            return ""
        if which is ActionId.UNDO:
            return self.tr("There is nothing to take back.")
        if which is ActionId.REDO:
            return self.tr("Nothing was taken back.")
        if not self.parts.session.entries:
            return self.tr("Add recordings first.")
        if action.toolTip() != tooltip(SPECS[which], self.keymap.keys[which]):
            return action.toolTip()  # it says the reason
        return self.tr("It does not apply at the moment.")

    def _recent(self) -> tuple[ActionId, ...]:
        names = {which.value: which for which in ActionId}
        kept = self.parts.settings.get(keys.RECENT_COMMANDS).split(" ")
        return tuple(names[name] for name in kept if name in names)

    def _run(self, which: ActionId) -> None:
        recent = [which, *(other for other in self._recent() if other is not which)]
        names = " ".join(r.value for r in recent[:MOST_RECENT])
        self.parts.settings.set(keys.RECENT_COMMANDS, names)
        # The palette is gone first: a command may open a dialog, or use what has the focus.
        QTimer.singleShot(0, self, self.parts.actions[which].trigger)
