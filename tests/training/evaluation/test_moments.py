"""Labelled pairs: worked examples, and the synchronous ones re-timed with exact truth."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.evaluation.moments import RETIMED_PER_PAIR, Case, Clip, cases, retimed_positions

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
