"""Projects of other versions of the program, and backups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from carl_core.errors import ProjectError
from carl_core.project import files
from carl_core.project.lock import ProjectLock, is_open_somewhere
from carl_core.project.project import Media, Project

if TYPE_CHECKING:
    from pathlib import Path

ONE = Project(recordings=(Media(id="a", path="/somewhere/a.mp4"),), reference="a")


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_project_of_a_newer_program_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "p.carl"
    files.write_project(path, ONE)
    change(path, version=files.VERSION + 1, something={"new": 1})
    with pytest.raises(ProjectError, match=r"written by a newer program.*Update the program"):
        files.read_project(path)
    assert json.loads(path.read_text())["something"] == {"new": 1}


@pytest.mark.parametrize("version", [0, -1])
def test_a_form_that_never_was_is_no_project(tmp_path: Path, version: int) -> None:
    path = tmp_path / "p.carl"
    files.write_project(path, ONE)
    change(path, version=version)
    with pytest.raises(ProjectError, match="is no project of this program"):
        files.read_project(path)


def test_an_older_form_is_read_and_kept_when_it_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.carl"
    files.write_project(path, ONE)
    old = path.read_text()

    def with_name(document: dict[str, Any]) -> dict[str, Any]:
        (media,) = document["project"]["recordings"]
        project = document["project"] | {"recordings": [media | {"name": "migrated"}]}
        return document | {"project": project}

    monkeypatch.setattr(files, "VERSION", 2)
    monkeypatch.setitem(files.MIGRATIONS, 1, with_name)
    found = files.read_project(path)
    assert found.recordings[0].name == "migrated"
    assert path.read_text() == old  # reading changes nothing
    for _ in range(files.BACKUPS + 2):
        files.write_project(path, found)
    assert json.loads(path.read_text())["version"] == 2
    assert (tmp_path / "p.carl.form-1").read_text() == old  # backups come and go, this stays
    assert files.read_project(path) == found


def test_a_migration_that_fails_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.carl"
    files.write_project(path, ONE)
    monkeypatch.setattr(files, "VERSION", 2)
    with pytest.raises(ProjectError, match="cannot be used"):
        files.read_project(path)


def test_one_claim_at_a_time_and_the_next_after_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "p.carl"
    first, second = ProjectLock(path), ProjectLock(path)
    assert first.acquire() is None
    assert is_open_somewhere(path)
    holder = second.acquire()
    assert holder is not None
    assert "process" in holder
    second.release()  # it has nothing to give back
    assert is_open_somewhere(path)
    first.release()
    assert not is_open_somewhere(path)
    assert not list(tmp_path.iterdir())
    assert second.acquire() is None
    second.release()


def test_a_claim_of_a_process_that_is_gone_is_none(tmp_path: Path) -> None:
    path = tmp_path / "p.carl"
    (tmp_path / ".p.carl.lock").write_text("process 1 of somebody")
    assert not is_open_somewhere(path)
    lock = ProjectLock(path)
    assert lock.acquire() is None
    lock.release()
