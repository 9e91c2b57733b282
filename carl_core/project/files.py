"""Project files: ``NAME.carl``, JSON, versioned, readable.

Written whole or not at all; the three versions before are kept beside it (``NAME.carl.1`` the
newest). Work that is not saved goes to a file of its own (``.NAME.carl.autosave``, or the folder
for unsaved work) and never over the project.

Of every recording the path relative to the project is kept beside the absolute one, so that a
folder with recordings and project can be moved as a whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from carl_core.atomic import replacing, write_atomic
from carl_core.embeddings.locks import FileLock
from carl_core.errors import ProjectError
from carl_core.paths import is_there, parts_of, reachable, read_bounded
from carl_core.project.lock import is_open_somewhere
from carl_core.project.project import FORMAT, VERSION, Media, Project
from carl_core.waiting import answered

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("carl.project")

SUFFIX = ".carl"
BACKUPS = 3
# Bytes. Read, what is this large takes up to a gigabyte.
_LARGEST = 32 * 2**20

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From the document of a form to that of the next form; before form 1 there was none."""


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The document around a project."""

    format: str
    version: int
    project: Project
    relative: dict[str, str] = {}
    name: str = ""  # of an autosave: what the project it belongs to is called, to be shown
    process: int = 0  # of an autosave: who writes it


class _Head(msgspec.Struct, frozen=True):
    format: str = ""
    version: int = 0


class Unsaved(msgspec.Struct, frozen=True, kw_only=True):
    """Work found in an autosave.

    Attributes
    ----------
    path : of the autosave
    saved_as : the project it lies beside and belongs to, None = it lies elsewhere
    name : of the project it belongs to, to be shown; "" = it was never saved
    process : id of the process that wrote it
    """

    path: Path
    project: Project
    saved_as: Path | None
    name: str
    process: int


def to_text(project: Project, folder: Path, *, name: str = "", process: int = 0) -> str:
    """Return the document as it stands in a file of ``folder``."""
    relative = {}
    for media in project.recordings:
        near = _relative(Path(media.path), folder)
        if near:
            relative[media.id] = near
    stored = _Stored(
        format=FORMAT,
        version=VERSION,
        project=project,
        relative=relative,
        name=name,
        process=process,
    )
    # Escaped, since a path may hold bytes that are no text.
    plain = msgspec.to_builtins(stored)
    return json.dumps(plain, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def read_project(path: Path) -> Project:
    """Read a project; recordings that lie beside it are found again after a move.

    Raises
    ------
    ProjectError
        When it is missing, too large, no project, of a newer program, or makes no sense; naming the
        place. The message says where the version before is, if there is one.
    """
    return _read(path).project


def write_project(path: Path, project: Project) -> None:
    """Write a project and keep the three versions before.

    A file of an older form, which an older program can still read, stays as ``NAME.carl.form-N``.

    Raises
    ------
    ProjectError
        When it cannot be written; the project that was there is still there.
    """
    try:
        text = to_text(project, path.parent.absolute())
        target = reachable(path)
        _keep_older_form(target)
        _rotate(target)
        write_atomic(target, text)
    except OSError as error:
        raise ProjectError(
            f"The project {path} cannot be saved: {error.strerror or error}. "
            "Save it in another folder, or free some space."
        ) from error


def content_of(path: Path) -> bytes | None:
    """Return what tells whether a file was changed meanwhile; None when it cannot be read."""
    try:
        with reachable(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None


def autosave_path(project: Path | None, unsaved_folder: Path, process: int | None = None) -> Path:
    """Where work on a project (None = never saved) is kept until it is saved."""
    process = os.getpid() if process is None else process
    if project is None:
        return unsaved_folder / f"unsaved-{process}{SUFFIX}.autosave"
    return project.with_name(f".{project.name}.autosave")


def write_autosave(path: Path, project: Project, saved_as: Path | None) -> None:
    """Keep unsaved work of the project ``saved_as``, None = it was never saved.

    Raises
    ------
    ProjectError
        When it cannot be written.
    """
    text = to_text(
        project,
        path.parent.absolute(),
        name=saved_as.name if saved_as else "",
        process=os.getpid(),
    )
    try:
        write_atomic(path, text, mode=0o600)
    except OSError as error:
        raise ProjectError(
            f"Unsaved work cannot be kept in {path}: {error.strerror or error}. Save the project "
            "now, in a folder you may write to."
        ) from error


def read_autosave(path: Path) -> Unsaved:
    """Read unsaved work.

    Raises
    ------
    ProjectError
        As ``read_project``.
    """
    stored = _read(path)
    # NOTE: the file may come from a stranger, beside whose project it lies. What it says of the
    # place it belongs to is not believed, or saving would write wherever the stranger wants.
    own = path.name.removeprefix(".").removesuffix(".autosave")
    is_beside = path.name.startswith(".")
    return Unsaved(
        path=path,
        project=stored.project,
        saved_as=path.with_name(own) if is_beside else None,
        name=own if is_beside else parts_of(stored.name).name,
        process=stored.process,
    )


def drop_autosave(path: Path) -> None:
    """Forget unsaved work; nothing happens when there is none."""
    try:
        reachable(path).unlink(missing_ok=True)
    except OSError as error:
        log.warning("the autosave %s stays: %s", path, error)


def find_unsaved(folder: Path, beside: tuple[Path, ...] = ()) -> tuple[Unsaved, ...]:
    """Work left by processes that are gone: never saved, or belonging to projects ``beside``.

    Damaged files are set aside (``.damaged``) and logged.
    """
    paths = sorted(folder.glob(f"unsaved-*{SUFFIX}.autosave")) if folder.is_dir() else []
    for project in beside:
        path = autosave_path(project, folder)
        if is_there(path) and not is_open_somewhere(project):
            paths.append(path)
    found = []
    for path in paths:
        try:
            unsaved = read_autosave(path)
        except ProjectError as error:
            log.warning("unsaved work cannot be used: %s", error)
            try:
                path.replace(path.with_name(f"{path.name}.damaged"))
            except OSError as failure:
                log.warning("it cannot be set aside either: %s", failure)
            continue
        if not _is_alive(unsaved.process, folder):
            found.append(unsaved)
    return tuple(found)


def _read(path: Path) -> _Stored:
    try:
        text = answered(lambda: read_bounded(path, _LARGEST)).decode("utf-8")
    except OSError as error:
        raise ProjectError(
            f"The project {path} cannot be read: {error.strerror or error}. Check the path."
            + _hint(path)
        ) from error
    except UnicodeDecodeError as error:
        raise ProjectError(
            f"{path} is no project of this program: it is not text. Choose a {SUFFIX} file."
        ) from error
    try:
        document = json.loads(text, parse_constant=_refuse)
        head = msgspec.convert(document, _Head)
        if head.format != FORMAT or head.version < 1:
            raise ProjectError(f"{path} is no project of this program. Choose a {SUFFIX} file.")
        if head.version > VERSION:
            raise ProjectError(
                f"The project {path} was written by a newer program (form {head.version}, this one "
                f"reads up to {VERSION}). Update the program to open it."
            )
        for form in range(head.version, VERSION):
            document = MIGRATIONS[form](document) | {"version": form + 1}
        stored = msgspec.convert(document, _Stored)
    except (msgspec.ValidationError, ValueError, LookupError, RecursionError) as error:
        raise ProjectError(
            f"The project {path} cannot be used: {_readable(error)}." + _hint(path)
        ) from error
    return msgspec.structs.replace(stored, project=_found(stored, path.parent.absolute()))


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _readable(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text or "it is damaged"


def _hint(path: Path) -> str:
    for number in range(1, BACKUPS + 1):
        backup = path.with_name(f"{path.name}.{number}")
        if is_there(backup):
            return f" The version before is in {backup}: rename it to end in {SUFFIX} and open it."
    return ""


def _found(stored: _Stored, folder: Path) -> Project:
    """Return the project with the paths that exist: beside the project first."""
    recordings = []
    for media in stored.project.recordings:
        near = stored.relative.get(media.id, "")
        path = Path(os.path.normpath(folder / near)) if near else None
        if path is not None and _fits(path, media):
            media = msgspec.structs.replace(media, path=str(path))
        recordings.append(media)
    return msgspec.structs.replace(stored.project, recordings=tuple(recordings))


def _fits(path: Path, media: Media) -> bool:
    """Whether a file may be the recording: it is there, of the same size where that is known."""
    try:
        return is_there(path) and (not media.size or reachable(path).stat().st_size == media.size)
    except OSError:
        return False


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return ""


def _rotate(path: Path) -> None:
    """Keep what is there as version 1, the one before as 2, and so on."""
    if not path.is_file():
        return
    for number in range(BACKUPS - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.is_file():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    _copy(path, path.with_name(f"{path.name}.1"))


def _keep_older_form(path: Path) -> None:
    try:
        version = msgspec.json.decode(path.read_bytes(), type=_Head).version
    except (OSError, msgspec.MsgspecError, ValueError):
        return  # nothing there, or nothing an older program could read
    kept = path.with_name(f"{path.name}.form-{version}")
    if 1 <= version < VERSION and not kept.exists():
        _copy(path, kept)


def _copy(path: Path, copy: Path) -> None:
    """Copy a file whole or not at all, with its times."""
    with replacing(copy) as partial:
        shutil.copyfile(path, partial)
        shutil.copystat(path, partial)


def claim_unsaved(folder: Path) -> FileLock | None:
    """Show other windows that this process is alive, as long as the lock is held.

    A number alone does not: after a restart another program may have it. None when the folder
    takes no files; then nothing can be kept there either.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(_claim_path(folder, os.getpid()))
        return lock if lock.acquire() else None
    except OSError as error:
        log.warning("unsaved work cannot be kept in %s: %s", folder, error)
        return None


def release_unsaved(folder: Path, lock: FileLock) -> None:
    """Give back what ``claim_unsaved`` gave."""
    lock.release()
    with contextlib.suppress(OSError):
        _claim_path(folder, os.getpid()).unlink(missing_ok=True)


def _claim_path(folder: Path, process: int) -> Path:
    return folder / f"unsaved-{process}.lock"


def _is_alive(process: int, folder: Path) -> bool:
    if process == os.getpid():
        return True
    path = _claim_path(folder, process)
    if not path.is_file():
        return False
    lock = FileLock(path)
    try:
        if not lock.acquire():
            return True
    except OSError:
        return False
    lock.release()
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return False
