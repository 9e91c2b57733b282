"""The heatmap of two recordings at every zoom level, computed tile by tile and never held whole."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Float32, Float64, UInt8, read_only
from carl_core.similarity.matrix import Centre, directions, similarity, unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable

TILE_SIZE = 512
CACHE_BYTES = 64 * 1024 * 1024
"""Tiles kept, those used last."""

_PEAK_LEVELS = 4
"""A peak is looked for so many levels down: 16 x 16 finer cells, 256 times the work of a mean.

Where that is not down to single samples, stretches of them are compared by the cosine of their
means (as the aligner does when it looks coarsely), not by the mean of their similarities: of 8
samples that are alike only one by one, that would be an eighth.
"""

_AS_THEY_ARE = Centre(np.zeros(1), 1.0)
"""Means are of samples that were centred before."""


class SimilarityPyramid:
    """Similarities of all pairs of samples as uint8 tiles: 0 = -1, 255 = +1.

    Level 0 is full resolution; every further level averages 2 x 2. The vectors are averaged, not
    the similarities: the mean of dot products is the dot product of the means, so a tile of any
    level costs one matrix product. A mean hides thin diagonals; ``peak`` tiles show the greatest
    similarity among each cell's samples, or, of more than 16 x 16, among stretches of them.
    Memory is twice the vectors and a limited number of tiles. Safe from any thread.

    Parameters
    ----------
    rows, columns : float32 (N, D) and (M, D), at least one row each
    centre : subtract each recording's mean first, as the aligner does
    tile_size : longest side of a tile
    cache_bytes : limit of the tiles that are kept
    """

    def __init__(
        self,
        rows: Float32,
        columns: Float32,
        *,
        centre: bool = True,
        tile_size: int = TILE_SIZE,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        for name, vectors in (("rows", rows), ("columns", columns)):
            if vectors.ndim != 2 or len(vectors) == 0:
                raise ValueError(f"{name} must hold at least one vector, got {vectors.shape}")
        if rows.shape[1] != columns.shape[1]:
            raise ValueError(f"rows {rows.shape} and columns {columns.shape} differ in length")
        if tile_size < 1:
            raise ValueError(f"tile_size must be positive, got {tile_size}")
        self.tile_size = tile_size
        self._cache_bytes = cache_bytes
        self._kept: OrderedDict[tuple[int, int, int, bool], UInt8] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()
        count = 1
        while max(len(rows), len(columns)) > tile_size << (count - 1):
            count += 1
        self._rows = _levels(unit_rows(rows, centre=centre), count)
        self._columns = _levels(unit_rows(columns, centre=centre), count)

    @property
    def n_levels(self) -> int:
        """Number of levels; the last one fits one tile."""
        return len(self._rows)

    def shape(self, level: int) -> tuple[int, int]:
        """Rows and columns of ``level``."""
        return (len(self._rows[level]), len(self._columns[level]))

    def grid(self, level: int) -> tuple[int, int]:
        """Count the tiles of ``level``, down and across."""
        rows, columns = self.shape(level)
        return (-(-rows // self.tile_size), -(-columns // self.tile_size))

    @property
    def cached_bytes(self) -> int:
        """Bytes of the tiles that are kept, at most ``cache_bytes``."""
        return self._kept_bytes

    def tile(
        self,
        level: int,
        r: int,
        c: int,
        *,
        peak: bool = False,
        check: Callable[[], None] | None = None,
    ) -> UInt8:
        """Return tile (r, c) of ``level``: uint8, at most tile_size a side, smaller at the edge.

        Parameters
        ----------
        peak : show the greatest similarity among the cells of up to four levels down, not the mean
        check : called now and then while peaks are looked for; may raise to stop

        Raises
        ------
        ValueError
            When there is no such tile.
        """
        down, across = self.grid(level)
        if not (0 <= r < down and 0 <= c < across):
            raise ValueError(f"tile ({r}, {c}) of level {level}, which has {down} x {across}")
        peak = peak and level > 0
        key = (level, r, c, peak)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
        made = read_only(self._peaks(level, r, c, check) if peak else self._means(level, r, c))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._kept_bytes += made.nbytes
            while self._kept_bytes > self._cache_bytes and len(self._kept) > 1:
                _, old = self._kept.popitem(last=False)
                self._kept_bytes -= old.nbytes
        return made

    def _means(self, level: int, r: int, c: int) -> UInt8:
        # heavy: numba
        from carl_core.similarity.kernels import to_bytes

        size = self.tile_size
        values = similarity(
            self._rows[level][r * size : (r + 1) * size],
            self._columns[level][c * size : (c + 1) * size],
        )
        out = np.empty(values.shape, dtype=np.uint8)
        to_bytes(np.ascontiguousarray(values), out)
        return out

    def _peaks(self, level: int, r: int, c: int, check: Callable[[], None] | None) -> UInt8:
        # heavy: numba
        from carl_core.similarity.kernels import block_peaks

        size, deep = self.tile_size, min(level, _PEAK_LEVELS)
        side = 1 << deep
        n, m = self.shape(level)
        out = np.zeros((min(size, n - r * size), min(size, m - c * size)), dtype=np.uint8)
        top, left = r * size * side, c * size * side
        rows = self._rows[level - deep][top : top + out.shape[0] * side]
        columns = self._columns[level - deep][left : left + out.shape[1] * side]
        if level > deep:
            rows, columns = (directions(part, _AS_THEY_ARE) for part in (rows, columns))
        step = 1024
        for i in range(0, len(rows), step):
            for j in range(0, len(columns), step):
                if check is not None:
                    check()
                part = similarity(rows[i : i + step], columns[j : j + step])
                block_peaks(np.ascontiguousarray(part), i, j, side, out)
        return out


def _levels(vectors: Float32, count: int) -> list[Float32]:
    """Means over 1, 2, 4, ... samples; the last mean of a level may cover fewer."""
    levels = [read_only(vectors)]
    sums: Float64 = vectors.astype(np.float64)
    sizes = np.ones(len(vectors))
    for _ in range(1, count):
        if len(sums) % 2:
            sums = np.concatenate([sums, np.zeros((1, sums.shape[1]))])
            sizes = np.append(sizes, 0.0)
        sums = sums[0::2] + sums[1::2]
        sizes = sizes[0::2] + sizes[1::2]
        levels.append(read_only((sums / sizes[:, None]).astype(np.float32)))
    return levels
