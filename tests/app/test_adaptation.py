"""Adapting in the window: the child process, what the panel shows, and that it asks before use."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPushButton

from app.actions import ActionId
from app.jobs import JobRunner
from app.models.adaptation import AdaptationStage, AdaptationState
from app.models.engine import EngineHandle
from app.models.session import SessionModel, Stage
from app.presenters.adaptation import AdaptationPresenter
from app.trainer import CRASHED, INSTALL_COMMAND, TrainerProcess
from app.views.adaptation_panel import AdaptationPanel
from carl_core.runs import (
    Evaluated,
    Event,
    Exported,
    Failed,
    Judged,
    Progressed,
    Started,
    Step,
    event_to_json,
)
from tests.app.conftest import wait_settled
from tests.app.fakes import FakeEngine
from tests.helpers.recordings import fake_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

BETTER = Judged(0.0, 6.4, 4.9, 0.3, True, "It is better.")
SAME = Judged(0.0, 6.4, 6.3, 0.3, False, "It is not better.")


class FakeProcess(QObject):
    """A trainer that says what the test wants it to."""

    event_received = Signal(object)
    ended = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self.started: list[tuple[list[Path], Path, Path]] = []
        self.is_stopped = False

    def start(self, files: Sequence[Path], model: Path, output: Path) -> None:
        self.started.append((list(files), model, output))

    def stop(self) -> None:
        self.is_stopped = True

    def close(self) -> None: ...


@dataclass
class Recorded:
    states: list[AdaptationState] = field(default_factory=list)

    def set_adaptation(self, state: AdaptationState) -> None:
        self.states.append(state)


@dataclass
class EncoderAt:
    path: Path
    provider: str = "CPUExecutionProvider"


@dataclass
class EngineAt(FakeEngine):
    path: Path = Path("old.onnx")

    @property
    def encoder(self) -> EncoderAt:  # type: ignore[override]
        return EncoderAt(self.path)


@dataclass
class Bench:
    presenter: AdaptationPresenter
    process: FakeProcess
    view: Recorded
    session: SessionModel
    chosen: list[Path]

    def say(self, *events: Event) -> None:
        for event in events:
            self.process.event_received.emit(event)


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("CARL_MODELS", str(tmp_path / "models"))
    session, jobs, process, view = SessionModel(), JobRunner(), FakeProcess(), Recorded()
    presenter = AdaptationPresenter(
        session,
        jobs,
        EngineHandle(EngineAt),  # type: ignore[arg-type]
        process,  # type: ignore[arg-type]
        view,
        is_installed=lambda: True,
    )
    chosen: list[Path] = []
    presenter.encoder_chosen.connect(chosen.append)
    yield Bench(presenter, process, view, session, chosen)
    jobs.close()


def begin(bench: Bench, qtbot: QtBot) -> Path:
    """Start with one recording; return where the new encoder is to lie."""
    bench.session.add(fake_recording("one", 50))
    bench.presenter.start()
    qtbot.waitUntil(lambda: bool(bench.process.started))
    return bench.process.started[0][2]


def test_without_recordings_nothing_can_be_started(bench: Bench) -> None:
    bench.presenter.refresh()
    assert not bench.view.states[-1].can_start
    bench.presenter.start()
    assert not bench.process.started


def test_the_encoder_in_use_is_adapted_to_the_open_recordings(
    bench: Bench, qtbot: QtBot, tmp_path: Path
) -> None:
    output = begin(bench, qtbot)
    files, model, _ = bench.process.started[0]
    assert files == [Path(e.recording.path) for e in bench.session.entries]
    assert model == Path("old.onnx")
    assert output.parent == tmp_path / "models"
    assert output.suffix == ".onnx"


def test_progress_tells_rate_and_time_left(bench: Bench, qtbot: QtBot) -> None:
    begin(bench, qtbot)
    bench.say(
        Started(0.0, 0, 150, {}, "cpu"),
        Progressed(0.0, "reading recordings", 500.0, 2000.0, "pictures", 250.0, 6.0),
    )
    state = bench.view.states[-1]
    assert state.progress == "Reading recordings: 500 / 2,000 · 250/s · 0:06 left"
    assert state.fraction == 0.25
    bench.say(
        Evaluated(0.0, 0, {"held_back_percent": 6.0}),
        Step(0.0, 75, {"total": 1.0}, 1e-4, 1.0, 8000.0, 0.0, 8.0),
        Evaluated(0.0, 75, {"held_back_percent": 5.0}),
        Evaluated(0.0, 100, {"held_back_percent": 5.5}),
    )
    state = bench.view.states[-1]
    assert state.fraction == 0.5
    assert "step 75 of at most 150" in state.progress
    assert "0:08 left" in state.progress
    assert (state.before, state.after) == (6.0, 5.0)  # the best so far


def test_a_better_encoder_is_used_only_when_the_user_says_so(bench: Bench, qtbot: QtBot) -> None:
    output = begin(bench, qtbot)
    bench.say(BETTER, Exported(0.0, 150, str(output)))
    bench.process.ended.emit(0, "")
    state = bench.view.states[-1]
    assert state.stage is AdaptationStage.BETTER
    assert (state.before, state.after, state.text) == (6.4, 4.9, "It is better.")
    assert not bench.chosen
    bench.presenter.use()
    assert bench.chosen == [output]
    assert str(output) in bench.view.states[-1].command
    bench.presenter.go_back()
    assert bench.chosen == [output, Path("old.onnx")]
    assert bench.view.states[-1].stage is AdaptationStage.READY


def test_keeping_the_old_encoder_changes_nothing(bench: Bench, qtbot: QtBot) -> None:
    output = begin(bench, qtbot)
    bench.say(BETTER, Exported(0.0, 150, str(output)))
    bench.process.ended.emit(0, "")
    bench.presenter.dismiss()
    bench.presenter.use()
    assert not bench.chosen
    assert bench.view.states[-1].stage is AdaptationStage.READY


def test_an_encoder_that_is_not_better_is_not_offered(bench: Bench, qtbot: QtBot) -> None:
    begin(bench, qtbot)
    bench.say(SAME)
    bench.process.ended.emit(4, "")
    state = bench.view.states[-1]
    assert state.stage is AdaptationStage.SAME
    assert state.text.startswith("It is not better.")
    bench.presenter.use()
    assert not bench.chosen


def test_stopping_asks_the_process_and_waits_for_its_verdict(bench: Bench, qtbot: QtBot) -> None:
    output = begin(bench, qtbot)
    bench.presenter.stop()
    assert bench.process.is_stopped
    assert bench.view.states[-1].stage is AdaptationStage.STOPPING
    bench.say(BETTER, Exported(0.0, 60, str(output)))
    bench.process.ended.emit(0, "")
    assert bench.view.states[-1].stage is AdaptationStage.BETTER


@pytest.mark.parametrize(
    ("events", "code", "words"),
    [
        ([Failed(0.0, 0, "The recordings are too short.")], 3, "too short"),
        ([], CRASHED, "untouched"),
        ([], 1, r"(1)"),
    ],
)
def test_a_fault_is_a_sentence_and_can_be_tried_again(
    bench: Bench, qtbot: QtBot, events: list[Event], code: int, words: str
) -> None:
    begin(bench, qtbot)
    bench.say(*events)
    bench.process.ended.emit(code, "Traceback …")
    state = bench.view.states[-1]
    assert state.stage is AdaptationStage.FAILED
    assert words in state.text
    assert "Traceback" not in state.text
    bench.presenter.start()
    qtbot.waitUntil(lambda: len(bench.process.started) == 2)


def test_without_the_training_part_the_one_command_is_told(bench: Bench) -> None:
    bench.presenter._is_installed = lambda: False
    bench.session.add(fake_recording("one", 50))
    state = bench.view.states[-1]
    assert state.stage is AdaptationStage.MISSING
    assert state.command == INSTALL_COMMAND
    bench.presenter.start()
    assert not bench.process.started


# The panel -------------------------------------------------------------------------------------


@pytest.fixture
def panel(qtbot: QtBot) -> AdaptationPanel:
    made = AdaptationPanel()
    qtbot.addWidget(made)
    made.show()
    return made


def shown_buttons(panel: AdaptationPanel) -> set[str]:
    buttons = panel.findChildren(QPushButton)
    return {b.objectName().removeprefix("adaptation-") for b in buttons if b.isVisible()}


@pytest.mark.parametrize(
    ("stage", "buttons"),
    [
        (AdaptationStage.READY, {"start"}),
        (AdaptationStage.RUNNING, {"stop"}),
        (AdaptationStage.STOPPING, {"stop"}),
        (AdaptationStage.BETTER, {"use", "keep"}),
        (AdaptationStage.SAME, {"start"}),
        (AdaptationStage.FAILED, {"start"}),
        (AdaptationStage.USED, {"back"}),
        (AdaptationStage.MISSING, set()),
    ],
)
def test_every_stage_has_its_buttons(
    panel: AdaptationPanel, stage: AdaptationStage, buttons: set[str]
) -> None:
    panel.set_adaptation(AdaptationState(stage, "A sentence."))
    assert shown_buttons(panel) == buttons
    label = panel.findChild(QLabel, "adaptation-text")
    assert isinstance(label, QLabel)
    assert label.text() == "A sentence."


def test_the_command_can_be_copied(panel: AdaptationPanel, qtbot: QtBot) -> None:
    panel.set_adaptation(AdaptationState(AdaptationStage.MISSING, "", command="uv sync"))
    button = panel.findChild(QPushButton, "adaptation-copy")
    assert isinstance(button, QPushButton)
    button.click()
    assert QGuiApplication.clipboard().text() == "uv sync"


# The child process -----------------------------------------------------------------------------

# Says one event and a line that is none, waits for "stop", says another, leaves with 4.
CHILD = """
import sys
print({first!r}, flush=True)
print("Starting up …", flush=True)
line = sys.stdin.readline()
print({second!r} if line == "stop\\n" else "", flush=True)
print("a last word", file=sys.stderr)
sys.exit(4)
"""


def test_a_child_is_heard_and_can_be_stopped(
    qtbot: QtBot, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Started(0.0, 0, 9, {}, "cpu")
    code = CHILD.format(first=event_to_json(first), second=event_to_json(SAME))
    process = TrainerProcess(program=[sys.executable, "-c", code])
    heard: list[object] = []
    process.event_received.connect(heard.append)
    process.start([tmp_path / "a.mp4"], tmp_path / "m.onnx", tmp_path / "o.onnx")
    qtbot.waitUntil(lambda: heard == [first], timeout=20_000)
    with qtbot.waitSignal(process.ended, timeout=20_000) as ended:
        process.stop()
    assert ended.args == [4, "a last word"]
    assert heard == [first, SAME]
    assert not process.is_running
    assert "Starting up" in caplog.text


def test_a_program_that_cannot_be_started_ends_with_a_reason(qtbot: QtBot, tmp_path: Path) -> None:
    process = TrainerProcess(program=[str(tmp_path / "nothing")])
    with qtbot.waitSignal(process.ended, timeout=20_000) as ended:
        process.start([], tmp_path, tmp_path)
    assert ended.args is not None
    assert ended.args[0] == CRASHED
    assert ended.args[1]


# The whole program -----------------------------------------------------------------------------


def test_another_encoder_embeds_and_aligns_everything_again(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program(FakeEngine())
    assert not program.actions[ActionId.ADAPT].isEnabled()
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    program.actions[ActionId.ADAPT].trigger()
    assert program.window.adaptation.isVisible()
    other = FakeEngine()
    program.loading.use_engine(lambda: other)  # type: ignore[arg-type, return-value]
    assert all(e.embeddings is None for e in program.session.entries)
    wait_settled(qtbot, program, 2)
    assert other.aligned == [("first.mp4", "second.mp4")]
    assert all(e.stage is Stage.ALIGNED for e in program.session.others)
