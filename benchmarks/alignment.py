"""How well ``carl align`` finds the key moments of real recordings, beside simple baselines.

    python -m benchmarks.alignment [--model ENCODER.onnx] [--groups golf_dtl ...] [--json OUT.json]

For every labelled group of the developer recordings, the median error of the key moments, in
seconds of the other recording and in % of the labelled span, of

- linear time;
- raw 32 x 32 pixels and HOG with plain global DTW, patterns 1-1-1 and 2-1-1;
- the encoder with the same plain DTW, and with ``auto``, which is what ``carl align`` does;

and how often ``auto`` says "aligned" on pairs that match and on pairs that do not. Every method
uses the encoder's sampling rate. Ordered pairs both ways. Nothing is written but the JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.aligners import AlignOptions, align_arrays
from carl_core.alignment.nullbank import bank_for
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.pipeline import Engine
from carl_core.video.reader import FrameReader
from training.evaluation.moments import Case, Clip, cases, negatives, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import Float32, Float64, UInt8
    from carl_core.video.recording import Recording

GROUPS = (
    "squat_people",
    "golf_dtl",
    "golf_speed",
    "pullup_reps",
    "hand_2cam",
    "board_3cam",
    "beam_4cam",
    "beam_occluded_4cam",
)
_BATCH = 64

Vectors = tuple["Float64", "Float32"]  # times of the samples and one vector for each


class Media:
    """The recordings, opened once, and their vectors."""

    def __init__(self, data: Path, engine: Engine, encoder: Encoder) -> None:
        self._data = data
        self._engine = engine
        self._encoder = encoder
        self._features: dict[str, Float32] = {}
        self._pixels: dict[tuple[str, int], UInt8] = {}

    @cache  # noqa: B019 - lives as long as the program
    def recording(self, file: str) -> Recording:
        """Open a file, once."""
        return self._engine.open(self._data / file)

    def times_of(self, file: str) -> Float64:
        """Return the times of all its frames."""
        return self.recording(file).index.times_s

    def is_whole(self, clip: Clip) -> bool:
        """Whether a clip is a file as it is."""
        return len(clip.frames) == len(self.times_of(clip.file)) and np.array_equal(
            clip.times_s, self.times_of(clip.file)
        )

    def encoded(self, clip: Clip) -> Vectors:
        """Vectors of a clip by the encoder; a whole file exactly as ``carl align`` embeds it."""
        if self.is_whole(clip):
            embeddings = self._engine.embed(self.recording(clip.file))
            return embeddings.times_s, embeddings.vectors
        spec = self._encoder.spec
        if clip.file not in self._features:
            frames = self._read(clip.file, spec.size, spec.fit)
            self._features[clip.file] = np.concatenate(
                [
                    self._encoder.features(frames[k : k + _BATCH])
                    for k in range(0, len(frames), _BATCH)
                ]
            )
        chosen = self._sampled(clip)
        features = self._features[clip.file][clip.frames[chosen]]
        times_s = clip.times_s[chosen]
        return times_s, self._encoder.embed_features(features, times_s)

    def pixels(self, clip: Clip) -> Vectors:
        """32 x 32 RGB pixels, scaled to unit norm."""
        chosen = self._sampled(clip)
        frames = self._kept(clip.file, 32)[clip.frames[chosen]]
        return clip.times_s[chosen], _unit(frames.reshape(len(frames), -1))

    def hog(self, clip: Clip) -> Vectors:
        """Histograms of oriented gradients of 128 x 128 grey pixels, scaled to unit norm."""
        chosen = self._sampled(clip)
        vectors = self._hog(clip.file)[clip.frames[chosen]]
        return clip.times_s[chosen], _unit(vectors)

    @cache  # noqa: B019
    def _hog(self, file: str) -> Float32:
        from skimage.feature import hog  # slow to import, only in the bench group

        grey = self._kept(file, 128) @ np.asarray([0.299, 0.587, 0.114], dtype=np.float32)
        return np.stack(
            [
                hog(picture, orientations=9, pixels_per_cell=(16, 16), cells_per_block=(2, 2))
                for picture in grey
            ]
        ).astype(np.float32)

    def _sampled(self, clip: Clip) -> np.ndarray:
        """Frames of the clip nearest to the sampling instants, as the engine chooses them."""
        fps = float(self._encoder.spec.sample_fps)
        grid = np.arange(0.0, clip.times_s[-1] + 0.5 / fps, 1.0 / fps)
        after = np.clip(np.searchsorted(clip.times_s, grid), 1, len(clip.times_s) - 1)
        nearer = grid - clip.times_s[after - 1] <= clip.times_s[after] - grid
        return np.unique(np.where(nearer, after - 1, after))

    def _kept(self, file: str, size: int) -> UInt8:
        if (file, size) not in self._pixels:
            self._pixels[file, size] = self._read(file, size, "squash")
        return self._pixels[file, size]

    def _read(self, file: str, size: int, fit: str) -> UInt8:
        recording = self.recording(file)
        with FrameReader(recording, size=(size, size), fit=fit) as reader:  # type: ignore[arg-type]
            return np.stack([f.pixels for f in reader.frames_at(range(len(recording.index)))])


@dataclass
class Score:
    """What one method reached on one group: one median per ordered pair."""

    seconds: list[float] = field(default_factory=list)
    percents: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, map_: Callable[[Float64], Float64]) -> None:
        """Score one map on one case."""
        errors, span_s = case.error_s(map_)
        self.seconds.append(float(np.median(errors)))
        self.percents.append(100.0 * float(np.median(errors)) / span_s)


def main() -> int:
    parser = argparse.ArgumentParser(description="Key-moment errors on the developer recordings.")
    parser.add_argument("--model", type=Path, help="encoder file (default: the bundled one)")
    parser.add_argument("--groups", nargs="+", default=list(GROUPS), choices=GROUPS)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--no-baselines", action="store_true", help="only the encoder")
    chosen = parser.parse_args()
    default = Path(__file__).resolve().parents[2] / "shared"
    data = Path(os.environ.get("CARL_SHARED", default)) / "data"
    if not data.is_dir():
        print(f"the developer recordings are not in {data} (set CARL_SHARED)", file=sys.stderr)
        return 3
    engine = Engine(chosen.model, store=None)
    encoder = engine.encoder if chosen.model is None else load_encoder(chosen.model)
    media = Media(data, engine, encoder)
    bank = bank_for(encoder.model_id)

    def aligned(one: Vectors, two: Vectors, method: str, options: AlignOptions) -> Alignment:
        return align_arrays(*one, *two, method=method, options=options, bank=bank)

    sources: dict[str, Callable[[Clip], Vectors]] = {"encoder": media.encoded}
    if not chosen.no_baselines:
        sources = {"raw": media.pixels, "hog": media.hog, **sources}
    table: dict[str, dict[str, Score]] = {}
    started = time.perf_counter()
    for group in chosen.groups:
        scores: dict[str, Score] = {}
        for case in cases(data, media.times_of, group):
            reference_s, other_s = case.reference.times_s, case.other.times_s
            rate = other_s[-1] / reference_s[-1]
            scores.setdefault("linear", Score()).add(case, lambda t, r=rate: t * r)  # type: ignore[misc]
            for name, source in sources.items():
                one, two = source(case.reference), source(case.other)
                for pattern in ("1-1-1", "2-1-1"):
                    options = AlignOptions(
                        step_pattern=pattern,  # type: ignore[arg-type]
                        straight_price=0.0,
                        centre=name == "encoder",
                        null_maps=0,
                    )
                    found = aligned(one, two, "dtw", options)
                    scores.setdefault(f"{name} {pattern}", Score()).add(case, _filled(found))
                if name == "encoder":
                    found = aligned(one, two, "auto", AlignOptions())
                    score = scores.setdefault("auto", Score())
                    score.add(case, _filled(found))
                    score.verdicts[found.verdict] += 1
        table[group] = scores
        print(f"{group}: {len(scores['linear'].seconds)} ordered pairs", file=sys.stderr)
    wrong: Counter[str] = Counter()
    for first, second in negatives(data):
        one, two = (media.encoded(whole(file, media.times_of)) for file in (first, second))
        wrong[aligned(one, two, "auto", AlignOptions()).verdict] += 1
    _print(table, wrong, encoder)
    print(f"{time.perf_counter() - started:.0f} s in all", file=sys.stderr)
    if chosen.json:
        chosen.json.write_text(json.dumps(_document(table, wrong, encoder), indent=1))
    return 0


def _filled(found: Alignment) -> Callable[[Float64], Float64]:
    """Return the playing map, extended to the nearest moment that has a counterpart."""
    time_map = found.time_map
    known = np.isfinite(time_map.other_s)
    return lambda t: np.interp(t, time_map.reference_s[known], time_map.other_s[known])


def _unit(vectors: np.ndarray) -> Float32:
    rows = vectors.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _print(table: dict[str, dict[str, Score]], wrong: Counter[str], encoder: Encoder) -> None:
    methods = list(next(iter(table.values())))
    print(f"encoder {encoder.spec.name} ({encoder.model_id}), {encoder.spec.sample_fps} samples/s")
    print("median over ordered pairs of the median key-moment error, % of the labelled span (s)")
    print(f"{'group':20}" + "".join(f"{name:>16}" for name in methods) + "   aligned")
    for group, scores in table.items():
        cells = [
            f"{np.median(s.percents):.1f} ({np.median(s.seconds):.2f})" for s in scores.values()
        ]
        verdicts = scores["auto"].verdicts
        share = f"{verdicts['aligned']}/{verdicts.total()}"
        print(f"{group:20}" + "".join(f"{cell:>16}" for cell in cells) + f"{share:>10}")
    means = [
        np.mean([np.median(scores[name].percents) for scores in table.values()]) for name in methods
    ]
    print(f"{'mean of groups':20}" + "".join(f"{mean:>16.1f}" for mean in means))
    print(
        f"unrelated pairs: {wrong['aligned']} aligned, {wrong['uncertain']} uncertain, "
        f"{wrong['none']} none, of {wrong.total()}"
    )


def _document(
    table: dict[str, dict[str, Score]], wrong: Counter[str], encoder: Encoder
) -> dict[str, object]:
    return {
        "model": {"id": encoder.model_id, "name": encoder.spec.name},
        "groups": {
            group: {
                name: {
                    "seconds": [round(x, 4) for x in score.seconds],
                    "percent": [round(x, 2) for x in score.percents],
                    "verdicts": dict(score.verdicts),
                }
                for name, score in scores.items()
            }
            for group, scores in table.items()
        },
        "unrelated": dict(wrong),
    }


if __name__ == "__main__":
    raise SystemExit(main())
