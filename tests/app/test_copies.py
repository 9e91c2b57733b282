from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from carl_core.video import proxy as proxy_module
from tests.app.conftest import wait_settled
from tests.app.fakes import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.configuring import SettingsFeature
    from app.bootstrap.program import Program
    from carl_core.video.reader import Frame


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("app.presenters.copies.is_worthwhile", lambda _: True)
    return tmp_path / "cache" / "proxies"


def settings_of(program: Program) -> SettingsFeature:
    from app.bootstrap.configuring import SettingsFeature

    return next(f for f in program.features if isinstance(f, SettingsFeature))


def want_copies(program: Program, is_wanted: bool) -> None:
    presenter = settings_of(program).preferences
    presenter.put(replace(presenter.preferences, makes_copies=is_wanted))


def test_none_is_made_unless_asked_for(
    cache: Path, make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    program.opening.add_paths(videos[:1])
    wait_settled(qtbot, program, 1)
    qtbot.wait(30)
    assert not cache.exists()


def test_copies_preview_what_is_dragged_to_and_are_never_what_stays(
    cache: Path, make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    want_copies(program, True)
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    qtbot.waitUntil(lambda: len(list(cache.glob("*.mp4"))) == 2, timeout=20_000)
    qtbot.waitUntil(lambda: len(program.frames._readers.proxies) == 2)
    shown: list[tuple[int, bool]] = []
    reference = program.session.reference_id

    def note(recording_id: str, frame: Frame) -> None:
        if recording_id == reference:
            shown.append((frame.index, frame.is_preview))

    program.frames.frame_ready.connect(note)
    program.player.seek(47 / 25)
    qtbot.waitUntil(lambda: program.player.is_up_to_date and bool(shown))
    assert shown[-1] == (47, False)
    assert set(shown) <= {(47, True), (47, False)}, "another frame than the one dragged to"
    assert not program.player.shown[reference].is_preview


def test_without_them_all_is_as_before(
    cache: Path, make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    want_copies(program, True)
    program.opening.add_paths(videos[:1])
    wait_settled(qtbot, program, 1)
    qtbot.waitUntil(lambda: bool(program.frames._readers.proxies), timeout=20_000)
    want_copies(program, False)
    assert program.frames._readers.proxies == {}
    program.player.seek(1.0)
    qtbot.waitUntil(lambda: program.player.is_up_to_date)


def test_a_copy_that_cannot_be_made_is_done_without(
    cache: Path,
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(proxy_module, "VideoWriter", full)
    program = make_program(FakeEngine())
    want_copies(program, True)
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    qtbot.waitUntil(lambda: caplog.text.count("no small copy of") == 2, timeout=20_000)
    assert program.frames._readers.proxies == {}


def test_clearing_the_cache_removes_them(
    cache: Path, make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    want_copies(program, True)
    program.opening.add_paths(videos[:1])
    wait_settled(qtbot, program, 1)
    qtbot.waitUntil(lambda: bool(program.frames._readers.proxies), timeout=20_000)
    settings_of(program).preferences.clear_cache()
    qtbot.waitUntil(lambda: not list(cache.glob("*.mp4")))
    program.player.seek(1.5)
    qtbot.waitUntil(lambda: program.player.is_up_to_date)
