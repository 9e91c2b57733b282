"""The query on top, the moments found below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPoint,
    QSignalBlocker,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QAction,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
    QKeyEvent,
    QMouseEvent,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QListView,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.models.matches import MatchesModel
from app.models.searching import Role
from app.resources.theme import THEME
from app.views.painting import FRAME_MIME
from app.views.search.delegate import MatchDelegate, share_at
from app.views.search.query_box import QueryBox
from app.views.sliders import KeyedSlider

if TYPE_CHECKING:
    from app.models.searching import MatchGroup, QueryChip
    from app.models.viewstate import Thumbnail


class SearchPanel(QWidget):
    """Drop a tile or a picture here; with Shift it is looked for in addition.

    Signals
    -------
    match_chosen(int) : a moment was clicked, or Return pressed on it
    match_alone(int) : the same with Ctrl: only its recording goes there
    match_added(int, Role) : look for this moment too, or for nothing like it
    frame_dropped(str, Role) : a tile was dropped; recording id
    file_dropped(Path, Role) : a picture file was dropped
    pixels_dropped(QImage, Role) : a picture without a file was dropped
    frame_wanted(Role) : the active tile's frame is to be looked for
    file_wanted() : "image file" was pressed
    chip_removed(int) : this part of the query is not wanted any more
    link_wanted(int) : pin this moment to the frame that was looked for
    menu_requested(QPoint) : offer what can be done with the chosen moment; place on the screen

    Attributes
    ----------
    shown : moments that score high enough, in the order of the list
    """

    match_chosen = Signal(int)
    match_alone = Signal(int)
    match_added = Signal(int, object)
    frame_dropped = Signal(str, object)
    file_dropped = Signal(object, object)
    pixels_dropped = Signal(object, object)
    frame_wanted = Signal(object)
    file_wanted = Signal()
    chip_removed = Signal(int)
    link_wanted = Signal(int)
    menu_requested = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown: tuple[int, ...] = ()
        self.setObjectName("search-panel")
        self.setAccessibleName(self.tr("Search"))
        self.setAcceptDrops(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 8)
        layout.setSpacing(8)
        self.query = QueryBox()
        self.query.removed.connect(self.chip_removed)
        self.query.frame_wanted.connect(lambda: self.frame_wanted.emit(Role.ONLY))
        self.query.also_wanted.connect(lambda: self.frame_wanted.emit(Role.ALSO))
        self.query.unlike_wanted.connect(lambda: self.frame_wanted.emit(Role.NOT))
        self.query.file_wanted.connect(self.file_wanted)
        layout.addWidget(self.query)
        self._scopes = QVBoxLayout()
        layout.addLayout(self._scopes)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._busy.hide()
        layout.addWidget(self._busy)
        self.verdict = QLabel()
        self.verdict.setObjectName("search-verdict")
        self.verdict.setWordWrap(True)
        layout.addWidget(self.verdict)
        self._reason = QLabel()
        self._reason.setObjectName("search-reason")
        self._reason.setProperty("role", "dim")
        self._reason.setWordWrap(True)
        layout.addWidget(self._reason)
        layout.addWidget(self._make_list(), 1)
        self._below = self._make_below()
        layout.addWidget(self._below)
        self._hint = QLabel()
        self._hint.setObjectName("search-hint")
        self._hint.setProperty("role", "dim")
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setWordWrap(True)
        self._hint.setText(
            self.tr(
                "Press F on a frame to find the same moment in the other recordings, "
                "or drop a picture or a tile here."
            )
        )
        layout.addWidget(self._hint, 1)
        self.clear()

    def _make_list(self) -> QListView:
        self.model = MatchesModel(self)
        self.list = QListView()
        self.list.setObjectName("matches")
        self.list.setAccessibleName(self.tr("Moments found"))
        self.list.setAccessibleDescription(
            self.tr("Return goes there, A pins, plus looks for it too, minus for nothing like it")
        )
        self.list.setModel(self.model)
        self._delegate = MatchDelegate(self.list)
        self.list.setItemDelegate(self._delegate)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMouseTracking(True)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.clicked.connect(self._on_clicked)
        self.list.activated.connect(self._on_chosen)
        self.list.viewport().installEventFilter(self)
        self.list.installEventFilter(self)
        return self.list

    def _make_below(self) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        self._least = QLabel()
        self._least.setProperty("role", "dim")
        self.threshold = KeyedSlider(Qt.Orientation.Horizontal)
        self.threshold.setObjectName("search-threshold")
        self.threshold.setRange(0, 100)
        self.threshold.setAccessibleName(self.tr("Least score shown"))
        self.threshold.setMinimumWidth(60)
        self.threshold.setToolTip(self.tr("Hide moments with a lower score"))
        self.threshold.valueChanged.connect(self._on_threshold)
        self.pin = QPushButton(self.tr("Pin"))
        self.pin.setObjectName("search-pin")
        self.pin.setToolTip(
            self.tr("This moment and the frame that was looked for are the same: pin them (A)")
        )
        self.pin.clicked.connect(self._on_link)
        row.addWidget(self._least)
        row.addWidget(self.threshold, 1)
        row.addWidget(self.pin)
        return holder

    def add_scope(self, action: QAction) -> None:
        """Offer a command under the query that widens where it is looked for."""
        box = QCheckBox(action.text().replace("&", ""))
        box.setObjectName("search-scope")
        box.setToolTip(action.toolTip())
        box.clicked.connect(action.trigger)
        action.toggled.connect(box.setChecked)
        self._scopes.addWidget(box)

    # What the presenter says -------------------------------------------------------------------

    def set_query(self, chips: tuple[QueryChip, ...]) -> None:
        """Show what is looked for."""
        self.query.set_chips(chips)

    def set_busy(self, text: str) -> None:
        """Say that it is being looked for; "" = no longer."""
        self._busy.setVisible(bool(text))
        if text:
            self.model.set_groups(())
            self.list.hide()
            self._below.hide()
            self._hint.hide()
            self._say("", text)

    def set_matches(self, groups: tuple[MatchGroup, ...], *, convincing: bool, reason: str) -> None:
        """Show what was found; "nothing convincing" is said before anything is shown."""
        self.model.set_groups(groups)
        count = len(self.model.matches)
        self.list.setVisible(bool(groups))
        self._below.setVisible(count > 0)
        with QSignalBlocker(self.threshold):
            self.threshold.setValue(0)  # of other scores it would mean something else
        self._on_threshold(0)
        self._hint.setVisible(False)
        if not count:
            self._say("warning", self.tr("! Nothing found"), reason)
        elif convincing:
            found = self.tr("1 moment") if count == 1 else self.tr("{n} moments").format(n=count)
            self._say("heading", found, reason)
        else:
            self._say("warning", self.tr("! No good match"), reason)
        if count:
            self.list.setCurrentIndex(self.model.index(self.model.row_of(0)))
            self.list.scrollToTop()

    def set_match_picture(self, position: int, part: int, thumbnail: Thumbnail) -> None:
        """Add one picture of a moment's strip."""
        self.model.set_picture(position, part, thumbnail)

    def clear(self) -> None:
        """Show how to search."""
        self.set_query(())
        self._busy.hide()
        self.model.set_groups(())
        self.list.hide()
        self._below.hide()
        self._hint.show()
        self._say("", "")

    def _say(self, role: str, text: str, reason: str = "") -> None:
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))
        self.verdict.setText(text)
        self.verdict.setVisible(bool(text))
        self.verdict.setProperty("role", role)
        self.verdict.style().unpolish(self.verdict)
        self.verdict.style().polish(self.verdict)

    # Choosing ----------------------------------------------------------------------------------

    def _on_clicked(self, index: QModelIndex) -> None:
        is_alone = bool(QGuiApplication.keyboardModifiers() & Qt.KeyboardModifier.ControlModifier)
        position = self.model.position_of(index.row())
        if position is not None:
            (self.match_alone if is_alone else self.match_chosen).emit(position)

    def _on_chosen(self, index: QModelIndex) -> None:
        position = self.model.position_of(index.row())
        if position is not None:
            self.match_chosen.emit(position)

    def chosen(self) -> int | None:
        """Return which moment is chosen in the list; None = none, or the list is not shown."""
        if self.list.isHidden():
            return None
        return self.model.position_of(self.list.currentIndex().row())

    def _on_threshold(self, value: int) -> None:
        """Hide what scores less; say how many stay. The slider runs from the lowest to the highest.

        The best stays in any case: "nothing" is for the verdict to say.
        """
        matches = self.model.matches
        scores = [match.score for match in matches]
        low, high = min(scores, default=0.0), max(scores, default=1.0)
        least = low + (high - low) * value / 100 - 1e-9
        shown = []
        for position, match in enumerate(matches):
            is_hidden = match.score < least
            self.list.setRowHidden(self.model.row_of(position), is_hidden)
            if not is_hidden:
                shown.append(position)
        self._least.setText(
            self.tr("Score from {score}: {n} of {count}").format(
                score=f"{least + 1e-9:.3f}", n=len(shown), count=len(matches)
            )
        )
        self.shown = tuple(shown)

    def _on_link(self) -> None:
        position = self.chosen()
        if position is not None:
            self.link_wanted.emit(position)

    def _add(self, role: Role) -> None:
        position = self.chosen()
        if position is not None:
            self.match_added.emit(position, role)

    def _show_menu(self, at: QPoint) -> None:
        index = self.list.indexAt(at)
        if self.model.position_of(index.row()) is not None:
            self.list.setCurrentIndex(index)
            self.menu_requested.emit(self.list.viewport().mapToGlobal(at))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pin with A, look for it too with plus, for nothing like it with minus."""
        key = Qt.Key(event.key())
        if not self._below.isVisible():
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_A:
            self._on_link()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Minus):
            self._add(Role.ALSO if key == Qt.Key.Key_Plus else Role.NOT)
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Run through the pictures of the moment under the mouse; keep plus and minus."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            if Qt.Key(event.key()) in (Qt.Key.Key_Plus, Qt.Key.Key_Minus):
                event.accept()  # before the window takes them for the lanes
                return True
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseMove:
            at = event.position().toPoint()
            index = self.list.indexAt(at)
            share = share_at(at.x(), self.list.visualRect(index).width())
            is_over = index.isValid() and 0 <= share < 1
            self._delegate.hover = (index.row(), share) if is_over else None
            self.list.viewport().update()
        elif event.type() == QEvent.Type.Leave and self._delegate.hover is not None:
            self._delegate.hover = None
            self.list.viewport().update()
        return super().eventFilter(watched, event)

    # Drops -------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take tiles and pictures."""
        data = event.mimeData()
        if data.hasFormat(FRAME_MIME) or data.hasImage() or data.hasUrls():
            event.acceptProposedAction()
            self._mark(is_hot=True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing was dropped."""
        self._mark(is_hot=False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Look for what was dropped."""
        self._mark(is_hot=False)
        data = event.mimeData()
        event.acceptProposedAction()
        is_added = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        role = Role.ALSO if is_added else Role.ONLY
        if data.hasFormat(FRAME_MIME):
            self.frame_dropped.emit(bytes(data.data(FRAME_MIME).data()).decode(), role)
            return
        local = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
        if local:
            for number, path in enumerate(local):  # several pictures are averaged
                self.file_dropped.emit(Path(path), Role.ALSO if number else role)
        elif data.hasImage():
            image = data.imageData()
            if isinstance(image, QImage):
                self.pixels_dropped.emit(image, role)

    def _mark(self, *, is_hot: bool) -> None:
        colour = THEME.colours.accent if is_hot else ""
        self.query.setStyleSheet(
            f"QFrame#search-query {{ border: 2px dashed {colour}; }}" if is_hot else ""
        )

    def sizeHint(self) -> QSize:
        """Return a size three cards fit in."""
        return QSize(430, 420)
