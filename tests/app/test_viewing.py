"""Grid, overlay, difference, wipe; zoom and pan; one recording alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QSlider

from app.actions import ActionId
from app.models.looking import Mode, Zoom
from app.views.tile_words import NARROW
from carl_core.export import compose
from carl_core.video.reader import FrameReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from app.views.tile import Tile
    from carl_core.arrays import UInt8


def settle(program: Program, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=10_000)


def expected(program: Program) -> tuple[UInt8, UInt8]:
    """Return both pictures as a reader of its own decodes them."""
    look = program.window.stage.look
    pictures = []
    for recording_id in (look.first, look.second):
        entry = program.session.entry(recording_id)
        frame = program.player.frame_due(recording_id)
        assert entry is not None
        assert frame is not None
        size = program.window.stage.picture_size(recording_id)
        reader = FrameReader(entry.recording, size=size)
        pictures.append(reader.frame_at(frame).pixels)
        reader.close()
    first, second = pictures
    return first, compose.placed(second, first.shape[1], first.shape[0])


@pytest.mark.parametrize(
    ("which", "mix"),
    [
        (ActionId.VIEW_OVERLAY, lambda a, b: compose.blend(a, b, 0.5)),
        (ActionId.VIEW_DIFFERENCE, lambda a, b: compose.difference(a, b, 2.0)),
        (ActionId.VIEW_WIPE, lambda a, b: compose.wipe(a, b, 0.5)),
    ],
)
def test_a_view_is_made_of_exactly_the_frames_that_belong_together(
    aligned: Program, qtbot: QtBot, which: ActionId, mix: Callable[[UInt8, UInt8], UInt8]
) -> None:
    aligned.actions[which].trigger()
    assert aligned.window.stage.composite.isVisible()
    for time_s in (0.4, 1.1):
        aligned.player.seek(time_s)
        settle(aligned, qtbot)
        wanted = mix(*expected(aligned))
        found = aligned.window.stage.composite.pixels
        assert found is not None
        assert np.array_equal(found, wanted)
    aligned.actions[ActionId.VIEW_GRID].trigger()
    assert aligned.window.grid.isVisible()


def test_the_slider_sets_what_the_view_has_and_the_project_keeps_it(
    aligned: Program, qtbot: QtBot
) -> None:
    stage = aligned.window.stage
    slider = stage.mix.findChild(QSlider, "mix-slider")
    value = stage.mix.findChild(QLabel, "mix-value")
    assert isinstance(slider, QSlider)
    assert isinstance(value, QLabel)
    steps = aligned.project.stack.count()
    aligned.actions[ActionId.VIEW_OVERLAY].trigger()
    slider.setValue(250)
    assert stage.look.opacity == pytest.approx(0.25)
    assert value.text() == "25%"
    aligned.actions[ActionId.VIEW_DIFFERENCE].trigger()
    slider.setValue(1000)
    assert stage.look.gain == pytest.approx(16.0)
    view = aligned.project.project.view
    assert (view.mode, view.opacity, view.gain) == ("difference", 0.25, 16.0)
    assert aligned.project.stack.count() == steps  # looking is no step of undo


def test_the_slider_of_a_view_keeps_its_keys(aligned: Program, qtbot: QtBot) -> None:
    aligned.actions[ActionId.VIEW_WIPE].trigger()
    slider = aligned.window.stage.findChild(QSlider, "mix-slider")
    assert slider is not None
    slider.setFocus()
    before = aligned.player.clock.time_s
    for _ in range(3):
        qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert aligned.window.stage.look.wipe == pytest.approx(0.53)
    assert aligned.player.clock.time_s == before  # the arrows stepped no frame


def test_the_edge_of_a_wipe_is_dragged(aligned: Program, qtbot: QtBot) -> None:
    aligned.actions[ActionId.VIEW_WIPE].trigger()
    composite = aligned.window.stage.composite
    rect = composite.picture_rect()
    middle = QPoint(round(rect.center().x()), round(rect.center().y()))
    quarter = QPoint(round(rect.x() + rect.width() / 4), middle.y())
    qtbot.mousePress(composite, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(composite, quarter)
    qtbot.mouseRelease(composite, Qt.MouseButton.LeftButton, pos=quarter)
    assert aligned.window.stage.look.wipe == pytest.approx(0.25, abs=0.01)
    far = QPoint(round(rect.x() + rect.width() * 0.8), middle.y())
    qtbot.mousePress(composite, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.AltModifier, pos=far)
    qtbot.mouseRelease(composite, Qt.MouseButton.LeftButton, pos=far)
    assert aligned.window.stage.look.wipe == pytest.approx(0.8, abs=0.01)


def test_without_counterpart_the_view_says_so(aligned: Program, qtbot: QtBot) -> None:
    aligned.actions[ActionId.VIEW_OVERLAY].trigger()
    settle(aligned, qtbot)
    stage = aligned.window.stage
    stage.set_counterpart(stage.look.second, False)
    found, (first, _) = stage.composite.pixels, expected(aligned)
    assert found is not None
    assert np.array_equal(found, first)
    image = stage.composite.grab().toImage()
    assert not image.isNull()


def wheel(tile: Tile, at: QPointF, notches: int) -> None:
    event = QWheelEvent(
        at,
        tile.mapToGlobal(at),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(tile, event)


def test_the_wheel_zooms_at_the_cursor_and_linked_tiles_follow(
    aligned: Program, qtbot: QtBot
) -> None:
    tiles = list(aligned.window.grid.tiles.values())
    rect = tiles[0]._picture_rect()
    at = QPointF(rect.x() + rect.width() * 0.25, rect.center().y())
    before = tiles[0].zooming.point(at)
    wheel(tiles[0], at, 4)
    after = tiles[0].zooming.point(at)
    assert tiles[0].zooming.zoom.factor > 2
    assert (after - before).manhattanLength() < 1e-6
    assert tiles[1].zooming.zoom == tiles[0].zooming.zoom
    zoomed = tiles[0].zooming.zoom
    start = QPoint(round(rect.center().x()), round(rect.center().y()))
    qtbot.mousePress(tiles[0], Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(tiles[0], start - QPoint(40, 0))
    qtbot.mouseRelease(tiles[0], Qt.MouseButton.LeftButton, pos=start - QPoint(40, 0))
    assert tiles[0].zooming.zoom.x > zoomed.x
    aligned.actions[ActionId.ZOOM_LINK].trigger()
    wheel(tiles[1], at, 1)
    assert tiles[1].zooming.zoom.factor > tiles[0].zooming.zoom.factor
    aligned.actions[ActionId.ZOOM_FIT].trigger()
    assert {t.zooming.zoom for t in tiles} == {Zoom()}


def test_a_zoom_shows_nothing_beside_the_picture() -> None:
    zoom = Zoom().at(4.0, 0.0, 1.0)
    assert (zoom.x, zoom.y) == (0.125, 0.875)
    assert zoom.moved(-1.0, 1.0) == zoom
    assert zoom.at(0.1, 0.5, 0.5) == Zoom()
    assert Zoom().at(99.0, 0.5, 0.5).factor == Zoom.LARGEST


def test_digits_choose_and_hold_shows_alone(aligned: Program, qtbot: QtBot) -> None:
    window, grid = aligned.window, aligned.window.grid
    window.activateWindow()
    first, second = (e.id for e in aligned.session.entries)
    qtbot.keyPress(window, Qt.Key.Key_2)
    assert aligned.session.active_id == second
    assert grid.solo == ""
    qtbot.waitUntil(lambda: grid.solo == second)
    assert not grid.tiles[first].isVisible()
    qtbot.keyRelease(window, Qt.Key.Key_2)
    assert grid.solo == ""
    assert grid.tiles[first].isVisible()
    qtbot.keyClick(window, Qt.Key.Key_1)
    assert aligned.session.active_id == first
    qtbot.mouseDClick(grid.tiles[second], Qt.MouseButton.LeftButton)
    assert grid.solo == second
    aligned.actions[ActionId.SOLO].trigger()
    assert grid.solo == ""


def test_a_tile_says_how_its_map_came_about_and_what_is_unusual(
    aligned: Program, qtbot: QtBot
) -> None:
    second = aligned.session.entries[1].id
    aligned.session.set_active(second)
    aligned.player.nudge(second, 3)
    tile = aligned.window.grid.tiles[second]
    assert tile.state.chips == ("+3 frames, not pinned",)
    assert (tile.state.kind, tile.state.is_kind_chosen) == ("warped", False)
    aligned.actions[ActionId.MAP_LINEAR].trigger()
    qtbot.waitUntil(lambda: tile.state.kind == "linear", timeout=20_000)
    assert tile.state.is_kind_chosen
    assert aligned.window.grid.tiles[aligned.session.reference_id].state.kind == ""


@pytest.mark.parametrize("width", [240, 620])
def test_rate_time_and_frame_are_read_on_small_and_large_tiles(
    aligned: Program, width: int
) -> None:
    tile = aligned.window.grid.tiles[aligned.session.entries[1].id]
    tile.resize(width, 200)
    line = tile.words.below() if width < NARROW else tile.words.above()
    words = [text for text, _ in line]
    assert words[0] == "warped"
    assert words[1].startswith("×")
    assert words[-1].startswith("f")
    assert tile.words.left_of(line) >= 0


def test_a_tile_says_how_similar_its_frame_is_to_the_one_of_the_reference(
    aligned: Program, qtbot: QtBot
) -> None:
    reference, other = aligned.session.entries
    tile = aligned.window.grid.tiles[other.id]
    assert reference.embeddings is not None
    assert other.embeddings is not None
    one, two = reference.embeddings, other.embeddings
    seen: list[float] = []
    for frame in (10, 40):
        aligned.player.seek_own(reference.id, float(reference.recording.index.time_of(frame)))

        def is_said(frame: int = frame) -> bool:
            shown = aligned.player.shown[other.id].index
            rows = [int(np.abs(e.frames - f).argmin()) for e, f in ((one, frame), (two, shown))]
            wanted = float(one.vectors[rows[0]] @ two.vectors[rows[1]])
            return tile.words.match == pytest.approx(wanted, abs=1e-6)

        qtbot.waitUntil(lambda f=frame: aligned.player.shown[reference.id].index == f)
        qtbot.waitUntil(is_said)
        assert tile.words.match is not None
        assert tile.words.below()[0][0] == f"match {tile.words.match:.2f}"
        seen.append(tile.words.match)
    assert seen[0] != pytest.approx(seen[1], abs=1e-4)
    own = aligned.window.grid.tiles[reference.id].words.below()
    assert not [text for text, _ in own if text.startswith("match")], "the same as itself"


def test_with_one_recording_there_is_only_the_grid(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    program.opening.add_paths(videos[:1])
    qtbot.waitUntil(lambda: len(program.session.entries) == 1, timeout=20_000)
    assert program.actions[ActionId.VIEW_GRID].isEnabled()
    assert not program.actions[ActionId.VIEW_WIPE].isEnabled()
    assert program.window.stage.look.mode is Mode.GRID
