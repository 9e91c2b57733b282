"""What a run tells: speed and means since the last report, its journal, the cost of one step."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from carl_core.runs import Evaluated, EventWriter, Step
from training.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from rich.console import Console

    from carl_core.progress import Progress
    from carl_core.runs import Event

CURVES_FOLDER = "tensorboard"


class Meter:
    """Means and speed since the last report."""

    def __init__(self) -> None:
        self._reset()
        self._waiting_since = 0.0

    def begin_wait(self) -> None:
        """Start to wait for data."""
        self._waiting_since = time.perf_counter()

    def end_wait(self) -> None:
        """Stop waiting."""
        self._waited += time.perf_counter() - self._waiting_since

    def count(self, losses: Mapping[str, float], norm: float, frames: int) -> None:
        """Add one step's losses, gradient norm and number of frames."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._norms += norm
        self._frames += frames
        self._steps += 1

    def event(self, now_s: float, step: int, rate: float, left: int) -> Step:
        """Return the means as an event and start anew; ``left`` steps are to come."""
        elapsed = max(1e-9, time.perf_counter() - self._since)
        steps = max(1, self._steps)
        means = {name: total / steps for name, total in self._sums.items()}
        made = Step(
            now_s,
            step,
            {"total": sum(means.values()), **means},
            rate,
            self._norms / steps,
            self._frames / elapsed,
            self._waited / elapsed,
            left * elapsed / steps,
        )
        self._reset()
        return made

    def _reset(self) -> None:
        self._sums: dict[str, float] = {}
        self._norms = self._waited = 0.0
        self._frames = self._steps = 0
        self._since = time.perf_counter()


class Journal:
    """What a run says: events for whoever watches, curves for TensorBoard, lines on the console.

    Of several processes one speaks; the others' journals write nothing. A resumed run drops the
    curves that an interrupted one wrote about later steps.

    Parameters
    ----------
    folder : run folder
    console : for lines
    done, steps : steps done so far, and in all
    curves : write them into ``tensorboard`` in the run folder
    is_silent : write nothing at all

    Raises
    ------
    ConfigError
        When TensorBoard is asked for and not installed.
    StoreError
        When the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        console: Console,
        *,
        done: int,
        steps: int,
        curves: bool,
        is_silent: bool = False,
    ) -> None:
        self._console = console
        self._steps = steps
        self._events = None if is_silent else EventWriter(folder)
        self._curves = None
        if curves and not is_silent:
            try:
                # The import takes a third of a second, and only training needs it.
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as exc:
                raise ConfigError(
                    f"run.tensorboard needs the package tensorboard ({exc}). Install "
                    "carl-align[train], or set run.tensorboard=false."
                ) from exc
            self._curves = SummaryWriter(folder / CURVES_FOLDER, purge_step=done + 1)

    def now(self) -> float:
        """Seconds since the epoch, for the events."""
        return time.time() if self._events is None else self._events.now()

    def write(self, event: Event) -> None:
        """Record an event wherever it belongs."""
        if self._events is None:
            return
        self._events.write(event)
        if isinstance(event, Step):
            self.say(self._line(event))
            self._draw(event.step, {f"loss/{name}": value for name, value in event.losses.items()})
            self._draw(
                event.step,
                {
                    "optimizer/rate": event.rate,
                    "optimizer/gradient_norm": event.gradient_norm,
                    "speed/frames_per_s": event.frames_per_s,
                    "speed/data_share": event.data_share,
                },
            )
        elif isinstance(event, Evaluated):
            self.say(f"step {event.step}: {_table(event.scores)}")
            self._draw(
                event.step, {f"evaluation/{name}": value for name, value in event.scores.items()}
            )

    def say(self, line: str) -> None:
        """Print a line."""
        if self._events is not None:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._events is not None:
            self._events.close()
        if self._curves is not None:
            self._curves.close()

    def _draw(self, step: int, values: Mapping[str, float]) -> None:
        if self._curves is None:
            return
        for name, value in values.items():
            self._curves.add_scalar(name, value, step)

    def _line(self, event: Step) -> str:
        return (
            f"step {event.step}/{self._steps}  {_table(event.losses)}  "
            f"|g| {event.gradient_norm:.2f}  {event.frames_per_s:.0f} frames/s  "
            f"waits {event.data_share:.0%}  {event.remaining_s / 60:.1f} min left"
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What one piece of work takes.

    Attributes
    ----------
    seconds : from beginning to end
    kept_bytes : activations kept for the gradient, weights not counted
    """

    seconds: float
    kept_bytes: int


def cost_of(work: Callable[[], None], weights: Iterable[Tensor], device: torch.device) -> Cost:
    """Do ``work`` (forward and backward) twice; measure what it keeps, then how long it takes."""
    of_weights = {weight.untyped_storage().data_ptr() for weight in weights}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in of_weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        work()
    _wait_for(device)
    began = time.perf_counter()
    work()
    _wait_for(device)
    return Cost(time.perf_counter() - began, sum(kept.values()))


def peak_memory(device: torch.device) -> int:
    """Return the most bytes held so far, on the GPU by torch or by this process; 0 = not known."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def progress_lines(console: Console) -> Callable[[Progress], None]:
    """Return a listener that prints how far some work is, every five seconds and at its end."""
    last_s = [0.0]

    def report(progress: Progress) -> None:
        now = time.monotonic()
        if now - last_s[0] > 5.0 or progress.done == progress.total:
            last_s[0] = now
            console.print(
                f"{progress.stage}: {progress.done:.0f}/{progress.total or 0:.0f} {progress.unit}",
                highlight=False,
            )

    return report


def _table(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items())


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
