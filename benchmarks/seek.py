"""Jump to frames of a long group of pictures, against PyAV alone and OpenCV on the same file.

``python -m benchmarks.seek [FILE]`` makes a clip (1080p, H.264, a key frame every 250) when no
file is given. Each target is asked of all peers one after the other. Every frame of ours is checked
to be the one asked for; how many of OpenCV's are is counted where its picture can be compared.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.clips import camera_clip
from carl_core.video.reader import FrameReader
from carl_core.video.recording import Recording, open_recording

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS = 12
TILE = (640, 360)
STEP_S = 1 / 30
"""Seconds between two steps of a key held down."""


def peers(recording: Recording) -> dict[str, Callable[[int], None]]:
    """Name of a peer -> jump to a frame as a program would that uses it directly."""
    container = av.open(str(recording.path))
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"

    def by_pyav(frame: int) -> None:
        wanted = int(recording.index.pts[frame])
        container.seek(wanted, stream=stream)
        for found in container.decode(stream):
            if found.pts is not None and found.pts >= wanted:
                assert found.pts == wanted
                return

    jumps: dict[str, Callable[[int], None]] = {"PyAV alone, not converted": by_pyav}
    try:
        import cv2
    except ImportError:
        return jumps
    capture = cv2.VideoCapture(str(recording.path))

    def by_opencv(frame: int) -> None:
        capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
        assert capture.read()[0]

    jumps["OpenCV, converted to BGR"] = by_opencv
    return jumps


def decode_ms(recording: Recording, frames: int) -> tuple[float, float]:
    """Milliseconds a frame of plain decoding takes from the beginning, and of CPU time."""
    with av.open(str(recording.path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        start, cpu = time.perf_counter(), time.process_time()
        for number, _ in enumerate(container.decode(stream), start=1):
            if number == frames:
                break
        wall_ms = 1000 * (time.perf_counter() - start) / frames
        return wall_ms, 1000 * (time.process_time() - cpu) / frames


def jump(reader: FrameReader, recording: Recording, frame: int) -> tuple[float, float | None]:
    """Milliseconds to the exact frame and, where there is one, to the preview before it."""
    start = time.perf_counter()
    preview_ms = None
    shown = None
    for step in reader.approach(frame):
        if step is not None and step.is_preview:
            preview_ms = 1000 * (time.perf_counter() - start)
        shown = step
    assert shown is not None
    assert (shown.index, shown.pts) == (frame, recording.index.pts[frame])
    return 1000 * (time.perf_counter() - start), preview_ms


def jumps(recording: Recording) -> list[Claim]:
    keys = np.flatnonzero(recording.index.is_key)
    rng = random.Random(1)
    targets = [rng.randrange(len(recording.index)) for _ in range(TARGETS)]
    depths = [frame - int(keys[keys <= frame][-1]) + 1 for frame in targets]
    others = peers(recording)
    times: dict[str, list[float]] = {name: [] for name in ("ours", *others)}
    cpu_ms: dict[str, float] = dict.fromkeys(times, 0.0)
    bare_ms, bare_cpu_ms, previews, shares = [], [], [], []
    for frame in targets:
        wall, cpu = decode_ms(recording, min(100, len(recording.index)))
        bare_ms.append(wall)
        bare_cpu_ms.append(cpu)
        for name, go in others.items():
            start, cpu = time.perf_counter(), time.process_time()
            go(frame)
            times[name].append(1000 * (time.perf_counter() - start))
            cpu_ms[name] += 1000 * (time.process_time() - cpu)
        with FrameReader(recording, size=TILE) as reader:
            cpu = time.process_time()
            exact_ms, preview_ms = jump(reader, recording, frame)
            cpu_ms["ours"] += 1000 * (time.process_time() - cpu)
        times["ours"].append(exact_ms)
        if preview_ms is not None:
            previews.append(preview_ms)
            shares.append(preview_ms / exact_ms)
    plain = [depth * ms for depth, ms in zip(depths, bare_ms, strict=True)]
    print(
        f"{TARGETS} random frames, {statistics.mean(depths):.0f} to decode from the key frame on "
        f"average; plain decoding {statistics.median(bare_ms):.1f} ms a frame"
    )
    plain_cpu_ms = statistics.median(bare_cpu_ms) * sum(depths)
    print(f"{'':28}{'median ms':>10}{'sum / plain decoding':>22}{'the same in CPU time':>22}")
    for name, found in times.items():
        print(
            f"{name:28}{statistics.median(found):10.0f}{sum(found) / sum(plain):22.2f}"
            f"{cpu_ms[name] / plain_cpu_ms:22.2f}"
        )
    print(
        f"{'ours, preview before it':28}{statistics.median(previews):10.0f}"
        f"   {statistics.median(shares):.2f} of the exact one's time (median of {len(previews)})"
    )
    return [
        Claim(
            "exact seek, ms a frame from the key frame on",
            sum(times["ours"]) / sum(depths),
            peer=sum(plain) / sum(depths),
            peer_name="PyAV decode only",
            at_most=1.2,
        ),
        Claim(
            "exact seek, CPU ms a frame from the key frame on",
            cpu_ms["ours"] / sum(depths),
            peer=plain_cpu_ms / sum(depths),
            peer_name="PyAV decode only",
            at_most=1.2,
        ),
        Claim(
            "preview of an exact seek, ms",
            statistics.median(previews),
            peer=statistics.median(previews) / statistics.median(shares),
            peer_name="the exact seek",
            at_most=0.25,
        ),
    ]


def steps_back(recording: Recording) -> list[Claim]:
    """Step from the last frame of the second group back to its key frame."""
    keys = np.flatnonzero(recording.index.is_key)
    first, last = (int(keys[1]), len(recording.index) - 1) if len(keys) > 1 else (0, keys[-1])
    claims = []
    print(f"\none frame back, {last - first} times; the first jump is left out")
    print(f"{'':40}{'median ms':>10}{'p95':>8}{'max':>8}")
    for size in (TILE, (recording.info.width, recording.info.height)):
        for pause_s in (0.0, STEP_S):
            times = []
            with FrameReader(recording, size=size) as reader:
                reader.frame_at(last)
                for frame in range(last - 1, first - 1, -1):
                    start = time.perf_counter()
                    shown = reader.frame_at(frame)
                    times.append(1000 * (time.perf_counter() - start))
                    assert shown.pts == recording.index.pts[frame]
                    # The window gives its decoder threads what is left of the time.
                    while pause_s and time.perf_counter() - start < pause_s:
                        if not reader.work_ahead():
                            break
            name = f"{size[0]}x{size[1]}, " + (
                f"a step every {1000 * pause_s:.0f} ms" if pause_s else "as fast as it goes"
            )
            p95 = float(np.percentile(times, 95))
            print(f"{name:40}{statistics.median(times):10.1f}{p95:8.0f}{max(times):8.0f}")
            claims.append(
                Claim(f"one frame back, {name}, ms", statistics.median(times), at_most=40.0)
            )
    print()
    return claims


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else camera_clip()
    recording = open_recording(path)
    info = recording.info
    print(
        f"{info.codec} {info.width}x{info.height}, {info.frames} frames, "
        f"{int(recording.index.is_key.sum())} key frames"
    )
    report(jumps(recording) + steps_back(recording))


if __name__ == "__main__":
    main()
