"""What is looked for: one line for each frame, stretch or picture, and what is not wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout

from app.views.painting import image_over

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.models.searching import QueryChip
    from carl_core.arrays import UInt8

PICTURE = QSize(64, 40)


class QueryBox(QFrame):
    """Chips on top, buttons to look for something below.

    Signals
    -------
    removed(int) : the chip of this number is not wanted any more
    frame_wanted(), also_wanted(), unlike_wanted(), file_wanted() : the buttons
    """

    removed = Signal(int)
    frame_wanted = Signal()
    also_wanted = Signal()
    unlike_wanted = Signal()
    file_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("search-query")
        self.setProperty("role", "card")
        self._chips: list[QFrame] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(5)
        self._title = QLabel(self.tr("Find a moment"))
        layout.addWidget(self._title)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(4)
        layout.addLayout(self._lines)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        self._also: list[QPushButton] = []
        for name, text, tip, signal in (
            (
                "frame",
                self.tr("This frame"),
                self.tr("Find what the active tile shows (F)"),
                self.frame_wanted,
            ),
            (
                "image",
                self.tr("Image…"),
                self.tr("Find what a picture file shows (Ctrl+F)"),
                self.file_wanted,
            ),
            (
                "also",
                self.tr("And this"),
                self.tr("Look for what is common to this frame and the others above (Shift+F)"),
                self.also_wanted,
            ),
            (
                "unlike",
                self.tr("Not this"),
                self.tr("Leave out what looks more like the active tile's frame (Ctrl+Alt+F)"),
                self.unlike_wanted,
            ),
        ):
            button = QPushButton(text)
            button.setProperty("role", "tight")
            button.setObjectName(f"search-{name}")
            button.setToolTip(tip)
            button.clicked.connect(signal)
            buttons.addWidget(button)
            if name in ("also", "unlike"):
                self._also.append(button)
        buttons.addStretch(1)
        layout.addLayout(buttons)
        self.set_chips(())

    def set_chips(self, chips: tuple[QueryChip, ...]) -> None:
        """Show what is looked for."""
        for line in self._chips:
            self._lines.removeWidget(line)
            line.hide()  # not over the new ones until it is deleted
            line.deleteLater()
        self._chips = [self._line(number, chip) for number, chip in enumerate(chips)]
        for line in self._chips:
            self._lines.addWidget(line)
        self._title.setVisible(not chips)
        for button in self._also:
            button.setEnabled(bool(chips))

    @property
    def texts(self) -> tuple[str, ...]:
        """What is written on the chips."""
        return tuple(line.accessibleName() for line in self._chips)

    def _line(self, number: int, chip: QueryChip) -> QFrame:
        line = QFrame()
        line.setObjectName(f"query-{number}")
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        if chip.picture is not None:
            picture = QLabel()
            picture.setFixedSize(PICTURE)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.setPixmap(self._pixmap(chip.picture))
            picture.setAccessibleName(chip.text)
            row.addWidget(picture)
        text = chip.text
        if chip.is_unlike:
            text = self.tr("not like {what}").format(what=chip.text)
        elif number:
            text = self.tr("and {what}").format(what=chip.text)
        label = QLabel(text)
        label.setWordWrap(True)
        if chip.is_unlike:
            label.setProperty("role", "warning")
        row.addWidget(label, 1)
        close = QToolButton()
        close.setObjectName(f"query-remove-{number}")
        close.setText("×")
        close.setToolTip(self.tr("Do not look for this any more"))
        close.setAccessibleName(self.tr("Remove {what}").format(what=text))
        close.clicked.connect(lambda: self.removed.emit(number))
        row.addWidget(close)
        line.setAccessibleName(text)
        return line

    def _pixmap(self, picture: UInt8) -> QPixmap:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap.fromImage(image_over(picture)).scaled(
            PICTURE * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        pixmap.setDevicePixelRatio(ratio)
        return pixmap
