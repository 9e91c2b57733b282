"""Train an encoder: ``python -m training.train --config C [--set section.key=value ...]``.

One loop, top to bottom, inside ``main``. A run lives in its folder (``run.dir``): resolved
configuration, checkpoints, ``events.jsonl``, the exported ``encoder.onnx``. Started again, it goes
on from its last checkpoint. Ctrl-C leaves a checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.logging import RichHandler
from torch import Tensor, nn

from carl_core.errors import CarlError, MediaError
from carl_core.progress import Monitor, Progress
from carl_core.runs import (
    Checkpoint,
    Evaluated,
    EventWriter,
    Exported,
    Failed,
    Finished,
    Started,
    Step,
)
from training.bank import load_sources, warp_pairs
from training.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from training.config import ConfigError, TrainConfig, config_from_json, load_config
from training.data import Batch, batches
from training.evaluate import known_warp_scores, torch_embedder
from training.export import export_encoder, spec_of
from training.joints import JointRegressor, joint_losses
from training.losses import sequence_contrastive_loss
from training.model import CarlModel, build_model

if TYPE_CHECKING:
    from collections.abc import Callable

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
    encoder : exported file, None when the run was interrupted
    step : steps done
    losses : value of the total loss at each step of this session
    """

    encoder: Path | None
    step: int
    losses: tuple[float, ...]


class Learner(nn.Module):
    """Everything that is trained: the encoder and the joint regressor beside it."""

    def __init__(self, config: TrainConfig, joints: int) -> None:
        super().__init__()
        self.carl: CarlModel = build_model(config.model)
        size = config.model.image_size
        with torch.no_grad():
            self.carl.trunk.eval()
            _, feature_map = self.features(torch.zeros(1, size, size, 3, dtype=torch.uint8))
            self.carl.trunk.train()
        self.regressor = JointRegressor(
            self.carl.trunk.channels, feature_map.shape[1], config.model.dim, joints
        )

    def features(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (N, S, S, 3) to features (N, C) and the map (N, channels, H, W) they came from."""
        maps: list[Tensor] = []
        hook = self.carl.trunk.late.register_forward_hook(
            lambda module, inputs, output: maps.append(output)
        )
        try:
            features: Tensor = self.carl.trunk(frames)
        finally:
            hook.remove()
        return features, maps[0]


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
    console = console or Console(stderr=True)
    folder = Path(config.run.dir)
    folder.mkdir(parents=True, exist_ok=True)
    device = _device(config)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    torch.manual_seed(config.run.seed)

    sources = load_sources(config, folder, monitor=Monitor(_reporter(console)))
    learner = Learner(config, sources.joints).to(device)
    optimizer = _optimizer(learner, config)
    done = 0
    resumed = latest_checkpoint(folder)
    if resumed is not None:
        saved = load_checkpoint(resumed, modules=learner, optimizer=optimizer, restore_rng=True)
        _check_same_run(config_from_json(saved.config), config, folder)
        done = saved.step
        console.print(f"resuming {folder} after step {done}")
    elif config.run.start_from:
        begun = _named_checkpoint(config.run.start_from)
        load_checkpoint(begun, modules=learner.carl.trunk, part="carl.trunk.")
        load_checkpoint(begun, modules=learner.regressor, part="regressor.")
    (folder / "config.json").write_text(json.dumps(config.to_json(), indent=2) + "\n")
    pairs = warp_pairs(config.evaluation, config.model.image_size, config.export.sample_fps)

    losses: list[float] = []
    steps = config.run.steps
    with EventWriter(folder) as events:
        events.write(Started(events.now(), done, steps, config.to_json(), str(device)))
        stream = batches(done, steps, sources.recordings, sources.simulated, config)
        meter = Meter()
        try:
            learner.train()
            for step in range(done, steps):
                meter.begin_wait()
                batch = next(stream).to(device)
                meter.end_wait()
                rate = learning_rate(step, config)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                with torch.autocast(
                    device.type, torch.bfloat16, enabled=config.run.precision == "bfloat16"
                ):
                    parts = losses_of(learner, batch, config)
                total = torch.stack(list(parts.values())).sum()
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(total)
                norm = nn.utils.clip_grad_norm_(
                    learner.parameters(), config.optimizer.clip_norm, error_if_nonfinite=False
                )
                if not (torch.isfinite(total) and torch.isfinite(norm)):
                    raise _non_finite(folder, batch, parts, norm)
                optimizer.step()
                done = step + 1
                losses.append(float(total.detach()))
                meter.count(parts, norm, batch.frames[..., 0, 0, 0].numel())

                if done % config.run.log_every == 0 or done == steps:
                    event = meter.event(events.now(), done, rate, steps - done)
                    events.write(event)
                    console.print(_line(event, steps), highlight=False)
                if pairs and _is_due(done, config.run.evaluate_every, steps):
                    scores = known_warp_scores(torch_embedder(learner.carl, config.export), pairs)
                    learner.train()
                    events.write(Evaluated(events.now(), done, scores))
                    console.print(f"step {done}: " + _table(scores), highlight=False)
                if _is_due(done, config.run.checkpoint_every, steps):
                    _save(folder, done, learner, optimizer, config, events)
        except KeyboardInterrupt:
            _save(folder, done, learner, optimizer, config, events)
            events.write(Finished(events.now(), done, complete=False))
            console.print(f"stopped after step {done}; the same command goes on from there")
            return Outcome(None, done, tuple(losses))
        except CarlError as error:
            events.write(Failed(events.now(), done, str(error)))
            raise
        finally:
            stream.close()

        encoder = _export(learner.carl, config, folder / ENCODER_NAME)
        events.write(Exported(events.now(), done, ENCODER_NAME))
        events.write(Finished(events.now(), done, complete=True))
    console.print(f"exported {encoder}")
    return Outcome(encoder, done, tuple(losses))


def export_latest(config: TrainConfig) -> Path:
    """Export what a run that is not finished has learned so far.

    Raises
    ------
    ConfigError
        When the run folder holds no checkpoint, or one of another model.
    """
    folder = Path(config.run.dir)
    path = latest_checkpoint(folder)
    if path is None:
        raise ConfigError(f"{folder} holds no checkpoint to export. Name it with run.dir.")
    model = build_model(config.model)
    load_checkpoint(path, modules=model, part="carl.")
    return _export(model, config, folder / ENCODER_NAME)


def losses_of(learner: Learner, batch: Batch, config: TrainConfig) -> dict[str, Tensor]:
    """Weighted losses of one batch by name; their sum is minimised."""
    views, clips, count = batch.valid.shape
    carl = learner.carl
    features, feature_map = learner.features(batch.frames.flatten(0, 2))  # (V B T, C)
    features = features.view(views * clips, count, -1)
    # Frames of a clip differ by a few percent of their features, which bfloat16 (8 bits) rounds
    # away: the head then sees one and the same frame and collapses. It is cheap in float32.
    with torch.autocast(features.device.type, enabled=False):
        embeddings = carl.head(features, batch.times_s.flatten(0, 1), batch.valid.flatten(0, 1))
        compared = carl.project(embeddings) if config.loss.use_projection else embeddings
    z = compared.unflatten(0, (views, clips))  # (V, B, T, P)
    loss = config.loss
    scl = sequence_contrastive_loss(
        z[0], z[1], batch.moments[0], batch.moments[1], batch.valid[0], batch.valid[1],
        temperature=loss.temperature, sigma=loss.sigma, epsilon=loss.epsilon,
        negatives=loss.negatives, reach=loss.reach or None,
    )  # fmt: skip
    joints = joint_losses(
        learner.regressor,
        feature_map,
        features.view(views, clips, count, -1),
        embeddings.view(views, clips, count, -1),
        batch,
        loss,
    )
    return {"scl": scl, **joints}


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine down to the final rate at the last step."""
    settings = config.optimizer
    if step < settings.warmup_steps:
        return settings.rate * (step + 1) / settings.warmup_steps
    length = max(1, config.run.steps - settings.warmup_steps)
    share = min(1.0, (step - settings.warmup_steps) / length)
    return settings.final_rate + (settings.rate - settings.final_rate) * 0.5 * (
        1.0 + math.cos(math.pi * share)
    )


class Meter:
    """Means and speed since the last report."""

    def __init__(self) -> None:
        self._reset()
        self._waiting_since = 0.0

    def begin_wait(self) -> None:
        """Start to wait for data."""
        self._waiting_since = time.perf_counter()

    def end_wait(self) -> None:
        """Stop waiting."""
        self._waited += time.perf_counter() - self._waiting_since

    def count(self, parts: dict[str, Tensor], norm: Tensor, frames: int) -> None:
        """Add one step's losses, gradient norm and number of frames."""
        for name, value in parts.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())
        self._norms += float(norm.detach())
        self._frames += frames
        self._steps += 1

    def event(self, now_s: float, step: int, rate: float, left: int) -> Step:
        """Return the means as an event and start anew; ``left`` steps are to come."""
        elapsed = max(1e-9, time.perf_counter() - self._since)
        steps = max(1, self._steps)
        means = {name: total / steps for name, total in self._sums.items()}
        made = Step(
            now_s,
            step,
            {"total": sum(means.values()), **means},
            rate,
            self._norms / steps,
            self._frames / elapsed,
            self._waited / elapsed,
            left * elapsed / steps,
        )
        self._reset()
        return made

    def _reset(self) -> None:
        self._sums: dict[str, float] = {}
        self._norms = self._waited = 0.0
        self._frames = self._steps = 0
        self._since = time.perf_counter()


def _export(model: CarlModel, config: TrainConfig, path: Path) -> Path:
    described = dataclasses.asdict(config.export)
    spec = spec_of(model.cpu().eval(), config_digest=config.digest, **described)
    return export_encoder(model, spec, path)


def _save(
    folder: Path,
    done: int,
    learner: Learner,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    events: EventWriter,
) -> None:
    path = save_checkpoint(
        folder, step=done, modules=learner, optimizer=optimizer, config=config, keep=config.run.keep
    )
    events.write(Checkpoint(events.now(), done, path.name))


def _optimizer(learner: Learner, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW; biases, norms and positions are not decayed."""
    trained = [one for one in learner.parameters() if one.requires_grad]
    groups = [
        {
            "params": [one for one in trained if one.ndim > 1],
            "weight_decay": config.optimizer.weight_decay,
        },
        {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.optimizer.rate)


def _device(config: TrainConfig) -> torch.device:
    if config.run.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("run.device = 'cuda', but torch sees no GPU here. Use 'auto' or 'cpu'.")
    if config.run.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(config.run.device)


def _named_checkpoint(name: str) -> Path:
    """Return the checkpoint a run starts from: a file, or the latest of a run folder."""
    path = Path(name)
    found = latest_checkpoint(path) if path.is_dir() else path
    if found is None:
        raise ConfigError(f"run.start_from = {name!r}: that folder holds no checkpoint.")
    return found


def _check_same_run(before: TrainConfig, now: TrainConfig, folder: Path) -> None:
    """Refuse to go on with other settings; length and reporting may change."""
    old, new = before.to_json(), now.to_json()
    for name in (
        "dir",
        "steps",
        "threads",
        "log_every",
        "evaluate_every",
        "checkpoint_every",
        "keep",
    ):
        old["run"].pop(name)
        new["run"].pop(name)
    changed = [
        f"{section}.{key}: {old[section][key]!r} -> {value!r}"
        for section, values in new.items()
        if section not in ("export", "evaluation")
        for key, value in values.items()
        if old[section][key] != value
    ]
    if changed:
        raise ConfigError(
            f"{folder} holds a run with other settings ({'; '.join(changed[:3])}). Choose another "
            "run.dir, or delete that folder."
        )


def _non_finite(
    folder: Path, batch: Batch, parts: dict[str, Tensor], norm: Tensor
) -> NonFiniteError:
    values = {name: float(value.detach()) for name, value in parts.items()}
    report = {
        "step": batch.step,
        "clips": list(batch.names),
        "losses": {name: str(value) for name, value in values.items()},
        "gradient_norm": str(float(norm)),
    }
    (folder / REPORT_NAME).write_text(json.dumps(report, indent=2) + "\n")
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    what = f"the loss {', '.join(bad)}" if bad else "the gradient"
    return NonFiniteError(
        f"In step {batch.step} {what} became non-finite. The batch held "
        f"{', '.join(batch.names)}; see {folder / REPORT_NAME}. Lower optimizer.rate, or set "
        "run.precision=float32."
    )


def _is_due(done: int, every: int, steps: int) -> bool:
    return done == steps or (every > 0 and done % every == 0)


def _line(event: Step, steps: int) -> str:
    return (
        f"step {event.step}/{steps}  {_table(event.losses)}  |g| {event.gradient_norm:.2f}  "
        f"{event.frames_per_s:.0f} frames/s  waits {event.data_share:.0%}  "
        f"{event.remaining_s / 60:.1f} min left"
    )


def _table(values: object) -> str:
    assert isinstance(values, dict)
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items())


def _reporter(console: Console) -> Callable[[Progress], None]:
    last_s = [0.0]

    def report(progress: Progress) -> None:
        now = time.monotonic()
        if now - last_s[0] > 5.0 or progress.done == progress.total:
            last_s[0] = now
            console.print(
                f"{progress.stage}: {progress.done:.0f}/{progress.total or 0:.0f} {progress.unit}",
                highlight=False,
            )

    return report


def run_cli(arguments: list[str] | None = None) -> int:
    """Read the command line, train, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--config", type=Path, help="TOML file, e.g. training/configs/smoke.toml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="settings"
    )
    parser.add_argument(
        "--export-only", action="store_true", help="export the run's last checkpoint and stop"
    )
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=console)]
    )
    try:
        config = load_config(options.config, options.settings)
        if options.export_only:
            print(export_latest(config))
            return 0
        outcome = main(config, console=console)
    except ConfigError as error:
        console.print(f"error: {error}", highlight=False, markup=False, soft_wrap=True)
        return EXIT_USAGE
    except MediaError as error:
        console.print(f"error: {error}", highlight=False, markup=False, soft_wrap=True)
        return EXIT_INPUT
    except CarlError as error:
        console.print(f"error: {error}", highlight=False, markup=False, soft_wrap=True)
        return EXIT_FAULT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if outcome.encoder is None:
        return EXIT_INTERRUPTED
    print(outcome.encoder)
    return 0


if __name__ == "__main__":
    # A parent process may have told us to ignore Ctrl-C, and stops us with SIGTERM.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run_cli())
