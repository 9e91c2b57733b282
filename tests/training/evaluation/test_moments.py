"""Labelled pairs: worked examples, and the synchronous ones re-timed with exact truth."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.evaluation.moments import (
    RETIMED_PER_PAIR,
    Case,
    Clip,
    cases,
    extended,
    numbered,
    retimed_positions,
    tolerances_of,
)

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, labels: dict[str, dict[str, dict[str, int]]]) -> Path:
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


def at_ten(file: str) -> np.ndarray:
    return np.arange(100) / 10


def test_moments_of_one_name_correspond(tmp_path: Path) -> None:
    data = write(
        tmp_path, {"g": {"a": {"top": 10, "end": 50, "only": 3}, "b": {"top": 20, "end": 70}}}
    )
    forward, back = cases(data, at_ten, "g")
    np.testing.assert_allclose(forward.truths[0], [[1.0, 2.0], [5.0, 7.0]])
    np.testing.assert_allclose(back.truths[0], [[2.0, 1.0], [7.0, 5.0]])


def test_repetitions_may_be_shifted_as_a_whole(tmp_path: Path) -> None:
    data = write(
        tmp_path,
        {
            "g": {
                "one": {"rep1_low": 10, "rep1_high": 20},
                "three": {
                    f"rep{k}_{w}": 30 * k + d
                    for k in (1, 2, 3)
                    for w, d in (("low", 0), ("high", 5))
                },
            }
        },
    )
    case = next(case for case in cases(data, at_ten, "g") if case.reference.file == "g/one")
    assert [truth[:, 1].tolist() for truth in case.truths] == [[3.0, 3.5], [6.0, 6.5], [9.0, 9.5]]
    errors, span_s = case.error_s(lambda t: t + 5.0)  # 1 -> 6, 2 -> 7
    np.testing.assert_allclose(errors, [0.0, 0.5])
    assert span_s == pytest.approx(0.5)


def test_synchronous_cameras_are_never_as_they_are(tmp_path: Path) -> None:
    data = write(tmp_path, {"hand_2cam": {"a.mp4": {"x": 1}, "b.mp4": {"x": 1}}})
    found = list(cases(data, at_ten, "hand_2cam"))
    assert len(found) == 2 * RETIMED_PER_PAIR
    for case in found:
        (truth,) = case.truths
        sides = {"reference": (case.reference, truth[:, 0]), "other": (case.other, truth[:, 1])}
        shown = {name: source_time(clip, at_s) for name, (clip, at_s) in sides.items()}
        # Both show the same source time at corresponding moments, to within a frame.
        assert np.abs(shown["reference"] - shown["other"]).max() <= 0.11
        assert np.abs(truth[:, 0] - truth[:, 1]).max() > 0.1


def source_time(clip: Clip, at_s: np.ndarray) -> np.ndarray:
    return np.interp(at_s, clip.times_s, at_ten(clip.file)[clip.frames])


def test_retimed_copies_trim_cut_and_change_speed() -> None:
    draws = [retimed_positions(200, np.random.default_rng(seed)) for seed in range(100)]
    steps = [np.diff(positions) for positions in draws]
    assert all((step > 0).all() for step in steps)
    assert all(0 <= positions[0] <= 40 and 158 <= positions[-1] < 200 for positions in draws)
    is_cut = [(step > 2.0 + 1e-9).sum() for step in steps]
    assert set(is_cut) <= {0, 1}
    assert 30 < sum(is_cut) < 70
    usual = np.concatenate([step[step <= 2.0 + 1e-9] for step in steps])
    assert usual.max() > 1.9
    assert np.quantile(usual, 0.01) < 0.6


def test_the_same_pair_is_always_retimed_alike(tmp_path: Path) -> None:
    data = write(tmp_path, {"board_3cam": {"a": {"x": 1}, "b": {"x": 1}}})

    def frames() -> list[Case]:
        return list(cases(data, at_ten, "board_3cam"))

    for one, two in zip(frames(), frames(), strict=True):
        np.testing.assert_array_equal(one.other.frames, two.other.frames)
        np.testing.assert_array_equal(one.reference.frames, two.reference.frames)


def test_it_needs_no_torch() -> None:
    code = "import sys, training.evaluation.moments; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_copies_show_the_same_frame_at_corresponding_moments(tmp_path: Path) -> None:
    # Exact: at every scored moment the copy shows the very frame whose time the other side has.
    data = write(tmp_path, {"hand_2cam": {"a.mp4": {"x": 1}, "b.mp4": {"x": 1}}})
    for number, case in enumerate(cases(data, at_ten, "hand_2cam")):
        (truth,) = case.truths
        is_plain_reference = number % RETIMED_PER_PAIR % 2 == 0
        copy = case.other if is_plain_reference else case.reference
        source_s, copy_s = truth.T if is_plain_reference else truth.T[::-1]
        assert len(truth) == 24
        for at_s, shown_s in zip(source_s, copy_s, strict=True):
            times = copy.times_s[at_ten("")[copy.frames] == at_s]
            assert 0.5 * (times[0] + times[-1]) == pytest.approx(shown_s)


def test_a_copy_may_be_shifted_where_every_shown_repetition_has_a_counterpart(
    tmp_path: Path,
) -> None:
    events = {f"{kind}{k}": 10 * k - 5 + d for k in range(1, 11) for kind, d in PERIOD}
    data = write(tmp_path, {"one": {"reps": {**events}}})
    found = list(cases(data, at_hundred, "one"))
    assert len(found) == RETIMED_PER_PAIR
    for number, case in enumerate(found):
        copy = case.other if number % 2 == 0 else case.reference
        first, last = copy.frames[[0, -1]]
        shown = [frame for frame in events.values() if first <= frame <= last]
        for shift, truth in zip(shifts_of(shown, set(events.values())), case.truths, strict=True):
            source_s, copy_s = truth.T if number % 2 == 0 else truth.T[::-1]
            at = np.searchsorted(copy.times_s, copy_s)
            # The period is ten frames: a repetition later is a second later.
            later_s = copy.frames[np.minimum(at, len(copy.frames) - 1)] / 10 + shift
            assert np.abs(source_s - later_s).max() <= 0.11
    assert {len(case.truths) for case in found} != {1}  # some copies leave room for a shift


PERIOD = (("low", 0), ("high", 4))


def at_hundred(file: str) -> np.ndarray:
    return np.arange(110) / 10


def shifts_of(shown: list[int], known: set[int]) -> list[int]:
    shifts = [s for s in range(-9, 10) if s and all(frame + 10 * s in known for frame in shown)]
    return [0, *shifts]


def test_without_counterpart_a_map_answers_as_at_the_nearest_moment_that_has_one() -> None:
    nan = np.nan
    map_ = extended(np.arange(7.0), np.asarray([nan, 10.0, 11.0, nan, nan, 20.0, nan]))
    asked = np.asarray([0.0, 1.5, 3.0, 4.0, 4.9, 6.0])
    np.testing.assert_allclose(map_(asked), [10.0, 10.5, 11.0, 20.0, 20.0, 20.0])


def test_a_map_that_says_nothing_is_a_whole_span_off() -> None:
    clip = Clip("g/a", np.arange(3), np.arange(3.0))
    case = Case("g", clip, clip, (np.asarray([[0.0, 0.0], [2.0, 4.0]]),))
    errors, span_s = case.error_s(extended(np.arange(3.0), np.full(3, np.nan)))
    assert span_s == 4.0
    np.testing.assert_array_equal(errors, [4.0, 4.0])


def test_leaving_out_other_repetitions_costs_nothing() -> None:
    # One squat against the third of four: the map has a counterpart for that stretch alone.
    clip = Clip("g/four", np.arange(50), np.arange(50) / 10)
    truths = tuple(np.asarray([[k + 0.1, 0.2], [k + 0.6, 0.7]]) for k in range(4))
    case = Case("g", clip, clip, truths)
    other_s = np.where((clip.times_s > 2.0) & (clip.times_s < 2.8), clip.times_s - 1.9, np.nan)
    errors, _ = case.error_s(extended(clip.times_s, other_s))
    np.testing.assert_allclose(errors, [0.0, 0.0], atol=1e-9)


def test_numbered_events_are_repetitions_where_they_count() -> None:
    events = {"top1": 5, "top2": 9, "palm": 1, "palm_2": 3, "f97": 97, "f297": 297, "rep1_low": 7}
    assert numbered(events) == {
        "top": {1: 5, 2: 9},
        "palm": {1: 1, 2: 3},
        "f97": {1: 97},
        "f297": {1: 297},
        "low": {1: 7},
    }


def test_tolerances_go_by_recording_event_and_group(tmp_path: Path) -> None:
    labels = {
        "g": {"a": {"top": 1}, "b": {"top": 2}},
        "_tolerance": {"g": {"_default": 3, "top": 7, "_per_video": {"b": {"_default": 1}}}},
    }
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    tolerance = tolerances_of(tmp_path, "g")
    assert (tolerance("a", "top"), tolerance("a", "end"), tolerance("b", "top")) == (7.0, 3.0, 1.0)
    assert tolerances_of(tmp_path, "h")("a", "top") == 0.0
