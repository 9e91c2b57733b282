"""Adapts the encoder to the open recordings, in a process of its own; asks before it is used."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal

from app.models.adaptation import AdaptationStage, AdaptationState
from app.resources.text import format_left
from app.trainer import CRASHED, INSTALL_COMMAND, TrainerProcess, has_training
from carl_core.runs import Evaluated, Exported, Failed, Judged, Progressed, Started, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.jobs import Job, JobRunner
    from app.models.engine import EngineHandle
    from app.models.session import SessionModel

Stage = AdaptationStage
# What the program leaves with, see training/adapt/__main__.py.
_BETTER, _NOT_BETTER, _INTERRUPTED = 0, 4, 130


class AdaptationView(Protocol):
    """The panel, as this presenter sees it."""

    def set_adaptation(self, state: AdaptationState) -> None:
        """Show how far it is."""
        ...


class AdaptationPresenter(QObject):
    """Runs one adaptation at a time.

    Signals
    -------
    encoder_chosen(Path) : the user wants this encoder in use
    """

    encoder_chosen = Signal(object)

    def __init__(
        self,
        session: SessionModel,
        jobs: JobRunner,
        engine: EngineHandle,
        process: TrainerProcess,
        view: AdaptationView,
        parent: QObject | None = None,
        *,
        is_installed: Callable[[], bool] = has_training,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._engine = engine
        self._process = process
        self._view = view
        self._is_installed = is_installed
        self._steps = 0
        self._failure = ""
        self._files: list[Path] = []
        self._model: Path | None = None  # that is being adapted
        self._made: Path | None = None
        self.state = AdaptationState(Stage.READY)
        session.recordings_changed.connect(self.refresh)
        process.event_received.connect(self._on_event)
        process.ended.connect(self._on_ended)

    def refresh(self) -> None:
        """Say what could be done now, unless something is running or has just been found."""
        count = len(self._session.entries)
        if not self._is_installed():
            self._show(
                AdaptationState(
                    Stage.MISSING,
                    self.tr(
                        "Adapting needs the training part of the program, which is not installed. "
                        "Install it with this command in the program's folder, then start CARL "
                        "again:"
                    ),
                    can_start=False,
                    command=INSTALL_COMMAND,
                )
            )
        elif self.state.stage in (Stage.READY, Stage.MISSING):
            self._show(AdaptationState(Stage.READY, self._offer(count), can_start=count > 0))
        else:
            self._show(replace(self.state, can_start=count > 0))

    def start(self) -> None:
        """Begin, with the recordings that are open now."""
        if self.state.stage.is_running or not self._session.entries or not self._is_installed():
            return
        self._files = [Path(entry.recording.path) for entry in self._session.entries]
        self._steps, self._failure, self._made = 0, "", None
        text = self.tr("Learning from {n} recordings.").format(n=len(self._files))
        self._show(AdaptationState(Stage.RUNNING, text, self.tr("Starting…")))
        self._jobs.submit(
            self._places, key="adaptation", done=self._launch, failed=self._on_no_place
        )

    def stop(self) -> None:
        """End learning; the best so far is judged and kept."""
        if self.state.stage is Stage.RUNNING:
            self._show(
                replace(
                    self.state,
                    stage=Stage.STOPPING,
                    progress=self.tr("Stopping and comparing the best so far…"),
                    fraction=None,
                )
            )
            self._process.stop()

    def use(self) -> None:
        """Take the adapted encoder into use: the user said so."""
        if self.state.stage is Stage.BETTER and self._made is not None:
            self.encoder_chosen.emit(self._made)
            text = self.tr(
                "The adapted encoder is in use until CARL is closed. This command starts with it "
                "again:"
            )
            command = f"carl-gui --model {shlex.quote(str(self._made))}"
            self._show(replace(self.state, stage=Stage.USED, text=text, command=command))

    def go_back(self) -> None:
        """Take the encoder from before into use again."""
        if self.state.stage is Stage.USED and self._model is not None:
            self.encoder_chosen.emit(self._model)
            self.dismiss()

    def dismiss(self) -> None:
        """Put the result away; the file stays, and so does the encoder in use."""
        if not self.state.stage.is_running:
            self.state = AdaptationState(Stage.READY)
            self.refresh()

    def close(self) -> None:
        """End what is running."""
        self._process.close()

    # Running -----------------------------------------------------------------------------------

    def _places(self, job: Job[tuple[Path, Path]]) -> tuple[Path, Path]:
        """Return the encoder in use and the place of the new one; on a worker's thread."""
        # heavy: ONNX Runtime comes along
        from carl_core.cli.models import models_folder

        stem = re.sub(r"[^\w-]+", "-", self._files[0].stem).strip("-")[:40] or "recordings"
        folder, number = models_folder(), 1
        target = folder / f"adapted-{stem}.onnx"
        while target.exists():
            number += 1
            target = folder / f"adapted-{stem}-{number}.onnx"
        path = Path(self._engine.get().encoder.path)
        self._engine.release()  # the child needs the GPU's memory
        return path, target

    def _launch(self, places: tuple[Path, Path]) -> None:
        self._model, output = places
        self._process.start(self._files, self._model, output)
        if self.state.stage is Stage.STOPPING:
            self._process.stop()

    def _on_no_place(self, error: Exception) -> None:
        self._show(AdaptationState(Stage.FAILED, str(error)))

    def _on_event(self, event: object) -> None:
        if isinstance(event, Started):
            self._steps = event.steps
        elif isinstance(event, Progressed) and self.state.stage is Stage.RUNNING:
            self._show_progressed(event)
        elif isinstance(event, Step) and self.state.stage is Stage.RUNNING:
            speed = event.frames_per_s
            said = [
                self.tr("Learning: step {done} of at most {all}").format(
                    done=event.step, all=self._steps
                ),
                self.tr("{rate} frames/s").format(rate=f"{speed:,.0f}"),
                format_left(event.remaining_s),
            ]
            share = event.step / self._steps if self._steps else None
            progress = " · ".join(part for part in said if part)
            self._show(replace(self.state, progress=progress, fraction=share))
        elif isinstance(event, Evaluated):
            self._show_error(event.scores.get("held_back_percent", math.nan), event.step)
        elif isinstance(event, Judged):
            self._show(
                replace(self.state, text=event.reason, before=event.before, after=event.after)
            )
        elif isinstance(event, Exported):
            self._made = Path(event.path)
        elif isinstance(event, Failed):
            self._failure = event.message

    def _show_progressed(self, event: Progressed) -> None:
        is_known = math.isfinite(event.total) and event.total > 1
        said = [f"{event.stage[:1].upper()}{event.stage[1:]}"]
        if is_known:
            said[0] += f": {event.done:,.0f} / {event.total:,.0f}"
            said.append(f"{event.rate:,.0f}/s" if event.rate >= 1 else "")
            said.append(format_left(event.remaining_s))
        share = event.done / event.total if is_known else None
        progress = " · ".join(part for part in said if part)
        self._show(replace(self.state, progress=progress, fraction=share))

    def _show_error(self, percent: float, step: int) -> None:
        if not self.state.stage.is_running or not math.isfinite(percent):
            return
        if step == 0:
            self._show(replace(self.state, before=percent))
        elif self.state.after is None or percent < self.state.after:
            self._show(replace(self.state, after=percent))

    def _on_ended(self, code: int, said: str) -> None:
        state = self.state
        if code == _BETTER and self._made is not None:
            self._show(replace(state, stage=Stage.BETTER, progress="", fraction=None))
        elif code == _NOT_BETTER:
            advice = self.tr("More or longer recordings of the action may help.")
            text = f"{state.text} {advice}"
            self._show(replace(state, stage=Stage.SAME, text=text, progress="", fraction=None))
        elif code == _INTERRUPTED:
            text = self.tr("Stopped before anything was learned. The encoder is as it was.")
            self._show(AdaptationState(Stage.SAME, text))
        else:
            text = self._failure or self.tr(
                "The adaptation ended unexpectedly{code}. Your recordings and the encoder in use "
                "are untouched; try again, and if it happens again, report the details."
            ).format(code="" if code == CRASHED else f" ({code})")
            self._show(AdaptationState(Stage.FAILED, text, details=said))
        self.refresh()

    def _offer(self, count: int) -> str:
        if not count:
            return self.tr("Open the recordings to adapt to first.")
        return self.tr(
            "The encoder learns from the open recordings which of their moments are the same: no "
            "labels, a minute or two. A part of them is held back to compare old and new, and "
            "nothing changes before you say so."
        )

    def _show(self, state: AdaptationState) -> None:
        self.state = state
        self._view.set_adaptation(state)
