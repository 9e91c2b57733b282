"""How the pictures are shown."""

from __future__ import annotations

from app.actions.spec import MENU_VIEW, QT_TRANSLATE_NOOP, ActionId, ActionSpec

_TILES = tuple(getattr(ActionId, f"TILE_{number}") for number in range(1, 10))

VIEW_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.VIEW_GRID,
        QT_TRANSLATE_NOOP("Actions", "&Grid"),
        QT_TRANSLATE_NOOP("Actions", "Show all recordings side by side."),
        ("G",),
        MENU_VIEW,
        icon="view-grid",
        group="view",
        is_checkable=True,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.VIEW_OVERLAY,
        QT_TRANSLATE_NOOP("Actions", "&Overlay"),
        QT_TRANSLATE_NOOP("Actions", "Lay the active recording over the reference."),
        ("B",),
        MENU_VIEW,
        icon="view-overlay",
        group="view",
        is_checkable=True,
    ),
    ActionSpec(
        ActionId.VIEW_DIFFERENCE,
        QT_TRANSLATE_NOOP("Actions", "&Difference"),
        QT_TRANSLATE_NOOP("Actions", "Show where the active recording differs from the reference."),
        ("D",),
        MENU_VIEW,
        icon="view-difference",
        group="view",
        is_checkable=True,
        short=QT_TRANSLATE_NOOP("Actions", "Diff"),
    ),
    ActionSpec(
        ActionId.VIEW_WIPE,
        QT_TRANSLATE_NOOP("Actions", "&Wipe"),
        QT_TRANSLATE_NOOP(
            "Actions", "Show the reference left and the active recording right of an edge."
        ),
        ("W",),
        MENU_VIEW,
        icon="view-wipe",
        group="view",
        is_checkable=True,
    ),
    ActionSpec(
        ActionId.SOLO,
        QT_TRANSLATE_NOOP("Actions", "Only the active recording"),
        QT_TRANSLATE_NOOP(
            "Actions", "Show the active recording alone, or all again (double click does the same)."
        ),
        ("X",),
        MENU_VIEW,
        is_checkable=True,
    ),
    ActionSpec(
        ActionId.ZOOM_FIT,
        QT_TRANSLATE_NOOP("Actions", "Whole &picture"),
        QT_TRANSLATE_NOOP("Actions", "Zoom out until the whole picture is seen."),
        ("Ctrl+0",),
        MENU_VIEW,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.ZOOM_IN,
        QT_TRANSLATE_NOOP("Actions", "Zoom in"),
        QT_TRANSLATE_NOOP(
            "Actions", "Zoom into the middle of the pictures (the wheel: where it points)."
        ),
        ("Ctrl++", "Ctrl+="),
        MENU_VIEW,
        repeats=True,
    ),
    ActionSpec(
        ActionId.ZOOM_OUT,
        QT_TRANSLATE_NOOP("Actions", "Zoom out"),
        QT_TRANSLATE_NOOP("Actions", "Zoom out of the pictures."),
        ("Ctrl+-",),
        MENU_VIEW,
        repeats=True,
    ),
    ActionSpec(
        ActionId.ZOOM_LINK,
        QT_TRANSLATE_NOOP("Actions", "&Link zoom"),
        QT_TRANSLATE_NOOP("Actions", "Zoom and move all pictures together."),
        (),
        MENU_VIEW,
        is_checkable=True,
    ),
    *(
        ActionSpec(
            which,
            QT_TRANSLATE_NOOP("Actions", "Recording %1"),
            QT_TRANSLATE_NOOP("Actions", "Make recording %1 the active one; held: show it alone."),
            (str(number),),
            MENU_VIEW,
            starts_section=number == 1,
            number=number,
        )
        for number, which in enumerate(_TILES, 1)
    ),
)
