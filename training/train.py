"""Train an encoder: ``python -m training.train --config C [--set section.key=value ...]``.

One loop, top to bottom, inside ``train``. A run lives in its folder (``run.dir``): resolved
configuration, checkpoints, ``events.jsonl``, curves for TensorBoard, the exported ``encoder.onnx``.
Started again, it goes on from its last checkpoint. Ctrl-C ends it after the step it is in, with a
checkpoint; a second one ends it at once. ``--dry-run`` says what a run would do and cost.

On several GPUs: ``torchrun --nproc_per_node 4 -m training.train --config C``. ``data.batch_clips``
is the batch of all processes together, so their number changes the speed and not the result, as
long as ``loss.gather`` is on.
"""

from __future__ import annotations

import _thread
import argparse
import dataclasses
import json
import logging
import math
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.logging import RichHandler
from torch import Tensor, nn

from carl_core.atomic import write_atomic
from carl_core.errors import CarlError, MediaError, ProjectError
from carl_core.progress import Monitor
from carl_core.runs import Checkpoint, Evaluated, Exported, Failed, Finished, Started
from training import parallel
from training.bank import load_sources, warp_pairs
from training.checkpoint import (
    check_same_run,
    latest_checkpoint,
    load_checkpoint,
    named_checkpoint,
    save_checkpoint,
)
from training.config import ConfigError, TrainConfig, load_config
from training.data import batches, steps_per_epoch
from training.data.draw import draw_sources
from training.datasets.load import list_entries, listed_classes
from training.evaluation.heads import head_vectors
from training.evaluation.warp import known_warp_scores, torch_embedder
from training.export import export_encoder, spec_of
from training.features import encoder_trunk, stored_looks
from training.forecast import forecast
from training.learner import Learner, trunk_function
from training.meter import Journal, Meter, progress_lines
from training.model import CarlModel, build_model
from training.optimizers import build_optimizer, learning_rate
from training.pickles import PickleError

if TYPE_CHECKING:
    from training.bank import Sources
    from training.evaluation.warp import Embedder
    from training.parallel import Processes

EXIT_FAULT, EXIT_USAGE, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 3, 130
ENCODER_NAME = "encoder.onnx"
REPORT_NAME = "nonfinite.json"

log = logging.getLogger("carl.train")


class NonFiniteError(CarlError):
    """A loss or gradient is no finite number; the run stops."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left.

    Attributes
    ----------
    encoder : exported file, None when the run was interrupted or was to export nothing
    step : steps done
    is_complete : whether these are all
    losses : value of the total loss at each step of this session
    """

    encoder: Path | None
    step: int
    losses: tuple[float, ...]
    is_complete: bool


def main(config: TrainConfig, *, console: Console | None = None) -> Outcome:
    """Train as ``config`` says, resume when its folder holds a run, export at the end.

    Raises
    ------
    ConfigError
        When the folder holds a run with other settings.
    MediaError
        When there is nothing to train on.
    NonFiniteError
        When a loss or gradient is not finite; ``nonfinite.json`` names the clips of the batch.
    """
    device = parallel.device_of(config.run.device)
    with parallel.joined(device.type) as processes:
        if device.type == "cuda":
            device = torch.device("cuda", processes.local)
        return train(config, processes, device, console or Console(stderr=True))


def train(
    config: TrainConfig, processes: Processes, device: torch.device, console: Console
) -> Outcome:
    """Train in this process, one of several or the only one; see ``main``."""
    folder = Path(config.run.dir)
    folder.mkdir(parents=True, exist_ok=True)
    console = console if processes.is_first else Console(quiet=True)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    torch.manual_seed(config.run.seed)

    # ------------------------------------------------------------------ data, model, what was done
    with parallel.first_goes_first(processes):
        monitor = Monitor(progress_lines(console))
        sources = load_sources(config, folder, monitor=monitor)
    config, epoch_steps = with_steps(config, len(sources.recordings))
    learner = Learner(config, sources.joints, sources.phases).to(device)
    optimizer = build_optimizer(learner, config)
    done, steps = 0, config.run.steps
    resumed = latest_checkpoint(folder)
    if resumed is not None:
        saved = load_checkpoint(resumed, modules=learner, optimizer=optimizer)
        check_same_run(saved.config, config, folder)
        done = saved.step
    elif config.run.start_from:
        begun = named_checkpoint(config.run.start_from)
        load_checkpoint(begun, modules=learner.carl.trunk, part="carl.trunk.")
        load_checkpoint(begun, modules=learner.regressor, part="regressor.")
    if config.data.looks:
        with parallel.first_goes_first(processes):
            sources = _with_looks(sources, config, learner, folder, monitor)
    model = parallel.spread(learner, processes, device)
    pairs = warp_pairs(config.evaluation, config.model.image_size, config.export.sample_fps)
    if processes.is_first:
        write_atomic(folder / "config.json", json.dumps(config.to_json(), indent=2) + "\n")

    # ------------------------------------------------------------------------------------ the loop
    journal = Journal(
        folder, console, done=done, steps=steps, curves=config.run.tensorboard,
        is_silent=not processes.is_first,
    )  # fmt: skip
    losses: list[float] = []
    parts = config.run.accumulate
    drawn = sources.recordings, sources.simulated, config
    if processes.count > 1 and config.data.same_action:
        raise ConfigError(
            "data.same_action makes batches of different sizes, which several processes cannot "
            "share. Use one process, or set data.same_action=false."
        )
    places = processes.places(len(draw_sources(done * parts, *drawn)))
    stream = batches(done * parts, steps * parts, *drawn, places=places)
    with journal, parallel.StopWish() as stop:
        if resumed is not None:
            journal.say(f"resuming {folder} after step {done}")
        journal.write(Started(journal.now(), done, steps, config.to_json(), str(device)))
        meter = Meter()
        try:
            if processes.is_first and pairs and config.run.evaluate_every and not done:
                scores = known_warp_scores(_embedder(learner.carl, config), pairs)
                journal.write(Evaluated(journal.now(), 0, scores))
            model.train()
            for step in range(done, steps):
                rate = learning_rate(step, config, epoch_steps)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.zero_grad(set_to_none=True)
                sums: dict[str, Tensor] = {}
                names: list[str] = []
                frames = 0
                for part in range(parts):
                    meter.begin_wait()
                    batch = next(stream).to(device)
                    meter.end_wait()
                    # Dropout depends on the batch alone: a resumed run draws the same.
                    torch.manual_seed(parallel.seed_of(config.run.seed, batch.step, processes.rank))
                    with parallel.without_sharing(model, is_last=part == parts - 1):
                        found: dict[str, Tensor] = model(batch, config, step)
                        total = torch.stack(list(found.values())).sum()
                        torch.autograd.backward(total / parts)
                    for name, value in found.items():
                        sums[name] = sums.get(name, value.new_zeros(())) + value.detach() / parts
                    names += batch.names
                    frames += batch.valid.numel() * processes.count
                norm = nn.utils.clip_grad_norm_(
                    learner.parameters(), config.optimizer.clip_norm, error_if_nonfinite=False
                )
                # One message tells every process the mean losses and whether one was asked to stop.
                asked = norm.new_tensor(float(stop.is_asked))
                *means, asked_mean = parallel.mean_of(torch.stack([*sums.values(), asked])).tolist()
                if not math.isfinite(sum(means) + float(norm)):
                    raise _non_finite(
                        folder, step, names, dict(zip(sums, means, strict=True)), norm, processes
                    )
                optimizer.step()
                done = step + 1
                losses.append(sum(means))
                meter.count(dict(zip(sums, means, strict=True)), float(norm), frames)

                if _is_due(done, config.run.log_every, steps):
                    journal.write(meter.event(journal.now(), done, rate, steps - done))
                if processes.is_first and pairs and _is_due(done, config.run.evaluate_every, steps):
                    scores = known_warp_scores(_embedder(learner.carl, config), pairs)
                    model.train()
                    journal.write(Evaluated(journal.now(), done, scores))
                is_stopping = asked_mean > 0 and done < steps
                if is_stopping or _is_due(done, config.run.checkpoint_every, steps):
                    if processes.is_first:
                        path = save_checkpoint(
                            folder, step=done, modules=learner, optimizer=optimizer,
                            config=config, keep=config.run.keep,
                        )  # fmt: skip
                        journal.write(Checkpoint(journal.now(), done, path.name))
                if is_stopping:
                    journal.write(Finished(journal.now(), done, complete=False))
                    journal.say(f"stopped after step {done}; the same command goes on from there")
                    return Outcome(None, done, tuple(losses), is_complete=False)
        except KeyboardInterrupt:
            # Anywhere inside a step: its weights are half changed, the last checkpoint's are not.
            journal.write(Finished(journal.now(), done, complete=False))
            journal.say("stopped at once; the same command goes on from the last checkpoint")
            return Outcome(None, done, tuple(losses), is_complete=False)
        except (CarlError, RuntimeError) as error:  # torch's own: out of memory, for one
            journal.write(Failed(journal.now(), done, str(error)))
            raise
        finally:
            stream.close()

        # ------------------------------------------------------------------------------ the encoder
        encoder = folder / ENCODER_NAME
        if processes.is_first and config.run.export:
            _export(learner.carl, config, encoder)
            journal.write(Exported(journal.now(), done, ENCODER_NAME))
            journal.say(f"exported {encoder}")
        journal.write(Finished(journal.now(), done, complete=True))
    return Outcome(encoder if config.run.export else None, done, tuple(losses), is_complete=True)


def export_checkpoint(config: TrainConfig, name: str = "") -> Path:
    """Export what a run has learned up to a checkpoint of its folder; "" = the latest.

    Raises
    ------
    ConfigError
        When the run folder holds no checkpoint, or one of another model.
    """
    folder = Path(config.run.dir)
    path = folder / name if name else latest_checkpoint(folder)
    if path is None or not path.is_file():
        which = f"no checkpoint {name}" if name else "no checkpoint"
        raise ConfigError(f"{folder} holds {which} to export. Name the folder with run.dir.")
    model = build_model(config.model)
    load_checkpoint(path, modules=model, part="carl.")
    return _export(model, config, folder / ENCODER_NAME)


def listed(config: TrainConfig) -> tuple[int, int]:
    """Count the recordings of a run, and the phases they are labelled with, opening no video.

    Raises
    ------
    MediaError, PickleError, ProjectError
        When a data set's lists cannot be used.
    """
    data = config.data
    if not data.root or data.simulated_share >= 1:
        return 0, 0
    entries = list_entries(data, split=data.split)
    return len(entries), listed_classes(data, entries)


def with_steps(config: TrainConfig, recordings: int) -> tuple[TrainConfig, int]:
    """Return the configuration with ``run.steps`` as ``run.epochs`` asks, and steps per epoch."""
    a_pass = max(1, steps_per_epoch(recordings, config) // config.run.accumulate)
    if not config.run.epochs:
        return config, a_pass
    run = dataclasses.replace(config.run, steps=config.run.epochs * a_pass)
    return dataclasses.replace(config, run=run), a_pass


def _with_looks(
    sources: Sources, config: TrainConfig, learner: Learner, folder: Path, monitor: Monitor
) -> Sources:
    """Put stored features of a frozen trunk in the place of pictures."""
    is_file = config.model.backbone == "encoder"
    trunk, name = encoder_trunk(config) if is_file else trunk_function(learner)
    cache = (Path(config.data.cache_dir) if config.data.cache_dir else folder / "cache") / "looks"
    return dataclasses.replace(
        sources,
        recordings=stored_looks(sources.recordings, config, trunk, name, cache, monitor),
        simulated=stored_looks(sources.simulated, config, trunk, name, cache, monitor),
    )


def _embedder(model: CarlModel, config: TrainConfig) -> Embedder:
    """Return the encoder as it is now; a trunk that only comes stored is its file's."""
    if config.model.backbone != "encoder":
        return torch_embedder(model, config.export)
    trunk, _ = encoder_trunk(config)
    window, overlap = config.export.window_frames, config.export.overlap_frames
    head = model.head.eval()
    return lambda clip, times_s: head_vectors(
        head, trunk(clip), times_s, window=window, overlap=overlap
    )


def _export(model: CarlModel, config: TrainConfig, path: Path) -> Path:
    described = dataclasses.asdict(config.export)
    spec = spec_of(model.cpu().eval(), config_digest=config.digest, **described)
    return export_encoder(model, spec, path)


def _non_finite(
    folder: Path,
    step: int,
    names: list[str],
    losses: dict[str, float],
    norm: Tensor,
    processes: Processes,
) -> NonFiniteError:
    clips = [name for part in parallel.everyones(names) for name in part]
    report = {
        "step": step,
        "clips": clips,
        "losses": {name: str(value) for name, value in losses.items()},
        "gradient_norm": str(float(norm)),
    }
    if processes.is_first:
        write_atomic(folder / REPORT_NAME, json.dumps(report, indent=2) + "\n")
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    what = f"the loss {', '.join(bad)}" if bad else "the gradient"
    return NonFiniteError(
        f"In step {step} {what} became non-finite. The batch held {', '.join(clips)}; see "
        f"{folder / REPORT_NAME}. Lower optimizer.rate, or set run.precision=float32."
    )


def _is_due(done: int, every: int, steps: int) -> bool:
    return done == steps or (every > 0 and done % every == 0)


def run_cli(arguments: list[str] | None = None) -> int:
    """Read the command line, train, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, help="TOML file, e.g. training/configs/smoke.toml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="settings"
    )
    parser.add_argument(
        "--export-only", action="store_true", help="export the run's last checkpoint and stop"
    )
    parser.add_argument(
        "--checkpoint", default="", metavar="NAME", help="with --export-only: not the last but this"
    )
    parser.add_argument(
        "--listen", action="store_true", help="stop, as on Ctrl-C, when stdin says a line 'stop'"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what the run would do and cost, write nothing"
    )
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=console)]
    )
    try:
        config = load_config(options.config, options.settings)
        if options.dry_run:
            recordings, phases = listed(config)
            print(forecast(*with_steps(config, recordings), phases))
            return 0
        if options.export_only:
            print(export_checkpoint(config, options.checkpoint))
            return 0
        if options.listen:
            parallel.listen_for_stop(_thread.interrupt_main)  # as Ctrl-C does
        outcome = main(config, console=console)
    except ConfigError as error:
        console.print(f"error: {error}", highlight=False, markup=False, soft_wrap=True)
        return EXIT_USAGE
    except (MediaError, PickleError, ProjectError) as error:
        console.print(f"error: {error}", highlight=False, markup=False, soft_wrap=True)
        return EXIT_INPUT
    except CarlError as error:
        console.print(f"error: {error}", highlight=False, markup=False, soft_wrap=True)
        return EXIT_FAULT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if not outcome.is_complete:
        return EXIT_INTERRUPTED
    if outcome.encoder is not None:
        print(outcome.encoder)
    return 0


if __name__ == "__main__":
    # A parent process may have told us to ignore Ctrl-C, and stops us with SIGTERM.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run_cli())
