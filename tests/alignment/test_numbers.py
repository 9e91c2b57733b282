"""Numbers nobody wishes for: every input ends in a map that holds its promises, or in a sentence.

A map never descends, stays inside both recordings, and turns round to within a frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from carl_core.alignment.aligners import METHODS, align_arrays
from carl_core.alignment.alignment import Anchor, Mask
from carl_core.alignment.options import AlignOptions
from carl_core.errors import AlignmentError
from carl_core.playback.schedule import Schedule, TimeBase
from tests.helpers.recordings import fake_recording

if TYPE_CHECKING:
    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import Float32, Float64

QUICK = AlignOptions(null_maps=3)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DIM = 6
KINDS = ("walk", "noise", "constant", "zero", "two pictures", "tiny", "opposite", "one spike")


def vectors_of(kind: str, count: int, seed: int) -> Float32:
    chance = np.random.default_rng(seed)
    walk = np.cumsum(chance.normal(size=(count, DIM)), axis=0)
    if kind == "noise":
        rows = chance.normal(size=(count, DIM))
    elif kind == "constant":
        rows = np.ones((count, DIM))
    elif kind == "zero":
        rows = np.zeros((count, DIM))
    elif kind == "two pictures":
        rows = np.where(np.arange(count)[:, None] % 2, 1.0, -1.0) * np.ones(DIM)
    elif kind == "tiny":
        rows = 1e-30 * walk
    elif kind == "opposite":
        rows = -walk
    elif kind == "one spike":
        rows = np.zeros((count, DIM))
        rows[count // 2] = 1.0
    else:
        rows = walk
    if kind in ("walk", "noise", "two pictures", "opposite"):
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows.astype(np.float32)


def times_of(count: int, fps: float, chance: np.random.Generator) -> Float64:
    """Times of a camera that stumbles: steps between half and twice the usual."""
    steps = chance.uniform(0.5, 2.0, count) / fps
    return np.concatenate([[0.0], np.cumsum(steps)[:-1]])


def end_of(times_s: Float64) -> float:
    return float(times_s[-1] + np.median(np.diff(times_s)))


def check_map(alignment: Alignment, reference_s: Float64, other_s: Float64) -> None:
    """Look at all a map promises."""
    known = np.isfinite(alignment.other_s)
    inside = alignment.other_s[known]
    assert np.all(np.diff(inside) >= 0)
    assert np.all((inside >= -1e-9) & (inside <= end_of(other_s) + 1e-9))
    assert np.all((alignment.confidence >= 0) & (alignment.confidence <= 1))
    assert np.all(np.diff(alignment.raw_reference) >= 0)
    assert np.all(np.diff(alignment.raw_other) >= 0)
    assert 0 <= alignment.match <= 1
    assert alignment.reason.endswith(".")
    there = alignment.time_map
    back = there.inverse()
    start_s, end_s = there.domain
    if not np.isfinite(start_s):
        return
    frame_s = float(np.max(np.diff(other_s)))
    for t in np.linspace(start_s, end_s, 37):
        y = there(float(t))
        if np.isfinite(y):
            again = there(back(y))
            assert again == pytest.approx(y, abs=min(frame_s, 1e-6)), (t, y, back(y))


@SLOW
@given(
    frames=st.tuples(st.integers(4, 90), st.integers(4, 90)),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    method=st.sampled_from(METHODS[:-1]),
    seed=st.integers(0, 2**16),
)
def test_a_map_ends_where_the_recordings_end(
    frames: tuple[int, int], strides: tuple[int, int], method: str, seed: int
) -> None:
    """Of every some frames one is sampled: the last samples stand for less than a whole step."""
    one, two = (fake_recording(name, n, 25.0) for name, n in zip("ab", frames, strict=True))
    lengths_s = one.index.duration_s, two.index.duration_s
    times = [r.index.times_s[::s] for r, s in zip((one, two), strides, strict=True)]
    if min(map(len, times)) < 2:
        return
    rows = [vectors_of("walk", len(t), seed) for t in times]
    try:
        found = align_arrays(
            times[0], rows[0], times[1], rows[1], method=method, lengths_s=lengths_s, options=QUICK
        )
    except AlignmentError as error:
        check_sentence(error)
        return
    check_map(found, *times)
    there = found.time_map
    known = there.other_s[np.isfinite(there.other_s)]
    assert there.reference_s[-1] <= lengths_s[0] + 1e-9
    assert np.all((known >= 0.0) & (known <= lengths_s[1]))
    back = there.inverse()
    frame_s = 1 / 25.0
    for t in np.linspace(*there.domain, 23):
        y = there(float(t))
        # Where the other holds still many moments belong to one; else it is the moment itself.
        if np.isfinite(y) and not 0 <= there.slope_at(float(t)) < 0.05:
            assert back(y) == pytest.approx(t, abs=frame_s + 1e-6)


def check_sentence(error: AlignmentError) -> None:
    assert str(error).endswith(".")
    assert len(str(error)) > 40


@SLOW
@example(  # a pin before the path's only sample
    n=8, m=2, first="walk", second="walk", method="open-end", seed=0, demands="anchor"
)
@given(
    n=st.integers(2, 45),
    m=st.integers(2, 45),
    first=st.sampled_from(KINDS),
    second=st.sampled_from(KINDS),
    method=st.sampled_from(METHODS),
    seed=st.integers(0, 2**16),
    demands=st.sampled_from(["none", "anchor", "two anchors", "mask", "ends"]),
)
def test_any_input_gives_a_map_that_holds_or_a_sentence(
    n: int, m: int, first: str, second: str, method: str, seed: int, demands: str
) -> None:
    chance = np.random.default_rng(seed)
    reference_s, other_s = times_of(n, 25.0, chance), times_of(m, 30.0, chance)
    anchors: list[Anchor] = []
    masks: list[Mask] = []
    if "anchor" in demands:
        places = np.sort(chance.uniform(0, 1, (1 if demands == "anchor" else 2, 2)), axis=0)
        anchors = [Anchor(a * reference_s[-1], b * other_s[-1]) for a, b in places.tolist()]
    elif demands == "mask":
        a, b = np.sort(chance.uniform(0, reference_s[-1], 2)).tolist()
        c, d = np.sort(chance.uniform(0, other_s[-1], 2)).tolist()
        masks = [Mask(a, b, c, d)]
    elif demands == "ends":
        anchors = [Anchor(0.0, 0.0), Anchor(float(reference_s[-1]), float(other_s[-1]))]
    try:
        found = align_arrays(
            reference_s,
            vectors_of(first, n, seed),
            other_s,
            vectors_of(second, m, seed + (first != second)),
            method=method,
            anchors=anchors,
            masks=masks,
            options=QUICK,
        )
    except AlignmentError as error:
        check_sentence(error)
        return
    check_map(found, reference_s, other_s)
    for anchor in found.anchors:
        assert found.time_map(anchor.reference_s) == pytest.approx(anchor.other_s, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n", "m"), [(2, 2000), (2000, 2), (3, 3000)])
def test_lengths_of_one_to_a_thousand(n: int, m: int, method: str) -> None:
    chance = np.random.default_rng(4)
    reference_s, other_s = times_of(n, 25.0, chance), times_of(m, 25.0, chance)
    ours, theirs = vectors_of("walk", n, 1), vectors_of("walk", m, 1)
    try:
        found = align_arrays(reference_s, ours, other_s, theirs, method=method, options=QUICK)
    except AlignmentError as error:
        check_sentence(error)
    else:
        check_map(found, reference_s, other_s)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["reference", "other recording"])
def test_what_is_no_number_is_refused_with_the_recording_named(bad: float, where: str) -> None:
    times_s = np.arange(20) / 25
    vectors = [vectors_of("walk", 20, 0), vectors_of("walk", 20, 1)]
    vectors[where != "reference"][7, 2] = bad
    with pytest.raises(AlignmentError, match=rf"{where} hold numbers that are not finite.*\.$"):
        align_arrays(times_s, vectors[0], times_s, vectors[1])


@pytest.mark.parametrize("kind", ["constant", "zero", "tiny"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_recording_in_which_nothing_moves_is_said_to_be_still(kind: str, which: int) -> None:
    if kind == "tiny" and which == 0:
        pytest.skip("a walk of tiny vectors moves as much as any, seen by itself")
    times_s = np.arange(30) / 25
    rows = [vectors_of("walk", 30, 0), vectors_of("walk", 30, 1)]
    rows[which] = vectors_of("constant" if kind == "tiny" else kind, 30, 0) * (
        1e-30 if kind == "tiny" else 1
    )
    found = align_arrays(times_s, rows[0], times_s, rows[1], options=QUICK)
    assert found.verdict == "none"
    assert "looks the same all along" in found.reason
    check_map(found, times_s, times_s)


def test_a_recording_of_one_frame_is_a_sentence() -> None:
    times_s, rows = np.arange(9) / 25, vectors_of("walk", 9, 0)
    for ours, theirs in ((1, 9), (9, 1), (1, 1)):
        with pytest.raises(AlignmentError, match=r"has 1 sample: .*Choose a longer recording"):
            align_arrays(times_s[:ours], rows[:ours], times_s[:theirs], rows[:theirs])


@SLOW
@given(
    frames=st.tuples(st.integers(2, 60), st.integers(2, 60)),
    fps=st.tuples(st.sampled_from([1.0, 25.0, 240.0]), st.sampled_from([1.0, 25.0, 240.0])),
    method=st.sampled_from(["dtw", "linear", "offset", "open-end", "auto"]),
    base=st.sampled_from(list(TimeBase)),
    seed=st.integers(0, 2**16),
)
def test_a_schedule_shows_frames_that_exist(
    frames: Any, fps: Any, method: str, base: TimeBase, seed: int
) -> None:
    one, two = (
        fake_recording(name, count, rate)
        for name, count, rate in zip("ab", frames, fps, strict=True)
    )
    found = align_arrays(
        one.index.times_s,
        vectors_of("walk", frames[0], seed),
        two.index.times_s,
        vectors_of("walk", frames[1], seed),
        method=method,
        options=QUICK,
    )
    schedule = Schedule(one, [two], {two.id: found.time_map}, base=base)
    for share in (0.0, 0.3, 0.5, 0.999, 1.0):
        shown = schedule.frames_at(share * schedule.duration_s)
        for recording in (one, two):
            frame = shown[recording.id]
            assert frame is None or 0 <= frame < len(recording.index)
