"""The whole window through bootstrap, with generated videos."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QLabel, QMessageBox

from app.actions import ActionId
from app.bootstrap.finding import pixels_of
from app.models.engine import engine_maker
from app.models.searching import Role
from app.models.session import Stage
from carl_core.errors import ModelError
from carl_core.playback.schedule import TimeBase
from carl_core.video.image import write_png
from tests.app.conftest import wait_settled
from tests.app.fakes import FakeEngine
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import draw_frame, make_video, read_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from app.jobs import Job


def messages(program: Program) -> str:
    return "\n".join(m.text for m in program.window.banner.messages)


def wait_message(qtbot: QtBot, program: Program, part: str) -> str:
    qtbot.waitUntil(lambda: part in messages(program), timeout=60_000)
    return messages(program)


def drop(program: Program, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    program.window.dropEvent(
        QDropEvent(
            QPointF(50, 50),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )


def shown_frame(program: Program, position: int) -> int:
    return program.player.shown[program.session.entries[position].id].index


# The main job ----------------------------------------------------------------------------------


def test_dropped_files_are_embedded_aligned_and_shown_without_another_click(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    engine = FakeEngine()
    program = make_program(engine)
    assert program.window.empty.isVisible()
    drop(program, *videos)
    wait_settled(qtbot, program, 3)
    assert [e.recording.name for e in program.session.entries] == [v.name for v in videos]
    # Recordings are embedded side by side: which is ready first is chance.
    assert sorted(engine.aligned) == [("first.mp4", "second.mp4"), ("first.mp4", "third.mp4")]
    assert all(e.stage is Stage.ALIGNED for e in program.session.others)
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
    assert len(program.window.grid.tiles) == 3
    assert len(program.window.timeline.lanes) == 3
    assert not program.window.empty.isVisible()
    assert "✓" in program.window.heatmap.verdict.title.text()


def test_what_a_tile_shows_is_what_the_map_says(aligned: Program, qtbot: QtBot) -> None:
    schedule = aligned.session.schedule
    assert schedule is not None
    for time_s in (0.0, 0.5, 1.0, 0.24):
        aligned.player.seek(time_s)
        qtbot.waitUntil(lambda: aligned.player.is_up_to_date, timeout=60_000)
        expected = schedule.frames_at(time_s)
        for entry in aligned.session.entries:
            tile = aligned.window.grid.tiles[entry.id]
            assert tile.frame is not None
            assert tile.frame.index == expected[entry.id]
            assert read_number(np.asarray(tile.frame.pixels)) == expected[entry.id]


def test_keys_play_step_and_jump(aligned: Program, qtbot: QtBot) -> None:
    window, player = aligned.window, aligned.player
    aligned.session.set_active(aligned.session.entries[1].id)
    window.activateWindow()
    qtbot.waitUntil(lambda: window.isActiveWindow())
    start = shown_frame(aligned, 1)
    qtbot.keyClick(window, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: shown_frame(aligned, 1) == start + 1, timeout=60_000)
    qtbot.keyClick(window, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: shown_frame(aligned, 1) == start, timeout=60_000)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert player.clock.is_playing
    qtbot.waitUntil(lambda: player.clock.time_s > 0.2)
    qtbot.keyClick(window, Qt.Key.Key_K)
    assert not player.clock.is_playing
    qtbot.keyClick(window, Qt.Key.Key_End)
    assert player.clock.time_s == pytest.approx(2.0, abs=0.01)
    qtbot.keyClick(window, Qt.Key.Key_Home)
    assert player.clock.time_s == 0.0
    qtbot.keyClick(window, Qt.Key.Key_BracketLeft)
    assert window.transport.findChild(object, "speed").currentData() == 0.75  # type: ignore[attr-defined]
    qtbot.keyClick(window, Qt.Key.Key_Backspace)
    assert window.transport.findChild(object, "speed").currentData() == 1.0  # type: ignore[attr-defined]


def test_playing_shows_frames_of_both_in_step(aligned: Program, qtbot: QtBot) -> None:
    aligned.player.reset_figures()
    aligned.actions[ActionId.PLAY].trigger()
    qtbot.waitUntil(lambda: not aligned.player.clock.is_playing, timeout=60_000)
    for entry in aligned.session.entries:
        figures = aligned.player.figures[entry.id]
        assert len(figures.pts) >= 5, entry.recording.name


def test_timeline_and_heatmap_clicks_seek(aligned: Program, qtbot: QtBot) -> None:
    timeline, other = aligned.window.timeline, aligned.session.others[0]
    at = QPointF(timeline.x_of(1.5), timeline.lane_rect(1).center().y()).toPoint()
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=at)
    qtbot.waitUntil(lambda: aligned.player.is_up_to_date, timeout=60_000)
    assert aligned.player.shown[other.id].time_s == pytest.approx(1.5, abs=0.06)
    assert aligned.session.active_id == other.id
    qtbot.waitUntil(lambda: aligned.mapping.heatmap._map is not None, timeout=60_000)
    assert other.alignment is not None
    on_path = float(other.alignment.time_map(0.6))
    aligned.window.heatmap.pair_clicked.emit(0.6, on_path)
    assert aligned.player.clock.time_s == pytest.approx(0.6, abs=0.13)
    aligned.window.heatmap.pair_clicked.emit(0.2, 2.5)
    qtbot.waitUntil(lambda: aligned.player.shown[other.id].index == 62, timeout=60_000)


def test_time_base_and_reference_can_be_changed(aligned: Program, qtbot: QtBot) -> None:
    aligned.actions[ActionId.BASE_MEAN].trigger()
    assert aligned.session.base is TimeBase.MEAN
    assert aligned.actions[ActionId.BASE_MEAN].isChecked()
    assert not aligned.actions[ActionId.BASE_REFERENCE].isChecked()
    second = aligned.session.entries[1].id
    aligned.session.set_active(second)
    aligned.actions[ActionId.MAKE_REFERENCE].trigger()
    assert aligned.session.reference_id == second
    wait_settled(qtbot, aligned, 2)
    assert aligned.session.others[0].stage is Stage.ALIGNED
    assert aligned.window.timeline.lanes[0].recording_id == second


def test_removing_and_adding_again_works(
    aligned: Program, videos: list[Path], qtbot: QtBot
) -> None:
    aligned.actions[ActionId.REMOVE].trigger()
    assert [e.recording.name for e in aligned.session.entries] == ["second.mp4"]
    aligned.opening.add_paths([videos[0]])
    wait_settled(qtbot, aligned, 2)
    assert aligned.session.others[0].stage is Stage.ALIGNED
    aligned.actions[ActionId.CLOSE_ALL].trigger()
    assert aligned.window.empty.isVisible()


# Searching -------------------------------------------------------------------------------------


def test_find_this_frame_and_jump_to_a_match(aligned: Program, qtbot: QtBot) -> None:
    panel = aligned.window.search
    aligned.actions[ActionId.FIND_FRAME].trigger()
    qtbot.waitUntil(
        lambda: bool(panel.model.matches) and panel.model.matches[0].picture is not None,
        timeout=60_000,
    )
    found = panel.model.matches[0]
    assert found.recording_id == aligned.session.entries[1].id
    picture = found.picture
    assert picture is not None
    assert read_number(np.asarray(picture.pixels)) == found.frame
    panel.match_chosen.emit(0)
    qtbot.waitUntil(lambda: shown_frame(aligned, 1) == found.frame, timeout=60_000)
    assert aligned.session.active_id == found.recording_id
    assert any(lane.hits for lane in aligned.window.timeline.lanes)


def test_a_tile_and_a_picture_can_be_searched(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    panel = aligned.window.search
    panel.frame_dropped.emit(aligned.session.entries[1].id, Role.ONLY)
    qtbot.waitUntil(lambda: bool(panel.model.matches), timeout=60_000)
    assert panel.model.matches[0].recording_id == aligned.session.entries[0].id
    picture = write_png(tmp_path / "query.png", draw_frame(7))
    panel.file_dropped.emit(picture or tmp_path / "query.png", Role.ONLY)
    qtbot.waitUntil(lambda: len(panel.model.matches) == 2, timeout=60_000)
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill(0xFF102030)
    QGuiApplication.clipboard().setImage(image)
    aligned.actions[ActionId.FIND_PASTED].trigger()
    qtbot.waitUntil(lambda: "pasted" in " ".join(panel.query.texts), timeout=60_000)
    qtbot.waitUntil(lambda: len(panel.model.matches) == 2, timeout=60_000)


def test_nothing_convincing_is_said(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program(FakeEngine(convincing=False))
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    qtbot.waitUntil(lambda: bool(program.player.shown), timeout=60_000)
    program.actions[ActionId.FIND_FRAME].trigger()
    label = program.window.search.findChild(QLabel, "search-verdict")
    assert isinstance(label, QLabel)
    qtbot.waitUntil(lambda: "No good match" in label.text(), timeout=60_000)
    assert not any(lane.hits for lane in program.window.timeline.lanes)


# Bad input -------------------------------------------------------------------------------------


def test_bad_drops_are_sentences_and_the_good_file_stays(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, tmp_path: Path
) -> None:
    program = make_program()
    text = tmp_path / "notes.txt"
    text.write_text("This is no video.\n")
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    folder = tmp_path / "folder"
    folder.mkdir()
    drop(program, tmp_path / "missing.mp4", text, videos[0], empty, folder)
    for part in ("missing.mp4", "notes.txt", "empty.mp4", "folder without recordings"):
        said = wait_message(qtbot, program, part)
    wait_settled(qtbot, program, 1)
    assert "Traceback" not in said
    assert [e.recording.name for e in program.session.entries] == ["first.mp4"]


def test_truncated_and_sound_only_files_are_answered(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, tmp_path: Path
) -> None:
    program = make_program()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(videos[0].read_bytes()[:900])
    drop(program, cut)
    wait_message(qtbot, program, "cut.mp4")
    assert not program.session.entries
    assert program.window.empty.isVisible()


def test_the_same_file_twice_is_refused_with_a_sentence(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, tmp_path: Path
) -> None:
    program = make_program()
    copy = tmp_path / "copy.mp4"
    shutil.copy(videos[0], copy)
    drop(program, videos[0], videos[0], copy)
    wait_message(qtbot, program, "is already open as A")
    wait_message(qtbot, program, "holds the same recording as A")
    wait_settled(qtbot, program, 1)


def test_one_file_alone_asks_for_a_second(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    drop(program, videos[0])
    wait_settled(qtbot, program, 1)
    assert program.window.grid._hint.isVisible()
    assert "second recording" in program.window.heatmap.verdict.reason.text()
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
    program.player.step(3)
    qtbot.waitUntil(lambda: shown_frame(program, 0) == 3, timeout=60_000)


def test_a_recording_of_one_frame_plays(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, tmp_path: Path
) -> None:
    single = make_video(tmp_path / "single.mp4", frames=1)
    program = make_program()
    drop(program, videos[0], single)
    wait_settled(qtbot, program, 2)
    program.player.play()
    qtbot.wait(100)
    program.player.pause()
    assert messages(program) == ""


def test_a_folder_gives_the_recordings_in_it(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, tmp_path: Path
) -> None:
    for video in videos[:2]:
        shutil.copy(video, tmp_path / video.name)
    program = make_program()
    drop(program, tmp_path)
    wait_settled(qtbot, program, 2)
    assert program.session.others[0].stage is Stage.ALIGNED


def test_a_picture_dropped_with_a_recording_is_looked_for_in_it(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, tmp_path: Path
) -> None:
    write_png(tmp_path / "query.png", draw_frame(7))
    program = make_program()
    drop(program, videos[0], tmp_path / "query.png")
    wait_settled(qtbot, program, 1)
    qtbot.waitUntil(lambda: bool(program.window.search.model.matches), timeout=60_000)


def test_a_picture_that_is_none_is_a_sentence(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    fake = tmp_path / "fake.png"
    fake.write_text("no picture")
    aligned.finding.search.find_image_file(fake)
    assert "Traceback" not in wait_message(qtbot, aligned, "fake.png")


def test_a_model_that_is_not_ours_is_a_sentence_and_recordings_still_play(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, tmp_path: Path
) -> None:
    model = tmp_path / "other.onnx"
    model.write_bytes(b"not a model")
    program = make_program(engine_maker(model)())
    drop(program, *videos[:2])
    wait_settled(qtbot, program, 2)
    said = wait_message(qtbot, program, "other.onnx")
    assert "Traceback" not in said
    assert len(program.window.banner.messages) == 1, "the same message more than once"
    assert all(e.stage is Stage.FAILED for e in program.session.entries)
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)


def test_an_unwritable_cache_is_said_and_work_goes_on(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("CARL_CACHE", str(blocked / "cache"))
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    program = make_program(engine_maker(model)())
    drop(program, *videos[:2])
    wait_settled(qtbot, program, 2)
    wait_message(qtbot, program, "cache")
    assert all(e.embeddings is not None for e in program.session.entries)


def test_no_convincing_alignment_says_what_to_do_and_still_plays(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program(FakeEngine(verdict="none"))
    drop(program, *videos[:2])
    wait_settled(qtbot, program, 2)
    said = wait_message(qtbot, program, "no convincing alignment")
    assert "same action" in said
    assert "No convincing alignment" in program.window.heatmap.verdict.title.text()
    other = program.session.others[0]
    assert "Not aligned" in program.window.grid.tiles[other.id].state.note
    program.player.seek(1.0)
    qtbot.waitUntil(lambda: shown_frame(program, 1) == 25, timeout=60_000)
    program.window.banner.messages[0].choices[0].action()
    assert program.session.reference_id == other.id


def test_a_missing_engine_is_a_sentence(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    engine = FakeEngine(encoder_error=ModelError("The encoder is gone. Install again."))
    program = make_program(engine)
    drop(program, *videos[:2])
    wait_message(qtbot, program, "The encoder is gone. Install again.")
    wait_settled(qtbot, program, 2)


# Cancelling, closing, not blocking -------------------------------------------------------------


def test_cancel_stops_and_align_again_goes_on(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    engine = FakeEngine(is_gated=True)
    program = make_program(engine)
    drop(program, *videos[:2])
    qtbot.waitUntil(
        lambda: any(e.stage is Stage.EMBEDDING for e in program.session.entries), timeout=60_000
    )
    qtbot.waitUntil(lambda: len(program.session.entries) == 2, timeout=60_000)
    program.actions[ActionId.CANCEL_JOBS].trigger()
    qtbot.waitUntil(
        lambda: all(e.stage is Stage.CANCELLED for e in program.session.entries), timeout=60_000
    )
    engine.gate.set()
    program.actions[ActionId.ALIGN].trigger()
    wait_settled(qtbot, program, 2)
    assert program.session.others[0].stage is Stage.ALIGNED


def test_closing_while_busy_leaves_nothing_behind(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    before = set(threading.enumerate())  # the threads that all searches of a process share
    program = make_program(FakeEngine(is_gated=True))
    drop(program, *videos)
    qtbot.waitUntil(lambda: len(program.session.entries) == 3, timeout=60_000)
    program.player.play()
    program.window.close()
    assert program.window.isVisible()  # asks first
    press(program, "Cancel")
    assert program.window.isVisible()
    program.window.close()
    press(program, "Stop and close")
    qtbot.waitUntil(
        lambda: not [t for t in set(threading.enumerate()) - before if t.name.startswith("carl-")],
        timeout=10_000,
    )


def press(program: Program, text: str) -> None:
    box = next(b for b in program.window.findChildren(QMessageBox, "ask-running") if b.isVisible())
    next(b for b in box.buttons() if b.text().replace("&", "") == text).click()


def test_closing_when_done_closes_when_the_last_job_is_over(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    engine = FakeEngine(is_gated=True)
    program = make_program(engine)
    drop(program, *videos)
    qtbot.waitUntil(lambda: len(program.session.entries) == 3, timeout=60_000)
    program.window.close()
    press(program, "Close when done")
    assert program.window.isVisible()
    engine.gate.set()
    qtbot.waitUntil(lambda: not program.window.isVisible(), timeout=60_000)


def test_a_paused_job_waits_and_goes_on(make_program: Callable[..., Program], qtbot: QtBot) -> None:
    program = make_program()
    seen: list[int] = []
    done: list[int] = []

    def work(job: Job[int]) -> int:
        job.monitor.start("counting", 1000)
        for number in range(1000):
            job.monitor.advance()
            seen.append(number)
            time.sleep(0.001)
        return len(seen)

    program.jobs.submit(work, key="count", title="Counting", done=done.append)
    qtbot.waitUntil(lambda: len(seen) > 5)
    program.status.pause("count", True)
    qtbot.wait(20)
    count = len(seen)
    qtbot.wait(60)
    assert len(seen) == count
    assert "paused" in program.window.status._text.text()
    program.status.pause("count", False)
    qtbot.waitUntil(lambda: len(seen) > count)
    program.status.pause("count", True)
    program.status.cancel("count")
    qtbot.waitUntil(lambda: not program.jobs.is_active("count"))
    assert not done


def test_the_window_remembers_its_size_and_time_base(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    first = make_program()
    first.window.resize(900, 640)
    first.actions[ActionId.BASE_NATIVE].trigger()
    first.window.close()
    again = make_program()
    assert again.session.base is TimeBase.NATIVE
    assert again.actions[ActionId.BASE_NATIVE].isChecked()


def test_a_tiny_encoder_aligns_a_recording_with_its_trimmed_copy(
    make_program: Callable[..., Program], qtbot: QtBot, tmp_path: Path
) -> None:
    """The real engine in the real window: what is shown side by side is the same frame."""
    whole = make_video(tmp_path / "whole.mp4", frames=120, fps=20)
    part = make_video(tmp_path / "part.mp4", frames=80, fps=20, numbers=range(20, 100))
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    program = make_program(engine_maker(model)())
    drop(program, whole, part)
    wait_settled(qtbot, program, 2)
    other = program.session.others[0]
    assert other.alignment is not None
    assert other.is_mapped, other.alignment.reason
    for time_s in (2.0, 3.0, 4.0):
        program.player.seek(time_s)
        qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
        numbers = [
            read_number(np.asarray(program.player.shown[e.id].pixels))
            for e in program.session.entries
        ]
        assert abs(numbers[0] - numbers[1]) <= 2
    assert program.engine_state is not None
    assert "CPU" in program.help.diagnostics()
    assert pixels_of(program.window.grab().toImage()).shape[2] == 3


def test_escape_leaves_the_full_screen(aligned: Program, qtbot: QtBot) -> None:
    aligned.actions[ActionId.FULL_SCREEN].trigger()
    assert aligned.window.isFullScreen()
    qtbot.keyClick(aligned.window, Qt.Key.Key_Escape)
    assert not aligned.window.isFullScreen()
    assert not aligned.actions[ActionId.FULL_SCREEN].isChecked()


def test_diagnostics_tell_versions_and_no_names(aligned: Program) -> None:
    path = aligned.session.entries[0].recording.path
    for text in (f"cannot read {path}", f"“{path.name}” is slow", f"state in {path.parent}"):
        aligned.recent.emit(logging.LogRecord("carl", 30, "", 0, text, (), None))
    said = aligned.help.diagnostics()
    assert "numpy 2" in said
    assert "is slow" in said
    assert path.name not in said
    assert str(path.parent) not in said
    aligned.actions[ActionId.DIAGNOSTICS].trigger()
    assert QGuiApplication.clipboard().text() == said


def test_irregular_frame_times_are_told_once(
    make_program: Callable[..., Program], qtbot: QtBot, tmp_path: Path
) -> None:
    steps = [1, 1, 3, 1, 2] * 6
    pts = np.cumsum([0, *steps])
    path = make_video(tmp_path / "phone.mp4", frames=len(pts), pts=pts.tolist())
    program = make_program()
    drop(program, path)
    wait_message(qtbot, program, "variable frame rate")
