"""Damaged files end in a result or in a clear sentence: never in a crash, a hang or a traceback.

Some 1,800 cases of always the same damage. ``make fuzz`` runs thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fuzz.mutations import mutate
from tests.fuzz.runner import GOOD, Case, Outcome, cases_of, run_cases, table_of
from tests.fuzz.seeds import VIDEOS, make_seeds

if TYPE_CHECKING:
    from pathlib import Path

SEED = 7
COUNTS = {
    "media": 560,
    "listing": 60,
    "picture": 60,
    "project": 160,
    "unsaved": 40,
    "alignment": 160,
    "labels": 160,
    "eaf": 80,
    "onnx": 200,
    "store": 80,
    "library": 120,
    "events": 40,
    "settings": 100,
}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[str, ...]]]:
    folder = tmp_path_factory.mktemp("seeds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SVT_LOG", "0")  # the encoder of AV1 prints
        return folder, make_seeds(folder)


@pytest.fixture(scope="module")
def outcomes(
    seeds: tuple[Path, dict[str, tuple[str, ...]]], tmp_path_factory: pytest.TempPathFactory
) -> list[Outcome]:
    folder, names = seeds
    scratch = tmp_path_factory.mktemp("scratch")
    return list(run_cases(cases_of(names, COUNTS, SEED), folder, scratch))


@pytest.mark.parametrize("target", COUNTS)
def test_every_damaged_file_ends_in_a_result_or_a_sentence(
    outcomes: list[Outcome], target: str
) -> None:
    own = [outcome for outcome in outcomes if outcome.case.target == target]
    bad = [(o.case, o.way, o.outcome, o.text[-1500:]) for o in own if o.outcome not in GOOD]
    assert len(own) == COUNTS[target]
    assert not bad


def test_whole_files_are_used(outcomes: list[Outcome]) -> None:
    whole = [outcome for outcome in outcomes if outcome.way == "undamaged"]
    assert {o.case.name for o in whole if o.case.target == "media"} == set(VIDEOS)
    assert {outcome.outcome for outcome in whole} == {"used"}


def test_the_damage_is_bad_enough_to_be_refused_and_mild_enough_to_be_used(
    outcomes: list[Outcome],
) -> None:
    row = table_of(outcomes)["media"]
    for kind in GOOD:
        count = row[kind]
        assert isinstance(count, int)
        assert count > COUNTS["media"] // 10


def test_the_same_seed_does_the_same_damage(
    seeds: tuple[Path, dict[str, tuple[str, ...]]],
) -> None:
    content = (seeds[0] / "h264.mp4").read_bytes()
    damage = [mutate(content, "h264.mp4", f"a {number}") for number in range(30)]
    assert damage == [mutate(content, "h264.mp4", f"a {number}") for number in range(30)]
    assert len({way for way, _ in damage}) > 5


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("os.kill(os.getpid(), 11)", "crash"),
        ("time.sleep(60)", "hang"),
        ("bytearray(8 * 2**30)", "memory"),
        ("1 / 0", "fault"),
        ("sys.stderr.write('oh')", "noise"),
        ("os.write(1, b'oh')", "noise"),
    ],
)
def test_the_runner_notices(
    seeds: tuple[Path, dict[str, tuple[str, ...]]], tmp_path: Path, fault: str, expected: str
) -> None:
    folder, _ = seeds
    good = Case("project", "project.carl", "")
    bad = Case("act", "fault.act", fault)
    outcomes = list(run_cases([good, bad, good], folder, tmp_path, limit_s=2.0))
    assert [o.outcome for o in outcomes] == ["used", expected, "used"]
