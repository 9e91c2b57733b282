"""Batches of two-view clips, from recordings and from simulated pairs.

A batch is a function of the run's seed and the step alone: any number of threads gives the same
batches, and a resumed run goes on with the same ones. Memory per batch is
``2 * batch_clips * frames * S * S * 3`` bytes, once for each batch prepared ahead.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from training.augment import AnyLook, apply_look, draw_look, points_after
from training.sampling import View, generator_for, sample_views

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from carl_core.arrays import Bool, Float16, Float32, Float64, Int64, UInt8
    from training.config import TrainConfig
    from training.datasets.folder import Clip, Frames


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


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one training step sees. V = 2 views, B clips, T frames, J joints.

    Attributes
    ----------
    step : number of the step
    names : of the sources, B
    frames : uint8 (V, B, T, S, S, 3), or (V, B, T, 0, 0, 3) where features take their place
    features : float32 (V, B, T, C) of a frozen trunk, or (V, B, T, 0)
    times_s : float32 (V, B, T), the recordings' own seconds
    moments : float32 (V, B, T), content times in the unit of sigma
    valid : bool (V, B, T)
    labels : int64 (V, B, T), phase of each frame, -1 = none
    points : float32 (V, B, T, J, 2), joints in shares of the picture
    visible : bool (V, B, T, J); false throughout where joints are not known
    body : float32 (V, B, T, J, 3)
    has_body : bool (V, B, T)
    """

    step: int
    names: tuple[str, ...]
    frames: Tensor
    features: Tensor
    times_s: Tensor
    moments: Tensor
    valid: Tensor
    labels: Tensor
    points: Tensor
    visible: Tensor
    body: Tensor
    has_body: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move the tensors to ``device``."""
        if device.type == "cpu":
            return self
        tensors = {
            name: getattr(self, name).to(device, non_blocking=True) for name in _TENSOR_FIELDS
        }
        return Batch(step=self.step, names=self.names, **tensors)


_TENSOR_FIELDS = (
    "frames", "features", "times_s", "moments", "valid", "labels", "points", "visible", "body",
    "has_body",
)  # fmt: skip


def source_of_clip(clip: Clip) -> Source:
    """Both views of a recording come from itself."""
    take = Take(clip.frames, clip.times_s, clip.times_s, labels=clip.labels)
    return Source(clip.name, (take,), clip.action)


def make_batch(
    step: int, recordings: list[Source], simulated: list[Source], config: TrainConfig
) -> Batch:
    """Draw the batch of one step.

    A fixed number of places (the simulated share, rounded at random) holds simulated pairs. No
    source comes twice, so with few sources a batch is smaller than ``batch_clips``.
    """
    seed, count = config.run.seed, config.data.batch_clips
    chance = generator_for(seed, step)
    wanted = config.data.simulated_share * count
    pairs = int(wanted) + int(chance.random() < wanted - int(wanted))
    if not recordings:
        pairs = count
    if not simulated:
        pairs = 0
    chosen = _draw(chance, recordings, count - pairs) + _draw(chance, simulated, pairs)
    joints = next(
        (take.points.shape[1] for take in _takes(simulated) if take.points is not None), 1
    )
    items = [
        _make_item(generator_for(seed, step, place), source, config, joints)
        for place, source in enumerate(chosen)
    ]
    stacked = {
        name: torch.from_numpy(
            np.stack([[item[view][name] for item in items] for view in range(2)])
        )
        for name in _TENSOR_FIELDS
    }
    return Batch(step=step, names=tuple(source.name for source in chosen), **stacked)


def batches(
    first_step: int,
    steps: int,
    recordings: list[Source],
    simulated: list[Source],
    config: TrainConfig,
) -> Generator[Batch, None, None]:
    """Yield the batches of steps ``first_step`` to ``steps - 1``, prepared ahead by threads."""
    workers = config.data.workers
    if workers == 0:
        for step in range(first_step, steps):
            yield make_batch(step, recordings, simulated, config)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="carl-data")
    waiting: deque[Future[Batch]] = deque()
    try:
        upcoming = iter(range(first_step, steps))
        for step in upcoming:
            waiting.append(pool.submit(make_batch, step, recordings, simulated, config))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=True)


def _takes(sources: list[Source]) -> Iterator[Take]:
    for source in sources:
        yield from source.takes


def _draw(chance: np.random.Generator, sources: list[Source], count: int) -> list[Source]:
    """Draw without repetition: a clip drawn twice would be its own negative."""
    count = min(count, len(sources))
    return [sources[int(i)] for i in chance.permutation(len(sources))[:count]]


def _make_item(
    rng: np.random.Generator, source: Source, config: TrainConfig, joints: int
) -> list[dict[str, np.ndarray]]:
    if len(source.takes) > 1:
        one, two = rng.choice(len(source.takes), size=2, replace=False)
    else:
        one = two = 0
    takes = (source.takes[int(one)], source.takes[int(two)])
    pair = sample_views(rng, takes[0].content_s, takes[1].content_s, config.sampling)
    is_mirrored = bool(rng.random() < config.augment.flip)
    views = []
    for take, view in zip(takes, (pair.first, pair.second), strict=True):
        if take.features is not None:
            stored = _draw_stored_look(rng, len(take.features), is_mirrored=is_mirrored)
            views.append(_stored_view(take, view, take.features[stored]))
            continue
        look = draw_look(rng, config.augment, is_mirrored=is_mirrored)
        views.append(_make_view(take, view, look, config.model.image_size, joints))
    return views


def _draw_stored_look(rng: np.random.Generator, looks: int, *, is_mirrored: bool) -> int:
    """Odd looks are mirrored: both views of a pair take theirs from one kind."""
    if looks == 1:
        return 0
    first = int(is_mirrored)
    return first + 2 * int(rng.integers((looks - first + 1) // 2))


def _stored_view(take: Take, view: View, features: Float16) -> dict[str, np.ndarray]:
    """Return a view of stored features; joints are of no use to a frozen trunk."""
    count = len(view.frames)
    return {
        "frames": np.zeros((count, 0, 0, 3), dtype=np.uint8),
        "features": features[view.frames].astype(np.float32),
        **_times_of(take, view),
        "points": np.zeros((count, 1, 2), dtype=np.float32),
        "visible": np.zeros((count, 1), dtype=np.bool_),
        "body": np.zeros((count, 1, 3), dtype=np.float32),
        "has_body": np.zeros(count, dtype=np.bool_),
    }


def _times_of(take: Take, view: View) -> dict[str, np.ndarray]:
    chosen = view.frames
    labels = np.full(len(chosen), -1, dtype=np.int64)
    if take.labels is not None:
        labels = np.where(view.valid, take.labels[chosen], -1)
    return {
        "times_s": (take.times_s[chosen] - take.times_s[chosen[0]]).astype(np.float32),
        "moments": view.moments.astype(np.float32),
        "valid": view.valid,
        "labels": labels,
    }


def _make_view(
    take: Take, view: View, look: AnyLook, size: int, joints: int
) -> dict[str, np.ndarray]:
    chosen = view.frames
    count = len(chosen)
    made: dict[str, np.ndarray] = {
        "frames": apply_look(np.ascontiguousarray(take.frames[chosen]), look, size),
        "features": np.zeros((count, 0), dtype=np.float32),
        **_times_of(take, view),
        "points": np.zeros((count, joints, 2), dtype=np.float32),
        "visible": np.zeros((count, joints), dtype=np.bool_),
        "body": np.zeros((count, joints, 3), dtype=np.float32),
        "has_body": np.zeros(count, dtype=np.bool_),
    }
    if take.points is not None and take.visible is not None:
        order = list(take.counterparts) if look.is_mirrored else slice(None)
        points = points_after(take.points[chosen], look)[:, order]
        inside = ((points > 0) & (points < 1)).all(axis=-1)
        made["points"] = points
        made["visible"] = take.visible[chosen][:, order] & inside & view.valid[:, None]
    if take.body is not None:
        order = list(take.counterparts) if look.is_mirrored else slice(None)
        sides = np.array([-1.0 if look.is_mirrored else 1.0, 1.0, 1.0], dtype=np.float32)
        made["body"] = take.body[chosen][:, order] * sides
        made["has_body"] = view.valid.copy()
    return made
