"""Fixtures of the window's tests: small videos, a program, and no leaks."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

import carl_core.pipeline  # noqa: F401  (slow to import: not inside a test that waits)
from app.bootstrap.program import Program
from app.faults.collector import MainThreadCollector
from app.resources.theme import THEME
from app.settings import Settings
from tests.app import leaks
from tests.app.fakes import FakeEngine
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three short recordings of different length, the frame number drawn in."""
    folder = tmp_path_factory.mktemp("videos")
    return [
        make_video(folder / "first.mp4", frames=50, fps=25, size=(160, 120)),
        make_video(folder / "second.mp4", frames=75, fps=25, size=(160, 120)),
        make_video(folder / "third.mp4", frames=40, fps=20, size=(120, 160)),
    ]


@pytest.fixture(scope="session", autouse=True)
def spared() -> None:
    """Spare what is loaded before the first window is: what a test leaves must be garbage."""
    MainThreadCollector.spare_what_is_loaded()


@pytest.fixture(autouse=True)
def themed(qapp: QApplication) -> None:
    """The look of the program, as users see it."""
    THEME.apply(qapp, "dark")


@pytest.fixture(autouse=True)
def no_leaks(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window, a thread, a ticking timer or an animation behind."""
    before = leaks.what_lives()
    gc.disable()  # as the program does: a worker must not collect Qt objects
    yield
    left = leaks.what_is_left(before)
    assert not left, "left behind: " + "; ".join(left)


@pytest.fixture
def make_program(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Make a shown program with a fake engine; it is closed at the end."""
    made: list[Program] = []

    def make(engine: object | None = None, **options: object) -> Program:
        answering = engine if engine is not None else FakeEngine()
        program = Program(
            make_engine=lambda: answering,  # type: ignore[arg-type, return-value]
            settings=Settings(tmp_path / "window.ini"),
            state=tmp_path / "state",
            **options,  # type: ignore[arg-type]
        )
        program.window.resize(1100, 760)
        made.append(program)
        program.show()
        qtbot.waitExposed(program.window)
        with qtbot.waitActive(program.window):  # keys reach the active window alone
            program.window.activateWindow()
        return program

    yield make
    for program in made:
        program.close()
        program.window.deleteLater()
        program.deleteLater()


@pytest.fixture
def aligned(make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot) -> Program:
    """A program that shows two aligned recordings."""
    program = make_program()
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
    return program


def wait_settled(qtbot: QtBot, program: Program, count: int) -> None:
    """Wait until ``count`` recordings are there and nothing is under way."""
    qtbot.waitUntil(
        lambda: len(program.session.entries) == count and not program.loading.is_busy,
        timeout=60_000,
    )
