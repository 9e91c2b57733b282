"""What the panel shows of an adaptation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class AdaptationStage(Enum):
    """Where an adaptation is."""

    MISSING = "missing"
    READY = "ready"
    RUNNING = "running"
    STOPPING = "stopping"
    BETTER = "better"
    SAME = "same"
    FAILED = "failed"
    USED = "used"

    @property
    def is_running(self) -> bool:
        """Whether a child process is at work."""
        return self in (AdaptationStage.RUNNING, AdaptationStage.STOPPING)


@dataclass(frozen=True, slots=True)
class AdaptationState:
    """Everything the panel shows.

    Attributes
    ----------
    stage : decides which buttons there are
    text : what it is about, or what came of it
    progress : what is being done, how fast and how much longer
    fraction : share done, 0..1, None = not known
    before, after : error of the old and of the new encoder in percent, None = not known
    can_start : whether there are recordings to learn from
    command : a command to copy: installs the training part, or starts with the adapted encoder
    details : for a fault, what the process said
    """

    stage: AdaptationStage
    text: str = ""
    progress: str = ""
    fraction: float | None = None
    before: float | None = None
    after: float | None = None
    can_start: bool = True
    command: str = ""
    details: str = ""
