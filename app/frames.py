"""Pictures for the tiles: one decoder thread per shown recording.

Each thread owns its reader. The presenter says which frames it wants: the one that should be on
screen now, then those that come next. The newest wish wins, frames nobody wants any more are not
decoded, and nothing waits for a decoder. A frame far from its key frame is preceded by a preview
(``Frame.is_preview``), which must be shown as one.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal, Slot

from carl_core.errors import Cancelled, CarlError
from carl_core.video.planes import Making
from carl_core.video.reader import FrameReader
from carl_core.waiting import given_up_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carl_core.video.reader import Frame
    from carl_core.video.recording import Recording

log = logging.getLogger("carl.play")

FRAMES_AHEAD = 6
"""Decoded frames kept per recording, the present one included (PERFORMANCE: queue of 6-8)."""

DECODER_NICENESS = 2

NEARBY = 30
"""Frames; a wish that moved no farther is served by finishing the one before."""

RETRY_S = 3.0
"""A frame that could not be read is tried again after this: a disk may be back."""

Size = tuple[int, int]


class Reader(Protocol):
    """What a decoder thread needs of ``carl_core.video.reader.FrameReader``."""

    making: Making
    """How frames are made: those in motion need not be exact."""

    def approach(self, index: int, /) -> Iterator[Frame | None]:
        """Yield a preview of a frame that is far, None at every step, and the frame at last."""
        ...

    def work_ahead(self) -> bool:
        """Decode a little of what will be asked for next; False when there is nothing to do."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


OpenReader = Callable[["Recording", Size, int], Reader]
"""(recording, (width, height), decoder threads) -> Reader; called on the decoder's thread."""


class FrameReaders:
    """Opens the real readers, and knows which recordings have small copies for previews."""

    def __init__(self) -> None:
        self.proxies: dict[str, Recording] = {}

    def __call__(self, recording: Recording, size: Size, threads: int) -> Reader:
        """Open one. Any thread."""
        proxy = self.proxies.get(recording.id)
        return FrameReader(recording, size=size, threads=threads, proxy=proxy)


class _Decoder:
    """One thread, one recording. ``want``, ``take`` and ``close`` belong to the main thread."""

    def __init__(
        self,
        recording: Recording,
        open_reader: OpenReader,
        threads: int,
        notify: Callable[[str], None],
    ) -> None:
        self.recording = recording
        self.plan: tuple[int, ...] = ()
        self.shown: tuple[int, Size] | None = None
        self.motion = Making.QUICK
        self._open_reader = open_reader
        self._threads = threads
        self._notify = notify
        self._size: Size | None = None
        self._frames: dict[int, Frame] = {}
        self._quick: set[int] = set()  # those made quickly
        self._latest: Frame | None = None
        self._errors: list[Exception] = []
        self._unreadable: dict[int, float] = {}  # when it was tried last, seconds
        self._is_closed = False
        self._is_reader_old = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=self._run, name=f"carl-decoder-{recording.id[:6]}", daemon=True
        )
        self._thread.start()

    def want(self, plan: tuple[int, ...], size: Size) -> None:
        with self._changed:
            if size != self._size:
                self._size = size
                self._frames.clear()
                self._latest = None
            if not _is_moving(plan) and self._quick.intersection(plan):
                self._frames.clear()  # what stays on the screen comes again, exactly
                self._quick.clear()
                self._latest = self.shown = None
            if plan == self.plan and self._next() is None:
                return
            self.plan = plan
            self._forget_unwanted()
            self._changed.notify()

    def take(self) -> Frame | None:
        """Return the wanted frame when it is there, else the newest that came since."""
        with self._changed:
            frame = self._frames.get(self.plan[0]) if self.plan else None
            if frame is None:
                frame = self._latest
            self._latest = None
            return frame

    def take_errors(self) -> list[Exception]:
        with self._changed:
            errors, self._errors = self._errors, []
            return errors

    @property
    def size(self) -> Size | None:
        return self._size

    def begin_anew(self) -> None:
        """Open another reader for the next frame."""
        self._is_reader_old = True

    def stop(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def join(self) -> None:
        self._thread.join()

    # On the decoder's thread -------------------------------------------------------------------

    def _run(self) -> None:
        if sys.platform == "linux":  # the window comes first where cores are few
            with suppress(OSError):
                thread = threading.get_native_id()
                own = os.getpriority(os.PRIO_PROCESS, thread)
                os.setpriority(os.PRIO_PROCESS, thread, own + DECODER_NICENESS)
        with given_up_when(lambda: self._is_closed):
            self._decode()

    def _decode(self) -> None:
        reader: Reader | None = None
        reader_size: Size | None = None
        has_idle_work = False
        try:
            while True:
                with self._changed:
                    while not self._is_closed and self._next() is None and not has_idle_work:
                        self._changed.wait(self._retry_in_s())
                    if self._is_closed:
                        return
                    index = self._next()
                    size = self._size
                    making = self.motion if _is_moving(self.plan) else Making.EXACT
                if index is None:
                    has_idle_work = reader is not None and self._work_ahead(reader)
                    continue
                assert size is not None
                try:
                    # What failed before is tried with the file opened anew.
                    is_old = index in self._unreadable or self._is_reader_old
                    if reader is None or reader_size != size or is_old:
                        self._is_reader_old = False
                        if reader is not None:
                            closing, reader = reader, None
                            closing.close()
                        reader = self._open_reader(self.recording, size, self._threads)
                        reader_size = size
                    reader.making = making
                    frame = self._read(reader, index, size)
                    has_idle_work = True
                except Cancelled:  # closed while a drive did not answer
                    continue
                except Exception as exc:  # a border: the pictures go on, whatever a decoder raises
                    log.log(
                        logging.DEBUG if index in self._unreadable else logging.WARNING,
                        "%s: frame %d cannot be shown: %s",
                        self.recording.name,
                        index,
                        exc,
                        exc_info=None if isinstance(exc, CarlError) else exc,
                    )
                    with self._changed:
                        is_first = not self._unreadable
                        self._unreadable[index] = time.monotonic()
                        if is_first:
                            self._errors.append(exc)
                    if is_first:
                        self._notify(self.recording.id)
                    continue
                with self._changed:
                    if frame is None or size != self._size:
                        continue
                    is_quick = making is not Making.EXACT
                    if is_quick and not _is_moving(self.plan):
                        continue
                    self._frames[index] = frame
                    self._unreadable.pop(index, None)
                    self._latest = frame
                    if is_quick:
                        self._quick.add(index)
                    self._forget_unwanted()
                self._notify(self.recording.id)
        finally:
            if reader is not None:
                reader.close()

    def _read(self, reader: Reader, index: int, size: Size) -> Frame | None:
        """Decode to a frame, showing a preview on the way; None when it is not waited for."""
        for step in reader.approach(index):
            if step is not None and not step.is_preview:
                return step
            with self._changed:
                if self._is_closed or size != self._size or not self._leads_on(index):
                    return None
                if step is None or index != self.plan[0]:
                    continue
                self._latest = step
            self._notify(self.recording.id)
        return None

    def _leads_on(self, index: int) -> bool:
        """Whether the way to a frame is worth finishing for the wanted one. With the lock held.

        It is part of the way to one that lies a little ahead, and on it the reader keeps those a
        little behind. Leaving it would mean to begin anew with every step of a key held down.
        """
        return bool(self.plan) and abs(self.plan[0] - index) <= NEARBY

    def _work_ahead(self, reader: Reader) -> bool:
        try:
            return reader.work_ahead()
        except Exception as exc:  # a border, as above; asked for, the frame will say what is wrong
            log.debug("%s: cannot work ahead: %s", self.recording.name, exc)
            return False

    def _next(self) -> int | None:
        """First wanted frame that is not there. With the lock held."""
        if self._size is None:
            return None
        for index in self.plan[:FRAMES_AHEAD]:
            if index in self._frames:
                continue
            tried_s = self._unreadable.get(index)
            if tried_s is None or time.monotonic() - tried_s > RETRY_S:
                return index
        return None

    def _retry_in_s(self) -> float | None:
        """How long to wait for the next wish; None = for ever. With the lock held."""
        is_owing = not self._unreadable.keys().isdisjoint(self.plan[:FRAMES_AHEAD])
        return RETRY_S if is_owing else None

    def _forget_unwanted(self) -> None:
        wanted = set(self.plan)
        for index in [i for i in self._frames if i not in wanted]:
            del self._frames[index]
        self._quick &= wanted


def _is_moving(plan: tuple[int, ...]) -> bool:
    """Whether frames are wanted ahead: the pictures are in motion."""
    return len(plan) > 1


def _has_same_frames(new: Recording | None, old: Recording) -> bool:
    """Whether a decoder of ``old`` serves for ``new``, which may have been indexed anew."""
    if new is None or new is old:
        return new is not None
    return (
        new.path == old.path
        and new.threads == old.threads
        and new.is_counted == old.is_counted
        and np.array_equal(new.index.pts, old.index.pts)
        and np.array_equal(new.index.is_key, old.index.is_key)
    )


class FrameService(QObject):
    """Delivers frames of all shown recordings on the main thread.

    Signals
    -------
    frame_ready(str, Frame) : recording id and the frame to show now
    failed(str, Exception) : recording id; the first frame that could not be decoded
    """

    frame_ready = Signal(str, object)
    failed = Signal(str, object)
    _arrived = Signal(str)

    def __init__(
        self, parent: QObject | None = None, *, open_reader: OpenReader | None = None
    ) -> None:
        super().__init__(parent)
        self._readers = FrameReaders()
        self._open_reader = open_reader or self._readers
        self._decoders: dict[str, _Decoder] = {}
        self._leaving: list[_Decoder] = []
        self._pending: set[str] = set()
        self._lock = threading.Lock()
        self._is_closed = False
        self._motion = Making.QUICK
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)

    def set_recordings(self, recordings: tuple[Recording, ...]) -> None:
        """Run exactly one decoder per recording; those no longer listed stop by themselves."""
        wanted = {r.id: r for r in recordings}
        for recording_id, decoder in list(self._decoders.items()):
            if _has_same_frames(wanted.get(recording_id), decoder.recording):
                continue
            del self._decoders[recording_id]
            decoder.stop()
            self._leaving.append(decoder)
        self._leaving = [d for d in self._leaving if d._thread.is_alive()]
        cores = os.cpu_count() or 2
        threads = max(1, min(4, cores // max(1, len(wanted))))
        for recording_id, recording in wanted.items():
            if recording_id not in self._decoders and not self._is_closed:
                decoder = _Decoder(recording, self._open_reader, threads, self._notify)
                decoder.motion = self._motion
                self._decoders[recording_id] = decoder

    @property
    def motion(self) -> Making:
        """How frames in motion are made."""
        return self._motion

    def set_motion(self, motion: Making) -> None:
        """Choose how frames in motion are made, from the next one on."""
        self._motion = motion
        for decoder in self._decoders.values():
            decoder.motion = motion

    def want(self, recording_id: str, plan: tuple[int, ...], size: Size) -> None:
        """Ask for ``plan[0]`` now and the others next, decoded to ``size`` (width, height).

        A frame that is already there is delivered at once, before this returns.
        """
        decoder = self._decoders.get(recording_id)
        if decoder is None or not plan or min(size) < 1:
            return
        decoder.want(plan, size)
        if decoder.shown != (plan[0], size):
            self._deliver(decoder, only_wanted=True)

    def use_proxy(self, recording_id: str, proxy: Recording | None) -> None:
        """Preview far frames of a recording by its small copy from now on; None = without."""
        if proxy is None:
            self._readers.proxies.pop(recording_id, None)
        else:
            self._readers.proxies[recording_id] = proxy
        decoder = self._decoders.get(recording_id)
        if decoder is not None:
            decoder.begin_anew()

    def close(self) -> None:
        """Stop all decoders and wait for their threads."""
        self._is_closed = True
        decoders = [*self._decoders.values(), *self._leaving]
        self._decoders.clear()
        self._leaving.clear()
        for decoder in decoders:
            decoder.stop()
        for decoder in decoders:
            decoder.join()

    def _notify(self, recording_id: str) -> None:
        """Any thread: have the main thread look at a decoder, at most one call under way."""
        with self._lock:
            if self._is_closed or recording_id in self._pending:
                return
            self._pending.add(recording_id)
        self._arrived.emit(recording_id)

    @Slot(str)
    def _on_arrived(self, recording_id: str) -> None:
        with self._lock:
            self._pending.discard(recording_id)
        decoder = self._decoders.get(recording_id)
        if decoder is None:
            return
        for error in decoder.take_errors():
            self.failed.emit(recording_id, error)
        self._deliver(decoder, only_wanted=False)

    def _deliver(self, decoder: _Decoder, *, only_wanted: bool) -> None:
        frame = decoder.take()
        size = decoder.size
        if frame is None or size is None or decoder.shown == (frame.index, size):
            return
        is_wanted = bool(decoder.plan) and frame.index == decoder.plan[0] and not frame.is_preview
        if not is_wanted and (only_wanted or frame.index in decoder.plan):
            return  # decoded ahead: its time has not come
        decoder.shown = None if frame.is_preview else (frame.index, size)
        self.frame_ready.emit(decoder.recording.id, frame)
