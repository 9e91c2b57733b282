"""What the window shows before there is anything to show."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.resources import icons
from app.resources.theme import THEME


class EmptyPage(QWidget):
    """A place to drop recordings on.

    Signals
    -------
    open_requested() : the user wants to choose files
    demo_requested() : the user wants to see the samples
    """

    open_requested = Signal()
    demo_requested = Signal()

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
        private = QLabel(self.tr("Everything stays on this computer."))
        private.setProperty("role", "dim")
        private.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(private)
        self.refresh_icons()

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
