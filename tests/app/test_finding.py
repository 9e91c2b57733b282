"""Search in the window: before, match and after; threshold; pins from matches; a stretch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu

from app.actions import ActionId
from app.models.engine import engine_maker
from app.models.searching import Role
from app.views.search.delegate import PICTURES_LEFT, WORDS_WIDTH, picture_widths, share_at
from carl_core.project import edits
from carl_core.retrieval.retriever import SearchResult
from carl_core.video.image import write_png
from tests.app.conftest import wait_settled
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import draw_frame, make_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


@pytest.fixture
def found(make_program: Callable[..., Program], qtbot: QtBot, tmp_path: Path) -> Program:
    """Two recordings that share frames, and a frame of the first looked for in the second."""
    first = make_video(tmp_path / "first.mp4", frames=120, fps=30, size=(160, 120))
    second = make_video(
        tmp_path / "second.mp4", frames=100, fps=30, size=(160, 120), numbers=range(20, 120)
    )
    program = make_program(engine_maker(make_tiny_encoder(tmp_path / "tiny.onnx"))())
    program.opening.add_paths([first, second])
    wait_settled(qtbot, program, 2)
    program.player.seek(2.0)
    qtbot.waitUntil(lambda: program.player.is_up_to_date)
    program.actions[ActionId.FIND_FRAME].trigger()
    qtbot.waitUntil(lambda: bool(program.window.search.model.matches), timeout=20_000)
    qtbot.waitUntil(lambda: not program.jobs.is_active("search"), timeout=20_000)
    return program


def test_a_card_has_the_frames_before_and_after(found: Program) -> None:
    matches = found.window.search.model.matches
    inside = next(m for m in matches if 1.1 < m.time_s < 2.2)
    assert inside.picture is not None
    assert inside.before is not None
    assert inside.after is not None
    assert inside.before.time_s == pytest.approx(inside.time_s - 1.0, abs=0.04)
    assert inside.after.time_s == pytest.approx(inside.time_s + 1.0, abs=0.04)


def test_the_threshold_hides_what_scores_less(found: Program) -> None:
    panel = found.window.search
    scores = [m.score for m in panel.model.matches]
    assert len(scores) > 1
    row = panel.model.row_of
    times = [m.time_s for m in panel.model.matches]
    second = found.session.entries[1].id

    def hits() -> tuple[float, ...]:
        return next(x.hits for x in found.window.timeline.lanes if x.recording_id == second)

    panel.threshold.setValue(100)
    hidden = [panel.list.isRowHidden(row(n)) for n in range(len(scores))]
    assert hidden == [score < max(scores) for score in scores]
    assert hits() == tuple(
        t for t, score in zip(times, scores, strict=True) if score == max(scores)
    )
    panel.threshold.setValue(0)
    assert not any(panel.list.isRowHidden(row(n)) for n in range(len(scores)))
    assert hits() == tuple(times)


def test_a_score_is_drawn_between_what_is_usual_and_the_same_picture(found: Program) -> None:
    matches = found.window.search.model.matches
    shares = [m.share for m in matches]
    assert shares == sorted(shares, reverse=True)
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert shares[0] > 0.5  # the very frame is in the other recording


def test_a_picture_dropped_on_the_window_is_looked_for(
    found: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    write_png(tmp_path / "query.png", draw_frame(7))
    found.window.files_dropped.emit([tmp_path / "query.png"])
    panel = found.window.search
    qtbot.waitUntil(lambda: panel.query.texts == ("query.png",), timeout=20_000)
    qtbot.waitUntil(lambda: not found.jobs.is_active("search"), timeout=20_000)
    assert panel.isVisible()


def test_a_match_is_pinned_to_the_frame_looked_for(found: Program, qtbot: QtBot) -> None:
    panel = found.window.search
    match = panel.model.matches[0]
    panel.list.setFocus()
    qtbot.keyClick(panel, Qt.Key.Key_A)
    (anchor,) = found.project.project.anchors
    assert anchor.first.time_s == pytest.approx(2.0, abs=0.04)
    assert anchor.second.time_s == pytest.approx(match.time_s, abs=0.04)
    wait_settled(qtbot, found, 2)


def test_a_stretch_is_found_in_its_order(found: Program, qtbot: QtBot) -> None:
    found.actions[ActionId.FIND_RANGE].trigger()
    assert "in and out" in "\n".join(m.text for m in found.window.banner.messages)
    for time_s, which in ((1.5, ActionId.IN), (2.5, ActionId.OUT)):
        found.player.seek(time_s)
        found.actions[which].trigger()
    found.actions[ActionId.FIND_RANGE].trigger()
    qtbot.waitUntil(lambda: not found.jobs.is_active("search"), timeout=20_000)
    best = found.window.search.model.matches[0]
    assert best.letter == "B"
    assert best.time_s == pytest.approx(2.0 - 20 / 30, abs=0.25)
    found.window.search.link_wanted.emit(0)
    assert not found.project.project.anchors  # only a frame can be pinned


def test_several_frames_are_averaged_and_others_left_out(found: Program, qtbot: QtBot) -> None:
    panel, search = found.window.search, found.finding.search
    first = [m.time_s for m in panel.model.matches]
    assert first
    found.player.seek(1.0)
    qtbot.waitUntil(lambda: found.player.is_up_to_date)
    found.session.set_active(found.session.reference_id)
    found.actions[ActionId.FIND_ALSO].trigger()
    qtbot.waitUntil(lambda: not found.jobs.is_active("search"), timeout=20_000)
    assert len(panel.query.texts) == 2
    assert panel.query.texts[1].startswith("and ")
    panel.chip_removed.emit(1)
    qtbot.waitUntil(lambda: not found.jobs.is_active("search"), timeout=20_000)
    assert [m.time_s for m in panel.model.matches] == first
    unwanted = panel.model.matches[0]
    search.add_match(0, Role.NOT)
    qtbot.waitUntil(lambda: not found.jobs.is_active("search"), timeout=20_000)
    assert panel.query.texts[1].startswith("not like ")
    left = [m.time_s for m in panel.model.matches if m.recording_id == unwanted.recording_id]
    assert unwanted.time_s not in left
    panel.chip_removed.emit(0)  # nothing is wanted any more
    assert not panel.query.texts
    assert not panel.model.matches


def test_the_lanes_show_how_alike_each_moment_is(found: Program) -> None:
    lanes = {lane.recording_id: lane for lane in found.window.timeline.lanes}
    best = found.window.search.model.matches[0]
    curve = lanes[best.recording_id].curve
    assert curve is not None
    at = np.abs(curve[:, 0] - best.time_s).argmin()
    assert curve[at, 1] == pytest.approx(1.0, abs=0.02)
    assert np.median(curve[:, 1]) < 0.6
    found.files.edit("remove", lambda p: edits.remove_recording(p, best.recording_id))
    assert all(lane.curve is None for lane in found.window.timeline.lanes)


def test_control_click_moves_one_recording_alone(found: Program, qtbot: QtBot) -> None:
    reference = found.session.reference_id
    before = found.player.own_times_s[reference]
    match = found.window.search.model.matches[-1]
    found.finding.search.open_alone(len(found.window.search.model.matches) - 1)
    assert found.player.own_times_s[match.recording_id] == pytest.approx(match.time_s, abs=0.04)
    assert found.player.own_times_s[reference] == before


def test_a_recording_without_a_good_moment_says_so(found: Program) -> None:
    panel, search = found.window.search, found.finding.search
    entry = found.session.others[0]
    result = SearchResult((), False, "All alike.", {}, {entry.id: (False, "0.41 is too little.")})
    search._on_result(result, [entry.recording])
    row = panel.model.index(0)
    assert "no match" in row.data(Qt.ItemDataRole.DisplayRole)
    assert row.data(Qt.ItemDataRole.ToolTipRole) == "0.41 is too little."
    assert not row.flags() & Qt.ItemFlag.ItemIsSelectable


def test_the_mouse_runs_through_the_second_before_and_after(found: Program, qtbot: QtBot) -> None:
    panel = found.window.search
    found.window.show_search()
    position = next(n for n, m in enumerate(panel.model.matches) if None not in m.strip)
    rect = panel.list.visualRect(panel.model.index(panel.model.row_of(position)))
    still = panel.list.viewport().grab(rect).toImage()
    qtbot.mouseMove(panel.list.viewport(), rect.topLeft() + QPoint(20, 40))
    assert panel._delegate.hover is not None
    assert panel.list.viewport().grab(rect).toImage() != still


def test_the_menu_of_a_match_has_the_commands_of_the_table(found: Program, qtbot: QtBot) -> None:
    panel = found.window.search
    row = panel.list.visualRect(panel.model.index(panel.model.row_of(0)))
    panel.list.customContextMenuRequested.emit(row.center())
    menu = panel.findChild(QMenu, "match-menu")
    assert isinstance(menu, QMenu)
    offered = {w for w, a in found.actions.items() if a in menu.actions()}
    assert offered == {
        ActionId.MATCH_GO,
        ActionId.MATCH_ALONE,
        ActionId.MATCH_PIN,
        ActionId.MATCH_ALSO,
        ActionId.MATCH_UNLIKE,
    }
    assert len(offered) == sum(not a.isSeparator() for a in menu.actions())
    menu.close()
    match = panel.model.matches[0]
    found.actions[ActionId.MATCH_GO].trigger()
    assert found.player.own_times_s[match.recording_id] == pytest.approx(match.time_s, abs=0.04)
    found.actions[ActionId.MATCH_ALSO].trigger()
    assert len(panel.query._chips) == 2


def test_the_commands_of_a_match_say_that_none_is_chosen(aligned: Program) -> None:
    aligned.actions[ActionId.MATCH_PIN].trigger()
    assert "No match is chosen" in aligned.window.banner.messages[0].text
    assert not aligned.project.project.anchors


@pytest.mark.parametrize("width", [240, 306, 420])
def test_pictures_of_a_card_leave_room_for_its_words(width: int) -> None:
    middle, beside = picture_widths(width)
    assert middle > beside > 10
    words = width - PICTURES_LEFT - middle - 2 * beside - 6 - 24
    assert words >= min(WORDS_WIDTH, width // 3)
    assert share_at(PICTURES_LEFT, width) == 0
    assert share_at(PICTURES_LEFT + middle + 2 * beside + 6, width) == 1
