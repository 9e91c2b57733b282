"""Read every packet of a video stream without decoding: timestamps, flags, signs of damage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import av
from av.stream import Discard

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

    from carl_core.progress import Monitor

_MEGABYTE = 1e6
# Where the decoder configuration says how many bytes a unit's length takes.
_H264_LENGTH_BYTE = 4
_HEVC_LENGTH_BYTE = 21
_H264_TYPE_BITS = 0x1F


@dataclass(slots=True)
class PacketTable:
    """What the container says about each coded picture, in decoding order.

    Attributes
    ----------
    pts, duration : ticks, None where the container has none
    is_key, is_discarded : flags of the packet
    last_end_s : when the last packet of any audio or video stream ends, in file time, or None
    doubts : why this table alone must not be trusted; empty for a sound file
    failure : what reading ended with when it did not reach the end, or None
    """

    pts: list[int | None] = field(default_factory=list)
    duration: list[int] = field(default_factory=list)
    is_key: list[bool] = field(default_factory=list)
    is_discarded: list[bool] = field(default_factory=list)
    last_end_s: float | None = None
    doubts: set[str] = field(default_factory=set)
    failure: str | None = None

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def presented_pts(self) -> list[int]:
        """Timestamps of the packets to be presented, ascending."""
        pairs = zip(self.pts, self.is_discarded, strict=True)
        return sorted(pts for pts, gone in pairs if pts is not None and not gone)

    def note_doubts(self) -> None:
        """Add to ``doubts`` what the timestamps themselves give reason for."""
        known = [pts for pts in self.pts if pts is not None]
        if len(known) < len(self.pts):
            self.doubts.add("no timestamps")
        if len(set(known)) < len(known):
            self.doubts.add("doubled timestamps")
        # An edit list that cuts the beginning or the end shows as discarded packets there; the
        # decoded head proves it right or wrong. A cut in the middle is rarer and not foreseeable.
        presented = self.presented_pts
        gone = [
            pts
            for pts, cut in zip(self.pts, self.is_discarded, strict=True)
            if cut and pts is not None
        ]
        if gone and (not presented or any(presented[0] < pts < presented[-1] for pts in gone)):
            self.doubts.add("edits")


def read_packets(
    container: InputContainer, stream: VideoStream, monitor: Monitor | None, *, stage: str
) -> PacketTable:
    """Demux the whole file once. Time: that of reading the file; memory: some bytes a packet."""
    table = PacketTable()
    look = _packet_check(stream)
    others = [
        other
        for other in container.streams
        if other.type in ("audio", "video") and other is not stream and other.time_base is not None
    ]
    for other in container.streams:
        if other is not stream and other not in others:
            other.discard = Discard.all
    total = (container.size or 0) / _MEGABYTE
    if monitor is not None:
        monitor.start(stage, total or None, "MB")
    position = 0
    packets = container.demux(stream, *others)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except av.FFmpegError as exc:
            table.failure = exc.strerror or str(exc)
            table.doubts.add("reading stops early")
            break
        if monitor is not None and packet.pos is not None and packet.pos > position + _MEGABYTE:
            monitor.advance((packet.pos - position) / _MEGABYTE)
            position = packet.pos
        if packet.dts is None and packet.size == 0:
            continue
        _note_end(table, packet)
        if packet.stream_index == stream.index and packet.size > 0:
            _add(table, packet, look)
    table.note_doubts()
    return table


def _add(table: PacketTable, packet: Packet[Stream], look: Callable[..., bool] | None) -> None:
    table.pts.append(packet.pts)
    table.duration.append(packet.duration or 0)
    table.is_key.append(packet.is_keyframe)
    table.is_discarded.append(packet.is_discard)
    if packet.is_corrupt:
        table.doubts.add("damaged packets")
    if look is not None and not look(memoryview(packet)):
        table.doubts.add("packets of a wrong form")


def _note_end(table: PacketTable, packet: Packet[Stream]) -> None:
    tick = packet.pts if packet.pts is not None else packet.dts
    if tick is not None:
        end_s = float((tick + (packet.duration or 0)) * packet.time_base)
        if table.last_end_s is None or end_s > table.last_end_s:
            table.last_end_s = end_s


def _packet_check(stream: VideoStream) -> Callable[[memoryview], bool] | None:
    """Return a cheap test of one packet's form, or None where there is none."""
    name = stream.codec_context.codec.canonical_name
    extra = stream.codec_context.extradata or b""
    if name == "h264" and len(extra) > _H264_LENGTH_BYTE and extra[0] == 1:
        size = (extra[_H264_LENGTH_BYTE] & 3) + 1
        return lambda data: _has_whole_units(data, size, _H264_TYPE_BITS)
    if name == "hevc" and len(extra) > _HEVC_LENGTH_BYTE and extra[0] == 1:
        size = (extra[_HEVC_LENGTH_BYTE] & 3) + 1
        return lambda data: _has_whole_units(data, size, 0)
    if name == "vp8":
        # NOTE: a picture that is decoded but never shown has its own packet in VP8.
        return lambda data: bool(data[0] >> 4 & 1)
    return None


def _has_whole_units(data: memoryview, length_size: int, type_bits: int) -> bool:
    """Whether a packet is a chain of length-prefixed units that ends where the packet ends."""
    position, end = 0, len(data)
    while position < end:
        start = position + length_size
        if start >= end:
            return False
        length = int.from_bytes(data[position:start], "big")
        header = data[start]
        # The top bit of a unit is always 0, and H.264 has no unit of type 0.
        if length == 0 or header & 0x80 or (type_bits and not header & type_bits):
            return False
        position = start + length
    return position == end
