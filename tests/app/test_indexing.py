"""The index of a large library is built behind the window, as a job that holds nobody up."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel, QMessageBox

from app.actions import ActionId
from app.models.engine import engine_maker
from app.presenters.indexing import KEY
from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.pipeline import Engine
from carl_core.progress import Monitor
from carl_core.retrieval import apart, building
from carl_core.retrieval import library as of_everything
from carl_core.retrieval.mapping import thread_count, threads
from tests.app.conftest import wait_settled
from tests.helpers.encoders import make_tiny_encoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from app.models.viewstate import JobLine
    from carl_core.retrieval.library import Library

WAIT_MS = 60_000

# ``carl`` that holds a build when all rows are sorted, until it may go on.
HELD = """
import os, sys, time
sys.path.insert(0, {root!r})
from carl_core.retrieval import cells
write = cells._write
def held(segment, folder, cell_of, count, monitor):
    monitor.start("held", 10, "steps", 4)
    while not os.path.exists({gate!r}):
        monitor.advance(0)
        time.sleep(0.02)
    write(segment, folder, cell_of, count, monitor)
cells._write = held
from carl_core.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True, scope="module")
def _scan_threads() -> None:
    """Start the threads that all searches of a process share: no test leaves them behind."""
    gate = threading.Barrier(thread_count() + 1)
    started = [threads().submit(gate.wait, 20) for _ in range(thread_count())]
    gate.wait(20)
    for one in started:
        one.result()


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file; where it is, builds go on."""
    gate = tmp_path / "gate"
    script = HELD.format(root=str(Path(__file__).resolve().parents[2]), gate=str(gate))
    monkeypatch.setattr(apart, "PROGRAM", (sys.executable, "-c", script))
    return gate


@pytest.fixture
def engine(tmp_path: Path, gate: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """With a library of 6000 rows, which count as many."""
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(of_everything, "CELLS_FROM", 1000)
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    engine = engine_maker(model)()
    assert isinstance(engine, Engine)
    assert engine.library is not None
    rows = np.random.default_rng(0).normal(size=(6000, engine.encoder.spec.dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    at = np.arange(len(rows))
    key = EmbeddingKey("a" * 32, engine.library.model_id, "10/1")
    engine.library.add([Embeddings(key, at, at / 10, rows)])
    return engine


def library_of(engine: Engine) -> Library:
    assert engine.library is not None
    return engine.library


@pytest.fixture
def building_program(engine: Engine, make_program: Callable[..., Program], qtbot: QtBot) -> Program:
    """A build is under way, held when all is sorted."""
    program = make_program(engine)
    wait_held(qtbot, engine)
    return program


def wait_held(qtbot: QtBot, engine: Engine) -> None:
    def is_held() -> bool:
        progress = library_of(engine).building
        return progress is not None and progress.stage == "held"

    qtbot.waitUntil(is_held, timeout=WAIT_MS)


def line_of(program: Program) -> JobLine | None:
    """What the list of jobs says of the build."""
    for job in program.jobs.active:
        if job.key == KEY:
            return program.status._line(job)
    return None


def test_a_search_of_everything_has_the_index_built_and_says_so_until_it_is(
    engine: Engine,
    make_program: Callable[..., Program],
    videos: list[Path],
    gate: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(of_everything, "CELLS_FROM", 10**9)
    program = make_program(engine)
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    assert not program.jobs.is_active(KEY)
    monkeypatch.setattr(of_everything, "CELLS_FROM", 1000)  # it has grown
    said: list[str] = []
    show = program.window.search.set_matches
    monkeypatch.setattr(
        program.window.search,
        "set_matches",
        lambda groups, *, convincing, reason: (
            said.append(reason),
            show(groups, convincing=convincing, reason=reason),
        ),
    )
    program.actions[ActionId.FIND_EVERYWHERE].trigger()
    program.actions[ActionId.FIND_FRAME].trigger()
    qtbot.waitUntil(lambda: len(said) == 1, timeout=WAIT_MS)
    assert "No index yet" in said[0]
    wait_held(qtbot, engine)
    qtbot.waitUntil(lambda: "40%" in getattr(line_of(program), "detail", ""), timeout=WAIT_MS)
    gate.touch()
    qtbot.waitUntil(lambda: not program.jobs.is_active(KEY), timeout=WAIT_MS)
    assert len(library_of(engine).cells) == 1
    program.actions[ActionId.FIND_FRAME].trigger()
    qtbot.waitUntil(lambda: len(said) == 2, timeout=WAIT_MS)
    assert "No index yet" not in said[1]
    assert not program.window.banner.messages


def test_a_build_that_is_paused_or_has_to_wait_takes_no_processor_and_goes_on_where_it_was(
    building_program: Program, engine: Engine, gate: Path, qtbot: QtBot
) -> None:
    program, library = building_program, library_of(engine)
    (centres,) = library.folder.rglob("cells.part/centres.f32")
    made = centres.stat().st_mtime_ns
    program.status.pause(KEY, True)
    qtbot.waitUntil(lambda: library.building is None, timeout=WAIT_MS)
    line = line_of(program)
    assert line is not None
    assert line.is_paused
    program.status.pause(KEY, False)
    wait_held(qtbot, engine)
    end = threading.Event()  # the user's own work comes first
    program.jobs.submit(lambda _job: end.wait(60), key="embed:x", title="x", holds_window=True)
    qtbot.waitUntil(lambda: library.building is None, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: getattr(line_of(program), "detail", "") == "waiting", timeout=WAIT_MS)
    shown = program.window.status.findChild(QLabel, "status-job")
    assert shown is not None
    assert shown.text().startswith("x")  # what nobody waits for comes last
    gate.touch()
    assert library.cells == ()
    end.set()
    qtbot.waitUntil(lambda: not program.jobs.is_active(KEY), timeout=WAIT_MS)
    assert len(library.cells) == 1
    (centres,) = library.folder.rglob("cells/centres.f32")
    assert centres.stat().st_mtime_ns == made


def test_a_cancelled_build_goes_on_at_the_next_start_and_not_before(
    building_program: Program,
    engine: Engine,
    make_program: Callable[..., Program],
    gate: Path,
    qtbot: QtBot,
) -> None:
    program, library = building_program, library_of(engine)
    program.status.cancel(KEY)
    qtbot.waitUntil(lambda: not program.jobs.is_active(KEY), timeout=WAIT_MS)
    assert library.building is None
    assert list(library.folder.rglob("cells.part/cell_of.i32"))
    program.finding.index.look()
    assert not program.jobs.is_active("library-look")
    program.close()
    gate.touch()
    again = make_program(engine)
    qtbot.waitUntil(lambda: len(library.cells) == 1, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not again.jobs.is_active(KEY), timeout=WAIT_MS)


def test_a_build_takes_no_thread_of_other_jobs_and_closing_ends_it_without_a_question(
    building_program: Program, engine: Engine, qtbot: QtBot
) -> None:
    jobs, count = building_program.jobs, building_program.jobs._pool._max_workers
    together = threading.Barrier(count)
    done: list[int] = []
    for number in range(count):
        jobs.submit(lambda _job: together.wait(30), key=str(number), done=done.append)
    qtbot.waitUntil(lambda: len(done) == count, timeout=WAIT_MS)
    assert jobs.is_active(KEY)
    window, library = building_program.window, library_of(engine)
    assert window.close()
    assert window.findChild(QMessageBox, "ask-running") is None
    assert library.building is None  # nothing is left behind that would go on
    assert list(library.folder.rglob("cells.part/cell_of.i32"))
    assert not building_program.jobs.is_stuck


def test_what_another_program_builds_is_not_built_twice(
    engine: Engine, make_program: Callable[..., Program], qtbot: QtBot
) -> None:
    folder = library_of(engine).folder
    with (
        building.sole_builder(folder) as is_mine,
        building.told(folder, Monitor(), lambda: None) as monitor,
    ):
        assert is_mine
        monitor.start("sorting into cells", 10, "frames", 3)
        program = make_program(engine)
        qtbot.waitUntil(lambda: program.engine_state is not None, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: not program.jobs.is_active("library-look"), timeout=WAIT_MS)
        assert not program.jobs.is_active(KEY)


def test_an_index_that_cannot_be_built_is_told_once(
    engine: Engine,
    make_program: Callable[..., Program],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = "import sys; sys.exit('carl: The disk is full. Free some space.')"
    monkeypatch.setattr(apart, "PROGRAM", (sys.executable, "-c", script))
    program = make_program(engine)
    qtbot.waitUntil(lambda: bool(program.window.banner.messages), timeout=WAIT_MS)
    (message,) = program.window.banner.messages
    assert "The disk is full. Free some space." in message.text
    program.finding.index.look()
    assert not program.jobs.is_active("library-look")
