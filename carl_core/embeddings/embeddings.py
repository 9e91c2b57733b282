"""The vectors of one recording: one unit vector per sampled frame."""

from __future__ import annotations

from dataclasses import InitVar, dataclass

import numpy as np

from carl_core.arrays import Float32, Float64, Int64, as_read_only


@dataclass(frozen=True, slots=True)
class EmbeddingKey:
    """What makes two embeddings the same.

    Attributes
    ----------
    fingerprint : of the recording's content
    model_id : of the encoder file
    sampling : "native" (every frame), or samples per second as a fraction, e.g. "10/1"
    """

    fingerprint: str
    model_id: str
    sampling: str

    def __post_init__(self) -> None:
        for name in ("fingerprint", "model_id", "sampling"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """One unit vector per sampled frame of one recording. Arrays are read-only.

    Attributes
    ----------
    key : recording, model and sampling they belong to
    frames : int64 (T,), strictly ascending frame numbers of the recording
    times_s : float64 (T,), their times in seconds from the first presented frame
    vectors : float32 (T, D), rows have unit norm

    Parameters
    ----------
    is_checked : whether the values are known to be ascending and finite: looking at all of them
        would read what is memory mapped
    """

    key: EmbeddingKey
    frames: Int64
    times_s: Float64
    vectors: Float32
    is_checked: InitVar[bool] = False

    def __post_init__(self, is_checked: bool) -> None:
        object.__setattr__(self, "frames", as_read_only(self.frames, np.int64))
        object.__setattr__(self, "times_s", as_read_only(self.times_s, np.float64))
        object.__setattr__(self, "vectors", as_read_only(self.vectors, np.float32))
        if self.frames.ndim != 1 or len(self.frames) == 0:
            raise ValueError(f"frames must be one row of at least one, got {self.frames.shape}")
        if self.times_s.shape != self.frames.shape:
            raise ValueError(f"times_s {self.times_s.shape} do not match {self.frames.shape}")
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.frames):
            raise ValueError(f"vectors {self.vectors.shape} do not match {self.frames.shape}")
        if is_checked:
            return
        if np.any(np.diff(self.frames) <= 0) or np.any(np.diff(self.times_s) <= 0):
            raise ValueError("frames and times_s must be strictly ascending")
        if not np.isfinite(self.vectors).all():
            raise ValueError("vectors must be finite")

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"Embeddings({self.key}, {len(self)} x {self.dim})"

    @property
    def dim(self) -> int:
        """Length D of one vector."""
        return int(self.vectors.shape[1])
