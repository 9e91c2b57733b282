"""Everything with two long recordings: open, embed, align, heatmap, search, play, export.

    python -m benchmarks.long [--minutes M] [--sampling S] [--height H] [--write FILE.md]

Makes two recordings of 20 minutes (``--minutes 120``: the two-hour proof) of a simulated session,
see `benchmarks.long_material`: another camera, acts cut and put in, every act at a pace of its own,
all known to the tick. A first alignment by few frames comes before the rest, as in the window.
Prints time, CPU and peak memory of every step and the error against the
known warp. Nothing is left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, as_table, report
from benchmarks.long_material import ACT_S, make_pair
from benchmarks.playback import play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.long_material import LongPair
    from carl_core.alignment.alignment import Alignment
    from carl_core.pipeline import Engine
    from carl_core.video.recording import Recording

EXPORTED_S = 300.0
PLAYED_S = 20.0
QUERIES = 10
SHOWN = 5


@dataclass(frozen=True)
class Step:
    """What one step took; ``peak_mb`` is the memory of the whole process at its highest."""

    name: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    remark: str


class Ledger:
    """Keeps what every step took."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Measure a step; what is appended to the list becomes its remark."""
        said: list[str] = []
        _forget_peak()
        wall, cpu = time.perf_counter(), time.process_time()
        yield said
        done = Step(
            name,
            time.perf_counter() - wall,
            time.process_time() - cpu,
            _peak_mb(),
            ", ".join(said),
        )
        self.steps.append(done)
        print(f"{_clock()} {name}: {done.wall_s:.1f} s, {', '.join(said)}", file=sys.stderr)

    def table(self) -> list[str]:
        """Return the lines of a table."""
        head = ("step", "s", "CPU s", "peak MB", "remark")
        rows = [
            (s.name, f"{s.wall_s:.1f}", f"{s.cpu_s:.1f}", f"{s.peak_mb:.0f}", s.remark)
            for s in self.steps
        ]
        return as_table(rows, head=head)


def run(pair: LongPair, folder: Path, sampling: str | None, ledger: Ledger) -> list[Claim]:
    """Go through all steps."""
    from carl_core.alignment.dtw import warm_up
    from carl_core.embeddings.store import EmbeddingStore
    from carl_core.pipeline import Engine

    engine = Engine(store=EmbeddingStore(folder / "cache"))
    with ledger.step("load compiled loops (the window does in the background)"):
        warm_up()
    with ledger.step("open both by their own tables of frames") as said:
        for path in (pair.reference, pair.other):
            listed = engine.open(path, provisional=True)
            said.append(f"{len(listed.index)} frames")
    with ledger.step("open both") as said:
        reference, other = engine.open(pair.reference), engine.open(pair.other)
        said += [f"{len(reference.index)} and {len(other.index)} frames"]
    seconds = reference.index.duration_s + other.index.duration_s
    look = first_look(engine, pair, reference, other, ledger)
    with ledger.step("embed both") as said:
        samples = sum(len(engine.embed(r, sampling=sampling).vectors) for r in (reference, other))
        said.append(f"{samples} samples")
    embedding = ledger.steps[-1]
    with ledger.step("align") as said:
        alignment = engine.align(reference, other, sampling=sampling)
        said += [alignment.verdict, alignment.method, f"match {alignment.match:.2f}"]
    errors_s, unmapped = _errors(pair, reference, alignment)
    with ledger.step("heatmap: pyramid, whole map as means, 24 tiles along the path"):
        _heatmap(engine, reference, other, alignment, sampling)
    with ledger.step(f"search, {QUERIES} queries from either recording") as said:
        again = _search(engine, pair, reference, reference, sampling)
        across = _search(engine, pair, reference, other, sampling)
        said += [f"{again} of {QUERIES} find the act again", f"{across} from the other camera"]
    middle_s = reference.index.duration_s / 2
    with ledger.step(f"play {PLAYED_S:.0f} s from the middle") as said:
        played = play(
            (reference, other),
            PLAYED_S,
            start_s=middle_s,
            alignments={other.id: alignment},
        )
        said += [f"{played.due} frames due", f"{played.wrong} wrong", f"{played.late} late"]
    with ledger.step("export 5 minutes from the middle") as said:
        said.append(_export(folder / "out.mp4", reference, other, alignment, middle_s))
    what = _what(reference)
    # Embedding uses again what the first look embedded: both together are what it takes alone.
    in_full_s = look.embedding.wall_s + embedding.wall_s
    in_full_cpu_s = look.embedding.cpu_s + embedding.cpu_s
    peer = "embedding both"
    peak = max(step.peak_mb for step in ledger.steps)
    pooled = np.abs(errors_s)
    return [
        # "In seconds": three of them are the verdict's, whatever the length.
        Claim(f"{what}: first alignment, s", look.wall_s, at_most=60),
        Claim(f"{what}: first alignment, of embedding, s", look.wall_s, in_full_s, peer),
        Claim(f"{what}: first alignment, CPU s", look.cpu_s, in_full_cpu_s, peer, at_most=0.1),
        *look.claims,
        Claim(f"{what}: embedding, seconds of video a second", seconds / in_full_s),
        Claim(f"{what}: error against the known warp, median s", _at(pooled, 50), at_most=0.2),
        Claim(f"{what}: error against the known warp, 95 % s", _at(pooled, 95), at_most=1.0),
        Claim(f"{what}: not mapped though it is there, %", 100 * unmapped, at_most=10),
        Claim(f"{what}: acts found again, %", 100 * again / QUERIES, at_least=100),
        Claim(f"{what}: acts found from the other camera, %", 100 * across / QUERIES),
        Claim(f"{what}: wrong frames while playing", played.wrong, at_most=0),
        Claim(
            f"{what}: late frames while playing, %",
            played.late_percent,
            at_most=0.5,
            note=f"load {played.load:.1f}",
        ),
        Claim(f"{what}: peak memory, MB", peak, at_most=2000),
    ]


@dataclass(frozen=True)
class FirstLook:
    """What a first alignment took, and how far it can be trusted."""

    embedding: Step
    wall_s: float
    cpu_s: float
    claims: tuple[Claim, ...]


def first_look(
    engine: Engine, pair: LongPair, reference: Recording, other: Recording, ledger: Ledger
) -> FirstLook:
    """Embed both at few frames, as the window does with long recordings, and align them."""
    from carl_core.encoder.coarse import COARSE

    both = (reference, other)
    with ledger.step("choose how to look first") as said:
        asked = [engine.coarse_sampling(r) for r in both]
        sampling = next((one for one in asked if one is not None), COARSE)
        said.append(sampling if any(asked) else f"{sampling} though both are short")
    with ledger.step("first look: embed both at few frames") as said:
        vectors = [engine.embed(r, sampling=sampling) for r in both]
        said.append(f"{' and '.join(str(len(v)) for v in vectors)} samples")
    with ledger.step("first look: align") as said:
        alignment = engine.align(reference, other, sampling=sampling)
        said += [alignment.verdict, alignment.method, f"match {alignment.match:.2f}"]
    chosen, embedding, aligning = ledger.steps[-3:]
    errors_s, unmapped = _errors(pair, reference, alignment)
    off_s = np.abs(errors_s)
    apart_s = max(float(np.median(np.diff(v.times_s))) for v in vectors)
    apart = "seconds between samples"
    what = f"{_what(reference)}: first alignment"
    steps = (chosen, embedding, aligning)
    return FirstLook(
        embedding,
        sum(step.wall_s for step in steps),
        sum(step.cpu_s for step in steps),
        (
            Claim(f"{what}, error median s", _at(off_s, 50), apart_s, apart, at_most=1),
            # An act that was put in is passed over somewhere near, by samples so far apart.
            Claim(f"{what}, error 95 % s", _at(off_s, 95), at_most=max(apart_s, ACT_S / 2)),
            Claim(f"{what}, not mapped though it is there, %", 100 * unmapped, at_most=10),
            Claim(f"{what}, peak MB", max(step.peak_mb for step in steps)),
        ),
    )


def _what(reference: Recording) -> str:
    return f"2 x {reference.index.duration_s / 60:.0f} min"


def _at(values: np.ndarray, percent: float) -> float:
    return float(np.percentile(values, percent)) if len(values) else float("nan")


def _errors(pair: LongPair, reference: Recording, alignment: Alignment) -> tuple[np.ndarray, float]:
    """Seconds the map is off at every reference frame that has a counterpart; share unmapped."""
    times_s = np.asarray(reference.index.times_s)
    true_s = pair.true_time(times_s)
    is_there = np.isfinite(true_s)
    off_s = alignment.time_map(times_s[is_there]) - true_s[is_there]
    mapped = np.isfinite(off_s)
    return off_s[mapped], 1.0 - float(mapped.mean())


def _heatmap(
    engine: Engine,
    reference: Recording,
    other: Recording,
    alignment: Alignment,
    sampling: str | None,
) -> None:
    from carl_core.similarity.pyramid import SimilarityPyramid

    rows = engine.embed(other, sampling=sampling).vectors
    columns = engine.embed(reference, sampling=sampling).vectors
    pyramid = SimilarityPyramid(rows, columns)
    pyramid.tile(pyramid.n_levels - 1, 0, 0)
    side = pyramid.tile_size
    for at in np.linspace(0, len(alignment.raw_other) - 1, 24).astype(int):
        pyramid.tile(
            0, int(alignment.raw_other[at]) // side, int(alignment.raw_reference[at]) // side
        )


def _search(
    engine: Engine,
    pair: LongPair,
    reference: Recording,
    asked: Recording,
    sampling: str | None,
) -> int:
    """Look for acts of a recording in the reference: queries with one among the first few hits.

    An act of the reference itself must be found at another place than its own.
    """
    from carl_core.queries import RangeQuery

    parts = pair.reference_parts
    if asked is not reference:
        parts = tuple(theirs for _, theirs in pair.pairs if theirs is not None)
    right = 0
    for part in parts[:: max(1, len(parts) // QUERIES)][:QUERIES]:
        query = RangeQuery(asked, part.start_s + 1.0, part.end_s - 1.0)
        result = engine.search([query], [reference], k=SHOWN, min_gap_s=ACT_S, sampling=sampling)
        shown = [p for p in pair.reference_parts if p.act == part.act and p is not part]
        right += any(p.start_s <= h.time_s < p.end_s for p in shown for h in result.hits)
    return right


def _export(
    path: Path, reference: Recording, other: Recording, alignment: Alignment, middle_s: float
) -> str:
    from carl_core.export.options import RenderOptions
    from carl_core.export.video import render_video
    from carl_core.playback.schedule import Schedule

    schedule = Schedule(reference, [other], {other.id: alignment.time_map})
    half_s = min(EXPORTED_S, reference.index.duration_s / 2) / 2
    options = RenderOptions(height=360, range_s=(middle_s - half_s, middle_s + half_s))
    result = render_video(path, schedule, options)
    return f"{len(result.times_s)} frames, {path.stat().st_size / 1e6:.0f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--sampling", help="samples a second; the encoder's own if left out")
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--write", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    size = (options.height * 16 // 9 // 2 * 2, options.height // 2 * 2)
    ledger = Ledger()
    with tempfile.TemporaryDirectory(prefix="carl-long-") as scratch:
        folder = Path(scratch)
        with ledger.step("make the recordings") as said:
            pair = make_pair(folder, minutes=options.minutes, size=size, fps=options.fps)
            megabytes = (pair.reference.stat().st_size + pair.other.stat().st_size) / 1e6
            cut = sum(theirs is None for _, theirs in pair.pairs)
            said += [
                f"{size[0]} x {size[1]}, {options.fps} frames/s, {megabytes:.0f} MB",
                f"{len(pair.pairs)} acts, {cut} cut",
                f"{len(pair.other_parts) - len(pair.pairs) + cut} put in",
            ]
        claims = run(pair, folder, options.sampling, ledger)
    table = ledger.table()
    print("\n".join(table) + "\n")
    report(claims)
    if options.write:
        when = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
        head = (
            f"{when}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load} at "
            f"the end; sampling {options.sampling or 'the usual'}."
        )
        lines = [head, "", *table, "", *as_table([claim.cells() for claim in claims])]
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _forget_peak() -> None:
    """Have the system measure the peak of the memory anew (Linux; elsewhere it only grows)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    sys.exit(main())
