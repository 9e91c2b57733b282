"""The map itself: colours, path, the path before, crosshair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont

from app.resources.theme import PLAYHEAD, THEME
from app.views.heatmap.colours import viridis_table
from app.views.heatmap.shrinking import fitting, shrunk
from app.views.painting import adopt_menu

if TYPE_CHECKING:
    from app.models.viewstate import HeatmapPicture
    from carl_core.arrays import Float64

NEAR_PATH = 9.0
"""Pixels around the path within which a press takes hold of it."""


class MapPlot(pg.PlotWidget):  # type: ignore[misc]
    """Draws what it is given; gestures are read by layers over it.

    Attributes
    ----------
    box : the view box: seconds to pixels
    """

    def __init__(self) -> None:
        super().__init__(background=THEME.colours.surface)
        self.setObjectName("heatmap-plot")
        self.setMenuEnabled(False)
        adopt_menu(self)
        self.hideButtons()
        self.box: Any = self.getPlotItem().getViewBox()
        self.box.setMouseEnabled(True, True)
        self.box.setMouseMode(pg.ViewBox.RectMode)
        self.box.setDefaultPadding(0.0)
        self._base = pg.ImageItem(axisOrder="row-major")
        self._detail = pg.ImageItem(axisOrder="row-major")
        table = viridis_table()
        for picture in (self._base, self._detail):
            picture.setLookupTable(table)
            self.box.addItem(picture, ignoreBounds=True)
        self._pictures: dict[Any, HeatmapPicture] = {}
        self._drawn_size: dict[Any, tuple[int, int]] = {}
        self._ghost = pg.PlotCurveItem()
        self._segment = pg.PlotCurveItem()
        self._path_edge = pg.PlotCurveItem()
        self._path = pg.PlotCurveItem()
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
        curves = (self._ghost, self._segment, self._path_edge, self._path)
        for part in (*curves, *self._lines, self._spot):
            self.box.addItem(part, ignoreBounds=True)
        self._path_s: tuple[Float64, Float64] = (np.zeros(0), np.zeros(0))
        self._ghost_s = self._path_s
        self.box.sigXRangeChanged.connect(lambda *_: self._lay_lines())
        for changed in (self.box.sigRangeChanged, self.box.sigResized):
            changed.connect(lambda *_: self._fit_pictures())
        self.apply_theme()

    # Pictures ----------------------------------------------------------------------------------

    def put(
        self, picture: HeatmapPicture, levels: tuple[float, float], *, is_detail: bool = False
    ) -> None:
        """Show the whole map, or a finer part over it."""
        item = self._detail if is_detail else self._base
        self._pictures[item] = picture
        self._drawn_size.pop(item, None)
        self._draw(item, levels)

    def _draw(self, item: Any, levels: tuple[float, float]) -> None:
        """Draw a picture with no more cells than pixels, so that none is left out."""
        picture = self._pictures[item]
        (left, right), (bottom, top) = picture.column_range_s, picture.row_range_s
        room, ratio = self.box.sceneBoundingRect(), self.devicePixelRatioF()
        across, up = (high - low for low, high in self.box.viewRange())
        rows, columns = picture.values.shape
        size = (
            fitting(rows, room.height() * ratio * (top - bottom) / max(up, 1e-9)),
            fitting(columns, room.width() * ratio * (right - left) / max(across, 1e-9)),
        )
        if self._drawn_size.get(item) == size:
            return
        self._drawn_size[item] = size
        item.setImage(shrunk(picture.values, *size), autoLevels=False, levels=levels)
        item.setRect(QRectF(left, bottom, right - left, top - bottom))

    def _fit_pictures(self) -> None:
        """Draw anew what has another size on the screen now."""
        for item in (self._base, self._detail):
            if item.image is not None:
                self._draw(item, item.getLevels())

    def set_levels(self, levels: tuple[float, float]) -> None:
        """Show these values darkest and brightest."""
        for item in (self._base, self._detail):
            if item.image is not None:
                item.setLevels(levels)

    def clear_detail(self) -> None:
        """Show the whole map alone."""
        self._detail.clear()
        self._pictures.pop(self._detail, None)

    def clear_all(self) -> None:
        """Show nothing."""
        self.clear_detail()
        self._base.clear()
        self._pictures.pop(self._base, None)

    # Lines -------------------------------------------------------------------------------------

    @property
    def path_s(self) -> tuple[Float64, Float64]:
        """The path drawn now, seconds of reference and other."""
        return self._path_s

    def set_path(self, reference_s: Float64, other_s: Float64, *, is_played: bool) -> None:
        """Draw the map; NaN breaks the line. One that is not played along is dotted."""
        self._path_s = (reference_s, other_s)
        ratio = self.devicePixelRatioF()
        style = Qt.PenStyle.SolidLine if is_played else Qt.PenStyle.DotLine
        self._path_edge.setPen(pg.mkPen((0, 0, 0, 220), width=4.5 * ratio, style=style))
        self._path.setPen(pg.mkPen((255, 255, 255), width=2 * ratio, style=style))
        self._lay_lines()

    def set_ghost(self, reference_s: Float64, other_s: Float64) -> None:
        """Draw the path as it was before the last edit."""
        width = 1.8 * self.devicePixelRatioF()
        self._ghost.setPen(pg.mkPen("#ff9f1c", width=width, style=Qt.PenStyle.DashLine))
        self._ghost_s = (reference_s, other_s)
        self._lay_lines()

    def _lay_lines(self) -> None:
        """Give the lines about a point a pixel of what is in view: painting more takes long."""
        (left, right), _ = self.box.viewRange()
        for curves, (reference_s, other_s) in (
            ((self._path_edge, self._path), self._path_s),
            ((self._ghost,), self._ghost_s),
        ):
            first = max(0, int(np.searchsorted(reference_s, left)) - 1)
            last = int(np.searchsorted(reference_s, right, side="right")) + 1
            points = thinned(reference_s[first:last], other_s[first:last])
            for curve in curves:
                curve.setData(*points, connect="finite")

    def set_segment(self, range_s: tuple[float, float] | None) -> None:
        """Light up the path between two seconds of the reference."""
        reference_s, other_s = self._path_s
        if range_s is None:
            self._segment.setData([], [])
            return
        inside = (reference_s >= range_s[0]) & (reference_s <= range_s[1])
        self._segment.setPen(pg.mkPen("#5cabff", width=9 * self.devicePixelRatioF()))
        self._segment.setData(*thinned(reference_s[inside], other_s[inside]), connect="finite")

    def set_playhead(self, column_s: float | None, row_s: float | None) -> None:
        """Move the crosshair."""
        for line, value in zip(self._lines, (column_s, column_s, row_s, row_s), strict=True):
            line.setVisible(value is not None)
            if value is not None:
                line.setValue(value)
        if column_s is not None and row_s is not None:
            self._spot.setData([column_s], [row_s])
        else:
            self._spot.clear()

    # Places ------------------------------------------------------------------------------------

    def point(self, at: QPointF) -> QPointF:
        """Return the seconds (reference, other) under a pixel of the widget."""
        point: QPointF = self.box.mapSceneToView(self.mapToScene(at.toPoint()))
        return point

    def nearest_on_path(self, at: QPointF, reach: float = NEAR_PATH) -> float | None:
        """Return the reference's second of the path next to a pixel; None = farther than reach."""
        reference_s, other_s = self._path_s
        if not len(reference_s):
            return None
        point = self.point(at)
        (left, right), (bottom, top) = self.box.viewRange()
        room = self.box.sceneBoundingRect()
        across = (reference_s - point.x()) / max(1e-9, right - left) * room.width()
        up = (other_s - point.y()) / max(1e-9, top - bottom) * room.height()
        if len(across) == 1:
            across, up, reference_s = (np.repeat(a, 2) for a in (across, up, reference_s))
        # To each piece between two samples: these may lie many pixels apart.
        dx, dy = np.diff(across), np.diff(up)
        length = np.maximum(dx * dx + dy * dy, 1e-12)
        share = np.clip(-(across[:-1] * dx + up[:-1] * dy) / length, 0.0, 1.0)
        away = np.hypot(across[:-1] + share * dx, up[:-1] + share * dy)
        if not np.isfinite(away).any():
            return None
        nearest = int(np.nanargmin(away))
        if away[nearest] > reach:
            return None
        step_s = reference_s[nearest + 1] - reference_s[nearest]
        return float(reference_s[nearest] + share[nearest] * step_s)

    def apply_theme(self) -> None:
        """Draw in the theme's colours."""
        colours = THEME.colours
        self.setBackground(QColor(colours.surface))
        font = QFont(self.font())
        font.setPointSizeF(max(6.0, font.pointSizeF() * 0.85))
        for name in ("left", "bottom"):
            axis = self.getAxis(name)
            axis.setPen(QColor(colours.line))
            axis.setTextPen(QColor(colours.dim))
            axis.setTickFont(font)
            axis.enableAutoSIPrefix(False)
            axis.label.setFont(font)
            axis.setStyle(tickLength=-4)


MOST_POINTS = 1000


def thinned(reference_s: Float64, other_s: Float64) -> tuple[Float64, Float64]:
    """Return at most ``MOST_POINTS`` of a line's points; the ends of its gaps are kept."""
    if len(reference_s) <= MOST_POINTS:
        return reference_s, other_s
    keep = np.zeros(len(reference_s), dtype=bool)
    keep[:: -(-len(reference_s) // (MOST_POINTS // 2))] = True
    keep[-1] = True
    edges = np.flatnonzero(np.diff(np.isfinite(other_s)))
    keep[edges] = keep[edges + 1] = True
    return reference_s[keep], other_s[keep]
