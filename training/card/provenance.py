"""Where an encoder comes from: what a finished run took, and whose clips and pictures it saw."""

from __future__ import annotations

import csv
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from carl_core.errors import MediaError
from carl_core.runs import EVENTS_NAME, Evaluated, Finished, Started, Step, read_events
from training.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from carl_core.runs import Event

MANIFEST_NAME = "manifest.csv"
_COLUMNS = ("file", "source_repo", "licence", "attribution", "duration_s", "provenance")
_PAUSE_S = 300.0  # nothing written for so long: the run stood still


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that reached its last step.

    Attributes
    ----------
    folder : of the run
    config : resolved settings, section by section
    steps : optimiser steps
    pieces : how often it was started, 1 = in one go
    devices : where it ran
    prepared_s : seconds before its first step: decoding, rendering, asking teachers
    trained_s : seconds from then on, the writing of the encoder included
    began_s, learned_s : seconds since the epoch of its beginning and of its last report of a step
    losses : of the last report
    scores : of the last evaluation, may be empty
    """

    folder: Path
    config: Mapping[str, Any]
    steps: int
    pieces: int
    devices: tuple[str, ...]
    prepared_s: float
    trained_s: float
    began_s: float
    learned_s: float
    losses: Mapping[str, float]
    scores: Mapping[str, float]


def finished_run(folder: Path) -> FinishedRun:
    """Read a run folder.

    Seconds are counted between the signs of life a run leaves, its events and the times of its
    files: gaps of more than five minutes are pauses between pieces and do not count. A run that
    was begun anew in the same folder counts from there on, with all files it found prepared.

    Raises
    ------
    ConfigError
        When the folder holds no run, or one that is not finished.
    StoreError
        When its events cannot be read.
    """
    events = list(read_events(folder))
    begins = [k for k, event in enumerate(events) if isinstance(event, Started) and not event.step]
    if not begins:
        raise ConfigError(f"{folder} holds no run: {EVENTS_NAME} names no beginning.")
    events = events[begins[-1] :]
    starts = [event for event in events if isinstance(event, Started)]
    ends = [event for event in events if isinstance(event, Finished) and event.complete]
    if not ends or ends[-1].step < starts[-1].steps:
        raise ConfigError(
            f"The run in {folder} is not finished. The command that began it goes on with it."
        )
    reports = [event for event in events if isinstance(event, Step)]
    if not reports:
        raise ConfigError(f"The run in {folder} reports no step: {EVENTS_NAME} is not whole.")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"The settings of {folder} cannot be read ({exc}).") from exc
    prepared_s, trained_s = _seconds(folder, events)
    scores = [event.scores for event in events if isinstance(event, Evaluated)]
    pieces = sum(start.step < start.steps for start in starts)
    return FinishedRun(
        folder, config, ends[-1].step, pieces,
        tuple(dict.fromkeys(start.device for start in starts)), prepared_s, trained_s,
        starts[0].time_s, reports[-1].time_s, reports[-1].losses, scores[-1] if scores else {},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """One row of a pool's manifest: a clip or a picture.

    Attributes
    ----------
    file : path below the pool; of a picture ``images/SHARD.tar/MEMBER``
    repository : on github.com
    licence, attribution, provenance : as the manifest has them
    duration_s : 0 for a picture
    is_excluded : whether a column that excludes is filled
    """

    file: str
    repository: str
    licence: str
    attribution: str
    provenance: str
    duration_s: float
    is_excluded: bool

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip."""
        return self.file.startswith("videos/")

    @property
    def stem(self) -> str:
        """Name of the file without folders and ending."""
        return self.file.rpartition("/")[2].rpartition(".")[0]


def read_manifest(pool: Path, exclude_columns: Sequence[str]) -> list[Piece]:
    """Read ``manifest.csv`` of a pool.

    Raises
    ------
    MediaError
        When it is missing, lacks a column, or names no one to thank.
    """
    path = pool / MANIFEST_NAME
    pieces = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = {*_COLUMNS, *exclude_columns} - set(rows.fieldnames or ())
            if missing:
                raise MediaError(f"{path} has no column {', '.join(sorted(missing))}.", path=path)
            for row in rows:
                if not (row["source_repo"] and row["licence"]):
                    raise MediaError(
                        f"{path}: {row['file']} has no repository or no licence.", path=path
                    )
                excluded = any(row[column] for column in exclude_columns)
                pieces.append(
                    Piece(
                        row["file"], row["source_repo"], row["licence"], row["attribution"],
                        row["provenance"], float(row["duration_s"] or 0), excluded,
                    )
                )  # fmt: skip
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        raise MediaError(f"The manifest {path} cannot be read ({exc}).", path=path) from exc
    return pieces


def _seconds(folder: Path, events: Sequence[Event]) -> tuple[float, float]:
    """Seconds before the first of the events, and from then on, pauses left out."""
    first_s, last_s = events[0].time_s, events[-1].time_s
    files = (path.stat().st_mtime for path in folder.rglob("*") if path.is_file())
    signs = sorted({*(event.time_s for event in events), *(at for at in files if at < last_s)})
    before = [at for at in signs if at <= first_s]
    after = [at for at in signs if at >= first_s]
    return _without_pauses(before), _without_pauses(after)


def _without_pauses(signs: Sequence[float]) -> float:
    gaps = (after - before for before, after in itertools.pairwise(signs))
    return sum(gap for gap in gaps if gap <= _PAUSE_S)
