"""What can be done with the match chosen in the list of matches."""

from __future__ import annotations

from app.actions.spec import (
    MENU_SEARCH,
    QT_TRANSLATE_NOOP,
    SUBMENU_MATCH,
    ActionId,
    ActionSpec,
)

MATCH_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.MATCH_GO,
        QT_TRANSLATE_NOOP("Actions", "&Go to match"),
        QT_TRANSLATE_NOOP("Actions", "Show the chosen match in step (Return in the list)."),
        (),
        MENU_SEARCH,
        submenu=SUBMENU_MATCH,
    ),
    ActionSpec(
        ActionId.MATCH_ALONE,
        QT_TRANSLATE_NOOP("Actions", "&Show only its recording there"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Move the recording of the chosen match alone, the others stay (Ctrl+click on it).",
        ),
        (),
        MENU_SEARCH,
        submenu=SUBMENU_MATCH,
    ),
    ActionSpec(
        ActionId.MATCH_PIN,
        QT_TRANSLATE_NOOP("Actions", "&Pin match"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "The chosen match and the frame looked for are the same moment (A in the list).",
        ),
        (),
        MENU_SEARCH,
        submenu=SUBMENU_MATCH,
    ),
    ActionSpec(
        ActionId.MATCH_ALSO,
        QT_TRANSLATE_NOOP("Actions", "&Look for this match too"),
        QT_TRANSLATE_NOOP(
            "Actions", "Look for what query and chosen match have in common (+ in the list)."
        ),
        (),
        MENU_SEARCH,
        starts_section=True,
        submenu=SUBMENU_MATCH,
    ),
    ActionSpec(
        ActionId.MATCH_UNLIKE,
        QT_TRANSLATE_NOOP("Actions", "&Nothing like this match"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Leave out what looks more like the chosen match than like the query (- in the list).",
        ),
        (),
        MENU_SEARCH,
        submenu=SUBMENU_MATCH,
    ),
)
