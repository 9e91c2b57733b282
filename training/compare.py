"""Does it learn? Losses side by side on one frozen trunk: ``python -m training.compare``.

Every method of ``training/configs/compare`` trains a head on the same stored features, recordings
and steps, with three seeds; beside them stand heads that were not trained, the trunk's own features
and the position alone. One table: simulated actions never seen, real recordings against re-timed
copies of themselves, and key moments of labelled recordings (synchronous cameras re-timed).

Runs lie in the output folder and are resumed; what is finished is not trained again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import sys
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from carl_core.assets import asset_path
from carl_core.atomic import write_atomic
from carl_core.encoder.onnx import load_encoder
from carl_core.errors import CarlError, MediaError
from carl_core.progress import Monitor
from training.bank import cached_size, load_sources
from training.checkpoint import latest_checkpoint, load_checkpoint
from training.config import ConfigError, DataConfig, TrainConfig, config_from_json
from training.config.load import apply_setting
from training.datasets.load import load_clips
from training.evaluation.cases import (
    MOMENT_GROUPS,
    feature_cases_from_copies,
    feature_cases_from_moments,
    feature_cases_from_simulated,
    score_embedder,
)
from training.evaluation.comparison import COPIES, REAL, SIMULATED, Scores, cell, to_markdown
from training.evaluation.controls import as_they_are, position_vectors
from training.evaluation.heads import head_vectors, untrained_head
from training.evaluation.plots import plot_methods
from training.features import encoder_trunk, stored_looks
from training.meter import progress_lines
from training.model import build_model
from training.train import main as train

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from carl_core.alignment.options import StepPattern
    from carl_core.arrays import Float32, Float64
    from carl_core.encoder.onnx import Encoder
    from training.evaluation.cases import FeatureCase
    from training.evaluation.tracks import Embed
    from training.model import Head

CONFIGS = Path(__file__).parent / "configs" / "compare"
METHODS = ("fixed_scl", "faithful_scl", "tcc", "tcn", "lav")
CONTROLS = ("untrained head", "untrained faithful head", "raw trunk", "position only")

# How every method is aligned: every path between two corners weighs the same, so that the aligner
# adds nothing of its own. (With 1-1-1, which favours the diagonal, vectors that know nothing do as
# well as linear time.)
_PATTERN: StepPattern = "2-1-1"
_WINDOW, _OVERLAP = 64, 32  # samples a head sees at a time, as the engine does
_COPIED = ("signs_retrieval", "long_and_periodic", "golf_dtl", "squat_people", "pullup_reps")
_PER_CLIP = 2


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is evaluated, and with which draws.

    Attributes
    ----------
    seeds : of the training and of the untrained heads
    simulated : pairs of simulated actions
    draw : of actions, copies and re-timings; development used others than the reported run
    """

    seeds: tuple[int, ...] = (1, 2, 3)
    simulated: int = 64
    draw: int = 7


def method_config(method: str, settings: Sequence[str] = ()) -> TrainConfig:
    """Read the shared settings and those of one method, then apply ``section.key=value`` ones.

    Raises
    ------
    ConfigError
        When a file or a setting makes no sense.
    """
    sections: dict[str, Any] = {}
    for name in ("base", method):
        path = CONFIGS / f"{name}.toml"
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as exc:
            raise ConfigError(f"The settings of {method} cannot be read ({exc}).") from exc
        for section, values in found.items():
            sections[section] = sections.get(section, {}) | values
    for setting in settings:
        apply_setting(sections, setting)
    return config_from_json(sections)


def train_one(method: str, seed: int, settings: Sequence[str], out: Path) -> float:
    """Train one head, unless its run is finished; return the seconds it took.

    Raises
    ------
    CarlError
        When training is not possible.
    KeyboardInterrupt
        When it was stopped; the same command goes on from there.
    """
    begun = time.monotonic()
    folder = out / f"{method}-{seed}"
    config = method_config(method, [*settings, f"run.seed={seed}", f"run.dir={folder}"])
    path = latest_checkpoint(folder)
    if path is None or path.stem != f"step-{config.run.steps:08d}":
        with (out / f"{method}-{seed}.log").open("a", encoding="utf-8") as log:
            if not train(config, console=Console(file=log, width=120)).is_complete:
                raise KeyboardInterrupt
    return time.monotonic() - begun


def train_all(
    methods: Sequence[str],
    seeds: Sequence[int],
    settings: Sequence[str],
    out: Path,
    jobs: int,
    console: Console,
) -> None:
    """Train every head, ``jobs`` at a time; what is decoded, rendered and stored is done before.

    Raises
    ------
    CarlError, KeyboardInterrupt
        As ``train_one``.
    """
    runs = [(method, seed) for method in methods for seed in seeds]
    with ProcessPoolExecutor(min(jobs, len(runs)), multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(train_one, *run, settings, out): run for run in runs}
        try:
            for number, future in enumerate(as_completed(waiting), start=1):
                method, seed = waiting[future]
                took = f"{method}, seed {seed}: {future.result():.0f} s"
                console.print(f"{took} ({number} of {len(runs)} runs)")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def prepare(methods: Sequence[str], settings: Sequence[str], out: Path, monitor: Monitor) -> None:
    """Decode, render and store the features of what the methods train on.

    Raises
    ------
    CarlError
        When recordings cannot be read.
    """
    for method in methods:  # what is stored for one serves the others
        config = method_config(method, settings)
        sources = load_sources(config, out, monitor=monitor)
        trunk, name = encoder_trunk(config)
        looks = Path(config.data.cache_dir) / "looks"
        for part in (sources.recordings, sources.simulated):
            stored_looks(part, config, trunk, name, looks, monitor)


def trained_head(method: str, seed: int, settings: Sequence[str], out: Path) -> Head:
    """Return the head of a finished run."""
    model = build_model(method_config(method, settings).model)
    path = latest_checkpoint(out / f"{method}-{seed}")
    assert path is not None
    load_checkpoint(path, modules=model, part="carl.")
    return model.head.eval()


def embedder(head: Head) -> Embed:
    """Embed stored features with a head as the engine does; a clock sees recordings whole."""
    is_clock = head.position == "carl"

    def embed(features: Float32, times_s: Float64) -> Float32:
        window, overlap = (0, 0) if is_clock else (_WINDOW, _OVERLAP)
        return head_vectors(head, features, times_s, window=window, overlap=overlap)

    return embed


def cases_of(
    encoder: Encoder, data: Path | None, cache: Path, budget: Budget, monitor: Monitor
) -> list[FeatureCase]:
    """Pairs to align: simulated, and where there is a folder of labelled recordings, real ones.

    Raises
    ------
    MediaError
        When a recording cannot be read.
    """
    first = 5_000_000 + 1000 * budget.draw
    cases = feature_cases_from_simulated(budget.simulated, first, encoder, monitor=monitor)
    if data is None:
        return cases
    side = cached_size(encoder.spec.size)
    for group in _COPIED:
        folder = DataConfig(root=str(data / group), max_fps=30.0, max_clip_s=30.0)
        clips = load_clips(
            folder, split="train", size=(side, side), fit="squash", cache=cache, monitor=monitor
        )
        cases += feature_cases_from_copies(clips, encoder, _PER_CLIP, budget.draw, monitor=monitor)
    cases += feature_cases_from_moments(data, encoder, seed=budget.draw, monitor=monitor)
    return cases


def score(embed: Embed, cases: Sequence[FeatureCase]) -> dict[str, float]:
    """Median error of each group in percent of the span, and the mean of the labelled groups."""
    groups = score_embedder(embed, cases, centre=True, pattern=_PATTERN)
    found = {group: result.median_percent for group, result in groups.items()}
    real = [value for group, value in found.items() if group in MOMENT_GROUPS]
    if real:
        found[REAL] = float(np.mean(real))
    return found


def compare(
    methods: Sequence[str],
    settings: Sequence[str],
    data: Path | None,
    out: Path,
    budget: Budget,
    jobs: int,
    console: Console,
) -> Scores:
    """Train and score every method and control; see the module.

    Raises
    ------
    CarlError
        When recordings cannot be read, or training is not possible.
    """
    shared = [f"data.cache_dir={out / 'cache'}", *settings]
    encoder = load_encoder(asset_path("encoder.onnx"))
    monitor = Monitor(progress_lines(console))
    cases = cases_of(encoder, data, out / "cache" / "copied", budget, monitor)
    channels = encoder.spec.channels
    fixed, faithful = (method_config(name, shared).model for name in METHODS[:2])
    draws: dict[str, list[Embed]] = {
        "position only": [position_vectors],
        "raw trunk": [as_they_are],
        "untrained head": [embedder(untrained_head(fixed, channels, s)) for s in budget.seeds],
        "untrained faithful head": [
            embedder(untrained_head(faithful, channels, s)) for s in budget.seeds
        ],
    }
    scores: Scores = {}
    for name, embeds in draws.items():
        _collect(scores, name, [score(embed, cases) for embed in embeds], console)
    prepare(methods, shared, out, monitor)
    train_all(methods, budget.seeds, shared, out, jobs, console)
    for method in methods:
        heads = [trained_head(method, seed, shared, out) for seed in budget.seeds]
        _collect(scores, method, [score(embedder(head), cases) for head in heads], console)
    return {name: scores[name] for name in (*methods, *CONTROLS)}


def _collect(
    scores: Scores, name: str, results: Sequence[Mapping[str, float]], console: Console
) -> None:
    scores[name] = {column: [result[column] for result in results] for column in results[0]}
    told = "  ".join(f"{column} {cell(values)}" for column, values in scores[name].items())
    console.print(f"{name}: {told}", highlight=False)


def run_cli(arguments: list[str] | None = None) -> int:
    """Read the command line, compare, write compare.md, compare.json and compare.png."""
    parser = argparse.ArgumentParser(
        prog="python -m training.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pool", type=Path, help="folder of videos and pictures to train on")
    parser.add_argument("--data", type=Path, help="labelled recordings (labels.json) to test on")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/compare"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(Budget().seeds))
    parser.add_argument("--simulated", type=int, default=Budget().simulated, help="pairs")
    parser.add_argument("--draw", type=int, default=Budget().draw, help="of what is tested on")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time (2)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="settings"
    )
    options = parser.parse_args(arguments)
    if options.jobs < 1 or options.simulated < 1:
        parser.error("--jobs and --simulated must be at least 1")
    options.seeds = list(dict.fromkeys(options.seeds))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    budget = Budget(tuple(options.seeds), options.simulated, options.draw)
    begun = time.monotonic()
    pool, data = options.pool, options.data
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        settings = _pool_settings(pool) + options.settings
        scores = compare(
            options.methods, settings, data, options.output, budget, options.jobs, console
        )
        facts = {
            "trained on": "simulated actions" + (f" and {pool.name}" if pool else ""),
            "tested on": f"{budget.simulated} simulated pairs, draw {budget.draw}"
            + (f"; recordings of {data.name}" if data else ""),
            "seeds": ", ".join(map(str, budget.seeds)),
            "aligner": f"plain global DTW {_PATTERN}, means taken off",
            "time": f"{(time.monotonic() - begun) / 60:.0f} minutes",
        }
        text = to_markdown(scores, facts)
        document = {"facts": facts, "budget": dataclasses.asdict(budget), "scores": scores}
        write_atomic(options.output / "compare.json", json.dumps(document, indent=2) + "\n")
        write_atomic(options.output / "compare.md", text)
        shown = [column for column in (SIMULATED, COPIES, REAL) if column in scores["raw trunk"]]
        plot_methods(scores, shown, options.output / "compare.png")
    except ConfigError as error:
        return _told(console, error, 2)
    except MediaError as error:
        return _told(console, error, 3)
    except CarlError as error:
        return _told(console, error, 1)
    except OSError as error:
        return _told(console, f"{options.output} cannot be written ({error}).", 2)
    except KeyboardInterrupt:
        return _told(console, "stopped; the same command goes on from there", 130)
    print(text, end="")
    return 0


def _pool_settings(pool: Path | None) -> list[str]:
    """Return the settings for a folder with videos/, images/ and manifest.csv, or for none."""
    if pool is None:
        return ["data.simulated_share=1.0", "data.exclude_columns=[]"]
    return [
        f"data.root={pool / 'videos'}",
        f"data.manifest={pool / 'manifest.csv'}",
        f"data.backgrounds={pool / 'images'}",
    ]


def _told(console: Console, what: object, code: int) -> int:
    console.print(f"error: {what}" if code != 130 else str(what), markup=False)
    return code


if __name__ == "__main__":
    sys.exit(run_cli())
