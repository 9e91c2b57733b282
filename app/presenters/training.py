"""Trains an encoder on a folder of videos, in a process of its own; follows its events."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from app.models.training import Look, TrainingStage, TrainingState
from app.resources.text import format_left
from app.trainer import CRASHED, INSTALL_COMMAND, TrainerProcess, has_training, training_config
from carl_core.errors import StoreError
from carl_core.runs import Checkpoint, Evaluated, EventTail, Exported, Failed, Started, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.jobs import Job, JobRunner
    from app.models.engine import EngineHandle

Stage = TrainingStage
LOOK_MS = 300
CONFIG = "your_videos"
_SCORE = "encoder_centred_median_percent"
_DONE, _INTERRUPTED = 0, 130  # what training.train leaves with


class TrainingView(Protocol):
    """The panel, as this presenter sees it."""

    def set_training(self, state: TrainingState) -> None:
        """Show how far it is."""
        ...


class TrainingPresenter(QObject):
    """Runs one training at a time; a run that was stopped goes on where it was.

    Parameters
    ----------
    runs : folder under which each run has a folder of its own
    more_settings : further ``section.key=value``, over those of the configuration

    Signals
    -------
    encoder_chosen(Path) : the user wants this encoder in use
    """

    encoder_chosen = Signal(object)

    def __init__(
        self,
        jobs: JobRunner,
        engine: EngineHandle,
        process: TrainerProcess,
        view: TrainingView,
        runs: Path,
        parent: QObject | None = None,
        *,
        is_installed: Callable[[], bool] = has_training,
        more_settings: tuple[str, ...] = (),
    ) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._engine = engine
        self._process = process
        self._view = view
        self._runs = runs
        self._is_installed = is_installed
        self._more = more_settings
        self._settings: list[str] = []
        self._steps = 0
        self._failure = ""
        self._tail: EventTail | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._read)
        process.ended.connect(self._on_ended)
        self.state = TrainingState(Stage.READY)
        self.refresh()

    def refresh(self) -> None:
        """Say what could be done now."""
        if self.state.stage.is_running:
            return
        if not self._is_installed():
            text = self.tr(
                "Training needs the training part of the program, which is not installed. Install "
                "it with “{command}” in the program's folder, then start CARL again."
            ).format(command=INSTALL_COMMAND)
            self._show(TrainingState(Stage.MISSING, text=text))
        elif self.state.stage in (Stage.READY, Stage.MISSING):
            self._show(replace(self.state, stage=Stage.READY, text=self._offer()))

    def choose_folder(self, folder: Path) -> None:
        """Learn from the videos of this folder."""
        if not self.state.stage.is_running:
            self._show(TrainingState(Stage.READY, folder=folder, text=self._offer()))

    def start(self, steps: int) -> None:
        """Begin a run of ``steps`` steps, or go on with the one that was stopped."""
        state = self.state
        if state.stage.is_running or state.folder is None or not self._is_installed():
            return
        if not state.can_go_on:
            state = replace(
                state,
                run=self._new_run(state.folder),
                losses=(),
                looks=(),
                checkpoints=(),
                is_complete=False,
            )
        self._steps, self._failure = steps, ""
        self._show(
            replace(
                state,
                stage=Stage.RUNNING,
                text=self.tr("Learning from the videos in {name}.").format(
                    name=self._folder_name()
                ),
                progress=self.tr("Starting: the videos are read first…"),
                fraction=None,
                encoder=None,
                details="",
            )
        )
        self._jobs.submit(self._model, key="training", done=self._launch, failed=self._on_no_model)

    def stop(self) -> None:
        """End after the step it is in; the best checkpoint can then be exported."""
        if self.state.stage is Stage.RUNNING:
            self._show(
                replace(
                    self.state,
                    stage=Stage.STOPPING,
                    progress=self.tr("Stopping after this step…"),
                    fraction=None,
                )
            )
            self._process.stop()

    def export(self, checkpoint: str = "") -> None:
        """Make an encoder of a checkpoint; "" = of the best."""
        best = self.state.best
        names = [name for _, name in self.state.checkpoints]
        name = checkpoint or (best[1] if best is not None else names[-1] if names else "")
        config = training_config(CONFIG)
        if self.state.stage.is_running or name not in names or config is None:
            return
        self._show(
            replace(
                self.state,
                stage=Stage.EXPORTING,
                progress=self.tr("Writing the encoder of {name}…").format(name=name),
                fraction=None,
            )
        )
        self._process.run([*self._arguments(config), "--export-only", "--checkpoint", name])

    def use(self) -> None:
        """Take the exported encoder into use: the user said so."""
        if self.state.stage is Stage.DONE and self.state.encoder is not None:
            self.encoder_chosen.emit(self.state.encoder)

    def close(self) -> None:
        """End what is running; its last checkpoint stays."""
        self._timer.stop()
        self._process.close()

    # Running -----------------------------------------------------------------------------------

    def _new_run(self, folder: Path) -> Path:
        stem = re.sub(r"[^\w-]+", "-", folder.name).strip("-")[:40] or "videos"
        return self._runs / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}"

    def _folder_name(self) -> str:
        return self.state.folder.name if self.state.folder is not None else ""

    def _model(self, _job: Job[Path]) -> Path:
        """Return the encoder in use; on a worker's thread."""
        path = Path(self._engine.get().encoder.path)
        self._engine.release()  # the child needs the GPU's memory
        return path

    def _launch(self, model: Path) -> None:
        config, run = training_config(CONFIG), self.state.run
        if config is None or run is None:
            self._on_no_model(FileNotFoundError(f"{CONFIG}.toml"))
            return
        self._settings = [
            f"model.weights={model}",
            f"data.root={self.state.folder}",
            f"run.dir={run}",
            f"run.steps={self._steps}",
            *self._more,
        ]
        self._tail = EventTail(run)
        self._timer.start()
        self._process.run([*self._arguments(config), "--listen"])
        if self.state.stage is Stage.STOPPING:
            self._process.stop()

    def _arguments(self, config: Path) -> list[str]:
        return ["--config", str(config), *(p for s in self._settings for p in ("--set", s))]

    def _on_no_model(self, error: Exception) -> None:
        self._show(replace(self.state, stage=Stage.FAILED, text=str(error), progress=""))

    def _read(self) -> None:
        if self._tail is None:
            return
        try:
            events = self._tail.new_events()
        except (StoreError, OSError) as error:
            self._timer.stop()
            self._show(replace(self.state, details=str(error)))
            return
        state = self.state
        for event in events:
            state = self._told(state, event)
        if events:
            self._show(state)

    def _told(self, state: TrainingState, event: object) -> TrainingState:
        if isinstance(event, Started):
            self._steps = event.steps
        elif isinstance(event, Step):
            losses = (
                *(p for p in state.losses if p[0] < event.step),
                (
                    event.step,
                    event.losses["total"],
                ),
            )
            state = replace(state, losses=tuple(losses))
            if state.stage is Stage.RUNNING:
                said = [
                    self.tr("Step {done} of {all}").format(done=event.step, all=self._steps),
                    self.tr("{rate} frames/s").format(rate=f"{event.frames_per_s:,.0f}"),
                    format_left(event.remaining_s),
                ]
                share = event.step / self._steps if self._steps else None
                progress = " · ".join(part for part in said if part)
                state = replace(state, progress=progress, fraction=share)
        elif isinstance(event, Evaluated):
            percent = event.scores.get(_SCORE, math.nan)
            if math.isfinite(percent):
                kept = tuple(look for look in state.looks if look.step < event.step)
                state = replace(state, looks=(*kept, Look(event.step, percent)))
        elif isinstance(event, Checkpoint):
            kept_names = tuple(c for c in state.checkpoints if c[0] < event.step)
            state = replace(state, checkpoints=(*kept_names, (event.step, event.path)))
        elif isinstance(event, Exported) and state.run is not None:
            state = replace(state, encoder=state.run / event.path)
        elif isinstance(event, Failed):
            self._failure = event.message
        return state

    def _on_ended(self, code: int, said: str) -> None:
        self._read()
        self._timer.stop()
        state = replace(self.state, progress="", fraction=None)
        if state.stage is Stage.EXPORTING and code == _DONE and state.run is not None:
            written = self.tr("The encoder is written; the one in use is as it was.")
            text = f"{self._judged(state)} {written}".strip()
            self._show(
                replace(state, stage=Stage.DONE, text=text, encoder=state.run / "encoder.onnx")
            )
        elif code == _DONE:
            text = self.tr("Trained to the last step. {judged}").format(judged=self._judged(state))
            self._show(replace(state, stage=Stage.DONE, text=text, is_complete=True))
        elif code == _INTERRUPTED and state.checkpoints:
            text = self.tr("Stopped. {judged} It can go on from here.").format(
                judged=self._judged(state)
            )
            self._show(replace(state, stage=Stage.READY, text=text))
            self.export()  # the best so far is kept as an encoder
        elif code == _INTERRUPTED:
            text = self.tr("Stopped before there was a state to keep.")
            self._show(replace(state, stage=Stage.READY, text=text))
        else:
            unknown = self.tr(
                "The training ended unexpectedly{code}. Recordings, projects and the encoder in "
                "use are untouched, and its last checkpoint stays. Try again, and if it happens "
                "again, report the details."
            ).format(code="" if code == CRASHED else f" ({code})")
            text = self._failure or _last_line(said) or unknown
            self._show(replace(state, stage=Stage.FAILED, text=text, details=said))

    def _judged(self, state: TrainingState) -> str:
        best, before = state.best, state.before
        if best is None or before is None:
            return ""
        look = best[0]
        text = self.tr("Best at step {step}: error {after} %, before {before} %.")
        if look.percent >= before.percent:
            text = self.tr(
                "Nothing was gained on the held-out actions: {after} % at best (step {step}), "
                "before {before} %."
            )
        return text.format(
            step=look.step, after=f"{look.percent:.1f}", before=f"{before.percent:.1f}"
        )

    def _offer(self) -> str:
        return self.tr(
            "Trains a head of your own on the trunk of the encoder in use, from a folder of "
            "videos: no labels, no pairs. Nothing changes before you say so."
        )

    def _show(self, state: TrainingState) -> None:
        self.state = state
        self._view.set_training(state)


def _last_line(said: str) -> str:
    """Return what the child gave as its reason, without its "error:"."""
    lines = [line.strip() for line in said.splitlines() if line.strip().startswith("error: ")]
    return lines[-1].removeprefix("error: ") if lines else ""
