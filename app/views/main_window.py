"""The window: pictures in the middle, panels around them.

It is made in two steps, so that it is on the screen before what only recordings need is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QByteArray,
    QChildEvent,
    QDataStream,
    QEvent,
    QIODevice,
    QMimeData,
    QSize,
    Qt,
    QUrl,
    Signal,
)
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QImage,
    QKeyEvent,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QDockWidget,
    QFrame,
    QMainWindow,
    QMenu,
    QSplitter,
    QStackedWidget,
    QTabBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.actions import SPECS, ActionId, make_actions
from app.resources import icons
from app.resources.theme import THEME
from app.views.banner import BannerArea
from app.views.empty import EmptyPage
from app.views.menus import fill_menu_bar
from app.views.status_bar import StatusBar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.models.viewstate import Lane, PairChoice

TITLE = "CARL"
FIRST_SIZE = QSize(1440, 900)
_LAYOUT = "carl-layout"


class MainWindow(QMainWindow):
    """Holds all views; knows no presenter. At first it is empty: see `furnish`.

    Signals
    -------
    files_dropped(list[Path]) : files were dropped anywhere but on the search panel
    pixels_dropped(QImage) : a picture without a file was dropped
    addresses_dropped(list[str]) : addresses on the network were dropped, without pixels
    reference_chosen(str) : another reference was picked
    closing() : the window is about to close
    theme_changed() : the system went dark or light
    emptying() : the last recording is about to leave the window
    filled() : the first one is shown

    Attributes
    ----------
    may_close : asked before closing; returns false after it has begun to ask the user
    """

    files_dropped = Signal(object)
    pixels_dropped = Signal(object)
    addresses_dropped = Signal(object)
    reference_chosen = Signal(str)
    closing = Signal()
    theme_changed = Signal()
    emptying = Signal()
    filled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.may_close: Callable[[], bool] = lambda: True
        colours = THEME.colours
        self.actions_by_id = make_actions(
            self, lambda name: icons.icon(name, colours.text, colours.line)
        )
        self._is_furnished = False
        self.setObjectName("main-window")
        self.setWindowTitle(TITLE)
        self.setDockNestingEnabled(True)
        for action in self.actions_by_id.values():
            self.addAction(action)  # shortcuts work whatever is hidden
        self.empty = EmptyPage()
        self.status = StatusBar()
        fill_menu_bar(self.menuBar(), self.actions_by_id)
        self._pages = QStackedWidget()
        self._pages.setObjectName("pages")
        self._pages.addWidget(self.empty)
        self.setCentralWidget(self._pages)
        self.setStatusBar(self.status)
        self.resize(FIRST_SIZE)

    def furnish(self, speeds: Sequence[float]) -> None:
        """Make what recordings are shown with: half of the time that the window needs to start."""
        from app.views.adaptation_panel import AdaptationPanel
        from app.views.heatmap import HandBar, HeatmapPanel, ReviewBar
        from app.views.markers_panel import MarkersPanel
        from app.views.search import SearchPanel
        from app.views.stage import Stage
        from app.views.timeline import Timeline
        from app.views.tools import Tools
        from app.views.training_panel import TrainingPanel
        from app.views.transport import TransportBar

        actions = self.actions_by_id
        self.setAcceptDrops(True)
        self.stage = Stage()
        self.grid = self.stage.grid
        self.timeline = Timeline()
        self.transport = TransportBar(actions, speeds)
        self.heatmap = HeatmapPanel()
        self.hand = HandBar(actions)
        self.review = ReviewBar(actions)
        self.search = SearchPanel()
        self.markers = MarkersPanel()
        self.adaptation = AdaptationPanel()
        self.training = TrainingPanel()
        self._toolbar = Tools(actions, self)
        self._toolbar.reference_chosen.connect(self.reference_chosen)
        self.addToolBar(self._toolbar)
        self._make_centre()
        self.banner = BannerArea(self._pages)
        self._make_docks()
        self._is_furnished = True
        self.show_recordings(is_any=False)
        self._first_layout = self.saveState()

    # Building ----------------------------------------------------------------------------------

    def _make_centre(self) -> None:
        from app.views.lanes_area import LanesArea

        lower = QWidget()
        layout = QVBoxLayout(lower)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.transport)
        self._lanes = LanesArea(self.timeline)
        layout.addWidget(self._lanes, 1)
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setObjectName("splitter")
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(5)
        self._splitter.addWidget(self.stage)
        self._splitter.addWidget(lower)
        self._splitter.setStretchFactor(0, 1)
        self._splitter.setStretchFactor(1, 0)
        self._pages.addWidget(self._splitter)

    def _make_docks(self) -> None:
        self.heatmap.add_bars(self.hand, self.review)
        self.alignment_dock = self._dock("dock-alignment", self.tr("Alignment"), self.heatmap)
        self.search_dock = self._dock("dock-search", self.tr("Matches"), self.search)
        self.setTabPosition(Qt.DockWidgetArea.RightDockWidgetArea, QTabWidget.TabPosition.North)
        self.markers_dock = self._dock("dock-markers", self.tr("Markers"), self.markers)
        self._learning = QTabWidget()
        self._learning.setObjectName("learning")
        self._learning.setDocumentMode(True)
        self._learning.addTab(self.adaptation, self.tr("Adapt"))
        self._learning.addTab(self.training, self.tr("From a folder"))
        self.adaptation_dock = self._dock("dock-adaptation", self.tr("Train"), self._learning)
        self.tabifyDockWidget(self.alignment_dock, self.search_dock)
        self.tabifyDockWidget(self.search_dock, self.markers_dock)
        self.tabifyDockWidget(self.markers_dock, self.adaptation_dock)
        self._docks = (
            self.alignment_dock,
            self.search_dock,
            self.markers_dock,
            self.adaptation_dock,
        )
        self.alignment_dock.raise_()
        view_menu = self.menuBar().findChild(QMenu, "menu-view")
        if view_menu is not None:
            before = self.actions_by_id[ActionId.FULL_SCREEN]
            for dock in self._docks:
                toggle = dock.toggleViewAction()
                view_menu.insertAction(before, toggle)

    def _dock(self, name: str, title: str, content: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setTitleBarWidget(QWidget())  # the tab says it already
        frame = QFrame()
        frame.setProperty("role", "panel")
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(content)
        dock.setWidget(frame)
        dock.setMinimumWidth(300)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        return dock

    # What bootstrap asks for -------------------------------------------------------------------

    def show_recordings(self, *, is_any: bool) -> None:
        """Show the comparison, or the place to drop on."""
        was_any = self.shows_recordings
        if was_any and not is_any:
            self.emptying.emit()
        if is_any and not was_any:
            self.grid.setFocus()  # not on a button: Space and the arrows play
        self._pages.setCurrentIndex(1 if is_any else 0)
        if not is_any:
            for dock in self.findChildren(QDockWidget):
                dock.hide()
        self._toolbar.setVisible(is_any)
        if is_any and not was_any:
            self.arrange("align")
            self.filled.emit()
        self.banner.arrange()

    def set_lanes(self, lanes: tuple[Lane, ...]) -> None:
        """Show these lanes and give them room."""
        count = len(self.timeline.lanes)
        self.timeline.set_lanes(lanes)
        if len(lanes) != count:
            self._give_lanes_room()

    def set_references(self, choices: tuple[PairChoice, ...], current: str) -> None:
        """Offer the recordings that can be the reference."""
        self._toolbar.set_references(choices, current)

    def show_search(self) -> None:
        """Bring the matches to the front."""
        self.search_dock.show()
        self.search_dock.raise_()

    def show_markers(self) -> None:
        """Bring markers and phases to the front."""
        self.markers_dock.show()
        self.markers_dock.raise_()

    def show_adaptation(self) -> None:
        """Bring the adaptation to the front."""
        self._learning.setCurrentWidget(self.adaptation)
        self.adaptation_dock.show()
        self.adaptation_dock.raise_()

    def show_training(self) -> None:
        """Bring the training to the front."""
        self._learning.setCurrentWidget(self.training)
        self.adaptation_dock.show()
        self.adaptation_dock.raise_()

    @property
    def shows_recordings(self) -> bool:
        """Whether there is a comparison to see."""
        return self._pages.currentIndex() == 1

    def layout_state(self) -> QByteArray:
        """Return where docks, toolbars and the border over the lanes are."""
        state = QByteArray()
        stream = QDataStream(state, QIODevice.OpenModeFlag.WriteOnly)
        stream.writeQString(_LAYOUT)
        stream << self.saveState() << self._splitter.saveState()
        return state

    def restore_layout(self, state: QByteArray) -> bool:
        """Put everything where it was; false when the state is of another window."""
        stream = QDataStream(state)
        docks, splitter = QByteArray(), QByteArray()
        is_ours = stream.readQString() == _LAYOUT
        if is_ours:
            stream >> docks >> splitter
        is_restored = is_ours and self.restoreState(docks)
        if is_restored:
            self._splitter.restoreState(splitter)
        self._toolbar.setVisible(self.shows_recordings)
        self.banner.arrange()
        return is_restored

    def arrange(self, layout: str) -> None:
        """Arrange the panels for "compare" (none), "align" or "train" (that in front)."""
        self.restoreState(self._first_layout)
        self._toolbar.setVisible(self.shows_recordings)
        for dock in (self.alignment_dock, self.search_dock, self.markers_dock):
            dock.setVisible(layout != "compare")
        self.adaptation_dock.setVisible(layout == "train")
        front = self.adaptation_dock if layout == "train" else self.alignment_dock
        if layout != "compare":
            front.raise_()
            width = int(self.width() * (0.42 if layout == "train" else 0.3))
            self.resizeDocks([front], [max(front.minimumWidth(), width)], Qt.Orientation.Horizontal)
        self._give_lanes_room()
        self.banner.arrange()

    def refresh_icons(self) -> None:
        """Draw all icons in the theme's colours."""
        colours = THEME.colours
        for which, action in self.actions_by_id.items():
            name = SPECS[which].icon
            if name:
                action.setIcon(icons.icon(name, colours.text, colours.line))
        self.transport.refresh_icon()
        self.status.refresh_icons()
        self.empty.refresh_icons()

    def _give_lanes_room(self) -> None:
        height = self._splitter.height() or self.height()
        wanted = self.transport.sizeHint().height() + self.timeline.sizeHint().height() + 4
        lower = min(wanted, int(height * 0.45))
        self._splitter.setSizes([height - lower, lower])

    # Events ------------------------------------------------------------------------------------

    def childEvent(self, event: QChildEvent) -> None:
        """Name the tab bars that Qt makes for panels in one place."""
        child = event.child()
        if event.type() == QEvent.Type.ChildPolished and isinstance(child, QTabBar):
            child.setAccessibleName(self.tr("Panels"))
            child.setChangeCurrentOnDrag(True)  # a tile is dropped on matches that lie behind
        super().childEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and pictures, but no tiles."""
        from app.views.painting import FRAME_MIME

        data = event.mimeData()
        if not data.hasFormat(FRAME_MIME) and (
            data.hasUrls() or data.hasImage() or _addresses(data)
        ):
            event.acceptProposedAction()
            self.empty.set_hot(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing was dropped."""
        self.empty.set_hot(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        self.empty.set_hot(False)
        data = event.mimeData()
        event.acceptProposedAction()
        paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        picture = data.imageData() if data.hasImage() else None
        if isinstance(picture, QPixmap):
            picture = picture.toImage()
        if paths:
            self.files_dropped.emit(paths)
        elif (
            isinstance(picture, QImage) and not picture.isNull()
        ):  # a browser gives the pixels beside the address
            self.pixels_dropped.emit(picture)
        elif addresses := _addresses(data):
            self.addresses_dropped.emit(addresses)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave words out where there is no room for them."""
        super().resizeEvent(event)
        if self._is_furnished:
            self._toolbar.fit(self.width())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave the full screen with Escape, as everywhere."""
        if event.key() == Qt.Key.Key_Escape and self.isFullScreen():
            self.actions_by_id[ActionId.FULL_SCREEN].trigger()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Tell whoever must stop, unless something has to be asked first."""
        if not self.may_close():
            event.ignore()
            return
        self.closing.emit()
        super().closeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the system's theme."""
        if event.type() == QEvent.Type.ThemeChange:
            self.theme_changed.emit()
        super().changeEvent(event)


def _addresses(data: QMimeData) -> list[str]:
    """Return the addresses on the network among what is dragged."""
    urls = data.urls()
    if not urls and data.hasText():
        urls = [QUrl(data.text().strip(), QUrl.ParsingMode.StrictMode)]
    urls = [url for url in urls if url.scheme() in ("http", "https", "ftp")]
    # Shown in a message: without names, passwords and whatever else an address may carry.
    return [f"{url.scheme()}://{url.host()}{url.path()}" for url in urls]
