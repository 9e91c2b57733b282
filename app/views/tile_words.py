"""What a tile says of its recording: name, map, rate, time, frame number, match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter, QPen, QPixmap

from app.resources.text import format_rate, format_time
from app.views.over_picture import HEADER_HEIGHT
from app.views.painting import digits_font, draw_chip

if TYPE_CHECKING:
    from PySide6.QtGui import QFont
    from PySide6.QtWidgets import QWidget

    from app.models.viewstate import TileState
    from carl_core.video.reader import Frame

Part = tuple[str, QColor]

NARROW = 420
"""Pixels; below, rate, time and frame number stand at the lower edge."""

FOOTER_HEIGHT = 20.0

_PLAIN = QColor("#f2f4f6")
_DIM = QColor("#c3cad3")
_LOUD = QColor("#ffd37a")
_WARNING = QColor("#f3bb52")


class TileWords:
    """Writes over one tile's picture.

    Attributes
    ----------
    rate : seconds of the recording per second of the master, None = unknown
    match : similarity of the frame shown to the one of the reference, -1 to 1; None = unknown
    frame : what is shown; None = nothing, or what is no counterpart
    """

    def __init__(self, tile: QWidget, state: TileState) -> None:
        self._tile = tile
        self.state = state
        self.rate: float | None = None
        self.match: float | None = None
        self.frame: Frame | None = None
        self._digits = digits_font(tile.font(), scale=0.95)
        self._digit_width = QFontMetricsF(self._digits).horizontalAdvance("0")
        self._header: QPixmap | None = None
        self._header_key: tuple[object, ...] = ()

    @property
    def is_narrow(self) -> bool:
        """Whether the readout has a line of its own below, so that the name can be read."""
        return self._tile.width() < NARROW

    @property
    def footer_height(self) -> float:
        """Pixels at the lower edge that words cover."""
        return FOOTER_HEIGHT if self.below() else 0.0

    def above(self) -> list[Part]:
        """Return what stands right of the name."""
        return [] if self.is_narrow else self._readout()

    def below(self) -> list[Part]:
        """Return what stands at the lower edge: the match, and in a narrow tile all figures."""
        if not self.is_narrow:
            return self._match()
        readout = self._readout()
        whole = [*self._match(), *readout]
        return whole if self.left_of(whole) >= 0 else readout

    def left_of(self, parts: list[Part]) -> float:
        """Return where a line begins that ends at the right; all its digits are equally wide."""
        return self._tile.width() - 10.0 - sum(len(t) * self._digit_width + 12 for t, _ in parts)

    def paint(self, painter: QPainter) -> None:
        """Write header and footer."""
        tile, font = self._tile, self._tile.font()
        left = tile.width() - 10.0 if self.is_narrow else self.left_of(self._readout())
        key = (self.state, tile.width(), left, tile.devicePixelRatioF(), font.key())
        if self._header is None or self._header_key != key:
            self._header, self._header_key = self._make_header(left), key
        painter.drawPixmap(0, 0, self._header)
        previous = painter.font()
        painter.setFont(self._digits)
        self._write(painter, self.above(), QRectF(0, 0, 0, HEADER_HEIGHT + 3))
        self._write_below(painter, self.below())
        painter.setFont(previous)

    def _match(self) -> list[Part]:
        if self.match is None or self.frame is None or self.state.is_reference:
            return []
        text = QCoreApplication.translate("Tile", "match {value}")
        return [(text.format(value=f"{self.match:.2f}"), _DIM)]

    def _readout(self) -> list[Part]:
        """Return the kind of map, rate, time and frame number."""
        if self.frame is None:
            return []
        parts: list[Part] = []
        if self.frame.is_preview:
            parts.append((QCoreApplication.translate("Tile", "preview"), _WARNING))
        rate = format_rate(self.rate)
        if rate and not self.state.is_reference:
            parts.append((rate, _LOUD))
        parts.append((format_time(self.frame.time_s), _PLAIN))
        parts.append((f"f{self.frame.index}", _DIM))
        kind = self.state.kind
        if kind and not self.state.is_reference:
            whole = [(kind, _LOUD if self.state.is_kind_chosen else _DIM), *parts]
            if self.left_of(whole) >= 0:  # the narrowest tiles leave it out
                return whole
        return parts

    def _write_below(self, painter: QPainter, parts: list[Part]) -> None:
        if not parts:
            return
        tile, left = self._tile, self.left_of(parts) + 12
        above = 30.0 if self.state.status else 6.0
        line = QRectF(0, tile.height() - FOOTER_HEIGHT - above, 0, FOOTER_HEIGHT)
        pill = QRectF(left - 7, line.y(), tile.width() - left - 10 + 14, FOOTER_HEIGHT)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 165))
        painter.drawRoundedRect(pill, 5, 5)
        self._write(painter, parts, line)

    def _write(self, painter: QPainter, parts: list[Part], line: QRectF) -> None:
        left = self.left_of(parts) + 12
        for text, colour in parts:
            width = len(text) * self._digit_width
            painter.setPen(colour)
            painter.drawText(
                QRectF(left, line.y(), width + 4, line.height()),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                text,
            )
            left += width + 12

    def _make_header(self, right: float) -> QPixmap:
        """Draw once what does not change from frame to frame: shade, letter, badge and name."""
        state, tile = self.state, self._tile
        ratio = tile.devicePixelRatioF()
        strip = QRectF(0, 0, tile.width(), HEADER_HEIGHT + 12)
        header = QPixmap((strip.size() * ratio).toSize())
        header.setDevicePixelRatio(ratio)
        header.fill(Qt.GlobalColor.transparent)
        painter = QPainter(header)
        painter.setFont(tile.font())
        shade = QLinearGradient(strip.topLeft(), strip.bottomLeft())
        shade.setColorAt(0.0, QColor(0, 0, 0, 205))
        shade.setColorAt(0.65, QColor(0, 0, 0, 140))
        shade.setColorAt(1.0, QColor(0, 0, 0, 0))
        painter.fillRect(strip, shade)
        draw_chip(painter, QRectF(8, 7, 20, 19), state.letter, state.position)
        left = 36.0
        if state.is_reference:
            left += _paint_badge(painter, left) + 8
        painter.setPen(_PLAIN)
        room = right - left - 10
        if room > 30:
            _write_name(painter, QRectF(left, 0, room, HEADER_HEIGHT + 3), state.name)
        painter.end()
        return header


def _write_name(painter: QPainter, room: QRectF, name: str) -> None:
    metrics = QFontMetricsF(painter.font())
    if metrics.horizontalAdvance(name) > room.width():
        name = name.rpartition(".")[0] or name
    name = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room.width())
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)


def _paint_badge(painter: QPainter, left: float) -> float:
    """Draw the mark of the reference; return its width."""
    text = QCoreApplication.translate("Tile", "REF")
    font: QFont = painter.font()
    small = painter.font()
    small.setPointSizeF(font.pointSizeF() * 0.8)
    small.setBold(True)
    painter.setFont(small)
    width = QFontMetricsF(small).horizontalAdvance(text) + 10
    badge = QRectF(left, 8.5, width, 16)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(255, 255, 255, 190), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(badge, 3, 3)
    painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, text)
    painter.setFont(font)
    return width
