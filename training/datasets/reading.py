"""From listed recordings to clips: decoded once into a cache, or when they are asked for.

Cached: each video becomes one ``.npy`` file of uint8 pictures (memory-mapped, so that memory holds
only what is used) and one of its times, named by the file's fingerprint and by how it was decoded.
Memory while decoding is one picture. Not cached: see `SparseFrames`.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.atomic import replacing
from carl_core.errors import MediaError
from carl_core.video.reader import FrameReader
from training.datasets.clip import Clip
from training.datasets.recordings import open_known
from training.datasets.sparse import ReaderPool, SparseFrames

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from carl_core.arrays import Float64, Int64, UInt8
    from carl_core.progress import Monitor
    from carl_core.video.display import Fit
    from carl_core.video.recording import Recording
    from training.datasets.entries import Entry

log = logging.getLogger("carl.train")


@dataclass(frozen=True, slots=True)
class Reading:
    """How videos become pictures.

    Attributes
    ----------
    size : width and height, None = each recording's own
    fit : how a picture comes to ``size``
    max_fps : frames closer than this rate are left out, 0 = every frame
    max_clip_s : what comes later is left out, 0 = nothing is
    cache : folder of decoded pictures, made when missing; None = decode when asked
    limit_bytes : what comes when the cached pictures take more than this is left out
    skip_unreadable : leave videos out that cannot be used, with a warning
    """

    size: tuple[int, int] | None
    fit: Fit = "squash"
    max_fps: float = 0.0
    max_clip_s: float = 0.0
    cache: Path | None = None
    limit_bytes: int = 4 << 30
    skip_unreadable: bool = True


def clips_of(entries: Sequence[Entry], reading: Reading, *, monitor: Monitor) -> list[Clip]:
    """Open what is listed, several files at a time, and decode it where there is a cache.

    Raises
    ------
    MediaError
        When a video cannot be used and ``skip_unreadable`` is false, or none can be used.
    """
    if reading.cache is not None:
        reading.cache.mkdir(parents=True, exist_ok=True)
    monitor.start("decoding" if reading.cache else "opening", len(entries), "videos")
    pool = ReaderPool()
    clips: list[Clip] = []
    failures: list[MediaError] = []
    used = 0
    opened = opened_in_turn(entries)
    try:
        for number, (entry, found) in enumerate(opened):
            try:
                if isinstance(found, MediaError):
                    raise found
                clip = _clip_of(entry, found, reading, pool)
            except MediaError as error:
                if not reading.skip_unreadable:
                    raise
                log.warning("left out: %s", error)
                failures.append(error)
                monitor.advance()
                continue
            used += int(np.prod(clip.frames.shape))
            if reading.cache is not None and clips and used > reading.limit_bytes:
                log.warning(
                    "the cache is full (%d MiB): %d of %d videos are left out; "
                    "raise data.cache_mib, or set data.cache=false",
                    reading.limit_bytes >> 20,
                    len(entries) - number,
                    len(entries),
                )
                break
            clips.append(clip)
            monitor.advance()
    finally:
        opened.close()
    if not clips:
        why = f" The first says: {failures[0]}" if failures else ""
        raise MediaError(
            f"None of the {len(entries)} videos can be used.{why}",
            path=failures[0].path if failures else "",
        ) from (failures[0] if failures else None)
    return clips


def opened_in_turn(
    entries: Sequence[Entry],
) -> Generator[tuple[Entry, Recording | MediaError], None, None]:
    """Yield the entries in their order, each with its recording or why there is none.

    A few are opened ahead, by as many threads as there are cores (8 at most).
    """
    threads = min(8, os.cpu_count() or 1)
    waiting: deque[tuple[Entry, Future[Recording | MediaError]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="carl-open") as pool:
        try:
            for entry in entries:
                waiting.append((entry, pool.submit(_open_or_say, entry.path)))
                if len(waiting) > 2 * threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def spaced_frames(times_s: Float64, *, max_fps: float, max_clip_s: float) -> Int64:
    """Choose frames at most ``max_fps`` apart: int64 (K,), the first is always chosen.

    A grid of instants at that rate, each shown by the nearest frame: no rate beats against the
    recording's own. 0 means no limit, of the rate as of the length.
    """
    limit_s = max_clip_s if max_clip_s > 0 else float("inf")
    if max_fps <= 0:
        return np.flatnonzero(times_s <= limit_s).astype(np.int64)
    end = min(float(times_s[-1]), limit_s)
    instants = np.arange(0.0, end + 0.5 / max_fps, 1.0 / max_fps)
    after = np.clip(np.searchsorted(times_s, instants), 0, len(times_s) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(instants - times_s[before]) <= np.abs(times_s[after] - instants)
    chosen = np.unique(np.where(is_before, before, after)).astype(np.int64)
    return chosen[times_s[chosen] <= limit_s]


def _open_or_say(path: Path) -> Recording | MediaError:
    try:
        return open_known(path)
    except MediaError as error:
        return error


def _clip_of(entry: Entry, recording: Recording, reading: Reading, pool: ReaderPool) -> Clip:
    times_s = recording.index.times_s
    labels = entry.labels_at(times_s)
    wanted = spaced_frames(times_s, max_fps=reading.max_fps, max_clip_s=reading.max_clip_s)
    if labels is not None:
        labels = labels[wanted]
    size = reading.size or (recording.info.width, recording.info.height)
    if reading.cache is None:
        frames = SparseFrames(recording.path, wanted, size=size, fit=reading.fit, pool=pool)
        return Clip(entry.name, frames, times_s[wanted], labels, entry.action)
    decoded = _cached(recording, wanted, size, reading, reading.cache)
    return Clip(entry.name, decoded, times_s[wanted], labels, entry.action)


def _cached(
    recording: Recording, wanted: Int64, size: tuple[int, int], reading: Reading, cache: Path
) -> UInt8:
    side = f"{size[0]}" if size[0] == size[1] else f"{size[0]}x{size[1]}"
    key = f"{recording.fingerprint}-{side}-{reading.fit}"
    key += f"-{reading.max_fps:g}-{reading.max_clip_s:g}"
    frames_path, times_path = cache / f"{key}.frames.npy", cache / f"{key}.times.npy"
    if not times_path.exists():  # written last
        shape = (len(wanted), size[1], size[0], 3)
        with replacing(frames_path) as partial:
            frames = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
            with FrameReader(recording, size=size, fit=reading.fit) as reader:
                for place, frame in enumerate(reader.frames_at(int(n) for n in wanted)):
                    frames[place] = frame.pixels
            frames.flush()
            del frames
        with replacing(times_path) as partial, partial.open("wb") as file:
            np.save(file, recording.index.times_s[wanted])
    stored: UInt8 = np.load(frames_path, mmap_mode="r")
    return stored
