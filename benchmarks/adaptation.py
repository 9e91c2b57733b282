"""What adapting to recordings of one's own gains, and what it costs.

    python -m benchmarks.adaptation [--model ENCODER.onnx] [--groups golf_dtl ...] [--json OUT.json]

The recordings of every labelled group of the developer recordings are adapted to together, without
their labels, by ``training.adapt``. Then the median error of the key moments in % of the labelled
span, before and after, with plain global DTW and with ``auto``, which is what ``carl align`` does.
Where the new encoder was not better on the part held back, the old one stays, and so does its
error. Ordered pairs both ways; synchronous cameras re-timed. Needs the [train] extra.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.aligners import AlignOptions, align_arrays
from carl_core.alignment.nullbank import bank_for
from carl_core.assets import asset_path
from carl_core.embeddings.entry import to_stored
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.errors import MediaError
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from training.adapt.run import Settings, adapt
from training.evaluation.cases import MOMENT_GROUPS
from training.evaluation.moments import cases, labels_of
from training.evaluation.tracks import sampled_as_usual

if TYPE_CHECKING:
    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import Float16, Float64
    from carl_core.video.recording import Recording
    from training.evaluation.moments import Case, Clip

MOST_FILES = 4
METHODS = ("dtw", "auto")
_PLAIN = AlignOptions(straight_price=0.0, null_maps=0)


@dataclass(frozen=True, slots=True)
class Row:
    """One group: errors in percent by method, and the held-back errors that decided."""

    group: str
    outcome: str
    seconds: float
    video_s: float
    held_back: tuple[float, float] | None
    before: dict[str, float]
    after: dict[str, float]


class Media:
    """The recordings, opened once, and features of every frame that is shown."""

    def __init__(self, data: Path, encoder: Encoder) -> None:
        self._data = data
        self._encoder = encoder
        self._recordings: dict[str, Recording] = {}
        self._features: dict[str, Float16] = {}

    def recording(self, file: str) -> Recording:
        """Open a file, once."""
        if file not in self._recordings:
            self._recordings[file] = open_recording(self._data / file)
        return self._recordings[file]

    def times_of(self, file: str) -> Float64:
        """Return the times of all its frames."""
        return self.recording(file).index.times_s

    def sampled(self, clip: Clip) -> tuple[Float64, Float16]:
        """Return times and features of a clip at the encoder's rate."""
        if clip.file not in self._features:
            spec, recording = self._encoder.spec, self.recording(clip.file)
            size, parts = (spec.size, spec.size), []
            with FrameReader(recording, size=size, fit=spec.fit) as reader:  # type: ignore[arg-type]
                numbers = range(len(recording.index))
                for start in range(0, len(numbers), 64):
                    shown = reader.frames_at(numbers[start : start + 64])
                    pixels = np.stack([frame.pixels for frame in shown])
                    parts.append(to_stored(self._encoder.features(pixels)))
            self._features[clip.file] = np.concatenate(parts)
        chosen = sampled_as_usual(clip.times_s, self._encoder.spec.sample_fps)
        return clip.times_s[chosen], self._features[clip.file][clip.frames[chosen]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="encoder file (default: the bundled one)")
    parser.add_argument("--groups", nargs="+", default=list(MOMENT_GROUPS), choices=MOMENT_GROUPS)
    parser.add_argument("--seed", type=int, default=Settings().seed)
    parser.add_argument("--threads", type=int, default=0, help="0 = all cores")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    chosen = parser.parse_args()
    default = Path(__file__).resolve().parents[2] / "shared"
    data = Path(os.environ.get("CARL_SHARED", default)) / "data"
    if not data.is_dir():
        print(f"the developer recordings are not in {data} (set CARL_SHARED)", file=sys.stderr)
        return 3
    encoder = load_encoder(chosen.model or asset_path("encoder.onnx"), device="cpu")
    media = Media(data, encoder)
    settings = Settings(seed=chosen.seed, threads=chosen.threads)
    rows = []
    for group in chosen.groups:
        rows.append(_measured(group, data, encoder, media, settings))
        print(f"{group}: {rows[-1].outcome}", file=sys.stderr)
    _print(rows, encoder)
    if chosen.json:
        model = {"id": encoder.model_id, "name": encoder.spec.name}
        document = {"model": model, "groups": [asdict(row) for row in rows]}
        chosen.json.write_text(json.dumps(document, indent=1))
    return 0


def _measured(group: str, data: Path, encoder: Encoder, media: Media, settings: Settings) -> Row:
    files = [f"{group}/{name}" for name in sorted(labels_of(data)[group])[:MOST_FILES]]
    video_s = sum(media.recording(file).index.duration_s for file in files)
    known = list(cases(data, media.times_of, group))
    before = _errors(known, encoder, media)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "adapted.onnx"
        try:
            outcome = adapt(
                [data / file for file in files],
                encoder.path,
                output,
                settings,
                tell=lambda event: None,
            )
        except MediaError:
            took = time.perf_counter() - begun
            return Row(group, "too short", took, video_s, None, before, before)
        took = time.perf_counter() - begun
        assert outcome.verdict is not None
        held_back = (outcome.verdict.before, outcome.verdict.after)
        if outcome.encoder is None:
            return Row(group, "not better", took, video_s, held_back, before, before)
        after = _errors(known, load_encoder(outcome.encoder, device="cpu"), media)
        return Row(group, "adapted", took, video_s, held_back, before, after)


def _errors(known: list[Case], encoder: Encoder, media: Media) -> dict[str, float]:
    """Median over the pairs of the median error in percent, by method."""
    bank = bank_for(encoder.model_id)
    found: dict[str, list[float]] = {method: [] for method in METHODS}
    for case in known:
        sides = []
        for clip in (case.reference, case.other):
            times_s, features = media.sampled(clip)
            sides += [times_s, encoder.embed_features(features, times_s)]
        for method in METHODS:
            options = _PLAIN if method == "dtw" else AlignOptions()
            alignment = align_arrays(*sides, method=method, options=options, bank=bank)
            found[method].append(_percent(case, alignment))
    return {method: float(np.median(errors)) for method, errors in found.items()}


def _percent(case: Case, alignment: Alignment) -> float:
    """Error of the playing map, extended to the nearest moment that has a counterpart."""
    time_map = alignment.time_map
    known = np.isfinite(time_map.other_s)
    errors, span_s = case.error_s(
        lambda t: np.interp(t, time_map.reference_s[known], time_map.other_s[known])
    )
    return 100.0 * float(np.median(errors)) / span_s


def _print(rows: list[Row], encoder: Encoder) -> None:
    print(f"encoder {encoder.spec.name} ({encoder.model_id}), {encoder.spec.sample_fps} samples/s")
    print("median key-moment error, % of the labelled span: before -> after")
    head = "".join(f"{method:>22}" for method in METHODS)
    print(f"{'group':20}{'outcome':>12}{'held back':>18}{head}{'seconds':>10}{'of video':>10}")
    for row in rows:
        held = "-" if row.held_back is None else "{:.1f} -> {:.1f}".format(*row.held_back)
        cells = "".join(_cell(row.before[m], row.after[m]) for m in METHODS)
        print(
            f"{row.group:20}{row.outcome:>12}{held:>18}{cells}{row.seconds:10.0f}{row.video_s:10.0f}"
        )
    means = [
        (np.mean([r.before[m] for r in rows]), np.mean([r.after[m] for r in rows])) for m in METHODS
    ]
    worst = [max(row.after[m] - row.before[m] for row in rows) for m in METHODS]
    print(f"{'mean':50}" + "".join(_cell(float(a), float(b)) for a, b in means))
    print(f"{'worst change':50}" + "".join(f"{change:>+22.1f}" for change in worst))


def _cell(before: float, after: float) -> str:
    return f"{f'{before:.1f} -> {after:.1f} ({after - before:+.1f})':>22}"


if __name__ == "__main__":
    raise SystemExit(main())
