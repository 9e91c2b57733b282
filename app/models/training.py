"""What the panel shows of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class TrainingStage(Enum):
    """Where a run is."""

    MISSING = "missing"
    READY = "ready"
    RUNNING = "running"
    STOPPING = "stopping"
    EXPORTING = "exporting"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_running(self) -> bool:
        """Whether a child process is at work."""
        return self in (TrainingStage.RUNNING, TrainingStage.STOPPING, TrainingStage.EXPORTING)


@dataclass(frozen=True, slots=True)
class Look:
    """Error of the model at one step, percent of the action, lower is better."""

    step: int
    percent: float


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Everything the panel shows.

    Attributes
    ----------
    folder : videos to learn from
    run : folder of the run
    text : what it is about, or what came of it
    progress, fraction : what is being done, share done 0..1 or None
    losses : (step, total loss)
    looks : errors on simulated actions never trained on, the first before training
    checkpoints : names of the states that can be exported, oldest first, with their step
    is_complete : whether the run has done all its steps; otherwise it can go on
    encoder : exported file
    details : for a fault, what the process said
    """

    stage: TrainingStage
    folder: Path | None = None
    run: Path | None = None
    text: str = ""
    progress: str = ""
    fraction: float | None = None
    losses: tuple[tuple[int, float], ...] = ()
    looks: tuple[Look, ...] = ()
    checkpoints: tuple[tuple[int, str], ...] = ()
    is_complete: bool = False
    encoder: Path | None = None
    details: str = ""

    @property
    def before(self) -> Look | None:
        """The look before the first step."""
        return self.looks[0] if self.looks and self.looks[0].step == 0 else None

    @property
    def best(self) -> tuple[Look, str] | None:
        """The best look whose checkpoint is there, with its name; the first of equals."""
        names = dict(self.checkpoints)
        found = [look for look in self.looks if look.step in names]
        best = min(found, key=lambda look: look.percent, default=None)
        return (best, names[best.step]) if best is not None else None

    @property
    def can_go_on(self) -> bool:
        """Whether the run was stopped or failed and has a state to go on from."""
        return bool(self.checkpoints) and not self.is_complete and not self.stage.is_running
