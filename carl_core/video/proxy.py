"""Small copies of recordings with a key frame every half second, for dragging through them.

A jump in a recording costs as many frames as lie between it and the key frame before, in a copy of
480 lines with a short group at most fifteen small ones. A copy has the same frames at the same
times, and is only ever shown as a preview: what stays on the screen is the recording's own frame.
"""

from __future__ import annotations

import logging
import os
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from carl_core.errors import MediaError
from carl_core.paths import make_private
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from carl_core.video.writer import VideoWriter

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording

_log = logging.getLogger("carl.video")

LINES = 480
GROUP = 15
LIMIT_BYTES = 4_000_000_000
"""Of all copies together; those not used for longest go first. An hour takes about 0.5 GB."""


class ProxyStore:
    """A folder of small copies, named after what they are copies of.

    Parameters
    ----------
    folder : made when it is needed
    limit_bytes : of all copies together; the one made last stays whatever its size
    """

    def __init__(self, folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes

    def find(self, recording: Recording) -> Recording | None:
        """Return the copy of a recording; None when there is none, or none of the same frames."""
        path = self._path(recording.fingerprint)
        if not path.exists():
            return None
        try:
            copy = open_recording(path, provisional=True)
        except MediaError as exc:
            _log.warning("the small copy of %s cannot be used: %s", recording.name, exc)
            path.unlink(missing_ok=True)
            return None
        if not has_same_times(copy, recording):
            _log.info("%s: its small copy has other frames, so it goes", recording.name)
            path.unlink(missing_ok=True)
            return None
        os.utime(path)
        return copy

    def make(self, recording: Recording, *, monitor: Monitor | None = None) -> Recording | None:
        """Return the copy of a recording, made where there is none yet.

        None where it would have other frames than the recording, which then is seen without.

        Raises
        ------
        MediaError, ExportError, Cancelled
        OSError
            When the folder cannot be made.
        """
        found = self.find(recording)
        if found is not None:
            return found
        make_private(self.folder)
        index, info = recording.index, recording.info
        height = max(2, min(LINES, info.height) // 2 * 2)
        size = (max(2, round(info.width * height / info.height / 2) * 2), height)
        if monitor is not None:
            monitor.start(f"copying {recording.name} small", len(index), "frames")
        rate = Fraction(len(index)) / Fraction(index.duration_s).limit_denominator(1_000_000)
        path = self._path(recording.fingerprint)
        with (
            # One thread: whatever the user waits for goes first.
            FrameReader(recording, size=size, threads=1) as reader,
            VideoWriter(
                path, size=size, rate=rate, time_base=index.time_base, group=GROUP
            ) as writer,
        ):
            for frame in reader.frames_at(range(len(index))):
                writer.write(frame.pixels, tick=int(index.pts[frame.index] - index.pts[0]))
                if monitor is not None:
                    monitor.advance()
        self.prune()
        return self.find(recording)

    def forget(self, fingerprint: str) -> int:
        """Remove the copy of a recording; return the bytes that are free now."""
        path = self._path(fingerprint)
        size = path.stat().st_size if path.exists() else 0
        path.unlink(missing_ok=True)
        return size

    def prune(self) -> None:
        """Remove those not used for longest until the others keep the limit."""
        kept = 0
        for number, path in enumerate(sorted(self._files(), key=_last_used, reverse=True)):
            kept += path.stat().st_size
            if kept > self.limit_bytes and number > 0:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all copies."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def size_bytes(self) -> int:
        """Bytes of all copies together."""
        return sum(path.stat().st_size for path in self._files())

    def _path(self, fingerprint: str) -> Path:
        return self.folder / f"{fingerprint}.mp4"

    def _files(self) -> list[Path]:
        return list(self.folder.glob("*.mp4")) if self.folder.is_dir() else []


def is_worthwhile(recording: Recording) -> bool:
    """Whether jumps in a recording are slow: there are long ways from one key frame to the next."""
    keys = np.flatnonzero(recording.index.is_key)
    ends = np.append(keys, len(recording.index))
    return len(keys) == 0 or bool(np.diff(ends).max() > 2 * GROUP)


def has_same_times(copy: Recording, recording: Recording) -> bool:
    """Whether two recordings have as many frames, at exactly the same times from the first one."""
    ours, theirs = copy.index, recording.index
    if len(ours) != len(theirs):
        return False
    ratio = Fraction(ours.time_base / theirs.time_base)
    return bool(
        np.array_equal(
            (ours.pts - ours.pts[0]) * ratio.numerator,
            (theirs.pts - theirs.pts[0]) * ratio.denominator,
        )
    )


def _last_used(path: Path) -> int:
    return path.stat().st_mtime_ns
