"""Asks where to go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout

from app.models.place import parse_place

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class GotoDialog(QDialog):
    """One line for a time, a frame number or a share.

    Signals
    -------
    place_chosen(Place) : what was written, understood
    """

    place_chosen = Signal(object)

    def __init__(self, letter: str, frames: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("goto")
        self.setWindowTitle(self.tr("Go to"))
        layout = QVBoxLayout(self)
        label = QLabel(self.tr("&Time, frame or share:"))
        self.line = QLineEdit()
        self.line.setObjectName("goto-line")
        self.line.setAccessibleName(self.tr("Where to go"))
        self.line.setPlaceholderText("1:02.5")
        label.setBuddy(self.line)
        hint = self.tr(
            "1:02.5 is a time, f370 a frame of {letter} (0 to {last}), 25 % a share of the length; "
            "with + or − from here."
        )
        self._hint = hint.format(letter=letter, last=max(0, frames - 1))
        self._note = QLabel(self._hint)
        self._note.setObjectName("goto-note")
        self._note.setProperty("role", "dim")
        self._note.setWordWrap(True)
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self._buttons.accepted.connect(self._choose)
        self._buttons.rejected.connect(self.reject)
        for widget in (label, self.line, self._note, self._buttons):
            layout.addWidget(widget)
        self.line.textChanged.connect(lambda _text: self._note.setText(self._hint))
        self.setMinimumWidth(380)

    def _choose(self) -> None:
        place = parse_place(self.line.text())
        if place is None:
            self._note.setText(
                self.tr("“{text}” is no place.").format(text=self.line.text()) + " " + self._hint
            )
            self.line.selectAll()
            return
        self.accept()
        self.place_chosen.emit(place)
