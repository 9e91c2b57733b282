"""Pictures decoded when they are asked for, and only those.

The official code decodes every frame of a video for each sample. Here ``FrameReader`` decodes from
the key frame before a wanted frame and converts nothing else.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.video.reader import FrameReader
from training.datasets.recordings import open_known

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.arrays import Int64, UInt8
    from carl_core.video.display import Fit

OPEN_READERS = 8
_keys = itertools.count()


class ReaderPool:
    """Open readers that wait to be used again: the latest few of them. Safe from any thread.

    Memory: at most ``limit`` idle decoders, each of which keeps a few frames of its recording
    (about 16 frames of 1.5 bytes a pixel for H.264: 5 MB at 640x360).

    Parameters
    ----------
    limit : number of idle readers
    """

    def __init__(self, limit: int = OPEN_READERS) -> None:
        self._limit = limit
        self._idle: OrderedDict[int, list[FrameReader]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()
        # A data set is let go of, never closed: its files are closed with it.
        weakref.finalize(self, _close, self._idle)

    @property
    def idle(self) -> int:
        """Number of readers that wait."""
        return self._count

    def take(self, key: int) -> FrameReader | None:
        """Take a waiting reader of ``key`` out; its user gives it back or closes it."""
        with self._lock:
            waiting = self._idle.get(key)
            if not waiting:
                return None
            reader = waiting.pop()
            self._count -= 1
            if not waiting:
                del self._idle[key]
            return reader

    def give(self, key: int, reader: FrameReader) -> None:
        """Let a reader wait; those that waited longest are closed."""
        gone: list[FrameReader] = []
        with self._lock:
            self._idle.setdefault(key, []).append(reader)
            self._idle.move_to_end(key)
            self._count += 1
            while self._count > self._limit:
                oldest = next(iter(self._idle))
                gone.append(self._idle[oldest].pop(0))
                self._count -= 1
                if not self._idle[oldest]:
                    del self._idle[oldest]
        for other in gone:
            other.close()

    def close(self) -> None:
        """Close every waiting reader; the pool may be used again."""
        with self._lock:
            gone = [reader for waiting in self._idle.values() for reader in waiting]
            self._idle.clear()
            self._count = 0
        for reader in gone:
            reader.close()


def _close(idle: OrderedDict[int, list[FrameReader]]) -> None:
    for waiting in idle.values():
        for reader in waiting:
            reader.close()
    idle.clear()


class SparseFrames:
    """Pictures of some frames of a recording, decoded as they are asked for. Safe from any thread.

    Memory of ``frames[numbers]`` with K numbers: the K * H * W * 3 bytes it returns, and one
    decoder's few frames; never the whole recording, and never floats. Between calls: 8 bytes for
    each frame (its number), and what ``pool`` keeps open.

    Parameters
    ----------
    path : video file
    chosen : int64 (N,), ascending frame numbers of the recording that make up this clip
    size : width and height of the pictures
    fit : how other proportions are brought to ``size``, see ``DisplayTransform``
    pool : of open readers, shared by the clips of a data set
    """

    def __init__(
        self, path: Path, chosen: Int64, *, size: tuple[int, int], fit: Fit, pool: ReaderPool
    ) -> None:
        self._path = path
        self._chosen = chosen
        self._size = size
        self._fit: Fit = fit
        self._pool = pool
        self._key = next(_keys)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self._chosen), self._size[1], self._size[0], 3

    @property
    def nbytes(self) -> int:
        """Bytes of all pictures together, were they decoded."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, frames: Any, /) -> UInt8:
        """Decode pictures, indexed as the first axis of an array: uint8 (K, H, W, 3).

        Numbers may repeat and come in any order; ascending ones need no second look.

        Raises
        ------
        IndexError
            When there is no such frame.
        UnreadableMediaError
            When the file has gone or is damaged.
        """
        numbers: Int64 = self._chosen[frames]
        is_one = numbers.ndim == 0
        flat = numbers.reshape(-1)
        pictures = np.empty((len(flat), *self.shape[1:]), dtype=np.uint8)
        if len(flat):
            self._decode(flat, pictures)
        return pictures[0] if is_one else pictures

    def _decode(self, numbers: Int64, pictures: UInt8) -> None:
        order = np.argsort(numbers, kind="stable")
        reader = self._pool.take(self._key)
        if reader is None:
            # One thread each: batches are prepared by several threads already.
            reader = FrameReader(
                open_known(self._path), size=self._size, fit=self._fit, threads=1, cache_bytes=0
            )
        try:
            shown = reader.frames_at(int(number) for number in numbers[order])
            for place, frame in zip(order, shown, strict=True):
                pictures[place] = frame.pixels
        except BaseException:
            reader.close()
            raise
        self._pool.give(self._key, reader)
