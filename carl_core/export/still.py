"""One moment of all recordings as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carl_core.errors import ExportError
from carl_core.export.page import Absent, Cell, Page
from carl_core.video.image import write_png
from carl_core.video.reader import FrameReader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from carl_core.export.options import RenderOptions
    from carl_core.playback.schedule import Schedule
    from carl_core.video.reader import Frame


def write_still(
    path: Path,
    schedule: Schedule,
    time_s: float,
    options: RenderOptions,
    *,
    frames: Mapping[str, int | None] | None = None,
) -> Path:
    """Write what the video of these options shows at master time ``time_s``, as PNG.

    Parameters
    ----------
    frames : number of the frame to show of each recording, by id, None = no counterpart; left out,
        those of ``schedule``

    Raises
    ------
    ExportError
        When the file cannot be written, or the view needs two recordings and there is one.
    MediaError
        When a recording cannot be decoded.
    """
    recordings = schedule.recordings
    if len(recordings) < 2 and options.layout not in ("side", "grid"):
        raise ExportError(f"The view “{options.layout}” needs two recordings. Add another one.")
    page = Page(recordings, options)
    if frames is None:
        found = schedule.frames_along([time_s], options.nudges)
        frames = {k: int(v[0]) if v[0] >= 0 else None for k, v in found.items()}
    cells = []
    for number, recording in enumerate(recordings):
        shown: Frame | Absent = Absent(None)
        frame = frames[recording.id]
        if frame is not None:
            with FrameReader(recording, size=page.cell_size(number)) as reader:
                shown = reader.frame_at(frame)
        cells.append(Cell(recording, shown, schedule.rate_of(recording.id, time_s)))
    write_png(path, page.draw(cells))
    return path
