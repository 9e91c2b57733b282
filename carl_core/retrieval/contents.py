"""What a library says it holds: ``index.json``, the segments and the recordings in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from carl_core.retrieval.cells import CellsMeta
from carl_core.retrieval.seals import Seal, seals_from_json, seals_to_json
from carl_core.retrieval.segment import FILES, Part

_FORMAT, _VERSION = "carl-library", 2


class DamagedContentsError(Exception):
    """The text is not what we write (inside this package only)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment as ``index.json`` names it.

    Attributes
    ----------
    name : of its folder
    parts : recordings in order of their rows
    seals : of its files
    cells : None = it has none
    """

    name: str
    parts: tuple[Part, ...]
    seals: dict[str, Seal] = field(hash=False)
    cells: CellsMeta | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(part.count for part in self.parts)


@dataclass(frozen=True, slots=True)
class Contents:
    """All segments; ``dim`` is that of the vectors, 0 where there are none."""

    dim: int = 0
    entries: tuple[Entry, ...] = ()


def contents_to_json(contents: Contents, model_id: str) -> dict[str, Any]:
    """Return the document."""
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "model": model_id,
        "dim": contents.dim,
        "segments": [
            {
                "name": entry.name,
                "parts": [[p.fingerprint, p.sampling, p.count] for p in entry.parts],
                "files": seals_to_json(entry.seals),
                "cells": _cells_to_json(entry.cells),
            }
            for entry in contents.entries
        ],
    }


def contents_from_json(document: Any, model_id: str) -> Contents:
    """Read the document. Raises ``DamagedContentsError``."""
    try:
        if (document["format"], document["version"]) != (_FORMAT, _VERSION):
            raise DamagedContentsError("it is of another format")
        if document["model"] != model_id:
            raise DamagedContentsError("it belongs to another encoder")
        entries = tuple(_entry_from_json(one) for one in document["segments"])
        return Contents(int(document["dim"]), entries)
    except (
        ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError,
    ) as error:  # fmt: skip
        raise DamagedContentsError(repr(error)) from error


def _entry_from_json(one: Any) -> Entry:
    name = str(one["name"])
    if re.fullmatch(r"segment-[0-9]{1,9}", name) is None:
        raise ValueError(f"{name!r} is no segment")
    parts: list[Part] = []
    for fingerprint, sampling, count in one["parts"]:
        start = parts[-1].stop if parts else 0
        if int(count) < 1:
            raise ValueError(f"{count} rows")
        parts.append(Part(str(fingerprint), str(sampling), start, int(count)))
    seals = seals_from_json(one["files"])
    if seals.keys() != FILES.keys() or not parts:
        raise ValueError(f"{name} lacks files or recordings")
    return Entry(name, tuple(parts), seals, _cells_from_json(one["cells"]))


def _cells_to_json(cells: CellsMeta | None) -> dict[str, Any] | None:
    if cells is None:
        return None
    return {
        "count": cells.count,
        "probes": cells.probes,
        "recall": cells.recall,
        "files": seals_to_json(cells.seals),
    }


def _cells_from_json(one: Any) -> CellsMeta | None:
    if one is None:
        return None
    count, probes = int(one["count"]), int(one["probes"])
    if not 1 <= probes <= count:
        raise ValueError(f"{probes} of {count} cells")
    return CellsMeta(count, probes, float(one["recall"]), seals_from_json(one["files"]))
