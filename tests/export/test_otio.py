"""Timelines for editing programs: read back, they show what the map says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.alignment.timemap import TimeMap
from carl_core.errors import ExportError
from carl_core.export.otio import straight_pieces, tolerance_s, write_timeline
from carl_core.playback.schedule import Schedule
from carl_core.video.recording import open_recording
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.video.recording import Recording

otio = pytest.importorskip("opentimelineio")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, Recording]:
    folder = tmp_path_factory.mktemp("otio")
    first = make_video(folder / "first.mp4", frames=60, fps=30, size=(64, 48))
    second = make_video(folder / "second.mp4", frames=100, fps=25, size=(64, 48))
    return open_recording(first), open_recording(second)


def bent() -> TimeMap:
    """Fast, a hold, a gap, slow."""
    nan = float("nan")
    return TimeMap(
        np.asarray([0.0, 0.5, 0.8, 1.0, 1.1, 1.3, 2.0]),
        np.asarray([0.2, 1.2, 1.2, nan, nan, 2.0, 2.35]),
    )


def sampled(track: object, time_s: float) -> float | None:
    """Own seconds of what a track shows, by the library's own arithmetic."""
    at = otio.opentime.RationalTime(time_s, 1.0)
    for child, found in track.range_of_all_children().items():  # type: ignore[attr-defined]
        if found.contains(at):
            if isinstance(child, otio.schema.Gap):
                return None
            rate = 1.0
            for effect in child.effects:
                rate = 0.0 if isinstance(effect, otio.schema.FreezeFrame) else effect.time_scalar
            into_s = time_s - found.start_time.to_seconds()
            return float(child.source_range.start_time.to_seconds() + rate * into_s)
    return None


def test_the_timeline_shows_what_the_map_says(
    pair: tuple[Recording, Recording], tmp_path: Path
) -> None:
    reference, other = pair
    time_map = bent()
    marks = [(other.id, "swing", 1.0, 1.1), (reference.id, "start", 0.5, 0.5)]
    path = write_timeline(
        tmp_path / "out.otio", Schedule(reference, [other], {other.id: time_map}), marks
    )
    timeline = otio.adapters.read_from_file(str(path))
    first, second = timeline.video_tracks()
    frame_s = 1 / 30
    for track in (first, second):
        length_s = track.duration().to_seconds()
        assert length_s == pytest.approx(reference.index.duration_s, abs=frame_s / 10)
    assert len(list(first)) == 1
    compared = 0
    for time_s in reference.index.times_s:
        wanted = float(time_map(float(time_s)))
        shown = sampled(second, float(time_s) + 1e-6)
        if np.isfinite(wanted):
            assert shown == pytest.approx(wanted, abs=tolerance_s(other) + 1e-4)
            compared += 1
        else:
            assert shown is None
    assert compared > 40
    kinds = [type(e).__name__ for clip in second.find_clips() for e in clip.effects]
    assert "FreezeFrame" in kinds
    assert "LinearTimeWarp" in kinds
    assert len(list(second)) < 12
    assert [m.name for clip in second.find_clips() for m in clip.markers] == ["swing"]
    assert [m.name for clip in first.find_clips() for m in clip.markers] == ["start"]
    facts = second.metadata["carl"]
    assert facts["fingerprint"] == other.fingerprint
    assert list(facts["map"]["reference_s"]) == time_map.reference_s.tolist()
    assert list(facts["map"]["other_s"])[3] is None
    url = next(iter(second.find_clips())).media_reference.target_url
    assert url == other.path.as_uri()


@given(
    st.lists(st.floats(0, 0.2), min_size=2, max_size=40),
    st.floats(0.005, 0.1),
)
def test_pieces_are_never_farther_than_the_tolerance(steps: list[float], tolerance: float) -> None:
    knots = np.arange(len(steps)) * 0.1
    time_map = TimeMap(knots, np.cumsum(steps))
    times = np.arange(0, round((knots[-1] + 0.2) * 30)) / 30
    pieces = straight_pieces(time_map, times, float(times[-1] + 1 / 30), tolerance)
    for time_s in times:
        own_s = float(time_map(float(time_s)))
        holding = [p for p in pieces if p.start_s <= time_s < p.end_s]
        assert len(holding) == (1 if np.isfinite(own_s) else 0)
        for piece in holding:
            shown = piece.other_s + piece.rate * (time_s - piece.start_s)
            assert shown == pytest.approx(own_s, abs=tolerance + 1e-9)


def test_a_recording_without_a_map_plays_as_it_is(
    pair: tuple[Recording, Recording], tmp_path: Path
) -> None:
    path = write_timeline(tmp_path / "out.otio", Schedule(pair[0], [pair[1]], {}))
    track = otio.adapters.read_from_file(str(path)).video_tracks()[1]
    assert track.metadata["carl"]["aligned"] is False
    assert sampled(track, 1.0) == pytest.approx(1.0)


def test_without_the_library_it_says_what_to_install(
    pair: tuple[Recording, Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(ExportError, match="timeline"):
        write_timeline(tmp_path / "out.otio", Schedule(pair[0], [pair[1]], {}))


def test_a_folder_that_cannot_be_made_is_a_sentence(
    pair: tuple[Recording, Recording], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        write_timeline(tmp_path / "file" / "x" / "out.otio", Schedule(pair[0], [pair[1]], {}))
