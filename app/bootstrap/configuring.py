"""The settings dialog and what it changes in the window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.actions import ActionId
from app.bootstrap.choosing import choose_files
from app.bootstrap.parts import Feature
from app.presenters.copies import CopiesPresenter
from app.presenters.preferences import PreferencesPresenter, proxy_folder
from app.views.settings_dialog import SettingsDialog
from carl_core.project import edits
from carl_core.video.proxy import ProxyStore

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QObject

    from app.bootstrap.commanding import CommandsFeature
    from app.bootstrap.parts import Handlers, Parts
    from app.models.preferences import Preferences
    from carl_core.project.project import TimeBaseName

_BASES: dict[str, TimeBaseName] = {"reference": "reference", "mean": "mean", "native": "native"}


class SettingsFeature(Feature):
    """Opens the settings and applies them."""

    def __init__(self, parts: Parts, parent: QObject, commands: CommandsFeature) -> None:
        super().__init__(parts, parent)
        self._commands = commands
        self.dialog: SettingsDialog | None = None
        self.preferences = PreferencesPresenter(parts.settings, parts.jobs, parts.engine, self)
        self.preferences.changed.connect(self._apply)
        self.preferences.engine_wanted.connect(parts.loading.use_engine)
        parts.files.opened.connect(self._set_base)
        commands.change_keys_wanted.connect(lambda: self.show("keys"))
        self.copies = CopiesPresenter(
            parts.session, parts.loading, parts.jobs, parts.frames, ProxyStore(proxy_folder()), self
        )
        chosen = self.preferences.preferences
        self.copies.set_wanted(chosen.makes_copies)
        parts.player.set_step_rule(chosen.step_rule)
        self._loop(chosen)

    def handlers(self) -> Handlers:
        """Return the one command."""
        return {ActionId.SETTINGS: self.show}

    def show(self, page: str = "") -> None:
        """Open the dialog, or bring it to the front."""
        if self.dialog is None:
            dialog = SettingsDialog(self.parts.window)
            dialog.keys.set_overrides(self._commands.overrides)
            dialog.keys.changed.connect(self._commands.set_overrides)
            dialog.changed.connect(self.preferences.put)
            dialog.clear_cache_wanted.connect(self.preferences.clear_cache)
            dialog.model_file_wanted.connect(self._choose_model)
            dialog.finished.connect(self._on_closed)
            self.dialog = dialog
            self.preferences.show_in(dialog)
        if page:
            self.dialog.show_page(page)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def close(self) -> None:
        """Close the dialog."""
        if self.dialog is not None:
            self.dialog.close()

    def _on_closed(self) -> None:
        self.dialog = None
        self.preferences.show_in(None)

    def _choose_model(self) -> None:
        def chosen(paths: list[Path]) -> None:
            path = str(paths[0].absolute())
            self.preferences.put(replace(self.preferences.preferences, model=path))

        choose_files(
            self.dialog or self.parts.window,
            self.parts.settings,
            self.tr("Choose an encoder"),
            [self.tr("Encoders (*.onnx)"), self.tr("All files (*)")],
            chosen,
            is_many=False,
        )

    def _apply(self, before: Preferences, after: Preferences) -> None:
        self.parts.player.set_step_rule(after.step_rule)
        self.copies.set_wanted(after.makes_copies)
        if after.is_looping != before.is_looping:
            self._loop(after)
        if after.time_base != before.time_base:
            self._set_base()
        if after.theme != before.theme:
            self.parts.window.theme_changed.emit()

    def _loop(self, chosen: Preferences) -> None:
        self.parts.actions[ActionId.LOOP].setChecked(chosen.is_looping)
        self.parts.player.set_looping(chosen.is_looping)

    def _set_base(self) -> None:
        """Give a comparison without recordings the chosen time base."""
        project = self.parts.project
        base = _BASES[self.preferences.preferences.time_base]
        if project.path is None and not project.project.recordings and project.project.base != base:
            project.put(edits.set_base(project.project, base))
