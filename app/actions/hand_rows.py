"""Alignment by hand."""

from __future__ import annotations

from app.actions.spec import MENU_ALIGN, QT_TRANSLATE_NOOP, ActionId, ActionSpec

HAND_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.PIN,
        QT_TRANSLATE_NOOP("Actions", "&Pin these frames"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "The frames shown now are the same moment; the map goes through them.",
        ),
        ("Shift+M",),
        MENU_ALIGN,
        starts_section=True,
        short=QT_TRANSLATE_NOOP("Actions", "Pin"),
    ),
    ActionSpec(
        ActionId.UNPIN,
        QT_TRANSLATE_NOOP("Actions", "&Unpin"),
        QT_TRANSLATE_NOOP("Actions", "Take out the pin nearest to the playhead."),
        ("Ctrl+Shift+M",),
        MENU_ALIGN,
        short=QT_TRANSLATE_NOOP("Actions", "Unpin"),
    ),
    ActionSpec(
        ActionId.CLEAR_PINS,
        QT_TRANSLATE_NOOP("Actions", "Remove all pins"),
        QT_TRANSLATE_NOOP("Actions", "Take out all pins of the active recording."),
        (),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.NEAREST_PIN,
        QT_TRANSLATE_NOOP("Actions", "To the nearest pin"),
        QT_TRANSLATE_NOOP("Actions", "Jump to the nearest pin of the active recording."),
        ("F8",),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.SEGMENT_LOOP,
        QT_TRANSLATE_NOOP("Actions", "Loop from pin to pin"),
        QT_TRANSLATE_NOOP("Actions", "Play the stretch between the pins round the playhead."),
        ("Ctrl+P",),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.SEGMENT_LOCK,
        QT_TRANSLATE_NOOP("Actions", "Lock from pin to pin"),
        QT_TRANSLATE_NOOP(
            "Actions", "Pin the path between two pins as it is, so that nothing moves it."
        ),
        (),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.SEGMENT_STRAIGHT,
        QT_TRANSLATE_NOOP("Actions", "Straighten from pin to pin"),
        QT_TRANSLATE_NOOP("Actions", "Let the other recording run evenly between two pins."),
        (),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.NO_COUNTERPART,
        QT_TRANSLATE_NOOP("Actions", "No counterpart from in to out"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "From in to out the reference shows what the recording of the map does not have.",
        ),
        (),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.CLEAR_MASKS,
        QT_TRANSLATE_NOOP("Actions", "Remove all masks"),
        QT_TRANSLATE_NOOP("Actions", "Take out all masks and corridors of the map's pair."),
        (),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.UNCERTAIN_NEXT,
        QT_TRANSLATE_NOOP("Actions", "Next uncertain place"),
        QT_TRANSLATE_NOOP("Actions", "Go to the next place where the alignment is uncertain."),
        ("F7",),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.UNCERTAIN_PREVIOUS,
        QT_TRANSLATE_NOOP("Actions", "Previous uncertain place"),
        QT_TRANSLATE_NOOP("Actions", "Go to the place before where the alignment is uncertain."),
        ("Shift+F7",),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.UNCERTAIN_RIGHT,
        QT_TRANSLATE_NOOP("Actions", "This uncertain place is correct"),
        QT_TRANSLATE_NOOP(
            "Actions", "Pin the uncertain place shown as it is, and go on to the next."
        ),
        ("Ctrl+F7",),
        MENU_ALIGN,
        short=QT_TRANSLATE_NOOP("Actions", "Correct"),
    ),
    ActionSpec(
        ActionId.SYNC,
        QT_TRANSLATE_NOOP("Actions", "S&ync lock"),
        QT_TRANSLATE_NOOP("Actions", "Move all recordings in step; off: the active one alone."),
        ("S",),
        MENU_ALIGN,
        is_checkable=True,
        short=QT_TRANSLATE_NOOP("Actions", "Sync"),
    ),
    ActionSpec(
        ActionId.NUDGE_BACK,
        QT_TRANSLATE_NOOP("Actions", "Nudge one frame back"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Move the active recording alone by one frame; pin it to keep that.",
        ),
        ("Alt+-",),
        MENU_ALIGN,
        repeats=True,
        starts_section=True,
        short=QT_TRANSLATE_NOOP("Actions", "-1"),
    ),
    ActionSpec(
        ActionId.NUDGE_FORWARD,
        QT_TRANSLATE_NOOP("Actions", "Nudge one frame forward"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Move the active recording alone by one frame; pin it to keep that.",
        ),
        ("Alt+=",),
        MENU_ALIGN,
        repeats=True,
        short=QT_TRANSLATE_NOOP("Actions", "+1"),
    ),
    ActionSpec(
        ActionId.NUDGE_BACK_TEN,
        QT_TRANSLATE_NOOP("Actions", "Nudge ten frames back"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Move the active recording alone by ten frames; pin it to keep that.",
        ),
        ("Ctrl+Alt+-",),
        MENU_ALIGN,
        repeats=True,
        short=QT_TRANSLATE_NOOP("Actions", "-10"),
    ),
    ActionSpec(
        ActionId.NUDGE_FORWARD_TEN,
        QT_TRANSLATE_NOOP("Actions", "Nudge ten frames forward"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Move the active recording alone by ten frames; pin it to keep that.",
        ),
        ("Ctrl+Alt+=",),
        MENU_ALIGN,
        repeats=True,
        short=QT_TRANSLATE_NOOP("Actions", "+10"),
    ),
    ActionSpec(
        ActionId.NUDGE_BACK_HUNDRED,
        QT_TRANSLATE_NOOP("Actions", "Nudge a hundred frames back"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Move the active recording alone by a hundred frames; pin it to keep that.",
        ),
        ("Alt+Shift+-", "Alt+_"),
        MENU_ALIGN,
        repeats=True,
    ),
    ActionSpec(
        ActionId.NUDGE_FORWARD_HUNDRED,
        QT_TRANSLATE_NOOP("Actions", "Nudge a hundred frames forward"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Move the active recording alone by a hundred frames; pin it to keep that.",
        ),
        ("Alt+Shift+=", "Alt++"),
        MENU_ALIGN,
        repeats=True,
    ),
    ActionSpec(
        ActionId.MAP_AUTO,
        QT_TRANSLATE_NOOP("Actions", "Map by &itself"),
        QT_TRANSLATE_NOOP(
            "Actions", "The map of the active recording follows pictures, sound or timecode."
        ),
        (),
        MENU_ALIGN,
        group="map",
        is_checkable=True,
        starts_section=True,
        short=QT_TRANSLATE_NOOP("Actions", "Auto"),
    ),
    ActionSpec(
        ActionId.MAP_OFFSET,
        QT_TRANSLATE_NOOP("Actions", "&Constant offset"),
        QT_TRANSLATE_NOOP(
            "Actions", "Shift the active recording as a whole; a pin decides by how much."
        ),
        (),
        MENU_ALIGN,
        group="map",
        is_checkable=True,
        short=QT_TRANSLATE_NOOP("Actions", "Offset"),
    ),
    ActionSpec(
        ActionId.MAP_LINEAR,
        QT_TRANSLATE_NOOP("Actions", "&Linear map"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Shift and stretch the active recording, through the outer pins.",
        ),
        (),
        MENU_ALIGN,
        group="map",
        is_checkable=True,
        short=QT_TRANSLATE_NOOP("Actions", "Linear"),
    ),
    ActionSpec(
        ActionId.MAP_PINS,
        QT_TRANSLATE_NOOP("Actions", "Pins &only"),
        QT_TRANSLATE_NOOP("Actions", "Straight from pin to pin."),
        (),
        MENU_ALIGN,
        group="map",
        is_checkable=True,
        short=QT_TRANSLATE_NOOP("Actions", "Pins"),
    ),
)
