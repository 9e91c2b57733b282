"""One picture of the synchronised video: where everything goes and how pictures are mixed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from carl_core.export import compose
from carl_core.export.caption import (
    ACCENT,
    BACKGROUND,
    QUIET_TEXT,
    TEXT,
    caption_bar,
    clock_text,
    fits_in_one_line,
    stamp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.arrays import UInt8
    from carl_core.export.options import Part, RenderOptions
    from carl_core.video.reader import Frame
    from carl_core.video.recording import Recording

MAX_WIDTH = 3840
"""Pixels of the whole; a player's limits are not far beyond."""

_LEAST_LINE = 18  # pixels of a line of words
_LEAST_STACKED = 320
_MARK_S = 0.5
_NATURAL = 0.005  # what two decimals of a rate do not show
_WHOLE = (0.0, 0.0, 1.0, 1.0)
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
    """Where pictures and captions go.

    Attributes
    ----------
    size : width and height of the whole, pixels
    """

    def __init__(self, recordings: Sequence[Recording], options: RenderOptions) -> None:
        self._options = options
        self._stacked = options.layout in ("overlay", "difference", "wipe")
        count = len(recordings)
        columns = math.ceil(math.sqrt(count)) if options.layout == "grid" and count > 2 else count
        shapes = [(r.info.width, r.info.height) for r in recordings]
        height = options.height
        if self._stacked:
            columns = 1
            shapes = shapes[:1]
        widths = [_even(w * height / h) for w, h in shapes]
        total = _widest(widths, columns)
        if total > MAX_WIDTH:
            scale = MAX_WIDTH / total
            height = int(height * scale)
            widths = [_even(w * scale) for w in widths]
            total = _widest(widths, columns)
        self._height = _even(height)
        self._columns = columns
        self._sizes = [(w, self._height) for w in widths]
        if self._stacked:
            others = [(r.info.width, r.info.height) for r in recordings[1:]]
            self._sizes += [_within(shape, self._sizes[0]) for shape in others]
            total = max(total, _LEAST_STACKED)
        width = _even(total)
        narrowest = width if self._stacked else min(widths)
        self._lines = 0
        self._bar = 0
        if options.captions:
            line = _even(max(_LEAST_LINE, 0.06 * min(self._height, 1.4 * narrowest)))
            texts = [(_name_of(r, n), _longest_readout(r)) for n, r in enumerate(recordings)]
            rooms = [width] * count if self._stacked else widths
            is_roomy = all(
                fits_in_one_line(w, line, *text) for w, text in zip(rooms, texts, strict=True)
            )
            self._lines = 1 if is_roomy or self._stacked else 2
            self._bar = self._lines * line
        self._decoded = self._decoded_sizes(recordings)
        rows = -(-len(widths) // columns)
        self._row_height = self._height + (count if self._stacked else 1) * self._bar
        self.size = width, rows * self._row_height

    def cell_size(self, number: int) -> tuple[int, int]:
        """Return width and height that a recording's picture is to be decoded to, pixels.

        Of a picture that is seen in part, the whole: at most as fine as it was recorded.
        """
        return self._decoded[number]

    def _decoded_sizes(self, recordings: Sequence[Recording]) -> list[tuple[int, int]]:
        if self._stacked:
            factor = _factor(self._part_of(recordings[0]), recordings[0], self._sizes[0])
            return [(_even(w * factor), _even(h * factor)) for w, h in self._sizes]
        factors = [
            _factor(self._part_of(recording), recording, size)
            for recording, size in zip(recordings, self._sizes, strict=True)
        ]
        return [
            (_even(w * f), _even(h * f)) for (w, h), f in zip(self._sizes, factors, strict=True)
        ]

    def _part_of(self, recording: Recording) -> Part:
        return self._options.parts.get(recording.id, _WHOLE)

    def draw(self, cells: Sequence[Cell]) -> UInt8:
        """Return the picture, uint8 (H, W, 3)."""
        page = np.empty((self.size[1], self.size[0], 3), dtype=np.uint8)
        page[:] = BACKGROUND
        if self._stacked:
            self._draw_stacked(page, cells)
            return page
        for number, cell in enumerate(cells):
            row, column = divmod(number, self._columns)
            beside = [w for w, _ in self._sizes[row * self._columns : (row + 1) * self._columns]]
            x = (self.size[0] - sum(beside)) // 2 + sum(beside[:column])
            y = row * self._row_height
            width = beside[column]
            if self._bar:
                page[y : y + self._bar, x : x + width] = self._caption(cell, number, width)
            picture = self._picture(cell, (width, self._height))
            page[y + self._bar : y + self._row_height, x : x + width] = picture
        return page

    def _draw_stacked(self, page: UInt8, cells: Sequence[Cell]) -> None:
        """Mix as the window does; who has no counterpart here is left out, and it is said."""
        width, height = self._sizes[0]
        for number, cell in enumerate(cells if self._bar else ()):
            bar = self._caption(cell, number, self.size[0])
            page[number * self._bar : (number + 1) * self._bar] = bar
        present = [
            compose.placed(cell.frame.pixels, *self._decoded[0])
            for cell in cells
            if not isinstance(cell.frame, Absent)
        ]
        left_over = present[0] if present else None
        mixed = self._mixed(present) if len(present) > 1 else left_over
        if mixed is not None:
            mixed = cropped(mixed, self._part_of(cells[0].recording), (width, height))
        if mixed is None or len(present) < len(cells):
            missing = ", ".join(c.recording.name for c in cells if isinstance(c.frame, Absent))
            mixed = self._without_counterpart(mixed, (width, height), missing)
        if marks := self._marks_of(cells):
            mixed = stamp(mixed, marks, size=self._mark_size(), is_low=True)
        top, left = len(cells) * self._bar, (self.size[0] - width) // 2
        page[top : top + height, left : left + width] = mixed

    def _mixed(self, pictures: Sequence[UInt8]) -> UInt8:
        options = self._options
        if options.layout == "wipe":
            mixed = compose.wipe(pictures[0], pictures[1], options.wipe)
            width = mixed.shape[1]
            edge = min(max(round(options.wipe * width), 1), width - 1)
            mixed[:, edge - 1 : edge + 1] = ACCENT
            return mixed
        if options.layout == "difference":
            return compose.difference(pictures[0], pictures[1], options.gain)
        if len(pictures) == 2:
            return compose.blend(pictures[0], pictures[1], options.opacity)
        total = np.zeros(pictures[0].shape, dtype=np.uint16)
        for picture in pictures:
            total += picture
        mean: UInt8 = (total // len(pictures)).astype(np.uint8)
        return mean

    def _picture(self, cell: Cell, size: tuple[int, int]) -> UInt8:
        pixels = cell.frame.pixels
        if pixels is not None:
            pixels = cropped(pixels, self._part_of(cell.recording), size)
        if pixels is None or isinstance(cell.frame, Absent):
            return self._without_counterpart(pixels, size)
        marks = self._marks_of((cell,))
        if not marks:
            return pixels
        return stamp(pixels, marks, size=self._mark_size(), is_low=True)

    def _without_counterpart(
        self, pixels: UInt8 | None, size: tuple[int, int], missing: str = ""
    ) -> UInt8:
        dark = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        if pixels is not None:
            dark = (pixels * _DIM).astype(np.uint8)
        text = f"no counterpart here: {missing}" if missing else "no counterpart here"
        return stamp(dark, text, size=self._mark_size())

    def _mark_size(self) -> int:
        return max(12, self._height // 24)

    def _marks_of(self, cells: Sequence[Cell]) -> str:
        """Return the names of the markers that last at this moment, each once."""
        names = [
            name
            for cell in cells
            if not isinstance(cell.frame, Absent)
            for of, name, start_s, end_s in self._options.marks
            if of == cell.recording.id
            and start_s <= cell.frame.time_s <= max(end_s, start_s + _MARK_S)
        ]
        return ", ".join(dict.fromkeys(names))

    def _caption(self, cell: Cell, number: int, width: int) -> UInt8:
        name, lines = _name_of(cell.recording, number), self._lines
        if isinstance(cell.frame, Absent):
            return caption_bar(width, self._bar, name, "–", lines=lines, colour=QUIET_TEXT)
        rate = cell.rate
        if number == 0 and rate is not None and abs(rate - 1) < _NATURAL:
            rate = None  # the reference runs naturally, unless time follows the mean
        words = _readout(cell.frame.index, cell.frame.time_s, rate)
        return caption_bar(width, self._bar, name, words, lines=lines, colour=TEXT)


def cropped(picture: UInt8, part: Part, size: tuple[int, int]) -> UInt8:
    """Return a part of ``picture`` at ``size`` (width, height), interpolated linearly."""
    height, width, _ = picture.shape
    if part == _WHOLE and (width, height) == size:
        return picture
    left, top = part[0] * width, part[1] * height
    box = (left, top, min(left + part[2] * width, width), min(top + part[3] * height, height))
    image = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, box=box)
    return np.asarray(image)


def _factor(part: Part, recording: Recording, size: tuple[int, int]) -> float:
    """Return how much larger than its place a picture must be decoded for a part to be sharp."""
    if part == _WHOLE:
        return 1.0
    return max(1.0, min(1 / part[2], recording.info.width / size[0]))


def _name_of(recording: Recording, number: int) -> str:
    return ("REF  " if number == 0 else "") + recording.name


def _readout(frame: int, time_s: float, rate: float | None) -> str:
    """Write what a tile of the window writes."""
    parts = ["" if rate is None else f"×{rate:.2f}", clock_text(time_s), f"f{frame}"]
    return "  ".join(part for part in parts if part)


def _longest_readout(recording: Recording) -> str:
    return _readout(len(recording.index) - 1, recording.index.duration_s, 1.0)


def _widest(widths: Sequence[int], columns: int) -> int:
    return max(sum(widths[i : i + columns]) for i in range(0, len(widths), columns))


def _within(shape: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """Return the largest even size of this shape that fits into ``room``."""
    scale = min(room[0] / shape[0], room[1] / shape[1])
    return min(_even(shape[0] * scale), room[0]), min(_even(shape[1] * scale), room[1])


def _even(value: float) -> int:
    return max(2, 2 * round(value / 2))
