"""What the window keeps, tells and forgets of the user's files."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtWidgets import QMessageBox, QPushButton

from app import settings as keys
from app.actions import ActionId
from app.faults.log import RecentRecords, discreet
from app.settings import Settings
from carl_core.embeddings.store import EmbeddingStore
from carl_core.errors import MediaError
from carl_core.paths import KEEP_NOTHING
from carl_core.pipeline import Engine
from carl_core.project.recent import RecentProjects
from tests.app.conftest import wait_settled
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


@pytest.fixture
def logged() -> Iterator[tuple[logging.Logger, RecentRecords]]:
    recent = RecentRecords()
    logger = logging.getLogger("carl.test")
    logger.addHandler(recent)
    logger.setLevel(logging.DEBUG)
    yield logger, recent
    logger.removeHandler(recent)


SECRETS = ("Müller", "knee surgery", "/home", "C:\\", ".mp4", "secret")


def test_diagnostics_hold_no_names_and_no_paths(
    logged: tuple[logging.Logger, RecentRecords],
) -> None:
    logger, recent = logged
    path = Path("/home/Müller/knee surgery.mp4")
    logger.info("opening %s", path)
    logger.info("%s: frame %d of %.2f s", str(path), 12, 3.5)
    logger.warning("%s", MediaError(f"{path} does not exist."))
    logger.warning("/home/Müller/secret.mp4 is odd, and C:\\secret\\x.avi too")
    logger.info("secret.mp4 was shown")
    logger.info("%(name)s", {"name": "Müller"})
    try:
        raise ValueError(f"cannot read {path}")
    except ValueError:
        logger.exception("failed on %r", path)
    told = recent.discreet_text()
    for secret in SECRETS:
        assert secret not in told, secret
    for kept in ("opening", "frame 12 of 3.50 s", "<MediaError>", "ValueError at", "WARNING"):
        assert kept in told
    odd = logging.LogRecord("carl", logging.INFO, "", 0, "%d pictures", ("Müller",), None)
    assert discreet(odd).endswith("%d pictures")  # a mistake of ours must not lose the line
    assert str(path) in recent.text()  # the message's own details, which the user sees, have it


def test_the_window_copies_diagnostics_without_names(
    make_program: Callable[..., Program], tmp_path: Path, qtbot: QtBot
) -> None:
    recent = RecentRecords()
    logging.getLogger("carl").addHandler(recent)
    try:
        program = make_program(recent=recent)
        one = make_video(tmp_path / "Müller knee surgery.mp4", frames=10)
        two = make_video(tmp_path / "secret.mp4", frames=12)
        program.opening.add_paths([one, two, tmp_path / "Müller missing.mp4"])
        wait_settled(qtbot, program, 2)
        logging.getLogger("carl.video").warning("%s is odd", one)
        text = program.help.diagnostics()
    finally:
        logging.getLogger("carl").removeHandler(recent)
    for secret in (*SECRETS, str(tmp_path)):
        assert secret not in text, secret
    assert "h264 160x120, 10 frames" in text


def test_the_traces_of_a_recording_are_forgotten(
    make_program: Callable[..., Program], tmp_path: Path, qtbot: QtBot, private_cache: Path
) -> None:
    engine = Engine(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cpu")
    program = make_program(engine)
    one = make_video(tmp_path / "one.mp4", frames=30)
    two = make_video(tmp_path / "two.mp4", frames=30, numbers=range(5, 35))
    program.opening.add_paths([one, two])
    wait_settled(qtbot, program, 2)
    program.files._write(tmp_path / "p.carl", None)
    recent = RecentProjects(tmp_path / "state")
    qtbot.waitUntil(lambda: RecentProjects(tmp_path / "state").paths() != ())
    qtbot.waitUntil(lambda: recent.picture_of(tmp_path / "p.carl").exists())
    store = EmbeddingStore()
    assert store.usage().entries == 2
    program.session.set_active(program.session.entries[0].id)

    def confirm() -> None:
        box = program.window.findChild(QMessageBox, "ask-forget")
        assert box is not None
        assert "one.mp4" in box.text()
        next(b for b in box.findChildren(QPushButton) if b.text() == "Forget").click()

    program.actions[ActionId.FORGET].trigger()
    confirm()
    qtbot.waitUntil(lambda: store.usage().entries == 1)
    qtbot.waitUntil(lambda: RecentProjects(tmp_path / "state").paths() == ())
    qtbot.waitUntil(lambda: not recent.picture_of(tmp_path / "p.carl").exists())
    qtbot.waitUntil(lambda: not program.jobs.is_active("forget"))
    program.files._recent.add(tmp_path / "q.carl")  # the window does not bring it back
    assert RecentProjects(tmp_path / "state").paths() == (tmp_path / "q.carl",)
    assert one.exists()
    assert (tmp_path / "p.carl").exists()


def test_where_nothing_is_kept_the_last_folder_is_not_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(tmp_path / "window.ini")
    monkeypatch.setenv(KEEP_NOTHING, "1")
    settings.set(keys.LAST_FOLDER, "/home/Müller")
    settings.set(keys.THEME, "dark")
    assert (settings.get(keys.LAST_FOLDER), settings.get(keys.THEME)) == ("", "dark")


# By option and variable it is the same; each takes seconds.
@pytest.mark.parametrize("way", ["setting", ""])
def test_a_window_that_keeps_nothing_leaves_nothing(tmp_path: Path, way: str) -> None:
    """A whole process: it opens two recordings, is closed, and nothing of them is on the disk."""
    home = tmp_path / "home"
    videos = [make_video(tmp_path / f"{n} surgery.mp4", frames=n) for n in (20, 25)]
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    (home / "config").mkdir(parents=True)
    if way == "setting":
        (home / "config" / "window.ini").write_text("[privacy]\nkeep-nothing=true\n")
    code = f"""
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from app.bootstrap import program
from app.bootstrap import run as module
class Seen(program.Program):
    def show(self):
        super().show()
        self.poll = QTimer(self)
        self.poll.timeout.connect(self.look)
        self.poll.start(50)
    def look(self):
        if len(self.session.entries) == 2 and not self.loading.is_busy:
            self.poll.stop()
            self.files._note_recent(Path("/x/surgery.carl"))
            self.settings.set(module.keys.LAST_FOLDER, "/x/surgery")
            QTimer.singleShot(2500, self.window.close)
program.Program = Seen
sys.exit(module.run(module.Start(
    files=tuple(map(Path, {[str(v) for v in videos]!r})), model=Path({str(model)!r}),
    is_new_window=True)))
"""
    environment = os.environ | {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "CARL_CACHE": str(home / "cache"),
        "CARL_STATE": str(home / "state"),
        "CARL_CONFIG": str(home / "config"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        KEEP_NOTHING: "",
    }
    (home / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""
    found = {p: p.read_bytes() for p in home.rglob("*") if p.is_file() and "numba" not in str(p)}
    told = [p for p, content in found.items() if b"surgery" in content or "surgery" in p.name]
    embeddings = [p for p in found if p.name == "vectors.f32"]
    if way:
        assert (told, embeddings) == ([], [])
        assert list((home / "tmp").iterdir()) == []
    else:  # what the others must not do
        assert told
        assert len(embeddings) == 2
        for folder in (home / "state", home / "cache" / "embeddings"):
            assert sys.platform == "win32" or stat.S_IMODE(folder.stat().st_mode) == 0o700
