"""Cosine similarity of frames, a block at a time."""

from __future__ import annotations

import threading
from contextlib import ContextDecorator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from carl_core.progress import row_blocks

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Float64
    from carl_core.progress import Monitor


@cache
def blas() -> ThreadpoolController:
    """Return the controls of this process's BLAS: small tiles are slower on several threads."""
    return ThreadpoolController()


_lock = threading.Lock()
_inside = 0
_limit: Any = None


class one_blas_thread(ContextDecorator):
    """Keep this process's BLAS to one thread as long as anybody is inside.

    Counted: threads that overlap do not restore one another's limit, and work on many small tiles
    that is wrapped as a whole pays for it once. A class, because entering a generator takes longer
    than counting, and tiles are small.
    """

    def __enter__(self) -> None:
        global _inside, _limit
        with _lock:
            if _inside == 0:
                _limit = blas().limit(limits=1, user_api="blas")
            _inside += 1

    def __exit__(self, *exc: object) -> None:
        global _inside
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limit.restore_original_limits()


def unit_rows(
    vectors: Float32 | Float64, *, centre: bool, monitor: Monitor | None = None
) -> Float32:
    """Return rows scaled to unit norm, after subtracting their mean when ``centre``.

    A row without direction (all zero, or equal to the mean) stays zero: its similarity to
    everything is 0.

    Parameters
    ----------
    vectors : float (N, D)
    centre : what all rows share (place, clothes, camera) then no longer counts
    monitor : asked every some thousand rows whether to stop
    """
    return directions(vectors, centre_of(vectors, centre=centre, monitor=monitor), monitor)


@dataclass(frozen=True, slots=True, eq=False)
class Centre:
    """What rows are measured from.

    Attributes
    ----------
    mean : float64 (D,), subtracted from every row
    scale : root mean square length of the rows; what is tiny beside it is rounding noise
    """

    mean: Float64
    scale: float


def centre_of(
    vectors: Float32 | Float64, *, centre: bool, monitor: Monitor | None = None
) -> Centre:
    """Return what ``unit_rows`` measures from: a fifth of its time, and of a few numbers."""
    count = len(vectors)
    total, square = np.zeros(vectors.shape[1]), 0.0
    for block in row_blocks(count, monitor):
        part = vectors[block]
        total += part.sum(axis=0, dtype=np.float64)
        square += float(np.einsum("ij,ij->", part, part, dtype=np.float64))
    mean = total / max(count, 1) if centre else np.zeros_like(total)
    return Centre(mean, float(np.sqrt(square / max(count, 1))))


def directions(
    vectors: Float32 | Float64, centre: Centre, monitor: Monitor | None = None
) -> Float32:
    """Return rows as ``unit_rows`` gives them, all of a recording or some: float32 (n, D)."""
    count = len(vectors)
    found = np.empty(vectors.shape, dtype=np.float32)
    for block in row_blocks(count, monitor):
        part = vectors[block] - centre.mean
        norms = np.linalg.norm(part, axis=1, keepdims=True)
        # Rounding noise of float32 input must not be blown up into a direction.
        has_direction = norms > 1e-5 * max(centre.scale, 1e-30)
        found[block] = np.where(has_direction, part / np.where(has_direction, norms, 1.0), 0.0)
    return found


def similarity(rows: Float32, columns: Float32) -> Float32:
    """Return cosine similarities float32 (N, M) of unit rows (N, D) and (M, D).

    Memory is N x M: ask for blocks of long recordings.
    """
    with one_blas_thread():
        return np.asarray(rows @ columns.T, dtype=np.float32)
