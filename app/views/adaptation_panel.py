"""The panel that adapts the encoder to the open recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontDatabase, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.models.adaptation import AdaptationStage, AdaptationState
from app.resources.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Callable

Stage = AdaptationStage
_BAR_HEIGHT = 34


class ErrorBars(QWidget):
    """Error before and after as two bars with their numbers; the shorter the better."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("adaptation-bars")
        self._rows: tuple[tuple[str, float | None], ...] = ()
        self._is_better = False
        self.setFixedHeight(2 * _BAR_HEIGHT)

    def set_errors(self, before: float | None, after: float | None, *, is_better: bool) -> None:
        """Show errors in percent, None = not known yet."""
        self._rows = ((self.tr("Before"), before), (self.tr("After"), after))
        self._is_better = is_better
        said = [f"{name} {_percent(value)}" for name, value in self._rows]
        self.setAccessibleName(
            self.tr("Error on the part held back: {s}").format(s=", ".join(said))
        )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a bar for each row."""
        colours = THEME.colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        longest = max([value for _, value in self._rows if value is not None], default=0.0)
        metrics = self.fontMetrics()
        left = max([metrics.horizontalAdvance(name) for name, _ in self._rows], default=0) + 12
        right = metrics.horizontalAdvance("100.0 %") + 10
        for row, (name, value) in enumerate(self._rows):
            place = QRectF(0, row * _BAR_HEIGHT, self.width(), _BAR_HEIGHT)
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.setPen(QColor(colours.dim))
            painter.drawText(place, middle | Qt.AlignmentFlag.AlignLeft, name)
            painter.setPen(QColor(colours.text))
            painter.drawText(place, middle | Qt.AlignmentFlag.AlignRight, _percent(value))
            track = QRectF(left, place.center().y() - 5, self.width() - left - right, 10)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.raised))
            painter.drawRoundedRect(track, 5, 5)
            if value is not None and longest > 0:
                track.setWidth(max(10.0, track.width() * value / longest))
                is_new = row == 1
                colour = colours.good if is_new and self._is_better else colours.dim
                painter.setBrush(QColor(colour))
                painter.drawRoundedRect(track, 5, 5)
        painter.end()

    def sizeHint(self) -> QSize:
        """Return a size in which both rows can be read."""
        return QSize(300, 2 * _BAR_HEIGHT)


class AdaptationPanel(QWidget):
    """What it does, how far it is, what came of it, and the buttons that go with that.

    Signals
    -------
    start_wanted() : begin
    stop_wanted() : end learning and keep the best so far
    use_wanted() : take the adapted encoder into use
    dismissed() : keep the old one
    back_wanted() : take the encoder from before into use again
    """

    start_wanted = Signal()
    stop_wanted = Signal()
    use_wanted = Signal()
    dismissed = Signal()
    back_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("adaptation-panel")
        self.setAccessibleName(self.tr("Adapt to these recordings"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 14)
        layout.setSpacing(12)
        heading = QLabel(self.tr("Adapt to these recordings"))
        heading.setProperty("role", "heading")
        layout.addWidget(heading)
        self._verdict = QLabel()
        self._verdict.setObjectName("adaptation-verdict")
        layout.addWidget(self._verdict)
        self._text = QLabel()
        self._text.setObjectName("adaptation-text")
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self._text)
        layout.addWidget(self._make_command())
        self._bar = QProgressBar()
        self._bar.setObjectName("adaptation-progress")
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress"))
        layout.addWidget(self._bar)
        self._progress = QLabel()
        self._progress.setObjectName("adaptation-rate")
        self._progress.setProperty("role", "dim")
        self._progress.setWordWrap(True)
        layout.addWidget(self._progress)
        layout.addWidget(self._make_scores())
        self._question = QLabel(
            self.tr(
                "Use the adapted encoder now? The recordings are then embedded and aligned again. "
                "It stays in your encoders either way."
            )
        )
        self._question.setWordWrap(True)
        layout.addWidget(self._question)
        layout.addLayout(self._make_buttons())
        layout.addStretch(1)
        self.set_adaptation(AdaptationState(Stage.READY))

    def set_adaptation(self, state: AdaptationState) -> None:
        """Show how far it is."""
        stage = state.stage
        self._say_verdict(stage)
        self._text.setText(state.text)
        self._text.setToolTip(state.details)
        self._command_row.setVisible(bool(state.command))
        self._command.setText(state.command)
        self._command.setCursorPosition(0)  # a long one begins at its beginning
        self._command.setToolTip(state.command)
        self._bar.setVisible(stage.is_running)
        self._progress.setVisible(stage.is_running)
        self._progress.setText(state.progress)
        self._bar.setRange(0, 0 if state.fraction is None else 1000)
        if state.fraction is not None:
            self._bar.setValue(round(1000 * min(max(state.fraction, 0.0), 1.0)))
        self._scores.setVisible(state.before is not None)
        is_better = stage in (Stage.BETTER, Stage.USED)
        self._errors.set_errors(state.before, state.after, is_better=is_better)
        self._question.setVisible(stage is Stage.BETTER)
        is_over = stage in (Stage.SAME, Stage.FAILED)
        self._start.setVisible(stage is Stage.READY or is_over)
        self._start.setText(self.tr("Start again") if is_over else self.tr("Start"))
        self._start.setEnabled(state.can_start)
        self._stop.setVisible(stage.is_running)
        self._stop.setEnabled(stage is Stage.RUNNING)
        for button in (self._use, self._keep):
            button.setVisible(stage is Stage.BETTER)
        self._back.setVisible(stage is Stage.USED)

    def _say_verdict(self, stage: Stage) -> None:
        said = {
            Stage.BETTER: ("good", self.tr("Better")),
            Stage.USED: ("good", self.tr("In use")),
            Stage.SAME: ("warning", self.tr("The encoder stays as it is")),
            Stage.FAILED: ("error", self.tr("This did not work")),
            Stage.MISSING: ("warning", self.tr("Not installed")),
        }
        role, text = said.get(stage, ("", ""))
        self._verdict.setText(text)
        self._verdict.setVisible(bool(text))
        self._verdict.setProperty("role", role)
        self._verdict.style().unpolish(self._verdict)
        self._verdict.style().polish(self._verdict)

    def _make_command(self) -> QWidget:
        self._command_row = QWidget()
        row = QHBoxLayout(self._command_row)
        row.setContentsMargins(0, 0, 0, 0)
        self._command = QLineEdit()
        self._command.setObjectName("adaptation-command")
        self._command.setReadOnly(True)
        self._command.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._command.setAccessibleName(self.tr("Command to copy"))
        row.addWidget(self._command, 1)
        row.addWidget(self._button("copy", self.tr("Copy"), self._copy))
        return self._command_row

    def _make_scores(self) -> QWidget:
        self._scores = QFrame()
        self._scores.setProperty("role", "card")
        column = QVBoxLayout(self._scores)
        column.setContentsMargins(12, 10, 12, 10)
        title = QLabel(self.tr("Error on the part held back (lower is better)"))
        title.setProperty("role", "dim")
        title.setToolTip(
            self.tr(
                "Held-back stretches are aligned with re-timed, changed copies of themselves. The "
                "error is the median distance from the truth in percent of what is aligned."
            )
        )
        column.addWidget(title)
        self._errors = ErrorBars()
        column.addWidget(self._errors)
        return self._scores

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self._start = self._button("start", self.tr("Start"), self.start_wanted.emit)
        self._stop = self._button("stop", self.tr("Stop and keep the best"), self.stop_wanted.emit)
        self._use = self._button("use", self.tr("Use it"), self.use_wanted.emit)
        self._keep = self._button("keep", self.tr("Keep the old one"), self.dismissed.emit)
        self._back = self._button(
            "back", self.tr("Go back to the encoder from before"), self.back_wanted.emit
        )
        for primary in (self._start, self._use):
            primary.setProperty("role", "primary")
        for button in (self._start, self._stop, self._use, self._keep, self._back):
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _button(self, name: str, text: str, pressed: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"adaptation-{name}")
        button.clicked.connect(lambda _checked=False: pressed())
        return button

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._command.text())

    def sizeHint(self) -> QSize:
        """Return a size everything fits in."""
        return QSize(430, 420)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"
