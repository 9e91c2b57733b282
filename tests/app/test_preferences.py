from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox, QPushButton

from app import settings as keys
from app.actions import ActionId
from app.jobs import JobRunner
from app.models import preferences as choices
from app.models.engine import EngineHandle
from app.models.preferences import CacheFacts, EncoderFacts, Preferences
from app.presenters.preferences import PreferencesPresenter, read_preferences
from app.settings import Settings, forget_settings
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder import providers
from carl_core.errors import ModelError
from tests.app.fakes import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from app.views.settings_dialog import SettingsDialog


class View:
    def __init__(self) -> None:
        self.preferences: Preferences | None = None
        self.encoder: EncoderFacts | None = None
        self.problem = ""
        self.cache: CacheFacts | None = None
        self.cache_problem = ""

    def set_preferences(self, preferences: Preferences) -> None:
        self.preferences = preferences

    def show_encoder(self, facts: EncoderFacts) -> None:
        self.encoder = facts

    def show_encoder_problem(self, text: str) -> None:
        self.problem = text

    def show_cache(self, facts: CacheFacts) -> None:
        self.cache = facts

    def show_cache_problem(self, text: str) -> None:
        self.cache_problem = text


def test_the_devices_are_those_of_the_engine() -> None:
    assert choices.DEVICES == providers.DEVICES


def test_what_is_no_choice_counts_as_not_chosen(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "window.ini")
    settings.set(keys.DEVICE, "abacus")
    settings.set(keys.CACHE_GB, float("nan"))
    settings.set(keys.THEME, "pink")
    assert read_preferences(settings) == Preferences()


def test_preferences_are_kept_and_told(tmp_path: Path, qtbot: QtBot) -> None:
    jobs = JobRunner()
    settings = Settings(tmp_path / "window.ini")
    presenter = PreferencesPresenter(settings, jobs, EngineHandle(FakeEngine))
    view = View()
    presenter.show_in(view)
    qtbot.waitUntil(lambda: view.encoder is not None and view.cache is not None)
    assert view.encoder is not None
    assert view.encoder.name == "made up"
    told: list[tuple[Preferences, Preferences]] = []
    presenter.changed.connect(lambda a, b: told.append((a, b)))
    wanted = Preferences(step_rule="fastest", time_base="mean", is_looping=True, theme="light")
    presenter.put(wanted)
    presenter.put(wanted)
    assert told == [(Preferences(), wanted)]
    assert read_preferences(Settings(tmp_path / "window.ini")) == wanted
    jobs.close()


def test_an_encoder_counts_once_it_is_loaded(tmp_path: Path, qtbot: QtBot) -> None:
    jobs = JobRunner()
    made: list[tuple[object, ...]] = []

    def make(*given: object) -> Callable[[], FakeEngine]:
        made.append(given)
        if given[0] == "bad.onnx":
            return lambda: FakeEngine(encoder_error=ModelError("It is none of ours."))
        return FakeEngine

    settings = Settings(tmp_path / "window.ini")
    handle = EngineHandle(FakeEngine)
    presenter = PreferencesPresenter(settings, jobs, handle, make=make)  # type: ignore[arg-type]
    view = View()
    presenter.show_in(view)
    qtbot.waitUntil(lambda: view.encoder is not None)
    wanted: list[object] = []
    presenter.engine_wanted.connect(wanted.append)
    presenter.put(replace(Preferences(), model="bad.onnx"))
    qtbot.waitUntil(lambda: bool(view.problem))
    assert view.problem == "It is none of ours."
    assert settings.get(keys.MODEL) == ""
    assert not wanted
    presenter.put(replace(Preferences(), model="good.onnx"))
    qtbot.waitUntil(lambda: bool(wanted))
    assert settings.get(keys.MODEL) == "good.onnx"
    assert view.problem == ""
    presenter.put(replace(presenter.preferences, device="cpu"))
    assert made[-1] == ("fake.onnx", "cpu", 8_000_000_000), "the encoder in use stays"
    assert len(wanted) == 2
    jobs.close()


def test_the_cache_is_counted_limited_and_cleared(tmp_path: Path, qtbot: QtBot) -> None:
    folder = EmbeddingStore().root / "an-entry"
    folder.mkdir()
    (folder / "vectors").write_bytes(bytes(3000))
    engine = FakeEngine()
    engine.store = SimpleNamespace(limit_bytes=0)  # type: ignore[attr-defined]
    jobs = JobRunner()
    presenter = PreferencesPresenter(
        Settings(tmp_path / "window.ini"), jobs, EngineHandle(lambda: engine)
    )
    view = View()
    presenter.show_in(view)
    qtbot.waitUntil(lambda: view.cache is not None)
    assert view.cache is not None
    assert (view.cache.entries, view.cache.size_bytes) == (1, 3000)
    presenter.put(replace(Preferences(), cache_gb=2.5))
    limits = engine.store  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: limits.limit_bytes == 2_500_000_000)
    presenter.clear_cache()
    qtbot.waitUntil(lambda: view.cache is not None and view.cache.entries == 0)
    assert not folder.exists()
    jobs.close()


def test_a_cache_that_cannot_be_used_is_said(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "file"))
    jobs = JobRunner()
    presenter = PreferencesPresenter(
        Settings(tmp_path / "window.ini"), jobs, EngineHandle(FakeEngine)
    )
    view = View()
    presenter.show_in(view)
    qtbot.waitUntil(lambda: bool(view.cache_problem))
    assert "CARL_CACHE" in view.cache_problem
    jobs.close()


def opened(program: Program) -> SettingsDialog:
    program.actions[ActionId.SETTINGS].trigger()
    features = [f for f in program.features if hasattr(f, "preferences")]
    dialog = features[0].dialog  # type: ignore[attr-defined]
    assert dialog is not None
    found: SettingsDialog = dialog
    return found


def test_the_dialog_applies_what_is_chosen(
    make_program: Callable[..., Program], qtbot: QtBot
) -> None:
    program = make_program()
    dialog = opened(program)
    dialog.show_page("playback")
    dialog.playback.loop.click()
    assert program.actions[ActionId.LOOP].isChecked()
    dialog.playback.base.setCurrentIndex(dialog.playback.base.findData("mean"))
    assert program.project.project.base == "mean"
    dialog.look.theme.setCurrentIndex(dialog.look.theme.findData("light"))
    from app.resources.theme import THEME

    assert not THEME.colours.is_dark
    assert opened(program) is dialog, "one dialog only"
    dialog.close()
    assert opened(program) is not dialog
    opened(program).close()


def test_clearing_asks_first(make_program: Callable[..., Program], qtbot: QtBot) -> None:
    (EmbeddingStore().root / "an-entry").mkdir()
    program = make_program()
    dialog = opened(program)
    dialog.show_page("cache")
    qtbot.waitUntil(dialog.cache.clear.isEnabled)
    wanted: list[bool] = []
    dialog.clear_cache_wanted.connect(lambda: wanted.append(True))
    dialog.cache.clear.click()
    box = dialog.findChild(QMessageBox, "ask-clear-cache")
    assert box is not None
    assert not wanted
    next(b for b in box.findChildren(QPushButton) if b.text() == "Clear").click()
    assert wanted == [True]
    qtbot.waitUntil(lambda: not dialog.cache.clear.isEnabled())
    dialog.close()


def test_one_step_may_be_the_shortest_frame_of_all(aligned: Program, qtbot: QtBot) -> None:
    player = aligned.player
    first, second = (e.id for e in aligned.session.entries)
    assert aligned.session.active_id == first
    player.seek(0.5)
    at_s, shown = player.clock.time_s, player.frame_due(second)
    assert shown is not None
    player.set_step_rule("fastest")
    player.step(1)
    # The second has 75 frames where the first has 50: its frames are shorter in common time.
    assert player.frame_due(second) == shown + 1
    player.seek(at_s)
    shown = player.frame_due(first)
    assert shown is not None
    player.set_step_rule("active")
    player.step(1)
    assert player.frame_due(first) == shown + 1


def test_forgotten_settings_are_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "window.ini"
    assert forget_settings(path) is None
    settings = Settings(path)
    settings.set(keys.THEME, "light")
    settings.sync()
    kept = forget_settings(path)
    assert kept is not None
    assert "light" in kept.read_text()
    assert Settings(path).get(keys.THEME) == "system"
