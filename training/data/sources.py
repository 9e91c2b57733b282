"""What views are cut from: recordings, and takes of one action that the simulator rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.arrays import Bool, Float16, Float32, Float64, Int64, UInt8
    from training.datasets.clip import Clip, Frames


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One recording of some content.

    Attributes
    ----------
    frames : uint8 (N, H, W, 3): an array, or what decodes the frames it is indexed with
    content_s : float64 (N,), ascending; equal times show the same moment
    times_s : float64 (N,), the recording's own seconds
    points : float32 (N, J, 2), joints in shares of the picture, or None
    visible : bool (N, J), whether a joint lies in the picture, or None
    body : float32 (N, J, 3), joints from the hip in a frame that turns with the body, or None
    counterparts : index of each joint's counterpart on the other side, for mirrored views
    labels : int64 (N,), phase of each frame, -1 = none; None where nothing is known
    features : float16 (K, N, C), trunk features of K looks (odd ones mirrored), or None
    """

    frames: Frames
    content_s: Float64
    times_s: Float64
    points: Float32 | None = None
    visible: Bool | None = None
    body: Float32 | None = None
    counterparts: tuple[int, ...] = ()
    labels: Int64 | None = None
    features: Float16 | None = None

    def pictures(self) -> UInt8:
        """All frames at once, uint8 (N, H, W, 3)."""
        return self.frames[np.arange(len(self.frames))]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Some content and every take of it; with one take, both views come from it.

    Attributes
    ----------
    name : for messages
    takes : one or more
    action : what is done, "" = not known
    """

    name: str
    takes: tuple[Take, ...]
    action: str = ""


def source_of_clip(clip: Clip) -> Source:
    """Both views of a recording come from itself."""
    take = Take(clip.frames, clip.times_s, clip.times_s, labels=clip.labels)
    return Source(clip.name, (take,), clip.action)
