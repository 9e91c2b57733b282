"""What can be done at one point of the map: a frame of the reference and one of the other."""

from __future__ import annotations

from app.actions.spec import (
    MENU_ALIGN,
    QT_TRANSLATE_NOOP,
    SUBMENU_POINT,
    ActionId,
    ActionSpec,
)

POINT_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.POINT_GO,
        QT_TRANSLATE_NOOP("Actions", "&Show these two"),
        QT_TRANSLATE_NOOP(
            "Actions", "Show the two frames at the cursor of the map (a click does it too)."
        ),
        (),
        MENU_ALIGN,
        submenu=SUBMENU_POINT,
    ),
    ActionSpec(
        ActionId.POINT_PIN,
        QT_TRANSLATE_NOOP("Actions", "&Pin at the cursor"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "The two frames at the cursor of the map are the same moment (Return in the map).",
        ),
        (),
        MENU_ALIGN,
        submenu=SUBMENU_POINT,
    ),
    ActionSpec(
        ActionId.POINT_BEGIN,
        QT_TRANSLATE_NOOP("Actions", "Both &begin here"),
        QT_TRANSLATE_NOOP(
            "Actions", "Nothing before the two frames at the cursor of the map matches."
        ),
        (),
        MENU_ALIGN,
        submenu=SUBMENU_POINT,
    ),
    ActionSpec(
        ActionId.POINT_END,
        QT_TRANSLATE_NOOP("Actions", "Both &end here"),
        QT_TRANSLATE_NOOP(
            "Actions", "Nothing behind the two frames at the cursor of the map matches."
        ),
        (),
        MENU_ALIGN,
        submenu=SUBMENU_POINT,
    ),
    ActionSpec(
        ActionId.POINT_UNMASK,
        QT_TRANSLATE_NOOP("Actions", "Remove this &mask"),
        QT_TRANSLATE_NOOP(
            "Actions", "Take out the mask or corridor at the cursor of the map (Del in the map)."
        ),
        (),
        MENU_ALIGN,
        submenu=SUBMENU_POINT,
    ),
    ActionSpec(
        ActionId.POINT_IN,
        QT_TRANSLATE_NOOP("Actions", "&In at the cursor"),
        QT_TRANSLATE_NOOP("Actions", "Play from the two frames at the cursor of the map."),
        (),
        MENU_ALIGN,
        starts_section=True,
        submenu=SUBMENU_POINT,
    ),
    ActionSpec(
        ActionId.POINT_OUT,
        QT_TRANSLATE_NOOP("Actions", "&Out at the cursor"),
        QT_TRANSLATE_NOOP("Actions", "Play as far as the two frames at the cursor of the map."),
        (),
        MENU_ALIGN,
        submenu=SUBMENU_POINT,
    ),
    ActionSpec(
        ActionId.POINT_FIND,
        QT_TRANSLATE_NOOP("Actions", "&Find the frame at the cursor"),
        QT_TRANSLATE_NOOP(
            "Actions", "Go to the two frames at the cursor of the map, and find the active tile's."
        ),
        (),
        MENU_ALIGN,
        submenu=SUBMENU_POINT,
    ),
    ActionSpec(
        ActionId.POINT_COPY,
        QT_TRANSLATE_NOOP("Actions", "&Copy both times"),
        QT_TRANSLATE_NOOP("Actions", "Copy the times of the two frames at the cursor of the map."),
        (),
        MENU_ALIGN,
        starts_section=True,
        submenu=SUBMENU_POINT,
    ),
)
