"""Messages over the pictures: a sentence, what one can do, details to copy. Never modal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.faults.messages import Choice, Message, Severity
from app.resources import icons
from app.resources.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SHOWN = 3
INFO_SHOWN_MS = 12_000
CHOICE_SHOWN_MS = 45_000
"""One with a button stays longer: the user may be on the way to it."""
NARROWEST = 340
COMFORTABLE = 520
"""Of sentences that need several lines; a label that wraps asks for less."""
WIDEST = 760
TOP = 72
"""Pixels from the host's edge: below the words of the tiles, their chips, a view's slider."""
SHORT = 70
"""Letters of a message that leaves room for its buttons in the same row."""


class MessageBar(QFrame):
    """One message."""

    def __init__(self, message: Message, area: BannerArea) -> None:
        super().__init__(area)
        self.message = message
        self._area = area
        self.setObjectName("message")
        self.setProperty("role", "message")
        self.setProperty("severity", message.severity.value)
        self.setAccessibleName(message.text)
        colours = THEME.colours
        outer = QVBoxLayout(self)
        outer.setContentsMargins(12, 8, 8, 8)
        outer.setSpacing(6)
        row = QHBoxLayout()
        row.setSpacing(10)
        icon = QLabel()
        colour = {
            Severity.INFO: colours.accent,
            Severity.WARNING: colours.warning,
            Severity.ERROR: colours.error,
        }[message.severity]
        icon.setPixmap(
            icons.pixmap(message.severity.value, colour, 20, ratio=self.devicePixelRatioF())
        )
        row.addWidget(icon, alignment=Qt.AlignmentFlag.AlignTop)
        text = QLabel(message.text)
        text.setObjectName("message-text")
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        row.addWidget(text, 1)
        is_short = bool(message.choices) and len(message.text) <= SHORT and not message.details
        if is_short:  # buttons beside the words: the pictures below stay free
            for button in self._choices():
                row.addWidget(button)
        close = QToolButton()
        close.setObjectName("message-close")
        close.setIcon(icons.icon("close", colours.dim, colours.line))
        close.setToolTip(self.tr("Close"))
        close.setAccessibleName(self.tr("Close message"))
        close.clicked.connect(self._on_close)
        row.addWidget(close, alignment=Qt.AlignmentFlag.AlignTop)
        outer.addLayout(row)
        self._details = QPlainTextEdit(message.details)
        self._details.setReadOnly(True)
        self._details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._details.setMaximumHeight(160)
        self._details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._details.setAccessibleName(self.tr("Details"))
        self._details.hide()
        if (message.choices or message.details) and not is_short:
            outer.addLayout(self._buttons())
        outer.addWidget(self._details)
        if message.severity is Severity.INFO:
            self._timer = QTimer(self)
            self._timer.setSingleShot(True)
            self._timer.timeout.connect(self._on_close)
            self._timer.start(CHOICE_SHOWN_MS if message.choices else INFO_SHOWN_MS)

    def _choices(self) -> list[QPushButton]:
        buttons = []
        for number, choice in enumerate(self.message.choices):
            button = QPushButton(choice.text)
            button.setObjectName(f"message-choice-{number}")
            if number == 0:
                button.setProperty("role", "primary")
            button.clicked.connect(_chooser(choice, self._on_close))
            buttons.append(button)
        return buttons

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(30, 0, 0, 0)
        row.setSpacing(6)
        for button in self._choices():
            row.addWidget(button)
        if self.message.details:
            fold = QPushButton(self.tr("Details"))
            fold.setObjectName("message-details")
            fold.setProperty("role", "quiet")
            fold.setCheckable(True)
            fold.toggled.connect(self._on_fold)
            copy = QPushButton(self.tr("Copy"))
            copy.setObjectName("message-copy")
            copy.setProperty("role", "quiet")
            copy.setToolTip(self.tr("Copy the message and its details"))
            copy.clicked.connect(self._on_copy)
            row.addWidget(fold)
            row.addWidget(copy)
        row.addStretch(1)
        return row

    def _on_fold(self, is_open: bool) -> None:
        self._details.setVisible(is_open)
        self._area.arrange()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.message.text}\n\n{self.message.details}")

    def _on_close(self) -> None:
        self._area.close_bar(self)


def _chooser(choice: Choice, then: Callable[[], None]) -> Callable[[bool], None]:
    def choose(_checked: bool = False) -> None:
        then()
        choice.action()

    return choose


class BannerArea(QWidget):
    """Floats in the upper part of ``host``; it takes no room, so pictures keep their size."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self._bars: list[MessageBar] = []
        self._waiting: list[Message] = []
        self.setObjectName("banner")
        self.setAccessibleName(self.tr("Messages"))
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        host.installEventFilter(self)
        self.hide()

    @property
    def messages(self) -> list[Message]:
        """What is shown, newest first, then what waits."""
        return [bar.message for bar in self._bars] + self._waiting

    def show_message(self, message: Message) -> None:
        """Show a message on top; one of the same topic goes."""
        if message.topic:
            self._forget(message.topic)
        bar = MessageBar(message, self)
        self._bars.insert(0, bar)
        self._layout.insertWidget(0, bar)
        bar.show()
        while len(self._bars) > MOST_SHOWN:
            oldest = self._bars[-1]
            if oldest.message.severity is not Severity.INFO:
                self._waiting.insert(0, oldest.message)
            self._drop(oldest)
        self.arrange()

    def withdraw(self, topic: str) -> None:
        """Take the messages of a topic away: they are not true any more."""
        self._forget(topic)
        self.arrange()

    def clear(self) -> None:
        """Take all messages away."""
        self._waiting.clear()
        for bar in list(self._bars):
            self._drop(bar)
        self.arrange()

    def close_bar(self, bar: MessageBar) -> None:
        """Take one message away; one that waits comes up."""
        self._drop(bar)
        if self._waiting and len(self._bars) < MOST_SHOWN:
            message = self._waiting.pop(0)
            following = MessageBar(message, self)
            self._bars.append(following)
            self._layout.addWidget(following)
            following.show()
        self.arrange()

    def arrange(self) -> None:
        """Fit the area to its messages and its host."""
        self.setVisible(bool(self._bars))
        if not self._bars:
            return
        # No wider than the words need: there are pictures below.
        needed = max(bar.sizeHint().width() for bar in self._bars)
        if any(len(bar.message.text) > SHORT for bar in self._bars):
            needed = max(needed, COMFORTABLE)
        width = min(max(needed, NARROWEST), WIDEST, self._host.width() - 32)
        self._layout.activate()
        height = sum(
            max(bar.heightForWidth(width), bar.minimumSizeHint().height()) for bar in self._bars
        ) + self._layout.spacing() * (len(self._bars) - 1)
        self.setGeometry((self._host.width() - width) // 2, TOP, width, height)
        self.raise_()

    def _forget(self, topic: str) -> None:
        for bar in [b for b in self._bars if b.message.topic == topic]:
            self._drop(bar)
        self._waiting = [m for m in self._waiting if m.topic != topic]

    def _drop(self, bar: MessageBar) -> None:
        if bar in self._bars:
            self._bars.remove(bar)
            self._layout.removeWidget(bar)
            bar.hide()
            bar.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the host's size."""
        if watched is self._host and event.type() == QEvent.Type.Resize:
            self.arrange()
        return False

    def sizeHint(self) -> QSize:
        """Return a size; the host decides."""
        return QSize(WIDEST, 60)
