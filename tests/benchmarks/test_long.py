"""The known warp of two long recordings: what is true of them, and that the files agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import long_material
from benchmarks.long import Ledger, first_look
from benchmarks.long_material import LongPair, Part, make_pair
from carl_core.alignment.options import AlignOptions
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.coarse import COARSE
from carl_core.pipeline import Engine
from carl_core.video.recording import open_recording
from tests.helpers.encoders import make_tiny_encoder

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.alignment.alignment import Alignment
    from carl_core.video.recording import Recording

OPTIONS = AlignOptions(null_maps=0)


def test_the_true_map_has_the_pace_of_each_act_and_gaps_where_one_was_cut(tmp_path: Path) -> None:
    ours = tuple(Part(k, 10.0 * k, 10.0 * (k + 1)) for k in range(3))
    theirs = (Part(0, 0.0, 12.0), Part(2, 12.0, 21.0))
    pairs = ((ours[0], theirs[0]), (ours[1], None), (ours[2], theirs[1]))
    pair = LongPair(tmp_path, tmp_path, ours, theirs, pairs)
    true_s = pair.true_time(np.asarray([0.0, 5.0, 10.0, 19.9, 20.0, 25.0]))
    np.testing.assert_allclose(true_s, [0.0, 6.0, np.nan, np.nan, 12.0, 16.5])


def small_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, acts: int) -> LongPair:
    monkeypatch.setattr(long_material, "ACT_S", 2)
    monkeypatch.setattr(long_material, "ACTS", 2)
    monkeypatch.setattr(long_material, "STRANGE_ACTS", 1)
    monkeypatch.setattr(long_material, "PUT_IN", 1.0)
    monkeypatch.setattr(long_material, "RENDERED", (32, 18))
    return make_pair(tmp_path, minutes=2 * acts / 60, size=(64, 36), fps=10)


def test_the_files_have_the_frames_and_times_that_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = small_pair(tmp_path, monkeypatch, 4)
    for path, parts in ((pair.reference, pair.reference_parts), (pair.other, pair.other_parts)):
        index = open_recording(path).index
        assert len(index) == 20 * len(parts)
        starts_s = index.times_s[::20]
        np.testing.assert_allclose(starts_s, [part.start_s for part in parts], atol=1e-6)
    assert len(pair.other_parts) > len(pair.reference_parts), "nothing was put in"


def test_a_first_look_is_measured_at_few_frames_and_against_the_known_warp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = small_pair(tmp_path, monkeypatch, 8)
    engine = Engine(make_tiny_encoder(tmp_path / "tiny.onnx"), store=EmbeddingStore(tmp_path / "s"))
    both = engine.open(pair.reference), engine.open(pair.other)
    made: list[Alignment] = []

    def align(*recordings: Recording, sampling: str) -> Alignment:
        made.append(Engine.align(engine, *recordings, sampling=sampling, options=OPTIONS))
        return made[-1]

    monkeypatch.setattr(engine, "align", align)
    ledger = Ledger()
    look = first_look(engine, pair, *both, ledger)
    assert [step.name for step in ledger.steps][1:] == [
        "first look: embed both at few frames",
        "first look: align",
    ]
    assert look.wall_s == pytest.approx(sum(step.wall_s for step in ledger.steps))
    assert look.embedding is ledger.steps[1]
    few = [len(engine.embed(one, sampling=COARSE)) for one in both]
    assert look.embedding.remark == f"{few[0]} and {few[1]} samples"
    assert few[0] < len(engine.embed(both[0])) / 2
    # The error is that of the alignment by these few frames.
    (alignment,) = made
    assert len(alignment.reference_s) == few[0]
    times_s = both[0].index.times_s
    off_s = np.abs(alignment.time_map(times_s) - pair.true_time(times_s))
    median = next(claim for claim in look.claims if "median" in claim.name)
    assert median.ours == pytest.approx(float(np.nanmedian(off_s)))
    assert median.peer == pytest.approx(0.5, abs=0.05)
