"""Walk through a recording's frames from any place, each with its number."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import av
import numpy as np
from av.stream import Discard

from carl_core.video.container import OpenFile, end, open_container, recording_stream
from carl_core.video.hardware import Planar, open_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from carl_core.timebase import FrameIndex

_log = logging.getLogger("carl.video")


class FrameDecoder:
    """Gives frames in presentation order with their numbers. One thread at a time.

    Frames that are not in the index (what an edit list cuts, what cannot be decoded from the
    place a seek landed on) are passed over.

    Parameters
    ----------
    threads : 0 for one a core
    device : type of the device that decodes, see `carl_core.video.hardware`; None for software
    """

    def __init__(
        self,
        path: Path,
        index: FrameIndex,
        *,
        is_counted: bool,
        threads: int,
        device: str | None = None,
    ) -> None:
        self._path = path
        self._index = index
        self._is_counted = is_counted
        self._threads = threads
        self._device = device
        self._planar = Planar()
        self._file: OpenFile | None = None
        self._stream: VideoStream
        self._packets: Iterator[Packet[VideoStream]] | None = None
        self._waiting: list[VideoFrame] = []
        self._counted = 0
        self.position = -1
        self.restart()

    def restart(self) -> None:
        """Open the file afresh; the next frame is the first."""
        self.close()
        self._file = (
            open_container(self._path)
            if self._device is None
            else open_on(self._path, self._device)
        )
        container = self._file.container
        self._stream = recording_stream(container, self._path)
        for other in container.streams:
            if other is not self._stream:
                other.discard = Discard.all
        self._stream.thread_type = "NONE" if self._threads == 1 else "AUTO"
        self._stream.codec_context.thread_count = self._threads
        self._begin()

    def seek(self, number: int, *, back_off_s: float = 0.0) -> None:
        """Aim ``back_off_s`` before frame ``number``; the container decides where it lands."""
        if self._is_counted or self._file is None:
            self.restart()
            return
        ticks = round(back_off_s / self._index.time_base)
        target = int(self._index.pts[number]) - ticks
        try:
            self._file.container.seek(target, stream=self._stream, backward=True)
        except av.FFmpegError as exc:
            _log.debug("cannot seek to tick %d (%s): reading from the beginning", target, exc)
            self.restart()
            return
        self._begin()

    def next(self) -> tuple[int, VideoFrame] | None:
        """Return the next frame and its number, or None at the end."""
        while True:
            while self._waiting:
                frame = self._waiting.pop(0)
                number = self._number_of(frame)
                if number is not None:
                    self.position = number
                    return number, frame if self._device is None else self._planar(frame)
            if not self._feed():
                return None

    def close(self) -> None:
        """Release the file and the decoder."""
        if self._file is not None:
            self._drop_packets()
            self._waiting = []
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        assert self._file is not None
        self._drop_packets()
        self._packets = self._file.container.demux(self._stream)
        self._waiting = []
        self._counted = 0
        self.position = -1

    def _drop_packets(self) -> None:
        """Leave off reading."""
        if self._packets is not None:
            end(self._packets)
            self._packets = None

    def _number_of(self, frame: VideoFrame) -> int | None:
        if self._is_counted:
            number = self._counted
            self._counted += 1
            return number if number < len(self._index) else None
        if frame.pts is None:
            return None
        number = int(np.searchsorted(self._index.pts, frame.pts))
        if number == len(self._index) or int(self._index.pts[number]) != frame.pts:
            return None
        return number

    def _feed(self) -> bool:
        """Decode one more packet into the waiting frames; False at the end."""
        assert self._file is not None
        assert self._packets is not None
        try:
            packet = next(self._packets)
        except (StopIteration, av.FFmpegError):
            self._file.file.check_answers()
            return False
        is_end = packet.dts is None and packet.size == 0
        try:
            self._waiting += self._stream.codec_context.decode(None if is_end else packet)
        except av.EOFError:
            return False
        except av.FFmpegError as exc:
            _log.debug("a packet near frame %d cannot be decoded: %s", self.position, exc)
        return True
