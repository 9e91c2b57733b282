"""The one table of actions. Menus, toolbar, key sheet and tests are made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QIcon, QKeySequence

from app.actions.align_rows import ALIGN_ROWS
from app.actions.command_rows import COMMAND_ROWS
from app.actions.effective import (
    KeyMap,
    effective_keys,
    native_key,
    normal_key,
    overrides_from_text,
    overrides_to_text,
)
from app.actions.file_rows import FILE_ROWS
from app.actions.hand_rows import HAND_ROWS
from app.actions.lane_rows import LANE_ROWS
from app.actions.look_rows import LOOK_ROWS
from app.actions.marker_rows import MARKER_ROWS
from app.actions.match_rows import MATCH_ROWS
from app.actions.play_rows import PLAY_ROWS
from app.actions.point_rows import POINT_ROWS
from app.actions.spec import MENUS, ActionId, ActionSpec
from app.actions.view_rows import VIEW_ROWS
from app.actions.words import plain_text, text_of, tip_of, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "ACTIONS",
    "MENUS",
    "SPECS",
    "ActionId",
    "ActionSpec",
    "KeyMap",
    "apply_keys",
    "bind",
    "effective_keys",
    "keys_of",
    "make_actions",
    "native_key",
    "normal_key",
    "overrides_from_text",
    "overrides_to_text",
    "plain_text",
    "text_of",
    "tip_of",
    "tooltip",
    "translated",
]

ACTIONS: tuple[ActionSpec, ...] = (
    *FILE_ROWS,
    *ALIGN_ROWS,
    *HAND_ROWS,
    *POINT_ROWS,
    *PLAY_ROWS,
    *MARKER_ROWS,
    *VIEW_ROWS,
    *LANE_ROWS,
    *LOOK_ROWS,
    *MATCH_ROWS,
    *COMMAND_ROWS,
)

SPECS: Mapping[ActionId, ActionSpec] = {spec.id: spec for spec in ACTIONS}


def tooltip(spec: ActionSpec, keys: Sequence[str] | None = None) -> str:
    """Return the tip with the first key behind it; ``keys`` None = those of the table."""
    own = spec.keys if keys is None else keys
    tip = tip_of(spec)
    return f"{tip} ({native_key(own[0])})" if own else tip


def keys_of(action: QAction) -> tuple[str, ...]:
    """Return the keys an action has now."""
    portable = QKeySequence.SequenceFormat.PortableText
    return tuple(shortcut.toString(portable) for shortcut in action.shortcuts())


def apply_keys(actions: Mapping[ActionId, QAction], keymap: KeyMap) -> None:
    """Give all actions the keys in force; tips name them, unless they say something else now."""
    for which, action in actions.items():
        is_tip = action.toolTip() == tooltip(SPECS[which], keys_of(action))
        action.setShortcuts([QKeySequence(key) for key in keymap.keys[which]])
        if is_tip:
            action.setToolTip(tooltip(SPECS[which], keymap.keys[which]))


def make_actions(parent: QObject, icon: Callable[[str], QIcon]) -> dict[ActionId, QAction]:
    """Make a ``QAction`` for each row; ``bind`` connects them."""
    actions: dict[ActionId, QAction] = {}
    groups: dict[str, QActionGroup] = {}
    for spec in ACTIONS:
        action = QAction(text_of(spec), parent)
        action.setObjectName(f"action-{spec.id.value}")
        action.setShortcuts([QKeySequence(key) for key in spec.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setToolTip(tooltip(spec))
        action.setIconText(translated(spec.short) if spec.short else plain_text(spec))
        action.setAutoRepeat(spec.repeats)
        action.setCheckable(spec.is_checkable)
        if spec.icon:
            action.setIcon(icon(spec.icon))
        if spec.group:
            group = groups.setdefault(spec.group, QActionGroup(parent))
            group.addAction(action)
        actions[spec.id] = action
    return actions


def bind(
    actions: Mapping[ActionId, QAction],
    handlers: Iterable[Mapping[ActionId, Callable[[], None]]],
) -> None:
    """Connect every action to its one handler.

    Raises
    ------
    ValueError
        When an action has no handler, or two.
    """
    found: dict[ActionId, Callable[[], None]] = {}
    for some in handlers:
        twice = found.keys() & some.keys()
        if twice:
            raise ValueError(f"two handlers for {', '.join(sorted(t.value for t in twice))}")
        found.update(some)
    missing = actions.keys() - found.keys()
    if missing:
        raise ValueError(f"no handler for {', '.join(sorted(m.value for m in missing))}")
    for which, action in actions.items():
        # triggered passes "checked", which no handler wants
        action.triggered.connect(_without_arguments(found[which]))


def _without_arguments(handler: Callable[[], None]) -> Callable[[bool], None]:
    def call(_checked: bool = False) -> None:
        handler()

    return call
