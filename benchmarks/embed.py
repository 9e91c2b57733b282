"""Embedding against its parts: decoding alone, the encoder alone, a bare loop of ``session.run``.

``python -m benchmarks.embed [FILE]`` makes a clip when no file is given.

* CPU milliseconds per embedded frame, decoding and encoder together, over the sum of both alone.
* Frames a second of ``Encoder.features`` over the same ``session.run`` without anything around it.
* Resident memory after embedding 5 minutes and 1 hour (one clip, its packets repeated).
* How soon a first look at 2 frames a second is there, and how long the whole takes after it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from benchmarks.clips import camera_clip
from carl_core.assets import asset_path
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.coarse import COARSE
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.modelfile import read_model_file
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.encoder.providers import open_session, wanted_providers
from carl_core.video.image import resize_image
from carl_core.video.reader import FrameReader
from carl_core.video.recording import Recording, open_recording
from carl_core.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
BATCH = 32
SMALL = (160, 120)
LONG_FPS = 10  # the encoder's own


def measured(work: Callable[[], int]) -> tuple[float, float]:
    """Frames a second and CPU milliseconds a frame of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    frames = work()
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    return frames / wall_s, 1000 * cpu_s / frames


def decode_alone(recording: Recording, size: int) -> int:
    with FrameReader(recording, size=(size, size)) as reader:
        return sum(1 for _ in reader.frames_at(range(len(recording.index))))


def encode_alone(encoder: Encoder, batch: np.ndarray, count: int) -> int:
    for _ in range(count // len(batch)):
        encoder.features(batch)
    return count // len(batch) * len(batch)


def bare_loop(session: object, batch: np.ndarray, count: int) -> int:
    for _ in range(count // len(batch)):
        session.run(None, {"frames": batch[None]})  # type: ignore[attr-defined]
    return count // len(batch) * len(batch)


def compare_parts(recording: Recording, encoder: Encoder) -> None:
    size, count = encoder.spec.size, len(recording.index)
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 256, (BATCH, size, size, 3), np.uint8)
    providers, _ = wanted_providers("cpu")
    session = open_session(read_model_file(encoder.path).trunk, providers)
    rows: dict[str, Callable[[], int]] = {
        "decode alone": lambda: decode_alone(recording, size),
        "encoder alone": lambda: encode_alone(encoder, batch, count),
        "bare session.run": lambda: bare_loop(session, batch, count),
        "embed, native rate": lambda: len(embed_recording(recording, encoder, sampling="native")),
    }
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for _ in range(ROUNDS):  # interleaved, so that other load hits all rows alike
        for name, work in rows.items():
            results[name].append(measured(work))
    print(f"{'':24}{'fps':>8}{'cpu ms':>8}")
    cpu_ms = {}
    for name, runs in results.items():
        cpu_ms[name] = statistics.median(run[1] for run in runs)
        print(f"{name:24}{statistics.median(run[0] for run in runs):8.0f}{cpu_ms[name]:8.2f}")
    parts_ms = cpu_ms["decode alone"] + cpu_ms["encoder alone"]
    print(f"together over the sum of the parts: {cpu_ms['embed, native rate'] / parts_ms:.2f}")
    ratio = cpu_ms["bare session.run"] / cpu_ms["encoder alone"]
    print(f"encoder over the bare loop (CPU): {ratio:.2f} of its speed")


def make_long(path: Path, minutes: int) -> Path:
    """Write one minute, and repeat its packets."""
    minute = path.with_name("minute.mp4")
    if not minute.exists():
        rng = np.random.default_rng(0)
        pictures = rng.integers(0, 255, (30, 12, 16, 3), np.uint8)
        with VideoWriter(minute, size=SMALL, rate=LONG_FPS) as writer:
            for number in range(60 * LONG_FPS):
                writer.write(resize_image(pictures[number % 30], SMALL, "squash"))
    with av.open(str(path), "w") as output:
        with av.open(str(minute)) as source:
            track = output.add_stream_from_template(source.streams.video[0])
        for number in range(minutes):
            with av.open(str(minute)) as source:
                stream = source.streams.video[0]
                assert stream.time_base is not None
                step = round(60 / stream.time_base)
                for packet in source.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += number * step
                    packet.dts += number * step
                    packet.stream = track
                    output.mux(packet)
    return path


def resident(path: Path, cache: Path) -> tuple[float, int]:
    """Peak of resident memory in MB, and frames, of a process that embeds a file."""
    program = (
        "import sys, resource, pathlib;"
        "from benchmarks.embed import embed_quietly;"
        "n = embed_quietly(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, n)"
    )
    command = [sys.executable, "-c", program, str(path), str(cache)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, frames = done.stdout.split()
    return float(peak), int(frames)


def embed_quietly(path: Path, cache: Path) -> int:
    encoder = load_encoder(asset_path("encoder.onnx"), device="cpu")
    trunk = encoder.features
    first: list[np.ndarray] = []

    def quick(frames: np.ndarray) -> np.ndarray:
        """Run the trunk once: an hour of it takes a quarter of an hour, and no more memory."""
        if not first:
            first.append(trunk(frames))
        return np.resize(first[0], (len(frames), encoder.spec.channels))

    encoder.features = quick  # type: ignore[method-assign]
    made = embed_recording(
        open_recording(path), encoder, sampling="native", store=EmbeddingStore(cache)
    )
    return len(made)


def compare_lengths(folder: Path) -> None:
    peaks = {}
    for minutes in (5, 60):
        path = make_long(folder / f"{minutes}.mp4", minutes)
        peaks[minutes], frames = resident(path, folder / "cache")
        print(f"{minutes:2} minutes, {frames} frames: {peaks[minutes]:.0f} MB at most")
    print(f"1 hour over 5 minutes: {peaks[60] / peaks[5]:.2f} of the memory")


def first_look(recording: Recording, encoder: Encoder, folder: Path) -> None:
    store = EmbeddingStore(folder / "look")
    start = time.perf_counter()
    look = embed_recording(recording, encoder, sampling=COARSE, store=store)
    look_s = time.perf_counter() - start
    whole = embed_recording(recording, encoder, sampling="native", store=store)
    whole_s = time.perf_counter() - start - look_s
    start = time.perf_counter()
    embed_recording(recording, encoder, sampling="native")
    alone_s = time.perf_counter() - start
    print(
        f"first look: {len(look)} frames in {look_s:.1f} s; then {len(whole)} in {whole_s:.1f} s, "
        f"{alone_s:.1f} s without it"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else camera_clip((1280, 720), 240)
        recording = open_recording(path)
        info = recording.info
        print(f"{info.codec} {info.width}x{info.height}, {info.frames} frames")
        encoder = load_encoder(asset_path("encoder.onnx"), device="cpu")
        compare_parts(recording, encoder)
        first_look(recording, encoder, folder)
        compare_lengths(folder)


if __name__ == "__main__":
    main()
