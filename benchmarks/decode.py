"""Compare our frame reader with PyAV alone and OpenCV, on the same file in the same run.

``python -m benchmarks.decode [FILE]`` makes a clip (1080p, H.264, a key frame every 250) when no
file is given. "decode only" throws the frames away; the others also make each one 224x224 RGB, ours
through the display transform. Then an hour of it is opened.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.clips import camera_clip, long_file
from carl_core.video.reader import FrameReader
from carl_core.video.recording import Recording, open_recording

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES = 250
ROUNDS = 5
TILE = (224, 224)
HOUR_S = 3600
SMALL = (640, 360)
"""Of the clip an hour is made of: opening counts frames, not pixels, and disks are small."""

AHEAD = "reader 224, two threads"


def decode_only(path: Path) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for number, _ in enumerate(container.decode(stream), start=1):
            if number == FRAMES:
                return number
        return number


def read_tiles(recording: Recording, *, ahead: bool) -> int:
    frames = range(min(FRAMES, len(recording.index)))
    with FrameReader(recording, size=TILE) as reader:
        return sum(1 for _ in reader.frames_at(frames, ahead=ahead))


def read_shown(recording: Recording) -> int:
    with FrameReader(recording) as reader:
        frames = range(min(FRAMES, len(recording.index)))
        return sum(1 for _ in reader.frames_at(frames, ahead=True))


def opencv_tiles(path: Path) -> Callable[[], int] | None:
    try:
        import cv2
    except ImportError:
        return None

    def run() -> int:
        capture = cv2.VideoCapture(str(path))
        number = 0
        while number < FRAMES and (got := capture.read())[0]:
            cv2.resize(got[1], TILE, interpolation=cv2.INTER_AREA)
            number += 1
        capture.release()
        return number

    return run


def measured(work: Callable[[], int]) -> tuple[float, float]:
    """Frames a second and CPU milliseconds a frame of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    frames = work()
    return (
        frames / (time.perf_counter() - wall),
        1000 * (time.process_time() - cpu) / frames,
    )


def decoding(path: Path) -> list[Claim]:
    recording = open_recording(path)
    info = recording.info
    print(f"{info.codec} {info.width}x{info.height}, {FRAMES} frames, {ROUNDS} rounds")
    rows: dict[str, Callable[[], int]] = {
        "decode only": lambda: decode_only(path),
        "reader 224, one thread": lambda: read_tiles(recording, ahead=False),
        AHEAD: lambda: read_tiles(recording, ahead=True),
        "reader, display size": lambda: read_shown(recording),
    }
    by_opencv = opencv_tiles(path)
    if by_opencv is not None:
        rows["OpenCV, INTER_AREA to 224"] = by_opencv
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for _ in range(ROUNDS):  # interleaved, so that other load hits all rows alike
        for name, work in rows.items():
            results[name].append(measured(work))
    alone = results["decode only"]
    print(f"{'':28}{'fps':>8}{'of decode only':>16}{'cpu ms':>8}{'over it':>9}")
    for name, runs in results.items():
        share = statistics.median(run[0] / bare[0] for run, bare in zip(runs, alone, strict=True))
        over = statistics.median(run[1] - bare[1] for run, bare in zip(runs, alone, strict=True))
        fps = statistics.median(run[0] for run in runs)
        cpu_ms = statistics.median(run[1] for run in runs)
        print(f"{name:28}{fps:8.0f}{share:16.2f}{cpu_ms:8.2f}{over:9.2f}")
    print()
    ours = results[AHEAD]
    return [
        Claim(
            "decode + 224 x 224, frames a second",
            statistics.median(fps for fps, _ in ours),
            peer=statistics.median(fps for fps, _ in alone),
            peer_name="PyAV decode only",
            at_least=0.85,
        ),
        Claim(
            "CPU of 224 x 224 over decode only, ms a frame",
            statistics.median(o[1] - bare[1] for o, bare in zip(ours, alone, strict=True)),
            at_most=1.3,
        ),
    ]


def opening() -> list[Claim]:
    """Open an hour by the file's own table, then by reading all of it."""
    path = long_file(camera_clip(SMALL), HOUR_S)
    times_s: dict[str, list[float]] = {"table": [], "whole": [], "bare": []}
    for _ in range(3):
        start = time.perf_counter()
        with av.open(str(path)) as container:
            entries = len(container.streams.video[0].index_entries)
        times_s["bare"].append(time.perf_counter() - start)
        start = time.perf_counter()
        listed = open_recording(path, provisional=True)
        times_s["table"].append(time.perf_counter() - start)
        start = time.perf_counter()
        exact = open_recording(path)
        times_s["whole"].append(time.perf_counter() - start)
        assert exact.is_exact
        assert not listed.is_exact
        assert np.array_equal(listed.index.pts, exact.index.pts), "the table was wrong"
    assert entries == len(exact.index)
    table_s, whole_s, bare_s = (
        statistics.median(times_s[name]) for name in ("table", "whole", "bare")
    )
    print(
        f"{len(exact.index)} frames, {path.stat().st_size / 1e6:.0f} MB: av.open {bare_s:.2f} s, "
        f"shown after {table_s:.2f} s, read whole after {whole_s:.2f} s more\n"
    )
    return [Claim("an hour of MP4 opened, s", table_s, at_most=1.0)]


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else camera_clip()
    claims = decoding(path)
    report(claims + opening())


if __name__ == "__main__":
    main()
