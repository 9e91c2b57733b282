"""Training from the window: the child, its events, curves, checkpoints, stop, export, faults."""

from __future__ import annotations

import gc
import logging
import sys
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QTableWidget

from app.actions import ActionId
from app.jobs import JobRunner
from app.models.engine import EngineHandle, engine_maker
from app.models.training import Look, TrainingStage, TrainingState
from app.presenters.training import TrainingPresenter
from app.trainer import TRAIN, TrainerProcess, training_config
from app.views.training_panel import TrainingPanel
from carl_core.runs import (
    Checkpoint,
    Evaluated,
    Event,
    EventWriter,
    Failed,
    Finished,
    Started,
    Step,
)
from tests.app.fakes import FakeEngine
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

Stage = TrainingStage
SCORE = "encoder_centred_median_percent"


class FakeProcess(QObject):
    """A trainer that says what the test wants it to."""

    event_received = Signal(object)
    ended = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self.started: list[list[str]] = []
        self.is_stopped = False

    def run(self, arguments: Sequence[str]) -> None:
        self.started.append(list(arguments))

    def stop(self) -> None:
        self.is_stopped = True

    def close(self) -> None: ...


@dataclass
class EncoderAt:
    path: Path
    provider: str = "CPUExecutionProvider"


class EngineWith:
    """Nothing but an encoder."""

    def __init__(self, path: Path) -> None:
        self.encoder = EncoderAt(path)


@dataclass
class Desk:
    presenter: TrainingPresenter
    process: FakeProcess
    engine: EngineHandle

    @property
    def state(self) -> TrainingState:
        return self.presenter.state

    def tell(self, *events: Event) -> None:
        """Write events where the child would."""
        assert self.state.run is not None
        with EventWriter(self.state.run) as writer:
            for event in events:
                writer.write(event)


@pytest.fixture
def desk(qtbot: QtBot, tmp_path: Path) -> Iterator[Desk]:
    jobs = JobRunner()
    process = FakeProcess()
    engine = EngineHandle(
        lambda: EngineWith(tmp_path / "encoder.onnx")  # type: ignore[arg-type, return-value]
    )
    panel = TrainingPanel()
    qtbot.addWidget(panel)
    presenter = TrainingPresenter(
        jobs,
        engine,
        process,  # type: ignore[arg-type]
        panel,
        tmp_path / "runs",
        is_installed=lambda: True,
    )
    yield Desk(presenter, process, engine)
    presenter.close()
    jobs.close()


def begin(desk: Desk, qtbot: QtBot, folder: Path) -> None:
    desk.presenter.choose_folder(folder)
    desk.presenter.start(100)
    qtbot.waitUntil(lambda: len(desk.process.started) > 0)


def step(number: int, loss: float) -> Step:
    return Step(0.0, number, {"total": loss}, 1e-3, 1.0, 2000.0, 0.01, 30.0)


def test_a_run_shows_its_loss_its_looks_and_its_checkpoints(
    desk: Desk, qtbot: QtBot, tmp_path: Path
) -> None:
    begin(desk, qtbot, tmp_path)
    arguments = desk.process.started[0]
    assert f"data.root={tmp_path}" in arguments
    assert f"model.weights={tmp_path / 'encoder.onnx'}" in arguments
    assert "--listen" in arguments
    desk.tell(
        Started(0.0, 0, 100, {}, "cpu"),
        Evaluated(0.0, 0, {SCORE: 9.0}),
        step(10, 1.5),
        step(20, 1.2),
        Evaluated(0.0, 20, {SCORE: 4.0}),
        Checkpoint(0.0, 20, "step-20.pt"),
        Evaluated(0.0, 40, {SCORE: 6.0}),
        Checkpoint(0.0, 40, "step-40.pt"),
    )
    qtbot.waitUntil(lambda: len(desk.state.checkpoints) == 2)
    assert desk.state.losses == ((10, 1.5), (20, 1.2))
    assert desk.state.before == Look(0, 9.0)
    assert desk.state.best == (Look(20, 4.0), "step-20.pt")
    assert "Step 20 of 100" in desk.state.progress
    desk.process.ended.emit(0, "")
    assert desk.state.stage is Stage.DONE
    assert "4.0 %, before 9.0 %" in desk.state.text


def test_stopping_keeps_the_best_and_can_go_on(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    begin(desk, qtbot, tmp_path)
    run = desk.state.run
    desk.tell(
        Started(0.0, 0, 100, {}, "cpu"),
        Evaluated(0.0, 20, {SCORE: 4.0}),
        Checkpoint(0.0, 20, "step-20.pt"),
        Checkpoint(0.0, 30, "step-30.pt"),
        Finished(0.0, 30, complete=False),
    )
    desk.presenter.stop()
    assert desk.process.is_stopped
    desk.process.ended.emit(130, "")
    assert desk.state.stage is Stage.EXPORTING
    assert desk.process.started[1][-3:] == ["--export-only", "--checkpoint", "step-20.pt"]
    desk.process.ended.emit(0, "")
    assert desk.state.stage is Stage.DONE
    assert run is not None
    assert desk.state.encoder == run / "encoder.onnx"
    assert desk.state.can_go_on
    desk.presenter.start(100)
    qtbot.waitUntil(lambda: len(desk.process.started) == 3)
    assert f"run.dir={run}" in desk.process.started[2]


def test_the_engine_is_let_go_before_the_child_starts(
    desk: Desk, qtbot: QtBot, tmp_path: Path
) -> None:
    first = desk.engine.get()
    begin(desk, qtbot, tmp_path)
    assert desk.engine.get() is not first


def test_nothing_else_holds_the_encoder_when_it_is_let_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its session is gone at once, not when garbage is collected: the GPU's memory with it."""
    caplog.set_level(logging.INFO, "carl")  # as in the program, where whoever keeps records may be
    handle = EngineHandle(engine_maker(make_tiny_encoder(tmp_path / "tiny.onnx")))
    video = make_video(tmp_path / "one.mp4", frames=40)
    engine = handle.get()
    recording = engine.open(video)
    engine.embed(recording)
    engine.align(recording, recording)
    sessions = engine.encoder._sessions._sessions  # type: ignore[attr-defined]
    session = weakref.ref(next(iter(sessions.values())))
    del engine, sessions
    gc.disable()
    try:
        handle.release()
        until = time.monotonic() + 5.0  # a thread of the decoder may be about to end
        while session() is not None and time.monotonic() < until:
            time.sleep(0.01)
        assert session() is None
    finally:
        gc.enable()


def test_what_the_child_says_of_its_end_is_shown(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    begin(desk, qtbot, tmp_path)
    desk.process.ended.emit(3, "noise\nerror: The folder holds no videos.\n")
    assert desk.state.stage is Stage.FAILED
    assert desk.state.text == "The folder holds no videos."
    desk.presenter.start(100)
    qtbot.waitUntil(lambda: len(desk.process.started) == 2)
    desk.tell(Failed(0.0, 3, "The loss became non-finite."))
    desk.process.ended.emit(1, "")
    assert desk.state.text == "The loss became non-finite."


def test_a_child_that_dies_is_a_message(qtbot: QtBot, tmp_path: Path) -> None:
    process = TrainerProcess(
        module=TRAIN, program=[sys.executable, "-c", "import os; os.abort()", "--"]
    )
    with qtbot.waitSignal(process.ended, timeout=20_000) as ended:
        process.run(["--listen"])
    assert ended.args[0] != 0
    process.close()


def test_without_the_training_part_it_says_how_to_get_it(qtbot: QtBot, tmp_path: Path) -> None:
    jobs = JobRunner()
    panel = TrainingPanel()
    qtbot.addWidget(panel)
    presenter = TrainingPresenter(
        jobs,
        EngineHandle(FakeEngine),  # type: ignore[arg-type]
        FakeProcess(),  # type: ignore[arg-type]
        panel,
        tmp_path,
        is_installed=lambda: False,
    )
    assert presenter.state.stage is Stage.MISSING
    label = panel.findChild(QLabel, "training-text")
    assert isinstance(label, QLabel)
    assert "--extra train" in label.text()
    jobs.close()


def test_the_panel_offers_what_goes_with_each_stage(qtbot: QtBot, tmp_path: Path) -> None:
    panel = TrainingPanel()
    qtbot.addWidget(panel)
    panel.show()

    def button(name: str) -> QPushButton:
        found = panel.findChild(QPushButton, f"training-{name}")
        assert isinstance(found, QPushButton)
        return found

    assert not button("start").isEnabled()
    panel.set_training(TrainingState(Stage.READY, folder=tmp_path))
    assert button("start").isEnabled()
    looks = (Look(0, 9.0), Look(20, 4.0))
    state = TrainingState(
        Stage.DONE, tmp_path, tmp_path, losses=((1, 2.0),), looks=looks,
        checkpoints=((20, "step-20.pt"), (40, "step-40.pt")), encoder=tmp_path / "encoder.onnx",
    )  # fmt: skip
    panel.set_training(state)
    assert button("start").text() == "Go on"
    table = panel.findChild(QTableWidget, "training-checkpoints")
    assert isinstance(table, QTableWidget)
    assert table.item(0, 1).text() == "4.0  best"
    table.selectRow(1)
    with qtbot.waitSignal(panel.export_wanted, check_params_cb=lambda name: name == "step-40.pt"):
        button("export").click()
    with qtbot.waitSignal(panel.use_wanted):
        button("use").click()


def test_the_command_opens_the_panel(make_program: Callable[..., Program]) -> None:
    program = make_program()
    program.actions[ActionId.TRAIN].trigger()
    assert program.window.training.isVisible()


@pytest.mark.torch
@pytest.mark.slow
def test_a_real_run_trains_stops_and_exports(
    qtbot: QtBot, tmp_path: Path, videos: list[Path]
) -> None:
    pytest.importorskip("torch")
    from carl_core.assets import asset_path
    from carl_core.encoder.onnx import load_encoder

    assert training_config("your_videos") is not None
    engine = EngineWith(asset_path("encoder.onnx"))
    jobs = JobRunner()
    process = TrainerProcess(module=TRAIN)
    panel = TrainingPanel()
    qtbot.addWidget(panel)
    presenter = TrainingPresenter(
        jobs,
        EngineHandle(lambda: engine),  # type: ignore[arg-type, return-value]
        process,
        panel,
        tmp_path / "runs",
        more_settings=(
            "data.simulated_actions=2", "data.simulated_views=2", "data.looks=1",
            "data.batch_clips=2", "evaluation.actions=1", "run.evaluate_every=2",
            "run.checkpoint_every=2", "run.log_every=1", "run.device=cpu", "data.max_fps=5",
        ),
    )  # fmt: skip
    try:
        presenter.choose_folder(videos[0].parent)
        presenter.start(100_000)
        qtbot.waitUntil(
            lambda: len(presenter.state.checkpoints) > 1 or not presenter.state.stage.is_running,
            timeout=200_000,
        )
        assert presenter.state.stage is Stage.RUNNING, presenter.state
        presenter.stop()
        qtbot.waitUntil(lambda: not presenter.state.stage.is_running, timeout=100_000)
        assert presenter.state.stage is Stage.DONE, presenter.state
        assert presenter.state.encoder is not None
        assert load_encoder(presenter.state.encoder).spec.name == "mine"
        assert presenter.state.can_go_on
    finally:
        presenter.close()
        jobs.close()
