"""Small pictures of what a search found, and of the second before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.models.searching import MIDDLE, SCRUB_S
from app.models.viewstate import Thumbnail
from carl_core.video.reader import FrameReader

if TYPE_CHECKING:
    from app.jobs import Job
    from carl_core.video.recording import Recording

PICTURE_HEIGHT = 160


@dataclass(frozen=True, slots=True, eq=False)
class MatchPicture:
    """Picture ``part`` of the strip of the moment at ``position``."""

    position: int
    part: int
    thumbnail: Thumbnail


def send_pictures(
    job: Job[None], moments: list[tuple[str, float]], recordings: list[Recording]
) -> None:
    """Decode the moments (recording id, seconds), then what is around them.

    For a worker's thread.
    """
    beside = tuple(part for part in range(len(SCRUB_S)) if part != MIDDLE)
    for parts in ((MIDDLE,), beside):
        for recording in recordings:
            _send(job, moments, recording, parts)


def _send(
    job: Job[None],
    moments: list[tuple[str, float]],
    recording: Recording,
    parts: tuple[int, ...],
) -> None:
    index = recording.index
    wanted: dict[int, list[tuple[int, int]]] = {}
    for position, (recording_id, time_s) in enumerate(moments):
        if recording_id != recording.id:
            continue
        for part in parts:
            at_s = time_s + SCRUB_S[part]
            if 0 <= at_s < index.duration_s:
                wanted.setdefault(index.frame_shown_at(at_s), []).append((position, part))
    if not wanted:
        return
    width = max(2, round(PICTURE_HEIGHT * recording.info.width / recording.info.height))
    with FrameReader(recording, size=(width, PICTURE_HEIGHT), threads=1) as reader:
        for found in reader.frames_at(sorted(wanted)):
            job.monitor.check()
            for position, part in wanted[found.index]:
                job.send(MatchPicture(position, part, Thumbnail(found.time_s, found.pixels)))
