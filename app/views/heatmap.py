"""Similarity as colour, the path through it, where we are, and how good the alignment is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.resources.text import format_time
from app.resources.theme import PLAYHEAD, THEME
from app.views.pin_layer import PinLayer

if TYPE_CHECKING:
    from app.models.viewstate import HeatmapPicture, PairChoice, Verdict
    from carl_core.arrays import Float64, UInt8

# Nine equally spaced colours of viridis (CC0, van der Walt and Smith 2015): perceptually uniform
# and safe for colour-blind readers.
_VIRIDIS = (
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
)

LEGEND_WIDTH = 54


def viridis_table() -> UInt8:
    """Return the colour table, uint8 (256, 3)."""
    at = np.linspace(0, len(_VIRIDIS) - 1, 256)
    colours = np.asarray(_VIRIDIS, dtype=np.float64)
    channels = [np.interp(at, np.arange(len(_VIRIDIS)), colours[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def similarity_of(value: float) -> float:
    """Return the similarity (-1..1) a stored value (0..255) stands for."""
    return value / 255 * 2 - 1


class Legend(QWidget):
    """What the colours mean, in numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = -1.0, 1.0
        self.setObjectName("heatmap-legend")
        self.setFixedWidth(LEGEND_WIDTH)
        self.setToolTip(self.tr("Similarity of two frames: 1 = the same, 0 = unrelated"))
        self._describe()

    def set_levels(self, low: float, high: float) -> None:
        """Show the similarities of the darkest and the brightest colour."""
        self._low, self._high = low, high
        self._describe()
        self.update()

    def _describe(self) -> None:
        self.setAccessibleName(
            self.tr("Colours: similarity from {low} (dark) to {high} (bright)").format(
                low=f"{self._low:.2f}", high=f"{self._high:.2f}"
            )
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the colour bar with numbers."""
        painter = QPainter(self)
        bar = QRectF(6, 26, 12, max(20.0, self.height() - 74.0))
        ramp = QLinearGradient(bar.bottomLeft(), bar.topLeft())
        for number, rgb in enumerate(_VIRIDIS):
            ramp.setColorAt(number / (len(_VIRIDIS) - 1), QColor(*rgb))
        painter.fillRect(bar, ramp)
        small = painter.font()
        small.setPointSizeF(small.pointSizeF() * 0.85)
        painter.setFont(small)
        painter.setPen(QColor(THEME.colours.dim))
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        for share in (0.0, 0.5, 1.0):
            value = self._low + (self._high - self._low) * share
            y = bar.bottom() - bar.height() * share
            painter.drawText(QRectF(22, y - 9, LEGEND_WIDTH - 22, 18), flags, f"{value:.2f}")
        painter.drawText(QRectF(4, 4, LEGEND_WIDTH, 18), flags, self.tr("alike"))
        painter.end()


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
        self.reason.setVisible(bool(verdict.reason))
        self.setAccessibleName(" ".join([verdict.title, *verdict.facts, verdict.reason]))


class HeatmapPanel(QWidget):
    """Map, axes in seconds, legend, crosshair.

    Signals
    -------
    pair_clicked(float, float) : reference seconds, other seconds
    range_changed(tuple, tuple) : reference and other seconds in view
    pair_chosen(str) : another recording was picked
    """

    pair_clicked = Signal(float, float)
    range_changed = Signal(object, object)
    pair_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("heatmap-panel")
        self._picture: HeatmapPicture | None = None
        self._playhead: tuple[float | None, float | None] = (None, None)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 8)
        layout.setSpacing(8)
        self.verdict = VerdictCard()
        layout.addWidget(self.verdict)

        self.pairs = QComboBox()
        self.pairs.setObjectName("heatmap-pairs")
        self.pairs.setAccessibleName(self.tr("Pair of recordings"))
        self.pairs.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.pairs.activated.connect(self._on_pair)
        self.fit_button = QPushButton(self.tr("Fit"))
        self.fit_button.setProperty("role", "quiet")
        self.fit_button.setObjectName("heatmap-fit")
        self.fit_button.setToolTip(self.tr("Show the whole map"))
        self.fit_button.clicked.connect(self.fit)
        row = QHBoxLayout()
        row.addWidget(self.pairs, 1)
        row.addWidget(self.fit_button)
        layout.addLayout(row)

        self._stack = QStackedLayout()
        self._stack.setStackingMode(QStackedLayout.StackingMode.StackOne)
        self._empty = QLabel(self.tr("The heatmap appears when two recordings are embedded."))
        self._empty.setObjectName("heatmap-empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setProperty("role", "dim")
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._make_map())
        layout.addLayout(self._stack, 1)
        self._readout = QLabel()
        self._readout.setObjectName("heatmap-readout")
        self._readout.setProperty("role", "dim")
        self._readout.setWordWrap(True)
        layout.addWidget(self._readout)
        self._show_hint()
        self.set_pairs((), "")
        self._apply_theme()

    def _make_map(self) -> QWidget:
        self.plot = pg.PlotWidget(background=THEME.colours.surface)
        self.plot.setObjectName("heatmap-plot")
        self.plot.setAccessibleName(self.tr("Similarity heatmap"))
        self.plot.setAccessibleDescription(
            self.tr("Arrow keys move a cursor, Return pins there, Delete takes out a pin")
        )
        self.plot.setToolTip(
            self.tr(
                "Drag a pin to move it, Delete takes out what is chosen.\n"
                "Alt+drag: nothing matches there. Ctrl+Alt+drag: the path passes there.\n"
                "Arrow keys: a cursor, Return pins there. Double click: the whole map."
            )
        )
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        item = self.plot.getPlotItem()
        self._box: Any = item.getViewBox()
        self._box.setMouseEnabled(True, True)
        self._box.setDefaultPadding(0.0)
        self._base = pg.ImageItem(axisOrder="row-major")
        self._detail = pg.ImageItem(axisOrder="row-major")
        table = viridis_table()
        for picture in (self._base, self._detail):
            picture.setLookupTable(table)
            self._box.addItem(picture, ignoreBounds=True)
        self._path_edge = pg.PlotCurveItem(pen=pg.mkPen((0, 0, 0, 220), width=4.5))
        self._path = pg.PlotCurveItem(pen=pg.mkPen((255, 255, 255), width=2))
        self._lines = []
        for angle in (90, 0):
            for width, colour in ((3.0, (0, 0, 0, 150)), (1.2, PLAYHEAD)):
                pen = pg.mkPen(colour, width=width * self.devicePixelRatioF())
                line = pg.InfiniteLine(angle=angle, pen=pen)
                line.hide()
                self._lines.append(line)
        self._spot = pg.ScatterPlotItem(
            size=11, pen=pg.mkPen((0, 0, 0), width=1.5), brush=pg.mkBrush(PLAYHEAD)
        )
        for part in (self._path_edge, self._path, *self._lines, self._spot):
            self._box.addItem(part, ignoreBounds=True)
        self.plot.scene().sigMouseClicked.connect(self._on_clicked)
        self.plot.scene().sigMouseMoved.connect(self._on_moved)
        self._box.sigRangeChanged.connect(self._on_range)
        self.pins = PinLayer(self.plot, self._cursor_start)
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.legend = Legend()
        row.addWidget(self.plot, 1)
        row.addWidget(self.legend)
        return holder

    # What the presenter says -------------------------------------------------------------------

    def set_pairs(self, pairs: tuple[PairChoice, ...], current: str) -> None:
        """Offer the pairs that can be shown."""
        self.pairs.clear()
        for pair in pairs:
            self.pairs.addItem(pair.text, pair.recording_id)
        self.pairs.setCurrentIndex(max(0, self.pairs.findData(current)))
        self.pairs.setVisible(len(pairs) > 0)
        self.fit_button.setVisible(len(pairs) > 0)

    def set_names(self, column: str, row: str) -> None:
        """Name the axes."""
        self.plot.setLabel("bottom", self.tr("{name}, seconds").format(name=_short(column)))
        self.plot.setLabel("left", self.tr("{name}, seconds").format(name=_short(row)))

    def set_picture(self, picture: HeatmapPicture | None) -> None:
        """Show the whole map, or that there is nothing yet."""
        is_other_map = (
            self._picture is None
            or picture is None
            or self._picture.column_range_s != picture.column_range_s
            or self._picture.row_range_s != picture.row_range_s
        )
        self._picture = picture
        if picture is None:
            self._stack.setCurrentIndex(0)
            self._base.clear()
            self._detail.clear()
            return
        self._put(self._base, picture)
        low, high = picture.levels
        self.legend.set_levels(similarity_of(low), similarity_of(high))
        self._stack.setCurrentIndex(1)
        if is_other_map:
            self.fit()

    def set_detail(self, picture: HeatmapPicture | None) -> None:
        """Show a finer part over the whole map, or nothing."""
        if picture is None or self._picture is None:
            self._detail.clear()
            return
        self._put(self._detail, picture, levels=self._picture.levels)

    def set_path(self, reference_s: Float64, other_s: Float64, *, is_played: bool) -> None:
        """Draw the map; NaN breaks the line. One that is not played along is dashed."""
        ratio = self.devicePixelRatioF()
        style = Qt.PenStyle.SolidLine if is_played else Qt.PenStyle.DotLine
        self._path_edge.setPen(pg.mkPen((0, 0, 0, 220), width=4.5 * ratio, style=style))
        self._path.setPen(pg.mkPen((255, 255, 255), width=2 * ratio, style=style))
        for curve in (self._path_edge, self._path):
            curve.setData(reference_s, other_s, connect="finite")

    def set_playhead(self, reference_s: float | None, other_s: float | None) -> None:
        """Move the crosshair."""
        if (reference_s, other_s) == self._playhead:
            return
        self._playhead = (reference_s, other_s)
        for line, value in zip(
            self._lines, (reference_s, reference_s, other_s, other_s), strict=True
        ):
            line.setVisible(value is not None)
            if value is not None:
                line.setValue(value)
        if reference_s is not None and other_s is not None:
            self._spot.setData([reference_s], [other_s])
        else:
            self._spot.clear()

    def set_verdict(self, verdict: Verdict) -> None:
        """Say how good the alignment is."""
        self.verdict.set_verdict(verdict)

    def fit(self) -> None:
        """Show the whole map."""
        if self._picture is not None:
            self._box.setRange(
                xRange=self._picture.column_range_s,
                yRange=self._picture.row_range_s,
                padding=0,
            )

    def whole_image(self) -> QImage:
        """Return what the panel shows, for tests and screenshots."""
        return self.grab().toImage()

    def _cursor_start(self) -> tuple[float, float]:
        first, second = self._playhead
        return first or 0.0, second or 0.0

    # Inside ------------------------------------------------------------------------------------

    def _put(
        self, item: Any, picture: HeatmapPicture, levels: tuple[float, float] | None = None
    ) -> None:
        item.setImage(picture.values, autoLevels=False, levels=levels or picture.levels)
        (left, right), (bottom, top) = picture.column_range_s, picture.row_range_s
        item.setRect(QRectF(left, bottom, right - left, top - bottom))

    def _on_pair(self, index: int) -> None:
        self.pair_chosen.emit(str(self.pairs.itemData(index)))

    def _on_clicked(self, event: Any) -> None:
        if self._picture is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if event.double():
            self.fit()
            return
        point = self._box.mapSceneToView(event.scenePos())
        self._emit_pair(point)

    def _emit_pair(self, point: QPointF) -> None:
        assert self._picture is not None
        (left, right), (bottom, top) = self._picture.column_range_s, self._picture.row_range_s
        if left <= point.x() <= right and bottom <= point.y() <= top:
            self.pair_clicked.emit(point.x(), point.y())

    def _on_moved(self, position: QPointF) -> None:
        picture = self._picture
        if picture is None or not self._box.sceneBoundingRect().contains(position):
            self._show_hint()
            return
        point = self._box.mapSceneToView(position)
        (left, right), (bottom, top) = picture.column_range_s, picture.row_range_s
        if not (left <= point.x() < right and bottom <= point.y() < top):
            self._show_hint()
            return
        rows, columns = picture.values.shape
        column = int((point.x() - left) / (right - left) * columns)
        row = int((point.y() - bottom) / (top - bottom) * rows)
        value = similarity_of(float(picture.values[row, column]))
        self._readout.setText(
            self.tr("reference {first}  ·  other {second}  ·  similarity {value}").format(
                first=format_time(max(0.0, point.x()), decimals=2),
                second=format_time(max(0.0, point.y()), decimals=2),
                value=f"{value:.2f}",
            )
        )

    def _show_hint(self) -> None:
        self._readout.setText(
            self.tr("Click: go there  ·  Shift+click: pin  ·  wheel: zoom  ·  Alt+drag: no match")
        )

    def _on_range(self, _box: object, ranges: Any) -> None:
        (left, right), (bottom, top) = ranges
        self.range_changed.emit((float(left), float(right)), (float(bottom), float(top)))

    def _apply_theme(self) -> None:
        colours = THEME.colours
        self.plot.setBackground(QColor(colours.surface))
        font = QFont(self.font())
        font.setPointSizeF(max(6.0, font.pointSizeF() * 0.85))
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            axis.setPen(QColor(colours.line))
            axis.setTextPen(QColor(colours.dim))
            axis.setTickFont(font)
            axis.enableAutoSIPrefix(False)
            axis.label.setFont(font)
            axis.setStyle(tickLength=-4)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_readout"):
            self._apply_theme()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        """Return a size the map is legible at."""
        return QSize(430, 520)


def _short(text: str, most: int = 34) -> str:
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-half:]}"
