"""What a training run tells the outside: ``events.jsonl``, one JSON object per line.

The only contract between the trainer and whoever watches it (the window, a script). Writing appends
whole lines and flushes; reading tolerates a last line that is still being written. An adaptation
says the same on its standard output.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TextIO, TypeAlias

from carl_core.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

EVENTS_NAME = "events.jsonl"


@dataclass(frozen=True, slots=True)
class Started:
    """Training began or was resumed.

    Attributes
    ----------
    time_s : seconds since the epoch, as in every event
    step, steps : first step to do, and how many there are in all
    config : the resolved configuration, section by section
    device : where it runs
    """

    kind: ClassVar[str] = "started"
    time_s: float
    step: int
    steps: int
    config: Mapping[str, Any]
    device: str


@dataclass(frozen=True, slots=True)
class Step:
    """Means since the last such event.

    Attributes
    ----------
    losses : name to value; "total" is what was minimised
    rate : learning rate now
    gradient_norm : before clipping
    frames_per_s : frames trained on per second
    data_share : share of the time spent waiting for data, 0..1
    remaining_s : estimated seconds left
    """

    kind: ClassVar[str] = "step"
    time_s: float
    step: int
    losses: Mapping[str, float]
    rate: float
    gradient_norm: float
    frames_per_s: float
    data_share: float
    remaining_s: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Scores of the model at ``step``; each name says what it is."""

    kind: ClassVar[str] = "evaluated"
    time_s: float
    step: int
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a stage before or after the steps is; ``total`` and ``remaining_s`` may be NaN."""

    kind: ClassVar[str] = "progressed"
    time_s: float
    stage: str
    done: float
    total: float
    unit: str
    rate: float
    remaining_s: float


@dataclass(frozen=True, slots=True)
class Judged:
    """An adapted encoder was compared with the old one on what was held back.

    Attributes
    ----------
    before, after : mean error of the old and of the new one, in percent of what is aligned
    noise : standard error of their difference
    better : whether the new one wins by more than chance
    reason : the same as a sentence
    """

    kind: ClassVar[str] = "judged"
    time_s: float
    before: float
    after: float
    noise: float
    better: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A state to resume from was written to ``path`` (relative to the run folder)."""

    kind: ClassVar[str] = "checkpoint"
    time_s: float
    step: int
    path: str


@dataclass(frozen=True, slots=True)
class Exported:
    """An encoder file was written to ``path`` (relative to the run folder)."""

    kind: ClassVar[str] = "exported"
    time_s: float
    step: int
    path: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The run reached its last step, or was stopped (``complete`` false) and can be resumed."""

    kind: ClassVar[str] = "finished"
    time_s: float
    step: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The run stopped on an error that ``message`` explains."""

    kind: ClassVar[str] = "failed"
    time_s: float
    step: int
    message: str


Event: TypeAlias = (
    Started | Step | Evaluated | Progressed | Judged | Checkpoint | Exported | Finished | Failed
)
_KINDS: dict[str, type[Event]] = {
    one.kind: one
    for one in (
        Started,
        Step,
        Evaluated,
        Progressed,
        Judged,
        Checkpoint,
        Exported,
        Finished,
        Failed,
    )
}


def event_to_json(event: Event) -> str:
    """Return ``event`` as one line of JSON without its line end; non-finite numbers become null."""
    values = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    return json.dumps({"event": event.kind, **_finite(values)}, ensure_ascii=False, allow_nan=False)


def event_from_json(line: str) -> Event:
    """Return the event written on ``line``.

    Raises
    ------
    StoreError
        When the line is no JSON object, or names an event or a key that we do not know.
    """
    try:
        values = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as exc:
        raise StoreError(f"This is no line of a run's events: {line[:80]!r} ({exc}).") from exc
    if not isinstance(values, dict) or values.get("event") not in _KINDS:
        raise StoreError(
            f"A run's events hold {line[:80]!r}, which is none of {', '.join(_KINDS)}."
        )
    kind = _KINDS[values.pop("event")]
    fields = {field.name: field.type for field in dataclasses.fields(kind)}
    for name in fields.keys() - values.keys():
        raise StoreError(f"The event {kind.kind!r} lacks {name!r}.")
    for name in values.keys() - fields.keys():
        raise StoreError(f"The event {kind.kind!r} holds the unknown key {name!r}.")
    return kind(**{name: _checked(kind.kind, name, fields[name], values[name]) for name in fields})


class EventWriter:
    """Appends events to a run folder. One thread at a time.

    Parameters
    ----------
    folder : run folder, made when missing
    now : seconds since the epoch, replaceable in tests

    Raises
    ------
    StoreError
        When the folder cannot be written.
    """

    def __init__(self, folder: Path, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / EVENTS_NAME
            _end_last_line(path)
            self._file: TextIO = path.open("a", encoding="utf-8")
        except OSError as exc:
            raise StoreError(f"The run folder {folder} cannot be written ({exc}).") from exc

    def now(self) -> float:
        """Seconds since the epoch, for ``time_s``."""
        return self._now()

    def write(self, event: Event) -> None:
        """Append ``event`` and flush, so that a reader sees it at once."""
        self._file.write(event_to_json(event) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_events(folder: Path) -> Iterator[Event]:
    """Yield the events of a run so far, oldest first; an unfinished last line is left out.

    Raises
    ------
    StoreError
        When the file is there and cannot be read, or a whole line is not ours.
    """
    path = folder / EVENTS_NAME
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as exc:
        raise StoreError(f"The events of the run {folder} cannot be read ({exc}).") from exc
    whole, _, _ = text.rpartition("\n")
    for line in whole.splitlines():
        if line.strip():
            yield event_from_json(line)


class EventTail:
    """Reads what a running trainer adds. One thread at a time.

    Parameters
    ----------
    folder : run folder; may not exist yet
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS_NAME
        self._position = 0

    def new_events(self) -> list[Event]:
        """Events written since the last call, oldest first.

        Raises
        ------
        StoreError
            When a whole line is not ours.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        lines = whole.decode("utf-8", errors="replace").splitlines()
        return [event_from_json(line) for line in lines if line.strip()]


def _end_last_line(path: Path) -> None:
    """Drop what a killed run left of its last line, so that the next event starts a new one."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        with path.open("r+b") as file:
            file.truncate(whole)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _checked(kind: str, name: str, declared: Any, value: Any) -> Any:
    """Return ``value`` as the field's declared type (written as text, e.g. "float")."""
    text = declared if isinstance(declared, str) else getattr(declared, "__name__", str(declared))
    if text == "float":
        if value is None:
            return math.nan
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif text == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif text == "bool":
        if isinstance(value, bool):
            return value
    elif text == "str":
        if isinstance(value, str):
            return value
    elif isinstance(value, dict):
        if "float" not in text:
            return value
        return {key: math.nan if item is None else float(item) for key, item in value.items()}
    raise StoreError(f"The event {kind!r} holds {name} = {value!r}, which is no {text}.")
