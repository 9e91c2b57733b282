"""A recording: one file's video stream, with the time of every frame."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from carl_core.errors import UnreadableMediaError
from carl_core.paths import reachable
from carl_core.video.claims import check_frames
from carl_core.video.container import (
    cannot_be_read,
    check_file,
    codec_name,
    has_decoder,
    opened,
    recording_stream,
)
from carl_core.video.display import colour_of, geometry_of
from carl_core.video.drive import DriveFile, no_answer
from carl_core.video.index import StreamIndex, index_listed, index_stream
from carl_core.video.info import VideoInfo, display_text
from carl_core.video.timecode import written_timecode
from carl_core.waiting import answered

if TYPE_CHECKING:
    import os

    from av.container import InputContainer
    from av.video.stream import VideoStream

    from carl_core.progress import Monitor
    from carl_core.timebase import FrameIndex

SETTLE_S = 0.25
"""How long a file that was changed a moment ago is watched; recorders write more often."""
_JUST_NOW_S = 2.0
_GROWING = (
    "The file is still being written: what came until now is used. Open it again when it is done."
)
_BLOCKS = 64
_BLOCK_BYTES = 64 * 1024


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
    threads : that decoding may use: 0 for one a core, 1 where damage makes threads lose frames
    size : of the file when it was opened, bytes; 0 = not known
    is_exact : whether the whole file was looked at. If not, ``index`` is the file's own table of
        frames: right for a sound file, and good for looking at it; nothing that is kept may be
        made from it
    """

    id: str
    path: Path = field(compare=False)
    fingerprint: str
    info: VideoInfo = field(compare=False)
    index: FrameIndex = field(compare=False)
    is_counted: bool = field(default=False, compare=False)
    threads: int = field(default=0, compare=False)
    is_exact: bool = field(default=True, compare=False)
    size: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        """File name for display; bytes that are no text are replaced."""
        return display_text(self.path.name)


def open_recording(
    path: str | Path, *, monitor: Monitor | None = None, provisional: bool = False
) -> Recording:
    """Open a video file and index its frames.

    Sound files are indexed by demuxing alone (the time it takes to read the file once). Where
    that cannot be trusted (missing or doubled timestamps, edit lists, damage), and for small
    files, the whole file is decoded once to find out exactly which frames there are.

    Parameters
    ----------
    provisional : be content with the table of frames that a long MP4 or MOV carries, which takes
        a moment however long it is; ``is_exact`` says whether that was so. Open the file once more
        for the exact recording.

    Raises
    ------
    UnreadableMediaError
        When the file is missing, empty, corrupt, not a video, or holds no frame to decode.
    NoVideoStreamError
        When it opens but holds no video.
    Cancelled
        When ``monitor`` was cancelled.
    """
    path = Path(path)
    status = _first_look(path)
    try:
        fingerprint = _checked(path, status.st_size)
        listed = index_listed(path) if provisional else None
        found = listed or index_stream(path, monitor)
        with opened(path) as container:
            stream = recording_stream(container, path)
            info = _describe(container, stream, found)
    except UnreadableMediaError as exc:
        if not _is_growing(path, status):
            raise
        raise UnreadableMediaError(
            f"{display_text(path)} is still being written, and cannot be read before that is done. "
            "Open it again then.",
            path=path,
        ) from exc
    if _is_growing(path, status):
        info = replace(info, problems=(*info.problems, _GROWING))
    return Recording(
        id=fingerprint[:16],
        path=path,
        fingerprint=fingerprint,
        info=info,
        index=found.index,
        is_counted=found.is_counted,
        threads=found.threads,
        is_exact=listed is None,
        size=status.st_size,
    )


def _first_look(path: Path) -> os.stat_result:
    """Check that there is a file and that its drive answers."""

    def look() -> os.stat_result:
        status = check_file(path)
        with reachable(path).open("rb") as file:
            file.read(1)
        return status

    try:
        return answered(look, about=path)
    except TimeoutError as exc:
        raise no_answer(path) from exc
    except OSError as exc:
        raise cannot_be_read(path, exc) from exc


def _is_growing(path: Path, before: os.stat_result) -> bool:
    """Whether somebody still writes the file: it grew, or was changed just now and grows soon."""
    try:
        now = answered(reachable(path).stat, about=path)
        if now.st_size == before.st_size and abs(time.time() - now.st_mtime) < _JUST_NOW_S:
            time.sleep(SETTLE_S)
            now = answered(reachable(path).stat, about=path)
    except OSError:  # gone: what reads it will say so
        return False
    return now.st_size != before.st_size


def _checked(path: Path, size: int) -> str:
    """Return the fingerprint of a file that claims no more than it can hold."""
    try:
        check_frames(path, size)
        return fingerprint_of(path, size)
    except OSError as exc:  # a drive that fails, or was taken away just now
        raise cannot_be_read(path, exc) from exc


def fingerprint_of(path: Path, size: int) -> str:
    """Return 32 hex digits that tell files apart: xxh3-128 of the size and 64 blocks of 64 KiB.

    Of a file that is larger than ``size``, that of its beginning.

    The blocks lie evenly spaced, the first at the beginning, the last at the end; files that are
    not larger are hashed whole. Reads 4 MiB at most.
    """
    digest = xxhash.xxh3_128(size.to_bytes(8, "little"))
    with DriveFile(path) as file:
        if size <= _BLOCKS * _BLOCK_BYTES:
            digest.update(file.read(size))
        else:
            for block in range(_BLOCKS):
                file.seek(block * (size - _BLOCK_BYTES) // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK_BYTES))
    return str(digest.hexdigest())


def begins_with(path: Path, size: int, fingerprint: str) -> bool:
    """Whether a file has grown from another: it begins with what that was. Raises ``OSError``."""
    if not 0 < size < reachable(path).stat().st_size:
        return False
    return fingerprint_of(path, size) == fingerprint


def _describe(container: InputContainer, stream: VideoStream, found: StreamIndex) -> VideoInfo:
    geometry = geometry_of(found.first, stream.sample_aspect_ratio)
    colour = colour_of(found.first)
    width, height = geometry.display_size(found.first.width, found.first.height)
    problems = list(found.problems)
    sound = container.streams.audio[0] if container.streams.audio else None
    audio = None
    if sound is not None and not has_decoder(sound):
        problems.append("The sound is stored in a form that cannot be decoded; it is left out.")
    elif sound is not None:
        audio = str(sound.codec_context.codec.canonical_name)
    return VideoInfo(
        codec=codec_name(stream),
        width=width,
        height=height,
        coded_width=found.first.width,
        coded_height=found.first.height,
        rotation=geometry.rotation,
        mirrored=geometry.mirrored,
        sar=geometry.sar,
        frames=len(found.index),
        duration_s=found.index.duration_s,
        vfr=found.index.is_variable,
        first_pts=int(found.index.pts[0]),
        time_base=found.index.time_base,
        audio=audio,
        is_hdr=colour.is_hdr,
        is_interlaced=found.is_interlaced,
        colour=str(colour),
        problems=tuple(problems),
        timecode=written_timecode(container, stream),
    )
