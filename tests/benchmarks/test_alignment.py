"""The table of key moments: worked examples of its arithmetic, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.alignment_scores import (
    Score,
    best_single,
    comparison_lines,
    false_rates,
    is_clearly_worse,
    verdict_lines,
)
from benchmarks.alignment_search import Search, Target, average_precision, search_scores, searches
from benchmarks.alignment_tables import Report, to_json, to_markdown
from training.evaluation.moments import Case, Clip

GROUP = ("g", "h")


def clip(file: str, count: int = 41) -> Clip:
    return Clip(file, np.arange(count), np.arange(count) / 10)


def score(*percents: float, frames: float = 0.0) -> Score:
    return Score(list(percents), [0.1] * len(percents), [frames] * len(percents), pairs=1)


def test_errors_are_pooled_in_percent_seconds_and_frames() -> None:
    truth = np.asarray([[0.0, 0.0], [2.0, 4.0]])
    case = Case("g", clip("g/a"), clip("g/b"), (truth,))
    found = Score()
    found.add_map(case, lambda t: t + 1.0)  # 1.0 and 3.0 for 0.0 and 4.0
    assert found.seconds == pytest.approx([1.0, 1.0])
    assert found.percents == pytest.approx([25.0, 25.0])
    assert found.frames == pytest.approx([10.0, 10.0])
    found.add_map(case, lambda t: 2.0 * t)
    assert found.percents == pytest.approx([25.0, 25.0, 0.0, 0.0])
    assert (found.median, found.within(5.0), found.pairs) == (12.5, 0.5, 2)
    assert found.worst_tenth == pytest.approx(25.0)


def test_a_share_counts_what_lies_on_the_limit() -> None:
    found = score(0.0, 5.0, 5.1, 10.0, 11.0)
    assert found.within(5.0) == pytest.approx(0.4)
    assert found.within(10.0) == pytest.approx(0.8)


def test_moments_without_counterpart_are_counted() -> None:
    case = Case("g", clip("g/a"), clip("g/b"), (np.asarray([[0.0, 0.0], [2.0, 2.0]]),))
    found = Score()
    found.add_samples(case, np.asarray([0.0, 1.0, 2.0]), np.asarray([0.0, 1.0, np.nan]))
    assert found.unmatched == 1
    assert found.percents == pytest.approx([0.0, 50.0])


def test_worse_takes_both_two_points_and_a_frame() -> None:
    good = score(1.0, frames=1.0)
    assert not is_clearly_worse(score(2.9, frames=9.0), good)  # under two points
    assert not is_clearly_worse(score(9.0, frames=2.0), good)  # just a frame
    assert is_clearly_worse(score(3.1, frames=2.1), good)


def test_the_best_single_baseline_is_best_in_the_mean() -> None:
    table = {
        "g": {"ours": score(2.0), "a": score(1.0), "b": score(5.0, frames=1.0)},
        "h": {"ours": score(2.0), "a": score(9.0), "b": score(4.0)},
    }
    assert best_single(table, ["a", "b"]) == "b"  # means 5.0 and 4.5
    lines = comparison_lines(table, "ours", ["a", "b"], ["a"])
    assert [line.startswith("- holds") for line in lines] == [True, True, True, True]
    table["h"]["ours"] = score(8.0, frames=9.0)
    lines = comparison_lines(table, "ours", ["a", "b"], ["a"])
    assert [line.startswith("- holds") for line in lines] == [False, False, False, False]
    assert "h (8.0 % and 9.0 frames against 4.0 % and 0.0 of b)" in lines[1]


def test_a_negative_pair_counts_for_both_its_groups() -> None:
    negatives = {
        ("g/a", "h/b"): "aligned",
        ("g/a", "g/c"): "none",
        ("h/a", "i/c"): "uncertain",
    }
    assert false_rates(negatives) == {"g": (1, 2), "h": (1, 2), "i": (0, 1)}


def test_verdicts_are_counted_per_group() -> None:
    table = {name: {"ours": score(1.0)} for name in GROUP}
    table["g"]["ours"].verdicts.update(["aligned"] * 9 + ["none"])
    table["h"]["ours"].verdicts.update(["aligned"] * 8 + ["uncertain"] * 2)
    matching, per_group, all_of_them = verdict_lines(table, "ours", {("g/a", "h/b"): "none"})
    assert "below: h 80%" in matching
    assert matching.startswith("- FAILS")
    assert per_group.startswith("- holds")
    assert all_of_them.startswith("- holds")
    _, per_group, all_of_them = verdict_lines(table, "ours", {("g/a", "h/b"): "aligned"})
    assert "above: g 1 of 1, h 1 of 1" in per_group
    assert all_of_them.startswith("- FAILS")


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        ([(0, 1.0), (1, 2.0)], 1.0),  # both found first
        ([(0, 9.0), (0, 1.0)], 0.25),  # one of two, at rank two: (1 / 2) / 2
        ([(0, 1.0), (0, 1.05)], 0.5),  # the same moment again is no second hit
        ([(1, 1.0)], 0.0),  # the right second of the wrong recording
        ([(0, 9.0)] * 5 + [(0, 1.0)], 0.0),  # rank six is out of sight
        ([], 0.0),
    ],
)
def test_average_precision(hits: list[tuple[int, float]], expected: float) -> None:
    targets = [Target(0, 1.0, 0.1), Target(1, 2.0, 0.1)]
    assert average_precision(hits, targets) == pytest.approx(expected)


def test_average_precision_divides_by_five_at_most() -> None:
    targets = [Target(0, float(t), 0.1) for t in range(7)]
    assert average_precision([(0, float(t)) for t in range(5)], targets) == pytest.approx(1.0)


def angles(at: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Vectors that turn with the frame shown: the same frame is found, no other."""
    turn = at.frames * (2 * np.pi / 100)
    return at.times_s, np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)


def times_of(file: str) -> np.ndarray:
    return np.arange(41) / 10


def test_moments_are_found_where_the_copy_shows_them() -> None:
    copy = Clip("g/b", np.arange(10, 41), np.arange(31) / 10)  # ten frames are trimmed off
    events = {"a": {"low": 5, "high": 30}, "b": {"low": 5, "high": 30}}
    found = search_scores(
        Search(clip("g/a"), (copy,)), events, lambda *_: 0.0, times_of, angles, centre=False
    )
    assert found == [1.0]  # the copy does not show "low": that is no query


def test_a_search_that_finds_other_moments_scores_nothing() -> None:
    events = {"a": {"low": 5, "high": 30}, "b": {"low": 30, "high": 5}}
    search = Search(clip("g/a"), (clip("g/b"),))
    found = search_scores(search, events, lambda *_: 0.0, times_of, angles, centre=False)
    # Frame 5 is found first where b is "high"; the far end may come second at best.
    assert max(found) <= 0.5


def test_copies_are_searched_one_variant_after_the_other() -> None:
    copies = [Clip("g/b", np.arange(k, 41), np.arange(41 - k) / 10) for k in (3, 5)]
    truth = np.asarray([[1.0, 1.0], [2.0, 2.0]])
    plain = clip("g/a")
    cases = [Case("g", plain, copies[0], (truth,)), Case("g", copies[1], plain, (truth,))]
    found = list(searches(cases, times_of))
    assert [search.gallery for search in found] == [(copies[0],), (copies[1],)]
    assert {search.query.file for search in found} == {"g/a"}


def test_whole_recordings_are_searched_together() -> None:
    truth = np.asarray([[1.0, 1.0], [2.0, 2.0]])
    one, two, three = (clip(f"g/{name}") for name in "abc")
    cases = [Case("g", one, two, (truth,)), Case("g", one, three, (truth,))]
    (found,) = searches(cases, times_of)
    assert found.gallery == (two, three)


def test_the_report_has_every_method_group_and_rate() -> None:
    table = {name: {"linear time": score(9.0), "ours": score(1.0)} for name in GROUP}
    for scores in table.values():
        scores["ours"].verdicts.update(["aligned", "none"])
    precision = {"g": {"vectors": [0.5, 1.0]}, "h": {"vectors": []}}
    report = Report({"encoder": "E"}, table, precision, {("g/a", "i/b"): "aligned"}, "ours")
    report.notes.append("N")
    text = to_markdown(report)
    assert "| linear time | 9.0 | 9.0 | 9.0 |" in text
    assert "| vectors | 75 | – | 75 |" in text
    assert "| g | 1 of 2 (50%) | 0 | 1 | 0 of 1 | 1 of 1 (100%) |" in text
    assert "| i | – | – | – | – | 1 of 1 (100%) |" in text
    assert "- note: N" in text
    document = to_json(report)
    assert document["ap_at_5"] == {"g": {"vectors": 0.75}, "h": {}}
    assert document["negatives"] == [["g/a", "i/b", "aligned"]]
