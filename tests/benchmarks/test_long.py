"""The known warp of two long recordings: what is true of them, and that the files agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks import long_material
from benchmarks.long_material import LongPair, Part, make_pair
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_true_map_has_the_pace_of_each_act_and_gaps_where_one_was_cut(tmp_path: Path) -> None:
    ours = tuple(Part(k, 10.0 * k, 10.0 * (k + 1)) for k in range(3))
    theirs = (Part(0, 0.0, 12.0), Part(2, 12.0, 21.0))
    pairs = ((ours[0], theirs[0]), (ours[1], None), (ours[2], theirs[1]))
    pair = LongPair(tmp_path, tmp_path, ours, theirs, pairs)
    true_s = pair.true_time(np.asarray([0.0, 5.0, 10.0, 19.9, 20.0, 25.0]))
    np.testing.assert_allclose(true_s, [0.0, 6.0, np.nan, np.nan, 12.0, 16.5])


def test_the_files_have_the_frames_and_times_that_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_material, "ACT_S", 2)
    monkeypatch.setattr(long_material, "ACTS", 2)
    monkeypatch.setattr(long_material, "STRANGE_ACTS", 1)
    monkeypatch.setattr(long_material, "PUT_IN", 1.0)
    monkeypatch.setattr(long_material, "RENDERED", (32, 18))
    pair = make_pair(tmp_path, minutes=8 / 60, size=(64, 36), fps=10)
    for path, parts in ((pair.reference, pair.reference_parts), (pair.other, pair.other_parts)):
        index = open_recording(path).index
        assert len(index) == 20 * len(parts)
        starts_s = index.times_s[::20]
        np.testing.assert_allclose(starts_s, [part.start_s for part in parts], atol=1e-6)
    assert len(pair.other_parts) > len(pair.reference_parts), "nothing was put in"
