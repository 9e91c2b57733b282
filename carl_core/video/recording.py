"""A recording: one file's video stream, with the time of every frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from carl_core.video.info import VideoInfo, display_text

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.progress import Monitor
    from carl_core.timebase import FrameIndex


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording. Equal when the file's content is equal.

    Attributes
    ----------
    id : first 16 hex digits of the fingerprint
    path : where the file is
    fingerprint : 32 hex digits, xxh3-128 over the size and 64 evenly spaced 64 KiB blocks
    info : what is in the file
    index : presentation timestamp of every frame a full decode presents
    is_counted : whether the file stores no timestamps, so that frames are found by counting
    """

    id: str
    path: Path = field(compare=False)
    fingerprint: str
    info: VideoInfo = field(compare=False)
    index: FrameIndex = field(compare=False)
    is_counted: bool = field(default=False, compare=False)

    @property
    def name(self) -> str:
        """File name for display; bytes that are no text are replaced."""
        return display_text(self.path.name)


def open_recording(path: str | Path, *, monitor: Monitor | None = None) -> Recording:
    """Open a video file and index its frames.

    Sound files are indexed by demuxing alone (the time it takes to read the file once). Where
    that cannot be trusted (missing or doubled timestamps, edit lists, damage), and for small
    files, the whole file is decoded once to find out exactly which frames there are.

    Raises
    ------
    UnreadableMediaError
        When the file is missing, empty, corrupt, not a video, or holds no frame to decode.
    NoVideoStreamError
        When it opens but holds no video.
    Cancelled
        When ``monitor`` was cancelled.
    """
    raise NotImplementedError
