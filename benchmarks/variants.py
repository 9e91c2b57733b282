"""Variants of the bundled encoder (int8, float16) against the original, on real recordings.

    python -m benchmarks.variants [--model ENCODER.onnx] [--groups golf_dtl ...] [--keep FOLDER]

Activations are scaled by recordings of other kinds than those that are measured. For each variant:
agreement of the vectors (mean cosine, and the 1 % quantile), the error of key moments with "carl
align" by group (median, 90th percentile, % of the labelled span), how many pairs get which verdict,
size of the file, and CPU time of the trunk per frame (interleaved). A variant holds when its mean
cosine is 0.99 or more, and its error, the mean of the medians of the groups, is the same: at most
0.25 % of the labelled span larger than the original's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.alignment import GROUPS
from benchmarks.alignment_scores import Score
from benchmarks.alignment_sources import Media, Source, encoder_source, trunk_of
from benchmarks.claims import Claim, report
from carl_core.alignment.aligners import AlignOptions, align_arrays
from carl_core.alignment.nullbank import bank_for
from carl_core.assets import asset_path
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.encoder.quantize import ENOUGH, clip_of, write_float16, write_int8
from carl_core.pipeline import Engine
from carl_core.video.recording import open_recording
from training.evaluation.moments import Case, cases

CALIBRATION = ("signs_retrieval", "long_and_periodic")
CALIBRATION_FRAMES = 40
MEASURED = ("golf_dtl", "golf_speed", "squat_people", "pullup_reps")
ROUNDS = 5
BATCH = 32
SAME_POINTS = 0.25  # of the span: differences of key moments that are none


def vectors_of(media: Media, engine: Engine) -> Source:
    return encoder_source(media, engine, trunk_of(media, engine.encoder))


def score(source: Source, found: list[Case], model_id: str) -> Score:
    """Score "carl align" on the cases of a group."""
    result = Score()
    for case in found:
        one, two = source.vectors(case.reference), source.vectors(case.other)
        made = align_arrays(*one, *two, options=AlignOptions(), bank=bank_for(model_id))
        result.add_samples(case, made.reference_s, made.other_s)
        result.verdicts[made.verdict] += 1
    return result


def cosines(one: Source, other: Source, found: list[Case]) -> np.ndarray:
    """Cosine of the vectors of every sample of every clip."""
    clips = {clip for case in found for clip in (case.reference, case.other)}
    return np.concatenate(
        [(one.vectors(clip)[1] * other.vectors(clip)[1]).sum(axis=1) for clip in clips]
    )


def cpu_ms(encoders: dict[str, Encoder], frames: np.ndarray) -> dict[str, float]:
    """CPU milliseconds of the trunk per frame."""
    runs: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(ROUNDS):  # interleaved, so that other load hits all alike
        for name, encoder in encoders.items():
            start = time.process_time()
            encoder.features(frames)
            runs[name].append(1000 * (time.process_time() - start) / len(frames))
    return {name: statistics.median(times) for name, times in runs.items()}


def claims_of(
    means: dict[str, float], agree: dict[str, float], speed: dict[str, float], *, note: str
) -> list[Claim]:
    """Judge each variant by its agreement and error; its speed is told beside."""
    found = []
    for name in ("int8", "float16"):
        more = means[name] - means["original"]
        what = f"{name}: key-moment error over the original's, % of the span"
        same = f"{note}; the same = within {SAME_POINTS:g}"
        found += [
            Claim(f"{name}: mean cosine with the original", agree[name], at_least=ENOUGH),
            Claim(what, more, at_most=SAME_POINTS, note=same),
            Claim(f"{name}: trunk, CPU ms a frame", speed[name], speed["original"], "original"),
        ]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=asset_path("encoder.onnx"))
    parser.add_argument("--groups", nargs="+", default=list(MEASURED), choices=GROUPS)
    parser.add_argument("--keep", type=Path, help="folder for the files that are made")
    chosen = parser.parse_args()
    shared = Path(os.environ.get("CARL_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    data = shared / "data"
    if not data.is_dir():
        print(f"the developer recordings are not in {data} (set CARL_SHARED)", file=sys.stderr)
        return 3
    original = load_encoder(chosen.model, device="cpu")
    files = [file for group in CALIBRATION for file in sorted((data / group).glob("*.mp4"))]
    clips = [clip_of(open_recording(f), original.spec, CALIBRATION_FRAMES) for f in files]
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.keep or Path(name)
        paths = {
            "original": chosen.model,
            "int8": write_int8(chosen.model, folder / "int8.onnx", clips),
            "float16": write_float16(chosen.model, folder / "float16.onnx"),
        }
        engines = {k: Engine(path, device="cpu", store=None) for k, path in paths.items()}
        sizes = {k: path.stat().st_size / 1e6 for k, path in paths.items()}
        speed = cpu_ms({k: e.encoder for k, e in engines.items()}, np.concatenate(clips)[:BATCH])
        media = Media(data, engines["original"])
        found = {group: list(cases(data, media.times_of, group)) for group in chosen.groups}
        media.expect(c for g in found.values() for case in g for c in (case.reference, case.other))
        sources = {k: vectors_of(media, engine) for k, engine in engines.items()}
        base = sources["original"]
        print(f"{'':10}{'MB':>7}{'cpu ms':>8}{'cosine':>9}{'1 %':>9}", end="")
        print("".join(f"{group:>22}" for group in found) + "   mean")
        means: dict[str, float] = {}
        agree: dict[str, float] = {}
        for k, source in sources.items():
            alike = np.concatenate([cosines(base, source, group) for group in found.values()])
            agree[k] = float(alike.mean())
            scores = [score(source, group, original.model_id) for group in found.values()]
            means[k] = statistics.mean(s.median for s in scores)
            print(f"{k:10}{sizes[k]:7.1f}{speed[k]:8.2f}{agree[k]:9.5f}", end="")
            print(f"{np.quantile(alike, 0.01):9.5f}", end="")
            for s in scores:
                said = f"{s.median:.2f} {s.worst_tenth:.2f} {s.verdicts['aligned']}/{s.pairs}"
                print(f"{said:>22}", end="")
            print(f"{means[k]:7.2f}")
        pairs = sum(len(group) for group in found.values())
        report(claims_of(means, agree, speed, note=f"{pairs} pairs of {len(found)} groups"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
