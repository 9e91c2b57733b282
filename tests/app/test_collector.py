"""What is closed can be collected: nothing that was open is spared for good."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

from app.bootstrap.program import Program
from app.faults.collector import MainThreadCollector
from app.settings import Settings
from tests.app.conftest import wait_settled
from tests.app.fakes import FakeEngine

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pytestqt.qtbot import QtBot


def wait_ready(qtbot: QtBot, program: Program) -> None:
    qtbot.waitUntil(lambda: program.engine_state is not None and not program.jobs.active)


def test_a_closed_window_is_garbage_with_all_that_it_showed(
    qtbot: QtBot, tmp_path: Path, videos: list[Path]
) -> None:
    program = Program(
        make_engine=FakeEngine,  # type: ignore[arg-type]
        settings=Settings(tmp_path / "window.ini"),
        state=tmp_path / "state",
    )
    program.show()
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    wait_ready(qtbot, program)
    left = [weakref.ref(program), weakref.ref(program.session), weakref.ref(program.window)]
    program.close()
    program.window.deleteLater()
    program.deleteLater()
    del program

    def is_gone() -> bool:
        gc.collect()
        return not any(one() for one in left)

    qtbot.waitUntil(is_gone)


def test_what_is_loaded_is_spared_once_and_garbage_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MainThreadCollector, "_has_spared", False)

    class Thing:
        pass

    def in_a_circle() -> weakref.ref[Thing]:
        thing = Thing()
        thing.itself = thing  # type: ignore[attr-defined]
        return weakref.ref(thing)

    gone = in_a_circle()
    MainThreadCollector.spare_what_is_loaded()
    assert gone() is None
    spared = gc.get_freeze_count()
    later = in_a_circle()
    MainThreadCollector.spare_what_is_loaded()
    assert gc.get_freeze_count() <= spared
    gc.collect()
    assert later() is None
