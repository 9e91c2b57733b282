from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import pytest

from carl_core.embeddings.store import EmbeddingStore
from carl_core.paths import KEEP_NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Carl


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARL_STATE", str(tmp_path / "state"))
    monkeypatch.delenv(KEEP_NOTHING, raising=False)
    # ``--keep-nothing`` sets it for the whole process, which a test must not.
    monkeypatch.setenv(KEEP_NOTHING, "0")
    return tmp_path / "state"


def files_in(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def test_with_keep_nothing_nothing_is_kept(
    carl: Carl, clips: Path, tiny_model: Path, private_cache: Path
) -> None:
    names = clips / "whole.mp4", clips / "fast.mp4"
    done = carl("--keep-nothing", "align", *names, "--model", tiny_model, "--json")
    assert done.code in (0, 4)
    assert files_in(private_cache) == []
    assert carl("--keep-nothing", "embed", names[0], "--model", tiny_model).code == 2
    assert files_in(private_cache) == []


def test_the_cache_is_shown_and_belongs_to_the_user_alone(
    carl: Carl, clips: Path, tiny_model: Path, private_cache: Path
) -> None:
    assert carl("embed", clips / "whole.mp4", "--model", tiny_model).code == 0
    shown = carl("cache", "size")
    assert str(private_cache / "embeddings") in shown.out
    if sys.platform != "win32":
        folders = [p for p in private_cache.iterdir() if p.is_dir()]
        assert {"embeddings", "embeddings-library"} <= {p.name for p in folders}
        assert {stat.S_IMODE(p.stat().st_mode) for p in folders} == {0o700}


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_the_usual_cache_folder_is_private_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CARL_CACHE")
    usual = tmp_path / "new" / "carl"
    monkeypatch.setattr(
        "carl_core.embeddings.store.platformdirs.user_cache_path", lambda *_, **__: usual
    )
    for _ in range(2):
        EmbeddingStore()
        modes = [p.stat().st_mode for p in (usual.parent, usual, usual / "embeddings")]
        assert {stat.S_IMODE(mode) for mode in modes} == {0o700}
        usual.chmod(0o755)  # as an earlier version left it


def test_one_recording_is_forgotten(
    carl: Carl, clips: Path, tiny_model: Path, private_cache: Path
) -> None:
    for name in ("whole.mp4", "fast.mp4"):
        assert carl("embed", clips / name, "--model", tiny_model).code == 0
    done = carl("cache", "forget", clips / "whole.mp4")
    assert done.code == 0
    assert "forgot 1 embeddings" in done.out
    entries = [p for p in (private_cache / "embeddings").iterdir() if not p.name.startswith(".")]
    assert len(entries) == 1
    assert "forgot 0 embeddings" in carl("cache", "forget", clips / "whole.mp4").out


def test_forget_wants_names_and_the_others_none(carl: Carl, tmp_path: Path) -> None:
    assert carl("cache", "forget").code == 2
    assert carl("cache", "clear", tmp_path / "a.mp4").code == 2
    assert carl("cache", "forget", tmp_path / "none.mp4").code == 3
