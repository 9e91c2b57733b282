"""All jobs, each with its progress, pause and cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QProgressBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.resources import icons
from app.resources.theme import THEME

if TYPE_CHECKING:
    from app.models.viewstate import JobLine


class JobRow(QWidget):
    """One job."""

    def __init__(self, key: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.key = key
        self.is_paused = False
        self._text = QLabel()
        self._detail = QLabel()
        self._detail.setProperty("role", "dim")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress"))
        self.pause = QToolButton()
        self.pause.setObjectName(f"pause-{key}")
        self.cancel = QToolButton()
        self.cancel.setObjectName(f"cancel-{key}")
        self.cancel.setToolTip(self.tr("Cancel; what is done is kept"))
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(2)
        layout.addWidget(self._text, 0, 0)
        layout.addWidget(self._bar, 1, 0)
        layout.addWidget(self._detail, 2, 0)
        layout.addWidget(self.pause, 0, 1, 3, 1)
        layout.addWidget(self.cancel, 0, 2, 3, 1)
        layout.setColumnStretch(0, 1)
        self.refresh_icons()

    def set_line(self, line: JobLine) -> None:
        """Show how far it is."""
        was_paused, self.is_paused = self.is_paused, line.is_paused
        self._text.setText(line.text)
        self._detail.setText(line.detail)
        for button in (self.pause, self.cancel):
            button.setEnabled(not line.is_cancelling)
        word = self.tr("Go on") if line.is_paused else self.tr("Pause")
        self.pause.setToolTip(word)
        self.pause.setAccessibleName(f"{word}: {line.text}")
        self.cancel.setAccessibleName(self.tr("Cancel: {job}").format(job=line.text))
        if line.fraction is None:
            self._bar.setRange(0, 0 if line.detail == "" else 1)
            self._bar.setValue(0)
        else:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(min(max(line.fraction, 0.0), 1.0) * 1000))
        if was_paused is not self.is_paused:
            self.refresh_icons()

    def refresh_icons(self) -> None:
        """Draw icons in the theme's colours."""
        colours = THEME.colours
        name = "play" if self.is_paused else "pause"
        self.pause.setIcon(icons.icon(name, colours.text, colours.line))
        self.cancel.setIcon(icons.icon("stop", colours.text, colours.line))


class JobList(QFrame):
    """A sheet over the status bar; closes when something else is clicked.

    Signals
    -------
    job_cancelled(str), job_paused(str, bool) : by key
    """

    job_cancelled = Signal(str)
    job_paused = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("job-list")
        self.setAccessibleName(self.tr("Jobs"))
        self.setProperty("role", "card")
        self._rows: dict[str, JobRow] = {}
        self._order: list[str] = []
        self._none = QLabel(self.tr("Nothing is running."))
        self._none.setProperty("role", "dim")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(14, 12, 14, 12)
        self._layout.setSpacing(10)
        self._layout.addWidget(self._none)

    def set_jobs(self, lines: tuple[JobLine, ...]) -> None:
        """Show these jobs, in this order."""
        keys = [line.key for line in lines]
        for key in [k for k in self._rows if k not in keys]:
            row = self._rows.pop(key)
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        for line in lines:
            row = self._rows.get(line.key) or self._add(line.key)
            row.set_line(line)
        if keys != self._order:
            self._order = keys
            for key in keys:
                self._layout.removeWidget(self._rows[key])
            for key in keys:
                self._layout.addWidget(self._rows[key])
        self._none.setVisible(not lines)
        if self.isVisible():
            bottom = self.geometry().bottom()
            size = self.sizeHint()
            self.setGeometry(self.x(), bottom - size.height() + 1, size.width(), size.height())

    def refresh_icons(self) -> None:
        """Draw icons in the theme's colours."""
        for row in self._rows.values():
            row.refresh_icons()

    def sizeHint(self) -> QSize:
        """Return room for all rows."""
        return super().sizeHint().expandedTo(QSize(440, 0))

    def _add(self, key: str) -> JobRow:
        row = JobRow(key, self)
        row.cancel.clicked.connect(lambda _checked=False: self.job_cancelled.emit(key))
        row.pause.clicked.connect(
            lambda _checked=False: self.job_paused.emit(key, not row.is_paused)
        )
        self._rows[key] = row
        return row
