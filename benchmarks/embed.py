"""Embedding against its parts: decoding alone, the encoder alone, a bare loop of ``session.run``.

    python -m benchmarks.embed [FILE] [--minutes SHORT LONG]

A clip is made when no file is given.

* CPU milliseconds per embedded frame, decoding and encoder together, over the sum of both alone.
* CPU of ``Encoder.features`` over the same ``session.run`` without anything around it.
* How soon a first look at 2 frames a second is there, and how long the whole takes after it.
* Peak of resident memory of a process that embeds 5 minutes, and of one that embeds an hour: 640 x
  360 at 30 frames a second, one clip, its packets repeated, by the bundled encoder at its own rate.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.clips import camera_clip, long_file
from carl_core.assets import asset_path
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.coarse import COARSE
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.modelfile import read_model_file
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.encoder.providers import open_session, wanted_providers
from carl_core.video.reader import FrameReader
from carl_core.video.recording import Recording, open_recording

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
BATCH = 32
SMALL = (640, 360)  # of the long files: an hour of larger ones takes more than two minutes


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


def compare_parts(recording: Recording, encoder: Encoder) -> list[Claim]:
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
    together_ms = cpu_ms["embed, native rate"]
    what = "decode + encoder together, CPU ms a frame"
    return [
        Claim(what, together_ms, parts_ms, "each alone, summed", at_most=1.1),
        Claim(
            "encoder, CPU ms a frame",
            cpu_ms["encoder alone"],
            cpu_ms["bare session.run"],
            "bare session.run",
        ),
    ]


def resident(path: Path, cache: Path) -> tuple[float, int]:
    """Peak of resident memory in MB, and frames, of a process that embeds a file."""
    program = (
        "import sys, pathlib;"
        "from benchmarks.embed import embed_quietly, peak_mb;"
        "n = embed_quietly(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]));"
        "print(peak_mb(), n)"
    )
    command = [sys.executable, "-c", program, str(path), str(cache)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, frames = done.stdout.split()
    return float(peak), int(frames)


def peak_mb() -> float:
    """Peak of resident memory of this process; NaN where it cannot be told.

    Not `resource.getrusage`: its peak is at least that of the process that started this one.
    """
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return math.nan
    line = next(line for line in text.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def embed_quietly(path: Path, cache: Path) -> int:
    encoder = load_encoder(asset_path("encoder.onnx"), device="cpu")
    return len(embed_recording(open_recording(path), encoder, store=EmbeddingStore(cache)))


def compare_lengths(folder: Path, lengths: tuple[int, int]) -> list[Claim]:
    clip = camera_clip(SMALL, 250)
    peaks = []
    for minutes in lengths:
        path = long_file(clip, 60.0 * minutes)
        start = time.perf_counter()
        peak, frames = resident(path, folder / "cache")
        peaks.append(peak)
        seconds = time.perf_counter() - start
        print(f"{minutes:2} minutes, {frames} frames in {seconds:.0f} s: {peak:.0f} MB at most")
    short, long = lengths
    what = f"peak of memory of embedding {long} minutes, MB"
    return [Claim(what, peaks[1], peaks[0], f"{short} minutes", at_most=1.1)]


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--minutes", nargs=2, type=int, default=(5, 60), metavar=("SHORT", "LONG"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording = open_recording(options.file or camera_clip((1280, 720), 240))
        info = recording.info
        print(f"{info.codec} {info.width}x{info.height}, {info.frames} frames")
        encoder = load_encoder(asset_path("encoder.onnx"), device="cpu")
        claims = compare_parts(recording, encoder)
        first_look(recording, encoder, folder)
        claims += compare_lengths(folder, (options.minutes[0], options.minutes[1]))
    report(claims)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
