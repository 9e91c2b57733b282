"""Finding commands, settings, layouts."""

from __future__ import annotations

from app.actions.spec import (
    MENU_EDIT,
    MENU_HELP,
    MENU_VIEW,
    QT_TRANSLATE_NOOP,
    ActionId,
    ActionSpec,
)

COMMAND_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.SETTINGS,
        QT_TRANSLATE_NOOP("Actions", "Se&ttings…"),
        QT_TRANSLATE_NOOP("Actions", "Encoder, device, cache, playing, colours and keys."),
        ("Ctrl+,",),
        MENU_EDIT,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.LAYOUT_COMPARE,
        QT_TRANSLATE_NOOP("Actions", "Layout: &Compare"),
        QT_TRANSLATE_NOOP("Actions", "All room to the pictures and the lanes."),
        ("Ctrl+Alt+1",),
        MENU_VIEW,
        group="layout",
        is_checkable=True,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.LAYOUT_ALIGN,
        QT_TRANSLATE_NOOP("Actions", "Layout: &Align"),
        QT_TRANSLATE_NOOP("Actions", "Pictures, and the alignment beside them."),
        ("Ctrl+Alt+2",),
        MENU_VIEW,
        group="layout",
        is_checkable=True,
    ),
    ActionSpec(
        ActionId.LAYOUT_TRAIN,
        QT_TRANSLATE_NOOP("Actions", "Layout: &Train"),
        QT_TRANSLATE_NOOP("Actions", "Adapting and training in front."),
        ("Ctrl+Alt+3",),
        MENU_VIEW,
        group="layout",
        is_checkable=True,
    ),
    ActionSpec(
        ActionId.PALETTE,
        QT_TRANSLATE_NOOP("Actions", "Find a &command…"),
        QT_TRANSLATE_NOOP("Actions", "Find a command by its name or its key, and run it."),
        ("Ctrl+K",),
        MENU_HELP,
    ),
)
