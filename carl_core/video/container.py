"""Open media files through PyAV: every path, no noise, one clear sentence when it fails."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import av
import av.logging
from av.format import ContainerFormat
from av.stream import Disposition

from carl_core.errors import NoVideoStreamError, UnreadableMediaError
from carl_core.paths import reachable
from carl_core.video.claims import MOST_PIXELS, check_pixels
from carl_core.video.drive import DriveFile
from carl_core.video.info import display_text

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from av.codec.hwaccel import HWAccel
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

_Item = TypeVar("_Item")

# FFmpeg writes to stderr by itself. What matters to a user comes as an exception or a problem.
av.logging.set_level(None)
av.logging.set_libav_level(av.logging.PANIC)

# FFmpeg shows any .txt file as a film of a terminal, and single pictures as films of one frame.
_TEXT_FORMATS = frozenset({"tty"})
_PICTURE_FORMATS = frozenset({"image2", "image2pipe", "ico"})
_PICTURE_SUFFIX = "_pipe"
# These name other files, addresses or devices, which opening them would read.
_POINTING_FORMATS = frozenset(
    "alsa applehttp concat concatf dash fbdev hls imf kmsgrab lavfi oss pulse rtp rtsp sap sdp "
    "v4l2 video4linux2 webm_dash_manifest x11grab xcbgrab".split()
)
_PICTURES_SENTENCE = "To look for a picture in recordings, use it as a search query instead."


@dataclass
class OpenFile:
    """An open container, and the file it is read from."""

    container: InputContainer
    file: DriveFile

    def close(self) -> None:
        """Release the file."""
        self.container.close()
        self.file.close()


def check_file(path: Path) -> os.stat_result:
    """Return the status of a readable, non-empty, ordinary file.

    Raises
    ------
    UnreadableMediaError
        When ``path`` is missing, a folder, empty, no ordinary file, or may not be read.
    """
    name = display_text(path)
    try:
        status = reachable(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableMediaError(
                f"{name} is a folder, not a recording. Name the video files inside it.", path=path
            )
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableMediaError(
                f"{name} is a device or a pipe, not a file. Save the recording to a file first.",
                path=path,
            )
        if status.st_size == 0:
            raise UnreadableMediaError(
                f"{name} is empty (0 bytes). Copy or record the file again.", path=path
            )
        with reachable(path).open("rb"):
            pass
    except FileNotFoundError as exc:
        raise UnreadableMediaError(
            f"{name} does not exist. Check the path, or whether its drive is connected.", path=path
        ) from exc
    except PermissionError as exc:
        raise UnreadableMediaError(
            f"{name} may not be read by this user. Change its permissions or copy it elsewhere.",
            path=path,
        ) from exc
    except (OSError, ValueError) as exc:
        raise cannot_be_read(path, exc) from exc
    return status


def open_container(path: Path, *, hwaccel: HWAccel | None = None) -> OpenFile:
    """Open ``path`` for reading, also when it is no valid text in any encoding.

    Parameters
    ----------
    hwaccel : what is to decode its video, see `carl_core.video.hardware`; None for software

    Raises
    ------
    UnreadableMediaError
        When the file cannot be read, its drive does not answer, or FFmpeg does not know its format.
    Cancelled
        When the work this belongs to was cancelled while the drive did not answer.
    """
    try:
        file = DriveFile(path, check_file)
    except (OSError, ValueError) as exc:
        raise cannot_be_read(path, exc) from exc
    try:
        container = av.open(
            file, "r", metadata_errors="replace", options=safe_options(), hwaccel=hwaccel
        )
    except BaseException as exc:
        file.close()
        if isinstance(exc, av.FFmpegError):
            raise _unreadable(path, exc) from exc
        if isinstance(exc, OSError | ValueError):
            raise cannot_be_read(path, exc) from exc
        raise
    return OpenFile(container, file)


@contextmanager
def ended(items: Iterator[_Item]) -> Iterator[Iterator[_Item]]:
    """Read packets or frames, and end reading when it is left.

    Of one of its generators that goes unfinished PyAV loses a packet, 150 bytes each time.
    """
    try:
        yield items
    finally:
        end(items)


def end(items: Iterator[_Item]) -> None:
    """End one of PyAV's generators; its stubs call them iterators."""
    cast("Generator[_Item]", items).close()


def safe_options() -> dict[str, str]:
    """Return what FFmpeg is told whenever it opens a file of a stranger.

    No format that leads to other files, no protocol but that of files, no immense picture.
    """
    return {
        "protocol_whitelist": "file",
        "format_whitelist": _formats(),
        "max_pixels": str(MOST_PIXELS),
    }


@cache
def _formats() -> str:
    """Every format that can be read and lies in one file, as FFmpeg wants them listed."""
    names = set()
    for name in av.formats_available:
        try:
            names |= set(ContainerFormat(name, "r").name.split(","))
        except ValueError:  # only written
            continue
    return ",".join(sorted(names - _POINTING_FORMATS))


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Hold ``path`` open as a container; see `open_container`."""
    file = open_container(path)
    try:
        yield file.container
    finally:
        file.close()


def is_picture_format(name: str) -> bool:
    """Whether FFmpeg's format of this name holds single pictures."""
    return name.endswith(_PICTURE_SUFFIX) or bool(set(name.split(",")) & _PICTURE_FORMATS)


def is_cover_art(stream: VideoStream) -> bool:
    """Whether a video stream is a picture that belongs to the file, not a recording."""
    flags = Disposition.attached_pic | Disposition.timed_thumbnails
    return bool(stream.disposition & flags)


def recording_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the video stream to use: the first that is no cover art and has a decoder.

    Raises
    ------
    NoVideoStreamError
        When there is none.
    UnreadableMediaError
        When the file is a single picture or text, or nothing can decode its video.
    """
    name = display_text(path)
    formats = set(container.format.name.split(","))
    if formats & _TEXT_FORMATS:
        raise UnreadableMediaError(
            f"{name} is a text file, not a recording. Choose a video file.", path=path
        )
    if is_picture_format(container.format.name):
        raise UnreadableMediaError(
            f"{name} is a picture, not a recording. {_PICTURES_SENTENCE}", path=path
        )
    streams = [stream for stream in container.streams.video if not is_cover_art(stream)]
    if not streams:
        held = ", ".join(sorted({stream.type for stream in container.streams})) or "no"
        held = "sound" if held == "audio" else "cover art" if "video" in held else held
        raise NoVideoStreamError(
            f"{name} holds {held} only and no video, so there is nothing to look at. "
            "Choose a file with a video stream.",
            path=path,
        )
    for stream in streams:
        if has_decoder(stream):
            context = stream.codec_context
            check_pixels(path, context.width, context.height)
            if not context.is_open:
                context.options = {"max_pixels": str(MOST_PIXELS)}
            return stream
    raise UnreadableMediaError(
        f"{name} holds video that nothing here can decode. "
        "Convert the file to H.264 in MP4 with another program.",
        path=path,
    )


def has_decoder(stream: Stream) -> bool:
    """Whether anything here can decode ``stream``."""
    # PyAV's stubs leave out that there may be none.
    context: Any = stream.codec_context
    return context is not None


def codec_name(stream: VideoStream) -> str:
    """Return the name of the coding ("av1"), not of the program that decodes it ("libdav1d")."""
    return str(stream.codec_context.codec.canonical_name)


def is_text(url: str) -> bool:
    """Whether FFmpeg can be given ``url``: paths of undecodable bytes are no text."""
    try:
        url.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(path: Path, exc: Exception) -> UnreadableMediaError:
    name = display_text(path)
    if isinstance(exc, av.InvalidDataError | av.EOFError):
        return UnreadableMediaError(
            f"{name} cannot be opened: it is not a video, or its beginning or index is damaged "
            "or missing (a recording that was cut off ends like this). "
            "Check that it plays elsewhere, or copy it again from the camera.",
            path=path,
        )
    if isinstance(exc, av.ArgumentError | av.PermissionError):
        # What FFmpeg says of a format that is not on the list, and of a list it may not follow.
        return UnreadableMediaError(
            f"{name} cannot be opened: it is no recording, or a list that names other files or "
            "addresses (a playlist, a manifest), and those are not followed. "
            "Open the recordings themselves.",
            path=path,
        )
    return cannot_be_read(path, exc)


def cannot_be_read(path: Path, exc: Exception) -> UnreadableMediaError:
    """Return the error for a file that the system does not let be read."""
    reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    return UnreadableMediaError(
        f"{display_text(path)} cannot be read: {reason}. "
        "Check the file and its drive, then try again.",
        path=path,
    )
