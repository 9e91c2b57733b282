"""The map: along the path, other pictures of the pair, before and after, linked with the lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu

from app.actions import ActionId
from app.models.mapkind import MapPicture
from app.models.viewstate import (
    CursorFrame,
    CursorFrames,
    HeatmapPicture,
    PairPreview,
    Thumbnail,
)
from app.presenters.heatmap import cost_picture
from app.views.heatmap.colours import clipped_levels
from app.views.heatmap.controls import FIRST_CONTRAST
from app.views.heatmap.pair_strip import LEAST_SIDE, PairStrip
from app.views.heatmap.plot import MOST_POINTS, MapPlot, thinned
from tests.app.conftest import wait_settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton


@pytest.fixture
def shown(aligned: Program, qtbot: QtBot) -> Program:
    """The heatmap of the pair is drawn."""
    qtbot.waitUntil(lambda: aligned.mapping.heatmap._map is not None, timeout=20_000)
    qtbot.waitUntil(lambda: aligned.window.heatmap.plot.isVisible())
    qtbot.wait(50)
    return aligned


def at(program: Program, reference_s: float, other_s: float) -> QPoint:
    plot = program.window.heatmap.plot
    return plot.mapFromScene(plot.box.mapViewToScene(QPointF(reference_s, other_s)))


def on_path(program: Program, reference_s: float) -> float:
    alignment = program.session.others[0].alignment
    assert alignment is not None
    return float(alignment.time_map(reference_s))


def test_dragging_along_the_path_moves_all_in_step_and_goes_on_playing(
    shown: Program, qtbot: QtBot
) -> None:
    view, player = shown.window.heatmap.plot.viewport(), shown.player
    player.play()
    qtbot.mousePress(view, LEFT, pos=at(shown, 0.6, on_path(shown, 0.6)))
    assert not player.clock.is_playing
    for reference_s in (0.8, 1.0):
        qtbot.mouseMove(view, pos=at(shown, reference_s, on_path(shown, reference_s)))
    assert player.clock.time_s == pytest.approx(1.0, abs=0.1)
    other = shown.session.others[0].id
    assert player.own_times_s[other] == pytest.approx(on_path(shown, 1.0), abs=0.15)
    qtbot.mouseRelease(view, LEFT, pos=at(shown, 1.0, on_path(shown, 1.0)))
    assert player.clock.is_playing
    player.pause()


def test_one_recording_with_itself_and_back(shown: Program, qtbot: QtBot) -> None:
    panel, heatmap = shown.window.heatmap, shown.mapping.heatmap
    for kind in (MapPicture.SELF_OTHER, MapPicture.COST, MapPicture.SIMILARITY):
        index = [panel.pictures.itemData(i) for i in range(panel.pictures.count())].index(kind)
        panel.pictures.setCurrentIndex(index)
        panel.pictures.activated.emit(index)
        qtbot.waitUntil(lambda: not shown.jobs.is_active("heatmap"), timeout=20_000)
        picture = panel._picture
        assert picture is not None
        assert picture.is_cost is (kind is MapPicture.COST)
        assert (len(panel.plot.path_s[0]) > 0) is kind.is_pair
        if kind is MapPicture.SELF_OTHER:
            diagonal = np.diagonal(picture.values)
            assert diagonal.min() == 255
            heatmap.seek(1.0, 0.2)
            other = shown.session.others[0].id
            assert shown.player.own_times_s[other] == pytest.approx(1.0, abs=0.06)
            assert panel._playhead[0] == panel._playhead[1]


def test_the_path_before_an_edit_stays_to_compare(shown: Program, qtbot: QtBot) -> None:
    panel = shown.window.heatmap
    assert not panel.before.isEnabled()
    before = panel.plot.path_s[1].copy()
    shown.mapping.pinning.add(1.0, on_path(shown, 1.0) + 0.4)
    wait_settled(qtbot, shown, 2)
    assert panel.before.isEnabled()
    np.testing.assert_array_equal(panel._ghost[1], before)
    assert not np.array_equal(panel.plot.path_s[1], before)
    with_ghost = panel.plot.grab().toImage()
    panel.before.click()
    assert panel.plot.grab().toImage() != with_ghost


def test_lanes_and_map_zoom_together_until_unlinked(shown: Program) -> None:
    panel, timeline = shown.window.heatmap, shown.window.timeline
    timeline.show_stretch(0.5, 1.5)
    (left, right), (bottom, top) = panel.plot.box.viewRange()
    assert (left, right) == pytest.approx((0.5, 1.5), abs=0.02)
    assert (bottom, top) == pytest.approx(timeline.axis.visible_s(1), abs=0.05)
    panel.plot.box.setRange(xRange=(0.2, 0.8), yRange=(0.2, 0.8), padding=0)
    assert timeline.axis.start_s == pytest.approx(0.2, abs=0.02)
    assert timeline.axis.end_s == pytest.approx(0.8, abs=0.02)
    shown.actions[ActionId.LANES_FIT].trigger()
    assert timeline.axis.is_fit
    assert panel.is_whole
    panel.linked.click()
    timeline.show_stretch(0.5, 1.5)
    assert panel.is_whole


def test_the_stretch_between_pins_is_looped_locked_and_straightened(
    shown: Program, qtbot: QtBot
) -> None:
    for reference_s in (0.4, 1.6):
        shown.mapping.pinning.add(reference_s, on_path(shown, reference_s))
    wait_settled(qtbot, shown, 2)
    first_s, second_s = sorted(a.first.time_s for a in shown.project.project.anchors)
    shown.player.seek_own(shown.session.reference_id, 1.0)
    shown.actions[ActionId.SEGMENT_LOOP].trigger()
    loop = shown.project.project.loop
    assert loop is not None
    assert (loop.start_s, loop.end_s) == pytest.approx((first_s, second_s))
    assert shown.actions[ActionId.LOOP].isChecked()
    steps, count = shown.project.stack.count(), len(shown.project.project.anchors)
    shown.actions[ActionId.SEGMENT_STRAIGHT].trigger()
    assert shown.project.stack.count() == steps + 1
    wait_settled(qtbot, shown, 2)
    pins = shown.project.project.anchors
    assert len(pins) > count
    ends = [on_path(shown, t) for t in (first_s, second_s)]
    for pin in pins:
        even_s = np.interp(pin.first.time_s, (first_s, second_s), ends)
        assert pin.second.time_s == pytest.approx(float(even_s), abs=0.06)
    shown.actions[ActionId.UNDO].trigger()
    shown.actions[ActionId.SEGMENT_LOCK].trigger()
    assert len(shown.project.project.anchors) > count


def test_double_click_on_the_path_and_right_click_offer_what_can_be_done(
    shown: Program, qtbot: QtBot
) -> None:
    view = shown.window.heatmap.plot.viewport()
    qtbot.mouseDClick(view, LEFT, pos=at(shown, 1.0, on_path(shown, 1.0)))
    menu = shown.window.findChild(QMenu, "segment-menu")
    assert isinstance(menu, QMenu)
    assert len(menu.actions()) == 3
    menu.close()
    qtbot.mousePress(view, Qt.MouseButton.RightButton, pos=at(shown, 0.5, 1.5))
    menu = shown.window.findChild(QMenu, "heatmap-menu")
    assert isinstance(menu, QMenu)
    offered = {w: a for w, a in shown.actions.items() if a in menu.actions()}
    assert len(offered) == sum(not a.isSeparator() for a in menu.actions()), "all of the table"
    assert ActionId.POINT_UNMASK not in offered, "there is no mask"
    offered[ActionId.POINT_COPY].trigger()
    first, second = QGuiApplication.clipboard().text().split("\t")
    assert float(first.removeprefix("0:")) == pytest.approx(0.5, abs=0.02)
    assert float(second.removeprefix("0:")) == pytest.approx(1.5, abs=0.02)
    offered[ActionId.POINT_PIN].trigger()
    assert len(shown.project.project.anchors) == 1
    menu.close()


def test_the_commands_of_a_point_are_about_the_keyboards_cursor(
    shown: Program, qtbot: QtBot
) -> None:
    plot, layer = shown.window.heatmap.plot, shown.window.heatmap.pins
    plot.setFocus()
    for _step in range(3):
        qtbot.keyClick(plot, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    reference_s, other_s = layer.place()
    assert reference_s > 0.5
    place = QPoint(5, 5)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, place, plot.mapToGlobal(place))
    QApplication.sendEvent(plot, event)
    menu = shown.window.findChild(QMenu, "heatmap-menu")
    assert isinstance(menu, QMenu)
    menu.close()
    shown.actions[ActionId.POINT_COPY].trigger()
    times = [float(t.removeprefix("0:")) for t in QGuiApplication.clipboard().text().split("\t")]
    assert times == pytest.approx([reference_s, other_s], abs=0.002)
    shown.actions[ActionId.POINT_PIN].trigger()
    (pin,) = shown.project.project.anchors
    assert pin.first.time_s == pytest.approx(reference_s, abs=0.05)
    shown.actions[ActionId.POINT_IN].trigger()
    loop = shown.project.project.loop
    assert loop is not None
    assert loop.start_s == pytest.approx(reference_s, abs=0.05)
    shown.actions[ActionId.POINT_UNMASK].trigger()
    assert "no mask" in shown.window.banner.messages[0].text


def test_a_mask_under_the_mouse_is_taken_out_by_the_menu(shown: Program, qtbot: QtBot) -> None:
    shown.mapping.pinning.add_patch((0.2, 0.8), (1.2, 1.8), False)
    qtbot.waitUntil(lambda: shown.window.heatmap.pins.patch_at(0.5, 1.5) is not None)
    view = shown.window.heatmap.plot.viewport()
    qtbot.mousePress(view, Qt.MouseButton.RightButton, pos=at(shown, 0.5, 1.5))
    menu = shown.window.findChild(QMenu, "heatmap-menu")
    assert isinstance(menu, QMenu)
    assert shown.actions[ActionId.POINT_UNMASK] in menu.actions()
    menu.close()
    shown.actions[ActionId.POINT_UNMASK].trigger()  # a menu hides before it runs what was chosen
    assert not shown.project.project.masks


def test_middle_drag_moves_the_map(shown: Program, qtbot: QtBot) -> None:
    plot = shown.window.heatmap.plot
    shown.window.timeline.show_stretch(0.5, 1.0)
    before = plot.box.viewRange()[0][0]
    qtbot.mousePress(plot.viewport(), MIDDLE, pos=QPoint(120, 80))
    qtbot.mouseMove(plot.viewport(), pos=QPoint(80, 80))
    qtbot.mouseRelease(plot.viewport(), MIDDLE, pos=QPoint(80, 80))
    assert plot.box.viewRange()[0][0] > before


def test_both_frames_are_decoded_when_the_cursor_rests(
    shown: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = shown.window.heatmap
    monkeypatch.setattr(panel, "_cursor_at", lambda: QPoint(60, 200))
    panel.hovered.emit(0.5, 1.2)
    qtbot.waitUntil(panel._frames.isVisible, timeout=10_000)
    (first, *_), (second, *_) = panel._frames._pictures
    assert not first.isNull()
    assert first.toImage() != second.toImage()
    panel._leave()
    assert not panel._frames.isVisible()


def test_frames_stay_inside_the_map(shown: Program) -> None:
    view = shown.window.heatmap._frames
    picture = Thumbnail(0.0, np.zeros((90, 160, 3), dtype=np.uint8))
    frames = CursorFrames(
        (0.0, 0.0), CursorFrame("A", 0, "0:00.00", picture), CursorFrame("B", 1, "0:00.00", picture)
    )
    room = shown.window.heatmap.plot.rect()
    for corner in (room.topLeft(), room.topRight(), room.bottomLeft(), room.bottomRight()):
        view.show_frames(frames, corner)
        assert room.contains(view.geometry()) or view.width() > room.width()


def test_contrast_clips_the_ends_of_the_values() -> None:
    values = np.arange(256, dtype=np.uint8).repeat(10)
    assert clipped_levels(values, 0) == (0.0, 255.0)
    low, high = clipped_levels(values, 50)
    assert low == pytest.approx(51, abs=2)
    assert high == pytest.approx(249, abs=2)
    flat = clipped_levels(np.full(100, 7, dtype=np.uint8), 5)
    assert flat[1] > flat[0]


def test_a_diagonal_of_single_cells_stands_out_at_the_first_contrast() -> None:
    values = np.random.default_rng(0).integers(120, 200, (782, 782), dtype=np.uint8)
    np.fill_diagonal(values, 240)
    low, high = clipped_levels(values, FIRST_CONTRAST)
    assert high == 240
    assert low < 125


def test_a_diagonal_of_single_cells_is_drawn_without_breaks_where_cells_are_less_than_pixels(
    qtbot: QtBot,
) -> None:
    plot = MapPlot()
    qtbot.addWidget(plot)
    plot.resize(380, 300)
    plot.show()
    qtbot.waitExposed(plot)
    values = np.zeros((783, 783), dtype=np.uint8)
    values[np.arange(783), np.minimum(np.arange(783) + 1, 782)] = values[0, 0] = 255
    plot.put(HeatmapPicture(values, (0.0, 783.0), (0.0, 783.0)), (0.0, 255.0))
    for shown in (783.0, 700.0):
        plot.box.setRange(xRange=(0.0, shown), yRange=(0.0, shown), padding=0)
        QApplication.processEvents()
        drawn = plot._base.image
        assert max(drawn.shape) < 400
        assert drawn.max(axis=0).min() == 255
        pixels = plot.grab().toImage()
        room = plot.box.sceneBoundingRect().toRect()
        is_bright = [
            any(
                pixels.pixelColor(x, y).red() > 200
                for y in range(room.top() + 2, room.bottom() - 2)
            )
            for x in range(room.left() + 4, room.right() - 4)
        ]
        assert all(is_bright), [x for x, bright in enumerate(is_bright) if not bright]
    plot.box.setRange(xRange=(0.0, 50.0), yRange=(0.0, 50.0), padding=0)
    assert plot._base.image.shape == values.shape


def test_the_cost_is_least_along_the_best_path() -> None:
    values = np.full((60, 60), 60, dtype=np.uint8)
    np.fill_diagonal(values, 255)
    cost = cost_picture(HeatmapPicture(values, (0.0, 6.0), (0.0, 6.0)))
    assert np.diagonal(cost.values).min() == 255
    assert cost.values[0, 59] == 0


def test_zoomed_in_a_long_line_goes_through_every_sample(qtbot: QtBot) -> None:
    plot = MapPlot()
    qtbot.addWidget(plot)
    times = np.arange(20_000) / 10
    plot.box.setXRange(0.0, 2000.0, padding=0.0)
    plot.set_path(times, times * 0.9, is_played=True)
    assert len(plot._path.xData) <= MOST_POINTS
    plot.box.setXRange(1000.0, 1010.0, padding=0.0)
    shown = plot._path.xData
    np.testing.assert_array_equal(times[(times >= 1000.0) & (times <= 1010.0)], shown[1:-1])
    assert shown[0] < 1000.0 < 1010.0 < shown[-1]


def test_a_long_line_is_thinned_but_keeps_its_gaps() -> None:
    times = np.arange(100_000) / 30.0
    other = times * 0.9
    other[50_001:50_004] = np.nan
    kept_times, kept = thinned(times, other)
    assert len(kept) <= MOST_POINTS
    assert np.isnan(kept).any()
    assert kept_times[-1] == times[-1]


def test_three_recordings_have_small_maps_to_choose_from(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    three_aligned = make_program()
    three_aligned.opening.add_paths(videos)
    wait_settled(qtbot, three_aligned, 3)
    panel = three_aligned.window.heatmap
    qtbot.waitUntil(lambda: len(three_aligned.mapping._previews._made) == 2, timeout=20_000)
    second = three_aligned.session.others[1].id
    panel.previews._buttons[second].click()
    assert three_aligned.mapping.heatmap.other_id == second
    assert three_aligned.session.active_id == second  # keys and map are about the same recording
    first = three_aligned.session.others[0].id
    three_aligned.session.set_active(first)
    assert three_aligned.mapping.heatmap.other_id == first
    three_aligned.session.set_active(three_aligned.session.reference_id)
    assert three_aligned.mapping.heatmap.other_id == first


def test_small_maps_of_nine_recordings_leave_the_panel_its_width(qtbot: QtBot) -> None:
    strip = PairStrip()
    qtbot.addWidget(strip)
    pairs = [
        PairPreview(f"r{n}", "ABCDEFGHI"[n], n, f"pair {n}", None, np.empty((0, 2)))
        for n in range(1, 9)
    ]
    strip.resize(390, 60)
    strip.set_previews(tuple(pairs), "r1")
    strip.show()
    assert strip.minimumSizeHint().width() <= 330
    right = max(b.geometry().right() for b in strip._buttons.values())
    assert right < strip.width()
    assert min(b.iconSize().width() for b in strip._buttons.values()) >= LEAST_SIDE
