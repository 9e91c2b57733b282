"""Similarity of two recordings over regular time, any part at any detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.models.viewstate import HeatmapPicture
from carl_core.similarity.pyramid import SimilarityPyramid

if TYPE_CHECKING:
    from collections.abc import Callable

    from carl_core.arrays import Float32, UInt8
    from carl_core.embeddings.embeddings import Embeddings

BASE_SIDE = 1024
"""Longest side of the whole map as first shown, samples."""

DETAIL_SIDE = 1024

Range = tuple[float, float]


class SimilarityMap:
    """Similarity of two recordings over regular time, any part at any detail.

    Safe from any thread once made. Samples are laid on a regular grid by nearest time, so that a
    recording with varying frame intervals keeps true seconds on its axis.
    """

    def __init__(self, *, columns: Embeddings, rows: Embeddings) -> None:
        self._column_vectors, self._column_step_s = _regular(columns)
        self._row_vectors, self._row_step_s = _regular(rows)
        self._pyramid = SimilarityPyramid(self._row_vectors, self._column_vectors)

    @property
    def whole_s(self) -> tuple[Range, Range]:
        """Outer edges in seconds: columns, rows."""
        return (
            (-self._column_step_s / 2, (len(self._column_vectors) - 0.5) * self._column_step_s),
            (-self._row_step_s / 2, (len(self._row_vectors) - 0.5) * self._row_step_s),
        )

    def level_for(self, cells: int, side: int) -> int:
        """Finest level at which ``cells`` samples of level 0 fit into ``side``."""
        level = 0
        while cells > side and level < self._pyramid.n_levels - 1:
            level += 1
            cells = (cells + 1) // 2
        return level

    def has_finer(self, columns_s: Range, rows_s: Range, *, side: int) -> bool:
        """Whether a cell of this part is a mean of several, so that a peak may hide in it."""
        return self.level_for(self._cells(columns_s, rows_s), side) > 0

    def is_base_enough(self, columns_s: Range, rows_s: Range) -> bool:
        """Whether the whole map as first shown has all the detail of this part."""
        base = self.level_for(max(self._pyramid.shape(0)), BASE_SIDE)
        return base == 0 or self.level_for(self._cells(columns_s, rows_s), DETAIL_SIDE) >= base

    def picture(
        self,
        columns_s: Range,
        rows_s: Range,
        *,
        side: int,
        peak: bool = False,
        check: Callable[[], None] | None = None,
    ) -> HeatmapPicture:
        """Compute one part; ``check`` raises to stop it. ``peak``: the best of each cell."""
        level = self.level_for(self._cells(columns_s, rows_s), side)
        n_rows, n_columns = self._pyramid.shape(level)
        first_row, last_row = _span(rows_s, self._row_step_s * 2**level, n_rows)
        first_column, last_column = _span(columns_s, self._column_step_s * 2**level, n_columns)
        size = self._pyramid.tile_size
        out: UInt8 = np.zeros((last_row - first_row, last_column - first_column), dtype=np.uint8)
        for r in range(first_row // size, (last_row - 1) // size + 1):
            for c in range(first_column // size, (last_column - 1) // size + 1):
                if check is not None:
                    check()
                tile = self._pyramid.tile(level, r, c, peak=peak, check=check)
                top, left = r * size - first_row, c * size - first_column
                from_row, from_column = max(0, -top), max(0, -left)
                part = tile[
                    from_row : min(tile.shape[0], out.shape[0] - top),
                    from_column : min(tile.shape[1], out.shape[1] - left),
                ]
                at_row, at_column = top + from_row, left + from_column
                out[at_row : at_row + part.shape[0], at_column : at_column + part.shape[1]] = part
        row_step, column_step = self._row_step_s * 2**level, self._column_step_s * 2**level
        half_row, half_column = self._row_step_s / 2, self._column_step_s / 2
        return HeatmapPicture(
            values=out,
            column_range_s=(
                first_column * column_step - half_column,
                last_column * column_step - half_column,
            ),
            row_range_s=(first_row * row_step - half_row, last_row * row_step - half_row),
        )

    def _cells(self, columns_s: Range, rows_s: Range) -> int:
        return max(
            int((columns_s[1] - columns_s[0]) / self._column_step_s),
            int((rows_s[1] - rows_s[0]) / self._row_step_s),
            1,
        )


def _span(range_s: Range, step_s: float, count: int) -> tuple[int, int]:
    first = min(max(int(np.floor(range_s[0] / step_s)), 0), count - 1)
    last = min(max(int(np.ceil(range_s[1] / step_s)) + 1, first + 1), count)
    return first, last


def _regular(embeddings: Embeddings) -> tuple[Float32, float]:
    """Vectors at regular times from 0, and their step in seconds."""
    times = embeddings.times_s
    if len(times) < 2:
        return embeddings.vectors, 1.0
    step_s = float(np.median(np.diff(times)))
    grid = np.arange(round(float(times[-1]) / step_s) + 1) * step_s
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    is_before = grid - times[after - 1] <= times[after] - grid
    return embeddings.vectors[np.where(is_before, after - 1, after)], step_s
