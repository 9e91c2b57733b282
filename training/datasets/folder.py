"""A folder of videos, decoded once to small pictures that are then read at random.

Each video becomes one ``.npy`` file of uint8 pictures (memory-mapped, so that memory holds only
what is used) and one of its times, named by the file's fingerprint and by how it was decoded.
"""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from carl_core.errors import MediaError
from carl_core.video.reader import FrameReader
from carl_core.video.recording import Recording, open_recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carl_core.arrays import Float64, Int64, UInt8
    from carl_core.progress import Monitor

VIDEO_SUFFIXES = frozenset(
    ".mp4 .mov .m4v .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .3gp .flv .wmv .ogv".split()
)

log = logging.getLogger("carl.train")


class EmptyFolderError(MediaError):
    """The folder holds nothing to train on."""


class Frames(Protocol):
    """Pictures of one recording: a NumPy array, or what decodes only what it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, 3)."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, frames: Int64, /) -> UInt8:
        """Pictures (K, H, W, 3) of ascending frame numbers int64 (K,), which may repeat."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Pictures of one recording.

    Attributes
    ----------
    name : for messages
    frames : uint8 (N, H, W, 3), usually memory-mapped
    times_s : float64 (N,), seconds from the recording's first frame
    labels : int64 (N,), phase of each frame, -1 = none; None where there are no labels
    action : what is done, "" = not known
    """

    name: str
    frames: Frames
    times_s: Float64
    labels: Int64 | None = None
    action: str = ""


def find_videos(
    root: Path, *, manifest: str = "", exclude_columns: tuple[str, ...] = ()
) -> list[Path]:
    """List the videos below ``root`` in a fixed order.

    Parameters
    ----------
    root : folder, searched through its subfolders; or one video
    manifest : CSV with a column ``file`` relative to its own folder, ``root`` or above; "" = none
    exclude_columns : a video whose row has a non-empty cell in one of these is left out

    Raises
    ------
    EmptyFolderError
        When there is no such folder or no video in it.
    """
    if not root.exists():
        raise EmptyFolderError(f"There is no folder {root}. Check data.root.", path=root)
    found = (
        [root]
        if root.is_file()
        else sorted(
            path
            for path in root.rglob("*")
            if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
        )
    )
    if not found:
        raise EmptyFolderError(
            f"The folder {root} holds no video ({', '.join(sorted(VIDEO_SUFFIXES))}). "
            "Name a folder of videos with --set data.root=FOLDER.",
            path=root,
        )
    if manifest and exclude_columns:
        excluded = set(_excluded_names(Path(manifest), exclude_columns))
        found = [path for path in found if path.name not in excluded]
        if not found:
            raise EmptyFolderError(f"{manifest} excludes every video of {root}.", path=root)
    return found


def read_clips(
    videos: list[Path],
    cache: Path,
    *,
    size: int,
    fit: Literal["squash", "letterbox", "crop"],
    max_fps: float,
    max_clip_s: float,
    limit_bytes: int,
    skip_unreadable: bool,
    monitor: Monitor,
) -> list[Clip]:
    """Decode videos into the cache, or find them there.

    Memory during decoding is one clip's small pictures.

    Parameters
    ----------
    videos : paths
    cache : folder, made when missing
    size : side of the small pictures
    fit : how a picture becomes square
    max_fps : frames closer than this rate are left out
    max_clip_s : what comes later is left out
    limit_bytes : decoding stops when the pictures take more than this
    skip_unreadable : leave unreadable videos out, with a warning
    monitor : progress and cancellation

    Raises
    ------
    MediaError
        When a video cannot be read and ``skip_unreadable`` is false, or none can be read.
    """
    cache.mkdir(parents=True, exist_ok=True)
    monitor.start("decoding", len(videos), "videos")
    clips: list[Clip] = []
    failures: list[MediaError] = []
    used = 0
    for number, path in enumerate(videos):
        try:
            clip = _read_clip(path, cache, size, fit, max_fps, max_clip_s)
        except MediaError as error:
            if not skip_unreadable:
                raise
            log.warning("left out: %s", error)
            failures.append(error)
            monitor.advance()
            continue
        used += int(np.prod(clip.frames.shape))
        if clips and used > limit_bytes:
            log.warning(
                "the cache is full (%d MiB): %d of %d videos are left out; raise data.cache_mib",
                limit_bytes >> 20,
                len(videos) - number,
                len(videos),
            )
            break
        clips.append(clip)
        monitor.advance()
    if not clips:
        raise MediaError(
            f"None of the {len(videos)} videos can be read. The first says: {failures[0]}",
            path=failures[0].path,
        ) from failures[0]
    return clips


def _excluded_names(manifest: Path, columns: tuple[str, ...]) -> Iterator[str]:
    try:
        with manifest.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = {"file", *columns} - set(rows.fieldnames or ())
            if missing:
                raise MediaError(
                    f"{manifest} has no column {', '.join(sorted(missing))}.", path=manifest
                )
            for row in rows:
                if any(row[column] for column in columns):
                    yield Path(row["file"]).name
    except (OSError, UnicodeDecodeError) as exc:
        raise MediaError(f"The manifest {manifest} cannot be read ({exc}).", path=manifest) from exc


def _read_clip(
    path: Path,
    cache: Path,
    size: int,
    fit: Literal["squash", "letterbox", "crop"],
    max_fps: float,
    max_clip_s: float,
) -> Clip:
    recording = open_recording(path)
    key = f"{recording.fingerprint}-{size}-{fit}-{max_fps:g}-{max_clip_s:g}"
    frames_path, times_path = cache / f"{key}.frames.npy", cache / f"{key}.times.npy"
    if not times_path.exists():  # written last
        wanted = spaced_frames(recording.index.times_s, max_fps=max_fps, max_clip_s=max_clip_s)
        frames = _decode(recording, wanted, size, fit)
        _save(frames_path, frames)
        _save(times_path, recording.index.times_s[wanted])
    times_s = np.load(times_path)
    return Clip(recording.name, np.load(frames_path, mmap_mode="r"), times_s)


def spaced_frames(times_s: Float64, *, max_fps: float, max_clip_s: float) -> Int64:
    """Choose frames at most ``max_fps`` apart: int64 (K,), the first is always chosen.

    A grid of instants at that rate, each shown by the nearest frame: no rate beats against the
    recording's own.
    """
    end = min(float(times_s[-1]), max_clip_s)
    instants = np.arange(0.0, end + 0.5 / max_fps, 1.0 / max_fps)
    after = np.clip(np.searchsorted(times_s, instants), 0, len(times_s) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(instants - times_s[before]) <= np.abs(times_s[after] - instants)
    chosen = np.unique(np.where(is_before, before, after)).astype(np.int64)
    return chosen[times_s[chosen] <= max_clip_s]


def _decode(
    recording: Recording, wanted: Int64, size: int, fit: Literal["squash", "letterbox", "crop"]
) -> UInt8:
    frames = np.empty((len(wanted), size, size, 3), dtype=np.uint8)
    with FrameReader(recording, size=(size, size), fit=fit) as reader:
        for place, frame in enumerate(reader.frames_at(int(number) for number in wanted)):
            frames[place] = frame.pixels
    return frames


def _save(path: Path, array: UInt8 | Float64) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, array)
    partial.replace(path)
