"""Compare our frame reader with PyAV alone, on the same file in the same run.

``python -m benchmarks.decode [FILE]`` makes a clip when no file is given. "decode only" throws the
frames away; the readers also scale each one to 224x224 RGB through the display transform.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from benchmarks.claims import Claim, report
from carl_core.video.prefetch import prefetched
from carl_core.video.reader import FrameReader
from carl_core.video.recording import Recording, open_recording
from carl_core.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = (1280, 720)
FRAMES = 200
ROUNDS = 3
SEEKS = 12
TILE = (224, 224)


def make_clip(path: Path) -> None:
    """Write a drifting pattern with a little noise, about as heavy to decode as a camera's file."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    noise = rng.integers(0, 12, (8, SIZE[1], SIZE[0], 1), np.uint8)
    with VideoWriter(path, size=SIZE, rate=30) as writer:
        for number in range(FRAMES):
            waves = np.stack(
                [(x + 3 * number) // 8, (y + 2 * number) // 8, (x + y - number) // 16], axis=-1
            )
            writer.write((waves % 200).astype(np.uint8) + noise[number % 8])


def decode_only(path: Path) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def read_tiles(recording: Recording) -> int:
    with FrameReader(recording, size=TILE) as reader:
        return sum(1 for _ in reader.frames_at(range(len(recording.index))))


def read_tiles_ahead(recording: Recording) -> int:
    with FrameReader(recording, size=TILE) as reader:
        return sum(1 for _ in prefetched(reader.frames_at(range(len(recording.index)))))


def read_shown(recording: Recording) -> int:
    with FrameReader(recording) as reader:
        return sum(1 for _ in reader.frames_at(range(len(recording.index))))


def measured(work: Callable[[], int]) -> tuple[float, float]:
    """Frames a second and CPU milliseconds a frame of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    frames = work()
    return (
        frames / (time.perf_counter() - wall),
        1000 * (time.process_time() - cpu) / frames,
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            path = Path(sys.argv[1])
        else:
            path = Path(folder) / "clip.mp4"
            make_clip(path)
        start = time.perf_counter()
        recording = open_recording(path)
        opened_ms = 1000 * (time.perf_counter() - start)
        info = recording.info
        print(f"{info.codec} {info.width}x{info.height}, {info.frames} frames, ", end="")
        print(f"{path.stat().st_size / 1e6:.1f} MB, opened in {opened_ms:.0f} ms")
        rows: dict[str, Callable[[], int]] = {
            "decode only": lambda: decode_only(path),
            "reader 224": lambda: read_tiles(recording),
            "reader 224, prefetched": lambda: read_tiles_ahead(recording),
            "reader, display size": lambda: read_shown(recording),
        }
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
        for _ in range(ROUNDS):  # interleaved, so that other load hits all rows alike
            for name, work in rows.items():
                results[name].append(measured(work))
        base = statistics.median(fps for fps, _ in results["decode only"])
        base_cpu_ms = statistics.median(cpu for _, cpu in results["decode only"])
        print(f"{'':24}{'fps':>8}{'ratio':>8}{'cpu ms':>8}")
        for name, runs in results.items():
            fps = statistics.median(run[0] for run in runs)
            cpu_ms = statistics.median(run[1] for run in runs)
            print(f"{name:24}{fps:8.0f}{fps / base:8.2f}{cpu_ms:8.2f}")
        rng = random.Random(1)
        targets = [rng.randrange(len(recording.index)) for _ in range(SEEKS)]
        with FrameReader(recording, size=TILE, cache_bytes=1) as reader:
            times_ms, depths = [], []
            for frame in targets:
                start = time.perf_counter()
                shown = reader.frame_at(frame)
                times_ms.append(1000 * (time.perf_counter() - start))
                assert shown.pts == recording.index.pts[frame]
                keys = np.flatnonzero(recording.index.is_key[: frame + 1])
                depths.append(frame - int(keys[-1]))
        print(
            f"random frame: median {statistics.median(times_ms):.0f} ms, "
            f"{statistics.mean(depths):.0f} frames from the key frame on average\n"
        )
        ahead = results["reader 224, prefetched"]
        report(
            [
                Claim(
                    "decode + 224 x 224, frames a second",
                    statistics.median(fps for fps, _ in ahead),
                    peer=base,
                    peer_name="PyAV decode only",
                    at_least=0.85,
                ),
                Claim(
                    "CPU of 224 x 224 over decode only, ms a frame",
                    statistics.median(cpu for _, cpu in ahead) - base_cpu_ms,
                    at_most=1.3,
                ),
                Claim(
                    "exact seek, ms",
                    statistics.mean(times_ms),
                    peer=1000 / base * (statistics.mean(depths) + 1),
                    peer_name="PyAV decode only, as many frames",
                    at_most=1.2,
                ),
            ]
        )


if __name__ == "__main__":
    main()
