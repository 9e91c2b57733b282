"""The demo recordings: the committed files, and the program that makes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from carl_core.assets import asset_path
from carl_core.video.recording import open_recording
from training.demo import FPS, Demo, make_demo, truth_of, write_demo
from training.simulate.clip import render_clip
from training.simulate.motion import pose_at

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def demo() -> Demo:
    return make_demo(size=(96, 72))


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    result: dict[str, Any] = json.loads(asset_path("demo/truth.json").read_text("utf-8"))
    return result


def test_committed_truth_is_what_the_program_writes(demo: Demo, committed: dict[str, Any]) -> None:
    fresh = json.loads(json.dumps(truth_of(demo)))
    assert fresh["recordings"] == committed["recordings"]
    ours = np.array(fresh["map"], dtype=np.float64)
    np.testing.assert_allclose(np.array(committed["map"], dtype=np.float64), ours, atol=2e-6)


@pytest.mark.parametrize("position", [0, 1])
def test_committed_videos_have_the_frames_of_the_truth(
    committed: dict[str, Any], position: int
) -> None:
    described = committed["recordings"][position]
    path = asset_path(f"demo/{described['file']}")
    assert path.stat().st_size < 2_000_000
    recording = open_recording(path)
    assert recording.info.frames == described["frames"]
    times = [recording.index.time_of(i) for i in range(described["frames"])]
    np.testing.assert_allclose(times, np.arange(described["frames"]) / FPS, atol=1e-4)
    assert 15 <= described["frames"] / FPS <= 25
    assert (recording.info.audio is not None) == (position == 0)


def test_the_map_runs_forward_and_knows_where_it_ends(committed: dict[str, Any]) -> None:
    reference_s, other_s = np.array(committed["map"], dtype=np.float64).T
    inside = np.isfinite(other_s)
    assert 0.1 < np.mean(~inside) < 0.25  # the reference begins earlier
    assert not inside[0]
    assert 2.0 < reference_s[inside][0] < 4.0
    assert np.all(np.diff(np.flatnonzero(inside)) == 1)
    rates = np.diff(other_s[inside]) / np.diff(reference_s[inside])
    assert rates.min() > 0.4
    assert rates.max() < 2.5
    assert rates.max() / rates.min() > 1.3  # no straight line
    # The other goes on for a while when the reference has ended.
    other = committed["recordings"][1]
    assert other["frames"] / FPS - other_s[inside][-1] > 1.0


def test_key_moments_of_the_two_agree_with_the_map(committed: dict[str, Any]) -> None:
    reference_s, other_s = np.array(committed["map"], dtype=np.float64).T
    inside = np.isfinite(other_s)
    moments = [
        {key["name"]: key["time_s"] for key in recording["key_moments"]}
        for recording in committed["recordings"]
    ]
    shared = [name for name in moments[0] if name in moments[1]]
    assert len(shared) >= 12
    for name in shared:
        expected = np.interp(moments[0][name], reference_s[inside], other_s[inside])
        assert moments[1][name] == pytest.approx(expected, abs=0.005)


def test_mapped_frames_show_the_same_pose(demo: Demo) -> None:
    pairs = np.array(truth_of(demo)["map"], dtype=np.float64)
    pairs = pairs[np.isfinite(pairs[:, 1])][::15]

    def poses(recording: Any, times_s: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return pose_at(demo.action, recording.view.warp.action_at(times_s), recording.view.style)

    one = poses(demo.reference, pairs[:, 0])
    same = np.abs(one - poses(demo.other, pairs[:, 1]))[:, 3:].mean()
    later = np.abs(one - poses(demo.other, pairs[:, 1] + 1.0))[:, 3:].mean()
    assert same < 6
    assert later > 2 * same


def test_frames_are_the_same_each_time(demo: Demo) -> None:
    again = make_demo(size=(96, 72))
    for one, two in ((demo.reference, again.reference), (demo.other, again.other)):
        first = render_clip(demo.action, one.view, np.array([5.0])).frames
        np.testing.assert_array_equal(
            first, render_clip(again.action, two.view, np.array([5.0])).frames
        )


def test_the_program_writes_three_files(tmp_path: Path) -> None:
    write_demo(make_demo(size=(48, 36)), tmp_path, samples=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "other.mp4",
        "reference.mp4",
        "truth.json",
    ]
    truth = json.loads((tmp_path / "truth.json").read_text("utf-8"))
    for described in truth["recordings"]:
        recording = open_recording(tmp_path / described["file"])
        assert recording.info.frames == described["frames"]
