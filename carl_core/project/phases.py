"""How long phases of the same name last in each recording."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.project.project import Marker


@dataclass(frozen=True, slots=True)
class Lasting:
    """One phase in one recording, seconds of its own.

    Attributes
    ----------
    share : of all phases of the recording, 0..1
    ratio : to the same phase of the reference, None where that has none or it lasts no time
    is_derived : carried over, not marked there
    """

    start_s: float
    length_s: float
    share: float
    ratio: float | None
    is_derived: bool


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """A phase (the n-th of its name) in every recording; None where it is not marked."""

    name: str
    cells: tuple[Lasting | None, ...]


def phase_table(markers: Sequence[Marker], recordings: Sequence[str]) -> tuple[PhaseRow, ...]:
    """Compare phases; the first of ``recordings`` is the reference. Moments are no phases.

    Phases of one name are told apart by their order. Rows stand in the order in which the phases
    begin in the first recording that has them.
    """
    placed: dict[tuple[str, int], dict[str, Marker]] = {}
    sums: dict[str, float] = {}
    for recording in recordings:
        spans = [m for m in markers if m.recording == recording and m.end is not None]
        seen: dict[str, int] = {}
        for marker in sorted(spans, key=lambda m: m.start.time_s):
            number = seen.get(marker.name, 0)
            seen[marker.name] = number + 1
            placed.setdefault((marker.name, number), {})[recording] = marker
            sums[recording] = sums.get(recording, 0.0) + marker.end_s - marker.start.time_s
    rows = []
    for (name, number), by_recording in placed.items():
        base = by_recording.get(recordings[0])
        base_s = base.end_s - base.start.time_s if base is not None else 0.0
        cells: list[Lasting | None] = []
        for recording in recordings:
            one = by_recording.get(recording)
            if one is None:
                cells.append(None)
                continue
            length_s = one.end_s - one.start.time_s
            whole_s = sums[recording]
            cells.append(
                Lasting(
                    one.start.time_s,
                    length_s,
                    length_s / whole_s if whole_s > 0 else 0.0,
                    length_s / base_s if base_s > 0 else None,
                    bool(one.derived_from),
                )
            )
        is_repeated = (name, 1) in placed
        rows.append(PhaseRow(f"{name} {number + 1}" if is_repeated else name, tuple(cells)))
    return tuple(rows)


def phases_csv(rows: Sequence[PhaseRow], names: Sequence[str]) -> str:
    """Write the table: one line per phase and recording, seconds with 6 decimals."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ("phase", "recording", "start_s", "length_s", "share", "ratio_to_reference", "derived")
    )
    for row in rows:
        for name, cell in zip(names, row.cells, strict=True):
            if cell is not None:
                ratio = "" if cell.ratio is None else f"{cell.ratio:.6f}"
                numbers = (f"{cell.start_s:.6f}", f"{cell.length_s:.6f}", f"{cell.share:.6f}")
                writer.writerow((row.name, name, *numbers, ratio, int(cell.is_derived)))
    return out.getvalue()
