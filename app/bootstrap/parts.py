"""What every area of the window may use, and what an area must offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from PySide6.QtGui import QAction

    from app.actions import ActionId
    from app.faults.messages import Reporter
    from app.frames import FrameService
    from app.jobs import JobRunner
    from app.models.engine import EngineHandle
    from app.models.project import ProjectModel
    from app.models.session import SessionModel
    from app.presenters.loading import LoadingPresenter
    from app.presenters.opening import OpeningPresenter
    from app.presenters.playback import PlaybackPresenter
    from app.presenters.project_files import ProjectFiles
    from app.presenters.timeline import TimelinePresenter
    from app.settings import Settings
    from app.views.main_window import MainWindow
    from app.views.project_dialogs import ProjectDialogs

    Handlers = Mapping[ActionId, Callable[[], None]]


@dataclass(frozen=True)
class Parts:
    """The window and what stands behind all of it; made once by ``Program``.

    Attributes
    ----------
    state : folder for what the program keeps for itself
    """

    window: MainWindow
    actions: Mapping[ActionId, QAction]
    settings: Settings
    reporter: Reporter
    jobs: JobRunner
    frames: FrameService
    engine: EngineHandle
    project: ProjectModel
    session: SessionModel
    opening: OpeningPresenter
    loading: LoadingPresenter
    files: ProjectFiles
    dialogs: ProjectDialogs
    state: Path
    player: PlaybackPresenter
    timeline: TimelinePresenter


class Feature(QObject):
    """One area of the window: makes its presenters, connects them to views, handles its commands.

    Attributes
    ----------
    needs_recordings : commands that are greyed while no recording is open
    """

    needs_recordings: tuple[ActionId, ...] = ()

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self.parts = parts

    def handlers(self) -> Handlers:
        """Return what each of its commands does."""
        return {}

    def on_project(self) -> None:
        """Show what the project says now."""

    def on_theme(self) -> None:
        """Draw in the colours of a new theme what style sheets do not reach."""

    def working(self) -> str:
        """Return what runs besides jobs and would be stopped by closing; "" = nothing."""
        return ""

    def close(self) -> None:
        """Stop whatever runs; called once, before jobs and frames end."""
