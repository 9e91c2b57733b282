"""What is looked for, and what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QPainter,
    QPixmap,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QProgressBar,
    QPushButton,
    QSlider,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.models.matches import MATCH_ROLE, MatchesModel
from app.resources.text import format_time
from app.resources.theme import THEME, recording_colour
from app.views.painting import FRAME_MIME, digits_font, draw_chip, fitted, image_over

if TYPE_CHECKING:
    from app.models.viewstate import Match, Thumbnail
    from carl_core.arrays import UInt8

ROW_HEIGHT = 84
PICTURE_WIDTH = 112
BESIDE_WIDTH = 50
QUERY_SIZE = QSize(96, 60)


class MatchDelegate(QStyledItemDelegate):
    """Draws one moment: picture, recording, time, score."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Draw a row."""
        match: Match | None = index.data(MATCH_ROLE)
        if match is None:
            return
        colours = THEME.colours
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        card = QRectF(rect).adjusted(2, 3, -2, -3)
        is_chosen = bool(state & QStyle.StateFlag.State_Selected)
        is_hot = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.setPen(QColor(colours.accent if is_chosen else colours.line))
        painter.setBrush(QColor(colours.hover if is_hot or is_chosen else colours.raised))
        painter.drawRoundedRect(card, 7, 7)
        place = QRectF(card.left() + 6, card.top() + 6, 0, card.height() - 12)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for width, shown in (
            (BESIDE_WIDTH, match.before),
            (PICTURE_WIDTH, match.picture),
            (BESIDE_WIDTH, match.after),
        ):
            place.setWidth(width)
            painter.fillRect(place, QColor(colours.picture))
            if shown is not None:
                image = image_over(shown.pixels)
                painter.setOpacity(1.0 if shown is match.picture else 0.6)
                painter.drawImage(fitted(place, image.width() / image.height()), image)
                painter.setOpacity(1.0)
            place.moveLeft(place.right() + 3)
        place.moveLeft(place.left() - BESIDE_WIDTH - 3)
        left = place.right() + 12
        room = card.right() - left - 10
        draw_chip(painter, QRectF(left, card.top() + 9, 20, 19), match.letter, match.position)
        painter.setPen(QColor(colours.text))
        name = QFontMetricsF(painter.font()).elidedText(
            match.name, Qt.TextElideMode.ElideMiddle, room - 28
        )
        vertical = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRectF(left + 28, card.top() + 8, room - 28, 21), vertical, name)
        base = painter.font()
        painter.setFont(digits_font(base))
        painter.drawText(
            QRectF(left, card.top() + 31, room, 18), vertical, format_time(match.time_s)
        )
        painter.setPen(QColor(colours.dim))
        painter.drawText(
            QRectF(left, card.top() + 31, room, 18),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
            f"f{match.frame}",
        )
        self._paint_score(painter, QRectF(left, card.bottom() - 22, room, 14), match)
        painter.restore()

    def _paint_score(self, painter: QPainter, place: QRectF, match: Match) -> None:
        colours = THEME.colours
        text = f"{match.score:.2f}"
        width = QFontMetricsF(painter.font()).horizontalAdvance(text)
        track = QRectF(place.left(), place.center().y() - 3, place.width() - width - 10, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.line))
        painter.drawRoundedRect(track, 3, 3)
        share = min(max(match.score, 0.0), 1.0)
        track.setWidth(max(6.0, track.width() * share))
        painter.setBrush(recording_colour(match.position))
        painter.drawRoundedRect(track, 3, 3)
        painter.setPen(QColor(colours.text))
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Return the size of a row."""
        return QSize(220, ROW_HEIGHT)


class SearchPanel(QWidget):
    """The query on top, one card per moment below. Drop a tile or a picture here.

    Signals
    -------
    match_chosen(int) : a row was clicked, or Return pressed on it
    frame_dropped(str) : a tile was dropped; recording id
    file_dropped(Path) : a picture file was dropped
    pixels_dropped(QImage) : a picture without a file was dropped
    frame_wanted() : "find this frame" was pressed
    file_wanted() : "image file" was pressed
    link_wanted(int) : pin this row's moment to the frame that was looked for
    """

    match_chosen = Signal(int)
    frame_dropped = Signal(str)
    file_dropped = Signal(object)
    pixels_dropped = Signal(object)
    frame_wanted = Signal()
    file_wanted = Signal()
    link_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("search-panel")
        self.setAccessibleName(self.tr("Search"))
        self.setAcceptDrops(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self._make_query())
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._busy.hide()
        layout.addWidget(self._busy)
        self.verdict = QLabel()
        self.verdict.setObjectName("search-verdict")
        self.verdict.setWordWrap(True)
        layout.addWidget(self.verdict)
        self.model = MatchesModel(self)
        self.list = QListView()
        self.list.setObjectName("matches")
        self.list.setAccessibleName(self.tr("Moments found"))
        self.list.setModel(self.model)
        self.list.setItemDelegate(MatchDelegate(self.list))
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMouseTracking(True)
        self.list.setUniformItemSizes(True)
        self.list.clicked.connect(self._on_chosen)
        self.list.activated.connect(self._on_chosen)
        layout.addWidget(self.list, 1)
        self._below = QWidget()
        below = QHBoxLayout(self._below)
        below.setContentsMargins(0, 0, 0, 0)
        self._least = QLabel()
        self._least.setProperty("role", "dim")
        self.threshold = QSlider(Qt.Orientation.Horizontal)
        self.threshold.setObjectName("search-threshold")
        self.threshold.setRange(0, 100)
        self.threshold.setAccessibleName(self.tr("Least score shown"))
        self.threshold.setToolTip(self.tr("Hide moments with a lower score"))
        self.threshold.valueChanged.connect(self._on_threshold)
        self.pin = QPushButton(self.tr("Pin"))
        self.pin.setObjectName("search-pin")
        self.pin.setToolTip(
            self.tr("This moment and the frame that was looked for are the same: pin them (A)")
        )
        self.pin.clicked.connect(self._on_link)
        below.addWidget(self._least)
        below.addWidget(self.threshold, 1)
        below.addWidget(self.pin)
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

    def _make_query(self) -> QWidget:
        self._query = QFrame()
        self._query.setObjectName("search-query")
        self._query.setProperty("role", "card")
        row = QHBoxLayout(self._query)
        row.setContentsMargins(8, 8, 8, 8)
        row.setSpacing(10)
        self._query_picture = QLabel()
        self._query_picture.setFixedSize(QUERY_SIZE)
        self._query_picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._query_picture.setAccessibleName(self.tr("What is looked for"))
        row.addWidget(self._query_picture)
        column = QVBoxLayout()
        column.setSpacing(4)
        self._query_text = QLabel()
        self._query_text.setObjectName("search-query-text")
        self._query_text.setWordWrap(True)
        column.addWidget(self._query_text)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        frame = QPushButton(self.tr("This frame"))
        frame.setObjectName("search-frame")
        frame.setToolTip(self.tr("Find what the active tile shows (F)"))
        frame.clicked.connect(self.frame_wanted)
        image = QPushButton(self.tr("Image…"))
        image.setObjectName("search-image")
        image.setToolTip(self.tr("Find what a picture file shows (Ctrl+F)"))
        image.clicked.connect(self.file_wanted)
        buttons.addWidget(frame)
        buttons.addWidget(image)
        buttons.addStretch(1)
        column.addLayout(buttons)
        row.addLayout(column, 1)
        return self._query

    # What the presenter says -------------------------------------------------------------------

    def set_query(self, text: str, picture: UInt8 | None) -> None:
        """Show what is looked for."""
        self._query_text.setText(text)
        if picture is None:
            self._query_picture.clear()
        else:
            image = image_over(picture)
            ratio = self.devicePixelRatioF()
            pixmap = QPixmap.fromImage(image).scaled(
                QUERY_SIZE * ratio,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            pixmap.setDevicePixelRatio(ratio)
            self._query_picture.setPixmap(pixmap)
        self._query_picture.setVisible(picture is not None)

    def set_busy(self, text: str) -> None:
        """Say that it is being looked for; "" = no longer."""
        self._busy.setVisible(bool(text))
        if text:
            self.model.set_matches(())
            self.list.hide()
            self._below.hide()
            self._hint.hide()
            self._say("", text)

    def set_matches(self, matches: tuple[Match, ...], *, convincing: bool, reason: str) -> None:
        """Show what was found; "nothing convincing" is said before anything is shown."""
        self.model.set_matches(matches)
        self.list.setVisible(bool(matches))
        self._below.setVisible(bool(matches))
        self._on_threshold(self.threshold.value())
        self._hint.setVisible(False)
        if not matches:
            self._say("warning", reason or self.tr("Nothing found."))
        elif convincing:
            count = len(matches)
            found = self.tr("1 moment") if count == 1 else self.tr("{n} moments").format(n=count)
            self._say("", f"{found}. {reason}" if reason else found)
        else:
            self._say("warning", self.tr("! Nothing convincing. {reason}").format(reason=reason))
        if matches:
            self.list.setCurrentIndex(self.model.index(0))
            self.list.scrollToTop()

    def set_match_picture(self, position: int, part: str, thumbnail: Thumbnail) -> None:
        """Add the picture of one match, or that "before" or "after" it."""
        self.model.set_picture(position, part, thumbnail)

    def clear(self) -> None:
        """Show how to search."""
        self.set_query(self.tr("Find a moment"), None)
        self._busy.hide()
        self.model.set_matches(())
        self.list.hide()
        self._below.hide()
        self._hint.show()
        self._say("", "")

    def _say(self, role: str, text: str) -> None:
        self.verdict.setText(text)
        self.verdict.setVisible(bool(text))
        self.verdict.setProperty("role", role)
        self.verdict.style().unpolish(self.verdict)
        self.verdict.style().polish(self.verdict)

    def _on_chosen(self, index: QModelIndex) -> None:
        self.match_chosen.emit(index.row())

    def _on_threshold(self, value: int) -> None:
        """Hide what scores less; say how many stay."""
        shown = 0
        for row, match in enumerate(self.model.matches):
            is_hidden = match.score * 100 < value
            self.list.setRowHidden(row, is_hidden)
            shown += not is_hidden
        self._least.setText(
            self.tr("from {score}: {n}").format(score=f"{value / 100:.2f}", n=shown)
        )

    def _on_link(self) -> None:
        self.link_wanted.emit(self.list.currentIndex().row())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pin the chosen moment with A."""
        if event.key() == Qt.Key.Key_A and not event.modifiers() and self._below.isVisible():
            self._on_link()
        else:
            super().keyPressEvent(event)

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
        if data.hasFormat(FRAME_MIME):
            self.frame_dropped.emit(bytes(data.data(FRAME_MIME).data()).decode())
            return
        local = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
        if local:
            self.file_dropped.emit(Path(local[0]))
        elif data.hasImage():
            image = data.imageData()
            if isinstance(image, QImage):
                self.pixels_dropped.emit(image)

    def _mark(self, *, is_hot: bool) -> None:
        colour = THEME.colours.accent if is_hot else ""
        self._query.setStyleSheet(
            f"QFrame#search-query {{ border: 2px dashed {colour}; }}" if is_hot else ""
        )

    def sizeHint(self) -> QSize:
        """Return a size three cards fit in."""
        return QSize(430, 420)
