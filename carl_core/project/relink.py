"""Finding recordings that lie elsewhere now."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from carl_core.paths import is_there, parts_of, reachable
from carl_core.video.recording import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from carl_core.progress import Monitor
    from carl_core.project.project import Media, Project


@dataclass(frozen=True, slots=True)
class Found:
    """Where a missing recording was found.

    Attributes
    ----------
    is_certain : the content is the same; otherwise only the name (and the size, where known) is
    """

    media: Media
    is_certain: bool


def missing(project: Project) -> tuple[Media, ...]:
    """Return the recordings whose files are not where the project says."""
    return tuple(media for media in project.recordings if not is_there(media.path))


def find_in(
    folder: Path, wanted: Sequence[Media], *, monitor: Monitor | None = None
) -> dict[str, Found]:
    """Look for recordings anywhere below ``folder``, by content where it is known, else by name.

    Files of another size are not opened; links to folders are not followed. Folders that may not be
    read are passed over.

    Returns
    -------
    by id, only what was found; the same content wins over the same name
    """
    found: dict[str, Found] = {}
    for path in _files(folder, monitor):
        open_ones = [m for m in wanted if not (m.id in found and found[m.id].is_certain)]
        if not open_ones:
            break
        try:
            size = reachable(path).stat().st_size
        except OSError:
            continue
        named = [m for m in open_ones if _is_called(path.name, parts_of(m.path).name)]
        fitting = [m for m in open_ones if (m.size == size if m.size else m in named)]
        for media in fitting:
            is_certain = bool(media.fingerprint) and _is_same(path, size, media)
            is_guess = not media.fingerprint and media in named and media.id not in found
            if is_certain or is_guess:
                found[media.id] = Found(replace(media, path=str(path)), is_certain)
    return found


def moved_along(wanted: Sequence[Media], found: Mapping[str, Found]) -> dict[str, Found]:
    """Look where recordings lie if they were moved like those that were found.

    ``/old/a/1.mp4`` found as ``/new/a/1.mp4`` says that ``/old`` is ``/new`` now; the longest
    common ending of both paths decides what moved. Only what is not in ``found`` is looked for.
    """
    was = {media.id: media.path for media in wanted}
    more: dict[str, Found] = {}
    for recording, one in found.items():
        before, after = parts_of(was[recording]).parts, Path(one.media.path).parts
        same = 0
        while same < min(len(before), len(after)) and _is_called(
            before[-1 - same], after[-1 - same]
        ):
            same += 1
        if not 0 < same < len(before):
            continue
        old, new = before[: len(before) - same], after[: len(after) - same]
        open_ones = [m for m in wanted if m.id not in found and m.id not in more]
        if old and new:
            more |= _with_beginning(open_ones, old, new)
    return more


def _with_beginning(
    wanted: Sequence[Media], old: tuple[str, ...], new: tuple[str, ...]
) -> dict[str, Found]:
    """Replace the folders that paths begin with; only files that exist are returned."""
    found = {}
    for media in wanted:
        parts = parts_of(media.path).parts
        if len(parts) <= len(old) or not all(map(_is_called, parts, old)):
            continue
        path = Path(*new, *parts[len(old) :])
        if is_there(path):
            size = reachable(path).stat().st_size
            is_certain = bool(media.fingerprint) and _is_same(path, size, media)
            found[media.id] = Found(replace(media, path=str(path)), is_certain)
    return found


def _is_called(name: str, other: str) -> bool:
    """Whether two names are the same to this system, which may not tell a from A."""
    return os.path.normcase(name) == os.path.normcase(other)


def media_of(found: Mapping[str, Found]) -> dict[str, Media]:
    """Return what ``carl_core.project.edits.relink`` takes."""
    return {recording: one.media for recording, one in found.items()}


def _files(folder: Path, monitor: Monitor | None) -> list[Path]:
    paths: list[Path] = []
    for root, folders, names in os.walk(folder):
        if monitor is not None:
            monitor.check()
        folders.sort()
        paths += [Path(root) / name for name in sorted(names)]
    return paths


def _is_same(path: Path, size: int, media: Media) -> bool:
    try:
        return fingerprint_of(path, size) == media.fingerprint
    except OSError:
        return False
