"""Batches of stored looks: whole groups in an order drawn anew each epoch, in other colours."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.distill.shards import PLACE_STEP
from training.distill.views import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from carl_core.arrays import Float32
    from training.distill.shards import Shard

_AHEAD = 3
_STATISTICS = 6000
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """One batch.

    Attributes
    ----------
    pixels : uint8 (N, S, S, 3)
    places : float32 (N, 320, 7, 7), as the teacher says them
    joints : float32 (N, 17, 3)
    is_sequence : bool (N / GROUP,)
    """

    pixels: Tensor
    places: Tensor
    joints: Tensor
    is_sequence: Tensor


class Feed:
    """Groups of all shards."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = list(shards)
        counts = [len(shard.pixels) // GROUP for shard in shards]
        self._shard = np.repeat(np.arange(len(shards)), counts)
        self._row = np.concatenate([np.arange(count) * GROUP for count in counts])

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self._row)

    def statistics(self) -> tuple[Float32, Float32]:
        """Return mean and deviation of each channel of the places, from some thousand looks."""
        groups = np.unique(np.linspace(0, len(self) - 1, _STATISTICS // GROUP).astype(np.int64))
        places = np.concatenate([self._rows(k)[1] for k in groups]).astype(np.float32) * PLACE_STEP
        return places.mean(axis=(0, 1, 2)), places.std(axis=(0, 1, 2)) + 1e-3

    def batch(self, groups: Sequence[int] | np.ndarray, *, device: torch.device = _CPU) -> Looks:
        """Read groups and put them on ``device``."""
        parts = [self._rows(int(k)) for k in groups]
        pixels, places, joints = (
            torch.from_numpy(np.concatenate([part[k] for part in parts])).to(device)
            for k in range(3)
        )
        is_sequence = [self._shards[self._shard[int(k)]].is_sequence for k in groups]
        return Looks(
            pixels,
            places.permute(0, 3, 1, 2).float() * PLACE_STEP,
            joints.float(),
            torch.tensor(is_sequence, device=device),
        )

    def batches(
        self, first: int, end: int, size: int, seed: int, *, device: torch.device = _CPU
    ) -> Iterator[Looks]:
        """Give the batches of the steps ``first`` to ``end``, read ahead by a thread."""
        groups = size // GROUP
        each = max(1, len(self) // groups)
        ready: queue.Queue[Looks | BaseException] = queue.Queue(_AHEAD)
        is_done = threading.Event()

        def read() -> None:
            order, epoch = np.empty(0, np.int64), -1
            try:
                for step in range(first, end):
                    if step // each != epoch:
                        epoch = step // each
                        order = np.random.default_rng([seed, epoch]).permutation(len(self))
                    chosen = np.resize(order, each * groups)[step % each * groups :][:groups]
                    made = self.batch(chosen, device=device)
                    while not is_done.is_set():
                        try:
                            ready.put(made, timeout=0.2)
                            break
                        except queue.Full:
                            continue
                    if is_done.is_set():
                        return
            except BaseException as exc:
                ready.put(exc)

        threading.Thread(target=read, daemon=True, name="looks").start()
        try:
            for _ in range(first, end):
                got = ready.get()
                if isinstance(got, BaseException):
                    raise got
                yield got
        finally:
            is_done.set()

    def _rows(self, group: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shard, row = self._shards[self._shard[group]], self._row[group]
        rows = slice(row, row + GROUP)
        return shard.pixels[rows], shard.places[rows], shard.joints[rows]


def recoloured(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Give every group colours, sharpness and noise of its own.

    Uint8 (N, S, S, 3) -> float32 (N, 3, S, S), 0..1. The teachers saw the pictures as they were:
    the student learns not to mind.

    Parameters
    ----------
    pixels : on any device, where the work is done
    generator : of the CPU; colours are drawn from it, and on the CPU the noise too. Elsewhere a
        generator of that device with the same seed draws the noise
    """
    count, device = len(pixels) // GROUP, pixels.device
    grains = generator
    if device.type != "cpu":
        grains = torch.Generator(device).manual_seed(generator.initial_seed())

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator).to(device)

    x = pixels.permute(0, 3, 1, 2).to(torch.float32) / 255.0
    luma = torch.tensor([0.299, 0.587, 0.114], device=device)
    saturation = torch.where(draw(count) < 0.12, 0.0, 0.5 + draw(count))[:, None, None]
    grey = luma.expand(3, 3)
    mix = saturation * torch.eye(3, device=device) + (1 - saturation) * grey  # (G, 3, 3)
    gain = (0.6 + 0.8 * draw(count, 1, 1)) * (0.88 + 0.24 * draw(count, 3, 1))
    mix = (mix * gain).repeat_interleave(GROUP, 0)
    shift = (0.3 * draw(count, 1) - 0.15 + 0.5 * (1 - gain.mean(dim=(1, 2))[:, None])).expand(-1, 3)
    shift = shift.repeat_interleave(GROUP, 0)
    x = torch.einsum("nij,njhw->nihw", mix, x) + shift[:, :, None, None]
    soft = (draw(count) * (draw(count) < 0.3)).repeat_interleave(GROUP, 0)[:, None, None, None]
    x = x + soft * (F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1) - x)
    noise = (0.03 * draw(count) * (draw(count) < 0.3)).repeat_interleave(GROUP, 0)
    x = x + noise[:, None, None, None] * torch.randn(x.shape, generator=grains, device=device)
    return x.clamp(0, 1).contiguous(memory_format=torch.channels_last)
