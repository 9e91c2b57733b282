"""Puts models, presenters and views together. The only place that knows them all."""

from __future__ import annotations

import logging
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import platformdirs
from PySide6.QtCore import QObject, QPoint, QTimer
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QMessageBox

from app import settings as keys
from app.actions import SPECS, ActionId, make_actions, tooltip, translated
from app.faults.collector import MainThreadCollector
from app.faults.log import RecentRecords
from app.faults.messages import Choice, Message, Reporter, Severity, describe
from app.frames import FrameService
from app.jobs import Job, JobRunner
from app.models.engine import EngineHandle, engine_maker
from app.models.methods import Method, lacking
from app.models.project import ProjectModel
from app.models.recent import RecentProjects
from app.models.session import SessionModel
from app.models.viewstate import Lane, PairChoice, Thumbnail, Transport
from app.presenters.adaptation import AdaptationPresenter
from app.presenters.handwork import HandworkPresenter
from app.presenters.heatmap import HeatmapPresenter
from app.presenters.keeper import SessionKeeper
from app.presenters.loading import EngineState, LoadingPresenter
from app.presenters.opening import IMAGE_SUFFIXES, VIDEO_SUFFIXES, OpeningPresenter
from app.presenters.playback import SPEEDS, PlaybackPresenter
from app.presenters.project_files import ProjectFiles
from app.presenters.search import SearchPresenter
from app.presenters.status import StatusPresenter
from app.presenters.tiles import TilesPresenter
from app.presenters.timeline import TimelinePresenter
from app.resources import icons
from app.resources.theme import THEME
from app.settings import Settings
from app.trainer import TrainerProcess
from app.views.keys import KeySheet
from app.views.main_window import MainWindow
from app.views.project_dialogs import ProjectDialogs
from carl_core.assets import asset_path
from carl_core.errors import CarlError
from carl_core.playback.schedule import TimeBase
from carl_core.project import edits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from app.models.engine import Engine
    from carl_core.arrays import UInt8
    from carl_core.project.project import TimeBaseName
    from carl_core.video.reader import Frame

log = logging.getLogger("carl.window")

_BASES = {
    ActionId.BASE_REFERENCE: TimeBase.REFERENCE,
    ActionId.BASE_MEAN: TimeBase.MEAN,
    ActionId.BASE_NATIVE: TimeBase.NATIVE,
}
_MAPS = {
    ActionId.MAP_AUTO: "auto",
    ActionId.MAP_OFFSET: "offset",
    ActionId.MAP_LINEAR: "linear",
    ActionId.MAP_PINS: "anchors",
}
_METHODS = {
    ActionId.METHOD_PICTURES: Method.PICTURES,
    ActionId.METHOD_SOUND: Method.SOUND,
    ActionId.METHOD_TIMECODE: Method.TIMECODE,
}


class Program(QObject):
    """One window and everything behind it.

    Parameters
    ----------
    make_engine : called once, on a worker's thread; None = the bundled encoder
    settings : where window state is kept
    recent : the log kept in memory, for "copy diagnostics"
    state : folder for recent projects and unsaved work; None = the user's
    """

    def __init__(
        self,
        *,
        make_engine: Callable[[], Engine] | None = None,
        settings: Settings | None = None,
        reporter: Reporter | None = None,
        recent: RecentRecords | None = None,
        state: Path | None = None,
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
        self._is_leaving = False

        colours = THEME.colours
        actions = make_actions(
            self, self._handlers(), lambda name: icons.icon(name, colours.text, colours.line)
        )
        self.actions = actions
        self.window = MainWindow(actions, SPEEDS)
        window = self.window
        self.player = PlaybackPresenter(self.session, self.frames, _PlayerView(window), self)
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
        state = state or platformdirs.user_state_path("carl")
        self.files = ProjectFiles(
            self.project,
            self.jobs,
            self.reporter,
            RecentProjects(state),
            state,
            self.dialogs,
            self,
        )
        self.handwork = HandworkPresenter(
            self.session, self.player, self.files, lambda: self.project.project, self.reporter, self
        )
        self.tiles = TilesPresenter(self.session, window.grid, self)
        self.timeline = TimelinePresenter(
            self.session, self.jobs, self.player, _TimelineView(window), self
        )
        self.heatmap = HeatmapPresenter(self.session, self.jobs, self.player, window.heatmap, self)
        self.search = SearchPresenter(
            self.session,
            self.jobs,
            self.engine,
            self.player,
            self.reporter,
            window.search,
            self,
        )
        self.adaptation = AdaptationPresenter(
            self.session, self.jobs, self.engine, TrainerProcess(self), window.adaptation, self
        )
        self.status = StatusPresenter(self.jobs, window.status, self)
        self._connect()
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

    def close(self) -> None:
        """Stop all threads; afterwards nothing calls back."""
        if self._is_closed:
            return
        self._is_closed = True
        self.player.pause()
        self.settings.set(keys.GEOMETRY, self.window.saveGeometry())
        if self.session.entries:
            self.settings.set(keys.LAYOUT, self.window.layout_state())
        self.settings.sync()
        self.window.hide()
        self.adaptation.close()
        self.jobs.close()
        self.files.close()  # after the last autosave
        self.frames.close()
        self.collector.stop()

    def _may_close(self) -> bool:
        """Return whether nothing is unsaved; otherwise ask, and close after the answer."""
        if self._is_closed or self._is_leaving or self.project.is_saved:
            return True

        def leave() -> None:
            self._is_leaving = True
            self.window.close()

        self.files.when_saved(leave)
        return False

    def _restore(self) -> None:
        geometry = self.settings.get(keys.GEOMETRY)
        if not geometry.isEmpty():
            self.window.restoreGeometry(geometry)
        layout = self.settings.get(keys.LAYOUT)
        if not layout.isEmpty():
            self.window.restoreState(layout)
        self.actions[ActionId.METHOD_PICTURES].setChecked(True)
        self.actions[ActionId.SYNC].setChecked(True)
        self._show_map()
        base = self.settings.get(keys.TIME_BASE)
        which = next((i for i, b in _BASES.items() if b.value == base), ActionId.BASE_REFERENCE)
        self.project.put(edits.set_base(self.project.project, _base_name(_BASES[which])))

    # Wiring ------------------------------------------------------------------------------------

    def _connect(self) -> None:
        window, session = self.window, self.session
        self.keeper.followed.connect(self._on_project_changed)
        self.project.stack.indexChanged.connect(self._on_step)
        session.active_changed.connect(lambda _id: self._show_map())
        self.opening.project_offered.connect(self.files.open)
        self.files.named.connect(self._on_named)
        self.files.opened.connect(self._on_project_opened)
        self.frames.frame_ready.connect(self.player.on_frame_ready)
        self.frames.failed.connect(self._on_frame_failed)
        self.jobs.faulted.connect(self._on_job_faulted)
        self.reporter.reported.connect(window.banner.show_message)
        # Before the player asks for frames of a new recording there must be a decoder for it.
        session.recordings_changed.connect(self._on_recordings_changed)

        self.opening.image_offered.connect(self._on_image_offered)
        self.loading.engine_ready.connect(self._on_engine_ready)

        window.files_dropped.connect(self.opening.add_paths)
        window.pixels_dropped.connect(self._on_pixels)
        window.reference_chosen.connect(self._make_reference)
        window.closing.connect(self.close)
        window.theme_changed.connect(self._on_theme_changed)
        window.empty.open_requested.connect(self._choose_files)
        window.empty.demo_requested.connect(self.open_demo)
        window.empty.project_requested.connect(self.files.open)
        window.empty.forget_requested.connect(self.files.forget_recent)
        self.files.recent_listed.connect(window.empty.set_recent)
        window.may_close = self._may_close
        window.status.cancel_requested.connect(self.loading.cancel)

        window.grid.tile_pressed.connect(session.set_active)
        window.grid.tile_resized.connect(lambda _id: self.player.refresh())
        window.grid.menu_requested.connect(self._on_tile_menu)
        window.grid.add_requested.connect(self._choose_files)

        window.transport.speed_chosen.connect(self.player.set_speed)
        window.timeline.seek_requested.connect(self.player.seek_own)
        window.timeline.scrub_started.connect(self.player.begin_scrub)
        window.timeline.scrub_ended.connect(self.player.end_scrub)
        window.timeline.lane_pressed.connect(session.set_active)

        window.heatmap.pair_clicked.connect(self.heatmap.seek)
        window.heatmap.range_changed.connect(self.heatmap.show_range)
        window.heatmap.pair_chosen.connect(self.heatmap.choose_pair)

        window.search.match_chosen.connect(self.search.open_match)
        window.search.frame_dropped.connect(self.search.find_shown_frame)
        window.search.file_dropped.connect(self._on_search_file)
        window.search.pixels_dropped.connect(self._on_pixels)
        window.search.frame_wanted.connect(self.search.find_active_frame)
        window.search.file_wanted.connect(self._choose_image)
        panel = window.adaptation
        panel.start_wanted.connect(self.adaptation.start)
        panel.stop_wanted.connect(self.adaptation.stop)
        panel.use_wanted.connect(self.adaptation.use)
        panel.dismissed.connect(self.adaptation.dismiss)
        panel.back_wanted.connect(self.adaptation.go_back)
        self.adaptation.encoder_chosen.connect(self._use_encoder)
        self.search.started.connect(window.show_search)
        self.search.found.connect(self.timeline.set_hits)

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
            ActionId.ALIGN: lambda: self.loading.align_again(),
            ActionId.CANCEL_JOBS: lambda: self.loading.cancel(),
            ActionId.ADAPT: self._show_adaptation,
            ActionId.MAKE_REFERENCE: lambda: self._make_reference(self.session.active_id),
            ActionId.PIN: lambda: self.handwork.pin(),
            ActionId.UNPIN: lambda: self.handwork.unpin(),
            ActionId.CLEAR_PINS: lambda: self.handwork.clear(),
            ActionId.NEAREST_PIN: lambda: self.handwork.jump(),
            ActionId.SYNC: lambda: self.player.set_synced(self.actions[ActionId.SYNC].isChecked()),
            ActionId.NUDGE_BACK: lambda: self.handwork.nudge(-1),
            ActionId.NUDGE_FORWARD: lambda: self.handwork.nudge(1),
            ActionId.NUDGE_BACK_TEN: lambda: self.handwork.nudge(-10),
            ActionId.NUDGE_FORWARD_TEN: lambda: self.handwork.nudge(10),
            ActionId.NUDGE_BACK_HUNDRED: lambda: self.handwork.nudge(-100),
            ActionId.NUDGE_FORWARD_HUNDRED: lambda: self.handwork.nudge(100),
            ActionId.MAP_AUTO: lambda: self.handwork.set_map("auto"),
            ActionId.MAP_OFFSET: lambda: self.handwork.set_map("offset"),
            ActionId.MAP_LINEAR: lambda: self.handwork.set_map("linear"),
            ActionId.MAP_PINS: lambda: self.handwork.set_map("anchors"),
            ActionId.FIND_FRAME: lambda: self.search.find_active_frame(),
            ActionId.FIND_IMAGE: self._choose_image,
            ActionId.FIND_PASTED: self._find_pasted,
            ActionId.PLAY: lambda: self.player.toggle(),
            ActionId.SHUTTLE_BACK: lambda: self.player.shuttle(-1),
            ActionId.SHUTTLE_STOP: lambda: self.player.pause(),
            ActionId.SHUTTLE_FORWARD: lambda: self.player.shuttle(1),
            ActionId.FRAME_BACK: lambda: self.player.step(-1),
            ActionId.FRAME_FORWARD: lambda: self.player.step(1),
            ActionId.FRAMES_BACK: lambda: self.player.step(-10),
            ActionId.FRAMES_FORWARD: lambda: self.player.step(10),
            ActionId.FRAMES_BACK_HUNDRED: lambda: self.player.step(-100),
            ActionId.FRAMES_FORWARD_HUNDRED: lambda: self.player.step(100),
            ActionId.TEN_SECONDS_BACK: lambda: self.player.seek_by(-10.0),
            ActionId.TEN_SECONDS_FORWARD: lambda: self.player.seek_by(10.0),
            ActionId.TENTH_BACK: lambda: self.player.seek_by_share(-0.1),
            ActionId.TENTH_FORWARD: lambda: self.player.seek_by_share(0.1),
            ActionId.IN: lambda: self.handwork.set_range(is_start=True),
            ActionId.OUT: lambda: self.handwork.set_range(is_start=False),
            ActionId.CLEAR_RANGE: lambda: self.handwork.clear_range(),
            ActionId.SECOND_BACK: lambda: self.player.seek_by(-1.0),
            ActionId.SECOND_FORWARD: lambda: self.player.seek_by(1.0),
            ActionId.START: lambda: self.player.seek_end(is_end=False),
            ActionId.END: lambda: self.player.seek_end(is_end=True),
            ActionId.SLOWER: lambda: self.player.change_speed(-1),
            ActionId.FASTER: lambda: self.player.change_speed(1),
            ActionId.NORMAL_SPEED: lambda: self.player.change_speed(0),
            ActionId.LOOP: lambda: self.player.set_looping(self.actions[ActionId.LOOP].isChecked()),
            ActionId.NEXT_TILE: lambda: self.session.activate_neighbour(1),
            ActionId.PREVIOUS_TILE: lambda: self.session.activate_neighbour(-1),
            ActionId.METHOD_PICTURES: lambda: self._set_method(Method.PICTURES),
            ActionId.METHOD_SOUND: lambda: self._set_method(Method.SOUND),
            ActionId.METHOD_TIMECODE: lambda: self._set_method(Method.TIMECODE),
            ActionId.BASE_REFERENCE: lambda: self._set_base(ActionId.BASE_REFERENCE),
            ActionId.BASE_MEAN: lambda: self._set_base(ActionId.BASE_MEAN),
            ActionId.BASE_NATIVE: lambda: self._set_base(ActionId.BASE_NATIVE),
            ActionId.FULL_SCREEN: self._toggle_full_screen,
            ActionId.RESET_LAYOUT: lambda: self.window.reset_layout(),
            ActionId.KEYS: lambda: KeySheet(self.window).show(),
            ActionId.DIAGNOSTICS: self._copy_diagnostics,
            ActionId.ABOUT: self._show_about,
        }

    # Reactions ---------------------------------------------------------------------------------

    def _on_recordings_changed(self) -> None:
        session = self.session
        self.frames.set_recordings(session.recordings)
        self.window.set_references(
            tuple(PairChoice(e.id, f"{e.letter}  {e.recording.name}") for e in session.entries),
            session.reference_id,
        )
        is_any = bool(session.entries)
        self.window.show_recordings(is_any=is_any)
        self._on_named()
        needs = (
            ActionId.REMOVE,
            ActionId.CLOSE_ALL,
            ActionId.ALIGN,
            ActionId.ADAPT,
            ActionId.MAKE_REFERENCE,
            ActionId.FIND_FRAME,
            ActionId.PLAY,
            ActionId.SAVE,
            ActionId.SAVE_AS,
            ActionId.PIN,
            ActionId.IN,
            ActionId.OUT,
        )
        for which in needs:
            self.actions[which].setEnabled(is_any)
        self._offer_methods()

    def _on_named(self) -> None:
        """Title: the project, or the recordings where it has no name; a star for unsaved work."""
        name = self.files.name or " – ".join(e.recording.name for e in self.session.entries)
        self.window.setWindowTitle(f"{name}[*] – CARL" if name else "CARL[*]")
        self.window.setWindowModified(not self.project.is_saved and bool(self.session.entries))

    def _on_project_opened(self) -> None:
        self.window.banner.clear()

    def _offer_methods(self) -> None:
        """Let only such methods be chosen as all recordings allow, and say which does not."""
        for which, method in _METHODS.items():
            names = lacking(method, self.session.recordings)
            action = self.actions[which]
            action.setEnabled(bool(self.session.entries) and not names)
            missing = self.tr("Not possible: no timecode in {names}.")
            if method is Method.SOUND:
                missing = self.tr("Not possible: no sound in {names}.")
            shown = ", ".join(names)
            action.setToolTip(missing.format(names=shown) if names else tooltip(SPECS[which]))

    def _show_adaptation(self) -> None:
        self.adaptation.refresh()
        self.window.show_adaptation()

    def _use_encoder(self, path: Path) -> None:
        self.loading.use_engine(engine_maker(path))

    def _on_engine_ready(self, state: EngineState) -> None:
        self.engine_state = state
        self.collector.spare_what_is_loaded()
        self.status.set_engine(state)

    def _on_frame_failed(self, recording_id: str, error: Exception) -> None:
        self.reporter.report(describe(error, topic=f"frames:{recording_id}"))

    def _on_job_faulted(self, error: Exception, job: Job[Any]) -> None:
        log.error("job %s failed: %s", job.key, error, exc_info=error)
        self.reporter.report(describe(error))

    def _on_image_offered(self, path: Path) -> None:
        text = self.tr("“{name}” is a picture. It can be looked for in the recordings.").format(
            name=path.name
        )
        choice = Choice(self.tr("Find it"), lambda: self.search.find_image_file(path))
        self.reporter.report(Message(text, Severity.INFO, choices=(choice,), topic="picture"))

    def _on_search_file(self, path: Path) -> None:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            self.opening.add_paths([path])
        else:
            self.search.find_image_file(path)

    def _on_pixels(self, image: QImage) -> None:
        self.search.find_pixels(self.tr("the pasted picture"), pixels_of(image))

    def _on_tile_menu(self, recording_id: str, at: QPoint) -> None:
        menu = QMenu(self.window)
        for which in (ActionId.MAKE_REFERENCE, ActionId.FIND_FRAME, ActionId.REMOVE):
            menu.addAction(self.actions[which])
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(at)

    def _on_theme_changed(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            THEME.apply(app, self.settings.get(keys.THEME))
            self.window.refresh_icons()

    def _set_base(self, which: ActionId) -> None:
        base = _BASES[which]
        self.files.edit(
            self.tr("change the time base"),
            lambda p: edits.set_base(p, _base_name(base)),
        )
        self.settings.set(keys.TIME_BASE, base.value)

    def _make_reference(self, recording_id: str) -> None:
        entry = self.session.entry(recording_id)
        if entry is not None:
            self.files.edit(
                self.tr("make {letter} the reference").format(letter=entry.letter),
                lambda p: edits.set_reference(p, recording_id),
            )

    def _remove_active(self) -> None:
        entry = self.session.entry(self.session.active_id)
        if entry is not None:
            self.files.edit(
                self.tr("remove {name}").format(name=entry.recording.name),
                lambda p: edits.remove_recording(p, entry.id),
            )

    def _remove_all(self) -> None:
        self.files.edit(self.tr("remove all recordings"), edits.clear)

    def _set_method(self, method: Method) -> None:
        self.files.edit(self.tr("change the method"), lambda p: edits.set_method(p, method.value))

    def _on_project_changed(self) -> None:
        """Show what the project says where no presenter does."""
        project = self.project.project
        for which, base in _BASES.items():
            if _base_name(base) == project.base:
                self.actions[which].setChecked(True)
        for which, method in _METHODS.items():
            if method.value == project.method:
                self.actions[which].setChecked(True)
        loop = project.loop
        self.player.set_range(None if loop is None else (loop.start_s, loop.end_s))
        self._show_map()

    def _on_step(self, _index: int) -> None:
        if not self._is_closed:  # a stack says this once more when it goes
            self._show_map()

    def _show_map(self) -> None:
        """Check the kind of map of the active recording."""
        kind = self.project.project.maps.get(self.session.active_id, "auto")
        for which, name in _MAPS.items():
            if name == kind:
                self.actions[which].setChecked(True)
        for which in (ActionId.UNDO, ActionId.REDO):
            stack = self.project.stack
            is_undo = which is ActionId.UNDO
            text = stack.undoText() if is_undo else stack.redoText()
            word = translated(SPECS[which].text)
            self.actions[which].setText(f"{word}: {text}" if text else word)
            self.actions[which].setEnabled(stack.canUndo() if is_undo else stack.canRedo())

    def _toggle_full_screen(self) -> None:
        if self.window.isFullScreen():
            self.window.showNormal()
        else:
            self.window.showFullScreen()
        self.actions[ActionId.FULL_SCREEN].setChecked(self.window.isFullScreen())

    # Dialogs -----------------------------------------------------------------------------------

    def _choose_files(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(VIDEO_SUFFIXES))
        self._choose(
            self.tr("Add recordings"),
            [self.tr("Videos ({patterns})").format(patterns=patterns), self.tr("All files (*)")],
            self.opening.add_paths,
            is_many=True,
        )

    def _choose_image(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(IMAGE_SUFFIXES))
        self._choose(
            self.tr("Find an image"),
            [self.tr("Images ({patterns})").format(patterns=patterns), self.tr("All files (*)")],
            lambda paths: self.search.find_image_file(paths[0]),
            is_many=False,
        )

    def _choose(
        self,
        title: str,
        filters: list[str],
        then: Callable[[Sequence[Path]], None],
        *,
        is_many: bool,
    ) -> None:
        folder = self.settings.get(keys.LAST_FOLDER)
        dialog = QFileDialog(self.window, title, folder)
        dialog.setObjectName("file-dialog")
        dialog.setFileMode(
            QFileDialog.FileMode.ExistingFiles if is_many else QFileDialog.FileMode.ExistingFile
        )
        dialog.setNameFilters(filters)

        def accept() -> None:
            paths = [Path(name) for name in dialog.selectedFiles()]
            if paths:
                self.settings.set(keys.LAST_FOLDER, str(paths[0].parent))
                then(paths)

        dialog.accepted.connect(accept)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()  # not exec: the event loop stays ours

    def _find_pasted(self) -> None:
        data = QGuiApplication.clipboard().mimeData()
        if data.hasImage() and isinstance(data.imageData(), QImage):
            self._on_pixels(data.imageData())
            return
        paths = [Path(u.toLocalFile()) for u in data.urls() if u.isLocalFile()]
        if paths and paths[0].suffix.lower() in IMAGE_SUFFIXES:
            self.search.find_image_file(paths[0])
        elif paths:
            self.opening.add_paths(paths)
        else:
            self.reporter.report(
                Message(
                    self.tr("There is no picture on the clipboard. Copy one, then paste again."),
                    Severity.INFO,
                    topic="paste",
                )
            )

    def _copy_diagnostics(self) -> None:
        QGuiApplication.clipboard().setText(self.diagnostics())
        self.reporter.report(
            Message(self.tr("Diagnostics are on the clipboard."), Severity.INFO, topic="copied")
        )

    def diagnostics(self) -> str:
        """Versions, device and the last log lines, for a report."""
        engine = self.engine_state.provider if self.engine_state else "not loaded"
        lines = [
            f"CARL {_version('carl-align')}, Python {platform.python_version()}, "
            f"PySide6 {_version('PySide6-Essentials')}, {platform.platform()}",
            f"platform {QGuiApplication.platformName()}, encoder on {engine}",
            *(
                f"{e.letter}: {e.recording.info.codec} {e.recording.info.width}x"
                f"{e.recording.info.height}, {len(e.recording.index)} frames, {e.stage.value}"
                for e in self.session.entries
            ),
            "",
            self.recent.text(),
        ]
        return "\n".join(lines)

    def _show_about(self) -> None:
        box = QMessageBox(self.window)
        box.setWindowTitle(self.tr("About CARL"))
        box.setText(f"<b>CARL</b> {_version('carl-align')}")
        box.setInformativeText(
            self.tr(
                "Two or more recordings of the same action, aligned in time and seen side by "
                "side in step. Everything stays on this computer. MIT licence."
            )
        )
        box.finished.connect(box.deleteLater)
        box.open()


class _PlayerView:
    """Tiles and play buttons in one."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def show_frame(self, recording_id: str, frame: Frame, rate: float | None) -> None:
        self._window.grid.show_frame(recording_id, frame, rate)

    def set_counterpart(self, recording_id: str, has_counterpart: bool) -> None:
        self._window.grid.set_counterpart(recording_id, has_counterpart)

    def picture_size(self, recording_id: str) -> tuple[int, int]:
        return self._window.grid.picture_size(recording_id)

    def set_transport(self, transport: Transport) -> None:
        self._window.transport.set_transport(transport)


class _TimelineView:
    """Lanes, with the window giving them room."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def set_lanes(self, lanes: tuple[Lane, ...]) -> None:
        self._window.set_lanes(lanes)

    def add_thumbnail(self, recording_id: str, thumbnail: Thumbnail) -> None:
        self._window.timeline.add_thumbnail(recording_id, thumbnail)

    def set_playheads(self, times_s: Mapping[str, float | None]) -> None:
        self._window.timeline.set_playheads(times_s)


def pixels_of(image: QImage) -> UInt8:
    """Copy a picture into uint8 (H, W, 3) RGB."""
    rgb = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(rgb.constBits(), dtype=np.uint8).reshape(rgb.height(), rgb.bytesPerLine())
    return rows[:, : rgb.width() * 3].reshape(rgb.height(), rgb.width(), 3).copy()


def _base_name(base: TimeBase) -> TimeBaseName:
    names: dict[TimeBase, TimeBaseName] = {
        TimeBase.REFERENCE: "reference",
        TimeBase.MEAN: "mean",
        TimeBase.NATIVE: "native",
    }
    return names[base]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _ignore(_value: object) -> None:
    """Drop a return value where none is wanted."""
