"""Batches of two-view clips, from recordings and from simulated pairs.

A batch is a function of the run's seed and the step alone: any number of threads or processes gives
the same batches, and a resumed run goes on with the same ones.

Memory is bounded by the settings, whatever the length of the recordings. V = 2 views of T frames:

- a batch: ``V * batch_clips * T * S * S * 3`` bytes, written in place;
- while one of its samples is made, beside that: at most ``V * T * H * W * 3`` bytes of decoded
  pictures (none where they are an array, cached on disk) and ``T * (H * W + S * S) * 3`` of the
  view at hand. Frames are decoded once for both views, in 8 bit, and only those that are shown;
- ``workers`` threads prepare at most ``workers + 2`` batches ahead of the one in use.

With T = 80, S = 224 and pictures of 272 x 272, that is 24 MB for each clip of a batch, and 66 MB
for each thread at work.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from training.augment import AnyLook, apply_look, draw_look, points_after
from training.config import ConfigError
from training.data.draw import draw_sources
from training.sampling import View, generator_for, sample_views

if TYPE_CHECKING:
    from collections.abc import Generator

    from carl_core.arrays import Bool, Float32, Int64, UInt8
    from training.config import TrainConfig
    from training.data.sources import Source, Take

_VIEWS = 2


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
    lengths : float32 (V, B), of the whole content in that unit; the published distance between
        moments stretches them by the ratio of the two lengths
    valid : bool (V, B, T)
    labels : int64 (V, B, T), phase of each frame, -1 = none
    points : float32 (V, B, T, J, 2), joints in shares of the picture
    visible : bool (V, B, T, J); false throughout where joints are not known
    body : float32 (V, B, T, J, 3)
    has_body : bool (V, B, T)
    actions : what the sources show, B; "" = not known
    """

    step: int
    names: tuple[str, ...]
    frames: Tensor
    features: Tensor
    times_s: Tensor
    moments: Tensor
    lengths: Tensor
    valid: Tensor
    labels: Tensor
    points: Tensor
    visible: Tensor
    body: Tensor
    has_body: Tensor
    actions: tuple[str, ...]

    def to(self, device: torch.device) -> Batch:
        """Move the tensors to ``device``."""
        if device.type == "cpu":
            return self
        moved: dict[str, Any] = {
            field.name: value.to(device, non_blocking=True)
            for field in dataclasses.fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return dataclasses.replace(self, **moved)


def make_batch(
    step: int,
    recordings: list[Source],
    simulated: list[Source],
    config: TrainConfig,
    *,
    places: slice | None = None,
) -> Batch:
    """Make the batch of one step, see ``draw_sources`` for what it holds.

    Parameters
    ----------
    step : number of the step
    recordings, simulated : to draw from
    config : see there
    places : make only these places of the batch, with the very content they have in the whole one:
        what one of several processes needs; None = all

    Raises
    ------
    ConfigError
        When the batch has nothing at these places.
    MediaError
        When a frame cannot be decoded.
    """
    sources = draw_sources(step, recordings, simulated, config)
    taken = list(enumerate(sources))[places or slice(None)]
    if not taken:
        raise ConfigError(
            f"The batch of step {step} has {len(sources)} clips, none of them for this process. "
            "Start fewer processes, raise data.batch_clips, or name more recordings."
        )
    frames = config.sampling.frames
    has_features = [source.takes[0].features is not None for _, source in taken]
    if any(has_features) != all(has_features):
        raise ValueError("a batch cannot hold both pictures and stored features")
    side = 0 if all(has_features) else config.model.image_size
    pictures = np.empty((_VIEWS, len(taken), frames, side, side, 3), dtype=np.uint8)
    joints = 1 if all(has_features) else _joints_of(simulated)
    items = [
        _make_item(generator_for(config.run.seed, step, place), source, config, joints, shown)
        for (place, source), shown in zip(taken, np.moveaxis(pictures, 1, 0), strict=True)
    ]
    stacked = {
        name: torch.from_numpy(
            np.stack([[item[view][name] for item in items] for view in range(_VIEWS)])
        )
        for name in items[0][0]
    }
    return Batch(
        step=step,
        names=tuple(source.name for _, source in taken),
        actions=tuple(source.action for _, source in taken),
        frames=torch.from_numpy(pictures),
        **stacked,
    )


def batches(
    first_step: int,
    steps: int,
    recordings: list[Source],
    simulated: list[Source],
    config: TrainConfig,
    *,
    places: slice | None = None,
) -> Generator[Batch, None, None]:
    """Yield the batches of steps ``first_step`` to ``steps - 1``, prepared ahead by threads."""
    workers = config.data.workers
    make = partial(
        make_batch, recordings=recordings, simulated=simulated, config=config, places=places
    )
    if workers == 0:
        yield from map(make, range(first_step, steps))
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="carl-data")
    waiting: deque[Future[Batch]] = deque()
    try:
        for step in range(first_step, steps):
            waiting.append(pool.submit(make, step))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=True)


def _joints_of(simulated: list[Source]) -> int:
    takes = (take for source in simulated for take in source.takes)
    return next((take.points.shape[1] for take in takes if take.points is not None), 1)


def _make_item(
    rng: np.random.Generator,
    source: Source,
    config: TrainConfig,
    joints: int,
    out: UInt8,
) -> list[dict[str, np.ndarray]]:
    """Make both views of one clip; their pictures are written to ``out``, uint8 (V, T, S, S, 3)."""
    one, two = 0, 0
    if len(source.takes) > 1:
        one, two = (int(i) for i in rng.choice(len(source.takes), size=2, replace=False))
        two = two if config.data.pairs else one
    takes = (source.takes[one], source.takes[two])
    pair = sample_views(rng, takes[0].content_s, takes[1].content_s, config.sampling)
    views = (pair.first, pair.second)
    is_mirrored = [bool(rng.random() < config.augment.flip)] * _VIEWS
    if not config.augment.shared_flip:
        is_mirrored[1] = bool(rng.random() < config.augment.flip)
    made: list[dict[str, np.ndarray]] = []
    looks: list[AnyLook] = []
    for take, view, mirrored in zip(takes, views, is_mirrored, strict=True):
        parts = _times_of(take, view) | {"lengths": np.array(pair.length, dtype=np.float32)}
        if take.features is not None:
            stored = take.features[_draw_stored_look(rng, len(take.features), is_mirrored=mirrored)]
            # Joints are of no use to a frozen trunk.
            parts |= {"features": stored[view.frames].astype(np.float32)}
            made.append(parts | _joints(take, view, None, 1))
            continue
        height, width = take.frames.shape[1:3]
        look = draw_look(rng, config.augment, is_mirrored=mirrored, shape=(height, width))
        looks.append(look)
        parts |= {"features": np.zeros((len(view.frames), 0), dtype=np.float32)}
        made.append(parts | _joints(take, view, look, joints))
    if looks:
        _show(takes, views, looks, out)
    return made


def _draw_stored_look(rng: np.random.Generator, looks: int, *, is_mirrored: bool) -> int:
    """Odd looks are mirrored: both views of a pair take theirs from one kind."""
    if looks == 1:
        return 0
    first = int(is_mirrored)
    return first + 2 * int(rng.integers((looks - first + 1) // 2))


def _show(
    takes: tuple[Take, Take], views: tuple[View, View], looks: list[AnyLook], out: UInt8
) -> None:
    """Write both views' pictures to ``out``; each frame is decoded once and changed once."""
    decoded: UInt8 | None = None
    numbers: Int64 | None = None
    if takes[0] is takes[1] and not isinstance(takes[0].frames, np.ndarray):
        numbers = np.union1d(views[0].frames, views[1].frames)
        decoded = takes[0].frames[numbers]
    for take, view, look, target in zip(takes, views, looks, out, strict=True):
        shown, places = np.unique(view.frames, return_inverse=True)
        pictures, chosen = decoded, shown
        if decoded is not None and numbers is not None:
            chosen = np.searchsorted(numbers, shown)
        elif isinstance(take.frames, np.ndarray):
            pictures = take.frames
        else:
            pictures, chosen = take.frames[shown], np.arange(len(shown))
        assert pictures is not None
        if len(shown) == len(places):
            apply_look(pictures, look, target.shape[1], chosen=chosen, out=target)
        else:  # padding repeats frames
            target[:] = apply_look(pictures, look, target.shape[1], chosen=chosen)[places]


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


def _joints(take: Take, view: View, look: AnyLook | None, joints: int) -> dict[str, np.ndarray]:
    """Return where the joints are in the pictures; nowhere for ``look`` None."""
    chosen = view.frames
    count = len(chosen)
    points: Float32 = np.zeros((count, joints, 2), dtype=np.float32)
    visible: Bool = np.zeros((count, joints), dtype=np.bool_)
    body: Float32 = np.zeros((count, joints, 3), dtype=np.float32)
    has_body: Bool = np.zeros(count, dtype=np.bool_)
    if look is not None:
        order = list(take.counterparts) if look.is_mirrored else slice(None)
        if take.points is not None and take.visible is not None:
            points = points_after(take.points[chosen], look)[:, order]
            inside = ((points > 0) & (points < 1)).all(axis=-1)
            visible = take.visible[chosen][:, order] & inside & view.valid[:, None]
        if take.body is not None:
            sides = np.array([-1.0 if look.is_mirrored else 1.0, 1.0, 1.0], dtype=np.float32)
            body = take.body[chosen][:, order] * sides
            has_body = view.valid.copy()
    return {"points": points, "visible": visible, "body": body, "has_body": has_body}
