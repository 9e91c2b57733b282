"""Recordings as every method sees them: trunk features and small pixels, computed once.

A method turns features into vectors (an ``Embed``); decoding and the trunk come before and are
shared by all methods and controls. Memory: ``2 (C + 1024)`` bytes a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from carl_core.embeddings.entry import to_stored
from carl_core.encoder.sampling import usual_rate
from carl_core.video.reader import FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carl_core.arrays import Float16, Float32, Float64, Int64, UInt8
    from carl_core.encoder.spec import EncoderSpec
    from carl_core.video.display import Fit
    from carl_core.video.recording import Recording
    from training.datasets.folder import Clip

# Features (T, C) and seconds (T,) of one recording to one vector per frame (T, D).
Embed = Callable[["Float32", "Float64"], "Float32"]

RAW_SIZE = 32
_BATCH = 64


class FeatureEncoder(Protocol):
    """What computes trunk features; ``carl_core.encoder.onnx.Encoder`` does."""

    @property
    def spec(self) -> EncoderSpec:
        """What the encoder says about itself."""

    def features(self, frames: UInt8) -> Float32:
        """Uint8 (N, S, S, 3) -> float32 (N, C)."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Sampled frames of one recording, ready for any method.

    Attributes
    ----------
    name : for messages and reports
    features : float16 or float32 (T, C), trunk features, rounded as the engine stores them
    pixels : the same (T, 1024), 32 x 32 grey pictures, a control
    times_s : float64 (T,), the recording's own seconds
    content_s : float64 (T,), what each frame shows, on a clock shared with the recordings it is
        compared with; the recording's own seconds where there is no such clock
    labels : int64 (T,), phase of each frame, -1 = none; None where there are no labels
    action : what is done, "" = not known
    """

    name: str
    features: Float16 | Float32
    pixels: Float16 | Float32
    times_s: Float64
    content_s: Float64
    labels: Int64 | None = None
    action: str = ""

    def __len__(self) -> int:
        return len(self.times_s)

    def part(self, start: int, end: int) -> Track:
        """Return frames ``start`` to ``end - 1`` as a recording of their own."""
        return replace(
            self,
            features=self.features[start:end],
            pixels=self.pixels[start:end],
            times_s=self.times_s[start:end] - self.times_s[start],
            content_s=self.content_s[start:end],
            labels=None if self.labels is None else self.labels[start:end],
        )

    def with_pixels(self) -> Track:
        """Return the same with the small pixels in place of the features."""
        return replace(self, features=self.pixels)


def track_of_pictures(
    name: str,
    pictures: UInt8,
    times_s: Float64,
    encoder: FeatureEncoder,
    *,
    content_s: Float64 | None = None,
) -> Track:
    """Run the trunk over pictures uint8 (T, S, S, 3) that have the encoder's size."""
    features, pixels = _run(iter([pictures]), encoder)
    shown = times_s if content_s is None else content_s
    return Track(name, features, pixels, times_s, shown)


def track_of_clip(clip: Clip, encoder: FeatureEncoder, *, fps: float | None) -> Track:
    """Run the trunk over a clip of a data set, its labels kept.

    Memory is one batch of pictures besides the features.

    Parameters
    ----------
    clip : its pictures must have the encoder's size
    encoder : whose trunk
    fps : frames per second, None = every frame
    """
    chosen = sampled_at(clip.times_s, fps)
    batches = (clip.frames[chosen[k : k + _BATCH]] for k in range(0, len(chosen), _BATCH))
    features, pixels = _run(batches, encoder)
    times_s = clip.times_s[chosen]
    labels = None if clip.labels is None else clip.labels[chosen]
    return Track(clip.name, features, pixels, times_s, times_s, labels, clip.action)


def features_of_recording(
    recording: Recording, frames: Int64, encoder: FeatureEncoder
) -> tuple[Float16, Float16]:
    """Decode ascending frames and return their features (K, C) and small pixels (K, 1024).

    Raises
    ------
    MediaError
        When a frame cannot be decoded.
    """
    size, fit = encoder.spec.size, cast("Fit", encoder.spec.fit)  # checked by EncoderSpec

    def batches() -> Iterator[UInt8]:
        waiting: list[UInt8] = []
        with FrameReader(recording, size=(size, size), fit=fit) as reader:
            for frame in reader.frames_at(int(number) for number in frames):
                waiting.append(frame.pixels)
                if len(waiting) == _BATCH:
                    yield np.stack(waiting)
                    waiting = []
        if waiting:
            yield np.stack(waiting)

    return _run(batches(), encoder)


def sampled_at(times_s: Float64, fps: float | None) -> Int64:
    """Frames nearest to the instants 0, 1/fps, 2/fps, ... up to the last frame, each once.

    None = every frame. int64 (K,)
    """
    if fps is None or len(times_s) < 2:
        return np.arange(len(times_s), dtype=np.int64)
    # Rounding must not lose the instant that falls on the last frame.
    grid = np.arange(int(np.floor(times_s[-1] * fps + 1e-6)) + 1) / fps
    after = np.clip(np.searchsorted(times_s, grid), 1, len(times_s) - 1)
    nearer = grid - times_s[after - 1] <= times_s[after] - grid
    return np.unique(np.where(nearer, after - 1, after)).astype(np.int64)


def sampled_as_usual(times_s: Float64, fps: float) -> Int64:
    """Frames that the engine takes of a recording unless told otherwise, by an encoder's rate."""
    return sampled_at(times_s, float(usual_rate(float(times_s[-1] - times_s[0]), fps)))


def raw_vectors(pictures: UInt8) -> Float32:
    """Return 32 x 32 grey pixels as vectors: uint8 (T, S, S, 3) -> float32 (T, 1024)."""
    grey = pictures.astype(np.float32).mean(axis=3)  # (T, S, S)
    edges = np.linspace(0, grey.shape[1], RAW_SIZE + 1).round().astype(int)
    rows = np.add.reduceat(grey, edges[:-1], axis=1)
    cells = np.add.reduceat(rows, edges[:-1], axis=2)
    area = np.outer(np.diff(edges), np.diff(edges))
    vectors: Float32 = (cells / area).reshape(len(pictures), -1).astype(np.float32)
    return vectors


def _run(batches: Iterator[UInt8], encoder: FeatureEncoder) -> tuple[Float16, Float16]:
    features, pixels = [], []
    for pictures in batches:
        features.append(to_stored(encoder.features(pictures)))
        pixels.append(to_stored(raw_vectors(pictures)))
    return np.concatenate(features), np.concatenate(pixels)
