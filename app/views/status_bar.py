"""What runs, how fast, how long, and on what device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QToolButton, QWidget

from app.resources import icons
from app.resources.theme import THEME

if TYPE_CHECKING:
    from app.models.viewstate import JobLine


class StatusBar(QStatusBar):
    """Job with progress and cancel on the left, device on the right.

    Signals
    -------
    cancel_requested() : stop the running work
    """

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status")
        self.setSizeGripEnabled(False)
        self._text = QLabel()
        self._text.setObjectName("status-job")
        self._bar = QProgressBar()
        self._bar.setObjectName("status-progress")
        self._bar.setFixedWidth(140)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress"))
        self._cancel = QToolButton()
        self._cancel.setObjectName("status-cancel")
        self._cancel.setToolTip(self.tr("Cancel (Ctrl+.)"))
        self._cancel.setAccessibleName(self.tr("Cancel running work"))
        self._cancel.setIconSize(QSize(14, 14))
        self._cancel.clicked.connect(self.cancel_requested)
        self._engine = QLabel()
        self._engine.setObjectName("status-engine")
        self._engine.setAccessibleName(self.tr("Device"))
        for widget in (self._bar, self._cancel, self._text):
            self.addWidget(widget, 1 if widget is self._text else 0)
        self.addPermanentWidget(self._engine)
        self.setContentsMargins(6, 0, 6, 0)
        self.refresh_icons()
        self.set_job(None)

    def refresh_icons(self) -> None:
        """Draw icons in the theme's colours."""
        self._cancel.setIcon(icons.icon("stop", THEME.colours.text, THEME.colours.line))

    def set_job(self, line: JobLine | None) -> None:
        """Show the running job, or that there is none."""
        for widget in (self._bar, self._cancel):
            widget.setVisible(line is not None)
        if line is None:
            self._text.setText(self.tr("Ready"))
            return
        more = "  " + self.tr("(+{n} more)").format(n=line.others) if line.others else ""
        self._text.setText(line.text + more)
        self._cancel.setEnabled(not line.is_cancelling)
        if line.fraction is None:
            self._bar.setRange(0, 0)
        else:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(min(max(line.fraction, 0.0), 1.0) * 1000))

    def set_engine(self, text: str, tip: str) -> None:
        """Say what the encoder runs on."""
        self._engine.setText(text)
        self._engine.setToolTip(tip)
