"""What the program keeps of one recording beside the user's own files, and forgetting it.

Embeddings in the cache and in the library of everything, its small copy, unsaved work that names
it, projects with it in the list of recent ones, their pictures, lines of the log, and the folder
that was opened last. Projects and exports are the
user's files and stay.
"""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.atomic import write_atomic
from carl_core.errors import MediaError, ProjectError, StoreError
from carl_core.paths import is_there, log_folder
from carl_core.project.files import autosave_path, drop_autosave, read_autosave, read_project
from carl_core.project.recent import RecentProjects
from carl_core.retrieval.libraries import forget_in_libraries
from carl_core.video.container import cannot_be_read, check_file
from carl_core.video.proxy import ProxyStore
from carl_core.video.recording import fingerprint_of

if TYPE_CHECKING:
    from carl_core.embeddings.store import EmbeddingStore
    from carl_core.project.project import Project

log = logging.getLogger("carl.project")

_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed.

    Attributes
    ----------
    entries : embeddings in the cache
    size_bytes : of those, and of the small copy made for dragging
    indices : that training remembers
    recent : projects taken off the list of recent ones, with their pictures
    unsaved : files of unsaved work
    lines : of the window's log
    """

    entries: int = 0
    size_bytes: int = 0
    indices: int = 0
    recent: int = 0
    unsaved: int = 0
    lines: int = 0


def fingerprint_named(name: str) -> str:
    """Return the fingerprint of a file, or what is one already (the file may be gone).

    Raises
    ------
    MediaError
        When it is neither.
    """
    path = Path(name)
    if _FINGERPRINT.fullmatch(name) and not is_there(path):
        return name
    size = check_file(path).st_size
    try:
        return fingerprint_of(path, size)
    except OSError as exc:
        raise cannot_be_read(path, exc) from exc


def forget(
    fingerprint: str,
    path: Path | None,
    *,
    store: EmbeddingStore | None,
    state: Path,
    logs: Path | None = None,
    settings: Path | None = None,
) -> Forgotten:
    """Remove every trace of one recording.

    Parameters
    ----------
    fingerprint : of its content
    path : where it lies, None = not known; projects that never knew its content name it by this
    store : the cache, None = there is none
    state : folder of recent projects and unsaved work
    logs : folder of the window's log, None = the user's
    settings : the window's, which name the folder that files were opened from last; None = the
        window that is open sees to it

    Returns
    -------
    what was there; what cannot be removed is logged and stays

    Raises
    ------
    MediaError
        When ``fingerprint`` is none.
    """
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise MediaError(f"{fingerprint!r} is no fingerprint of a recording. Name its file.")
    entries, size_bytes = store.forget(fingerprint) if store is not None else (0, 0)
    if store is not None:
        _forget_in_libraries(store, fingerprint)
        size_bytes += ProxyStore(store.root.parent / "proxies").forget(fingerprint)
    recent = RecentProjects(state)
    names = {path.name} if path is not None else set()
    listed = unsaved = 0
    for project_path in recent.paths():
        project = _read(project_path)
        beside = autosave_path(project_path, state)
        if project is not None and _names(project, fingerprint, path):
            recent.forget(project_path)
            names.add(project_path.name)
            listed += 1
        unsaved += _drop(beside, fingerprint, path)
    for kept in sorted((state / "unsaved").glob("unsaved-*")):
        unsaved += _drop(kept, fingerprint, path)
    lines = _forget_lines(logs or log_folder(), names | {fingerprint})
    if settings is not None:
        _forget_last_folder(settings)
    indices = _forget_indices(store.root.parent / "indices", fingerprint) if store else 0
    return Forgotten(entries, size_bytes, indices, listed, unsaved, lines)


def _forget_in_libraries(store: EmbeddingStore, fingerprint: str) -> None:
    try:
        forget_in_libraries(store, fingerprint)
    except StoreError as error:
        log.warning("%s", error)


def _read(path: Path) -> Project | None:
    try:
        return read_project(path)
    except ProjectError as error:
        log.debug("not looked into: %s", error)
        return None


def _names(project: Project, fingerprint: str, path: Path | None) -> bool:
    return any(
        media.fingerprint == fingerprint
        or (not media.fingerprint and path is not None and Path(media.path) == path.absolute())
        for media in project.recordings
    )


def _drop(autosave: Path, fingerprint: str, path: Path | None) -> int:
    if not is_there(autosave):
        return 0
    try:
        project = read_autosave(autosave).project
    except ProjectError:
        return 0
    if not _names(project, fingerprint, path):
        return 0
    drop_autosave(autosave)
    return int(not is_there(autosave))


def _forget_indices(folder: Path, fingerprint: str) -> int:
    """Remove what ``training.datasets`` keeps of a file, which holds its fingerprint."""
    word = fingerprint.encode("utf-32-le")  # as NumPy stores text
    gone = 0
    for path in sorted(folder.glob("*/*.npz")):
        with contextlib.suppress(OSError):
            if word in path.read_bytes():
                path.unlink()
                gone += 1
    return gone


def _forget_last_folder(settings: Path) -> None:
    """Whatever folder it is: to open the next file from there is all that it is good for."""
    with contextlib.suppress(OSError):
        lines = settings.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(b"last-folder=")]
        if len(kept) < len(lines):
            write_atomic(settings, b"".join(kept))


def _forget_lines(folder: Path, names: set[str]) -> int:
    """Take the lines that hold one of the names out of the log, in place: it may be open."""
    words = [name.encode("utf-8", "surrogateescape") for name in names]
    gone = 0
    for path in sorted(folder.glob("window.log*")):
        with contextlib.suppress(OSError), path.open("r+b") as file:
            lines = file.readlines()
            kept = [line for line in lines if not any(word in line for word in words)]
            if len(kept) < len(lines):
                file.seek(0)
                file.writelines(kept)
                file.truncate()
                gone += len(lines) - len(kept)
    return gone
