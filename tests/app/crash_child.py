"""A window that works until it is killed: ``python -m tests.app.crash_child STATE VIDEO...``."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QTimer

from app.actions import ActionId
from app.bootstrap.program import Program
from app.bootstrap.run import make_application
from app.settings import Settings
from carl_core.project.files import read_autosave
from tests.app.fakes import FakeEngine


def main(state: Path, videos: list[Path]) -> None:
    """Open, mark a frame, and say "kept" once that is in the file of unsaved work."""
    app = make_application()
    engine = FakeEngine()
    program = Program(
        make_engine=lambda: engine,  # type: ignore[arg-type, return-value]
        settings=Settings(state / "child.ini"),
        state=state,
    )
    program.show()
    program.opening.add_paths(videos)
    timer = QTimer()

    def look() -> None:
        is_open = len(program.session.entries) == len(videos) and not program.loading.is_busy
        if not is_open:
            return
        if not program.project.project.markers:
            program.player.seek(0.8)
            program.actions[ActionId.MARK].trigger()
        kept = list((state / "unsaved").glob("*"))
        if any(read_autosave(path).project.markers for path in kept):
            timer.stop()
            print("kept", flush=True)

    timer.timeout.connect(look)
    timer.start(20)
    app.exec()


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
