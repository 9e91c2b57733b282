"""The table of frames that an MP4 or MOV file carries, read without reading the frames.

FFmpeg keeps decoding times, positions and key flags of that table, with edit lists applied. What it
does not give away is by how much each frame is presented later than decoded; the file says that in
one box of its own (``ctts``, ISO/IEC 14496-12). Packets from the beginning, the middle and the end
are compared with the result.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import av
import numpy as np

from carl_core.video.claims import missing_bytes
from carl_core.video.container import ended
from carl_core.video.drive import DriveFile
from carl_core.video.packets import PacketTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

    from carl_core.arrays import Bool, Int64

_log = logging.getLogger("carl.video")

# Packets compared at each of the places.
_COMPARED = 16
_FULL_BOX = 4
_HEADER = 8
_LONG_HEADER = 16


def read_listing(path: Path, container: InputContainer, stream: VideoStream) -> PacketTable | None:
    """Return what the file's own table says of each packet; None where there is none to trust."""
    if "mov" not in container.format.name:
        return None
    entries = stream.index_entries
    try:
        delays = _presentation_delays(path, stream.id)
        size = container.size
        is_whole = not missing_bytes(path)
    except (OSError, ValueError) as exc:
        _log.debug("the table of frames cannot be read: %s", exc)
        return None
    count = len(entries)
    if count <= 3 * _COMPARED or not is_whole or (len(delays) and len(delays) != count):
        return None
    if entries[count - 1].pos + entries[count - 1].size > size:
        return None
    if not len(delays):
        delays = np.zeros(count, dtype=np.int64)
    dts, is_key, is_gone = (
        np.array(column)
        for column in zip(
            *((e.timestamp, e.is_keyframe, e.is_discard) for e in entries), strict=True
        )
    )
    if np.any(np.diff(dts) <= 0):
        return None
    table = _compared(container, stream, dts, is_key, dts + delays)
    if table is not None:
        table.is_discarded = is_gone.tolist()
        table.note_doubts()
    return table


def _compared(
    container: InputContainer, stream: VideoStream, dts: Int64, is_key: Bool, pts: Int64
) -> PacketTable | None:
    """Return the table, its presentation times moved to where the packets have them.

    None where a packet says something else than the table.
    """
    shift: int | None = None
    number, last_duration = 0, 0
    for place in (0, len(dts) // 2, len(dts) - _COMPARED):
        try:
            container.seek(int(dts[place]), stream=stream, any_frame=True)
            with ended(container.demux(stream)) as packets:
                for _ in range(2 * _COMPARED):
                    packet = next(packets)
                    if packet.dts is None and packet.size == 0:
                        break
                    # Where a seek lands is the demuxer's affair.
                    number = int(np.searchsorted(dts, packet.dts or 0))
                    if number == len(dts) or packet.pts is None or packet.dts != dts[number]:
                        return None
                    if shift is None:
                        shift = packet.pts - int(pts[number])
                    if packet.pts != pts[number] + shift or packet.is_keyframe != is_key[number]:
                        return None
                    last_duration = packet.duration or 0
        except (StopIteration, av.FFmpegError):
            return None
    if shift is None or number != len(dts) - 1:
        return None
    durations = np.append(np.diff(dts), last_duration)
    return PacketTable(
        pts=(pts + shift).tolist(), duration=durations.tolist(), is_key=is_key.tolist()
    )


def _presentation_delays(path: Path, track: int) -> Int64:
    """Return by how many ticks each sample of a track is shown after decoding; empty for none.

    Raises
    ------
    ValueError
        When the file has no such track, or is not made of one table.
    """
    with DriveFile(path) as file:
        file.seek(0, 2)
        whole = (0, file.tell())
        if _inside(file, whole, b"moof"):
            raise ValueError("the file is in fragments")
        for movie in _inside(file, whole, b"moov"):
            for span in _inside(file, movie, b"trak"):
                heads = _inside(file, span, b"tkhd")
                if any(_track_id(file, start) == track for start, _ in heads):
                    return _delays_of(file, span)
    raise ValueError(f"no track {track}")


def _delays_of(file: DriveFile, track: tuple[int, int]) -> Int64:
    spans = [track]
    for kind in (b"mdia", b"minf", b"stbl", b"ctts"):
        spans = [found for span in spans for found in _inside(file, span, kind)]
    if not spans:
        return np.zeros(0, dtype=np.int64)
    start, end = spans[0]
    file.seek(start + _FULL_BOX)
    runs = int.from_bytes(file.read(4), "big")
    if start + _HEADER + 8 * runs > end:
        raise ValueError("a table is longer than its box")
    pairs = np.frombuffer(file.read(8 * runs), dtype=">u4").reshape(-1, 2)
    counts, delays = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.uint32).view(np.int32)
    if counts.sum() > end:  # more frames than bytes: a claim, not a table
        raise ValueError("a table claims too many frames")
    return np.repeat(delays.astype(np.int64), counts)


def _track_id(file: DriveFile, start: int) -> int:
    file.seek(start)
    is_long = file.read(1) == b"\x01"
    file.seek(start + _FULL_BOX + (16 if is_long else 8))
    return int.from_bytes(file.read(4), "big")


def _inside(file: DriveFile, span: tuple[int, int], wanted: bytes) -> list[tuple[int, int]]:
    """Return begin and end of the boxes of a kind directly inside a span."""
    return [(start, end) for kind, start, end in _boxes(file, *span) if kind == wanted]


def _boxes(file: DriveFile, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, begin and end of the content of each box between two places."""
    while start + _HEADER <= end:
        file.seek(start)
        header = file.read(_LONG_HEADER)
        length, kind, begin = int.from_bytes(header[:4], "big"), header[4:8], _HEADER
        if length == 1:
            length, begin = int.from_bytes(header[8:], "big"), _LONG_HEADER
        elif length == 0:
            length = end - start
        if length < begin or start + length > end:
            raise ValueError(f"box {kind!r} does not fit")
        yield kind, start + begin, start + length
        start += length
