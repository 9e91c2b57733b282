"""The alignment as a table: one row per frame of the reference."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from carl_core.atomic import replacing
from carl_core.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.playback.schedule import Schedule


def write_table(path: Path, schedule: Schedule) -> Path:
    """Write ``alignment.csv``: frame number, pts and seconds of every recording.

    One row per frame of the reference; the columns of a recording are empty where it has no
    counterpart. Recordings are numbered as in the alignment file, 0 = reference.

    Raises
    ------
    ExportError
        When the file cannot be written.
    """
    index = schedule.reference.index
    frames = schedule.frames_along(index.times_s)
    header: list[str] = []
    for number in range(len(schedule.recordings)):
        header += [f"frame_{number}", f"pts_{number}", f"time_s_{number}"]
    try:
        with (
            replacing(path) as partial,
            partial.open("w", newline="", encoding="utf-8") as out,
        ):
            writer = csv.writer(out)
            writer.writerow(header)
            for row in range(len(index)):
                cells: list[str] = []
                for recording in schedule.recordings:
                    frame = row if recording is schedule.reference else frames[recording.id][row]
                    if frame < 0:
                        cells += ["", "", ""]
                        continue
                    own = recording.index
                    cells += [str(frame), str(own.pts[frame]), f"{own.times_s[frame]:.6f}"]
                writer.writerow(cells)
    except OSError as error:
        raise ExportError(
            f"The table {path} cannot be written: {error.strerror or error}. "
            "Choose another folder or free some space."
        ) from error
    return path
