"""What is aligned with what, and how."""

from __future__ import annotations

from app.actions.spec import MENU_ALIGN, QT_TRANSLATE_NOOP, ActionId, ActionSpec

ALIGN_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.ALIGN,
        QT_TRANSLATE_NOOP("Actions", "&Align again"),
        QT_TRANSLATE_NOOP(
            "Actions", "Embed what is missing and align all recordings to the reference."
        ),
        ("Ctrl+R",),
        MENU_ALIGN,
        "align",
    ),
    ActionSpec(
        ActionId.MAKE_REFERENCE,
        QT_TRANSLATE_NOOP("Actions", "Make &reference"),
        QT_TRANSLATE_NOOP("Actions", "Align all others to the active recording."),
        ("R",),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.CANCEL_JOBS,
        QT_TRANSLATE_NOOP("Actions", "&Cancel running work"),
        QT_TRANSLATE_NOOP("Actions", "Stop embedding and aligning; what is finished is kept."),
        ("Ctrl+.",),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.ADAPT,
        QT_TRANSLATE_NOOP("Actions", "A&dapt to these recordings…"),
        QT_TRANSLATE_NOOP(
            "Actions", "Let the encoder learn from the open recordings; asks before it is used."
        ),
        (),
        MENU_ALIGN,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.TRAIN,
        QT_TRANSLATE_NOOP("Actions", "&Train an encoder…"),
        QT_TRANSLATE_NOOP(
            "Actions", "Let a new encoder learn from a folder of videos, in the background."
        ),
        (),
        MENU_ALIGN,
    ),
    ActionSpec(
        ActionId.METHOD_PICTURES,
        QT_TRANSLATE_NOOP("Actions", "Align by the &pictures"),
        QT_TRANSLATE_NOOP("Actions", "Find in the pictures which moments belong together."),
        (),
        MENU_ALIGN,
        group="method",
        is_checkable=True,
        starts_section=True,
        short=QT_TRANSLATE_NOOP("Actions", "Pictures"),
    ),
    ActionSpec(
        ActionId.METHOD_SOUND,
        QT_TRANSLATE_NOOP("Actions", "Align by the &sound"),
        QT_TRANSLATE_NOOP(
            "Actions", "Shift the recordings by their sound: for cameras that ran together."
        ),
        (),
        MENU_ALIGN,
        group="method",
        is_checkable=True,
        short=QT_TRANSLATE_NOOP("Actions", "Sound"),
    ),
    ActionSpec(
        ActionId.METHOD_TIMECODE,
        QT_TRANSLATE_NOOP("Actions", "Align by the &timecode"),
        QT_TRANSLATE_NOOP(
            "Actions", "Shift the recordings by their timecode: for cameras that ran together."
        ),
        (),
        MENU_ALIGN,
        group="method",
        is_checkable=True,
        short=QT_TRANSLATE_NOOP("Actions", "Timecode"),
    ),
    ActionSpec(
        ActionId.BASE_REFERENCE,
        QT_TRANSLATE_NOOP("Actions", "Time follows the re&ference"),
        QT_TRANSLATE_NOOP("Actions", "The reference runs naturally, the others are warped to it."),
        ("Alt+1",),
        MENU_ALIGN,
        group="time-base",
        is_checkable=True,
        starts_section=True,
        short=QT_TRANSLATE_NOOP("Actions", "Reference"),
    ),
    ActionSpec(
        ActionId.BASE_MEAN,
        QT_TRANSLATE_NOOP("Actions", "Time follows the &mean"),
        QT_TRANSLATE_NOOP("Actions", "All recordings are warped a little."),
        ("Alt+2",),
        MENU_ALIGN,
        group="time-base",
        is_checkable=True,
        short=QT_TRANSLATE_NOOP("Actions", "Mean"),
    ),
    ActionSpec(
        ActionId.BASE_NATIVE,
        QT_TRANSLATE_NOOP("Actions", "&Native time"),
        QT_TRANSLATE_NOOP(
            "Actions", "Nothing is warped; all start together where the alignment begins."
        ),
        ("Alt+3",),
        MENU_ALIGN,
        group="time-base",
        is_checkable=True,
        short=QT_TRANSLATE_NOOP("Actions", "Native"),
    ),
)
