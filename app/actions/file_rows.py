"""Files and projects, undo and redo."""

from __future__ import annotations

from app.actions.spec import MENU_EDIT, MENU_FILE, QT_TRANSLATE_NOOP, ActionId, ActionSpec

FILE_ROWS: tuple[ActionSpec, ...] = (
    ActionSpec(
        ActionId.OPEN,
        QT_TRANSLATE_NOOP("Actions", "&Add videos…"),
        QT_TRANSLATE_NOOP("Actions", "Add recordings; two or more are aligned at once."),
        ("Ctrl+O",),
        MENU_FILE,
        "add",
        short=QT_TRANSLATE_NOOP("Actions", "Add videos"),
    ),
    ActionSpec(
        ActionId.OPEN_DEMO,
        QT_TRANSLATE_NOOP("Actions", "Open &sample recordings"),
        QT_TRANSLATE_NOOP("Actions", "Open the two recordings that come with the program."),
        (),
        MENU_FILE,
    ),
    ActionSpec(
        ActionId.PROJECT_NEW,
        QT_TRANSLATE_NOOP("Actions", "&New project"),
        QT_TRANSLATE_NOOP("Actions", "Begin anew; asks about unsaved work."),
        ("Ctrl+N",),
        MENU_FILE,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.PROJECT_OPEN,
        QT_TRANSLATE_NOOP("Actions", "Open &project…"),
        QT_TRANSLATE_NOOP("Actions", "Open a comparison that was saved."),
        ("Ctrl+Shift+O",),
        MENU_FILE,
    ),
    ActionSpec(
        ActionId.RECENT_OPEN,
        QT_TRANSLATE_NOOP("Actions", "Open &recent project"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Open the project chosen in the list of recent ones; where none is, the newest.",
        ),
        ("Ctrl+Alt+O",),
        MENU_FILE,
    ),
    ActionSpec(
        ActionId.RECENT_FORGET,
        QT_TRANSLATE_NOOP("Actions", "Take recent project off the list"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Take the project chosen in the list of recent ones off it; its file stays "
            "(Del in the list).",
        ),
        (),
        MENU_FILE,
    ),
    ActionSpec(
        ActionId.SAVE,
        QT_TRANSLATE_NOOP("Actions", "&Save project"),
        QT_TRANSLATE_NOOP(
            "Actions", "Save recordings, pins, markers and settings of this comparison."
        ),
        ("Ctrl+S",),
        MENU_FILE,
    ),
    ActionSpec(
        ActionId.SAVE_AS,
        QT_TRANSLATE_NOOP("Actions", "Save project &as…"),
        QT_TRANSLATE_NOOP("Actions", "Save this comparison under another name."),
        ("Ctrl+Shift+S",),
        MENU_FILE,
    ),
    ActionSpec(
        ActionId.EXPORT,
        QT_TRANSLATE_NOOP("Actions", "&Export…"),
        QT_TRANSLATE_NOOP(
            "Actions", "Write the comparison as video, picture, alignment, table or heatmap."
        ),
        ("Ctrl+E",),
        MENU_FILE,
        icon="export",
        starts_section=True,
        short=QT_TRANSLATE_NOOP("Actions", "Export"),
    ),
    ActionSpec(
        ActionId.STILL,
        QT_TRANSLATE_NOOP("Actions", "Save this &moment…"),
        QT_TRANSLATE_NOOP("Actions", "Write the pictures as they are shown now to a file."),
        ("Ctrl+Shift+E",),
        MENU_FILE,
    ),
    ActionSpec(
        ActionId.REMOVE,
        QT_TRANSLATE_NOOP("Actions", "&Remove recording"),
        QT_TRANSLATE_NOOP(
            "Actions", "Take the active recording out of the comparison; the file stays."
        ),
        ("Ctrl+W",),
        MENU_FILE,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.CLOSE_ALL,
        QT_TRANSLATE_NOOP("Actions", "Remove &all"),
        QT_TRANSLATE_NOOP("Actions", "Take all recordings out and begin anew."),
        ("Ctrl+Shift+W",),
        MENU_FILE,
    ),
    ActionSpec(
        ActionId.FORGET,
        QT_TRANSLATE_NOOP("Actions", "&Forget traces of recording…"),
        QT_TRANSLATE_NOOP(
            "Actions",
            "Remove embeddings, pictures and unsaved work of the active recording; asks first.",
        ),
        (),
        MENU_FILE,
    ),
    ActionSpec(
        ActionId.QUIT,
        QT_TRANSLATE_NOOP("Actions", "&Quit"),
        QT_TRANSLATE_NOOP("Actions", "Close the window; computed embeddings are kept."),
        ("Ctrl+Q",),
        MENU_FILE,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.UNDO,
        QT_TRANSLATE_NOOP("Actions", "&Undo"),
        QT_TRANSLATE_NOOP("Actions", "Take back the last decision."),
        ("Ctrl+Z",),
        MENU_EDIT,
        repeats=True,
    ),
    ActionSpec(
        ActionId.REDO,
        QT_TRANSLATE_NOOP("Actions", "&Redo"),
        QT_TRANSLATE_NOOP("Actions", "Do again what was taken back."),
        ("Ctrl+Shift+Z", "Ctrl+Y"),
        MENU_EDIT,
        repeats=True,
    ),
)
