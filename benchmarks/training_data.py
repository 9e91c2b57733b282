"""How fast two-view training tensors are made, against the published recipe made the plain way.

    python -m benchmarks.training_data [--rounds N] [--threads N] [--no-step]

The clips are the same for all: 20 s at 640x360, T = 80 frames per view, 224 pixels. The published
recipe made the plain way (its own code here, with PyAV, Pillow and torchvision) decodes the whole
clip to float32 for each sample and takes every frame through Pillow; the blur comes four times.
Every row ends with normalised float32 tensors (2, 80, 3, 224, 224). The rows take turns, so that
other load on the machine hits all alike; a ratio is the median of the rounds' ratios.

Beside it: whole training steps (light trunk, float32, on the CPU and on a GPU if there is one), the
share of the time that they wait for data, and the peak of resident memory of a process that does
nothing else. The figures are also written to ``benchmarks/out/training_data.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import torch
import torchvision.transforms.functional as F
from PIL import ImageFilter
from torch import Tensor

from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from carl_core.video.writer import VideoWriter
from training.augment import PublishedLook, draw_look
from training.config import TrainConfig, config_from_json
from training.data import Batch, Source, Take, batches, make_batch
from training.datasets.sparse import ReaderPool, SparseFrames
from training.learner import Learner, losses_of
from training.sampling import generator_for, sample_views

if TYPE_CHECKING:
    from collections.abc import Callable

    from carl_core.arrays import UInt8

SIZE = (640, 360)
FPS, SECONDS = 25, 20
CLIPS = 3
RADIUS = 40
FRAMES, SIDE = 80, 224
CACHED = 272  # side of cached pictures: what data.size = 0 means for 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OUT = Path(__file__).parent / "out" / "training_data.json"
PLAIN = "published, made the plain way"
STEPS = "whole steps"
AIM = 3.0

# Settings of the official code (sampler and looks of its self-supervised training).
_PUBLISHED: dict[str, dict[str, Any]] = {
    "sampling": {
        "strategy": "published_length", "frames": FRAMES, "max_ratio": 1.5, "min_overlap": 0.2,
        "sigma_unit": "frames",
    },
    "augment": {
        "recipe": "published", "shared_flip": False, "min_area": 0.8, "max_area": 1.0,
        "max_aspect": 4 / 3, "jitter": 0.8, "brightness": 0.8, "contrast": 0.8, "saturation": 0.8,
        "hue": 0.2, "grey": 0.2, "blur": 0.5, "noise": 0.0, "cutout": 0.0,
    },
}  # fmt: skip
_FIXED: dict[str, dict[str, Any]] = {"sampling": {"frames": FRAMES}}


def make_clip(path: Path, seed: int) -> None:
    """Write a clip with a panning texture, moving discs and a little noise, as a camera gives."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    texture = np.zeros((2 * height, 2 * width, 3), np.float32)
    for cell in (8, 24, 72):
        coarse = rng.normal(0, 22, (2 * height // cell + 1, 2 * width // cell + 1, 3))
        fine = coarse.astype(np.float32).repeat(cell, axis=0).repeat(cell, axis=1)
        texture += fine[: 2 * height, : 2 * width]
    texture = (120 + texture).clip(8, 247).astype(np.uint8)
    grain = rng.integers(0, 9, (8, height, width, 1), np.uint8)
    y, x = np.mgrid[-RADIUS:RADIUS, -RADIUS:RADIUS]
    disc = (np.hypot(x, y) < RADIUS)[..., None]
    phases = rng.uniform(0, 6, (4, 2))
    colours = rng.integers(20, 235, (4, 3), np.uint8)
    with VideoWriter(path, size=SIZE, rate=FPS) as writer:
        for number in range(FPS * SECONDS):
            time_s = number / FPS
            left = int((0.5 + 0.45 * np.sin(0.4 * time_s)) * width)
            top = int((0.5 + 0.45 * np.cos(0.3 * time_s)) * height)
            picture = texture[top : top + height, left : left + width].copy()
            for (one, two), colour in zip(phases, colours, strict=True):
                across = int(width * (0.5 + 0.4 * np.sin(2.1 * time_s + one))) - RADIUS
                down = int(height * (0.5 + 0.35 * np.cos(1.7 * time_s + two))) - RADIUS
                patch = picture[down : down + 2 * RADIUS, across : across + 2 * RADIUS]
                np.copyto(patch, colour, where=disc)
            writer.write(picture - 4 + grain[number % 8])


# The published recipe, made the plain way.


def plain_sample(path: Path, seed: int, config: TrainConfig) -> Tensor:
    """Make one two-view sample as the official code goes about it: (2, T, 3, S, S)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    video = torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).float() / 255  # (L, 3, H, W)
    rng = generator_for(seed)
    times_s = np.arange(len(video)) / FPS
    pair = sample_views(rng, times_s, times_s, config.sampling)
    views = []
    for view in (pair.first, pair.second):
        look = draw_look(
            rng, config.augment, is_mirrored=bool(rng.random() < 0.5), shape=(SIZE[1], SIZE[0])
        )
        assert isinstance(look, PublishedLook)
        views.append(torch.stack([plain_frame(frame, look) for frame in video[view.frames]]))
    return torch.stack(views)


def plain_frame(frame: Tensor, look: PublishedLook) -> Tensor:
    """Take a frame (3, H, W) through Pillow, an operation after the other."""
    left, top, right, bottom = look.crop
    picture = F.to_pil_image(frame)
    picture = F.resized_crop(picture, top, left, bottom - top, right - left, [SIDE, SIDE])
    if look.is_mirrored:
        picture = F.hflip(picture)
    adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
    for kind in look.order:
        picture = adjust[kind](picture, (*look.factors, look.hue)[kind])
        if look.blur:
            picture = picture.filter(ImageFilter.GaussianBlur(look.blur))
    if look.is_grey:
        picture = F.to_grayscale(picture, num_output_channels=3)
    normalised: Tensor = F.normalize(F.to_tensor(picture), MEAN, DEVIATION)
    return normalised


# Ours.


def our_sample(source: Source, seed: int, config: TrainConfig) -> Tensor:
    """Make one two-view sample with ``make_batch``: (2, T, 3, S, S)."""
    return normalised(make_batch(seed, [source], [], config))[:, 0]


def normalised(batch: Batch) -> Tensor:
    """Turn bytes (V, B, T, S, S, 3) to what a published trunk takes; our models do it inside."""
    scale = torch.tensor([1 / (255 * one) for one in DEVIATION])
    offset = torch.tensor([-mean / one for mean, one in zip(MEAN, DEVIATION, strict=True)])
    pixels = torch.addcmul(offset, batch.frames, scale)  # (V, B, T, S, S, 3)
    return pixels.movedim(-1, -3)


def sparse_source(path: Path, size: tuple[int, int]) -> Source:
    recording = open_recording(path)
    times_s = recording.index.times_s
    frames = SparseFrames(path, np.arange(len(times_s)), size=size, fit="squash", pool=ReaderPool())
    return Source(path.stem, (Take(frames, times_s, times_s),))


def cached_source(path: Path) -> Source:
    """Return a source whose decoded pictures lie on disk beside the clip."""
    kept = path.with_suffix(".npy")
    recording = open_recording(path)
    times_s = recording.index.times_s
    if not kept.exists():
        pictures: UInt8 = np.empty((len(times_s), CACHED, CACHED, 3), np.uint8)
        with FrameReader(recording, size=(CACHED, CACHED)) as reader:
            for place, frame in enumerate(reader.frames_at(range(len(times_s)))):
                pictures[place] = frame.pixels
        np.save(kept, pictures)
    return Source(path.stem, (Take(np.load(kept, mmap_mode="r"), times_s, times_s),))


def config_of(sections: dict[str, dict[str, Any]], *, workers: int = 1) -> TrainConfig:
    return config_from_json(
        {
            **sections,
            "data": {"root": "-", "batch_clips": 1, "workers": workers, "max_fps": 0.0},
            "model": {"backbone": "light", "image_size": SIDE, "train_frames": FRAMES},
        }
    )


def rows_of(paths: list[Path]) -> dict[str, Callable[[int], Tensor]]:
    """Name every way of making a sample, by its number."""
    published, fixed = config_of(_PUBLISHED), config_of(_FIXED)
    small = [sparse_source(path, (CACHED, CACHED)) for path in paths]
    cached = [cached_source(path) for path in paths]
    filmed = [sparse_source(path, SIZE) for path in paths]
    count = len(paths)
    return {
        PLAIN: lambda seed: plain_sample(paths[seed % count], seed, published),
        "ours, published recipe": lambda seed: our_sample(filmed[seed % count], seed, published),
        "ours, fixed, decoding": lambda seed: our_sample(small[seed % count], seed, fixed),
        "ours, fixed, cached": lambda seed: our_sample(cached[seed % count], seed, fixed),
    }


def measured(work: Callable[[int], Tensor], seed: int, threads: int) -> tuple[float, float]:
    """Wall and CPU seconds of a sample, ``threads`` of them at once."""
    wall, cpu = time.perf_counter(), time.process_time()
    if threads == 1:
        assert work(seed).shape == (2, FRAMES, 3, SIDE, SIDE)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(seed * threads, (seed + 1) * threads)))
    return (
        (time.perf_counter() - wall) / threads,
        (time.process_time() - cpu) / threads,
    )


def time_steps(paths: list[Path], device: torch.device, workers: int, steps: int) -> dict[str, Any]:
    """Run whole training steps with the fixed recipe; the first one does not count."""
    config = config_of(_FIXED, workers=workers)
    sources = [sparse_source(path, (CACHED, CACHED)) for path in paths]
    learner = Learner(config, 1).to(device).train()
    optimizer = torch.optim.AdamW(learner.parameters(), lr=1e-4)
    stream = batches(0, steps + 1, sources, [], config)
    waited = busy_ms = began = 0.0
    for step in range(steps + 1):
        if step == 1:
            waited, busy_ms, began = 0.0, 0.0, time.perf_counter()
        start = time.perf_counter()
        batch = next(stream)
        waited += time.perf_counter() - start
        if device.type == "cuda":
            marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            marks[0].record()
        sum(losses_of(learner, batch.to(device), config).values()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if device.type == "cuda":
            marks[1].record()
            torch.cuda.synchronize()
            busy_ms += marks[0].elapsed_time(marks[1])
    stream.close()
    elapsed = time.perf_counter() - began
    return {
        "device": str(device),
        "clips_per_s": steps / elapsed,
        "wait_share": waited / elapsed,
        "busy_share": busy_ms / 1000 / elapsed if device.type == "cuda" else None,
        "peak_mib": peak_mib(),
    }


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss starts with what the parent process had
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def in_own_process(folder: Path, row: str, *more: str) -> dict[str, Any]:
    """Measure one row in a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.training_data", "--in", str(folder), "--row", row]
    done = subprocess.run([*command, *more], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure_row(folder: Path, row: str, device: str, threads: int) -> dict[str, Any]:
    """Run in a process of its own, see ``in_own_process``."""
    paths = sorted(folder.glob("*.mp4"))
    if row == STEPS:
        if device == "cpu":
            return time_steps(paths, torch.device("cpu"), 1, 4)
        return time_steps(paths, torch.device("cuda"), max(1, (os.cpu_count() or 2) - 1), 60)
    work = rows_of(paths)[row]
    before = peak_mib()
    for seed in range(2):
        measured(work, seed, threads)
    return {"peak_mib": peak_mib(), "added_mib": peak_mib() - before}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="samples made at once")
    parser.add_argument("--no-step", action="store_true", help="leave whole training steps out")
    parser.add_argument("--in", type=Path, dest="folder", help=argparse.SUPPRESS)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--device", default="cpu", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        torch.set_num_threads(options.threads)
        print(json.dumps(measure_row(options.folder, options.row, options.device, options.threads)))
        return 0
    torch.set_num_threads(1)  # what runs at once is whole samples
    with tempfile.TemporaryDirectory(prefix="carl-training-data-") as scratch:
        folder = Path(scratch)
        paths = [folder / f"clip{number}.mp4" for number in range(CLIPS)]
        for seed, path in enumerate(paths):
            make_clip(path, seed)
        os.environ["CARL_CACHE"] = str(folder / "cache")
        report = compare(folder, paths, options.rounds, options.threads)
        if not options.no_step:
            report["steps"] = [in_own_process(folder, STEPS)]
            if torch.cuda.is_available():
                report["steps"].append(in_own_process(folder, STEPS, "--device", "cuda"))
            print_steps(report["steps"])
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def compare(folder: Path, paths: list[Path], rounds: int, threads: int) -> dict[str, Any]:
    """Measure the rows in turns and print the table."""
    rows = rows_of(paths)
    for work in rows.values():
        work(0)  # compile, open, fill the disk cache
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for seed in range(1, rounds + 1):
        for name, work in rows.items():
            times[name].append(measured(work, seed, threads))
    memory = {name: in_own_process(folder, name, "--threads", str(threads)) for name in rows}
    size = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
    print(
        f"{CLIPS} clips of {SECONDS} s, {SIZE[0]}x{SIZE[1]}, {FPS} frames/s, {size:.1f} MB each; "
        f"T = {FRAMES}, {SIDE} pixels, {threads} thread{'s' * (threads > 1)}, {rounds} rounds"
    )
    print(f"{'':32}{'clips/s':>9}{'ratio':>8}{'cpu s':>8}{'cpu ratio':>11}{'memory MiB':>12}")
    figures: dict[str, dict[str, float]] = {}
    for name, runs in times.items():
        pairs = list(zip(times[PLAIN], runs, strict=True))
        figures[name] = {
            "clips_per_s": 1 / statistics.median(wall for wall, _ in runs),
            "ratio": statistics.median(plain[0] / own[0] for plain, own in pairs),
            "cpu_s": statistics.median(cpu for _, cpu in runs),
            "cpu_ratio": statistics.median(plain[1] / own[1] for plain, own in pairs),
            **memory[name],
        }
        one = figures[name]
        print(
            f"{name:32}{one['clips_per_s']:9.2f}{one['ratio']:8.1f}{one['cpu_s']:8.2f}"
            f"{one['cpu_ratio']:11.1f}{one['added_mib']:12.0f}"
        )
    ratio = figures["ours, fixed, decoding"]["ratio"]
    print(f"aim: at least {AIM:g} times decoding ({'met' if ratio >= AIM else 'NOT met'})")
    print("memory: peak of resident memory of a process of its own, above what it began with")
    return {"threads": threads, "rounds": rounds, "rows": figures}


def print_steps(steps: list[dict[str, Any]]) -> None:
    print(f"\n{'whole training step':32}{'clips/s':>9}{'waits':>8}{'busy':>8}{'memory MiB':>12}")
    for one in steps:
        busy = "" if one["busy_share"] is None else f"{one['busy_share']:.0%}"
        name = f"light trunk, float32, {one['device']}"
        print(
            f"{name:32}{one['clips_per_s']:9.2f}{one['wait_share']:8.0%}{busy:>8}"
            f"{one['peak_mib']:12.0f}"
        )
    print("waits: share of the time without a batch; busy: share in which the GPU has work")


if __name__ == "__main__":
    sys.exit(main())
