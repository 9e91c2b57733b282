"""What is wrong with a recording's file, in whole sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from carl_core.video.claims import missing_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

    from carl_core.timebase import FrameIndex
    from carl_core.video.packets import PacketTable

# A file whose header promises this much more than it holds was cut off.
_MISSING_S = 1.0


def cut_off_problems(
    table: PacketTable, container: InputContainer, stream: VideoStream
) -> list[str]:
    """Say so when the file holds less than its own tables promise."""
    if table.failure is not None:
        return [
            f"The file can be read only up to its picture number {len(table)} ({table.failure}); "
            "what comes after is missing."
        ]
    # Only MP4 and MOV list every picture; the lists of others are for seeking.
    if "mov" in container.format.name:
        listed = len(stream.index_entries)
        if listed > len(table):
            return [
                f"The file lists {listed} pictures but holds only {len(table)}: it was cut off, "
                "and what comes after is missing."
            ]
        return []
    announced = container.duration
    if announced is None or table.last_end_s is None or "mpeg" in container.format.name:
        return []
    start_s = (container.start_time or 0) / av.time_base
    missing_s = announced / av.time_base - (table.last_end_s - start_s)
    if missing_s > _MISSING_S:
        return [
            f"The file announces {announced / av.time_base:.1f} s but ends {missing_s:.1f} s "
            "earlier: it was cut off, and what comes after is missing."
        ]
    return []


def missing_problems(path: Path) -> list[str]:
    """Say so when the file is shorter than its outermost parts announce."""
    try:
        missing = missing_bytes(path)
    except OSError:  # reading it will say why
        return []
    if not missing:
        return []
    return [
        f"The file announces {missing:,} more bytes than it has: it was cut off, and what comes "
        "after is missing."
    ]


def decoding_problems(
    table: PacketTable,
    pts: Sequence[int | None],
    index: FrameIndex,
    *,
    errors: int,
    damaged: int,
    is_counted: bool,
) -> list[str]:
    """Say which pictures a decode of the whole file could not present.

    Parameters
    ----------
    pts : what was presented, in the decoder's order
    errors, damaged : packets that could not be decoded at all, frames only in part
    """
    problems = []
    known = {tick for tick in pts if tick is not None}
    lost = [tick for tick in table.presented_pts if tick not in known]
    missing = len(lost) if not is_counted else len(table) - len(pts)
    if missing > 0 and (errors or "damaged packets" in table.doubts):
        where = ""
        if lost and not is_counted:
            time_s = max(0.0, float((lost[0] - int(index.pts[0])) * index.time_base))
            where = f", the first at {time_s:.2f} s"
        problems.append(
            f"{missing} of {counted(len(table), 'picture')} cannot be decoded because the file is "
            f"damaged{where}; the recording is shown without."
        )
    elif missing > 0 and not is_counted:
        problems.append(
            f"{missing} of {counted(len(table), 'stored picture')} give no frame when decoded; "
            "the recording is shown without."
        )
    if damaged:
        problems.append(
            f"{counted(damaged, 'frame')} could be decoded only in part and may look wrong."
        )
    if is_counted:
        stored = "no timestamps" if not known else "timestamps that are not in order"
        problems.append(
            f"The file stores {stored}; frames are found by counting from the beginning, "
            "so that jumps are slow. Convert it to MP4 to speed it up."
        )
    return problems


def counted(number: int, noun: str) -> str:
    """Return "1 frame", "2 frames"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
