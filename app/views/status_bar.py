"""What runs, how fast, how long, and on what device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSize, Signal
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QToolButton, QWidget

from app.resources import icons
from app.resources.theme import THEME
from app.views.job_list import JobList

if TYPE_CHECKING:
    from app.models.viewstate import JobLine


class StatusBar(QStatusBar):
    """Job with progress, pause and cancel on the left, device on the right.

    The button with the number of jobs opens the list of all of them.

    Signals
    -------
    cancel_requested() : stop all running work
    job_cancelled(str) : stop the job of this key
    job_paused(str, bool) : hold the job of this key, or let it go on
    """

    cancel_requested = Signal()
    job_cancelled = Signal(str)
    job_paused = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status")
        self.setSizeGripEnabled(False)
        self._first: JobLine | None = None
        self._text = QLabel()
        self._text.setObjectName("status-job")
        self._bar = QProgressBar()
        self._bar.setObjectName("status-progress")
        self._bar.setFixedWidth(140)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress"))
        self._pause = self._button("status-pause")
        self._pause.clicked.connect(self._on_pause)
        self._cancel = self._button("status-cancel")
        self._cancel.setToolTip(self.tr("Cancel (Ctrl+.)"))
        self._cancel.setAccessibleName(self.tr("Cancel running work"))
        self._cancel.clicked.connect(self.cancel_requested)
        self._more = QToolButton()
        self._more.setObjectName("status-more")
        self._more.setToolTip(self.tr("All jobs, with pause and cancel"))
        self._more.clicked.connect(self.show_jobs)
        self._engine = QLabel()
        self._engine.setObjectName("status-engine")
        self._engine.setAccessibleName(self.tr("Device"))
        for widget in (self._bar, self._pause, self._cancel, self._more, self._text):
            self.addWidget(widget, 1 if widget is self._text else 0)
        self.addPermanentWidget(self._engine)
        self.setContentsMargins(6, 0, 6, 0)
        self.jobs = JobList(self)
        self.jobs.job_cancelled.connect(self.job_cancelled)
        self.jobs.job_paused.connect(self.job_paused)
        self.set_jobs(())
        self.refresh_icons()

    def refresh_icons(self) -> None:
        """Draw icons in the theme's colours."""
        colours = THEME.colours
        self._cancel.setIcon(icons.icon("stop", colours.text, colours.line))
        self._draw_pause()
        self.jobs.refresh_icons()

    def set_jobs(self, lines: tuple[JobLine, ...]) -> None:
        """Show the first job and how many others there are, or that there is none."""
        was_paused = self._first is not None and self._first.is_paused
        self._first = first = lines[0] if lines else None
        self.jobs.set_jobs(lines)
        for widget in (self._bar, self._pause, self._cancel, self._more):
            widget.setVisible(first is not None)
        if first is None:
            self._text.setText(self.tr("Ready"))
            return
        self._text.setText("  ·  ".join(part for part in (first.text, first.detail) if part))
        self._more.setText(self.tr("{n} jobs").format(n=len(lines)) if len(lines) > 1 else "…")
        self._more.setAccessibleName(self.tr("Show all jobs: {n}").format(n=len(lines)))
        self._cancel.setEnabled(not first.is_cancelling)
        self._pause.setEnabled(not first.is_cancelling)
        word = self.tr("Go on") if first.is_paused else self.tr("Pause")
        self._pause.setToolTip(word)
        self._pause.setAccessibleName(word)
        if first.is_paused is not was_paused:
            self._draw_pause()
        if first.fraction is None:
            self._bar.setRange(0, 0)
        else:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(min(max(first.fraction, 0.0), 1.0) * 1000))

    def set_engine(self, text: str, tip: str) -> None:
        """Say what the encoder runs on."""
        self._engine.setText(text)
        self._engine.setToolTip(tip)

    def show_jobs(self) -> None:
        """Open the list of jobs above the bar."""
        size = self.jobs.sizeHint()
        self.jobs.resize(size)
        self.jobs.move(self.mapToGlobal(QPoint(6, -size.height() - 4)))
        self.jobs.show()

    def _draw_pause(self) -> None:
        colours = THEME.colours
        name = "play" if self._first is not None and self._first.is_paused else "pause"
        self._pause.setIcon(icons.icon(name, colours.text, colours.line))

    def _on_pause(self) -> None:
        if self._first is not None:
            self.job_paused.emit(self._first.key, not self._first.is_paused)

    def _button(self, name: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setIconSize(QSize(14, 14))
        return button
