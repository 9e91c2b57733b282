"""Single frames of a recording, told apart by what the trunk sees in each.

A picture has no neighbours in time, and a head that takes the mean of its window off leaves nothing
of a lone frame. So frames and pictures are compared by the features of the trunk, less their usual
value in what is searched: without that, all frames of one place point nearly the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.arrays import Float32, Float64, Int64, as_read_only
from carl_core.retrieval import halves

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

_BLOCK = 256  # frames widened to float32 at a time: 2 MB with 1600 numbers a frame
# A frame that lies nearer to the mean than this share of the mean's length shows nothing of its
# own: there the noise of sensor and compression would be blown up. Measured: a camera on one
# unmoving picture 0.001 to 0.010, the 1 % stillest frames of fourteen recordings 0.108 and more.
_NOTHING = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Stills:
    """The sampled frames of one recording, one by one.

    Attributes
    ----------
    frames : int64 (T,), frame numbers of the recording
    times_s : float64 (T,), their times in seconds from the first presented frame
    features : float (T, C) as the trunk gives them; float16 and memory mapped is fine, they are
        read in blocks
    mean : float32 (C,) that is taken off, ``common_mean`` of everything searched
    """

    frames: Int64
    times_s: Float64
    features: npt.NDArray[Any]
    mean: Float32

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", as_read_only(self.frames, np.int64))
        object.__setattr__(self, "times_s", as_read_only(self.times_s, np.float64))
        object.__setattr__(self, "mean", as_read_only(self.mean, np.float32))
        if self.features.shape != (len(self.frames), *self.mean.shape) or len(self.frames) == 0:
            raise ValueError(
                f"features {self.features.shape} must be (T, C) for T = {len(self.frames)} frames "
                f"and a mean {self.mean.shape}"
            )
        if self.times_s.shape != self.frames.shape:
            raise ValueError(f"times_s {self.times_s.shape} do not match {self.frames.shape}")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def dim(self) -> int:
        """Numbers C a frame has."""
        return int(self.mean.shape[0])

    def similar_to(self, query: Float32) -> Float32:
        """Cosine of every frame with unit rows (Q, C) as ``centred`` gives them: (T, Q)."""
        similar = np.empty((len(self), len(query)), dtype=np.float32)
        for start in range(0, len(self), _BLOCK):
            part = self.features[start : start + _BLOCK]
            similar[start : start + _BLOCK] = cosines(part, self.mean, query)
        return similar


def common_mean(recordings: Iterable[npt.NDArray[Any]]) -> Float32:
    """Return the mean (C,) of the recordings' mean features, each (T, C).

    Every recording counts the same: a long one would otherwise be the centre, and everything else,
    pictures of something unrelated included, would lie on the far side together.
    """
    mean: Float32 = np.mean([mean_of(one) for one in recordings], axis=0).astype(np.float32)
    return mean


def mean_of(features: npt.NDArray[Any]) -> Float64:
    """Return the mean (C,) of one recording's features (T, C), read in blocks."""
    total = np.zeros(features.shape[1])
    for start in range(0, len(features), _BLOCK):
        part = features[start : start + _BLOCK]
        is_half = part.dtype == np.float16
        total += halves.sum_of(part) if is_half else part.sum(axis=0, dtype=np.float64)
    mean: Float64 = total / len(features)
    return mean


def centred(features: npt.NDArray[Any], mean: Float32) -> Float32:
    """Take ``mean`` (C,) off features (N, C) and scale rows to unit length.

    Rows practically equal to the mean stay near zero.
    """
    least = _least(mean)
    if features.dtype == np.float16:
        return halves.less_mean(features, mean, least)
    rows: Float32 = features.astype(np.float32)
    rows -= mean
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), least)
    return rows


def cosines(features: npt.NDArray[Any], mean: Float32, query: Float32) -> Float32:
    """Return the products of ``centred`` features (N, C) with unit rows (Q, C): (N, Q)."""
    if len(query) == 1 and features.dtype == np.float16:
        return halves.cosines(features, mean, query[0], _least(mean))[:, None]
    found: Float32 = centred(features, mean) @ query.T
    return found


def _least(mean: Float32) -> float:
    """Return the distance from the mean from which on a frame shows something."""
    return max(_NOTHING * float(np.linalg.norm(mean)), 1e-12)
