"""A disk that is full, read-only or forbidden: a sentence, nothing lost, and the work goes on."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from app.models.exporting import ExportChoice, Kind
from carl_core.embeddings.store import EmbeddingStore
from carl_core.pipeline import Engine
from carl_core.project import files
from tests.app.conftest import wait_settled
from tests.app.test_project import pin
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.faults import forbid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from tests.faults.conftest import Recorded
    from tests.helpers.faults import Disk

WAIT_MS = 60_000


def wait_message(qtbot: QtBot, program: Program, part: str) -> str:
    """The message that holds ``part``, once it is there."""
    found: list[str] = []

    def look() -> bool:
        found[:] = [m.text for m in program.window.banner.messages if part in m.text]
        return bool(found)

    qtbot.waitUntil(look, timeout=WAIT_MS)
    return found[0]


def save_at(qtbot: QtBot, program: Program, path: Path) -> None:
    program.files._write(path, None)
    qtbot.waitUntil(
        lambda: program.project.is_in_file and program.files._lock is not None, timeout=WAIT_MS
    )


def partial_files(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.endswith(".part")]


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_project_that_cannot_be_saved_stays_as_it_was_and_is_saved_later(
    aligned: Program, disk: Disk, qtbot: QtBot, recorded: Recorded, fault: str
) -> None:
    path = disk.folder / "swing.carl"
    save_at(qtbot, aligned, path)
    before = aligned.project.project
    pin(aligned.project)
    wait_settled(qtbot, aligned, 2)
    if fault == "full":
        disk.fill()
    else:
        disk.make_read_only()
    aligned.files.save()
    said = wait_message(qtbot, aligned, "cannot be saved")
    assert ("No space left" if fault == "full" else "Read-only") in said
    assert "free some space" in said
    assert files.read_project(path) == before
    assert not partial_files(disk.folder)
    assert aligned.window.isWindowModified()
    if fault == "full":
        disk.free()
    else:
        disk.make_writable()
    aligned.files.save()
    qtbot.waitUntil(lambda: aligned.project.is_in_file, timeout=WAIT_MS)
    assert files.read_project(path).anchors == aligned.project.project.anchors
    recorded(
        f"the disk is {fault} while a project is saved",
        sees=said,
        then="The project on the disk is the one before; saving again works once there is room.",
    )


def test_unsaved_work_beside_a_project_on_a_full_disk_goes_elsewhere(
    aligned: Program, disk: Disk, qtbot: QtBot, tmp_path: Path, recorded: Recorded
) -> None:
    path = disk.folder / "swing.carl"
    save_at(qtbot, aligned, path)
    disk.fill()
    pin(aligned.project)
    own = files.autosave_path(None, tmp_path / "state" / "unsaved")

    def is_kept() -> bool:  # one of before the project was saved may just be going
        if not own.is_file():
            return False
        return len(files.read_autosave(own).project.anchors) == 1

    qtbot.waitUntil(is_kept, timeout=WAIT_MS)
    assert files.read_autosave(own).name == "swing.carl"  # what it is offered as
    recorded(
        "the disk is full while unsaved work is kept beside a project",
        sees="nothing",
        then="It is kept in the user's own folder, and offered after a crash from there.",
    )


def test_unsaved_work_that_can_be_kept_nowhere_is_told_and_tried_again(
    aligned: Program,
    disk: Disk,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    recorded: Recorded,
) -> None:
    from app.presenters import unsaved

    monkeypatch.setattr(unsaved, "RETRY_MS", 100)
    path = disk.folder / "swing.carl"
    save_at(qtbot, aligned, path)
    disk.fill()
    with monkeypatch.context() as patch:
        forbid(patch, tmp_path / "state")
        pin(aligned.project)
        said = wait_message(qtbot, aligned, "Unsaved work cannot be kept")
        disk.free()
        beside = files.autosave_path(path, tmp_path)
        qtbot.waitUntil(beside.is_file, timeout=WAIT_MS)
    recorded(
        "no folder takes unsaved work",
        sees=said,
        then="It is tried again every ten seconds until it can be kept.",
    )


@pytest.mark.parametrize("kind", [Kind.VIDEO, Kind.TABLE, Kind.STILL])
def test_an_export_to_a_full_disk_leaves_nothing_behind_and_works_elsewhere(
    aligned: Program, disk: Disk, qtbot: QtBot, tmp_path: Path, recorded: Recorded, kind: Kind
) -> None:
    exporting, choice = aligned.exporting.exporting, ExportChoice(kind, height=120)
    disk.fill()
    exporting.write(choice, disk.folder / f"out.{kind.value}")
    said = wait_message(qtbot, aligned, f"out.{kind.value}")
    assert "No space left" in said
    assert [p.name for p in disk.folder.iterdir()] in (["ballast"], [])
    qtbot.waitUntil(lambda: not aligned.jobs.is_active("export"), timeout=WAIT_MS)
    there = tmp_path / f"there.{kind.value}"
    exporting.write(choice, there)
    qtbot.waitUntil(there.is_file, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not aligned.jobs.active, timeout=WAIT_MS)
    recorded(
        f"the disk is full during an export ({kind.name.lower()})",
        sees=said.replace(str(disk.folder), "DISK"),
        then="No partial file is left; the export to another folder works.",
    )


def test_an_export_to_a_forbidden_folder_is_a_sentence(
    aligned: Program,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Recorded,
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    with monkeypatch.context() as patch:
        forbid(patch, theirs)
        aligned.exporting.exporting.write(ExportChoice(Kind.TABLE), theirs / "out.csv")
        said = wait_message(qtbot, aligned, "out.csv")
    assert "Permission denied" in said
    assert not list(theirs.iterdir())
    recorded(
        "permission is lost during an export",
        sees=said.replace(str(theirs), "FOLDER"),
        then="Nothing is left behind; the window works on.",
    )


def engine_with(model: Path, store: EmbeddingStore | str | None) -> Engine:
    return Engine(model, device="cpu", store=store)


def test_a_read_only_cache_is_told_and_done_without(
    make_program: Callable[..., Program],
    disk: Disk,
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Recorded,
) -> None:
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    monkeypatch.setenv("CARL_CACHE", str(disk.folder / "cache"))
    disk.make_read_only()
    program = make_program(engine_with(model, "default"))
    program.opening.add_paths(videos[:2])
    said = wait_message(qtbot, program, "Going on without a cache")
    wait_settled(qtbot, program, 2)
    assert program.session.others[0].alignment is not None
    recorded(
        "the cache is read-only",
        sees=said.replace(str(disk.folder), "DISK"),
        then="Embeddings are computed and kept in memory; recordings are aligned as ever.",
    )


def test_a_cache_that_fills_up_is_told_and_done_without(
    make_program: Callable[..., Program],
    disk: Disk,
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    recorded: Recorded,
) -> None:
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    store = EmbeddingStore(disk.folder / "cache")
    program = make_program(engine_with(model, store))
    disk.fill()
    program.opening.add_paths(videos[:2])
    said = wait_message(qtbot, program, "Going on without the cache")
    assert "No space left" in said
    wait_settled(qtbot, program, 2)
    assert program.session.others[0].alignment is not None
    disk.free()
    program.opening.add_paths(videos[2:])
    wait_settled(qtbot, program, 3)
    third = program.session.entries[2].embeddings
    assert third is not None
    load = functools.partial(store.load, third.key)
    qtbot.waitUntil(lambda: load() is not None, timeout=WAIT_MS)  # with room it is used again
    recorded(
        "the disk of the cache fills up",
        sees=said.replace(str(disk.folder), "DISK"),
        then="The recordings are aligned from memory; with room the cache is used again.",
    )
