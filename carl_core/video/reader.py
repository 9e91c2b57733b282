"""Frames of a recording, exactly the one asked for, as they are meant to be shown."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import av
import numpy as np

from carl_core.errors import UnreadableMediaError
from carl_core.video.cache import FrameCache
from carl_core.video.decoder import FrameDecoder
from carl_core.video.display import DisplayTransform, Fit, Geometry
from carl_core.video.planes import Making, planes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from av.video.frame import VideoFrame

    from carl_core.arrays import UInt8
    from carl_core.video.planes import Planes
    from carl_core.video.recording import Recording

_log = logging.getLogger("carl.video")

# A key frame ahead is jumped to when at least so many frames would be decoded for nothing.
_WORTH_A_SEEK = 12
# Seeks in MPEG streams land after the frame asked for: aim earlier by this, then by more.
_BACK_OFF_S = 2.0
_FURTHER = 4
# A frame that no key frame near it leads to is looked for from the beginning only if that is close.
_NEAR_BEGINNING = 3000
_CACHE_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame as shown.

    Attributes
    ----------
    index : frame number, 0-based in presentation order
    pts : presentation timestamp of what is shown
    time_s : seconds from the recording's first frame
    pixels : uint8 (H, W, 3), RGB, read-only
    """

    index: int
    pts: int
    time_s: float
    pixels: UInt8


class MovingFrame(Frame):
    """A frame as it is stored, whose pixels are made only when somebody asks for them.

    Attributes
    ----------
    planes : what a graphics card shows
    """

    __slots__ = ("_decoded", "_pixels", "planes")

    planes: Planes
    _decoded: VideoFrame
    _pixels: UInt8 | None

    def __init__(
        self, index: int, pts: int, time_s: float, planes: Planes, decoded: VideoFrame
    ) -> None:
        put = object.__setattr__  # frozen, as every frame
        put(self, "index", index)
        put(self, "pts", pts)
        put(self, "time_s", time_s)
        put(self, "planes", planes)
        put(self, "_decoded", decoded)
        put(self, "_pixels", None)

    @property
    def pixels(self) -> UInt8:
        """Its picture in the display size, uint8 (H, W, 3), RGB, read-only."""
        made = self._pixels
        if made is None:
            made = DisplayTransform(self.planes.geometry)(self._decoded)
            object.__setattr__(self, "_pixels", made)
        return made


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
    cache_bytes : limit of decoded frames kept for stepping back

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
    ) -> None:
        info = recording.info
        self._recording = recording
        self._index = recording.index
        self._making = Making.EXACT
        self._geometry = Geometry(info.rotation, info.mirrored, info.sar)
        self._show = DisplayTransform(
            self._geometry,
            size or (info.width, info.height),
            fit=fit,
            deinterlace=deinterlace,
        )
        self._keys = np.flatnonzero(self._index.is_key)
        self._cache = FrameCache(cache_bytes)
        self._back_off_s = 0.0
        self._missing: set[int] = set()
        self._threads = recording.threads or threads
        self._decoder = self._new_decoder(self._threads)

    def frame_at(self, index: int) -> Frame:
        """Return frame number ``index``.

        Decodes from the key frame before it, unless it lies just ahead of the last one or is one
        of those decoded last.

        Raises
        ------
        IndexError
            When there is no such frame.
        UnreadableMediaError
            When the file can no longer be read.
        """
        self._check(index)
        decoded = self._cache.get(index)
        if decoded is None:
            decoded = self._decoded(index, keep=True)
        return self._shown(index, decoded)

    def frames_at(self, indices: Iterable[int]) -> Iterator[Frame]:
        """Yield the frames of ascending numbers, the same number once for each time it comes.

        What lies between is decoded but not converted, or jumped over where a key frame allows.

        Raises
        ------
        ValueError
            When a number is smaller than the one before.
        IndexError, UnreadableMediaError
            As `frame_at`.
        """
        last: Frame | None = None
        for index in indices:
            self._check(index)
            if last is not None and index < last.index:
                raise ValueError(f"frames must ascend, got {index} after {last.index}")
            if last is None or index != last.index:
                kept = self._cache.get(index)
                last = self._shown(index, kept or self._decoded(index, keep=False))
            yield last

    @property
    def making(self) -> Making:
        """How pictures are made from now on; exactly at first."""
        return self._making

    @making.setter
    def making(self, making: Making) -> None:
        self._making = making
        self._show.is_quick = making is not Making.EXACT

    def close(self) -> None:
        """Release the file and the decoder."""
        self._cache.clear()
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _new_decoder(self, threads: int) -> FrameDecoder:
        return FrameDecoder(
            self._recording.path,
            self._index,
            is_counted=self._recording.is_counted,
            threads=threads,
        )

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self._index):
            raise IndexError(f"frame {index} of {len(self._index)} in {self._recording.name}")

    def _shown(self, index: int, decoded: VideoFrame) -> Frame:
        stored = index
        if not self._recording.is_counted and decoded.pts is not None:
            stored = int(np.searchsorted(self._index.pts, decoded.pts))
        pts, time_s = int(self._index.pts[stored]), self._index.time_of(index)
        if self._making is Making.PLANES:
            planes = planes_of(decoded, self._geometry)
            if planes is not None:
                return MovingFrame(index, pts, time_s, planes, decoded)
        try:
            pixels = self._show(decoded)
        except av.FFmpegError as exc:
            raise UnreadableMediaError(
                f"Frame {index} of {self._recording.name} is stored in a form that cannot be shown "
                f"({decoded.format.name}). Convert the file to H.264 in MP4 with another program.",
                path=self._recording.path,
                frame=index,
            ) from exc
        return Frame(index, pts, time_s, pixels)

    def _decoded(self, index: int, *, keep: bool) -> VideoFrame:
        """Decode frame ``index``, from further and further back where it does not come out."""
        key = self._key_before(index)
        if self._decoder.position >= index or self._is_seek_worthwhile(key):
            self._decoder.seek(key, back_off_s=self._back_off_s)
        found = self._walk_to(index, keep=keep) if index not in self._missing else None
        if found is None and index not in self._missing:
            found = self._found_from_further_back(index, key)
        return found or self._one_before(index, key)

    def _key_before(self, index: int) -> int:
        place = int(np.searchsorted(self._keys, index, side="right")) - 1
        return int(self._keys[place]) if place >= 0 else 0

    def _is_seek_worthwhile(self, key: int) -> bool:
        if self._recording.is_counted:
            return False
        ticks = round(self._back_off_s / self._index.time_base)
        landing = np.searchsorted(self._index.pts, int(self._index.pts[key]) - ticks)
        return int(landing) - self._decoder.position > _WORTH_A_SEEK

    def _walk_to(self, index: int, *, keep: bool) -> VideoFrame | None:
        """Decode on to frame ``index``; None when it does not come."""
        while (item := self._decoder.next()) is not None:
            number, frame = item
            if keep:
                self._cache.put(number, frame)
            if number == index:
                return frame
            if number > index:
                return None
        return None

    def _found_from_further_back(self, index: int, key: int) -> VideoFrame | None:
        back_off_s = max(_BACK_OFF_S, self._back_off_s)
        for _ in range(3):
            self._decoder.seek(key, back_off_s=back_off_s)
            found = self._walk_to(index, keep=False)
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
            found = self._walk_to(index, keep=False)
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
