"""Markers and phases as files, and carried from one recording to another along a time map."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.atomic import write_atomic
from carl_core.errors import ExportError, ProjectError
from carl_core.export.elan import Row, from_eaf, to_eaf
from carl_core.paths import read_bounded
from carl_core.video.info import display_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from carl_core.alignment.timemap import TimeMap

LABEL_SUFFIXES = (".csv", ".json", ".eaf")
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
# Read, what is this large takes up to a gigabyte.
_MOST_BYTES = 16 * 2**20
# Of what is wrong with an entry, which may quote all of it.
_MOST_SHOWN = 200
_COLUMNS = ("recording", "name", "start_s", "end_s")
_MORE = ("colour", "note", "derived")


@dataclass(frozen=True, slots=True)
class Label:
    """A marker (start = end) or a phase of one recording.

    Attributes
    ----------
    recording : file name of the recording it belongs to
    name : what the user calls it
    start_s, end_s : seconds from the recording's first frame, start_s <= end_s
    colour : "#rrggbb", "" = none
    note : further words
    derived : file name of the recording it was carried over from, "" = it was marked here
    """

    recording: str
    name: str
    start_s: float
    end_s: float
    colour: str = ""
    note: str = ""
    derived: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s)):
            raise ValueError(f"label {self.name!r}: times must be finite")
        if self.end_s < self.start_s:
            raise ValueError(f"label {self.name!r}: ends at {self.end_s} before {self.start_s}")
        if self.colour and not _COLOUR.fullmatch(self.colour):
            raise ValueError(f"label {self.name!r}: colour {self.colour!r} is not like #1a2b3c")


def read_labels(path: Path) -> tuple[Label, ...]:
    """Read labels: ``.csv`` (recording,name,start_s,end_s), ``.json`` (a list of such), ``.eaf``.

    An empty ``end_s`` means a marker; colour, note and derived may be left out. In ELAN files a
    tier's name is its recording, and there are no colours and notes.

    Raises
    ------
    ProjectError
        When the file cannot be read, naming the line and the value.
    """
    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise ProjectError(
            f"The labels {path} cannot be read: {why}. Give a CSV, JSON or EAF file in UTF-8."
        ) from error
    if path.suffix.lower() == ".eaf":
        columns = (*_COLUMNS, "derived")
        rows = [dict(zip(columns, row, strict=True)) for row in from_eaf(text, f"The file {path}")]
    elif path.suffix.lower() == ".json":
        try:
            rows = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ProjectError(f"The labels {path} are not valid JSON: {error}.") from error
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ProjectError(f"The labels {path} must be a JSON list of objects.")
    else:
        try:
            reader = csv.DictReader(text.splitlines())
            names = reader.fieldnames or ()
            rows = list(reader)
        except csv.Error as error:
            raise ProjectError(f"The labels {path} are not valid CSV: {error}.") from error
        missing = [c for c in _COLUMNS if c not in names]
        if missing:
            raise ProjectError(
                f"The labels {path} lack the column {missing[0]}. "
                f"The first line must be {','.join(_COLUMNS)}."
            )
    return tuple(_label(row, f"{path}, entry {n}") for n, row in enumerate(rows, start=1))


def _label(row: dict[str, Any], where: str) -> Label:
    try:
        start = row["start_s"]
        end = row.get("end_s")
        return Label(
            recording=str(row.get("recording") or ""),
            name=str(row["name"]),
            start_s=float(start),
            end_s=float(start if end in ("", None) else end),
            **{field: str(row.get(field) or "") for field in _MORE},
        )
    except KeyError as error:
        raise ProjectError(f"{where}: {error.args[0]} is missing.") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise ProjectError(f"{where}: {str(error)[:_MOST_SHOWN]}.") from error


def write_labels(path: Path, labels: Sequence[Label]) -> Path:
    """Write ``.csv``, ``.json`` (6 decimals) or ``.eaf`` (milliseconds). Raises ``ExportError``."""
    try:
        write_atomic(path, display_text(_text(path.suffix.lower(), labels)))
    except OSError as error:
        raise ExportError(
            f"The labels {path} cannot be written: {error.strerror or error}. "
            "Choose another folder or free some space."
        ) from error
    return path


def _text(suffix: str, labels: Sequence[Label]) -> str:
    if suffix == ".eaf":
        names = sorted({label.recording for label in labels if label.recording})
        return to_eaf([_row(label) for label in labels], names)
    if suffix == ".json":
        rows = [
            {
                "recording": label.recording,
                "name": label.name,
                "start_s": round(label.start_s, 6),
                "end_s": round(label.end_s, 6),
                **{field: said for field in _MORE if (said := getattr(label, field))},
            }
            for label in labels
        ]
        return json.dumps(rows, ensure_ascii=False, indent=1)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow((*_COLUMNS, *_MORE))
    for label in labels:
        times = (f"{label.start_s:.6f}", f"{label.end_s:.6f}")
        more = (label.colour, label.note, label.derived)
        writer.writerow((label.recording, label.name, *times, *more))
    return out.getvalue()


def _row(label: Label) -> Row:
    return label.recording, label.name, label.start_s, label.end_s, label.derived


def transfer(labels: Sequence[Label], time_map: TimeMap, *, recording: str) -> tuple[Label, ...]:
    """Carry labels along ``time_map`` to ``recording``; those without counterpart are left out.

    A phase that sticks out of the mapped range is cut to it. ``derived`` says where each is from.
    """
    start_s, end_s = time_map.domain
    carried = []
    for label in labels:
        first, last = max(label.start_s, start_s), min(label.end_s, end_s)
        if first > last:
            continue
        ends = np.asarray(time_map(np.asarray([first, last])), dtype=np.float64)
        if np.all(np.isfinite(ends)):
            ahead = float(max(ends[1], ends[0]))
            carried.append(
                replace(
                    label,
                    recording=recording,
                    start_s=float(ends[0]),
                    end_s=ahead,
                    derived=label.derived or label.recording,
                )
            )
    return tuple(carried)
