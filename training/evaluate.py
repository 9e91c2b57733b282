"""Evaluate encoder files: one table with controls beside every number, and pictures.

``python -m training.evaluate --model A.onnx [B.onnx C.onnx]`` scores one encoder, or several that
are seeds of one recipe, on what is given:

- ``--data DIR --kind KIND``: recordings with phase labels. The published protocol (for FineGym also
  the linear probe), boundary errors, random trims, and real recordings against re-timed copies;
- ``--moments DIR``: recordings with ``labels.json``, errors of key moments;
- ``--simulated N``: pairs of clips of simulated actions that training never draws.

Controls: position only, raw trunk, untrained head, raw pixels. The table goes to stdout, and with
``-o`` as Markdown and JSON into a folder, with pictures.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from carl_core.errors import CarlError, MediaError, ModelError, ProjectError
from carl_core.progress import Monitor
from carl_core.runs import read_events
from training.config import ConfigError, DataConfig, EvaluationConfig
from training.datasets.load import KINDS
from training.evaluation import pictures, suite
from training.evaluation.controls import HEAD_SEEDS, Contestant, contestants_of
from training.evaluation.material import (
    DEFAULT_STRIDE,
    STRIDES,
    DataSet,
    Models,
    copies_of,
    load_models,
    moments_of,
    simulated_of,
    splits_of,
)
from training.evaluation.plots import plot_losses
from training.evaluation.probe import EPOCHS
from training.evaluation.protocol import FRACTIONS
from training.evaluation.report import Report, Row, to_markdown, write_report
from training.pickles import PickleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from carl_core.progress import Progress
    from training.evaluation.cases import FeatureCase
    from training.evaluation.suite import Split

EXIT_FAULT, EXIT_USAGE, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 3, 130
TASKS = ("published", "probe", "boundary", "copies", "moments", "simulated", "plots")

_SIMULATED = 24
_MAX_CLIP_S = 60.0  # used of each recording where nothing else is said
_MAX_FPS = 30.0  # of what is read when the encoder's rate is sampled; copies are cut out of it
_CACHE_MIB = 1 << 24  # nothing is left out of an evaluation for want of memory
_COPIES_PER_CLIP, _COPIED_CLIPS = 3, 40
_COPIES_NOTE = (
    "A recording against a copy of itself that is trimmed, cut, re-timed and has another look "
    "(crop, colour, blur, noise, cover). The truth is exact. "
    "Mean over the copies of the median error."
)
_MOMENTS_NOTE = (
    "Median over ordered pairs of the median error of the key moments, plain global DTW (2-1-1); "
    "'position only' is linear time. Synchronous cameras count only re-timed."
)
_SIMULATED_NOTE = (
    "Simulated actions of families that training never draws, another body, camera and speed. "
    "Mean over the pairs of the median error. "
    "The simulator is a closed loop: real recordings are what counts."
)


def evaluate(options: argparse.Namespace, monitor: Monitor) -> Report:
    """Run the chosen tasks and put everything found together.

    Raises
    ------
    CarlError
        When encoders or recordings cannot be used, or pictures cannot be written.
    """
    models = load_models(options.model, device=options.device)
    seeds = HEAD_SEEDS[:1] if options.quick else HEAD_SEEDS
    contestants = contestants_of(models.encoders, models.trunks, head_seeds=seeds)
    facts = {
        "encoders": ", ".join(f"{one.spec.name} ({one.model_id})" for one in models.encoders),
    }
    rows: list[Row] = []
    plots: list[str] = []
    tasks = _tasks(options)
    out: Path | None = options.output if "plots" in tasks else None
    if options.data is not None:
        data = _data_set(options)
        rows += _on_data(options, models, contestants, data, facts, plots, monitor)
    if options.moments is not None and "moments" in tasks:
        cases = moments_of(models, options.moments, options.groups, monitor=monitor)
        facts["key moments"] = f"{options.moments.name}, {len(cases[0])} ordered pairs"
        section = "What a clock cannot win: key moments of real recordings"
        rows += suite.case_rows(
            contestants,
            cases,
            section=section,
            name="key-moment error",
            note=_MOMENTS_NOTE,
            monitor=monitor,
        )
        if out is not None:
            plots += _draw_groups(contestants, cases, out)
    if options.simulated and "simulated" in tasks:
        cases = simulated_of(models, count=options.simulated, seed=options.seed, monitor=monitor)
        facts["simulated"] = f"{options.simulated} pairs from seed {options.seed}"
        rows += suite.case_rows(
            contestants,
            cases,
            section="Known warp: simulated actions never seen",
            name="known-warp error",
            is_warp=True,
            note=_SIMULATED_NOTE,
            monitor=monitor,
        )
        if out is not None:
            plots += _draw_groups(contestants, cases, out)
    if options.run is not None and out is not None:
        title = options.run.resolve().name
        if plot_losses(read_events(options.run), out / "losses.png", title=title):
            plots.append("losses.png")
    known = [row for row in rows if any(_is_known(found) for found in row.values.values())]
    notes = [] if len(known) == len(rows) else ["Metrics that nothing here defines are left out."]
    return Report(f"Evaluation of {models.encoders[0].spec.name}", facts, known, notes, plots)


def run_cli(arguments: list[str] | None = None) -> int:
    """Read the command line, evaluate, print and write the table; return the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    if options.simulated is None:
        options.simulated = _SIMULATED if _asks_for_simulated(options) else 0
    if options.quick:
        options.simulated = min(options.simulated, 4)
    try:
        _check(options)
        report = evaluate(options, Monitor(_reporter(console)))
        if options.output is not None:
            write_report(report, options.output)
    except (ConfigError, ValueError) as error:
        console.print(f"error: {error}", markup=False)
        return EXIT_USAGE
    except (MediaError, ModelError, PickleError, ProjectError) as error:
        console.print(f"error: {error}", markup=False)
        return EXIT_INPUT
    except CarlError as error:
        console.print(f"error: {error}", markup=False)
        return EXIT_FAULT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    print(to_markdown(report), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", type=Path, nargs="+", required=True, help="encoder files, seeds of one recipe")
    add("--data", type=Path, help="folder of recordings, or of a data set in its official layout")
    add("--kind", choices=KINDS, default="folder", help="layout below --data")
    add("--labels", type=Path, help="folder: CSV recording,name,start_s,end_s of phases")
    add("--validation", type=Path, help="folder: validation recordings (else the last 30 %%)")
    add("--sampling", choices=("encoder", "native"), default="encoder",
        help="frames: at the encoder's rate, or every one (published)")  # fmt: skip
    add("--stride", type=int, help="frames between two of tau and AP (2, Pouring 5)")
    add("--max-clip-s", type=float,
        help="seconds used of each recording, 0 = all (60; native: all)")  # fmt: skip
    add("--centre-crop", action="store_true",
        help="the trunk sees the middle of pictures, not resized (published FineGym evaluation)",
    )  # fmt: skip
    add("--cache", type=Path, help="folder that keeps decoded pictures for the next evaluation")
    add("--moments", type=Path, help="folder of recordings with labels.json")
    add("--groups", nargs="+", help="groups of labels.json (all)")
    add("--simulated", type=int, help=f"simulated pairs ({_SIMULATED} where nothing else is given)")
    add("--seed", type=int, default=EvaluationConfig().seed, help="of simulated pairs and copies")
    add("--run", type=Path, help="run folder whose loss curves are drawn")
    add("--tasks", nargs="+", choices=TASKS,
        help="what is done (all; for FineGym all but 'published', whose protocol is the probe)",
    )  # fmt: skip
    add("--quick", action="store_true", help="fewer draws: to see that it works")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("-o", "--output", type=Path, help="folder for report.md, report.json and pictures")
    return parser


def _asks_for_simulated(options: argparse.Namespace) -> bool:
    """Whether nothing else was given to evaluate on."""
    return options.data is None and options.moments is None and options.run is None


def _tasks(options: argparse.Namespace) -> set[str]:
    """Return what is to be done.

    FineGym is published with the linear probe alone: tau and retrieval over all pairs of its 1442
    recordings would take days and more memory than there is.
    """
    if options.tasks is not None:
        return set(options.tasks)
    return set(TASKS) - ({"published"} if options.kind.startswith("finegym") else set())


def _check(options: argparse.Namespace) -> None:
    if options.simulated < 0 or (options.max_clip_s or 0) < 0:
        raise ValueError("--simulated and --max-clip-s must not be negative")
    if options.stride is not None and options.stride < 1:
        raise ValueError(f"--stride {options.stride}: must be at least 1")
    for name in ("labels", "validation"):
        if getattr(options, name) is not None and options.kind != "folder":
            raise ValueError(f"--{name} goes with --kind folder; {options.kind} has its own")
    for name in ("data", "moments", "run", "validation"):
        folder = getattr(options, name)
        if folder is not None and not folder.is_dir():
            raise MediaError(f"There is no folder {folder}. Check --{name}.", path=folder)


def _data_set(options: argparse.Namespace) -> DataSet:
    is_native = options.sampling == "native"
    longest_s = options.max_clip_s
    if longest_s is None:
        longest_s = 0.0 if is_native else _MAX_CLIP_S
    config = DataConfig(
        kind=options.kind,
        root=str(options.data),
        labels="" if options.labels is None else str(options.labels),
        max_fps=0.0 if is_native else _MAX_FPS,
        max_clip_s=longest_s,
        cache_mib=_CACHE_MIB,
    )
    return DataSet(
        config, options.validation, is_native, options.cache, is_cropped=options.centre_crop
    )


def _on_data(
    options: argparse.Namespace,
    models: Models,
    contestants: Sequence[Contestant],
    data: DataSet,
    facts: dict[str, str],
    plots: list[str],
    monitor: Monitor,
) -> list[Row]:
    """Everything on recordings with phase labels, and their copies; adds facts and pictures."""
    tasks = _tasks(options)
    splits = splits_of(models, data, monitor)
    train, val = splits[0].train, splits[0].val
    stride = options.stride or STRIDES.get(options.kind, DEFAULT_STRIDE)
    facts["data"] = (
        f"{options.data.name} ({options.kind}), {len(train)} training and {len(val)} validation "
        f"recordings"
    )
    actions = len({track.action for track in val})
    if actions > 1:
        facts["actions"] = f"{actions}, each evaluated by itself, unweighted mean"
    native = "every frame" if data.is_native else f"{models.leads[0].spec.sample_fps:g} per second"
    facts["frames"] = native + (", their middle not resized" if data.is_cropped else "")
    rows: list[Row] = []
    if "published" in tasks:
        rows += suite.published_rows(
            contestants,
            splits,
            stride=stride,
            fractions=FRACTIONS[-1:] if options.quick else FRACTIONS,
            svc=not options.quick,
            monitor=monitor,
        )
    if "probe" in tasks and options.kind.startswith("finegym"):
        epochs = 5 if options.quick else EPOCHS
        rows += suite.probe_rows(
            contestants, splits, seed=options.seed, epochs=epochs, monitor=monitor
        )
    if "boundary" in tasks:
        rows += suite.boundary_rows(
            contestants,
            splits,
            stride=stride,
            seeds=suite.TRIM_SEEDS[:1] if options.quick else suite.TRIM_SEEDS,
            monitor=monitor,
        )
    cases: list[list[FeatureCase]] = []
    if "copies" in tasks:
        cases = copies_of(
            models,
            data,
            per_clip=1 if options.quick else _COPIES_PER_CLIP,
            seed=options.seed,
            most=4 if options.quick else _COPIED_CLIPS,
            monitor=monitor,
        )
        rows += suite.case_rows(
            contestants,
            cases,
            section="What a clock cannot win: known warp of real recordings",
            name="known-warp error",
            is_warp=True,
            note=_COPIES_NOTE,
            monitor=monitor,
        )
    if "plots" in tasks and options.output is not None:
        plots += _draw_data(contestants, splits, options.output)
        plots += _draw_groups(contestants, cases, options.output) if cases else []
    return rows


def _draw_data(contestants: Sequence[Contestant], splits: Sequence[Split], out: Path) -> list[str]:
    """Draw two recordings of one action side by side, and several in the plane."""
    shown = pictures.drawn(contestants)
    val = splits[0].val
    pictures.draw_clouds(shown, [split.val for split in splits], out / "embeddings.png")
    names = ["embeddings.png"]
    partner = next((k for k in range(1, len(val)) if val[k].action == val[0].action), None)
    if partner is not None:
        pairs = [(split.val[0], split.val[partner]) for split in splits]
        title = f"{val[0].name} = {val[partner].name}"
        pictures.draw_pair(shown, pairs, out / "similarity.png", title=title)
        names.append("similarity.png")
    return names


def _draw_groups(
    contestants: Sequence[Contestant], cases: Sequence[Sequence[FeatureCase]], out: Path
) -> list[str]:
    """Draw the first case of every group with its truth."""
    shown = pictures.drawn(contestants)
    names = []
    for group in dict.fromkeys(case.group for case in cases[0]):
        place = next(k for k, case in enumerate(cases[0]) if case.group == group)
        names.append(f"similarity_{group}.png")
        pictures.draw_case(shown, [found[place] for found in cases], out / names[-1])
    return names


def _is_known(values: Sequence[float]) -> bool:
    return any(not math.isnan(value) for value in values)


def _reporter(console: Console) -> Callable[[Progress], None]:
    """Print how far a stage is, its rate and the time left, every five seconds and at its end."""
    last_s = [0.0]

    def report(progress: Progress) -> None:
        now = time.monotonic()
        is_done = progress.total is not None and progress.done >= progress.total
        if now - last_s[0] <= 5.0 and not is_done:
            return
        last_s[0] = now
        total = "" if progress.total is None else f"/{progress.total:.0f}"
        text = f"{progress.stage}: {progress.done:.0f}{total} {progress.unit}"
        if progress.rate:
            text += f", {progress.rate:.3g} {progress.unit}/s"
        if progress.remaining_s and not is_done:
            minutes, seconds = divmod(round(progress.remaining_s), 60)
            text += f", {minutes}:{seconds:02d} left"
        console.print(text, markup=False)

    return report


if __name__ == "__main__":
    sys.exit(run_cli())
