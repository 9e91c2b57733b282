"""What of the lanes is in view, and how a place is written."""

from __future__ import annotations

from app.actions.spec import MENU_PLAY, MENU_VIEW, QT_TRANSLATE_NOOP, ActionId, ActionSpec

LANE_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.GO_TO,
        QT_TRANSLATE_NOOP("Actions", "Go &to…"),
        QT_TRANSLATE_NOOP("Actions", "Go to a time, a frame number or a share of the length."),
        ("Ctrl+G",),
        MENU_PLAY,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.READOUT,
        QT_TRANSLATE_NOOP("Actions", "Sho&w time, frame or share"),
        QT_TRANSLATE_NOOP("Actions", "Change what the play buttons count in."),
        ("T",),
        MENU_PLAY,
    ),
    ActionSpec(
        ActionId.LANES_IN,
        QT_TRANSLATE_NOOP("Actions", "Lanes: closer"),
        QT_TRANSLATE_NOOP("Actions", "Show less time of all lanes, down to single frames."),
        ("=", "+"),
        MENU_VIEW,
        repeats=True,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.LANES_OUT,
        QT_TRANSLATE_NOOP("Actions", "Lanes: further"),
        QT_TRANSLATE_NOOP("Actions", "Show more time of all lanes."),
        ("-",),
        MENU_VIEW,
        repeats=True,
    ),
    ActionSpec(
        ActionId.LANES_FIT,
        QT_TRANSLATE_NOOP("Actions", "Lanes and heatmap: fit"),
        QT_TRANSLATE_NOOP("Actions", "Put everything in view: all lanes and the heatmap."),
        ("Z",),
        MENU_VIEW,
    ),
    ActionSpec(
        ActionId.LANES_RANGE,
        QT_TRANSLATE_NOOP("Actions", "Lanes: from in to out"),
        QT_TRANSLATE_NOOP("Actions", "Show the range that is played, as large as possible."),
        ("Shift+Z",),
        MENU_VIEW,
    ),
)
