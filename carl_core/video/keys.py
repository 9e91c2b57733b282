"""Decode single key frames, and nothing else of a recording."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import av
from av.stream import Discard

from carl_core.video.container import ended, open_container, recording_stream
from carl_core.video.prefetch import prefetched

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from av.video.frame import VideoFrame

    from carl_core.video.recording import Recording

_log = logging.getLogger("carl.video")

# A key frame is one piece of work; several at a time are several decoders. One more than there are
# cores, because each waits for the disk: on two cores 1.8 times as fast as one, two are 1.6 times.
_DECODERS = min(8, (os.cpu_count() or 1) + 1)


class KeyDecoder:
    """Jumps from key frame to key frame, feeding the decoder one packet each time.

    An ordinary decoder holds a key frame back until it has seen some of the frames behind it; here
    it is told that nothing follows. One thread at a time.

    Raises
    ------
    UnreadableMediaError
        When the file has gone or its drive does not answer.
    """

    def __init__(self, recording: Recording) -> None:
        self._index = recording.index
        self._file = open_container(recording.path)
        self._stream = recording_stream(self._file.container, recording.path)
        for other in self._file.container.streams:
            if other is not self._stream:
                other.discard = Discard.all
        self._stream.thread_type = "NONE"  # frames in parallel are frames held back

    def frame(self, number: int) -> VideoFrame | None:
        """Return key frame ``number`` as decoded; None where a jump does not lead to it."""
        pts = int(self._index.pts[number])
        try:
            self._file.container.seek(pts, stream=self._stream, backward=True)
            with ended(self._file.container.demux(self._stream)) as packets:
                packet = next(p for p in packets if p.size)
            if packet.pts != pts or not packet.is_keyframe:
                return None
            frames = self._stream.codec_context.decode(packet)
            frames += self._stream.codec_context.decode(None)
        except (av.FFmpegError, StopIteration) as exc:
            self._file.file.check_answers()
            _log.debug("key frame %d does not come alone: %s", number, exc)
            return None
        return frames[0] if len(frames) == 1 and frames[0].pts == pts else None

    def close(self) -> None:
        """Release the file and the decoder."""
        self._file.close()


def decoded_alone(
    recording: Recording, numbers: Sequence[int]
) -> Iterator[tuple[int, VideoFrame | None]]:
    """Yield key frames in the order of their numbers, None for one that does not come alone.

    Decodes ahead on threads of its own until the iterator ends or is closed.

    Raises
    ------
    UnreadableMediaError
        When the file can no longer be read.
    """
    if recording.is_counted:  # no jump leads anywhere
        yield from ((number, None) for number in numbers)
        return
    count = min(_DECODERS, len(numbers))
    ahead = [prefetched(_one_by_one(recording, numbers[first::count])) for first in range(count)]
    try:
        for place in range(len(numbers)):
            yield next(ahead[place % count])
    finally:
        for decoder in ahead:
            decoder.close()


def _one_by_one(
    recording: Recording, numbers: Sequence[int]
) -> Generator[tuple[int, VideoFrame | None], None, None]:
    decoder = KeyDecoder(recording)
    try:
        for number in numbers:
            yield number, decoder.frame(number)
    finally:
        decoder.close()
