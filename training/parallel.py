"""Several processes that train one model, started by ``torchrun``: one GPU each, or on the CPU.

Each process draws its own places of one global batch. Where the loss is gathered, every process
computes the loss of the whole batch, and the mean of their gradients, which
``DistributedDataParallel`` takes, is the gradient one process would have found.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from training.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

# A process that waits longer than this for another one gives up; an evaluation must fit in.
TIMEOUT = timedelta(minutes=30)
# Decoding a data set for the first time may take long; only then does anyone wait so patiently.
PATIENCE = timedelta(hours=24)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Processes:
    """Where this process stands among those that train together.

    Attributes
    ----------
    rank : 0 .. count - 1; process 0 alone writes
    count : how many there are
    local : number on this machine, which chooses the GPU
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes checkpoints, events and the encoder."""
        return self.rank == 0

    def places(self, clips: int) -> slice:
        """Return this process's share of the places 0 .. clips - 1 of the global batch.

        Raises
        ------
        ConfigError
            When the clips cannot be dealt out evenly.
        """
        if clips % self.count:
            raise ConfigError(
                f"A batch of {clips} clips cannot be dealt out to {self.count} processes evenly. "
                f"Set data.batch_clips to a multiple of {self.count}, and have that many "
                "recordings at least."
            )
        share = clips // self.count
        return slice(self.rank * share, (self.rank + 1) * share)


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes ``torchrun`` started (``RANK``, ``WORLD_SIZE``), leave them at the end.

    Alone where those are not set. A process group that exists already is used and left standing.

    Parameters
    ----------
    device : "cuda" (talk by NCCL) or "cpu" (by Gloo)

    Raises
    ------
    ConfigError
        When the processes do not find each other, or one has no GPU of its own.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if dist.is_initialized():
        yield Processes(dist.get_rank(), dist.get_world_size(), local)
        return
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"Process {local} of this machine has no GPU of its own: torch sees "
                f"{torch.cuda.device_count()}. Start fewer processes, or set run.device=cpu."
            )
        torch.cuda.set_device(local)
    try:
        dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=TIMEOUT)
    except (RuntimeError, ValueError) as exc:
        raise ConfigError(
            f"The {count} processes did not find each other ({exc}). Start them with torchrun."
        ) from exc
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), local)
    finally:
        dist.destroy_process_group()


def device_of(name: str) -> torch.device:
    """Return the device "auto" (GPU when there is one), "cpu" or "cuda" stands for.

    Raises
    ------
    ConfigError
        When it is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("run.device = 'cuda', but torch sees no GPU here. Use 'auto' or 'cpu'.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def seed_of(*numbers: int) -> int:
    """Return a seed for torch's generator that depends on all of ``numbers``."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def is_parallel() -> bool:
    """Whether more than one process trains."""
    return dist.is_initialized() and dist.get_world_size() > 1


@contextmanager
def first_goes_first(processes: Processes) -> Iterator[None]:
    """Let process 0 do the body before the others: it fills the cache they then read."""
    if processes.count == 1:
        yield
        return
    waiting = cast("dist.ProcessGroup", dist.new_group(backend="gloo", timeout=PATIENCE))
    if not processes.is_first:
        dist.barrier(waiting)
    yield
    if processes.is_first:
        dist.barrier(waiting)
    dist.destroy_process_group(waiting)


def spread(module: nn.Module, processes: Processes, device: torch.device) -> nn.Module:
    """Return what to call in place of ``module`` so that all processes share its gradients.

    Batch norms that are trained then see the frames of all processes. ``module`` is changed in
    place and keeps the names of its weights. Alone, it is returned as it is.
    """
    if processes.count == 1:
        return module
    synchronise_norms(module, device)
    # Which weights a step uses depends on its losses.
    return DistributedDataParallel(module, find_unused_parameters=True)


def without_sharing(module: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:
    """Return a context in which gradients only add up, unless this is the last of them."""
    if isinstance(module, DistributedDataParallel) and not is_last:
        return cast("AbstractContextManager[None]", module.no_sync())
    return nullcontext()


def gathered(tensor: Tensor, dim: int = 0) -> Tensor:
    """Return every process's ``tensor``, of one shape, joined along ``dim`` in order of rank.

    The gradient of the sum of all processes' results flows back to each. Alone: ``tensor``.
    """
    if not is_parallel():
        return tensor
    if tensor.dtype == torch.bool:
        return gathered(tensor.to(torch.uint8), dim).to(torch.bool)
    joined_tensor: Tensor = _Gather.apply(tensor, dim)
    return joined_tensor


def summed(tensor: Tensor) -> Tensor:
    """Return the sum over the processes, with its gradient as in ``gathered``."""
    if not is_parallel():
        return tensor
    total: Tensor = _Sum.apply(tensor)
    return total


def mean_of(values: Tensor) -> Tensor:
    """Return the mean over the processes, without a gradient."""
    values = values.detach()
    if not is_parallel():
        return values
    return summed(values) / dist.get_world_size()


def everyones(value: T) -> list[T]:
    """Return what each process holds, in order of rank."""
    if not is_parallel():
        return [value]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


def synchronise_norms(module: nn.Module, device: torch.device) -> None:
    """Replace the batch norms inside ``module`` by ones over all processes, weights kept."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, GlobalBatchNorm.of(child))
        else:
            synchronise_norms(child, device)


class GlobalBatchNorm(_BatchNorm):
    """Batch norm over the frames of all processes, however many each has; runs on the CPU too.

    In evaluation (and so where it is frozen) it is an ordinary batch norm. PyTorch's own
    ``SyncBatchNorm`` needs a GPU.
    """

    @classmethod
    def of(cls, norm: _BatchNorm) -> GlobalBatchNorm:
        """Take over the weights and statistics of ``norm``."""
        made = cls(
            norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
        )
        made.weight, made.bias = norm.weight, norm.bias
        made.running_mean, made.running_var = norm.running_mean, norm.running_var
        made.num_batches_tracked = norm.num_batches_tracked
        return made.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, ...) -> the same shape."""
        if not self.training:
            plain: Tensor = super().forward(x)
            return plain
        places = [0, *range(2, x.ndim)]
        shape = (1, -1, *[1] * (x.ndim - 2))
        y = x.float()
        here = y.new_full((1,), y.numel() / y.shape[1])
        total = summed(torch.cat([y.sum(places), here]))
        count = total[-1]
        mean = total[:-1] / count
        y = y - mean.view(shape)
        variance = summed((y * y).sum(places)) / count
        self._remember(mean.detach(), (variance * count / (count - 1).clamp(min=1)).detach())
        y = y * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:  # a plain average over all batches
            share = 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of places is fine."""


class StopWish:
    """Takes Ctrl-C (and SIGTERM) as a wish to stop after this step, a second one as it is meant.

    Signals are caught in the main thread only, and only inside the ``with``.

    Attributes
    ----------
    is_asked : whether this process was asked to stop
    """

    # torchrun passes on what the terminal has told everyone already.
    _SAME_S = 2.0

    def __init__(self) -> None:
        self.is_asked = False
        self._asked_s = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask) or signal.SIG_DFL
        return self

    def __exit__(self, *unused: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked and time.monotonic() - self._asked_s > self._SAME_S:
            raise KeyboardInterrupt
        self._asked_s = self._asked_s if self.is_asked else time.monotonic()
        self.is_asked = True


def listen_for_stop(heard: Callable[[], None]) -> None:
    """Call ``heard`` on a thread of its own when standard input says a line "stop".

    For a parent that cannot send signals. Not through ``sys.stdin``, whose lock the exit needs.
    """

    def listen() -> None:
        text = b""
        while piece := os.read(0, 256):
            text += piece
            if b"stop" in text.splitlines():
                heard()
                return

    threading.Thread(target=listen, name="stop-listener", daemon=True).start()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, dim: int) -> Tensor:
        ctx.dim, ctx.length = dim, tensor.shape[dim]
        parts = [torch.empty_like(tensor.contiguous()) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts, dim)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total.narrow(ctx.dim, dist.get_rank() * ctx.length, ctx.length), None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total
