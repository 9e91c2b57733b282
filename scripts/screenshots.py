"""Take the pictures of the documentation from the real program on the bundled recordings.

    QT_QPA_PLATFORM=offscreen python scripts/screenshots.py docs/images

Run by `make screenshots`. Every picture is a state a user meets: look at each after a change.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QWidget

    from app.bootstrap.program import Program

SIZE = (1360, 850)
LIMIT_MS = 300_000


class Shooter:
    """Drives one window and keeps its pictures."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self._folder = folder

    def wait(self, is_over: Callable[[], bool] = lambda: False, limit_ms: int = LIMIT_MS) -> None:
        """Let the program run until ``is_over``, at most ``limit_ms``."""
        from PySide6.QtCore import QEventLoop, QTimer

        loop, timer = QEventLoop(), QTimer()
        timer.setInterval(20)
        timer.timeout.connect(lambda: loop.quit() if is_over() else None)
        timer.start()
        QTimer.singleShot(limit_ms, loop.quit)
        loop.exec()

    def shoot(self, name: str, widget: QWidget | None = None) -> None:
        """Keep what the window, or one widget, shows."""
        self.wait(lambda: self.program.player.is_up_to_date, 10_000)
        self.wait(limit_ms=900)
        path = self._folder / f"{name}.jpg"
        (widget or self.program.window).grab().save(str(path), "JPG", 88)
        sys.stdout.write(f"{path}\n")


def shoot_map(shooter: Shooter, program: Program) -> None:
    """Keep the map with both frames beside the cursor, and what else it can show."""
    from PySide6.QtCore import QPoint

    from app.models.mapkind import MapPicture

    panel, heatmap = program.window.heatmap, program.mapping.heatmap
    box = panel.plot.getPlotItem().getViewBox()
    (left, right), (bottom, top) = box.viewRange()
    # The cursor of a machine without a mouse: where it would be, and what it rests on.
    at = panel.plot.mapFromScene(box.sceneBoundingRect().center())
    panel._cursor_at = lambda: QPoint(at)  # type: ignore[method-assign]
    panel.hovered.emit((left + right) / 2, (bottom + top) / 2)
    shooter.wait(panel._frames.isVisible, 10_000)
    shooter.shoot("cursor")
    panel._leave()
    for kind, name in ((MapPicture.COST, "cost"), (MapPicture.SELF_OTHER, "itself")):
        heatmap.choose_picture(kind)
        shooter.wait(lambda: not program.jobs.is_active("heatmap"))
        shooter.shoot(name, panel)
    heatmap.choose_picture(MapPicture.SIMILARITY)
    shooter.wait(lambda: not program.jobs.is_active("heatmap"))


def shoot_training(shooter: Shooter, program: Program) -> None:
    """Train a head on the sample's folder, and keep the panel on the way."""
    from app.actions import ActionId
    from app.bootstrap.adapting import AdaptingFeature

    program.actions[ActionId.TRAIN].trigger()
    training = next(f for f in program.features if isinstance(f, AdaptingFeature)).training
    # Under a name that is the same on every machine, for it is seen.
    folder = Path(tempfile.gettempdir()) / "recordings"
    shutil.copytree(
        Path(program.session.entries[0].recording.path).parent, folder, dirs_exist_ok=True
    )
    training.choose_folder(folder)
    training.start(400)
    shooter.wait(
        lambda: len(training.state.looks) > 2 or not training.state.stage.is_running, LIMIT_MS
    )
    shooter.shoot("training")
    training.stop()
    shooter.wait(lambda: not training.state.stage.is_running)


def main(folder: Path) -> None:
    """Go through the states."""
    from PySide6.QtWidgets import QTabWidget

    from app.actions import ActionId
    from app.bootstrap.program import Program
    from app.bootstrap.run import import_engine, make_application
    from app.resources.theme import THEME
    from app.settings import Settings
    from app.views.export_dialog import ExportDialog
    from app.views.palette import Palette

    folder.mkdir(parents=True, exist_ok=True)
    app = make_application()
    THEME.apply(app, "dark")
    import_engine()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CARL_CACHE"] = str(Path(scratch) / "cache")
        program = Program(settings=Settings(Path(scratch) / "window.ini"), state=Path(scratch))
        window, actions = program.window, program.actions
        window.resize(*SIZE)
        shooter = Shooter(program, folder)
        program.show()
        shooter.wait(lambda: program.engine_state is not None)
        shooter.shoot("empty")
        program.open_demo()
        shooter.wait(lambda: any(e.progress for e in program.session.entries))
        shooter.shoot("loading")
        shooter.wait(lambda: len(program.session.entries) == 2 and not program.loading.is_busy)
        schedule = program.session.schedule
        assert schedule is not None
        program.player.seek(schedule.duration_s * 0.45)
        program.session.set_active(program.session.entries[1].id)
        shooter.shoot("aligned")
        for which in ("overlay", "difference", "wipe"):
            actions[ActionId(f"view-{which}")].trigger()
            shooter.shoot(which)
        actions[ActionId.VIEW_GRID].trigger()
        program.player.nudge(program.session.active_id, 3)
        actions[ActionId.ZOOM_IN].trigger()
        actions[ActionId.ZOOM_IN].trigger()
        shooter.shoot("nudged")
        program.player.clear_nudge(program.session.active_id)
        actions[ActionId.ZOOM_FIT].trigger()
        schedule_s = schedule.duration_s
        window.timeline.show_stretch(schedule_s * 0.45 - 0.5, schedule_s * 0.45 + 0.7)
        shooter.wait(lambda: not program.jobs.is_active("thumbnails"), 20_000)
        shooter.wait(limit_ms=500)
        shooter.wait(lambda: not program.jobs.is_active("thumbnails"), 20_000)
        shooter.shoot("lanes")
        window.timeline.fit()
        pinning = program.mapping.pinning
        times = schedule.times_at(schedule.duration_s * 0.45)
        first, second = (times[e.id] or 0.0 for e in program.session.entries)
        pinning.add(first, second)
        pinning.add_patch((first + 2, first + 4), (second - 4, second - 2), False)
        shooter.wait(lambda: not program.loading.is_busy)
        box = window.heatmap.plot.getPlotItem().getViewBox()
        box.setRange(xRange=(first - 5, first + 5), yRange=(second - 5, second + 5), padding=0)
        shooter.shoot("heatmap")
        window.heatmap.fit()
        shoot_map(shooter, program)
        for _ in range(2):
            actions[ActionId.UNDO].trigger()
        shooter.wait(lambda: not program.loading.is_busy)
        actions[ActionId.FIND_FRAME].trigger()
        shooter.wait(lambda: not program.jobs.is_active("search"))
        program.player.seek(schedule_s * 0.2)
        shooter.wait(lambda: program.player.is_up_to_date, 10_000)
        actions[ActionId.FIND_UNLIKE].trigger()
        shooter.wait(limit_ms=300)
        shooter.wait(lambda: not program.jobs.is_active("search"))
        shooter.shoot("matches")
        program.session.set_active(program.session.entries[0].id)
        for start, end, name in ((0.1, 0.4, "first half"), (0.4, 0.75, "second half")):
            program.player.seek(schedule.duration_s * start)
            actions[ActionId.IN].trigger()
            program.player.seek(schedule.duration_s * end)
            actions[ActionId.OUT].trigger()
            actions[ActionId.MARK_PHASE].trigger()
            window.markers.table.renamed.emit(program.project.project.markers[-1].id, name)
        actions[ActionId.MARK].trigger()
        shooter.shoot("markers")
        tabs = window.markers.findChild(QTabWidget)
        assert tabs is not None
        tabs.setCurrentIndex(1)
        shooter.shoot("phases")
        actions[ActionId.CLEAR_RANGE].trigger()
        shoot_training(shooter, program)
        actions[ActionId.EXPORT].trigger()
        dialog = window.findChild(ExportDialog)
        assert dialog is not None
        shooter.shoot("export", dialog)
        dialog.reject()
        actions[ActionId.PALETTE].trigger()
        palette = window.findChild(Palette)
        assert palette is not None
        shooter.shoot("palette", palette)
        palette.close()
        broken = Path(scratch) / "broken.mp4"
        broken.write_bytes(b"not a video")
        program.opening.add_paths([broken])
        window.alignment_dock.raise_()
        shooter.wait(lambda: bool(window.banner.messages), 20_000)
        shooter.shoot("error")
        window.banner.clear()
        THEME.apply(app, "light")
        window.refresh_icons()
        for feature in program.features:
            feature.on_theme()
        shooter.shoot("light")
        program.close()


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    main(Path(sys.argv[1]))
