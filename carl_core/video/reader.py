"""Frames of a recording, exactly the one asked for, as they are meant to be shown."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import av
import numpy as np

from carl_core.errors import MediaError, UnreadableMediaError
from carl_core.video.behind import FramesBehind
from carl_core.video.cache import FrameCache, size_of
from carl_core.video.display import DisplayTransform, Fit, Geometry
from carl_core.video.finder import FrameFinder
from carl_core.video.frame import Frame, MovingFrame
from carl_core.video.keys import decoded_alone
from carl_core.video.planes import Making, planes_of
from carl_core.video.prefetch import prefetched

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from types import TracebackType

    from av.video.frame import VideoFrame

    from carl_core.video.recording import Recording

_log = logging.getLogger("carl.video")

__all__ = ["Frame", "FrameReader", "MovingFrame"]

_CACHE_BYTES = 128 * 1024 * 1024
# Decoded frames waiting for being shown in a size, where decoding has a thread of its own.
_DECODED_AHEAD = 4
# With more frames to decode than this, something near the frame asked for is shown meanwhile.
_WORTH_A_PREVIEW = 8
# A frame asked for that lies at most so far before the last one is a step back.
_STEP_BACK = 8


class FrameReader:
    """Decodes frames of one recording. One thread at a time.

    Should damage make a frame of the index undecodable after all, the one before it is given,
    as a player would show, with that one's ``pts``; a warning is logged once.

    Parameters
    ----------
    recording : what to read
    size : width and height of the pixels; None for the display size
    fit : how other proportions are brought to ``size``, see `DisplayTransform`
    threads : for decoding; 0 for one a core
    deinterlace : whether interlaced frames are shown without their combs
    cache_bytes : limit of frames kept for stepping back
    proxy : a copy of the recording in which jumps are quick, for previews; see `ProxyStore`

    Raises
    ------
    UnreadableMediaError
        When the file has gone or changed since it was opened.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        size: tuple[int, int] | None = None,
        fit: Fit = "squash",
        threads: int = 0,
        deinterlace: bool = True,
        cache_bytes: int = _CACHE_BYTES,
        proxy: Recording | None = None,
    ) -> None:
        info = recording.info
        self._recording = recording
        self._index = recording.index
        self._size = size = size or (info.width, info.height)
        self._making = Making.EXACT
        self._geometry = Geometry(info.rotation, info.mirrored, info.sar)
        self._show = DisplayTransform(
            self._geometry,
            size,
            fit=fit,
            deinterlace=deinterlace,
        )
        self._shown_bytes = 3 * size[0] * size[1]
        self._cache = FrameCache(cache_bytes)
        self._threads = threads
        self._finder = FrameFinder(recording, threads)
        self._last_asked = -1
        self._is_stepping_back = False
        self._behind: FramesBehind | None = None
        self._walk: Generator[tuple[int, VideoFrame | Frame], None, None] | None = None
        self._proxy = proxy
        self._proxy_reader: FrameReader | None = None

    def frame_at(self, index: int) -> Frame:
        """Return frame number ``index``.

        Decodes from the key frame before it, unless it lies just ahead of the last one or is one
        of those kept near it.

        Raises
        ------
        IndexError
            When there is no such frame.
        UnreadableMediaError
            When the file can no longer be read.
        """
        frame: Frame | None = None
        for step in self.approach(index):
            frame = step
        assert frame is not None
        return frame

    def approach(self, index: int) -> Iterator[Frame | None]:
        """Yield a preview of frame ``index`` where it is far, None at every step, and it at last.

        A preview is that frame of a proxy where there is one; else a frame on the way, the key
        frame before where the decoder begins there. Who wants another frame meanwhile just leaves
        the loop.

        Raises
        ------
        IndexError, UnreadableMediaError
            As `frame_at`.
        """
        self._check(index)
        self._is_stepping_back = 0 < self._last_asked - index <= _STEP_BACK
        self._last_asked = self._cache.centre = index
        kept = self._cache.get(index)
        if kept is not None:
            yield self._as_shown(index, kept)
            return
        key = self._finder.key_before(index)
        is_preview_due = self._finder.distance_to(index) > _WORTH_A_PREVIEW
        if is_preview_due and self._proxy is not None:
            preview = self._preview_by_proxy(index)
            if preview is not None:
                is_preview_due = False
                yield preview
        for number, decoded in self._finder.steps_to(index):
            kept = self._keep(number, decoded)
            if number == index:
                yield self._as_shown(index, kept)
            elif is_preview_due and number >= key:
                is_preview_due = False
                yield replace(self._as_it_stays(number, kept), is_preview=True)
            else:
                yield None

    def frames_at(self, indices: Iterable[int], *, ahead: bool = False) -> Iterator[Frame]:
        """Yield the frames of ascending numbers, the same number once for each time it comes.

        What lies between is decoded but not converted, or jumped over where a key frame allows.

        Parameters
        ----------
        ahead : decode in a thread of its own while this one converts. The reader must not be used
            for anything else before the iterator is at its end or closed.

        Raises
        ------
        ValueError
            When a number is smaller than the one before.
        IndexError, UnreadableMediaError
            As `frame_at`.
        """
        found = self._decoded_at(indices)
        if ahead:
            found = self._walk = prefetched(found, _DECODED_AHEAD)
        last: Frame | None = None
        for index, decoded in found:
            if last is None or index != last.index:
                last = self._as_shown(index, decoded)
            yield last

    def key_frames_at(self, indices: Iterable[int]) -> Iterator[Frame]:
        """Yield the frames of ascending numbers, all of them key frames, decoding only those.

        They are decoded on two threads, while this one converts.

        Where a jump does not lead to one (MPEG streams), it is decoded as any other.

        Raises
        ------
        IndexError, UnreadableMediaError
            As `frame_at`.
        """
        wanted = list(indices)
        for index in wanted:
            self._check(index)
        for index, decoded in decoded_alone(self._recording, wanted):
            yield self._as_shown(index, decoded or self._finder.frame(index))

    @property
    def making(self) -> Making:
        """How pictures are made from now on; exactly at first."""
        return self._making

    @making.setter
    def making(self, making: Making) -> None:
        self._making = making
        self._show.is_quick = making is not Making.EXACT

    def work_ahead(self) -> bool:
        """Decode a little of what stepping back will ask for next; False when there is nothing.

        For idle moments: one call takes about as long as decoding one frame.

        Raises
        ------
        UnreadableMediaError
            When the file can no longer be read.
        """
        if not self._is_stepping_back or self._recording.is_counted:
            return False
        large = self._cache.first_decoded()
        if large is not None and self._shown_bytes < size_of(large[1]):
            self._cache.put(large[0], self._as_it_stays(*large))
            return True
        if self._behind is None:
            info = self._recording.info
            decoded_bytes = info.coded_width * info.coded_height * 3 // 2
            self._behind = FramesBehind(
                FrameFinder(self._recording, self._threads),
                self._cache,
                self._keep,
                min(self._shown_bytes, decoded_bytes),
            )
        return self._behind.advance(self._last_asked)

    def close(self) -> None:
        """Release the file and the decoder."""
        if self._walk is not None:  # its thread decodes
            self._walk.close()
            self._walk = None
        self._cache.clear()
        self._finder.close()
        if self._behind is not None:
            self._behind.close()
            self._behind = None
        if self._proxy_reader is not None:
            self._proxy_reader.close()
            self._proxy_reader = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self._index):
            raise IndexError(f"frame {index} of {len(self._index)} in {self._recording.name}")

    def _decoded_at(
        self, indices: Iterable[int]
    ) -> Generator[tuple[int, VideoFrame | Frame], None, None]:
        last: int | None = None
        found: VideoFrame | Frame | None = None
        for index in indices:
            self._check(index)
            if last is not None and index < last:
                raise ValueError(f"frames must ascend, got {index} after {last}")
            if index != last:
                found = self._cache.get(index)
                if found is None:
                    found = self._finder.frame(index)
            last = index
            assert found is not None
            yield index, found

    def _preview_by_proxy(self, index: int) -> Frame | None:
        try:
            if self._proxy_reader is None:
                assert self._proxy is not None
                # Small pictures need no second core.
                self._proxy_reader = FrameReader(self._proxy, size=self._size, threads=1)
            small = self._proxy_reader.frame_at(index)
        except MediaError as exc:
            _log.info("%s: no previews from its small copy: %s", self._recording.name, exc)
            self._proxy = None
            return None
        pts, time_s = int(self._index.pts[index]), self._index.time_of(index)
        return Frame(index, pts, time_s, small.pixels, is_preview=True)

    def _keep(self, number: int, decoded: VideoFrame) -> VideoFrame | Frame:
        """Keep a frame for stepping back, in the form that takes less room; return it."""
        kept: VideoFrame | Frame = decoded
        if self._is_stepping_back and self._shown_bytes < size_of(decoded):
            if self._last_asked - number >= self._cache.room_for(self._shown_bytes):
                return decoded  # it would not stay
            kept = self._as_it_stays(number, decoded)
        self._cache.put(number, kept)
        return kept

    def _as_it_stays(self, index: int, found: VideoFrame | Frame) -> Frame:
        """Make a picture that is kept: never the quick way, for it may be looked at later."""
        making, self.making = self.making, Making.EXACT
        try:
            return self._as_shown(index, found)
        finally:
            self.making = making

    def _as_shown(self, index: int, found: VideoFrame | Frame) -> Frame:
        if isinstance(found, Frame):
            return found
        stored = index
        if not self._recording.is_counted and found.pts is not None:
            stored = int(np.searchsorted(self._index.pts, found.pts))
        pts, time_s = int(self._index.pts[stored]), self._index.time_of(index)
        if self._making is Making.PLANES:
            planes = planes_of(found, self._geometry)
            if planes is not None:
                return MovingFrame(index, pts, time_s, planes, found)
        try:
            pixels = self._show(found)
        except av.FFmpegError as exc:
            raise UnreadableMediaError(
                f"Frame {index} of {self._recording.name} is stored in a form that cannot be shown "
                f"({found.format.name}). Convert the file to H.264 in MP4 with another program.",
                path=self._recording.path,
                frame=index,
            ) from exc
        return Frame(index, pts, time_s, pixels)
