"""A recording's sound, decoded ahead of where it is heard, for a reader that must never wait."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from carl_core.errors import Cancelled, MediaError
from carl_core.video.audio import audio_pieces
from carl_core.waiting import given_up_when

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from carl_core.arrays import Float32
    from carl_core.video.recording import Recording

_log = logging.getLogger("carl.video")

CHUNK = 16384
"""Samples decoded and kept together: a third of a second."""

CHANNELS = 2

_AHEAD = 6
_BEHIND = 2
_THEN = 3  # where a loop begins again
_NICENESS = 1  # before the pictures' decoders: a gap in sound is noticed first


def audio_chunks(
    recording: Recording, first: int, *, rate: int = 48000
) -> Generator[Float32, None, None]:
    """Decode chunks number ``first``, ``first + 1`` ...: float32 (CHUNK, 2), silent in gaps.

    Chunk k begins ``k * CHUNK / rate`` seconds after the first presented video frame. Ends with
    the sound; nothing comes where none can be decoded.

    Raises
    ------
    UnreadableMediaError
        When the file itself cannot be read.
    """
    start = first * CHUNK
    chunk = np.zeros((CHUNK, CHANNELS), dtype=np.float32)
    is_begun = False
    for place, piece in audio_pieces(recording, rate=rate, channels=CHANNELS, start_s=start / rate):
        # A broken decoder may give numbers that are none.
        rest, at = np.nan_to_num(piece, posinf=0.0, neginf=0.0), place
        while len(rest):
            if at >= start + CHUNK:  # the chunk before it is complete
                yield chunk
                chunk = np.zeros((CHUNK, CHANNELS), dtype=np.float32)
                start += CHUNK
                continue
            skipped = min(max(0, start - at), len(rest))
            part = rest[skipped : start + CHUNK - at]
            chunk[at + skipped - start : at + skipped - start + len(part)] = part
            is_begun = True
            taken = skipped + len(part)
            rest, at = rest[taken:], at + taken
    if is_begun:
        yield chunk


class SoundAhead:
    """The sound around the place last asked for, decoded by a thread of its own.

    `copy` never waits and takes no lock; what is not there (yet) is silent.

    Parameters
    ----------
    recording : whose sound
    rate : samples a second
    """

    def __init__(self, recording: Recording, *, rate: int = 48000) -> None:
        self.recording = recording
        self.rate = rate
        self.failure: Exception | None = None
        self._chunks: dict[int, Float32] = {}
        self._silent_from: int | None = None  # chunk number from which on there is no sound
        self._wanted = 0
        self._then: int | None = None
        self._is_closed = False
        self._moved = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"carl-sound-{recording.id[:6]}", daemon=True
        )
        self._thread.start()

    def want(self, sample: int, then: int | None = None) -> None:
        """Have the sound from ``sample`` on decoded. Any thread; does not wait.

        Parameters
        ----------
        then : a sample that will be jumped to, so that the beginning there is kept ready as well
        """
        chunk = max(0, sample // CHUNK)
        next_chunk = None if then is None else max(0, then // CHUNK)
        if chunk != self._wanted or next_chunk != self._then:
            self._wanted, self._then = chunk, next_chunk
            self._moved.set()

    def has(self, first: int, count: int) -> bool:
        """Whether samples ``first`` to ``first + count`` can be copied. Any thread."""
        chunks = range(max(0, first // CHUNK), (first + count - 1) // CHUNK + 1)
        return all(k in self._chunks or self._is_silent(k) for k in chunks)

    def copy(self, first: int, out: Float32) -> None:
        """Copy the sound from sample ``first`` on into ``out`` (N, 2). Any thread."""
        done = 0
        while done < len(out):
            number, offset = divmod(first + done, CHUNK)
            count = min(len(out) - done, CHUNK - offset)
            chunk = self._chunks.get(number)
            out[done : done + count] = 0.0 if chunk is None else chunk[offset : offset + count]
            done += count

    def stop(self) -> None:
        """Have the thread end; does not wait for it."""
        self._is_closed = True
        self._moved.set()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self.stop()
        self._thread.join()

    def _is_silent(self, chunk: int) -> bool:
        return self._silent_from is not None and chunk >= self._silent_from

    # On the decoding thread --------------------------------------------------------------------

    def _run(self) -> None:
        if sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        with given_up_when(lambda: self._is_closed):
            self._decode()

    def _decode(self) -> None:
        chunks: Generator[Float32, None, None] | None = None
        at = 0  # number of the chunk that comes next out of it
        try:
            while not self._is_closed:
                self._moved.clear()
                number = self._missing()
                if number is None:
                    self._moved.wait()
                    continue
                if chunks is None or at != number:
                    if chunks is not None:
                        chunks.close()
                    chunks = audio_chunks(self.recording, number, rate=self.rate)
                    at = number
                try:
                    chunk = next(chunks, None)
                except Cancelled:  # closed while a drive did not answer
                    return
                except (MediaError, OSError, ValueError) as exc:
                    _log.warning("%s: its sound cannot be played: %s", self.recording.name, exc)
                    self.failure = exc
                    chunk = None
                if chunk is None:
                    silent = self._silent_from
                    self._silent_from = at if silent is None else min(at, silent)
                    chunks = None
                    continue
                self._chunks[at] = chunk
                at += 1
                self._forget()
        finally:
            if chunks is not None:
                chunks.close()

    def _missing(self) -> int | None:
        for number in self._kept(0):
            if number not in self._chunks and not self._is_silent(number):
                return number
        return None

    def _forget(self) -> None:
        kept = set(self._kept(_BEHIND))
        for number in list(self._chunks):
            if number not in kept:
                del self._chunks[number]

    def _kept(self, behind: int) -> Iterator[int]:
        """Chunks to have, most urgent first, with some that are already past."""
        wanted, then = self._wanted, self._then
        yield from range(wanted, wanted + _AHEAD)
        yield from range(wanted - behind, wanted)
        if then is not None:
            yield from range(then, then + _THEN)
