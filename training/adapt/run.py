"""From recordings and an encoder to an adapted encoder, or the finding that it is not better."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from carl_core.encoder.onnx import load_encoder
from carl_core.errors import Cancelled, ExportError, MediaError, ModelError
from carl_core.progress import Monitor
from carl_core.runs import Exported, Finished, Judged, Progressed, Started
from carl_core.video.recording import open_recording
from training.adapt.judge import Verdict, copies_of, errors_of, verdict_of
from training.adapt.material import HELD_LOOKS, LEAST_SAMPLES, read_material
from training.adapt.tune import config_for, learner_from, tuned
from training.evaluation.heads import head_embedder
from training.export import export_encoder, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from carl_core.encoder.onnx import Encoder
    from carl_core.progress import Progress
    from carl_core.runs import Event
    from carl_core.video.recording import Recording
    from training.config import TrainConfig
    from training.learner import Learner

_SUFFIX = " (adapted)"


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and with what draws.

    Attributes
    ----------
    steps : at most; it ends earlier when nothing is gained
    looks : augmented versions of the recordings that are learned from
    seed : of everything random
    threads : of torch and of the trunk, 0 = their own choice
    """

    steps: int = 150
    looks: int = 4
    seed: int = 1
    threads: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.looks < 2 or self.threads < 0:
            raise ValueError("steps must be at least 1, looks at least 2, threads not negative")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes
    ----------
    encoder : the file written, None when the old encoder stays
    verdict : on the part held back; None when it was stopped before anything was learned
    is_stopped : whether it was asked to stop
    """

    encoder: Path | None
    verdict: Verdict | None
    is_stopped: bool


def adapt(
    files: Sequence[Path],
    model: Path,
    output: Path,
    settings: Settings,
    *,
    tell: Callable[[Event], None],
    is_stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Adapt the head of an encoder to recordings; write ``output`` only if it is better.

    1. Read the recordings; run the trunk once over several looks of them.
    2. Train the head on what is not held back; choose its best state by one look of what is.
    3. Compare it with the old head on the other looks of what is held back.
    4. If it is better by more than chance, join it to the old trunk and write one encoder file,
       with the head's state beside it.

    Parameters
    ----------
    files : recordings, one or more
    model : encoder file, its head's state beside it; never changed
    output : where the new file goes, ends in .onnx
    settings : see there
    tell : receives the events, on this thread
    is_stopped : asked often; True ends learning, and what is best so far is judged and kept

    Raises
    ------
    MediaError
        When a recording cannot be read, or none is long enough to hold a part back.
    ModelError
        When the encoder cannot be adapted.
    ExportError
        When the new file cannot be written.
    """
    _check_output(output, model)
    encoder = load_encoder(model, device="cpu", threads=settings.threads or None)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    config = config_for(
        encoder,
        steps=settings.steps,
        looks=settings.looks,
        seed=settings.seed,
        threads=settings.threads,
    )
    learner = learner_from(encoder, config)
    tell(Started(time.time(), 0, settings.steps, _described(config, encoder), "cpu"))
    monitor = _stopping_monitor(tell, is_stopped)
    try:
        recordings = _opened(files, encoder, monitor)
        material = read_material(
            recordings,
            encoder,
            config.augment,
            looks=settings.looks,
            seed=settings.seed,
            monitor=monitor,
        )
    except Cancelled:
        tell(Finished(time.time(), 0, complete=False))
        return Outcome(None, None, is_stopped=True)
    fps = encoder.spec.sample_fps
    choosing = copies_of(material.held, [0], fps=fps, seed=settings.seed)
    deciding = copies_of(material.held, range(1, HELD_LOOKS), fps=fps, seed=settings.seed)
    if not choosing or len(deciding) < 2 or not material.sources:
        raise MediaError(_too_short(encoder), path=files[0])

    embed = head_embedder(learner.carl.head, encoder.spec)
    before = errors_of(embed, deciding)
    is_new = tuned(learner, encoder, config, material.sources, choosing, tell, is_stopped)
    verdict = verdict_of(before, errors_of(embed, deciding) if is_new else before)
    reason = verdict.sentence() if is_new else _nothing_gained(verdict)
    tell(
        Judged(time.time(), verdict.before, verdict.after, verdict.noise, verdict.is_better, reason)
    )
    path: Path | None = None
    if verdict.is_better:
        tell(Progressed(time.time(), "writing the encoder", 0, 1, "files", 0.0, math.nan))
        path = _export(learner, encoder, config, output, len(recordings), material.samples)
        tell(Exported(time.time(), settings.steps, str(path)))
    stopped = is_stopped()
    tell(Finished(time.time(), settings.steps, complete=not stopped))
    return Outcome(path, verdict, stopped)


def _check_output(output: Path, model: Path) -> None:
    """Find out before the work whether the file can be written where it is wanted."""
    if output.exists() and model.exists() and output.samefile(model):
        raise ExportError(
            f"{output} is the encoder to adapt, which is never overwritten. Give -o another name."
        )
    if output.is_dir():
        raise ExportError(f"{output} is a folder. Give -o the name of a file that ends in .onnx.")
    probe = output.with_name(f"{output.name}.probe")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as exc:
        raise ExportError(
            f"Nothing can be written to {output.parent}: {exc.strerror or exc}. Choose another "
            "place with -o."
        ) from exc


def _opened(files: Sequence[Path], encoder: Encoder, monitor: Monitor) -> list[Recording]:
    """Open recordings, each content once. Raises ``MediaError`` when all are too short."""
    found: dict[str, Recording] = {}
    for file in files:
        monitor.check()
        recording = open_recording(file)
        found.setdefault(recording.fingerprint, recording)
    least_s = LEAST_SAMPLES / encoder.spec.sample_fps
    if not any(one.index.duration_s >= least_s for one in found.values()):
        raise MediaError(_too_short(encoder), path=files[0])
    return list(found.values())


def _too_short(encoder: Encoder) -> str:
    seconds = LEAST_SAMPLES / encoder.spec.sample_fps
    return (
        f"The recordings are too short to learn from: at least one must last {seconds:.1f} s, so "
        "that a part of it can be held back for the comparison. Add a longer recording."
    )


def _nothing_gained(verdict: Verdict) -> str:
    return (
        "Learning gained nothing on the part held back: the old encoder's error is "
        f"{verdict.before:.1f} %, and no state of the new one was below its own."
    )


def _stopping_monitor(tell: Callable[[Event], None], is_stopped: Callable[[], bool]) -> Monitor:
    """Return a monitor that tells what it counts, and is cancelled when a stop is asked for."""

    def report(progress: Progress) -> None:
        total = math.nan if progress.total is None else progress.total
        left = math.nan if progress.remaining_s is None else progress.remaining_s
        tell(
            Progressed(
                time.time(),
                progress.stage,
                progress.done,
                total,
                progress.unit,
                progress.rate,
                left,
            )
        )
        if is_stopped():
            monitor.cancel()

    monitor = Monitor(report, interval_s=0.25)
    return monitor


def _described(config: TrainConfig, encoder: Encoder) -> dict[str, object]:
    """Return the settings without the place of the encoder on this machine."""
    return _portable(config, encoder).to_json()


def _portable(config: TrainConfig, encoder: Encoder) -> TrainConfig:
    return dataclasses.replace(
        config, model=dataclasses.replace(config.model, weights=encoder.model_id)
    )


def _export(
    learner: Learner,
    encoder: Encoder,
    config: TrainConfig,
    output: Path,
    recordings: int,
    samples: int,
) -> Path:
    old = encoder.spec
    carl = learner.carl.eval()
    spec = spec_of(
        carl,
        name=old.name.removesuffix(_SUFFIX) + _SUFFIX,
        sample_fps=old.sample_fps,
        window_frames=old.window_frames,
        overlap_frames=old.overlap_frames,
        config_digest=_portable(config, encoder).digest,
        licence=old.licence,
        data=f"{old.data} Head adapted to {samples} samples of {recordings} recording(s).",
    )
    # What lies beside the file says how the head is built, not where its trunk lay.
    carl.config = dataclasses.replace(carl.config, weights="")
    try:
        return export_encoder(carl, spec, output)
    except ModelError as exc:
        raise ExportError(f"{exc} The old encoder stays in use.") from exc
