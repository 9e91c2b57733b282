"""Puts models, presenters and views together; only this package knows them all."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QTimer
from PySide6.QtWidgets import QApplication

from app import settings as keys
from app.actions import SPECS, ActionId, bind, text_of
from app.bootstrap.adapting import AdaptingFeature
from app.bootstrap.aligning import AligningFeature
from app.bootstrap.arranging import LayoutsFeature
from app.bootstrap.choosing import choose_files
from app.bootstrap.commanding import CommandsFeature
from app.bootstrap.configuring import SettingsFeature
from app.bootstrap.exporting import ExportFeature
from app.bootstrap.finding import FindingFeature
from app.bootstrap.first import make_window
from app.bootstrap.hand import HandFeature
from app.bootstrap.helping import HelpingFeature
from app.bootstrap.joined_views import RoomyTimeline, TilesAndTransport
from app.bootstrap.keeping import KeepingFeature
from app.bootstrap.lanes import LanesFeature
from app.bootstrap.leaving import Leaving
from app.bootstrap.mapping import MappingFeature
from app.bootstrap.marking import MarkingFeature
from app.bootstrap.parts import Parts
from app.bootstrap.pictures import PicturesFeature
from app.bootstrap.playing import PlayingFeature
from app.bootstrap.pointing import PointFeature
from app.bootstrap.recent import RecentFeature
from app.bootstrap.sounding import SoundFeature
from app.bootstrap.viewing import ViewingFeature
from app.faults.collector import MainThreadCollector
from app.faults.log import RecentRecords
from app.faults.messages import Reporter, describe
from app.frames import FrameService
from app.jobs import Job, JobRunner
from app.models.engine import EngineHandle, engine_maker
from app.models.project import ProjectModel
from app.models.session import SessionModel
from app.presenters.keeper import SessionKeeper
from app.presenters.loading import EngineState, LoadingPresenter
from app.presenters.opening import VIDEO_SUFFIXES, OpeningPresenter
from app.presenters.playback import SPEEDS, PlaybackPresenter
from app.presenters.project_files import ProjectFiles
from app.presenters.status import StatusPresenter
from app.presenters.tiles import TilesPresenter
from app.presenters.timeline import TimelinePresenter
from app.resources.theme import THEME
from app.settings import Settings
from app.views.menus import pop_up
from app.views.project_dialogs import ProjectDialogs
from carl_core.assets import asset_path
from carl_core.errors import CarlError
from carl_core.paths import state_folder
from carl_core.project import edits
from carl_core.project.recent import RecentProjects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from app.audio.output import Output
    from app.bootstrap.parts import Feature
    from app.models.engine import Engine
    from app.views.main_window import MainWindow

log = logging.getLogger("carl.window")

_NEEDS_RECORDINGS = (
    ActionId.REMOVE,
    ActionId.CLOSE_ALL,
    ActionId.SAVE,
    ActionId.SAVE_AS,
)

_TILE_MENU = (
    *(ActionId.SOLO, ActionId.ZOOM_FIT, ActionId.HEAR_ACTIVE, None),
    *(ActionId.PIN, ActionId.MARK, ActionId.FIND_FRAME, ActionId.FIND_UNLIKE, None),
    *(ActionId.MAP_AUTO, ActionId.MAP_OFFSET, ActionId.MAP_LINEAR, ActionId.MAP_PINS, None),
    *(ActionId.MAKE_REFERENCE, ActionId.REMOVE),
)


class Program(QObject):
    """One window and everything behind it.

    Parameters
    ----------
    make_engine : called once, on a worker's thread; None = the bundled encoder
    settings : where window state is kept
    recent : the log kept in memory, for "copy diagnostics"
    state : folder for recent projects and unsaved work; None = the user's
    sound_output : the sound device; None = the system's
    window : one that is on the screen already, empty; None = a new one
    """

    def __init__(
        self,
        *,
        make_engine: Callable[[], Engine] | None = None,
        settings: Settings | None = None,
        reporter: Reporter | None = None,
        recent: RecentRecords | None = None,
        state: Path | None = None,
        sound_output: Output | None = None,
        window: MainWindow | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or Settings()
        self.reporter = reporter or Reporter()
        self.recent = recent or RecentRecords()
        self.collector = MainThreadCollector(self)  # before the first thread of ours
        self.jobs = JobRunner(self)
        self.frames = FrameService(self)
        self.project = ProjectModel(self)
        self.session = SessionModel(self)
        self.engine = EngineHandle(make_engine or engine_maker())
        self.engine_state: EngineState | None = None
        self._is_closed = False
        self.features: tuple[Feature, ...] = ()

        self.window = window or make_window(self.settings)
        window = self.window
        window.furnish(SPEEDS)
        self.actions = actions = window.actions_by_id
        self.player = PlaybackPresenter(self.session, self.frames, TilesAndTransport(window), self)
        self.opening = OpeningPresenter(self.project, self.jobs, self.engine, self.reporter, self)
        self.loading = LoadingPresenter(
            self.session,
            self.project,
            self.opening,
            self.jobs,
            self.engine,
            self.reporter,
            self,
        )
        self.keeper = SessionKeeper(self.project, self.session, self.opening, self.loading, self)
        self.dialogs = ProjectDialogs(window, self.settings)
        state = state or state_folder()
        self.files = ProjectFiles(
            self.project,
            self.jobs,
            self.reporter,
            RecentProjects(state),
            state,
            self.dialogs,
            self,
        )
        self.tiles = TilesPresenter(
            self.session,
            window.stage,
            self,
            nudges=lambda: self.player.nudges,
            maps=lambda: self.project.project.maps,
        )
        self.player.nudged.connect(self.tiles.refresh)
        self.timeline = TimelinePresenter(
            self.session, self.jobs, self.player, RoomyTimeline(window), self
        )
        self.status = StatusPresenter(self.jobs, window.status, self)
        self._leaving = Leaving(
            window,
            self.jobs,
            self.project,
            self.files,
            lambda: [text for feature in self.features if (text := feature.working())],
            self,
        )
        self._connect()
        parts = Parts(
            window=window,
            actions=actions,
            settings=self.settings,
            reporter=self.reporter,
            jobs=self.jobs,
            frames=self.frames,
            engine=self.engine,
            project=self.project,
            session=self.session,
            opening=self.opening,
            loading=self.loading,
            files=self.files,
            dialogs=self.dialogs,
            state=state,
            player=self.player,
            timeline=self.timeline,
        )
        self.help = HelpingFeature(
            parts,
            self,
            lambda: self.engine_state.provider if self.engine_state else "not loaded",
            self.recent.discreet_text,
        )
        self.mapping = MappingFeature(parts, self)
        self.finding = FindingFeature(parts, self)
        hand = HandFeature(parts, self)
        self.finding.link_wanted.connect(hand.handwork.link)
        self.sounding = SoundFeature(parts, self, sound_output)
        self.commands = CommandsFeature(parts, self)
        self.marking = MarkingFeature(parts, self)
        self.exporting = ExportFeature(parts, self, self.marking.markers)
        self.features = (
            PlayingFeature(parts, self),
            PicturesFeature(parts, self),
            LanesFeature(parts, self),
            AligningFeature(parts, self),
            self.mapping,
            PointFeature(parts, self, self.mapping),
            ViewingFeature(parts, self),
            hand,
            self.finding,
            self.marking,
            self.exporting,
            AdaptingFeature(parts, self),
            self.sounding,
            self.commands,
            SettingsFeature(parts, self, self.commands),
            KeepingFeature(parts, self),
            LayoutsFeature(parts, self),
            RecentFeature(parts, self),
            self.help,
        )
        bind(actions, [self._handlers(), *(feature.handlers() for feature in self.features)])
        self._restore()
        self._on_recordings_changed()

    # Life --------------------------------------------------------------------------------------

    def show(self) -> None:
        """Show the window and load the encoder behind it."""
        self.window.show()
        QTimer.singleShot(0, self, self.loading.warm_up)
        QTimer.singleShot(0, self, self.files.look_for_unsaved)
        QTimer.singleShot(0, self, self.files.list_recent)

    def open_demo(self) -> None:
        """Open the bundled recordings."""
        try:
            paths = [asset_path("demo/reference.mp4"), asset_path("demo/other.mp4")]
        except CarlError as exc:
            self.reporter.report(describe(exc))
            return
        self.opening.add_paths(paths)

    def take_files(self, paths: list[Path]) -> None:
        """Open what a second start was given, and come to the front."""
        self.opening.add_paths(paths)
        if self.window.isMinimized():
            self.window.showNormal()
        self.window.raise_()
        self.window.activateWindow()
        QApplication.alert(self.window)  # where a window may not come to the front by itself

    def close(self) -> None:
        """Stop all threads; afterwards nothing calls back."""
        if self._is_closed:
            return
        self._is_closed = True
        self.player.pause()
        self.settings.set(keys.GEOMETRY, self.window.saveGeometry())
        self.settings.sync()
        self.window.hide()
        for feature in self.features:
            feature.close()
        self.jobs.close()
        self.files.close()  # after the last autosave
        self.frames.close()
        self.collector.stop()

    def _restore(self) -> None:
        self.actions[ActionId.SYNC].setChecked(True)
        self._on_project_changed()
        self._show_steps()

    # Wiring ------------------------------------------------------------------------------------

    def _connect(self) -> None:
        window, session = self.window, self.session
        self.keeper.followed.connect(self._on_project_changed)
        self.project.stack.indexChanged.connect(self._on_step)
        self.opening.project_offered.connect(self.files.open)
        self.files.named.connect(self._on_named)
        self.files.beginning.connect(self.opening.forget)
        self.files.opened.connect(self._on_project_opened)
        self.frames.frame_ready.connect(self.player.on_frame_ready)
        self.frames.failed.connect(self._on_frame_failed)
        self.jobs.faulted.connect(self._on_job_faulted)
        self.reporter.reported.connect(window.banner.show_message)
        self.reporter.withdrawn.connect(window.banner.withdraw)
        # Before the player asks for frames of a new recording there must be a decoder for it.
        session.recordings_changed.connect(self._on_recordings_changed)

        self.loading.engine_ready.connect(self._on_engine_ready)

        window.files_dropped.connect(self.opening.add_paths)
        window.addresses_dropped.connect(self.opening.refuse_addresses)
        window.closing.connect(self.close)
        window.theme_changed.connect(self._on_theme_changed)
        window.empty.open_requested.connect(self._choose_files)
        window.empty.demo_requested.connect(self.open_demo)
        window.may_close = lambda: self._is_closed or self._leaving.may_close()

        window.status.job_cancelled.connect(self.status.cancel)
        window.status.job_paused.connect(self.status.pause)
        window.grid.tile_pressed.connect(session.set_active)
        window.grid.menu_requested.connect(self._on_tile_menu)
        window.grid.add_requested.connect(self._choose_files)

    def _handlers(self) -> dict[ActionId, Callable[[], None]]:
        return {
            ActionId.OPEN: self._choose_files,
            ActionId.OPEN_DEMO: self.open_demo,
            ActionId.PROJECT_NEW: lambda: self.files.new(),
            ActionId.PROJECT_OPEN: lambda: self.dialogs.ask_project(self.files.open),
            ActionId.SAVE: lambda: self.files.save(),
            ActionId.SAVE_AS: lambda: self.files.save_as(),
            ActionId.UNDO: lambda: self.project.stack.undo(),
            ActionId.REDO: lambda: self.project.stack.redo(),
            ActionId.REMOVE: self._remove_active,
            ActionId.CLOSE_ALL: self._remove_all,
            ActionId.QUIT: lambda: _ignore(self.window.close()),
            ActionId.FULL_SCREEN: self._toggle_full_screen,
        }

    # Reactions ---------------------------------------------------------------------------------

    def _on_recordings_changed(self) -> None:
        session = self.session
        self.frames.set_recordings(session.recordings)
        is_any = bool(session.entries)
        self.window.show_recordings(is_any=is_any)
        self._on_named()
        needs = [*_NEEDS_RECORDINGS, *(n for f in self.features for n in f.needs_recordings)]
        for which in needs:
            self.actions[which].setEnabled(is_any)

    def _on_named(self) -> None:
        """Title: the project, or the recordings where it has no name; a star for unsaved work."""
        name = self.files.name or " – ".join(e.recording.name for e in self.session.entries)
        self.window.setWindowTitle(f"{name}[*] – CARL" if name else "CARL[*]")
        self.window.setWindowModified(not self.project.is_saved and bool(self.session.entries))

    def _on_project_opened(self) -> None:
        self.window.banner.clear()

    def _on_engine_ready(self, state: EngineState) -> None:
        self.engine_state = state
        self.collector.spare_what_is_loaded()
        self.status.set_engine(state)

    def _on_frame_failed(self, recording_id: str, error: Exception) -> None:
        self.reporter.report(describe(error, topic=f"frames:{recording_id}"))

    def _on_job_faulted(self, error: Exception, job: Job[Any]) -> None:
        log.error("job %s failed: %s", job.key, error, exc_info=error)
        self.reporter.report(describe(error))

    def _on_tile_menu(self, recording_id: str, at: QPoint) -> None:
        commands = [None if which is None else self.actions[which] for which in _TILE_MENU]
        pop_up(self.window, "tile-menu", commands, at)

    def _on_theme_changed(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            THEME.apply(app, self.settings.get(keys.THEME))
            self.window.refresh_icons()
            for feature in self.features:
                feature.on_theme()

    def _remove_active(self) -> None:
        entry = self.session.entry(self.session.active_id)
        if entry is not None:
            self.files.edit(
                self.tr("remove {name}").format(name=entry.recording.name),
                lambda p: edits.remove_recording(p, entry.id),
            )

    def _remove_all(self) -> None:
        self.files.edit(self.tr("remove all recordings"), edits.clear)

    def _on_project_changed(self) -> None:
        self.tiles.refresh()
        for feature in self.features:
            feature.on_project()

    def _on_step(self, _index: int) -> None:
        if not self._is_closed:  # a stack says this once more when it goes
            self._show_steps()

    def _show_steps(self) -> None:
        """Say what undo and redo would do."""
        stack = self.project.stack
        for which, text, can in (
            (ActionId.UNDO, stack.undoText(), stack.canUndo()),
            (ActionId.REDO, stack.redoText(), stack.canRedo()),
        ):
            word = text_of(SPECS[which])
            self.actions[which].setText(f"{word}: {text}" if text else word)
            self.actions[which].setEnabled(can)

    def _toggle_full_screen(self) -> None:
        if self.window.isFullScreen():
            self.window.showNormal()
        else:
            self.window.showFullScreen()
        self.actions[ActionId.FULL_SCREEN].setChecked(self.window.isFullScreen())

    # Dialogs -----------------------------------------------------------------------------------

    def _choose_files(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(VIDEO_SUFFIXES))
        choose_files(
            self.window,
            self.settings,
            self.tr("Add recordings"),
            [self.tr("Videos ({patterns})").format(patterns=patterns), self.tr("All files (*)")],
            self.opening.add_paths,
            is_many=True,
        )


def _ignore(_value: object) -> None:
    """Drop a return value where none is wanted."""
