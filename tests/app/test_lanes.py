"""The lanes zoom from the whole to single frames, and draw no more than pixels allow."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent

from app.actions import ActionId
from app.models.place import Place, PlaceKind, parse_place
from app.models.viewstate import Lane, LaneMark, PicturesWish, Thumbnail
from app.presenters.timeline import wished_frames
from app.views.goto_dialog import GotoDialog
from app.views.timeline import Timeline
from app.views.timeline.axis import GUTTER, Axis
from app.views.timeline.describe import text_at
from app.views.timeline.items import ruler_ticks, thread_pairs
from carl_core.alignment.timemap import TimeMap
from carl_core.timebase import FrameIndex

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


def lane(name: str, frames: int, fps: float = 30.0, time_map: TimeMap | None = None) -> Lane:
    return Lane(
        recording_id=name,
        letter=name.upper(),
        position="ab".index(name),
        name=f"{name}.mp4",
        duration_s=frames / fps,
        is_reference=time_map is None,
        frame_times_s=np.arange(frames) / fps,
        time_map=time_map,
    )


def shifted(frames: int, fps: float = 30.0) -> TimeMap:
    times = np.linspace(0, frames / fps, 50)
    return TimeMap(times, times * 0.5 + 3.0)


@pytest.fixture
def timeline(qtbot: QtBot) -> Timeline:
    widget = Timeline()
    qtbot.addWidget(widget)
    widget.resize(1000, 200)
    widget.show()
    return widget


@given(
    x=st.floats(GUTTER, 900), zooms=st.lists(st.tuples(st.floats(GUTTER, 900), st.floats(0.2, 9)))
)
def test_axis_goes_there_and_back(x: float, zooms: list[tuple[float, float]]) -> None:
    axis = Axis()
    axis.set_lanes((lane("a", 9000), lane("b", 6000, time_map=shifted(9000))))
    axis.resize(1000)
    for at, factor in zooms:
        axis.zoom_at(at, factor)
        assert axis.least_span_s - 1e-9 <= axis.span_s <= axis.full_s + 1e-9
    for position in (0, 1):
        assert axis.x_of(axis.time_of(x, position), position) == pytest.approx(x, abs=1e-6)


def test_zooming_keeps_the_time_under_the_cursor_and_links_the_lanes(timeline: Timeline) -> None:
    timeline.set_lanes((lane("a", 9000), lane("b", 6000, time_map=shifted(9000))))
    before = timeline.time_of(600)
    for _ in range(12):
        turn(timeline, QPoint(600, 60), 120)
    assert timeline.time_of(600) == pytest.approx(before, abs=1e-6)
    axis = timeline.axis
    centre = axis.start_s + axis.span_s / 2
    x = timeline.x_of(centre)
    assert timeline.time_of(x, 1) == pytest.approx(centre * 0.5 + 3.0, abs=1e-6)
    timeline.fit()
    assert axis.is_fit
    assert timeline.x_of(0.0, 1) == pytest.approx(GUTTER)


def test_deepest_zoom_counts_frames_and_nothing_grows_with_the_recording(
    timeline: Timeline, qtbot: QtBot
) -> None:
    timeline.set_lanes((lane("a", 200_000), lane("b", 180_000, time_map=shifted(200_000))))
    counts = []
    for _ in range(60):
        turn(timeline, QPoint(500, 60), 120)
        timeline.grab()
        counts.append(timeline.painted)
    assert max(counts) < 2000
    texts = [t.text for t in ruler_ticks(timeline.lanes[0], timeline.axis) if t.text]
    assert texts
    assert all(t.startswith("f ") for t in texts)
    assert len(thread_pairs(*timeline.lanes, timeline.axis, 1)) < 60


def test_pictures_are_wanted_only_for_what_is_in_view(timeline: Timeline, qtbot: QtBot) -> None:
    timeline.set_lanes((lane("a", 9000),))
    timeline.add_thumbnail("a", Thumbnail(0.5, np.zeros((48, 64, 3), dtype=np.uint8)))
    with qtbot.waitSignal(timeline.pictures_wanted) as blocker:
        timeline.show_stretch(100.0, 104.0)
    wish = blocker.args[0][0]
    assert wish.recording_id == "a"
    assert all(99.0 < t < 105.0 for t in wish.centres_s)
    assert 4 < len(wish.centres_s) < 40


def test_each_frame_shows_its_own_picture_at_the_deepest_zoom(timeline: Timeline) -> None:
    one = lane("a", 300)
    timeline.set_lanes((one,))
    for frame in range(95, 111):
        pixels = np.full((36, 48, 3), frame, dtype=np.uint8)
        timeline.add_thumbnail("a", Thumbnail(float(one.frame_times_s[frame]), pixels))
    timeline.show_stretch(100 / 30, 106 / 30)
    scene = timeline._scene
    height = scene.picture_rect(0).height()
    seen = 0
    for slot in scene.pictures.slots(one, scene.axis, 0, height):
        frame = round(slot.start_s * 30)
        if not 95 <= frame < 111:
            continue
        found = scene.pictures.nearest("a", slot, height, 1.0)
        assert found is not None
        picture, is_inside = found
        assert is_inside, f"frame {frame} shows a neighbour"
        assert picture.toImage().pixelColor(2, 2).red() == pytest.approx(frame, abs=1)
        seen += 1
    assert seen >= 5


def test_wished_frames_take_a_key_frame_where_there_is_one() -> None:
    is_key = np.zeros(100, dtype=bool)
    is_key[[0, 50]] = True
    index = FrameIndex(np.arange(100), 100, is_key, Fraction(1, 10))
    assert wished_frames(index, PicturesWish("a", (4.8, 8.0), 1.0)) == [50, 80]


def test_in_and_out_are_dragged_as_one_step(timeline: Timeline, qtbot: QtBot) -> None:
    timeline.set_lanes((lane("a", 300),))
    start, end = (QPoint(round(timeline.x_of(t)), 8) for t in (2.0, 6.0))
    wanted: list[tuple[float, float]] = []
    timeline.range_wanted.connect(lambda a, b: wanted.append((a, b)))
    qtbot.mousePress(
        timeline, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier, pos=end
    )
    qtbot.mouseMove(timeline, pos=start)
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=start)
    assert len(wanted) == 1
    assert wanted[0] == pytest.approx((2.0, 6.0), abs=0.05)
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=end)
    qtbot.mouseRelease(
        timeline, Qt.MouseButton.LeftButton, pos=QPoint(round(timeline.x_of(8.0)), 8)
    )
    assert wanted[-1] == pytest.approx((2.0, 8.0), abs=0.05)


def test_the_playhead_stays_in_view(timeline: Timeline) -> None:
    timeline.set_lanes((lane("a", 9000),))
    timeline.show_stretch(10.0, 20.0)
    timeline.set_playheads({"a": 25.0})
    axis = timeline.axis
    assert axis.start_s < 25.0 < axis.end_s
    assert axis.span_s == pytest.approx(10.0)


def test_program_zooms_goes_to_places_and_counts_in_frames(aligned: Program, qtbot: QtBot) -> None:
    timeline, player = aligned.window.timeline, aligned.player
    aligned.actions[ActionId.LANES_IN].trigger()
    assert not timeline.axis.is_fit
    qtbot.waitUntil(lambda: not aligned.jobs.is_active("thumbnails"), timeout=20_000)
    aligned.actions[ActionId.LANES_FIT].trigger()
    assert timeline.axis.is_fit
    aligned.actions[ActionId.GO_TO].trigger()
    dialog = aligned.window.findChild(GotoDialog, "goto")
    assert isinstance(dialog, GotoDialog)
    dialog.line.setText("nowhere")
    dialog._choose()
    assert dialog.isVisible()
    dialog.line.setText("f12")
    dialog._choose()
    active = aligned.session.entry(aligned.session.active_id)
    assert active is not None
    assert player.frame_due(active.id) == 12
    aligned.actions[ActionId.READOUT].trigger()
    assert aligned.window.transport._time.text() == "12"
    timeline.range_wanted.emit(0.4, 1.2)
    loop = aligned.project.project.loop
    assert loop is not None
    assert loop.start_s in active.recording.index.times_s


def test_hover_says_what_is_there(timeline: Timeline) -> None:
    marked = replace(lane("a", 300), marks=(LaneMark(2.0, 3.0, "Swing", "#ff0000"),), hits=(2.5,))
    timeline.set_lanes((marked,))
    text = text_at(timeline._scene, 0, timeline.x_of(2.5))
    assert "frame 75" in text
    assert "Swing" in text
    assert "match" in text
    assert text_at(timeline._scene, 0, timeline.x_of(10.5)) == ""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("1:02.5", Place(PlaceKind.SECONDS, 62.5)),
        ("1:00:00", Place(PlaceKind.SECONDS, 3600.0)),
        (" 62,5 s", Place(PlaceKind.SECONDS, 62.5)),
        ("f370", Place(PlaceKind.FRAME, 370)),
        ("# 3", Place(PlaceKind.FRAME, 3)),
        ("25 %", Place(PlaceKind.SHARE, 0.25)),
        ("-2", Place(PlaceKind.SECONDS, -2.0, is_step=True)),
        ("+f10", Place(PlaceKind.FRAME, 10, is_step=True)),
        ("1:99", None),
        ("120 %", None),
        ("", None),
        ("later", None),
    ],
)
def test_places_are_read_as_people_write_them(text: str, place: Place | None) -> None:
    assert parse_place(text) == place


def turn(timeline: Timeline, at: QPoint, notches: int) -> None:
    event = QWheelEvent(
        QPointF(at),
        timeline.mapToGlobal(QPointF(at)),
        QPoint(),
        QPoint(0, notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    timeline.wheelEvent(event)
