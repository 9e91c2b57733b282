"""The file of results: what a run replaces, what it leaves, and what its exit status says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as program
from benchmarks.claims import Claim
from benchmarks.results import Section, measured_text, merged, parse, render, verdict

if TYPE_CHECKING:
    from pathlib import Path

KEPT = Claim("tile, ms", 1.2, peer=1.0, peer_name="product", at_most=1.3)
UNKEPT = Claim("updates a second", 30.0, at_least=60)


def section(name: str, *claims: Claim, when: str = "2026-01-02 03:04", status: int = 0) -> Section:
    measured = measured_text(when, "1.5", 7.4, status=status)
    rows = tuple(claim.cells() for claim in claims)
    return Section(name, rows, measured, f"{name} printed\n\n## no heading\n| 1 | 2 |")


def test_sections_come_back_from_the_text_they_were_written_to() -> None:
    made = (section("tiles", KEPT, UNKEPT), section("views --long"), section("broken", status=3))
    text = render("begun today", made)
    assert parse(text) == {s.name: s for s in made}
    assert "begun today" in text
    assert "Measured 2026-01-02 03:04, load 1.5 at its beginning, 7 s." in text


def test_a_run_of_some_scripts_replaces_theirs_and_leaves_the_others() -> None:
    order = ("first", "second", "third", "fourth")
    old = parse(render("", [section("first", KEPT), section("second", UNKEPT, KEPT)]))
    new = [section("fourth"), section("second", KEPT, when="2026-05-06 07:08")]
    found = merged(old, new, order=order)
    assert found == (section("first", KEPT), new[1], new[0])


def test_what_is_no_longer_run_goes() -> None:
    old = parse(render("", [section("gone", KEPT), section("first")]))
    assert merged(old, [], order=("first",)) == (section("first"),)


def test_a_file_without_the_times_of_its_sections_is_read_too() -> None:
    text = (
        "# Benchmarks\n\n2026-11-28, load 1\n\n"
        "| script | claim | ours | peer | ratio | wanted | holds? |\n"
        "| ------ | ----- | ---- | ---- | ----- | ------ | ------ |\n"
        "| start  | help  | 0.2  |      |       | <= 0.3 | yes    |\n\n"
        "## start\n\n```\nx  1\n```\n"
    )
    assert parse(text) == {
        "start": Section("start", (("help", "0.2", "", "", "<= 0.3", "yes"),), "", "x  1")
    }


def test_the_verdict_names_what_does_not_hold_and_what_failed() -> None:
    said = verdict([section("tiles", KEPT), section("views", UNKEPT), section("bad", status=1)])
    assert "views: updates a second" in said
    assert "Failed: bad." in said
    assert "tiles" not in said
    assert verdict([section("tiles", KEPT)]) == ""


REPORTING = """
import json, os, sys
name, bound = sys.argv[1], float(sys.argv[2])
print("has run as", name)
with open(os.environ["CARL_CLAIMS"], "a") as file:
    file.write(json.dumps({"name": name, "ours": 2.0, "at_most": bound}) + "\\n")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs of two little scripts."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "little.py").write_text(REPORTING)
    (folder / "broken.py").write_text("raise SystemExit(5)")
    monkeypatch.setattr(program, "FOLDER", folder)
    runs = (
        program.Run("little", ("good", "3")),
        program.Run("little", ("bad", "1")),
        program.Run("broken"),
    )
    monkeypatch.setattr(program, "RUNS", runs)
    return folder


def test_the_exit_status_says_whether_every_claim_holds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["little good 3"]) == 0
    assert "Every claim holds." in capsys.readouterr().out
    assert program.main(["little bad 1"]) == 1
    assert "little bad 1: bad" in capsys.readouterr().out
    assert program.main(["broken"]) == 1
    assert "Failed: broken." in capsys.readouterr().out
    found = parse((folder / "results.md").read_text(encoding="utf-8"))
    assert list(found) == ["little good 3", "little bad 1", "broken"]
    assert [s.rows[0][-1] for s in found.values() if s.rows] == ["yes", "NO"]
    assert found["little good 3"].output == "has run as good"
    assert "exit status 5" in found["broken"].measured


def test_a_bare_name_is_every_run_of_the_script(folder: Path) -> None:
    assert program.main(["little"]) == 1
    found = parse((folder / "results.md").read_text(encoding="utf-8"))
    assert list(found) == ["little good 3", "little bad 1"]


def test_an_unknown_name_is_refused_with_the_known_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        program.main(["litle"])
    assert "little good 3" in capsys.readouterr().err
    assert not (folder / "results.md").exists()
