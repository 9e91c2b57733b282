"""The shortest way to a frame: from where the decoder stands, or from a key frame before it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from carl_core.errors import MediaError, UnreadableMediaError
from carl_core.video.decoder import FrameDecoder
from carl_core.video.hardware import device_for, give_up

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from av.video.frame import VideoFrame

    from carl_core.video.recording import Recording

_log = logging.getLogger("carl.video")

# A key frame ahead is jumped to when at least so many frames would be decoded for nothing.
_WORTH_A_SEEK = 12
# Seeks in MPEG streams land after the frame asked for: aim earlier by this, then by more.
_BACK_OFF_S = 2.0
_FURTHER = 4
# A frame that no key frame near it leads to is looked for from the beginning only if that is close.
_NEAR_BEGINNING = 3000


class FrameFinder:
    """Decodes its way to single frames of a recording. One thread at a time.

    Parameters
    ----------
    recording : what to read
    threads : for decoding; 0 for one a core

    Raises
    ------
    UnreadableMediaError
        When the file has gone or changed since it was opened.
    """

    def __init__(self, recording: Recording, threads: int) -> None:
        self._recording = recording
        self._index = recording.index
        self._keys = np.flatnonzero(self._index.is_key)
        self._back_off_s = 0.0
        self._missing: set[int] = set()
        self._threads = recording.threads or threads
        self._device = device_for(recording)
        self._decoder = self._first_decoder()

    def key_before(self, index: int) -> int:
        """Return the last key frame that is not after ``index``."""
        place = int(np.searchsorted(self._keys, index, side="right")) - 1
        return int(self._keys[place]) if place >= 0 else 0

    def distance_to(self, index: int) -> int:
        """Return how many frames must be decoded to have frame ``index``."""
        key = self.key_before(index)
        begin = key if self._must_seek(index, key) else self._decoder.position + 1
        return index - begin + 1

    def steps_to(self, index: int) -> Generator[tuple[int, VideoFrame], None, None]:
        """Yield what is decoded on the way to frame ``index``, with numbers, and that one last.

        Should damage make it undecodable, the one before it is given with its number at last; a
        warning is logged once. Whoever has seen enough may leave the way at any step.

        Raises
        ------
        UnreadableMediaError
            When neither the frame nor one near it can be decoded any more.
        """
        key = self.key_before(index)
        if self._must_seek(index, key):
            self._decoder.seek(key, back_off_s=self._back_off_s)
        if index not in self._missing:
            for number, frame in self._walk_to(index):
                yield number, frame
                if number == index:
                    return
            if self._device is not None:
                self._forget_device()
                self._decoder.close()
                self._decoder = self._new_decoder(self._threads)
                yield from self.steps_to(index)
                return
            found = self._found_from_further_back(index, key)
            if found is not None:
                yield index, found
                return
        yield index, self._one_before(index, key)

    def frame(self, index: int) -> VideoFrame:
        """Return frame ``index`` as decoded; see `steps_to`."""
        found: VideoFrame | None = None
        for _, step in self.steps_to(index):
            found = step
        assert found is not None
        return found

    def close(self) -> None:
        """Release the file and the decoder."""
        self._decoder.close()

    def _new_decoder(self, threads: int) -> FrameDecoder:
        return FrameDecoder(
            self._recording.path,
            self._index,
            is_counted=self._recording.is_counted,
            threads=threads,
            device=self._device,
        )

    def _first_decoder(self) -> FrameDecoder:
        try:
            return self._new_decoder(self._threads)
        except MediaError:
            if self._device is None:
                raise
            self._forget_device()  # a card has room for a number of decoders only
            return self._new_decoder(self._threads)

    def _forget_device(self) -> None:
        _log.warning(
            "%s: %s failed; decoding in software from now on", self._recording.name, self._device
        )
        give_up(self._recording)
        self._device = None

    def _must_seek(self, index: int, key: int) -> bool:
        return self._decoder.position >= index or self._is_seek_worthwhile(key)

    def _is_seek_worthwhile(self, key: int) -> bool:
        if self._recording.is_counted:
            return False
        ticks = round(self._back_off_s / self._index.time_base)
        landing = np.searchsorted(self._index.pts, int(self._index.pts[key]) - ticks)
        return int(landing) - self._decoder.position > _WORTH_A_SEEK

    def _walk_to(self, index: int) -> Iterator[tuple[int, VideoFrame]]:
        """Yield frames up to ``index``; nothing more where it does not come."""
        while (item := self._decoder.next()) is not None and item[0] <= index:
            yield item

    def _reached(self, index: int) -> VideoFrame | None:
        for number, frame in self._walk_to(index):
            if number == index:
                return frame
        return None

    def _found_from_further_back(self, index: int, key: int) -> VideoFrame | None:
        back_off_s = max(_BACK_OFF_S, self._back_off_s)
        for _ in range(3):
            self._decoder.seek(key, back_off_s=back_off_s)
            found = self._reached(index)
            if found is not None:
                _log.debug("%s: aiming %g s earlier", self._recording.name, back_off_s)
                self._back_off_s = back_off_s
                return found
            back_off_s *= _FURTHER
        if index > _NEAR_BEGINNING:
            return None
        for threads in (self._threads, 1):
            self._decoder.close()
            self._decoder = self._new_decoder(threads)
            found = self._reached(index)
            if found is not None:
                return found
        return None

    def _one_before(self, index: int, key: int) -> VideoFrame:
        """Return the last frame that does come before one that does not."""
        if not self._missing:
            _log.warning(
                "%s: frame %d cannot be decoded; the one before it is shown instead",
                self._recording.name,
                index,
            )
        self._missing.add(index)
        self._decoder.seek(key, back_off_s=self._back_off_s)
        before: VideoFrame | None = None
        while (item := self._decoder.next()) is not None:
            if item[0] > index and before is not None:
                break
            before = item[1]
            if item[0] > index:
                break
        if before is None:
            raise UnreadableMediaError(
                f"Frame {index} of {self._recording.name} cannot be decoded, nor any near it: "
                "the file is damaged or has changed. Copy it again from the camera.",
                path=self._recording.path,
                frame=index,
            )
        return before
