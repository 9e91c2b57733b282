"""Recent projects: the list on the first page, and its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.faults.messages import Message, Severity
from app.views.menus import pop_up

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts

_MENU = (ActionId.RECENT_OPEN, ActionId.RECENT_FORGET)


class RecentFeature(Feature):
    """Opens recent projects and takes them off the list."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        empty = parts.window.empty
        empty.project_requested.connect(parts.files.open)
        empty.forget_requested.connect(parts.files.forget_recent)
        commands = [parts.actions[which] for which in _MENU]
        empty.menu_requested.connect(lambda at: pop_up(empty, "recent-menu", commands, at))
        parts.files.recent_listed.connect(empty.set_recent)

    def handlers(self) -> Handlers:
        """Return what can be done with a recent project."""
        return {ActionId.RECENT_OPEN: self._open, ActionId.RECENT_FORGET: self._forget}

    def _open(self) -> None:
        empty = self.parts.window.empty
        path = (empty.chosen_project() if empty.isVisible() else None) or empty.newest_project()
        if path is None:
            self._say(self.tr("No project was opened or saved so far."))
        else:
            self.parts.files.open(path)

    def _forget(self) -> None:
        empty = self.parts.window.empty
        path = empty.chosen_project() if empty.isVisible() else None
        if path is None:
            self._say(self.tr("Choose a project in the list of recent ones on the first page."))
        else:
            self.parts.files.forget_recent(path)

    def _say(self, text: str) -> None:
        self.parts.reporter.report(Message(text, Severity.INFO, topic="recent"))
