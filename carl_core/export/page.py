"""One picture of the synchronised video: where everything goes and how pictures are mixed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.export import compose
from carl_core.export.caption import (
    ACCENT,
    BACKGROUND,
    QUIET_TEXT,
    TEXT,
    caption_bar,
    clock_text,
    stamp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.arrays import UInt8
    from carl_core.export.video import RenderOptions
    from carl_core.video.reader import Frame
    from carl_core.video.recording import Recording

_MAX_WIDTH = 1920
_MARK_S = 0.5
_DIM = 0.35  # brightness of a tile without counterpart


@dataclass(frozen=True, eq=False)
class Cell:
    """One recording at one moment."""

    recording: Recording
    frame: Frame | Absent
    rate: float | None


@dataclass(frozen=True, eq=False)
class Absent:
    """No counterpart; ``pixels`` is the nearest picture shown, None where there is none at all."""

    pixels: UInt8 | None


class Page:
    """Where pictures and captions go."""

    def __init__(self, recordings: Sequence[Recording], options: RenderOptions) -> None:
        self._options = options
        self._stacked = options.layout in ("overlay", "difference", "wipe")
        count = len(recordings)
        columns = math.ceil(math.sqrt(count)) if options.layout == "grid" and count > 2 else count
        rows = -(-count // columns)
        shapes = [(r.info.width, r.info.height) for r in recordings]
        height = options.height
        if self._stacked:
            widths = [_even(shapes[0][0] * height / shapes[0][1])] * count
            columns = rows = 1
        else:
            widths = [_even(w * height / h) for w, h in shapes]
        total = max(sum(widths[i : i + columns]) for i in range(0, len(widths), columns))
        if total > _MAX_WIDTH:
            scale = _MAX_WIDTH / total
            height = int(height * scale)
            widths = [_even(w * scale) for w in widths]
            total = max(sum(widths[i : i + columns]) for i in range(0, len(widths), columns))
        self._height = _even(height)
        self._bar = _even(max(20, self._height * 0.06)) if options.captions else 0
        self._columns = columns
        self._widths = widths
        bars = count if self._stacked else 1
        row_height = self._height + bars * self._bar
        self.size = (max(_even(total), 320 if self._stacked else 2), rows * row_height)
        self._row_height = row_height

    def cell_size(self, number: int) -> tuple[int, int]:
        """Return width and height of a recording's picture, pixels."""
        return self._widths[number], self._height

    def draw(self, cells: Sequence[Cell]) -> UInt8:
        """Return the picture, uint8 (H, W, 3)."""
        page = np.empty((self.size[1], self.size[0], 3), dtype=np.uint8)
        page[:] = BACKGROUND
        if self._stacked:
            self._draw_stacked(page, cells)
            return page
        for number, cell in enumerate(cells):
            row, column = divmod(number, self._columns)
            first = row * self._columns
            x = sum(self._widths[first : first + column])
            y = row * self._row_height
            width = self._widths[number]
            if self._bar:
                page[y : y + self._bar, x : x + width] = self._caption(cell, number, width)
            picture = self._picture(cell, width)
            page[y + self._bar : y + self._bar + self._height, x : x + width] = picture
        return page

    def _draw_stacked(self, page: UInt8, cells: Sequence[Cell]) -> None:
        width = self._widths[0]
        for number, cell in enumerate(cells if self._bar else ()):
            bar = self._caption(cell, number, self.size[0])
            page[number * self._bar : (number + 1) * self._bar] = bar
        top = len(cells) * self._bar
        pictures = [self._picture(cell, width) for cell in cells]
        options = self._options
        if options.layout == "wipe":
            mixed = compose.wipe(pictures[0], pictures[1], options.wipe)
            edge = min(max(round(options.wipe * width), 1), width - 1)
            mixed[:, edge - 1 : edge + 1] = ACCENT
        elif options.layout == "difference":
            mixed = compose.difference(pictures[0], pictures[1], options.gain)
        elif len(pictures) == 2:
            mixed = compose.blend(pictures[0], pictures[1], options.opacity)
        else:
            total = np.zeros(pictures[0].shape, dtype=np.uint16)
            for picture in pictures:
                total += picture
            mixed = (total // len(pictures)).astype(np.uint8)
        page[top : top + self._height, :width] = mixed

    def _picture(self, cell: Cell, width: int) -> UInt8:
        if not isinstance(cell.frame, Absent):
            marks = self._marks_at(cell.recording.id, cell.frame.time_s)
            if not marks or self._stacked:
                return cell.frame.pixels
            return stamp(cell.frame.pixels, marks, size=max(12, self._height // 24), is_low=True)
        dark = np.zeros((self._height, width, 3), dtype=np.uint8)
        if cell.frame.pixels is not None:
            dark = (cell.frame.pixels * _DIM).astype(np.uint8)
        return stamp(dark, "no counterpart here", size=max(12, self._height // 24))

    def _marks_at(self, recording_id: str, time_s: float) -> str:
        """Return the names of the markers that last at this moment."""
        return ", ".join(
            name
            for of, name, start_s, end_s in self._options.marks
            if of == recording_id and start_s <= time_s <= max(end_s, start_s + _MARK_S)
        )

    def _caption(self, cell: Cell, number: int, width: int) -> UInt8:
        name = ("REF  " if number == 0 else "") + cell.recording.name
        if isinstance(cell.frame, Absent):
            return caption_bar(width, self._bar, name, "–", colour=QUIET_TEXT)
        rate = "" if cell.rate is None else f"×{cell.rate:.2f}  "
        return caption_bar(
            width, self._bar, name, f"{rate}{clock_text(cell.frame.time_s)}", colour=TEXT
        )


def _even(value: float) -> int:
    return max(2, 2 * round(value / 2))
