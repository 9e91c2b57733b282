"""The one table of actions. Menus, toolbar, key sheet and tests are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QIcon, QKeySequence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    def QT_TRANSLATE_NOOP(context: str, text: str) -> str:
        """Mark a text for translators; the stubs say ``object`` where it is the text itself."""

else:
    from PySide6.QtCore import QT_TRANSLATE_NOOP


class ActionId(Enum):
    """Every command of the window."""

    OPEN = "open"
    OPEN_DEMO = "open-demo"
    REMOVE = "remove"
    CLOSE_ALL = "close-all"
    QUIT = "quit"
    ALIGN = "align"
    CANCEL_JOBS = "cancel-jobs"
    ADAPT = "adapt"
    MAKE_REFERENCE = "make-reference"
    FIND_FRAME = "find-frame"
    FIND_IMAGE = "find-image"
    FIND_PASTED = "find-pasted"
    PLAY = "play"
    SHUTTLE_BACK = "shuttle-back"
    SHUTTLE_STOP = "shuttle-stop"
    SHUTTLE_FORWARD = "shuttle-forward"
    FRAME_BACK = "frame-back"
    FRAME_FORWARD = "frame-forward"
    FRAMES_BACK = "frames-back"
    FRAMES_FORWARD = "frames-forward"
    SECOND_BACK = "second-back"
    SECOND_FORWARD = "second-forward"
    START = "start"
    END = "end"
    SLOWER = "slower"
    FASTER = "faster"
    NORMAL_SPEED = "normal-speed"
    LOOP = "loop"
    NEXT_TILE = "next-tile"
    PREVIOUS_TILE = "previous-tile"
    METHOD_PICTURES = "method-pictures"
    METHOD_SOUND = "method-sound"
    METHOD_TIMECODE = "method-timecode"
    BASE_REFERENCE = "base-reference"
    BASE_MEAN = "base-mean"
    BASE_NATIVE = "base-native"
    FULL_SCREEN = "full-screen"
    RESET_LAYOUT = "reset-layout"
    KEYS = "keys"
    DIAGNOSTICS = "diagnostics"
    ABOUT = "about"


MENU_FILE = QT_TRANSLATE_NOOP("Actions", "&File")
MENU_ALIGN = QT_TRANSLATE_NOOP("Actions", "&Align")
MENU_PLAY = QT_TRANSLATE_NOOP("Actions", "&Play")
MENU_SEARCH = QT_TRANSLATE_NOOP("Actions", "&Search")
MENU_VIEW = QT_TRANSLATE_NOOP("Actions", "&View")
MENU_HELP = QT_TRANSLATE_NOOP("Actions", "&Help")
MENUS = (MENU_FILE, MENU_ALIGN, MENU_PLAY, MENU_SEARCH, MENU_VIEW, MENU_HELP)


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One row of the table.

    Attributes
    ----------
    text : as in a menu, with mnemonic
    tip : a sentence on what it does
    keys : shortcuts, the first is shown
    menu : one of ``MENUS``
    icon : name in ``app.resources.icons``, "" = none
    group : actions of one group exclude each other; "" = none
    is_checkable : whether it holds a state
    repeats : whether holding the key repeats it
    starts_section : whether a line stands above it in the menu
    short : text on a toolbar button, "" = ``text`` without mnemonic
    """

    id: ActionId
    text: str
    tip: str
    keys: tuple[str, ...]
    menu: str
    icon: str = ""
    group: str = ""
    is_checkable: bool = False
    repeats: bool = False
    starts_section: bool = False
    short: str = ""


ACTIONS: tuple[ActionSpec, ...] = (
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
        ActionId.QUIT,
        QT_TRANSLATE_NOOP("Actions", "&Quit"),
        QT_TRANSLATE_NOOP("Actions", "Close the window; computed embeddings are kept."),
        ("Ctrl+Q",),
        MENU_FILE,
        starts_section=True,
    ),
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
        ActionId.METHOD_PICTURES,
        QT_TRANSLATE_NOOP("Actions", "Align by the &pictures"),
        QT_TRANSLATE_NOOP("Actions", "Find in the pictures which moments belong together."),
        (),
        MENU_ALIGN,
        group="method",
        is_checkable=True,
        starts_section=True,
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
    ActionSpec(
        ActionId.PLAY,
        QT_TRANSLATE_NOOP("Actions", "&Play / pause"),
        QT_TRANSLATE_NOOP("Actions", "Play or pause all recordings in step."),
        ("Space",),
        MENU_PLAY,
        "play",
    ),
    ActionSpec(
        ActionId.SHUTTLE_BACK,
        QT_TRANSLATE_NOOP("Actions", "Play &backwards"),
        QT_TRANSLATE_NOOP("Actions", "Play backwards; again = faster."),
        ("J",),
        MENU_PLAY,
        "reverse",
    ),
    ActionSpec(
        ActionId.SHUTTLE_STOP,
        QT_TRANSLATE_NOOP("Actions", "&Stop"),
        QT_TRANSLATE_NOOP("Actions", "Stop where it is."),
        ("K",),
        MENU_PLAY,
    ),
    ActionSpec(
        ActionId.SHUTTLE_FORWARD,
        QT_TRANSLATE_NOOP("Actions", "Play &forwards"),
        QT_TRANSLATE_NOOP("Actions", "Play forwards; again = faster."),
        ("L",),
        MENU_PLAY,
    ),
    ActionSpec(
        ActionId.FRAME_BACK,
        QT_TRANSLATE_NOOP("Actions", "One frame bac&k"),
        QT_TRANSLATE_NOOP("Actions", "One frame of the active recording back; the others follow."),
        ("Left", ","),
        MENU_PLAY,
        "step-back",
        repeats=True,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.FRAME_FORWARD,
        QT_TRANSLATE_NOOP("Actions", "One frame f&orward"),
        QT_TRANSLATE_NOOP(
            "Actions", "One frame of the active recording forward; the others follow."
        ),
        ("Right", "."),
        MENU_PLAY,
        "step-forward",
        repeats=True,
    ),
    ActionSpec(
        ActionId.FRAMES_BACK,
        QT_TRANSLATE_NOOP("Actions", "Ten frames back"),
        QT_TRANSLATE_NOOP("Actions", "Ten frames of the active recording back."),
        ("Shift+Left",),
        MENU_PLAY,
        repeats=True,
    ),
    ActionSpec(
        ActionId.FRAMES_FORWARD,
        QT_TRANSLATE_NOOP("Actions", "Ten frames forward"),
        QT_TRANSLATE_NOOP("Actions", "Ten frames of the active recording forward."),
        ("Shift+Right",),
        MENU_PLAY,
        repeats=True,
    ),
    ActionSpec(
        ActionId.SECOND_BACK,
        QT_TRANSLATE_NOOP("Actions", "One second back"),
        QT_TRANSLATE_NOOP("Actions", "One second back."),
        ("Shift+J",),
        MENU_PLAY,
        repeats=True,
    ),
    ActionSpec(
        ActionId.SECOND_FORWARD,
        QT_TRANSLATE_NOOP("Actions", "One second forward"),
        QT_TRANSLATE_NOOP("Actions", "One second forward."),
        ("Shift+L",),
        MENU_PLAY,
        repeats=True,
    ),
    ActionSpec(
        ActionId.START,
        QT_TRANSLATE_NOOP("Actions", "To the s&tart"),
        QT_TRANSLATE_NOOP("Actions", "Jump to the beginning."),
        ("Home",),
        MENU_PLAY,
        "start",
    ),
    ActionSpec(
        ActionId.END,
        QT_TRANSLATE_NOOP("Actions", "To the &end"),
        QT_TRANSLATE_NOOP("Actions", "Jump to the end."),
        ("End",),
        MENU_PLAY,
        "end",
    ),
    ActionSpec(
        ActionId.SLOWER,
        QT_TRANSLATE_NOOP("Actions", "S&lower"),
        QT_TRANSLATE_NOOP("Actions", "Play slower."),
        ("[",),
        MENU_PLAY,
        starts_section=True,
    ),
    ActionSpec(
        ActionId.FASTER,
        QT_TRANSLATE_NOOP("Actions", "F&aster"),
        QT_TRANSLATE_NOOP("Actions", "Play faster."),
        ("]",),
        MENU_PLAY,
    ),
    ActionSpec(
        ActionId.NORMAL_SPEED,
        QT_TRANSLATE_NOOP("Actions", "&Normal speed"),
        QT_TRANSLATE_NOOP("Actions", "Play at normal speed."),
        ("Backspace",),
        MENU_PLAY,
    ),
    ActionSpec(
        ActionId.LOOP,
        QT_TRANSLATE_NOOP("Actions", "Loo&p"),
        QT_TRANSLATE_NOOP("Actions", "Begin again at the end."),
        ("P",),
        MENU_PLAY,
        "loop",
        is_checkable=True,
    ),
    ActionSpec(
        ActionId.FIND_FRAME,
        QT_TRANSLATE_NOOP("Actions", "&Find this frame"),
        QT_TRANSLATE_NOOP(
            "Actions", "Find the moments of all recordings that look like the active tile's frame."
        ),
        ("F",),
        MENU_SEARCH,
        "search",
        short=QT_TRANSLATE_NOOP("Actions", "Find this frame"),
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
        ("F11",),
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

SPECS: Mapping[ActionId, ActionSpec] = {spec.id: spec for spec in ACTIONS}


def translated(text: str) -> str:
    """Translate a text of the table."""
    return QCoreApplication.translate("Actions", text)


def plain_text(spec: ActionSpec) -> str:
    """Return the action's text without mnemonic and dots, for key sheet and buttons."""
    return translated(spec.text).replace("&", "").rstrip("…")


def tooltip(spec: ActionSpec) -> str:
    """Return the tip with the first key behind it."""
    tip = translated(spec.tip)
    if not spec.keys:
        return tip
    key = QKeySequence(spec.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)
    return f"{tip} ({key})"


def make_actions(
    parent: QObject,
    handlers: Mapping[ActionId, Callable[[], None]],
    icon: Callable[[str], QIcon],
) -> dict[ActionId, QAction]:
    """Make a ``QAction`` for each row and connect it.

    Raises
    ------
    KeyError
        When an action has no handler.
    """
    actions: dict[ActionId, QAction] = {}
    groups: dict[str, QActionGroup] = {}
    for spec in ACTIONS:
        action = QAction(translated(spec.text), parent)
        action.setObjectName(f"action-{spec.id.value}")
        action.setShortcuts([QKeySequence(key) for key in spec.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setToolTip(tooltip(spec))
        action.setIconText(translated(spec.short) if spec.short else plain_text(spec))
        action.setAutoRepeat(spec.repeats)
        action.setCheckable(spec.is_checkable)
        if spec.icon:
            action.setIcon(icon(spec.icon))
        if spec.group:
            group = groups.setdefault(spec.group, QActionGroup(parent))
            group.addAction(action)
        # triggered passes "checked", which no handler wants
        action.triggered.connect(_without_arguments(handlers[spec.id]))
        actions[spec.id] = action
    return actions


def _without_arguments(handler: Callable[[], None]) -> Callable[[bool], None]:
    def call(_checked: bool = False) -> None:
        handler()

    return call
