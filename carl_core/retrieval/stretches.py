"""Runs of sixteen neighbouring rows of a segment: between what bounds the best of each scores.

::

    means.i8 (M, D), mean_scales.f32 (M,)   mean of each stretch in 8 bits
    radii.f32 (M,)                          distance from it within which all its rows lie
    fine.i8, fine_scales.f32, fine_radii.f32   8 bits more of each mean, and what is left then

Rows of a stretch belong to one recording. As |q x - q m| <= |x - m| for a unit query q, a stretch
whose mean m scores less than the best rows by more than its radius need not be read. Frames that
follow one another look alike: of real recordings a search so reads one row in ten to a hundred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.retrieval.mapping import mapped, threads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from carl_core.arrays import Float32, Int64

STRETCH = 16
STRETCH_FILES: dict[str, tuple[str, bool]] = {
    "means.i8": ("<i1", True),
    "mean_scales.f32": ("<f4", False),
    "radii.f32": ("<f4", False),
    "fine.i8": ("<i1", True),
    "fine_scales.f32": ("<f4", False),
    "fine_radii.f32": ("<f4", False),
}
"""Element type of each file, and whether a row has D of them."""

_CHUNK = 1 << 14  # stretches that one thread scans at a time


class Stretches:
    """The stretches of a segment, opened for reading. Safe from any thread.

    Parameters
    ----------
    folder : of the segment
    parts : first row and number of rows of each recording
    dim : numbers D of a row

    Attributes
    ----------
    starts : int64 (M + 1,), first row of each stretch, and the number of all rows
    """

    def __init__(self, folder: Path, parts: Sequence[tuple[int, int]], dim: int) -> None:
        begins = [np.arange(first, first + count, STRETCH) for first, count in parts]
        end = parts[-1][0] + parts[-1][1] if parts else 0
        self.starts: Int64 = np.concatenate([*begins, [end]]).astype(np.int64)
        count = len(self.starts) - 1
        self._arrays = {
            name: mapped(folder / name, kind, (count, dim) if is_wide else (count,))
            for name, (kind, is_wide) in STRETCH_FILES.items()
        }

    def __len__(self) -> int:
        return len(self.starts) - 1

    def array(self, name: str) -> npt.NDArray[Any]:
        """One of ``STRETCH_FILES``, mapped."""
        return self._arrays[name]

    def scores(self, query: Float32) -> Float32:
        """Score of every mean: float32 (M,). Its rows' lie within ``radii.f32`` of it."""
        # heavy: numba
        from carl_core.retrieval.kernels import scan

        codes, scales = self._arrays["means.i8"], self._arrays["mean_scales.f32"]
        found = np.empty(len(self), dtype=np.float32)

        def some(first: int) -> None:
            rows = slice(first, first + _CHUNK)
            scan(codes[rows], scales[rows], query, found[rows])

        list(threads().map(some, range(0, len(self), _CHUNK)))
        return found

    def finer(self, query: Float32, chosen: Int64) -> Float32:
        """Return what the second 8 bits add to some scores: rows lie within ``fine_radii.f32``."""
        # heavy: numba
        from carl_core.retrieval.kernels import scan_some

        codes, scales = self._arrays["fine.i8"], self._arrays["fine_scales.f32"]
        found = np.empty(len(chosen), dtype=np.float32)
        scan_some(codes, scales, query, chosen, found)
        return found
