"""How well ``carl align`` finds the key moments of real recordings, beside simple baselines.

    python -m benchmarks.alignment [--model ENCODER.onnx] [--faithful CARL.onnx]
        [--groups golf_dtl ...] [--json OUT.json]

For every labelled group of the developer recordings, over all ordered pairs: median and 90th
percentile of the error of the key moments, in % of the labelled span, and the share within 5 and
10 %. Synchronous cameras count only re-timed (one camera trimmed, cut and played at other speeds,
five draws a pair, fixed seeds), since a clock aligns them as they are; so does the one recording
of repetitions, against re-timed copies of itself. Repetitions are scored against the nearest
consistent pairing (``training.evaluation.moments``).

Rows, each but the first with plain global DTW of step weights 1-1-1 and 2-1-1 and with the
program's own aligner ("carl align"):

- linear time;
- baselines: raw 32 x 32 pixels, HOG, ImageNet features of MobileNetV2, the same joined with HOG,
  and poses of MoveNet from letterboxed pictures; all but the pixels with each recording's mean
  taken off. The two networks are read from ``../shared/weights`` (--teachers);
- the encoder; its row with "carl align" is what the program does, and the one that is judged;
- controls: position in the recording only, the encoder with an untrained head (three draws), the
  whole encoder untrained, and CARL as published, trained on the same data.

Then AP@5 of key moments (``benchmarks.alignment_search`` defines it), how often "carl align" says
"aligned" of pairs that match and of pairs that do not, speed beside MobileNetV2, and verdicts. The
best single baseline is the one with the least mean over groups, "carl align" not among its DTWs.

All methods sample as the engine does: at the encoder's rate, short recordings faster. Nothing is
written but the JSON. CARL as published is trained on the stored features of the bundled trunk, in
minutes, by

    python -m training.compare --methods faithful_scl --seeds 1 --simulated 1 --pool POOL \
        -o runs/faithful --set run.export=true --set export.name=faithful-carl

which leaves it in ``runs/faithful/faithful_scl-1/encoder.onnx``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.alignment_scores import Score, Table, comparison_lines, verdict_lines
from benchmarks.alignment_search import search_scores, searches
from benchmarks.alignment_sources import (
    PATTERNS,
    Media,
    Source,
    baselines,
    controls,
    dtw_map,
    encoder_source,
    trunk_of,
)
from benchmarks.alignment_tables import Report, to_json, to_markdown
from carl_core.alignment.aligners import AlignOptions, align_arrays
from carl_core.alignment.nullbank import bank_for
from carl_core.encoder.providers import usable_cores
from carl_core.encoder.sampling import FEWEST_SAMPLES
from carl_core.errors import CarlError
from carl_core.pipeline import Engine
from training.evaluation.moments import cases, labels_of, negatives, tolerances_of, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.arrays import Float32
    from training.evaluation.moments import Case

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
LINEAR = "linear time"
PROGRAM = "carl align"  # the aligner of the program, and our method: encoder and aligner


@dataclass(frozen=True)
class Bench:
    """Everything that is compared, on the recordings it is compared on."""

    data: Path
    media: Media
    ours: Source
    others: tuple[Source, ...]
    bank: Sequence[Float32]

    @property
    def sources(self) -> tuple[Source, ...]:
        """Baselines, ours, controls."""
        first = [source for source in self.others if source.is_baseline]
        return (*first, self.ours, *(s for s in self.others if not s.is_baseline))

    def scores_of(self, found: Sequence[Case]) -> dict[str, Score]:
        """Score every method on the cases of one group."""
        scores: dict[str, Score] = {}
        for case in found:
            rate = case.other.times_s[-1] / case.reference.times_s[-1]
            scores.setdefault(LINEAR, Score()).add_map(case, lambda t, r=rate: t * r)  # type: ignore[misc]
            for source in self.sources:
                one, two = source.vectors(case.reference), source.vectors(case.other)
                for pattern in PATTERNS:
                    score = scores.setdefault(row(source, pattern), Score())
                    score.add_samples(
                        case, one[0], dtw_map(one, two, pattern, centre=source.centred)
                    )
                is_ours = source is self.ours
                options = AlignOptions()
                if not is_ours:  # no verdict is asked for
                    options = replace(options, null_maps=0, centre=source.centred)
                bank = self.bank if is_ours else ()
                alignment = align_arrays(*one, *two, options=options, bank=bank)
                score = scores.setdefault(row(source, PROGRAM), Score())
                score.add_samples(case, alignment.reference_s, alignment.other_s)
                if is_ours:
                    score.verdicts[alignment.verdict] += 1
        return scores

    def precision_of(self, group: str, found: Sequence[Case]) -> dict[str, list[float]]:
        """AP@5 of every key moment of a group, by source."""
        events = labels_of(self.data)[group]
        tolerance = tolerances_of(self.data, group)
        times_of = self.media.times_of
        precision: dict[str, list[float]] = {}
        for search in searches(found, times_of):
            for source in self.sources:
                precision.setdefault(source.name, []).extend(
                    search_scores(
                        search, events, tolerance, times_of, source.vectors, centre=source.centred
                    )
                )
        return precision

    def verdict_of(self, first: str, second: str) -> str:
        """Return what the program says of two whole files."""
        one, two = (self.ours.vectors(whole(f, self.media.times_of)) for f in (first, second))
        return align_arrays(*one, *two, options=AlignOptions(), bank=self.bank).verdict


def row(source: Source, aligner: str) -> str:
    """Name of a row of the table."""
    return f"{source.name}, {aligner}"


def main() -> int:
    parser = _parser()
    chosen = parser.parse_args()
    if chosen.threads < 1:
        parser.error("--threads must be at least 1")
    if chosen.json and not chosen.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {chosen.json.absolute().parent}")
    shared = Path(os.environ.get("CARL_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    data = shared / "data"
    if not data.is_dir():
        print(f"the developer recordings are not in {data} (set CARL_SHARED)", file=sys.stderr)
        return 3
    try:
        report = run(chosen, data, chosen.teachers or shared / "weights")
        print(to_markdown(report))
        if chosen.json:
            chosen.json.write_text(json.dumps(to_json(report), indent=1) + "\n")
    except (CarlError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


def run(chosen: argparse.Namespace, data: Path, teachers: Path) -> Report:
    """Measure everything that was asked for.

    Raises
    ------
    CarlError
        When a recording or an encoder cannot be used.
    """
    started = time.perf_counter()
    engine = Engine(chosen.model, store=None)
    encoder = engine.encoder
    media = Media(data, engine)
    found = {group: list(cases(data, media.times_of, group)) for group in chosen.groups}
    media.expect(
        c for group in found.values() for case in group for c in (case.reference, case.other)
    )
    # Searching asks for whole files besides: recordings that are paired only as re-timed copies.
    media.expect(
        search.query for group in found.values() for search in searches(group, media.times_of)
    )
    trunk = trunk_of(media, encoder)
    others, notes = controls(media, encoder, trunk, chosen.faithful)
    if not chosen.no_baselines:
        first, more = baselines(media, encoder.spec.sample_fps, teachers)
        others, notes = [*first, *others], [*more, *notes]
    ours = encoder_source(media, engine, trunk)
    bench = Bench(data, media, ours, tuple(others), bank_for(encoder.model_id))
    table: Table = {}
    precision: dict[str, dict[str, list[float]]] = {}
    for group, pairs in found.items():
        table[group] = bench.scores_of(pairs)
        precision[group] = bench.precision_of(group, pairs)
        _tell(started, f"{group}: {len(pairs)} ordered pairs")
    false = {pair: bench.verdict_of(*pair) for pair in negatives(data)}
    _tell(started, f"{len(false)} negative pairs")
    method = row(ours, PROGRAM)
    report = Report({}, table, precision, false, method, notes=notes)
    report.verdicts = comparison_lines(
        table,
        method,
        [LINEAR, *(row(s, p) for s in others if s.is_baseline for p in PATTERNS)],
        list(dict.fromkeys(row(s, PROGRAM) for s in others if not s.is_baseline)),
    ) + verdict_lines(table, method, false)
    if importlib.util.find_spec("torchvision") is None:
        report.notes.append("Speed is left out: it needs torchvision (extra: train).")
    else:
        from benchmarks.alignment_speed import measure

        report.speed = measure(encoder.path, chosen.threads)
    report.facts = {
        "encoder": f"{encoder.spec.name} ({encoder.model_id})",
        "sampling": f"{encoder.spec.sample_fps:g} samples/s, at least {FEWEST_SAMPLES} a recording",
        "pairs": ", ".join(f"{group} {len(pairs)}" for group, pairs in found.items()),
        "speed": f"{chosen.threads} threads, 64 pictures at a time",
        "time": f"{time.perf_counter() - started:.0f} s",
    }
    return report


def _tell(started: float, text: str) -> None:
    print(f"{time.perf_counter() - started:4.0f} s  {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alignment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, help="encoder file (default: the bundled one)")
    parser.add_argument("--faithful", type=Path, help="encoder file of CARL as published")
    parser.add_argument("--groups", nargs="+", default=list(GROUPS), choices=GROUPS)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--no-baselines", action="store_true", help="only the encoder and controls")
    parser.add_argument("--teachers", type=Path, help="folder of the two networks of the baselines")
    parser.add_argument(
        "--threads", type=int, default=usable_cores(), help="for the comparison of speed"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
