"""Searching, looking, help."""

from __future__ import annotations

from app.actions.spec import (
    MENU_HELP,
    MENU_SEARCH,
    MENU_VIEW,
    QT_TRANSLATE_NOOP,
    ActionId,
    ActionSpec,
)

LOOK_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.FIND_FRAME,
        QT_TRANSLATE_NOOP("Actions", "&Find this frame"),
        QT_TRANSLATE_NOOP(
            "Actions", "Find the moments of all recordings that look like the active tile's frame."
        ),
        ("F",),
        MENU_SEARCH,
        "search",
        short=QT_TRANSLATE_NOOP("Actions", "Find"),
    ),
    ActionSpec(
        ActionId.FIND_ALSO,
        QT_TRANSLATE_NOOP("Actions", "And &this frame"),
        QT_TRANSLATE_NOOP(
            "Actions", "Look for what the frame here and what was looked for have in common."
        ),
        ("Shift+F",),
        MENU_SEARCH,
    ),
    ActionSpec(
        ActionId.FIND_UNLIKE,
        QT_TRANSLATE_NOOP("Actions", "&Not like this frame"),
        QT_TRANSLATE_NOOP(
            "Actions", "Leave out moments that look more like the frame here than like the query."
        ),
        ("Ctrl+Alt+F",),
        MENU_SEARCH,
    ),
    ActionSpec(
        ActionId.FIND_RANGE,
        QT_TRANSLATE_NOOP("Actions", "Find from in to &out"),
        QT_TRANSLATE_NOOP(
            "Actions", "Find what the active recording shows from in to out, in this order."
        ),
        ("Ctrl+Shift+F",),
        MENU_SEARCH,
    ),
    ActionSpec(
        ActionId.FIND_IMAGE,
        QT_TRANSLATE_NOOP("Actions", "Find an &image file…"),
        QT_TRANSLATE_NOOP("Actions", "Find the moments that look like a picture from a file."),
        ("Ctrl+F",),
        MENU_SEARCH,
        "image",
    ),
    ActionSpec(
        ActionId.FIND_PASTED,
        QT_TRANSLATE_NOOP("Actions", "Find the &copied image"),
        QT_TRANSLATE_NOOP(
            "Actions", "Find the moments that look like the picture on the clipboard."
        ),
        ("Ctrl+V",),
        MENU_SEARCH,
    ),
    ActionSpec(
        ActionId.FIND_EVERYWHERE,
        QT_TRANSLATE_NOOP("Actions", "In all recordings &ever embedded"),
        QT_TRANSLATE_NOOP(
            "Actions", "Search all recordings that were ever embedded, not only those shown here."
        ),
        (),
        MENU_SEARCH,
        is_checkable=True,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.NEXT_TILE,
        QT_TRANSLATE_NOOP("Actions", "&Next tile"),
        QT_TRANSLATE_NOOP("Actions", "Make the next recording the active one."),
        ("Ctrl+Tab",),
        MENU_VIEW,
    ),
    ActionSpec(
        ActionId.PREVIOUS_TILE,
        QT_TRANSLATE_NOOP("Actions", "&Previous tile"),
        QT_TRANSLATE_NOOP("Actions", "Make the previous recording the active one."),
        ("Ctrl+Shift+Tab",),
        MENU_VIEW,
    ),
    ActionSpec(
        ActionId.FULL_SCREEN,
        QT_TRANSLATE_NOOP("Actions", "&Full screen"),
        QT_TRANSLATE_NOOP("Actions", "Use the whole screen, or leave it."),
        ("F11", "Alt+Return"),
        MENU_VIEW,
        is_checkable=True,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.RESET_LAYOUT,
        QT_TRANSLATE_NOOP("Actions", "&Reset layout"),
        QT_TRANSLATE_NOOP("Actions", "Put all panels back where they were at first."),
        (),
        MENU_VIEW,
    ),
    ActionSpec(
        ActionId.KEYS,
        QT_TRANSLATE_NOOP("Actions", "&Keys"),
        QT_TRANSLATE_NOOP("Actions", "Show all keys."),
        ("F1", "?"),
        MENU_HELP,
    ),
    ActionSpec(
        ActionId.DIAGNOSTICS,
        QT_TRANSLATE_NOOP("Actions", "Copy &diagnostics"),
        QT_TRANSLATE_NOOP(
            "Actions", "Copy versions, devices and the last log lines, for a report."
        ),
        (),
        MENU_HELP,
    ),
    ActionSpec(
        ActionId.ABOUT,
        QT_TRANSLATE_NOOP("Actions", "&About CARL"),
        QT_TRANSLATE_NOOP("Actions", "What this program is."),
        (),
        MENU_HELP,
    ),
)
