"""Markers and phases."""

from __future__ import annotations

from app.actions.spec import MENU_MARKERS, QT_TRANSLATE_NOOP, ActionId, ActionSpec

MARKER_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.MARK,
        QT_TRANSLATE_NOOP("Actions", "Add &marker"),
        QT_TRANSLATE_NOOP("Actions", "Mark the frame shown of the active recording."),
        ("M", "Ins"),
        MENU_MARKERS,
    ),
    ActionSpec(
        ActionId.MARK_PHASE,
        QT_TRANSLATE_NOOP("Actions", "Add &phase"),
        QT_TRANSLATE_NOOP("Actions", "Make a phase from in to out in the active recording."),
        ("Ctrl+M",),
        MENU_MARKERS,
    ),
    ActionSpec(
        ActionId.MARKER_PREVIOUS,
        QT_TRANSLATE_NOOP("Actions", "P&revious marker"),
        QT_TRANSLATE_NOOP("Actions", "Jump to the marker before, of the active recording."),
        ("Ctrl+Left",),
        MENU_MARKERS,
        repeats=True,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.MARKER_NEXT,
        QT_TRANSLATE_NOOP("Actions", "&Next marker"),
        QT_TRANSLATE_NOOP("Actions", "Jump to the marker behind, of the active recording."),
        ("Ctrl+Right",),
        MENU_MARKERS,
        repeats=True,
    ),
    ActionSpec(
        ActionId.MARKER_GO,
        QT_TRANSLATE_NOOP("Actions", "&Go to marker"),
        QT_TRANSLATE_NOOP("Actions", "Go to the chosen or nearest marker (Return in the list)."),
        (),
        MENU_MARKERS,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.MARKER_RENAME,
        QT_TRANSLATE_NOOP("Actions", "Re&name marker"),
        QT_TRANSLATE_NOOP("Actions", "Type another name for the chosen or nearest marker."),
        ("F2",),
        MENU_MARKERS,
    ),
    ActionSpec(
        ActionId.MARKER_COLOUR,
        QT_TRANSLATE_NOOP("Actions", "&Colour of marker…"),
        QT_TRANSLATE_NOOP("Actions", "Give the chosen markers another colour."),
        (),
        MENU_MARKERS,
    ),
    ActionSpec(
        ActionId.MARKER_START,
        QT_TRANSLATE_NOOP("Actions", "Marker &begins here"),
        QT_TRANSLATE_NOOP(
            "Actions", "Move the chosen or nearest marker, or a phase's start, to the frame shown."
        ),
        ("Alt+I",),
        MENU_MARKERS,
    ),
    ActionSpec(
        ActionId.MARKER_END,
        QT_TRANSLATE_NOOP("Actions", "Marker en&ds here"),
        QT_TRANSLATE_NOOP(
            "Actions", "Let the chosen or nearest phase end with the frame shown; a moment too."
        ),
        ("Alt+O",),
        MENU_MARKERS,
    ),
    ActionSpec(
        ActionId.MARKER_ACCEPT,
        QT_TRANSLATE_NOOP("Actions", "A&ccept marker"),
        QT_TRANSLATE_NOOP("Actions", "Make the chosen markers that were carried over your own."),
        (),
        MENU_MARKERS,
    ),
    ActionSpec(
        ActionId.MARKER_REMOVE,
        QT_TRANSLATE_NOOP("Actions", "&Remove marker"),
        QT_TRANSLATE_NOOP("Actions", "Take out the chosen or nearest marker (Del in the list)."),
        (),
        MENU_MARKERS,
    ),
    ActionSpec(
        ActionId.MARKERS_ACCEPT,
        QT_TRANSLATE_NOOP("Actions", "&Accept all carried over"),
        QT_TRANSLATE_NOOP(
            "Actions", "Make all markers that were carried along the alignment your own."
        ),
        (),
        MENU_MARKERS,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.MARKERS_IMPORT,
        QT_TRANSLATE_NOOP("Actions", "&Import markers…"),
        QT_TRANSLATE_NOOP("Actions", "Take in markers of a CSV, JSON or ELAN file."),
        (),
        MENU_MARKERS,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.MARKERS_EXPORT,
        QT_TRANSLATE_NOOP("Actions", "&Export markers…"),
        QT_TRANSLATE_NOOP("Actions", "Write all markers as CSV, JSON or ELAN file."),
        (),
        MENU_MARKERS,
    ),
    ActionSpec(
        ActionId.MARKERS_SHOW,
        QT_TRANSLATE_NOOP("Actions", "&Show markers"),
        QT_TRANSLATE_NOOP("Actions", "Bring the panel of markers and phases to the front."),
        ("Ctrl+Shift+L",),
        MENU_MARKERS,
    ),
)
