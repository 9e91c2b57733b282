from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, QSize, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent, QFocusEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QLabel, QPushButton, QToolButton

from app.faults.messages import Choice, Message, Severity
from app.models.matches import MatchesModel
from app.models.searching import MIDDLE, Match, MatchGroup, QueryChip, Role
from app.models.viewstate import (
    HeatmapPicture,
    JobLine,
    Lane,
    PairChoice,
    Thumbnail,
    TileState,
    Verdict,
)
from app.resources.theme import THEME
from app.views.banner import BannerArea
from app.views.empty import EmptyPage
from app.views.grid import TileGrid, best_columns
from app.views.heatmap import HeatmapPanel, viridis_table
from app.views.keys import KeySheet
from app.views.painting import FRAME_MIME
from app.views.search import SearchPanel
from app.views.status_bar import StatusBar
from app.views.timeline import Timeline
from carl_core.video.reader import Frame
from tests.app.conftest import wait_settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PySide6.QtWidgets import QWidget
    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


def tile_state(name: str = "a", position: int = 0, **changes: object) -> TileState:
    fields: dict[str, object] = {
        "recording_id": name,
        "letter": "ABCDEFGHI"[position],
        "position": position,
        "name": f"{name}.mp4",
        "aspect": 4 / 3,
        "width": 640,
        "height": 480,
    }
    return TileState(**(fields | changes))  # type: ignore[arg-type]


def frame_of(colour: tuple[int, int, int], size: tuple[int, int], index: int = 0) -> Frame:
    pixels = np.empty((size[1], size[0], 3), dtype=np.uint8)
    pixels[:] = colour
    pixels.flags.writeable = False
    return Frame(index, index, index / 25, pixels)


def painted(widget: QWidget) -> QImage:
    return widget.grab().toImage()


def lane(name: str, position: int, duration_s: float, **changes: object) -> Lane:
    fields: dict[str, object] = {
        "recording_id": name,
        "letter": "AB"[position],
        "position": position,
        "name": f"{name}.mp4",
        "duration_s": duration_s,
        "is_reference": position == 0,
    }
    return Lane(**(fields | changes))  # type: ignore[arg-type]


# Tiles -----------------------------------------------------------------------------------------


def test_tile_shows_the_frame_dims_it_and_says_so(qtbot: QtBot) -> None:
    grid = TileGrid()
    qtbot.addWidget(grid)
    grid.resize(800, 300)
    grid.show()
    grid.set_tiles((tile_state("a"), tile_state("b", 1)))
    tile = grid.tiles["b"]
    grid.show_frame("b", frame_of((200, 40, 40), tile.picture_size()), 0.84)
    centre = tile.rect().center() + QPoint(0, 60)
    bright = painted(tile).pixelColor(centre)
    assert abs(bright.red() - 200) < 6
    grid.set_counterpart("b", False)
    assert painted(tile).pixelColor(centre).red() < 90
    assert not tile.has_counterpart


def test_tile_announces_itself_to_screen_readers(qtbot: QtBot) -> None:
    grid = TileGrid()
    qtbot.addWidget(grid)
    grid.set_tiles((tile_state("a", is_reference=True, status="embedding 10%", progress=0.1),))
    tile = grid.tiles["a"]
    assert "a.mp4" in tile.accessibleName()
    assert "reference" in tile.accessibleName()
    assert tile.accessibleDescription() == "embedding 10%"


def test_pressing_a_tile_chooses_it_and_dragging_carries_its_id(qtbot: QtBot) -> None:
    grid = TileGrid()
    qtbot.addWidget(grid)
    grid.resize(600, 300)
    grid.set_tiles((tile_state("a"), tile_state("b", 1)))
    with qtbot.waitSignal(grid.tile_pressed) as blocker:
        qtbot.mouseClick(grid.tiles["b"], Qt.MouseButton.LeftButton)
    assert blocker.args == ["b"]
    assert grid.tiles["b"].drag_data().data(FRAME_MIME).data() == b"b"


def test_pictures_are_never_asked_larger_than_the_recording(qtbot: QtBot) -> None:
    grid = TileGrid()
    qtbot.addWidget(grid)
    grid.resize(3000, 2000)
    grid.set_tiles((tile_state("a"), tile_state("b", 1)))
    width, height = grid.tiles["a"].picture_size()
    assert width <= 640
    assert width / height == pytest.approx(4 / 3, abs=0.02)


@pytest.mark.parametrize(
    ("aspects", "size", "columns"),
    [
        ([16 / 9, 16 / 9], (1600, 500), 2),
        ([16 / 9, 16 / 9], (600, 900), 1),
        ([9 / 16] * 3, (1200, 600), 3),
        ([16 / 9] * 4, (1600, 900), 2),
        ([4 / 3] * 9, (1200, 900), 3),
    ],
)
def test_grid_fills_the_space(aspects: list[float], size: tuple[int, int], columns: int) -> None:
    assert best_columns(aspects, *size) == columns


@pytest.mark.parametrize("count", range(2, 10))
def test_two_to_nine_tiles_leave_no_hole(qtbot: QtBot, count: int) -> None:
    grid = TileGrid()
    qtbot.addWidget(grid)
    grid.resize(960, 490)
    grid.set_tiles(tuple(tile_state(f"r{n}", n) for n in range(count)))
    places = [tile.geometry() for tile in grid.tiles.values()]
    covered = sum(p.width() * p.height() for p in places)
    assert covered >= 0.97 * 960 * 490
    assert all(not a.intersects(b) for a, b in itertools.combinations(places, 2))


@pytest.mark.parametrize("width", [1024, 1280, 1440])
def test_no_tool_is_hidden_at_usual_widths(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, width: int
) -> None:
    program = make_program()
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    program.window.resize(width, 700)
    toolbar = program.window._toolbar
    qtbot.waitUntil(lambda: toolbar.width() == width)
    more = toolbar.findChild(QToolButton, "qt_toolbar_ext_button")
    assert more is None or not more.isVisible()
    time = program.window.transport.findChild(QToolButton, "transport-time")
    assert time is not None
    assert time.width() >= time.sizeHint().width()


def test_a_lone_tile_asks_for_a_second(qtbot: QtBot) -> None:
    grid = TileGrid()
    qtbot.addWidget(grid)
    grid.resize(800, 300)
    grid.show()
    grid.set_tiles((tile_state("a"),))
    button = grid.findChild(QPushButton, "add-second")
    assert isinstance(button, QPushButton)
    assert button.isVisible()
    with qtbot.waitSignal(grid.add_requested):
        button.click()
    grid.set_tiles((tile_state("a"), tile_state("b", 1)))
    assert not button.isVisible()


def test_tab_goes_from_tile_to_tile_and_chooses_them(qtbot: QtBot) -> None:
    grid = TileGrid()
    qtbot.addWidget(grid)
    grid.resize(600, 300)
    grid.show()
    grid.set_tiles((tile_state("a"), tile_state("b", 1)))
    chosen: list[str] = []
    grid.tile_pressed.connect(chosen.append)
    grid.tiles["a"].setFocus()
    event = QFocusEvent(QEvent.Type.FocusIn, Qt.FocusReason.TabFocusReason)
    grid.tiles["b"].focusInEvent(event)
    assert chosen == ["b"]


# Timeline --------------------------------------------------------------------------------------


def test_timeline_seeks_in_the_lanes_own_time(qtbot: QtBot) -> None:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.resize(900, 220)
    timeline.show()
    timeline.set_lanes((lane("a", 0, 10.0), lane("b", 1, 5.0)))
    sought: list[tuple[str, float]] = []
    timeline.seek_requested.connect(lambda name, time_s: sought.append((name, time_s)))
    at = QPoint(round(timeline.x_of(4.0)), round(timeline.lane_rect(1).center().y()))
    with qtbot.waitSignals([timeline.scrub_started, timeline.scrub_ended]):
        qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=at)
    assert sought[0][0] == "b"
    assert sought[0][1] == pytest.approx(4.0, abs=0.02)
    beyond = QPoint(round(timeline.x_of(9.0)), at.y())
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=beyond)
    assert sought[-1] == ("b", 5.0)


def test_timeline_draws_pictures_gaps_confidence_and_playheads(qtbot: QtBot) -> None:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.resize(900, 220)
    timeline.show()
    confidence = np.stack([np.linspace(1, 3, 20), np.ones(20)], axis=1)
    timeline.set_lanes(
        (
            lane("a", 0, 10.0),
            lane(
                "b", 1, 5.0, confidence=confidence, mapped=((1.0, 3.0),), hits=(2.0,),
            ),
        )
    )  # fmt: skip
    picture = np.full((40, 60, 3), (30, 200, 30), dtype=np.uint8)
    for time_s in (0.5, 1.5, 2.5, 3.5, 4.5):
        timeline.add_thumbnail("b", Thumbnail(time_s, picture))
    rect = timeline.lane_rect(1)

    def colour_at(time_s: float, y: float) -> QColor:
        return painted(timeline).pixelColor(round(timeline.x_of(time_s)), round(y))

    qtbot.waitUntil(lambda: colour_at(2.5, rect.center().y()).green() > 150)
    assert colour_at(4.1, rect.center().y()).green() < 130, "no counterpart is not hatched"
    good = QColor(THEME.colours.good)
    assert colour_at(2.5, rect.bottom() - 2) == good
    timeline.set_playheads({"a": 1.0, "b": 2.5})
    assert colour_at(2.5, rect.center().y()).red() > 200
    timeline.set_playheads({"a": 1.0, "b": None})
    assert colour_at(2.5, rect.center().y()).green() > 150


# Heatmap ---------------------------------------------------------------------------------------


def heatmap_picture() -> HeatmapPicture:
    values = np.zeros((50, 100), dtype=np.uint8)
    values[:25, :50] = 255
    return HeatmapPicture(values, (0.0, 10.0), (0.0, 5.0))


def test_heatmap_colours_lie_at_their_seconds(qtbot: QtBot) -> None:
    panel = HeatmapPanel()
    qtbot.addWidget(panel)
    panel.resize(460, 600)
    panel.show()
    panel.set_pairs((PairChoice("b", "A - B"),), "b")
    panel.set_picture(heatmap_picture())

    def colour_at(reference_s: float, other_s: float) -> QColor:
        scene = panel.plot.getPlotItem().getViewBox().mapViewToScene(QPointF(reference_s, other_s))
        at = panel.plot.mapTo(panel, panel.plot.mapFromScene(scene))
        return painted(panel).pixelColor(at)

    qtbot.wait(50)
    table = viridis_table()
    assert colour_at(2.0, 1.0).getRgb()[:3] == pytest.approx(tuple(table[255]), abs=4)
    assert colour_at(8.0, 4.0).getRgb()[:3] == pytest.approx(tuple(table[0]), abs=4)
    assert colour_at(8.0, 1.0).getRgb()[:3] == pytest.approx(tuple(table[0]), abs=4)
    panel.set_path(np.array([6.0, 9.0]), np.array([3.0, 3.0]), is_played=True)
    assert colour_at(8.0, 3.0).red() > 200
    panel.set_playhead(8.0, 4.0)
    scene = panel.plot.getPlotItem().getViewBox().mapViewToScene(QPointF(8.0, 2.0))
    at = panel.plot.mapTo(panel, panel.plot.mapFromScene(scene))
    image = painted(panel)
    assert max(image.pixelColor(at.x() + dx, at.y()).red() for dx in (-1, 0, 1)) > 150


def test_clicking_the_heatmap_names_a_pair_of_times(qtbot: QtBot) -> None:
    panel = HeatmapPanel()
    qtbot.addWidget(panel)
    panel.resize(460, 600)
    panel.show()
    panel.set_picture(heatmap_picture())
    qtbot.wait(50)
    box = panel.plot.getPlotItem().getViewBox()
    at = panel.plot.mapFromScene(box.mapViewToScene(QPointF(7.0, 2.0)))
    with qtbot.waitSignal(panel.pair_clicked) as blocker:
        qtbot.mouseClick(panel.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert blocker.args[0] == pytest.approx(7.0, abs=0.1)
    assert blocker.args[1] == pytest.approx(2.0, abs=0.1)


def test_verdicts_are_words_and_signs_not_only_colours(qtbot: QtBot) -> None:
    panel = HeatmapPanel()
    qtbot.addWidget(panel)
    titles = []
    for kind in ("good", "warning", "error", "busy"):
        panel.set_verdict(Verdict(kind, "Word", "Because.", ("match 90 %",)))
        titles.append(panel.verdict.title.text())
        assert "Because." in panel.verdict.accessibleName()
    assert len(set(titles)) == 4


# Search ----------------------------------------------------------------------------------------


def match(position: int) -> Match:
    return Match("b", "B", 1, "b.mp4", position * 10, position / 2, 0.9 - position / 10)


def group(*matches: Match) -> MatchGroup:
    return MatchGroup("B", 1, "b.mp4", matches, is_good=True)


def test_matches_model_keeps_the_rules(qtbot: QtBot, qtmodeltester: object) -> None:
    model = MatchesModel()
    model.set_groups((group(match(0), match(1)),))
    qtmodeltester.check(model)  # type: ignore[attr-defined]
    model.set_picture(1, MIDDLE, Thumbnail(0.5, np.zeros((4, 4, 3), dtype=np.uint8)))
    assert model.matches[1].picture is not None
    assert model.data(model.index(0), Qt.ItemDataRole.AccessibleTextRole)


def test_search_panel_shows_matches_and_jumps(qtbot: QtBot) -> None:
    panel = SearchPanel()
    qtbot.addWidget(panel)
    panel.resize(420, 600)
    panel.show()
    panel.set_query((QueryChip("A at 0:01", np.full((60, 90, 3), 120, dtype=np.uint8)),))
    panel.set_busy("Searching…")
    panel.set_matches((group(match(0), match(1)),), convincing=True, reason="It stands out.")
    panel.set_busy("")
    panel.set_match_picture(
        0, MIDDLE, Thumbnail(0.0, np.full((40, 60, 3), (200, 30, 30), np.uint8))
    )
    assert panel.list.isVisible()
    assert "2 moments" in panel.verdict.text()
    row = panel.list.visualRect(panel.model.index(1))
    picture = painted(panel.list.viewport()).pixelColor(row.left() + 70, row.center().y())
    assert picture.red() > 180
    with qtbot.waitSignal(panel.match_chosen) as blocker:
        second = panel.list.visualRect(panel.model.index(2)).center()
        qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=second)
    assert blocker.args == [1]


def test_nothing_convincing_is_said_first(qtbot: QtBot) -> None:
    panel = SearchPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.set_matches((group(match(0)),), convincing=False, reason="All are alike.")
    assert "No good match" in panel.verdict.text()
    reason = panel.findChild(QLabel, "search-reason")
    assert reason is not None
    assert reason.text() == "All are alike."


def _drop(panel: QWidget, data: QMimeData) -> None:
    event = QDropEvent(
        QPointF(10, 10),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    panel.dropEvent(event)


def test_tiles_files_and_pictures_can_be_dropped_on_the_search(
    qtbot: QtBot, tmp_path: Path
) -> None:
    panel = SearchPanel()
    qtbot.addWidget(panel)
    tile = QMimeData()
    tile.setData(FRAME_MIME, b"b")
    with qtbot.waitSignal(panel.frame_dropped) as blocker:
        _drop(panel, tile)
    assert blocker.args == ["b", Role.ONLY]
    file = QMimeData()
    file.setUrls([QUrl.fromLocalFile(str(tmp_path / "x.png"))])
    with qtbot.waitSignal(panel.file_dropped) as blocker:
        _drop(panel, file)
    assert blocker.args == [tmp_path / "x.png", Role.ONLY]
    picture = QMimeData()
    picture.setImageData(QImage(QSize(4, 4), QImage.Format.Format_RGB32))
    with qtbot.waitSignal(panel.pixels_dropped):
        _drop(panel, picture)


# Messages, status, empty page, keys ------------------------------------------------------------


def test_banner_says_offers_and_copies(qtbot: QtBot) -> None:
    host = EmptyPage()
    qtbot.addWidget(host)
    host.resize(900, 600)
    host.show()
    banner = BannerArea(host)
    done: list[bool] = []
    banner.show_message(
        Message(
            "It failed. Try again.",
            Severity.ERROR,
            "Traceback …",
            (Choice("Try again", lambda: done.append(True)),),
        )
    )
    assert banner.isVisible()
    assert banner.geometry().right() < host.width()
    copy = banner.findChild(QPushButton, "message-copy")
    assert isinstance(copy, QPushButton)
    copy.click()
    assert QGuiApplication.clipboard().text() == "It failed. Try again.\n\nTraceback …"
    choice = banner.findChild(QPushButton, "message-choice-0")
    assert isinstance(choice, QPushButton)
    choice.click()
    assert done == [True]
    assert not banner.isVisible()


def test_banner_replaces_a_topic_and_queues_the_rest(qtbot: QtBot) -> None:
    host = EmptyPage()
    qtbot.addWidget(host)
    host.resize(900, 600)
    host.show()
    banner = BannerArea(host)
    for number in range(3):
        banner.show_message(Message(f"{number}.", Severity.ERROR, topic="one"))
    assert [m.text for m in banner.messages] == ["2."]
    for number in range(6):
        banner.show_message(Message(f"x{number}.", Severity.ERROR))
    assert len(banner.messages) == 7, "a message was lost"
    shown = [bar for bar in banner.children() if bar.objectName() == "message"]
    assert sum(bar.isVisible() for bar in shown) == 3  # type: ignore[attr-defined]
    banner.clear()
    assert not banner.isVisible()


def test_empty_page_offers_files_and_samples(qtbot: QtBot) -> None:
    page = EmptyPage()
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.open_requested):
        page.open_button.click()
    with qtbot.waitSignal(page.demo_requested):
        page.demo_button.click()


def test_status_bar_shows_progress_and_cancels(qtbot: QtBot) -> None:
    bar = StatusBar()
    qtbot.addWidget(bar)
    bar.show()
    bar.set_jobs(
        (
            JobLine("a", "Embedding a", "41%  ·  1:20 left", 0.41),
            JobLine("b", "Embedding b", "", None),
        )
    )
    from PySide6.QtWidgets import QLabel, QProgressBar, QToolButton

    text = bar.findChild(QLabel, "status-job")
    progress = bar.findChild(QProgressBar, "status-progress")
    cancel = bar.findChild(QToolButton, "status-cancel")
    assert isinstance(text, QLabel)
    assert isinstance(progress, QProgressBar)
    assert isinstance(cancel, QToolButton)
    assert "1:20 left" in text.text()
    more = bar.findChild(QToolButton, "status-more")
    assert isinstance(more, QToolButton)
    assert more.text() == "2 jobs"
    assert progress.value() == 410
    with qtbot.waitSignal(bar.cancel_requested):
        cancel.click()
    pause = bar.findChild(QToolButton, "status-pause")
    assert isinstance(pause, QToolButton)
    with qtbot.waitSignal(bar.job_paused, check_params_cb=lambda key, on: (key, on) == ("a", True)):
        pause.click()
    with qtbot.waitSignal(bar.job_cancelled, check_params_cb=lambda key: key == "b"):
        bar.jobs.findChild(QToolButton, "cancel-b").click()
    bar.set_jobs((JobLine("b", "Embedding b", "paused", 0.5, is_paused=True),))
    assert bar.jobs.findChild(QToolButton, "pause-b").toolTip() == "Go on"
    with qtbot.waitSignal(
        bar.job_paused, check_params_cb=lambda key, on: (key, on) == ("b", False)
    ):
        pause.click()
    bar.set_jobs(())
    assert not cancel.isVisible()


def test_key_sheet_lists_every_key(qtbot: QtBot) -> None:
    from PySide6.QtWidgets import QLabel

    from app.actions import ACTIONS, plain_text

    sheet = KeySheet()
    qtbot.addWidget(sheet)
    texts = {label.text() for label in sheet.findChildren(QLabel)}
    missing = [spec.id for spec in ACTIONS if spec.keys and plain_text(spec) not in texts]
    assert not missing
