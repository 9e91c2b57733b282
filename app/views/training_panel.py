"""The panel that trains an encoder on a folder of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.models.training import TrainingStage, TrainingState
from app.resources.theme import THEME
from app.views.painting import adopt_menu

if TYPE_CHECKING:
    from collections.abc import Callable

Stage = TrainingStage


class Curve(pg.PlotWidget):  # type: ignore[misc]
    """One figure over the steps."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=None)
        self._title = title
        self.setMinimumHeight(110)
        self.setMouseEnabled(x=False, y=False)
        self.setMenuEnabled(False)
        adopt_menu(self)
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(title)
        self._line = self.plot([], [])
        self.refresh_colours()

    def set_points(self, points: list[tuple[float, float]]) -> None:
        """Show (step, value)."""
        self._line.setData([p[0] for p in points], [p[1] for p in points])
        if points:
            self.setAccessibleName(
                self.tr("{title}: {value} at step {step}").format(
                    title=self._title, value=f"{points[-1][1]:.3g}", step=int(points[-1][0])
                )
            )

    def refresh_colours(self) -> None:
        """Draw in the theme's colours."""
        colours = THEME.colours
        self._line.setPen(pg.mkPen(colours.accent, width=2))
        self._line.setSymbol("o")
        self._line.setSymbolSize(4)
        self._line.setSymbolBrush(colours.accent)
        self._line.setSymbolPen(None)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(colours.line)
            axis.setTextPen(colours.dim)
        self.setTitle(self._title, color=colours.dim, size="9pt")


class TrainingPanel(QWidget):
    """Folder, steps, start and stop; loss and held-out error over the steps; checkpoints.

    Signals
    -------
    folder_wanted() : choose the folder of videos
    start_wanted(int) : begin, or go on, for so many steps
    stop_wanted() : end after this step
    export_wanted(str) : make an encoder of this checkpoint, "" = of the best
    use_wanted() : take the exported encoder into use
    """

    folder_wanted = Signal()
    start_wanted = Signal(int)
    stop_wanted = Signal()
    export_wanted = Signal(str)
    use_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("training-panel")
        self.setAccessibleName(self.tr("Train an encoder"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 14)
        layout.setSpacing(10)
        heading = QLabel(self.tr("Train an encoder"))
        heading.setProperty("role", "heading")
        layout.addWidget(heading)
        self._text = QLabel()
        self._text.setObjectName("training-text")
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self._text)
        layout.addLayout(self._make_inputs())
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress"))
        layout.addWidget(self._bar)
        self._progress = QLabel()
        self._progress.setObjectName("training-rate")
        self._progress.setProperty("role", "dim")
        self._progress.setWordWrap(True)
        layout.addWidget(self._progress)
        self._loss = Curve(self.tr("Loss"))
        self._error = Curve(self.tr("Error on held-out actions, %"))
        layout.addWidget(self._loss, 1)
        layout.addWidget(self._error, 1)
        self._table = QTableWidget(0, 2)
        self._table.setObjectName("training-checkpoints")
        self._table.setAccessibleName(self.tr("Checkpoints"))
        self._table.setHorizontalHeaderLabels([self.tr("Checkpoint"), self.tr("Error, %")])
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setTabKeyNavigation(False)
        self._table.verticalHeader().hide()
        self._table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        layout.addWidget(self._table, 1)
        layout.addLayout(self._make_buttons())
        layout.addStretch(0)
        self.set_training(TrainingState(Stage.READY))

    def set_training(self, state: TrainingState) -> None:
        """Show how far it is."""
        stage = state.stage
        self._text.setText(state.text)
        self._text.setToolTip(state.details)
        self._folder.setText("" if state.folder is None else str(state.folder))
        for widget in (self._choose, self._steps):
            widget.setEnabled(not stage.is_running and stage is not Stage.MISSING)
        self._bar.setVisible(stage.is_running)
        self._progress.setVisible(stage.is_running)
        self._progress.setText(state.progress)
        self._bar.setRange(0, 0 if state.fraction is None else 1000)
        if state.fraction is not None:
            self._bar.setValue(round(1000 * min(max(state.fraction, 0.0), 1.0)))
        self._loss.setVisible(bool(state.losses))
        self._loss.set_points([(float(step), loss) for step, loss in state.losses])
        self._error.setVisible(bool(state.looks))
        self._error.set_points([(float(look.step), look.percent) for look in state.looks])
        self._set_checkpoints(state)
        self._start.setVisible(not stage.is_running)
        self._start.setEnabled(state.folder is not None and stage is not Stage.MISSING)
        self._start.setText(self.tr("Go on") if state.can_go_on else self.tr("Start"))
        self._stop.setVisible(stage in (Stage.RUNNING, Stage.STOPPING))
        self._stop.setEnabled(stage is Stage.RUNNING)
        can_export = bool(state.checkpoints) and not stage.is_running
        self._export.setVisible(can_export)
        self._use.setVisible(stage is Stage.DONE and state.encoder is not None)

    def refresh_colours(self) -> None:
        """Draw the curves in the theme's colours."""
        self._loss.refresh_colours()
        self._error.refresh_colours()

    def _set_checkpoints(self, state: TrainingState) -> None:
        errors = {look.step: look.percent for look in state.looks}
        best = state.best
        self._table.setVisible(bool(state.checkpoints))
        if self._table.rowCount() != len(state.checkpoints):
            self._table.clearSelection()
        self._table.setRowCount(len(state.checkpoints))
        for row, (step, name) in enumerate(state.checkpoints):
            error = f"{errors[step]:.1f}" if step in errors else "–"
            if best is not None and best[1] == name:
                error += "  " + self.tr("best")
            first = QTableWidgetItem(self.tr("Step {n}").format(n=step))
            first.setData(Qt.ItemDataRole.UserRole, name)
            self._table.setItem(row, 0, first)
            self._table.setItem(row, 1, QTableWidgetItem(error))

    def _make_inputs(self) -> QVBoxLayout:
        column = QVBoxLayout()
        row = QHBoxLayout()
        self._folder = QLineEdit()
        self._folder.setObjectName("training-folder")
        self._folder.setReadOnly(True)
        self._folder.setPlaceholderText(self.tr("Folder of videos"))
        self._folder.setAccessibleName(self.tr("Folder of videos"))
        row.addWidget(self._folder, 1)
        self._choose = self._button("folder", self.tr("Choose…"), self.folder_wanted.emit)
        row.addWidget(self._choose)
        column.addLayout(row)
        second = QHBoxLayout()
        label = QLabel(self.tr("Steps"))
        second.addWidget(label)
        self._steps = QSpinBox()
        self._steps.setObjectName("training-steps")
        self._steps.setRange(1, 1_000_000)
        self._steps.setValue(400)
        self._steps.setSingleStep(100)
        self._steps.setAccessibleName(self.tr("Steps"))
        self._steps.setToolTip(self.tr("400 steps on a few minutes of film take about ten minutes"))
        label.setBuddy(self._steps)
        second.addWidget(self._steps)
        second.addStretch(1)
        column.addLayout(second)
        return column

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self._start = self._button(
            "start", self.tr("Start"), lambda: self.start_wanted.emit(self._steps.value())
        )
        self._stop = self._button("stop", self.tr("Stop and keep the best"), self.stop_wanted.emit)
        self._export = self._button("export", self.tr("Make encoder"), self._on_export)
        self._export.setToolTip(self.tr("Of the checkpoint chosen in the list, or of the best one"))
        self._use = self._button("use", self.tr("Use it"), self.use_wanted.emit)
        for primary in (self._start, self._use):
            primary.setProperty("role", "primary")
        for button in (self._start, self._stop, self._export, self._use):
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _on_export(self) -> None:
        rows = self._table.selectionModel().selectedRows()
        name = rows[0].data(Qt.ItemDataRole.UserRole) if rows else ""
        self.export_wanted.emit(str(name or ""))

    def _button(self, name: str, text: str, pressed: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"training-{name}")
        button.clicked.connect(lambda _checked=False: pressed())
        return button

    def sizeHint(self) -> QSize:
        """Return a size everything fits in."""
        return QSize(430, 560)
