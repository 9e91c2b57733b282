"""How good an alignment is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.models.viewstate import Verdict


class VerdictCard(QFrame):
    """How good the alignment is, in words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("verdict")
        self.setProperty("role", "card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 9, 12, 10)
        layout.setSpacing(3)
        self.title = QLabel()
        self.title.setObjectName("verdict-title")
        self.facts = QLabel()
        self.facts.setProperty("role", "dim")
        self.facts.setWordWrap(True)
        self.reason = QLabel()
        self.reason.setObjectName("verdict-reason")
        self.reason.setWordWrap(True)
        self.reason.setTextFormat(Qt.TextFormat.PlainText)
        for label in (self.title, self.facts, self.reason):
            layout.addWidget(label)

    def set_verdict(self, verdict: Verdict) -> None:
        """Show a verdict; its sign is a word and a shape, not only a colour."""
        sign = {"good": "✓ ", "warning": "! ", "error": "✕ "}.get(verdict.kind, "")
        self.title.setText(sign + verdict.title)
        self.title.setProperty("role", verdict.kind if sign else "heading")
        self.title.style().unpolish(self.title)
        self.title.style().polish(self.title)
        self.facts.setText("  ·  ".join(verdict.facts))
        self.facts.setVisible(bool(verdict.facts))
        self.reason.setText(verdict.reason)
        # What is good needs no explaining: the map gets the room.
        self.reason.setVisible(bool(verdict.reason) and verdict.kind != "good")
        self.setToolTip(verdict.reason)
        self.setAccessibleName(" ".join([verdict.title, *verdict.facts, verdict.reason]))
