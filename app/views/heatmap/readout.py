"""What is under the cursor of the map, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QCoreApplication

from app.resources.text import format_time

if TYPE_CHECKING:
    from app.models.viewstate import HeatmapPicture
    from carl_core.arrays import Float64


def meaning(value: float, picture: HeatmapPicture) -> float:
    """Return what a stored value (0 to 255) stands for."""
    at_0, at_255 = picture.scale
    return at_0 + value / 255 * (at_255 - at_0)


def words_at(
    picture: HeatmapPicture, path_s: tuple[Float64, Float64], column_s: float, row_s: float
) -> str:
    """Return both times, the value there, and how far the path is away; inside the map only."""
    (left, right), (bottom, top) = picture.column_range_s, picture.row_range_s
    rows, columns = picture.values.shape
    column = min(int((column_s - left) / (right - left) * columns), columns - 1)
    row = min(int((row_s - bottom) / (top - bottom) * rows), rows - 1)
    value = meaning(float(picture.values[row, column]), picture)
    text = _tr("{first} · {second} · similarity {value}")
    if picture.is_cost:
        text = _tr("{first} · {second} · additional cost {value}")
    words = text.format(
        first=format_time(max(0.0, column_s), decimals=2),
        second=format_time(max(0.0, row_s), decimals=2),
        value=f"{value:.2f}",
    )
    if len(path_s[0]):
        away_s = row_s - float(np.interp(column_s, *path_s))
        if np.isfinite(away_s):
            words += _tr(" · {seconds} s from the path").format(seconds=f"{away_s:+.2f}")
    return words


def _tr(text: str) -> str:
    return QCoreApplication.translate("HeatmapPanel", text)
