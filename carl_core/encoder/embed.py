"""Embed a whole recording: decode ahead, run the trunk in batches, then the head over windows.

Features are rounded to what the store keeps before the head sees them, so that vectors are the same
whether a recording was embedded in one go, in pieces, or without a store.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, cast

import numpy as np

from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.embeddings.entry import to_stored
from carl_core.encoder.coarse import FIRST_LOOKS
from carl_core.encoder.sampling import KEYS, sampled_frames, sampling_of
from carl_core.errors import StoreError
from carl_core.progress import Monitor
from carl_core.video.image import resize_image
from carl_core.video.prefetch import prefetched
from carl_core.video.reader import FrameReader
from carl_core.video.watch import FileWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from carl_core.arrays import Float32, Int64, Rows, UInt8
    from carl_core.embeddings.store import EmbeddingStore
    from carl_core.embeddings.writer import EntryWriter
    from carl_core.encoder.onnx import Encoder
    from carl_core.video.display import Fit
    from carl_core.video.recording import Recording

log = logging.getLogger("carl.embed")

# A chunk is stored when it is this large, or after this time: little is lost to a crash, and a
# fast machine does not rewrite meta.json all the time.
_CHUNK_FRAMES = 1024
_CHUNK_S = 1.0
# Decoded batches waiting for the trunk.
_AHEAD = 3
# Between two looks whether somebody else has finished.
_LOOK_AGAIN_S = 0.2


def embed_recording(
    recording: Recording,
    encoder: Encoder,
    *,
    sampling: str | None = None,
    store: EmbeddingStore | None = None,
    monitor: Monitor | None = None,
    batch: int = 32,
    waits: bool = False,
    told: Callable[[str], None] | None = None,
) -> Embeddings:
    """Return one unit vector per sampled frame, from the store where it has them.

    Cancelling, or a damaged file, leaves everything computed so far in the store; the next call
    continues there. A store that fails is logged once and done without.

    Parameters
    ----------
    recording : what to embed
    encoder : with what
    sampling : "native" = every frame, "10/1" = ten per second, None = the encoder's own
        rate, faster for a short recording (``sampling.usual_rate``)
    store : where to look first and what to fill, None = nowhere
    monitor : progress in frames, and cancellation
    batch : frames per trunk call, changes nothing but speed
    waits : where somebody else is embedding the same into the store, wait for what they leave
        there; False = go on beside them, without the store
    told : called with a sentence for the user when the store fails, besides the log

    Raises
    ------
    MediaError
        When a frame cannot be decoded, or the file is not the one that was opened.
    ModelError
        When the encoder fails.
    Cancelled
        When the monitor was cancelled.
    ValueError
        When ``sampling`` makes no sense.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    monitor = monitor or Monitor()
    sampling = sampling_of(recording.index, sampling, encoder.spec)
    key = EmbeddingKey(recording.fingerprint, encoder.model_id, sampling)
    frames = sampled_frames(recording.index, sampling)
    times_s = recording.index.times_s[frames]
    watch = FileWatch(recording)
    watch.check()
    if store is not None:
        stored = store.load(key)
        if stored is not None and np.array_equal(stored.frames, frames):
            monitor.start(f"embedding {recording.name}", len(frames), "frames", done=len(frames))
            return stored
    vectors: Float32 | None = None
    if store is not None:
        try:
            vectors = _embed(
                recording, encoder, key, frames, store, monitor, batch, watch, told, waits
            )
            store.prune()
            if vectors is None:
                stored = store.load(key)
                if stored is not None:
                    return stored
        except StoreError as exc:
            _tell(f"{exc} Starting again without the cache.", told)
    if vectors is None:
        vectors = _embed(recording, encoder, key, frames, None, monitor, batch, watch, told)
        assert vectors is not None
    return Embeddings(key, frames, times_s, vectors)


def still_features(
    recording: Recording,
    encoder: Encoder,
    *,
    sampling: str | None = None,
    store: EmbeddingStore | None = None,
    monitor: Monitor | None = None,
    batch: int = 32,
) -> npt.NDArray[np.float16]:
    """Return what the trunk sees in each sampled frame, without its neighbours: (T, C).

    What a single picture can be compared with: the head knows what comes before and after, and may
    take the mean of a window off, which leaves nothing of a lone frame. Memory mapped from the
    store where ``embed_recording`` has left the features there, else decoded.

    Raises
    ------
    MediaError, ModelError, Cancelled, ValueError
        As ``embed_recording``.
    """
    monitor = monitor or Monitor()
    sampling = sampling_of(recording.index, sampling, encoder.spec)
    frames = sampled_frames(recording.index, sampling)
    if store is not None:
        key = EmbeddingKey(recording.fingerprint, encoder.model_id, sampling)
        stored = store.load_features(key)
        if stored is not None and len(stored) == len(frames):
            return stored
    monitor.start(f"looking at {recording.name}", len(frames), "frames")
    features = np.empty((len(frames), encoder.spec.channels), dtype=np.float16)
    done = 0
    for pixels in _decoded(recording, encoder, frames, batch, monitor):
        monitor.check()
        features[done : done + len(pixels)] = to_stored(encoder.features(pixels))
        done += len(pixels)
        monitor.advance(len(pixels))
    monitor.check()
    return features


def picture_features(encoder: Encoder, images: Sequence[UInt8]) -> npt.NDArray[np.float16]:
    """Return what the trunk sees in pictures, as ``still_features`` of a recording.

    Parameters
    ----------
    encoder : with what
    images : uint8 (H, W, 3) RGB each, any sizes

    Returns
    -------
    float16 (n, C)

    Raises
    ------
    ModelError
        When the encoder fails.
    """
    spec = encoder.spec
    features = np.empty((len(images), spec.channels), dtype=np.float16)
    for row, image in enumerate(images):
        pixels = resize_image(image, (spec.size, spec.size), cast("Fit", spec.fit))
        features[row] = to_stored(encoder.features(pixels[None]))[0]
    return features


def _embed(
    recording: Recording,
    encoder: Encoder,
    key: EmbeddingKey,
    frames: Int64,
    store: EmbeddingStore | None,
    monitor: Monitor,
    batch: int,
    watch: FileWatch,
    told: Callable[[str], None] | None,
    waits: bool = False,
) -> Float32 | None:
    """Compute (T, D) vectors; None when they are in the store.

    Raises ``StoreError`` only when features were lost with the store.
    """
    known = _first_look(recording, key, store)
    patience = monitor if waits else None
    with _Features(recording, encoder, key, frames, store, watch, told, patience) as collected:
        done = len(collected)
        monitor.start(f"embedding {recording.name}", len(frames), "frames", done=done)
        try:
            is_new = np.array([frame not in known for frame in frames.tolist()[done:]], np.bool_)
            new = np.append(np.flatnonzero(is_new), len(is_new)) + done
            seen = 0
            are_keys = key.sampling == KEYS
            wanted = frames[new[:-1]]
            for pixels in _decoded(recording, encoder, wanted, batch, monitor, are_keys=are_keys):
                monitor.check()
                # What is known already comes in between, up to the next frame that is not.
                seen += len(pixels)
                part = frames[done : new[seen]].tolist()
                fresh = iter(encoder.features(pixels))
                collected.append(np.stack([known[f] if f in known else next(fresh) for f in part]))
                done += len(part)
                monitor.advance(len(part))
            monitor.check()
            if done < len(frames):  # all of it is known
                collected.append(np.stack([known[f] for f in frames.tolist()[done:]]))
        finally:
            collected.flush()
        times_s = recording.index.times_s[frames]
        if collected.finish(lambda features: encoder.embed_blocks(features, times_s)):
            return None
        return encoder.embed_features(collected.whole(), times_s)


def _first_look(
    recording: Recording, key: EmbeddingKey, store: EmbeddingStore | None
) -> dict[int, Float32]:
    """Return the features of frames that a first look left in the store, by frame number."""
    known: dict[int, Float32] = {}
    if store is None or key.sampling in FIRST_LOOKS:
        return known
    for sampling in FIRST_LOOKS:
        features = store.load_features(EmbeddingKey(key.fingerprint, key.model_id, sampling))
        frames = sampled_frames(recording.index, sampling)
        if features is not None and len(frames) == len(features):
            known |= zip(frames.tolist(), np.array(features, np.float32), strict=True)
    return known


def _decoded(
    recording: Recording,
    encoder: Encoder,
    frames: Int64,
    batch: int,
    monitor: Monitor,
    *,
    are_keys: bool = False,
) -> Iterator[UInt8]:
    """Yield uint8 (n, S, S, 3) batches of the given frames, decoded ahead on another thread.

    Ends early when the monitor is cancelled: nobody waits for the rest of a batch.
    """
    if len(frames) == 0:
        return
    size, fit = encoder.spec.size, cast("Fit", encoder.spec.fit)  # checked by EncoderSpec

    def batches() -> Iterator[UInt8]:
        waiting: list[UInt8] = []
        with FrameReader(recording, size=(size, size), fit=fit) as reader:
            numbers = frames.tolist()
            found = reader.key_frames_at(numbers) if are_keys else None
            for frame in found or reader.frames_at(numbers, ahead=True):
                if monitor.is_cancelled:
                    return
                waiting.append(frame.pixels)
                if len(waiting) == batch:
                    yield np.stack(waiting)
                    waiting = []
            if waiting:
                yield np.stack(waiting)

    ahead = prefetched(batches(), depth=_AHEAD)
    try:
        yield from ahead
    finally:
        ahead.close()


def _tell(sentence: str, told: Callable[[str], None] | None) -> None:
    log.warning("%s", sentence)
    if told is not None:
        told(sentence)


class _Features:
    """Features of one recording, in the store while that works, in memory where it does not."""

    def __init__(
        self,
        recording: Recording,
        encoder: Encoder,
        key: EmbeddingKey,
        frames: Int64,
        store: EmbeddingStore | None,
        watch: FileWatch,
        told: Callable[[str], None] | None,
        patience: Monitor | None,
    ) -> None:
        """Begin; with ``patience``, wait for whoever is writing the same until it is cancelled."""
        self._writer: EntryWriter | None = None
        self._kept: list[npt.NDArray[np.float16]] = []  # before _waiting, when there is no writer
        self._waiting: list[npt.NDArray[np.float16]] = []
        self._channels = encoder.spec.channels
        self._watch, self._told = watch, told
        self._last_flush_s = time.monotonic()
        if store is None:
            return
        is_waiting = False
        try:
            while True:
                self._writer = store.open_writer(
                    key,
                    frames=frames,
                    pts=recording.index.pts[frames],
                    times_s=recording.index.times_s[frames],
                    channels=encoder.spec.channels,
                    dim=encoder.spec.dim,
                )
                if self._writer is not None or patience is None:
                    break
                if not is_waiting:
                    is_waiting = True
                    patience.start(f"another program embeds {recording.name}, waiting", None)
                patience.check()
                time.sleep(_LOOK_AGAIN_S)
        except StoreError as exc:
            _tell(f"{exc} Going on without the cache.", told)
        else:
            if self._writer is None:
                log.info("Somebody else is embedding %s: going on without cache.", recording.name)

    def __enter__(self) -> _Features:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __len__(self) -> int:
        stored = self._writer.done if self._writer is not None else 0
        return stored + sum(len(part) for part in (*self._kept, *self._waiting))

    def append(self, features: Float32) -> None:
        """Take the features (n, C) of the next frames."""
        self._waiting.append(to_stored(features))
        waiting = sum(len(part) for part in self._waiting)
        if waiting >= _CHUNK_FRAMES or time.monotonic() - self._last_flush_s >= _CHUNK_S:
            self.flush()

    def flush(self) -> None:
        """Store what waits as one whole chunk."""
        if not self._waiting:
            return
        chunk = np.concatenate(self._waiting)
        self._waiting = []
        self._watch.check()  # what was read so far is of the file that was opened
        if self._writer is not None:
            try:
                self._writer.append(chunk)
            except StoreError as exc:
                self._give_up(exc)
        if self._writer is None:
            self._kept.append(chunk)
        self._last_flush_s = time.monotonic()

    def whole(self) -> npt.NDArray[np.float16]:
        """All features (N, C), when there is no store that works."""
        return np.concatenate(self._kept) if self._kept else np.empty((0, self._channels), "<f2")

    def finish(self, embed: Callable[[Rows], Iterator[Float32]]) -> bool:
        """Store the vectors that come of the features; return whether there is a store for them."""
        if self._writer is not None and not self._writer.is_finished:
            try:
                self._writer.finish(embed(self._writer.features()))
            except StoreError as exc:
                self._give_up(exc)
        return self._writer is not None

    def close(self) -> None:
        """Give the entry free."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _give_up(self, reason: StoreError) -> None:
        """Go on in memory with what the store has so far; ``StoreError`` if that is lost."""
        assert self._writer is not None
        _tell(f"{reason} Going on without the cache.", self._told)
        self._kept = [self._writer.features()[:]]
        self.close()
