"""Two recordings of 100,000 frames and an engine that has their embeddings at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.pipeline import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.arrays import Float32, Float64
    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording

FRAMES = 100_000
FPS = 30
STRIDE = 3
"""A vector every third frame, as with the bundled encoder at 30 frames a second."""

_BLOCK = 500
_SIZE = (64, 48)


def make_long_video(path: Path, *, frames: int = FRAMES, shade: int = 0) -> Path:
    """Write small pictures: a block is encoded once and its packets are repeated."""
    width, height = _SIZE
    packets: list[tuple[bytes, int, bool]] = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size = 50
        stream.max_b_frames = 0
        planes = np.full((height * 3 // 2, width), 128, dtype=np.uint8)
        for number in range(_BLOCK):
            planes[:height] = 40 + (number + shade) % 150
            left = (number // 4) % (width - 8)
            planes[10:30, left : left + 8] = 255
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            packets += [(bytes(p), p.pts, p.is_keyframe) for p in stream.encode(frame)]
        packets += [(bytes(p), p.pts, p.is_keyframe) for p in stream.encode()]
        for start in range(0, frames, _BLOCK):
            for data, pts, is_key in packets[: frames - start]:
                packet = av.Packet(data)
                packet.stream = stream
                packet.time_base = stream.codec_context.time_base
                packet.pts = packet.dts = start + pts
                packet.duration = 1
                packet.is_keyframe = is_key
                container.mux(packet)
    return path


class LongEngine(Engine):
    """The real engine, but every recording shows the same long action, each at its own pace."""

    def coarse_sampling(self, recording: Recording) -> str | None:
        """Embed at once: nothing takes long here."""
        return None

    def embed(
        self, recording: Recording, *, sampling: str | None = None, monitor: Monitor | None = None
    ) -> Embeddings:
        """Return unit vectors: a random walk, walked along unevenly by all but the first."""
        with self._lock:
            known = {e.key.fingerprint: e for e in self._made}
            if recording.fingerprint not in known:
                made = _embeddings(recording, is_first=not known)
                self._made.append(made)
                return made
            return known[recording.fingerprint]

    _made: list[Embeddings]

    @classmethod
    def make(cls, **options: object) -> LongEngine:
        """Return an engine that has seen nothing yet."""
        engine = cls(**options)  # type: ignore[arg-type]
        engine._made = []
        return engine


def _embeddings(recording: Recording, *, is_first: bool) -> Embeddings:
    frames = np.arange(0, len(recording.index), STRIDE)
    times_s = recording.index.times_s[frames]
    share = times_s / recording.index.duration_s
    if not is_first:
        share = share + 0.02 * np.sin(2 * np.pi * 3 * share) * share * (1 - share)
    vectors = _walk(share)
    chance = np.random.default_rng(int(not is_first))
    noisy = vectors + 0.3 * chance.normal(size=vectors.shape) / np.sqrt(vectors.shape[1])
    rows: Float32 = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)
    return Embeddings(EmbeddingKey(recording.fingerprint, "0" * 16, "10/1"), frames, times_s, rows)


def _walk(share: Float64) -> Float64:
    """Place along a fixed smooth walk on the sphere, float64 (T, 64)."""
    steps = np.random.default_rng(7).normal(size=(4000, 64))
    kernel = np.hanning(9) / np.hanning(9).sum()
    smooth = np.stack([np.convolve(column, kernel, mode="same") for column in steps.T], axis=1)
    at = np.clip(share, 0, 1) * (len(smooth) - 1)
    low = np.minimum(at.astype(np.int64), len(smooth) - 2)
    part = (at - low)[:, None]
    return np.asarray(smooth[low] * (1 - part) + smooth[low + 1] * part)
