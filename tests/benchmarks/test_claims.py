"""Claims of benchmarks: what holds, what does not, and the one table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from benchmarks.__main__ import FOLDER, RUNS
from benchmarks.claims import FILE_VARIABLE, Claim, as_table, read_claims, report

if TYPE_CHECKING:
    from pathlib import Path


def test_with_a_peer_the_ratio_is_judged() -> None:
    claim = Claim("tile, ms", 1.2, peer=1.0, peer_name="product", at_most=1.3)
    assert claim.ratio == pytest.approx(1.2)
    assert claim.holds
    assert not Claim("tile, ms", 1.4, peer=1.0, peer_name="product", at_most=1.3).holds


def test_without_a_peer_the_figure_is_judged() -> None:
    assert Claim("help, s", 0.2, at_most=0.3).holds
    assert not Claim("updates a second", 59.0, at_least=60.0).holds
    assert Claim("cosine", 0.995, at_least=0.99, at_most=1.0).holds


def test_what_was_not_measured_does_not_hold_and_what_has_no_bound_says_nothing() -> None:
    assert Claim("help, s", math.nan, at_most=0.3).holds is False
    assert Claim("opened, ms", 3.0).holds is None
    assert Claim("opened, ms", 3.0).cells()[-1] == ""
    assert "not measured" in Claim("help, s", math.nan, at_most=0.3).cells()


def test_a_peer_has_a_name() -> None:
    with pytest.raises(ValueError, match="neither"):
        Claim("tile, ms", 1.0, peer=1.0)


def test_claims_come_back_from_the_file_they_were_reported_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = (Claim("a, ms", 1.0, peer=2.0, peer_name="b", at_most=1.0), Claim("c", math.nan))
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "claims.jsonl"))
    report(claims[:1])
    report(claims[1:])
    found = read_claims(tmp_path / "claims.jsonl")
    assert [claim.cells() for claim in found] == [claim.cells() for claim in claims]
    assert "yes" in capsys.readouterr().out


def test_the_table_is_as_wide_as_its_widest_cell() -> None:
    lines = as_table([Claim("a rather long name of a claim", 1e-5).cells()])
    assert len({len(line) for line in lines}) == 1
    assert "1.0e-05" in lines[2]


def test_every_script_that_is_run_is_there() -> None:
    missing = [run.name for run in RUNS if not (FOLDER / f"{run.script}.py").exists()]
    assert not missing
