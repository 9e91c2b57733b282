"""What a file from a stranger may claim before anything is made to hold it.

A few bytes of a header can ask for a picture of 10 billion pixels or a list of a billion frames.
FFmpeg makes room for what is claimed; here it is compared with the file first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from carl_core.errors import UnreadableMediaError
from carl_core.video.drive import DriveFile
from carl_core.video.info import display_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_PIXELS = 2**27
"""Of one picture: 16,384 x 8,192, above any camera's film. FFmpeg's own limit is twice that, and a
decoder may hold dozens of pictures."""

_HEADER = 8
_LONG_HEADER = 16
_BOXES = frozenset(b"ftyp moov moof mdat free skip wide pnot styp sidx uuid".split())
_LOOKED_AT_BOXES = frozenset(b"hdlr stsz trun".split())
_HOLDERS = frozenset(b"moov trak mdia minf stbl moof traf".split())
# Bytes of a table, or of a track's kind, that are looked at; what is shorter is FFmpeg's to refuse.
_LOOKED_AT = 12
_MOST_BOXES = 1_000_000
# Matroska: the first bytes of a file and of what holds everything else, which comes soon.
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_MOST_HEAD = 4096


def check_pixels(path: Path, width: int, height: int) -> None:
    """Refuse pictures that are too large to decode.

    Raises
    ------
    UnreadableMediaError
        When ``width`` times ``height`` is more than ``MOST_PIXELS``.
    """
    if width * height > MOST_PIXELS:
        raise UnreadableMediaError(
            f"{display_text(path)} claims pictures of {width:,} x {height:,} pixels, and more than "
            f"{MOST_PIXELS / 1e6:.0f} million are not decoded. If that is its true size, make a "
            "smaller copy with another program.",
            path=path,
        )


def check_frames(path: Path, size: int) -> None:
    """Refuse an MP4 or MOV whose tables claim more samples than it has bytes.

    Reads the headers of its boxes, not what they hold.

    Parameters
    ----------
    size : of the file, bytes

    Raises
    ------
    UnreadableMediaError
        When it does.
    OSError
        When it cannot be read.
    """
    with DriveFile(path) as file:
        head = file.read(_HEADER)
        if head[4:] not in _BOXES:
            return
        claimed = 0
        for kind, count in _sample_counts(file, 0, size):
            # Fragments add up; a table of a track stands for itself.
            claimed = claimed + count if kind == b"trun" else max(claimed, count)
            if claimed > size:
                raise UnreadableMediaError(
                    f"{display_text(path)} claims {claimed:,} frames and has {size:,} bytes: its "
                    "index is damaged or made to do harm. Copy it again from the camera.",
                    path=path,
                )


def _sample_counts(file: DriveFile, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Walk through the boxes; yield what each table of samples claims."""
    waiting, is_sound = [(start, end)], False
    for _ in range(_MOST_BOXES):
        if not waiting:
            return
        start, end = waiting.pop()
        if start + _HEADER > end:
            continue
        file.seek(start)
        header = file.read(_LONG_HEADER)
        if len(header) < _HEADER:
            continue
        length, kind, begin = int.from_bytes(header[:4], "big"), header[4:8], _HEADER
        if length == 1 and len(header) == _LONG_HEADER:
            length, begin = int.from_bytes(header[8:], "big"), _LONG_HEADER
        elif length == 0:
            length = end - start
        if length < begin:
            continue
        waiting.append((start + length, end))
        if kind in _HOLDERS:
            waiting.append((start + begin, min(end, start + length)))
        elif kind in _LOOKED_AT_BOXES:
            file.seek(start + begin)
            fields = file.read(_LOOKED_AT)
            if len(fields) < _LOOKED_AT:
                continue
            if kind == b"hdlr":
                if fields[4:8] != b"dhlr":  # that says how the data is stored, not what it is
                    is_sound = fields[8:12] == b"soun"
            elif kind == b"trun":
                yield kind, int.from_bytes(fields[4:8], "big")
            elif not is_sound or not int.from_bytes(fields[4:8], "big"):
                # NOTE: plain sound has one sample of a fixed size for each moment and is read in
                # blocks; a file that was cut off may well list more of them than it has bytes.
                yield kind, int.from_bytes(fields[8:12], "big")


def missing_bytes(path: Path) -> int:
    """Return how many bytes the outermost parts of a file announce beyond its end.

    For Matroska, AVI and fragmented MP4; 0 where nothing is missing, or where a file does not say.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    with DriveFile(path) as file:
        size = file.size
        head = file.read(_HEADER)
        if head[4:] in _BOXES:
            end = _end_of_boxes(file, size)
        elif head[:4] == b"RIFF":
            end = _end_of_chunks(file, size)
        elif head[:4] == _EBML:
            end = _end_of_segment(file, size)
        else:
            return 0
    return max(0, end - size)


def _end_of_boxes(file: DriveFile, size: int) -> int:
    place = 0
    for _ in range(_MOST_BOXES):
        file.seek(place)
        header = file.read(_LONG_HEADER)
        if len(header) < _HEADER:
            break
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        if length < _HEADER:  # 0: to the end of the file; else damaged
            return size
        place += length
        if place > size:
            break
    return place


def _end_of_chunks(file: DriveFile, size: int) -> int:
    """Long AVI files are several RIFF chunks in a row."""
    place = 0
    for _ in range(_MOST_BOXES):
        file.seek(place)
        header = file.read(_HEADER)
        if len(header) < _HEADER or header[:4] != b"RIFF":
            break
        length = int.from_bytes(header[4:], "little")
        if length == 0:  # not filled in: the recording was never finished
            return size
        place += _HEADER + length + length % 2
        if place > size:
            break
    return place if place - size != 1 else size  # a missing last byte of padding harms nobody


def _end_of_segment(file: DriveFile, size: int) -> int:
    file.seek(0)
    head = file.read(_MOST_HEAD)
    place = head.find(_SEGMENT)
    if place < 0 or place + 12 > len(head):
        return size
    first = head[place + 4]
    width = 9 - first.bit_length()
    if width > _HEADER:
        return size
    length = int.from_bytes(head[place + 4 : place + 4 + width], "big") & ((1 << 7 * width) - 1)
    if length == (1 << 7 * width) - 1:  # not known when it was written
        return size
    return place + 4 + width + length
