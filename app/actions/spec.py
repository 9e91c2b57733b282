"""What a row of the table of actions says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:

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
    PROJECT_NEW = "project-new"
    PROJECT_OPEN = "project-open"
    RECENT_OPEN = "recent-open"
    RECENT_FORGET = "recent-forget"
    SAVE = "save"
    SAVE_AS = "save-as"
    UNDO = "undo"
    REDO = "redo"
    ALIGN = "align"
    CANCEL_JOBS = "cancel-jobs"
    ADAPT = "adapt"
    TRAIN = "train"
    PIN = "pin"
    UNPIN = "unpin"
    CLEAR_PINS = "clear-pins"
    NEAREST_PIN = "nearest-pin"
    SYNC = "sync"
    UNCERTAIN_NEXT = "uncertain-next"
    UNCERTAIN_PREVIOUS = "uncertain-previous"
    UNCERTAIN_RIGHT = "uncertain-right"
    NO_COUNTERPART = "no-counterpart"
    CLEAR_MASKS = "clear-masks"
    NUDGE_BACK = "nudge-back"
    NUDGE_FORWARD = "nudge-forward"
    NUDGE_BACK_TEN = "nudge-back-ten"
    NUDGE_FORWARD_TEN = "nudge-forward-ten"
    NUDGE_BACK_HUNDRED = "nudge-back-hundred"
    NUDGE_FORWARD_HUNDRED = "nudge-forward-hundred"
    MAP_AUTO = "map-auto"
    MAP_OFFSET = "map-offset"
    MAP_LINEAR = "map-linear"
    MAP_PINS = "map-pins"
    POINT_GO = "point-go"
    POINT_PIN = "point-pin"
    POINT_BEGIN = "point-begin"
    POINT_END = "point-end"
    POINT_UNMASK = "point-unmask"
    POINT_IN = "point-in"
    POINT_OUT = "point-out"
    POINT_FIND = "point-find"
    POINT_COPY = "point-copy"
    MAKE_REFERENCE = "make-reference"
    FIND_FRAME = "find-frame"
    FIND_ALSO = "find-also"
    FIND_UNLIKE = "find-unlike"
    FIND_RANGE = "find-range"
    FIND_IMAGE = "find-image"
    FIND_PASTED = "find-pasted"
    FIND_EVERYWHERE = "find-everywhere"
    MATCH_GO = "match-go"
    MATCH_ALONE = "match-alone"
    MATCH_PIN = "match-pin"
    MATCH_ALSO = "match-also"
    MATCH_UNLIKE = "match-unlike"
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
    FRAMES_BACK_HUNDRED = "frames-back-hundred"
    FRAMES_FORWARD_HUNDRED = "frames-forward-hundred"
    TEN_SECONDS_BACK = "ten-seconds-back"
    TEN_SECONDS_FORWARD = "ten-seconds-forward"
    TENTH_BACK = "tenth-back"
    TENTH_FORWARD = "tenth-forward"
    IN = "in"
    OUT = "out"
    CLEAR_RANGE = "clear-range"
    START = "start"
    END = "end"
    SLOWER = "slower"
    FASTER = "faster"
    NORMAL_SPEED = "normal-speed"
    LOOP = "loop"
    MUTE = "mute"
    LOUDER = "louder"
    QUIETER = "quieter"
    HEAR_ACTIVE = "hear-active"
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
    FORGET = "forget"
    DIAGNOSTICS = "diagnostics"
    ABOUT = "about"
    VIEW_GRID = "view-grid"
    VIEW_OVERLAY = "view-overlay"
    VIEW_DIFFERENCE = "view-difference"
    VIEW_WIPE = "view-wipe"
    SOLO = "solo"
    ZOOM_FIT = "zoom-fit"
    ZOOM_IN = "zoom-in"
    ZOOM_OUT = "zoom-out"
    ZOOM_LINK = "zoom-link"
    TILE_1 = "tile-1"
    TILE_2 = "tile-2"
    TILE_3 = "tile-3"
    TILE_4 = "tile-4"
    TILE_5 = "tile-5"
    TILE_6 = "tile-6"
    TILE_7 = "tile-7"
    TILE_8 = "tile-8"
    TILE_9 = "tile-9"
    SETTINGS = "settings"
    LAYOUT_COMPARE = "layout-compare"
    LAYOUT_ALIGN = "layout-align"
    LAYOUT_TRAIN = "layout-train"
    PALETTE = "palette"
    EXPORT = "export"
    STILL = "still"
    MARK = "mark"
    MARK_PHASE = "mark-phase"
    MARKER_PREVIOUS = "marker-previous"
    MARKER_NEXT = "marker-next"
    MARKER_GO = "marker-go"
    MARKER_RENAME = "marker-rename"
    MARKER_COLOUR = "marker-colour"
    MARKER_START = "marker-start"
    MARKER_END = "marker-end"
    MARKER_ACCEPT = "marker-accept"
    MARKER_REMOVE = "marker-remove"
    MARKERS_ACCEPT = "markers-accept"
    MARKERS_IMPORT = "markers-import"
    MARKERS_EXPORT = "markers-export"
    MARKERS_SHOW = "markers-show"
    GO_TO = "go-to"
    READOUT = "readout"
    LANES_IN = "lanes-in"
    LANES_OUT = "lanes-out"
    LANES_FIT = "lanes-fit"
    LANES_RANGE = "lanes-range"
    SEGMENT_LOOP = "segment-loop"
    SEGMENT_LOCK = "segment-lock"
    SEGMENT_STRAIGHT = "segment-straight"


MENU_FILE = QT_TRANSLATE_NOOP("Actions", "&File")
MENU_EDIT = QT_TRANSLATE_NOOP("Actions", "&Edit")
MENU_ALIGN = QT_TRANSLATE_NOOP("Actions", "&Align")
MENU_MARKERS = QT_TRANSLATE_NOOP("Actions", "&Markers")
MENU_PLAY = QT_TRANSLATE_NOOP("Actions", "&Play")
MENU_SEARCH = QT_TRANSLATE_NOOP("Actions", "&Search")
MENU_VIEW = QT_TRANSLATE_NOOP("Actions", "&View")
MENU_HELP = QT_TRANSLATE_NOOP("Actions", "&Help")
SUBMENU_POINT = QT_TRANSLATE_NOOP("Actions", "At the &map's cursor")
SUBMENU_MATCH = QT_TRANSLATE_NOOP("Actions", "The &chosen match")
MENUS = (
    MENU_FILE,
    MENU_EDIT,
    MENU_ALIGN,
    MENU_PLAY,
    MENU_SEARCH,
    MENU_MARKERS,
    MENU_VIEW,
    MENU_HELP,
)


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One row of the table.

    Attributes
    ----------
    text : as in a menu, with mnemonic
    tip : a sentence on what it does
    keys : shortcuts, the first is shown
    menu : one of ``MENUS``
    submenu : of that menu, "" = the command stands in the menu itself
    icon : name in ``app.resources.icons``, "" = none
    group : actions of one group exclude each other; "" = none
    is_checkable : whether it holds a state
    repeats : whether holding the key repeats it
    starts_section : whether a line stands above it in the menu
    short : text on a toolbar button, "" = ``text`` without mnemonic
    number : stands where text and tip say %1, None = they do not
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
    submenu: str = ""
    number: int | None = None
