"""Small drawings several views share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QImage, QPainter

from app.resources.theme import recording_colour

if TYPE_CHECKING:
    from carl_core.arrays import UInt8

FRAME_MIME = "application/x-carl-frame"
"""What a dragged tile carries: the recording's id in UTF-8."""


def image_over(pixels: UInt8) -> QImage:
    """Return a picture over ``pixels`` uint8 (H, W, 3) without a copy.

    It shares the memory and keeps it alive; the pixels must not change, which is why frames are
    read-only.
    """
    height, width, _ = pixels.shape
    is_apart = pixels.strides[1] == 4  # a byte of nothing after each pixel
    form = QImage.Format.Format_RGBX8888 if is_apart else QImage.Format.Format_RGB888
    if not pixels.flags.c_contiguous:  # made quickly: lines are as long as swscale left them
        pixels = np.lib.stride_tricks.as_strided(
            pixels, (height, pixels.strides[0]), (pixels.strides[0], 1), writeable=False
        )
    # WORKAROUND: PySide6's stubs know only bytes; any buffer is taken, and kept alive.
    data: bytes = pixels.data  # type: ignore[assignment]
    return QImage(data, width, height, int(pixels.strides[0]), form)


def digits_font(base: QFont, *, scale: float = 1.0, is_bold: bool = False) -> QFont:
    """Return a font whose digits do not jump when they change."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPointSizeF(max(6.0, base.pointSizeF() * scale))
    font.setBold(is_bold)
    return font


def draw_chip(painter: QPainter, rect: QRectF, letter: str, position: int) -> None:
    """Draw a recording's letter on its colour."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(recording_colour(position))
    painter.drawRoundedRect(rect, 4, 4)
    font = painter.font()
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor("#101216"))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, letter)
    painter.restore()


def fitted(area: QRectF, aspect: float) -> QRectF:
    """Return the largest rectangle of ``aspect`` (width over height) centred in ``area``."""
    width = min(area.width(), area.height() * aspect)
    height = width / aspect
    return QRectF(area.center().x() - width / 2, area.center().y() - height / 2, width, height)


def adopt_menu(plot: Any) -> None:
    """Make a ``pyqtgraph.PlotWidget`` the owner of its menu.

    pyqtgraph makes one even where menus are off, and nobody deletes it with the plot.
    """
    menu = plot.getPlotItem().ctrlMenu
    menu.setParent(plot, menu.windowFlags())
