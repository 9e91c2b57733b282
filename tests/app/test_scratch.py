from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.bootstrap import scratch
from app.bootstrap.scratch import Scratch, sweep


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(temporary: Path) -> None:
    mine = Scratch()
    (mine.folder / "picture.png").write_bytes(b"x")
    code = (
        "import os; from app.bootstrap.scratch import Scratch; one = Scratch();"
        "(one.folder / 'picture.png').write_bytes(b'x'); print(one.folder, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"TMPDIR": str(temporary), "TMP": str(temporary)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
    )
    left = Path(done.stdout.strip())
    assert (left / "picture.png").exists()
    assert sweep() == 1
    assert not left.exists()
    assert (mine.folder / "picture.png").exists()
    mine.remove()
    assert list(temporary.iterdir()) == []


def test_folders_of_others_stay(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (temporary / "carl-papers").mkdir()  # no claim was ever in it
    theirs = temporary / "carl-theirs"
    theirs.mkdir()
    (theirs / ".alive").touch()
    (temporary / "elsewhere").mkdir()
    (temporary / "elsewhere" / ".alive").touch()
    (temporary / "carl-link").symlink_to(temporary / "elsewhere")
    with monkeypatch.context() as patch:
        patch.setattr(scratch, "_is_ours", lambda _folder: False)
        assert sweep() == 0
    assert sweep() == 1
    assert {p.name for p in temporary.iterdir()} == {"carl-papers", "elsewhere", "carl-link"}
