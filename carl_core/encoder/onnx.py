"""Run an encoder file with ONNX Runtime: trunk per frame, head over blended windows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.encoder.modelfile import ModelFile, read_model_file
from carl_core.encoder.sessions import HEAD, TRUNK, OutOfMemoryError, Sessions
from carl_core.encoder.windows import blended, window_spans

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from carl_core.arrays import Bool, Float32, Rows, UInt8
    from carl_core.encoder.spec import EncoderSpec

log = logging.getLogger("carl.embed")

# Frames per trunk call when the caller hands over more: bounds memory, larger gains nothing.
_TRUNK_BATCH = 64
# Windows per head call.
_HEAD_BATCH = 8


class Encoder:
    """An encoder file ready to run. Safe from several threads.

    Attributes
    ----------
    path : the file
    model_id : first 16 hex digits of its sha256
    spec : what it says about itself
    """

    def __init__(
        self, file: ModelFile, *, device: str = "auto", threads: int | None = None
    ) -> None:
        self.path: Path = file.path
        self.model_id: str = file.model_id
        self.spec: EncoderSpec = file.spec
        self._sessions = Sessions(file, device=device, threads=threads)
        self._batch = _TRUNK_BATCH  # halved where memory is short
        log.debug("%s (%s) runs on %s", self.path, self.model_id, self.provider)

    @property
    def provider(self) -> str:
        """What the sessions report to run on; the CPU after the GPU failed."""
        return self._sessions.provider

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences a user should see; there may be more of them after work."""
        return self._sessions.notes

    def features(self, frames: UInt8) -> Float32:
        """Run the trunk: uint8 (N, S, S, 3) RGB -> float32 (N, C).

        Raises
        ------
        ModelError
            When the model fails.
        """
        size = self.spec.size
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (size, size, 3):
            raise ValueError(
                f"frames must be uint8 (N, {size}, {size}, 3), got {frames.dtype} {frames.shape}"
            )
        features = np.empty((len(frames), self.spec.channels), dtype=np.float32)
        start = 0
        while start < len(frames):
            part = np.ascontiguousarray(frames[start : start + self._batch])
            try:
                shape = (1, len(part), self.spec.channels)
                found = self._sessions.run(TRUNK, {"frames": part[None]}, shape)[0]
            except OutOfMemoryError as error:
                self._take_less(len(part), error)
                continue
            features[start : start + len(part)] = found
            start += len(part)
        return features

    def _take_less(self, frames: int, error: OutOfMemoryError) -> None:
        """Look at half as many frames from here on; at the CPU where one is too many already."""
        if frames > 1:
            self._batch = min(self._batch, frames // 2)
            self._sessions.say_smaller(self._batch)
        else:
            self._sessions.fall_back(None, TRUNK, error)
            self._batch = _TRUNK_BATCH

    def embed_window(
        self, features: npt.NDArray[Any], times_s: npt.ArrayLike, valid: Bool | None = None
    ) -> Float32:
        """Run the head on one window: (T, C) and seconds (T,) -> float32 (T, D) unit rows.

        Rows whose ``valid`` is false come back as zeros.

        Raises
        ------
        ModelError
            When the model fails.
        """
        times = self._checked(features, times_s)
        if valid is None:
            valid = np.ones(len(times), dtype=np.bool_)
        vectors: Float32 = self._embed(features[None], times[None], valid[None])[0]
        return vectors

    def embed_features(self, features: Rows, times_s: npt.ArrayLike) -> Float32:
        """Run the head over a whole recording: (N, C) and seconds (N,) -> (N, D) unit rows.

        As ``embed_blocks``, in one piece. Raises the same.
        """
        rows = np.empty((len(features), self.spec.dim), dtype=np.float32)
        done = 0
        for block in self.embed_blocks(features, times_s):
            rows[done : done + len(block)] = block
            done += len(block)
        return rows

    def embed_blocks(self, features: Rows, times_s: npt.ArrayLike) -> Iterator[Float32]:
        """Run the head over a whole recording; yield (n, D) unit rows, block by block in order.

        Overlapping windows on a fixed grid from the first sample are blended with a taper.
        ``features`` (N, C) may be float16 and in a file: it is read window by window. Memory does
        not grow with N.

        Raises
        ------
        ModelError
            When the model fails.
        """
        times = self._checked(features, times_s)
        spec = self.spec
        overlap = spec.overlap_frames if spec.window_frames else 0
        spans = window_spans(len(times), spec.window_frames, overlap)
        ending = np.empty((0, spec.dim), dtype=np.float32)  # of a window, with the next to blend
        for batch in _equal_spans(spans):
            vectors = self._embed(
                np.stack([features[start:end] for start, end in batch]),
                np.stack([times[start:end] for start, end in batch]),
                np.ones((len(batch), batch[0][1] - batch[0][0]), dtype=np.bool_),
            )
            for (start, end), window in zip(batch, vectors, strict=True):
                if start:
                    window[:overlap] = blended(ending, window[:overlap])
                own = len(window) - (overlap if end < len(times) else 0)
                ending = window[own:]
                yield window[:own]

    def encode(self, clip: UInt8, times_s: npt.ArrayLike) -> Float32:
        """Embed a clip: uint8 (T, S, S, 3) and seconds (T,) -> float32 (T, D) unit rows.

        Raises
        ------
        ModelError
            When the model fails.
        """
        return self.embed_features(self.features(clip), times_s)

    def _checked(self, features: Rows, times_s: npt.ArrayLike) -> npt.NDArray[np.float64]:
        times = np.asarray(times_s, dtype=np.float64)
        if (
            len(features.shape) != 2
            or features.shape[1] != self.spec.channels
            or len(features) == 0
        ):
            raise ValueError(f"features must be (T, {self.spec.channels}), got {features.shape}")
        if times.shape != (len(features),):
            raise ValueError(f"times_s {times.shape} do not match features {features.shape}")
        return times

    def _embed(
        self, features: npt.NDArray[Any], times_s: npt.NDArray[np.float64], valid: Bool
    ) -> Float32:
        # Subtracted in double precision: late in a long recording float32 would round the steps.
        from_first = (times_s - times_s[:, :1]).astype(np.float32)
        inputs: dict[str, npt.NDArray[Any]] = {
            "features": np.ascontiguousarray(features, dtype=np.float32),
            "times_s": from_first,
            "valid": np.ascontiguousarray(valid, dtype=np.bool_),
        }
        shape = (*features.shape[:2], self.spec.dim)
        try:
            return self._sessions.run(HEAD, inputs, shape)
        except OutOfMemoryError as error:
            if len(features) == 1:
                self._sessions.fall_back(None, HEAD, error)
                return self._sessions.run(HEAD, inputs, shape)
        half = len(features) // 2  # windows do not know of each other
        parts = (
            self._embed(features[part], times_s[part], valid[part])
            for part in (slice(None, half), slice(half, None))
        )
        return np.concatenate(list(parts))


def load_encoder(
    path: str | os.PathLike[str], *, device: str = "auto", threads: int | None = None
) -> Encoder:
    """Read an encoder file and make it ready to run.

    Parameters
    ----------
    path : .onnx file exported by this program
    device : "auto" = the GPU where it works, "cuda" = the same but say so where it does not, "cpu"
    threads : CPU threads, None = the cores this process may use

    Raises
    ------
    ModelError
        When the file is missing, is not one of ours, or ONNX Runtime refuses it.
    """
    return Encoder(read_model_file(path), device=device, threads=threads)


def _equal_spans(spans: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Group neighbouring spans of one length into batches for the head."""
    batches: list[list[tuple[int, int]]] = []
    for span in spans:
        last = batches[-1] if batches else []
        if last and len(last) < _HEAD_BATCH and last[0][1] - last[0][0] == span[1] - span[0]:
            last.append(span)
        else:
            batches.append([span])
    return batches
