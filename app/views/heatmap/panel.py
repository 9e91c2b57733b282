"""Similarity as colour, the path through it, where we are, and how good the alignment is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.views.heatmap.colours import clipped_levels
from app.views.heatmap.confidence import ConfidenceStrip
from app.views.heatmap.controls import MapControls
from app.views.heatmap.cursor_frames import CursorFramesView
from app.views.heatmap.legend import Legend
from app.views.heatmap.pair_strip import PairStrip
from app.views.heatmap.pin_layer import PinLayer
from app.views.heatmap.plot import MapPlot
from app.views.heatmap.readout import meaning, words_at
from app.views.heatmap.verdict import VerdictCard

if TYPE_CHECKING:
    from app.models.mapkind import MapPicture
    from app.models.viewstate import (
        CursorFrames,
        HeatmapPicture,
        PairChoice,
        PairPreview,
        Verdict,
    )
    from carl_core.arrays import Float64


class HeatmapPanel(QWidget):
    """Map, axes in seconds, legend, crosshair.

    Signals
    -------
    pair_clicked(float, float) : reference seconds, other seconds
    range_changed(tuple, tuple) : reference and other seconds in view
    pair_chosen(str) : another recording was picked
    picture_chosen(MapPicture) : something else is to be shown
    hovered(float, float) : the cursor rests on these seconds
    left() : the cursor left the map
    """

    pair_clicked = Signal(float, float)
    range_changed = Signal(object, object)
    pair_chosen = Signal(str)
    picture_chosen = Signal(object)
    hovered = Signal(float, float)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("heatmap-panel")
        self._picture: HeatmapPicture | None = None
        self._playhead: tuple[float | None, float | None] = (None, None)
        self._ghost: tuple[Float64, Float64] = (np.zeros(0), np.zeros(0))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 8)
        layout.setSpacing(6)
        self.verdict = VerdictCard()
        layout.addWidget(self.verdict)
        self.previews = PairStrip()
        self.previews.chosen.connect(self.pair_chosen)
        layout.addWidget(self.previews)
        layout.addLayout(self._make_choices())
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
        self._controls = MapControls()
        self.contrast, self.before = self._controls.contrast, self._controls.before
        self.linked, self.fit_button = self._controls.linked, self._controls.fit
        self.contrast.valueChanged.connect(lambda _value: self._show_levels())
        self.before.toggled.connect(lambda _on: self._show_ghost())
        self.fit_button.clicked.connect(self.fit)
        layout.addWidget(self._controls)
        self._readout = QLabel()
        self._readout.setObjectName("heatmap-readout")
        self._readout.setProperty("role", "dim")
        self._readout.setWordWrap(True)
        layout.addWidget(self._readout)
        self._show_hint()
        self.set_pairs((), "")

    def _make_choices(self) -> QHBoxLayout:
        self.pairs = QComboBox()
        self.pairs.setObjectName("heatmap-pairs")
        self.pairs.setAccessibleName(self.tr("Pair of recordings"))
        self.pairs.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.pairs.activated.connect(
            lambda index: self.pair_chosen.emit(str(self.pairs.itemData(index)))
        )
        self.pictures = QComboBox()
        self.pictures.setObjectName("heatmap-pictures")
        self.pictures.setAccessibleName(self.tr("What the map shows"))
        self.pictures.setToolTip(
            self.tr(
                "Similarity of the two, the accumulated cost of a path through each place,\n"
                "or how alike the moments of one recording are to each other."
            )
        )
        self.pictures.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.pictures.activated.connect(
            lambda index: self.picture_chosen.emit(self.pictures.itemData(index))
        )
        row = QHBoxLayout()
        row.addWidget(self.pairs, 5)
        row.addWidget(self.pictures, 4)
        return row

    def _make_map(self) -> QWidget:
        self.plot = MapPlot()
        self.plot.setAccessibleName(self.tr("Similarity heatmap"))
        self.plot.setAccessibleDescription(
            self.tr("Arrow keys move a cursor, Return pins there, Delete takes out a pin")
        )
        self.plot.scene().sigMouseClicked.connect(self._on_clicked)
        self.plot.scene().sigMouseMoved.connect(self._on_moved)
        self.plot.box.sigRangeChanged.connect(self._on_range)
        self.plot.viewport().installEventFilter(self)
        self.pins = PinLayer(self.plot, self._cursor_start)
        self.confidence = ConfidenceStrip(self.plot)
        holder = QWidget()
        columns = QHBoxLayout(holder)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(0)
        maps = QVBoxLayout()
        maps.setSpacing(2)
        maps.addWidget(self.plot, 1)
        maps.addWidget(self.confidence)
        self.legend = Legend()
        columns.addLayout(maps, 1)
        columns.addWidget(self.legend)
        self._frames = CursorFramesView(self.plot)
        return holder

    # What the presenters say -------------------------------------------------------------------

    def set_pairs(self, pairs: tuple[PairChoice, ...], current: str) -> None:
        """Offer the pairs that can be shown."""
        self.pairs.clear()
        for pair in pairs:
            self.pairs.addItem(pair.text, pair.recording_id)
        self.pairs.setCurrentIndex(max(0, self.pairs.findData(current)))
        for widget in (self.pairs, self.pictures, self._controls):
            widget.setVisible(len(pairs) > 0)

    def set_pictures(
        self, choices: tuple[tuple[MapPicture, str], ...], current: MapPicture
    ) -> None:
        """Offer what can be shown of the pair."""
        self.pictures.clear()
        for which, text in choices:
            self.pictures.addItem(text, which)
        self.pictures.setCurrentIndex([which for which, _ in choices].index(current))
        self.pins.set_enabled(current.is_pair)
        self.confidence.setVisible(current.is_pair)

    def add_bars(self, hand: QWidget, review: QWidget) -> None:
        """Put what chooses and what checks the map between the verdict and the map."""
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(1, hand)
        layout.insertWidget(2, review)

    def set_previews(self, previews: tuple[PairPreview, ...], current: str) -> None:
        """Show small maps of all pairs."""
        self.previews.set_previews(previews, current)

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
            self.plot.clear_all()
            self._frames.hide()
            return
        self.plot.put(picture, self._levels())
        self._show_levels()
        self._stack.setCurrentIndex(1)
        if is_other_map:
            self.fit()

    def set_detail(self, picture: HeatmapPicture | None) -> None:
        """Show a finer part over the whole map, or nothing."""
        if picture is None or self._picture is None:
            self.plot.clear_detail()
        else:
            self.plot.put(picture, self._levels(), is_detail=True)

    def set_path(self, reference_s: Float64, other_s: Float64, *, is_played: bool) -> None:
        """Draw the map; NaN breaks the line. One that is not played along is dotted."""
        self.plot.set_path(reference_s, other_s, is_played=is_played)

    def set_ghost(self, reference_s: Float64, other_s: Float64) -> None:
        """Keep the path of before the last edit; shown while "Before" is down."""
        self._ghost = (reference_s, other_s)
        self.before.setEnabled(len(reference_s) > 0)
        self._show_ghost()

    def set_confidence(self, reference_s: Float64, values: Float64) -> None:
        """Show confidence 0 to 1 along the reference."""
        self.confidence.set_confidence(reference_s, values)

    def set_segment(self, range_s: tuple[float, float] | None) -> None:
        """Light up a part of the path, seconds of the reference."""
        self.plot.set_segment(range_s)

    def set_playhead(self, reference_s: float | None, other_s: float | None) -> None:
        """Move the crosshair."""
        if (reference_s, other_s) != self._playhead:
            self._playhead = (reference_s, other_s)
            self.plot.set_playhead(reference_s, other_s)

    def set_verdict(self, verdict: Verdict) -> None:
        """Say how good the alignment is."""
        self.verdict.set_verdict(verdict)

    def set_cursor_frames(self, frames: CursorFrames | None) -> None:
        """Show both frames beside the cursor, or none."""
        at = self._cursor_at()
        if frames is None or at is None:
            self._frames.hide()
        else:
            self._frames.show_frames(frames, at)

    def fit(self) -> None:
        """Show the whole map."""
        if self._picture is not None:
            self.show_ranges(self._picture.column_range_s, self._picture.row_range_s)

    def show_ranges(self, columns_s: tuple[float, float], rows_s: tuple[float, float]) -> None:
        """Show this part of the map, as far as there is one."""
        if self._picture is not None:
            self.plot.box.setRange(
                xRange=_inside(columns_s, self._picture.column_range_s),
                yRange=_inside(rows_s, self._picture.row_range_s),
                padding=0,
            )

    @property
    def is_whole(self) -> bool:
        """Whether all of the map is in view."""
        if self._picture is None:
            return True
        ranges = self.plot.box.viewRange()
        wholes = (self._picture.column_range_s, self._picture.row_range_s)
        return all(
            shown[1] - shown[0] >= (whole[1] - whole[0]) * 0.999
            for shown, whole in zip(ranges, wholes, strict=True)
        )

    def _cursor_start(self) -> tuple[float, float]:
        first, second = self._playhead
        return first or 0.0, second or 0.0

    # Inside ------------------------------------------------------------------------------------

    def _levels(self) -> tuple[float, float]:
        assert self._picture is not None
        if self._picture.is_cost:
            return 255.0 * self.contrast.value() / 110, 255.0
        return clipped_levels(self._picture.values, self.contrast.value())

    def _show_levels(self) -> None:
        picture = self._picture
        if picture is None:
            return
        levels = self._levels()
        self.plot.set_levels(levels)
        low, high = (meaning(value, picture) for value in levels)
        self.legend.set_levels(low, high, is_cost=picture.is_cost)

    def _show_ghost(self) -> None:
        empty = np.zeros(0)
        self.plot.set_ghost(*(self._ghost if self.before.isChecked() else (empty, empty)))

    def _on_clicked(self, event: Any) -> None:
        if self._picture is None or event.button() != Qt.MouseButton.LeftButton:
            return
        point = self.plot.box.mapSceneToView(event.scenePos())
        if self._is_on_map(point) and not event.double():
            self.pair_clicked.emit(point.x(), point.y())

    def _is_on_map(self, point: QPointF) -> bool:
        if self._picture is None:
            return False
        (left, right), (bottom, top) = self._picture.column_range_s, self._picture.row_range_s
        return bool(left <= point.x() < right and bottom <= point.y() < top)

    def _on_moved(self, position: QPointF) -> None:
        point = self.plot.box.mapSceneToView(position)
        is_inside = self.plot.box.sceneBoundingRect().contains(position)
        if self._picture is None or not is_inside or not self._is_on_map(point):
            self._leave()
            return
        self._readout.setText(words_at(self._picture, self.plot.path_s, point.x(), point.y()))
        at = self._cursor_at()
        if self._frames.isVisible() and at is not None:
            self._frames.move_beside(at)
        self.hovered.emit(max(0.0, point.x()), max(0.0, point.y()))

    def _leave(self) -> None:
        self._show_hint()
        self._frames.hide()
        self.left.emit()

    def _cursor_at(self) -> QPoint | None:
        at = self.plot.mapFromGlobal(self.cursor().pos())
        return at if self.plot.rect().contains(at) else None

    def _show_hint(self) -> None:
        self._readout.setText(
            self.tr(
                "Click: go there · on the path: drag along it · Shift+click: pin · drag a box, "
                "wheel: zoom · right click: more"
            )
        )

    def _on_range(self, _box: object, ranges: Any) -> None:
        (left, right), (bottom, top) = ranges
        self.range_changed.emit((float(left), float(right)), (float(bottom), float(top)))

    # Events ------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice that the cursor leaves the map."""
        if event.type() == QEvent.Type.Leave:
            self._leave()
        return super().eventFilter(watched, event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_readout"):
            self.plot.apply_theme()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        """Return a size the map is legible at."""
        return QSize(430, 520)


def _inside(wanted: tuple[float, float], whole: tuple[float, float]) -> tuple[float, float]:
    """Return the wanted stretch inside the whole, the whole where they do not touch."""
    low, high = max(wanted[0], whole[0]), min(wanted[1], whole[1])
    return (low, high) if high - low > 1e-3 else whole


def _short(text: str, most: int = 34) -> str:
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-half:]}"
