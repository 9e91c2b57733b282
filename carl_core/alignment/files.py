"""Read and write ``alignment.json``, the file other programs rely on.

The form is fixed: finite numbers with at most 6 decimals, ``null`` where there is no counterpart,
paths relative to the file's folder.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.alignment.alignment import VERDICTS, Alignment, Anchor
from carl_core.arrays import Float64, Int64, as_read_only
from carl_core.atomic import write_atomic
from carl_core.errors import ExportError, ProjectError
from carl_core.paths import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT = "carl-alignment"
VERSION = 1
_DECIMALS = 6
# Bytes: nine recordings of a day, ten samples a second.
_LARGEST = 512 * 2**20


@dataclass(frozen=True, slots=True)
class RecordingEntry:
    """One recording as the file names it.

    Attributes
    ----------
    path : where it is (absolute in memory, relative to the file's folder on disk)
    fingerprint : 32 hex digits
    duration_s : seconds
    frames : number of presented frames
    """

    path: Path
    fingerprint: str
    duration_s: float
    frames: int


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentMap:
    """One alignment to the reference and the frame numbers along its raw path.

    Attributes
    ----------
    recording : index of the other recording
    alignment : its map; read from a file, ``raw_reference`` and ``raw_other`` hold frame numbers
    raw_reference_frames, raw_other_frames : int64 (P,), frames along the raw path
    """

    recording: int
    alignment: Alignment
    raw_reference_frames: Int64
    raw_other_frames: Int64

    def __post_init__(self) -> None:
        for name in ("raw_reference_frames", "raw_other_frames"):
            object.__setattr__(self, name, as_read_only(getattr(self, name), np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentFile:
    """Everything ``alignment.json`` holds.

    Attributes
    ----------
    reference : index of the reference in ``recordings``
    model_id, model_name : the encoder that was used
    recordings : all recordings, reference included
    maps : one per aligned recording
    """

    reference: int
    model_id: str
    model_name: str
    recordings: tuple[RecordingEntry, ...]
    maps: tuple[AlignmentMap, ...]

    def __post_init__(self) -> None:
        count = len(self.recordings)
        if not 0 <= self.reference < count:
            raise ValueError(f"reference {self.reference} is no index into {count} recordings")
        for entry in self.maps:
            if not 0 <= entry.recording < count or entry.recording == self.reference:
                raise ValueError(f"map for recording {entry.recording} of {count}")

    def map_of(self, recording: int) -> AlignmentMap | None:
        """Return the map of one recording, None when it has none."""
        return next((entry for entry in self.maps if entry.recording == recording), None)


def to_json(file: AlignmentFile, folder: Path | None = None) -> dict[str, Any]:
    """Return the document as plain values.

    Parameters
    ----------
    folder : folder the JSON will lie in: paths become relative to it. None = absolute paths.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "reference": file.reference,
        "model": {"id": file.model_id, "name": file.model_name},
        "recordings": [_recording_to_json(entry, folder) for entry in file.recordings],
        "maps": [_map_to_json(entry) for entry in file.maps],
    }


def from_json(document: Any, folder: Path) -> AlignmentFile:
    """Read the document back; relative paths are resolved against ``folder``.

    Raises
    ------
    ProjectError
        Naming the bad key and value.
    """
    top = _Object(document, "")
    if top.get("format", str) != FORMAT:
        raise _bad("format", top.get("format", str), f"expected {FORMAT!r}")
    version = top.get("version", int)
    if version > VERSION:
        raise ProjectError(
            f"The alignment was written by a newer program (version {version}, this one reads up "
            f"to {VERSION}). Update the program to use it."
        )
    if version != VERSION:
        raise _bad("version", version, f"this program reads version {VERSION}")
    model = _Object(top.get("model", dict), "model.")
    recordings = tuple(
        _recording_from_json(_Object(value, f"recordings[{i}]."), folder)
        for i, value in enumerate(top.get("recordings", list))
    )
    reference = top.get("reference", int)
    if not 0 <= reference < len(recordings):
        raise _bad("reference", reference, f"there are {len(recordings)} recordings")
    maps = []
    for i, value in enumerate(top.get("maps", list)):
        entry = _map_from_json(_Object(value, f"maps[{i}]."))
        if not 0 <= entry.recording < len(recordings) or entry.recording == reference:
            raise _bad(f"maps[{i}].recording", entry.recording, "not another recording's index")
        lengths_s = recordings[reference].duration_s, recordings[entry.recording].duration_s
        maps.append(replace(entry, alignment=replace(entry.alignment, lengths_s=lengths_s)))
    return AlignmentFile(
        reference=reference,
        model_id=model.get("id", str),
        model_name=model.get("name", str),
        recordings=recordings,
        maps=tuple(maps),
    )


def write_alignment(path: Path, file: AlignmentFile) -> Path:
    """Write ``file`` to ``path``, whole or not at all; the folder is made when missing.

    Raises
    ------
    ExportError
        When it cannot be written.
    """
    text = json.dumps(to_json(file, path.parent), ensure_ascii=True, allow_nan=False)
    try:
        write_atomic(path, text + "\n")
    except OSError as error:
        raise ExportError(
            f"The alignment {path} cannot be written: {error.strerror or error}. "
            "Choose another folder or free some space."
        ) from error
    return path


def read_alignment(path: Path) -> AlignmentFile:
    """Read an ``alignment.json``.

    Raises
    ------
    ProjectError
        When it is missing, no JSON, or not of the expected form (naming key and value).
    """
    try:
        text = read_bounded(path, _LARGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise ProjectError(
            f"The alignment {path} cannot be read: {why}. Check the path, or align again."
        ) from error
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
        return from_json(document, path.parent.absolute())
    except (json.JSONDecodeError, RecursionError) as error:
        raise ProjectError(
            f"The alignment {path} is not valid JSON ({error}). Align again to replace it."
        ) from error
    except ProjectError as error:
        raise ProjectError(f"The alignment {path} cannot be used: {error}") from error


def _recording_to_json(entry: RecordingEntry, folder: Path | None) -> dict[str, Any]:
    absolute = Path(os.path.abspath(entry.path))  # noqa: PTH100 - resolve() would follow links
    text = str(absolute)
    if folder is not None:
        try:
            text = os.path.relpath(absolute, os.path.abspath(folder))  # noqa: PTH100
        except ValueError:  # another drive (Windows): no relative path exists
            text = str(absolute)
    return {
        "path": text,
        "fingerprint": entry.fingerprint,
        "duration_s": _rounded(entry.duration_s),
        "frames": int(entry.frames),
    }


def _recording_from_json(value: _Object, folder: Path) -> RecordingEntry:
    frames = value.get("frames", int)
    if frames < 0:
        raise _bad(f"{value.where}frames", frames, "must not be negative")
    path = folder / value.get("path", str)
    return RecordingEntry(
        path=Path(os.path.normpath(path)),
        fingerprint=value.get("fingerprint", str),
        duration_s=value.number("duration_s"),
        frames=frames,
    )


def _map_to_json(entry: AlignmentMap) -> dict[str, Any]:
    alignment = entry.alignment
    return {
        "recording": entry.recording,
        "method": alignment.method,
        "cost": _rounded(alignment.cost),
        "match": _rounded(alignment.match),
        "verdict": alignment.verdict,
        "reason": alignment.reason,
        **({} if alignment.is_stable else {"stable": False}),
        "reference_s": _rounded_list(alignment.reference_s),
        "other_s": _rounded_list(alignment.other_s),
        "confidence": _rounded_list(alignment.confidence),
        "gaps": [[_rounded(a), _rounded(b)] for a, b in alignment.gaps],
        "anchors": [[_rounded(a.reference_s), _rounded(a.other_s)] for a in alignment.anchors],
        "raw": {
            "reference_frame": entry.raw_reference_frames.tolist(),
            "other_frame": entry.raw_other_frames.tolist(),
        },
    }


def _map_from_json(value: _Object) -> AlignmentMap:
    raw = _Object(value.get("raw", dict), f"{value.where}raw.")
    reference_frames = raw.frames("reference_frame")
    other_frames = raw.frames("other_frame")
    if reference_frames.shape != other_frames.shape:
        raise _bad(f"{raw.where}other_frame", len(other_frames), "differs in length")
    verdict = value.get("verdict", str)
    if verdict not in VERDICTS:
        raise _bad(f"{value.where}verdict", verdict, f"must be one of {VERDICTS}")
    try:
        alignment = Alignment(
            method=value.get("method", str),
            cost=value.number("cost"),
            match=value.number("match"),
            verdict=verdict,
            reason=value.get("reason", str),
            reference_s=value.numbers("reference_s"),
            other_s=value.numbers("other_s", null=True),
            confidence=value.numbers("confidence"),
            gaps=value.pairs("gaps"),
            anchors=tuple(Anchor(a, b) for a, b in value.pairs("anchors")),
            raw_reference=reference_frames,
            raw_other=other_frames,
            is_stable=value.get("stable", bool) if "stable" in value else True,
        )
        alignment.time_map  # noqa: B018 - anchors must fit the map
    except ValueError as error:
        raise ProjectError(
            f"the entry {value.where.rstrip('.')} is inconsistent: {error}. Align again."
        ) from error
    return AlignmentMap(value.get("recording", int), alignment, reference_frames, other_frames)


def _rounded(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"only finite numbers can be written, got {number}")
    return round(float(number), _DECIMALS)


def _rounded_list(numbers: Float64) -> list[float | None]:
    return [None if math.isnan(x) else _rounded(x) for x in numbers.tolist()]


def _bad(key: str, value: object, why: str) -> ProjectError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return ProjectError(f"the key {key!r} holds {shown}: {why}. Align again to replace the file.")


def _refuse_constant(name: str) -> float:
    raise ProjectError(f"it holds {name}, which is not a finite number. Align again.")


class _Object:
    """A JSON object read key by key; every error names key and value."""

    def __init__(self, value: Any, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise _bad(where.rstrip(".") or "(top)", value, "expected an object")
        self._value: Mapping[str, Any] = value

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def get(self, key: str, kind: type[Any]) -> Any:
        if key not in self._value:
            raise ProjectError(f"the key {self.where + key!r} is missing. Align again.")
        value = self._value[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _bad(self.where + key, value, f"expected {kind.__name__}")
        return value

    def number(self, key: str) -> float:
        if key not in self._value:
            raise ProjectError(f"the key {self.where + key!r} is missing. Align again.")
        return _number(self._value[key], self.where + key)

    def numbers(self, key: str, *, null: bool = False) -> Float64:
        values: Iterable[Any] = self.get(key, list)
        return np.asarray(
            [
                math.nan if null and x is None else _number(x, f"{self.where}{key}[{i}]")
                for i, x in enumerate(values)
            ],
            dtype=np.float64,
        )

    def pairs(self, key: str) -> tuple[tuple[float, float], ...]:
        found = []
        for i, pair in enumerate(self.get(key, list)):
            where = f"{self.where}{key}[{i}]"
            if not isinstance(pair, list) or len(pair) != 2:
                raise _bad(where, pair, "expected two numbers")
            found.append((_number(pair[0], where), _number(pair[1], where)))
        return tuple(found)

    def frames(self, key: str) -> Int64:
        values = self.get(key, list)
        for i, frame in enumerate(values):
            if not isinstance(frame, int) or isinstance(frame, bool) or not 0 <= frame < 2**53:
                raise _bad(f"{self.where}{key}[{i}]", frame, "expected a frame number")
        return np.asarray(values, dtype=np.int64)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(where, value, "expected a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise _bad(where, value, "the number is too large") from error
    if not math.isfinite(number):
        raise _bad(where, value, "expected a finite number")
    return number
