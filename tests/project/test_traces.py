"""Forgetting a recording leaves nothing of it, and nothing else goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.embeddings.embeddings import EmbeddingKey
from carl_core.embeddings.store import EmbeddingStore
from carl_core.errors import MediaError
from carl_core.project import files
from carl_core.project.project import Media, Project
from carl_core.project.recent import RecentProjects
from carl_core.project.traces import Forgotten, fingerprint_named, forget
from carl_core.retrieval.libraries import clear_libraries, libraries_beside, root_beside
from carl_core.retrieval.library import Library

if TYPE_CHECKING:
    from pathlib import Path

MINE, OTHER = "ab" * 16, "cd" * 16


def fill(store: EmbeddingStore, fingerprint: str, model: str) -> None:
    key = EmbeddingKey(fingerprint, model, "10/1")
    frames = np.arange(3, dtype=np.int64)
    writer = store.open_writer(
        key, frames=frames, pts=frames, times_s=frames / 10, channels=2, dim=2
    )
    assert writer is not None
    with writer:
        writer.append(np.zeros((3, 2), np.float16))
        writer.finish([np.eye(3, 2, dtype=np.float32)])


def project_of(path: Path, fingerprint: str) -> Project:
    return Project(
        recordings=(Media(id="a", path=str(path), fingerprint=fingerprint),), reference="a"
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A cache, recent projects, unsaved work and a log that know two recordings."""
    store = EmbeddingStore(tmp_path / "cache" / "embeddings")
    state = tmp_path / "state"
    recent = RecentProjects(state)
    for fingerprint, name in ((MINE, "mine"), (OTHER, "other")):
        fill(store, fingerprint, "1" * 16)
        fill(store, fingerprint, "2" * 16)
        index = tmp_path / "cache" / "indices" / name / "x.npz"
        index.parent.mkdir(parents=True)
        np.savez(index, facts=np.array(f'{{"fingerprint": "{fingerprint}"}}'))
        project = tmp_path / f"{name}.carl"
        files.write_project(project, project_of(tmp_path / f"{name}.mp4", fingerprint))
        files.write_autosave(
            files.autosave_path(project, state), files.read_project(project), project
        )
        files.write_autosave(
            files.autosave_path(None, state / "unsaved", len(name)),
            project_of(tmp_path / f"{name}.mp4", ""),
            None,
        )
        copy = tmp_path / "cache" / "proxies" / f"{fingerprint}.mp4"
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(b"film")
        recent.add(project)
        recent.picture_of(project).parent.mkdir(parents=True, exist_ok=True)
        recent.picture_of(project).write_bytes(b"picture")
    log = tmp_path / "log" / "window.log"
    log.parent.mkdir()
    log.write_text("opening mine.mp4\nnothing\nopening other.mp4\n")
    (tmp_path / "window.ini").write_text(
        f"[files]\nlast-folder={tmp_path}\n\n[window]\ntheme=dark\n"
    )
    return tmp_path


def paths(folder: Path) -> set[str]:
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return {name for name in found if ".locks" not in name}


def test_everything_of_one_recording_goes_and_nothing_else(place: Path) -> None:
    store = EmbeddingStore(place / "cache" / "embeddings")
    before = paths(place)
    found = forget(
        MINE,
        place / "mine.mp4",
        store=store,
        state=place / "state",
        logs=place / "log",
        settings=place / "window.ini",
    )
    assert (place / "window.ini").read_text() == "[files]\n\n[window]\ntheme=dark\n"
    assert found == Forgotten(
        entries=2, size_bytes=found.size_bytes, indices=1, recent=1, unsaved=2, lines=1
    )
    assert found.size_bytes > 0
    gone = before - paths(place)
    assert not any(OTHER in name or "other" in name for name in gone)
    assert {name for name in before - gone if MINE in name or "mine" in name} == {"mine.carl"}
    assert len(before - gone) == len(gone) + 5  # projects, list, log, settings; the rest in pairs
    recent = RecentProjects(place / "state")
    assert recent.paths() == (place / "other.carl",)
    assert (place / "log" / "window.log").read_text() == "nothing\nopening other.mp4\n"
    assert (place / "mine.carl").exists()  # the user's own file
    kept = b"".join(
        p.read_bytes()
        for part in ("cache", "state", "log")
        for p in (place / part).rglob("*.*")
        if p.is_file()
    )
    assert MINE.encode() not in kept
    assert b"mine" not in kept
    again = forget(MINE, place / "mine.mp4", store=store, state=place / "state", logs=place / "log")
    assert again == Forgotten()


def test_a_recording_that_is_gone_is_named_by_its_fingerprint(place: Path) -> None:
    assert fingerprint_named(MINE) == MINE
    found = forget(MINE, None, store=None, state=place / "state", logs=place / "log")
    # Its unsaved work, which names it only by path, cannot be told.
    assert (found.entries, found.recent, found.unsaved) == (0, 1, 1)


@pytest.mark.parametrize("name", ["", "ab", "../" + "a" * 29, "*" * 32, "A" * 32])
def test_what_is_no_fingerprint_removes_nothing(place: Path, name: str) -> None:
    before = paths(place)
    with pytest.raises(MediaError):
        fingerprint_named(str(place / name) if name else str(place))
    with pytest.raises(MediaError, match="is no fingerprint"):
        forget(name, None, store=None, state=place / "state", logs=place / "log")
    assert paths(place) == before


def test_the_library_of_everything_forgets_it_too(place: Path, tmp_path: Path) -> None:
    store = EmbeddingStore(place / "cache" / "embeddings")
    for model in ("1" * 16, "2" * 16):
        library = Library(root_beside(store), model)
        for fingerprint in (MINE, OTHER):
            library.catalogue.note(
                tmp_path / f"{fingerprint}.mp4", EmbeddingKey(fingerprint, model, "10/1"), 3
            )
        library.update(store)
        assert library.recordings == 2
    forget(MINE, None, store=store, state=place / "state", logs=place / "logs")
    for library in libraries_beside(store):
        assert [one.key.fingerprint for one in library.catalogue.all()] == [OTHER]
        assert library.recordings == 1
        held = [p for p in library.folder.rglob("*") if p.is_file() and MINE in p.name]
        assert not held
        assert not any(MINE.encode() in p.read_bytes() for p in library.folder.rglob("*.json"))
    clear_libraries(store)
    assert not root_beside(store).exists()


def test_no_lock_tells_what_was_embedded(place: Path) -> None:
    store = EmbeddingStore(place / "cache" / "embeddings")
    forget(MINE, None, store=store, state=place / "state", logs=place / "logs")
    names = [path.name for path in store.root.rglob("*")]
    assert not [name for name in names if MINE in name]
    assert [name for name in names if OTHER in name]
    fill(store, MINE, "1" * 16)  # and it can be embedded again
    assert store.usage().entries == 3
