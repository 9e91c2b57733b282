"""Work that is killed at random moments: a few kills here, a hundred each by `make reliability`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import kills

ROOT = Path(__file__).resolve().parents[2]
TIMES = 4


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_what_a_kill_leaves_is_whole_and_the_work_goes_on(tmp_path: Path) -> None:
    works = [name for name in kills.WORKS if name != "train"]  # torch: by `make reliability`
    command = [sys.executable, "-m", "tests.helpers.kills", str(tmp_path), "--times", str(TIMES)]
    out = tmp_path / "rounds.json"
    command += ["--longest", "0.25", "--json", str(out), "--works", *works]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    rounds = json.loads(out.read_text())
    bad = [one for one in rounds if not one["is_well"]]
    assert not bad, json.dumps(bad, indent=1)
    assert done.returncode == 0, done.stderr
    assert len(rounds) == TIMES * len(works)


def test_a_file_that_is_written_in_place_would_be_found(tmp_path: Path) -> None:
    """The check is one that can fail: half a project is not taken for whole."""
    work = kills.Save()
    work.forget(tmp_path)
    path = tmp_path / "project" / "p.carl"
    kills.files.write_project(path, kills._project(3))
    assert work.check(tmp_path, 3) == "the last one finished"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(Exception, match="cannot be used"):
        work.check(tmp_path, 4)
    work.forget(tmp_path)
    kills.files.write_project(path, kills._project(9))
    with pytest.raises(AssertionError, match="9 is there, 4 was finished"):
        work.check(tmp_path, 4)
