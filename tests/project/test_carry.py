"""Markers carried through the maps, phases compared."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from carl_core.alignment.timemap import TimeMap
from carl_core.project.carry import carried_markers
from carl_core.project.phases import phase_table, phases_csv
from carl_core.project.project import Marker, Media, Moment, Project
from carl_core.timebase import FrameIndex


def index(frames: int, step: int) -> FrameIndex:
    pts = np.arange(frames, dtype=np.int64) * step + 100  # does not begin at zero
    keys = np.zeros(frames, dtype=bool)
    keys[0] = True
    return FrameIndex(pts, int(pts[-1]) + step, keys, Fraction(1, 1000))


INDICES = {"a": index(100, 40), "b": index(100, 80), "c": index(50, 40)}
HALF = np.array([0.0, 4.0])
MAPS = {
    "b": TimeMap(HALF, HALF * 2),
    "c": TimeMap(np.array([0.0, 2.0, 2.5, 4.0]), np.array([0.0, 1.0, np.nan, np.nan])),
}


def moment(recording: str, frame: int) -> Moment:
    one = INDICES[recording]
    return Moment(recording=recording, pts=int(one.pts[frame]), time_s=one.time_of(frame))


def project(*markers: Marker) -> Project:
    media = tuple(Media(id=i, path=f"/{i}.mp4") for i in INDICES)
    return Project(recordings=media, reference="a", markers=markers)


def test_a_moment_of_the_reference_is_carried_to_the_frame_shown_there() -> None:
    carried = carried_markers(
        project(Marker(id="m", name="top", start=moment("a", 25))), INDICES, MAPS
    )
    by = {m.recording: m for m in carried.markers}
    assert by["b"].start == moment("b", 25)  # 1 s is 2 s there, and its frames last 80 ms
    assert by["c"].start == moment("c", 12)  # 0.5 s, frame 12 from 0.48 s on
    assert by["b"].id == "m@b"
    assert by["b"].derived_from == "m"
    assert not carried.lost


def test_a_moment_of_another_goes_through_the_reference() -> None:
    carried = carried_markers(
        project(Marker(id="m", name="top", start=moment("b", 25))), INDICES, MAPS
    )
    by = {m.recording: m for m in carried.markers}
    assert by["a"].start == moment("a", 25)
    assert by["c"].start == moment("c", 12)


def test_what_has_no_counterpart_is_said_and_no_phase_is_cut() -> None:
    phase = Marker(id="p", name="swing", start=moment("a", 25), end=moment("a", 75))
    carried = carried_markers(project(phase), INDICES, MAPS)
    assert [m.recording for m in carried.markers] == ["b"]
    assert carried.lost == (("p", "c"),)


def test_accepted_and_hand_made_ones_are_not_carried_again() -> None:
    made = Marker(id="m", name="top", start=moment("a", 25))
    accepted = Marker(id="x", name="top", start=moment("b", 30), derived_from="m")
    by_hand = Marker(id="y", name="top", start=moment("c", 20))
    carried = carried_markers(project(made, accepted, by_hand), INDICES, MAPS)
    assert not [m for m in carried.markers if m.derived_from == "m"]


def test_unmapped_recordings_get_nothing() -> None:
    carried = carried_markers(
        project(Marker(id="m", name="top", start=moment("a", 25))), INDICES, {"b": MAPS["b"]}
    )
    assert [m.recording for m in carried.markers] == ["b"]
    assert not carried.lost


def test_phases_are_compared_by_name_and_order() -> None:
    def phase(mark: str, name: str, recording: str, first: int, last: int, of: str = "") -> Marker:
        return Marker(
            id=mark,
            name=name,
            start=moment(recording, first),
            end=moment(recording, last),
            derived_from=of,
        )

    markers = (
        phase("1", "up", "a", 0, 10),
        phase("2", "down", "a", 10, 30),
        phase("3", "up", "a", 30, 45),
        phase("4", "up", "b", 0, 10, of="1"),
        Marker(id="5", name="top", start=moment("a", 10)),
    )
    rows = phase_table(markers, ["a", "b"])
    assert [row.name for row in rows] == ["up 1", "down 1".removesuffix(" 1"), "up 2"]
    first, second = rows[0].cells
    assert first is not None
    assert second is not None
    assert first.length_s == pytest.approx(0.4)
    assert first.share == pytest.approx(0.4 / 1.8)
    assert second.ratio == pytest.approx(2.0)
    assert second.is_derived
    assert rows[1].cells[1] is None
    lines = phases_csv(rows, ["a.mp4", "b.mp4"]).splitlines()
    assert lines[1] == "up 1,a.mp4,0.000000,0.400000,0.222222,1.000000,0"
    assert len(lines) == 5
