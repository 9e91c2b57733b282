"""The heatmap of two recordings at every zoom level, computed tile by tile and never held whole."""

from __future__ import annotations

import numpy as np

from carl_core.arrays import Float32, Float64, UInt8, read_only
from carl_core.similarity.matrix import similarity, unit_rows

TILE_SIZE = 512


class SimilarityPyramid:
    """Similarities of all pairs of samples as uint8 tiles: 0 = -1, 255 = +1.

    Level 0 is full resolution; every further level averages 2 x 2. The vectors are averaged, not
    the similarities: the mean of dot products is the dot product of the means, so a tile of any
    level costs one matrix product. Memory is twice the vectors. Safe from any thread.

    Parameters
    ----------
    rows, columns : float32 (N, D) and (M, D), at least one row each
    centre : subtract each recording's mean first, as the aligner does
    tile_size : longest side of a tile
    """

    def __init__(
        self,
        rows: Float32,
        columns: Float32,
        *,
        centre: bool = True,
        tile_size: int = TILE_SIZE,
    ) -> None:
        for name, vectors in (("rows", rows), ("columns", columns)):
            if vectors.ndim != 2 or len(vectors) == 0:
                raise ValueError(f"{name} must hold at least one vector, got {vectors.shape}")
        if rows.shape[1] != columns.shape[1]:
            raise ValueError(f"rows {rows.shape} and columns {columns.shape} differ in length")
        if tile_size < 1:
            raise ValueError(f"tile_size must be positive, got {tile_size}")
        self.tile_size = tile_size
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

    def tile(self, level: int, r: int, c: int) -> UInt8:
        """Return tile (r, c) of ``level``: uint8, at most tile_size a side, smaller at the edge.

        Raises
        ------
        ValueError
            When there is no such tile.
        """
        down, across = self.grid(level)
        if not (0 <= r < down and 0 <= c < across):
            raise ValueError(f"tile ({r}, {c}) of level {level}, which has {down} x {across}")
        size = self.tile_size
        values = similarity(
            self._rows[level][r * size : (r + 1) * size],
            self._columns[level][c * size : (c + 1) * size],
        )
        values += np.float32(1.0)
        values *= np.float32(127.5)
        values += np.float32(0.5)  # rounds: truncation follows
        np.clip(values, 0.0, 255.0, out=values)
        return read_only(values.astype(np.uint8))


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
