"""Find out exactly which frames a full decode presents, and when, decoding as little as possible.

1. Demux: the timestamp of every packet.
2. Decode the beginning (all of a small file) and compare.
3. Where that disagrees, or the packets look doubtful, decode the whole file and believe that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Self

import av
import numpy as np
from av.video.frame import PictureType

from carl_core.errors import NoVideoStreamError, UnreadableMediaError
from carl_core.timebase import FrameIndex
from carl_core.video.container import ended, opened, recording_stream
from carl_core.video.info import display_text
from carl_core.video.listing import read_listing
from carl_core.video.packets import PacketTable, read_packets
from carl_core.video.problems import counted, cut_off_problems, decoding_problems, missing_problems

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from carl_core.arrays import Int64
    from carl_core.progress import Monitor

_log = logging.getLogger("carl.video")

# Pixels decoded to check the beginning: 0.2 to 0.5 s on two cores; smaller files are checked whole.
_HEAD_PIXELS = 80_000_000
# Before the whole file is read anyway, less will do.
_LISTED_HEAD_PIXELS = 20_000_000
_HEAD_PACKETS = 16
# Timestamps that fall by more than this start a new count (a camera's clock was set back);
# those that fall by less were written in the wrong order.
_RESTART_S = 2.0
_FALLBACK_RATE = Fraction(25)
_INTRA_TYPES = frozenset({PictureType.I, PictureType.SI, PictureType.BI})


@dataclass(frozen=True, slots=True, eq=False)
class StreamIndex:
    """The frames of a video stream.

    Attributes
    ----------
    index : when each frame is presented
    first : the first presented frame as decoded, for its colour and geometry
    is_interlaced : whether one of the frames looked at is interlaced
    is_counted : whether stored timestamps cannot identify frames, so that they must be counted
    threads : for decoding, 0 for one a core, 1 where the file is damaged: threads lose more of it
    problems : whole sentences
    """

    index: FrameIndex
    first: VideoFrame
    is_interlaced: bool
    is_counted: bool
    threads: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _StreamFacts:
    """What is needed of a stream after its container was closed (its memory is gone then)."""

    time_base: Fraction
    rate: Fraction
    pixels: int
    has_written_durations: bool

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream) -> Self:
        return cls(
            stream.time_base or Fraction(1, 1_000_000),
            stream.average_rate or stream.guessed_rate or _FALLBACK_RATE,
            max(1, stream.codec_context.width * stream.codec_context.height),
            "mov" in container.format.name,
        )


@dataclass(slots=True)
class _Decoded:
    """What decoding presented, in the decoder's order."""

    pts: list[int | None] = field(default_factory=list)
    is_intra: list[bool] = field(default_factory=list)
    first: VideoFrame | None = None
    interlaced: int = 0
    damaged: int = 0
    errors: int = 0


def index_stream(path: Path, monitor: Monitor | None) -> StreamIndex:
    """Index the frames of the recording's video stream.

    Raises
    ------
    UnreadableMediaError
        When nothing can be decoded.
    NoVideoStreamError
        When there is no video stream, or one without a single picture.
    """
    name = display_text(path.name)
    with opened(path) as container:
        stream = recording_stream(container, path)
        table = read_packets(container, stream, monitor, stage=f"indexing {name}")
        facts = _StreamFacts.of(container, stream)
        problems = cut_off_problems(table, container, stream) or missing_problems(path)
    if len(table) == 0:
        raise NoVideoStreamError(
            f"{display_text(path)} has a video stream without a single picture. "
            "Record or copy the file again.",
            path=path,
        )
    head = _head_of(table, facts, _HEAD_PIXELS)
    seen = _decode(path, head, None)
    problems += _drop_undecodable_beginning(table, head, seen)
    doubt = _disagreement(table, head, seen)
    if doubt is None and seen.first is not None:
        index = _index_from_packets(table, facts)
        return StreamIndex(index, seen.first, seen.interlaced > 0, False, 0, tuple(problems))
    _log.info("%s: decoding all %d pictures once (%s)", name, len(table), doubt)
    if head < len(table) or seen.errors or len(seen.pts) < len(table.presented_pts):
        seen = _decode_whole(path, len(table), len(table.presented_pts), monitor)
    if seen.first is None:
        raise UnreadableMediaError(
            f"None of the {len(table)} pictures in {display_text(path)} can be decoded: the file "
            "is damaged or in an unsupported form. Convert it to H.264 in MP4 with another "
            "program, or copy it again from the camera.",
            path=path,
        )
    index, is_counted = _index_from_frames(table, seen, facts)
    problems += decoding_problems(
        table,
        seen.pts,
        index,
        errors=seen.errors,
        damaged=seen.damaged,
        is_counted=is_counted,
    )
    return StreamIndex(
        index,
        seen.first,
        seen.interlaced > 0,
        is_counted,
        1 if is_counted or seen.errors or seen.damaged else 0,
        tuple(problems),
    )


def index_listed(path: Path) -> StreamIndex | None:
    """Index a file from its own table of frames, in a moment; None where that cannot be trusted.

    The beginning is decoded as `index_stream` does. What only reading the whole file can show,
    damage in the middle above all, stays unseen.

    Raises
    ------
    UnreadableMediaError, NoVideoStreamError
        When there is no video stream to decode.
    """
    with opened(path) as container:
        stream = recording_stream(container, path)
        table = read_listing(path, container, stream)
        facts = _StreamFacts.of(container, stream)
    if table is None or table.doubts:
        return None
    head = _head_of(table, facts, _LISTED_HEAD_PIXELS)
    if head >= len(table):
        return None  # a short file: reading all of it takes no longer
    seen = _decode(path, head, None)
    if _disagreement(table, head, seen) is not None or seen.first is None:
        return None
    index = _index_from_packets(table, facts)
    return StreamIndex(index, seen.first, seen.interlaced > 0, False, 0, ())


def _head_of(table: PacketTable, facts: _StreamFacts, pixels: int) -> int:
    """Return how many packets are decoded to check the beginning."""
    before_key = table.is_key.index(True) if True in table.is_key else 0
    return min(len(table), before_key + max(_HEAD_PACKETS, pixels // facts.pixels))


def _decode_whole(path: Path, packets: int, expected: int, monitor: Monitor | None) -> _Decoded:
    """Decode every packet; where some fail, once more without threads, which loses less."""
    if monitor is not None:
        monitor.start(f"checking {display_text(path.name)}", packets, "frames")
    seen = _decode(path, packets, monitor)
    if seen.errors or len(seen.pts) < expected:
        # NOTE: after a failed picture, frame threads may swallow the good ones behind it.
        if monitor is not None:
            monitor.start(f"checking {display_text(path.name)} again", packets, "frames")
        alone = _decode(path, packets, monitor, threads=1)
        if len(alone.pts) >= len(seen.pts):
            return alone
    return seen


def _decode(path: Path, packets: int, monitor: Monitor | None, *, threads: int = 0) -> _Decoded:
    """Decode the first ``packets`` packets and flush."""
    seen = _Decoded()
    with opened(path) as container:
        stream = recording_stream(container, path)
        stream.thread_type = "AUTO" if threads != 1 else "NONE"
        stream.codec_context.thread_count = threads
        fed = 0
        with ended(container.demux(stream)) as demuxed:
            while fed < packets:
                try:
                    packet = next(demuxed)
                except (StopIteration, av.FFmpegError):
                    break
                if packet.dts is None and packet.size == 0:
                    break
                fed += packet.size > 0
                _feed(stream, packet, seen)
                if monitor is not None and packet.size > 0:
                    monitor.advance()
        _feed(stream, None, seen)
    return seen


def _feed(stream: VideoStream, packet: Packet[VideoStream] | None, seen: _Decoded) -> None:
    try:
        frames = stream.codec_context.decode(packet)
    except av.FFmpegError as exc:
        _log.debug("a packet cannot be decoded: %s", exc)
        seen.errors += 1
        return
    for frame in frames:
        if seen.first is None:
            seen.first = frame
        seen.pts.append(frame.pts)
        seen.is_intra.append(frame.pict_type in _INTRA_TYPES)
        seen.interlaced += frame.interlaced_frame
        seen.damaged += frame.is_corrupt


def _drop_undecodable_beginning(table: PacketTable, head: int, seen: _Decoded) -> list[str]:
    """Take out pictures that refer to ones before the beginning of a cut file."""
    known = {pts for pts in seen.pts if pts is not None}
    if table.doubts or seen.errors or not known or None in seen.pts:
        return []
    first = min(known)
    lost = [
        number
        for number in range(head)
        if not table.is_discarded[number] and (table.pts[number] or 0) not in known
    ]
    if not lost or any((table.pts[number] or 0) >= first for number in lost):
        return []
    for number in lost:
        table.is_discarded[number] = True
    return [
        "The file begins in the middle: what was stored before its first decodable frame "
        f"({counted(len(lost), 'picture')}) is left out."
    ]


def _disagreement(table: PacketTable, head: int, seen: _Decoded) -> str | None:
    """Why the packets' own timestamps cannot be believed, or None."""
    if table.doubts:
        return ", ".join(sorted(table.doubts))
    if seen.errors:
        return "a picture cannot be decoded"
    known = [pts for pts in seen.pts if pts is not None]
    if len(known) < len(seen.pts) or sorted(set(known)) != known:
        return "frames come without ascending timestamps"
    predicted: dict[int, bool] = {}
    for pts, gone, is_key in zip(
        table.pts[:head], table.is_discarded[:head], table.is_key[:head], strict=True
    ):
        if pts is not None and not gone:
            predicted[pts] = is_key
    if sorted(predicted) != known:
        return "decoding presents other frames than the container lists"
    for pts, is_intra in zip(known, seen.is_intra, strict=True):
        if predicted[pts] and not is_intra:
            return "pictures marked as key frames are none"
    return None


def _index_from_packets(table: PacketTable, facts: _StreamFacts) -> FrameIndex:
    """Index packets that all have timestamps."""
    shown = ~np.array(table.is_discarded, dtype=np.bool_)
    pts = np.array(table.pts, dtype=np.int64)[shown]
    order = np.argsort(pts, kind="stable")
    pts = pts[order]
    last = int(np.array(table.duration, dtype=np.int64)[shown][order[-1]])
    return FrameIndex(
        pts=pts,
        end_pts=int(pts[-1]) + _last_duration(last, _usual_step(pts, facts), facts),
        is_key=np.array(table.is_key, dtype=np.bool_)[shown][order],
        time_base=facts.time_base,
    )


def _index_from_frames(
    table: PacketTable, seen: _Decoded, facts: _StreamFacts
) -> tuple[FrameIndex, bool]:
    """Index what a decode presented; True where stored timestamps do not identify frames."""
    known = [pts for pts in seen.pts if pts is not None]
    step = _usual_step(sorted(set(known)), facts)
    is_counted = len(known) < len(seen.pts) or sorted(set(known)) != known
    if is_counted:
        limit = round(_RESTART_S / facts.time_base)
        times = _ascending(seen.pts, step, limit)
        is_key = [False] * len(times)
    else:
        times = known
        keys = {pts for pts, key in zip(table.pts, table.is_key, strict=True) if key}
        is_key = [pts in keys and intra for pts, intra in zip(known, seen.is_intra, strict=True)]
    durations = dict(zip(table.pts, table.duration, strict=True))
    stored = 0 if is_counted else durations.get(times[-1], 0)
    index = FrameIndex(
        pts=np.array(times, dtype=np.int64),
        end_pts=times[-1] + _last_duration(stored, step, facts),
        is_key=np.array(is_key, dtype=np.bool_),
        time_base=facts.time_base,
    )
    return index, is_counted


def _ascending(pts: list[int | None], step: int, restart: int) -> list[int]:
    """Give frames in the decoder's order strictly ascending ticks.

    Missing ones follow the one before, a clock that was set back goes on from where it was, and
    ticks written in the wrong order are put in order.
    """
    filled: list[int] = []
    offset, highest = 0, None
    for tick in pts:
        if tick is None:
            value = 0 if highest is None else filled[-1] + step
        else:
            if highest is not None and tick + offset < highest - restart:
                offset = highest + step - tick
            value = tick + offset
        filled.append(value)
        highest = value if highest is None else max(highest, value)
    filled.sort()
    for number in range(1, len(filled)):
        filled[number] = max(filled[number], filled[number - 1] + 1)
    return filled


def _usual_step(ticks: Int64 | list[int], facts: _StreamFacts) -> int:
    """Ticks a frame usually lasts."""
    if len(ticks) > 1:
        return max(1, int(np.median(np.diff(ticks))))
    return max(1, round(1 / facts.rate / facts.time_base))


def _last_duration(stored: int, usual: int, facts: _StreamFacts) -> int:
    """Ticks the last frame is shown: as stored, unless that is a guess of the demuxer."""
    is_believed = facts.has_written_durations or 2 * stored >= usual
    return stored if stored > 0 and is_believed else usual
