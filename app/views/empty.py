"""What the window shows before there is anything to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QIcon,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QShortcut,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.resources import icons
from app.resources.theme import THEME

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.project.recent import RecentProject

_PICTURE = QSize(144, 90)
_PATH = Qt.ItemDataRole.UserRole


class EmptyPage(QWidget):
    """A place to drop recordings on.

    Signals
    -------
    open_requested() : the user wants to choose files
    demo_requested() : the user wants to see the samples
    project_requested(Path) : a recent project was chosen
    forget_requested(Path) : a recent project is not to be listed any more
    menu_requested(QPoint) : offer what can be done with the chosen project; place on the screen
    """

    open_requested = Signal()
    demo_requested = Signal()
    project_requested = Signal(object)
    forget_requested = Signal(object)
    menu_requested = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_hot = False
        self.setObjectName("empty-page")
        self.setAccessibleName(self.tr("Drop recordings here"))
        layout = QVBoxLayout(self)
        layout.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.setSpacing(14)
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self._icon)
        title = QLabel(self.tr("Drop two or more recordings of the same action"))
        title.setProperty("role", "title")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title.setWordWrap(True)
        layout.addWidget(title)
        text = QLabel(
            self.tr(
                "They are aligned in time and played side by side, in step. "
                "The first one is the reference."
            )
        )
        text.setProperty("role", "dim")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text.setWordWrap(True)
        layout.addWidget(text)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        self.open_button = QPushButton(self.tr("Add videos…"))
        self.open_button.setObjectName("empty-open")
        self.open_button.setProperty("role", "primary")
        self.open_button.clicked.connect(self.open_requested)
        self.demo_button = QPushButton(self.tr("Open sample recordings"))
        self.demo_button.setObjectName("empty-demo")
        self.demo_button.clicked.connect(self.demo_requested)
        row.addWidget(self.open_button)
        row.addWidget(self.demo_button)
        row.addStretch(1)
        layout.addSpacing(4)
        layout.addLayout(row)
        layout.addSpacing(18)
        self._recent_title = QLabel(self.tr("Recent projects"))
        self._recent_title.setProperty("role", "dim")
        self._recent_title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self._recent_title)
        self.recent = self._make_recent()
        self._recent_title.setBuddy(self.recent)
        layout.addWidget(self.recent, 0, Qt.AlignmentFlag.AlignCenter)
        self.set_recent(())
        private = QLabel(self.tr("Everything stays on this computer."))
        private.setProperty("role", "dim")
        private.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(private)
        self.refresh_icons()

    def _make_recent(self) -> QListWidget:
        recent = QListWidget()
        recent.setObjectName("recent-projects")
        recent.setAccessibleName(self.tr("Recent projects"))
        recent.setViewMode(QListView.ViewMode.IconMode)
        recent.setMovement(QListView.Movement.Static)
        recent.setFlow(QListView.Flow.LeftToRight)
        recent.setWrapping(False)
        recent.setIconSize(_PICTURE)
        recent.setSpacing(6)
        recent.setUniformItemSizes(True)
        recent.setFrameShape(QFrame.Shape.NoFrame)
        recent.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        recent.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        recent.setFixedHeight(_PICTURE.height() + 58)
        recent.itemActivated.connect(self._on_chosen)
        recent.itemClicked.connect(self._on_chosen)
        recent.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        recent.customContextMenuRequested.connect(self._on_menu)
        delete = QShortcut(QKeySequence.StandardKey.Delete, recent)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(lambda: self._forget(recent.currentItem()))
        return recent

    def chosen_project(self) -> Path | None:
        """Return the project chosen in the list of recent ones; None = none is."""
        return _path_of(self.recent.currentItem())

    def newest_project(self) -> Path | None:
        """Return the project that was opened or saved last; None = none was."""
        return _path_of(self.recent.item(0))

    def set_recent(self, projects: tuple[RecentProject, ...]) -> None:
        """List the projects opened last."""
        self.recent.clear()
        for project in projects:
            item = QListWidgetItem(project.path.stem)
            item.setData(_PATH, project.path)
            item.setIcon(self._picture(project.picture))
            item.setSizeHint(QSize(_PICTURE.width() + 14, _PICTURE.height() + 32))
            text = str(project.path).encode("utf-8", "replace").decode()
            if not project.exists:
                text = self.tr(
                    "{path}\nNot there at the moment. Delete takes it off the list."
                ).format(path=text)
                item.setForeground(QColor(THEME.colours.dim))
                item.setText(self.tr("{name} (not found)").format(name=project.path.stem))
            item.setToolTip(text)
            item.setData(Qt.ItemDataRole.AccessibleDescriptionRole, text)
            self.recent.addItem(item)
        for widget in (self.recent, self._recent_title):
            widget.setVisible(bool(projects))
        shown = min(len(projects), 5)
        self.recent.setFixedWidth(max(1, shown * (_PICTURE.width() + 28) + 8))

    def _picture(self, path: Path | None) -> QIcon:
        pixmap = QPixmap(_PICTURE)
        pixmap.fill(QColor(THEME.colours.window))
        painter = QPainter(pixmap)
        shown = QPixmap(str(path)) if path is not None else QPixmap()
        if shown.isNull():
            film = icons.pixmap("film", THEME.colours.dim, 32, ratio=1.0)
            painter.drawPixmap((_PICTURE.width() - 32) // 2, (_PICTURE.height() - 32) // 2, film)
        else:
            shown = shown.scaled(
                _PICTURE,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            painter.drawPixmap(
                (_PICTURE.width() - shown.width()) // 2,
                (_PICTURE.height() - shown.height()) // 2,
                shown,
            )
        painter.end()
        icon = QIcon(pixmap)
        icon.addPixmap(pixmap, QIcon.Mode.Selected)
        return icon

    def _on_chosen(self, item: QListWidgetItem) -> None:
        self.project_requested.emit(item.data(_PATH))

    def _on_menu(self, at: QPoint) -> None:
        item = self.recent.itemAt(at)
        if item is not None:
            self.recent.setCurrentItem(item)
            self.menu_requested.emit(self.recent.viewport().mapToGlobal(at))

    def _forget(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.forget_requested.emit(item.data(_PATH))

    def refresh_icons(self) -> None:
        """Draw icons in the theme's colours."""
        self._icon.setPixmap(
            icons.pixmap("film", THEME.colours.dim, 56, ratio=self.devicePixelRatioF())
        )

    def set_hot(self, is_hot: bool) -> None:
        """Show that something is being dragged over the window."""
        if is_hot is not self._is_hot:
            self._is_hot = is_hot
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the dashed border."""
        colours = THEME.colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(event.rect(), QColor(colours.window))
        pen = QPen(QColor(colours.accent if self._is_hot else colours.line), 2)
        pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(QColor(colours.surface))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(18, 12, -18, -18), 14, 14)
        painter.end()


def _path_of(item: QListWidgetItem | None) -> Path | None:
    path: Path | None = None if item is None else item.data(_PATH)
    return path
