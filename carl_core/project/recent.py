"""The projects opened last, with a small picture of each."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import xxhash

from carl_core.atomic import write_atomic
from carl_core.paths import is_there

log = logging.getLogger("carl.project")

MOST = 10


@dataclass(frozen=True, slots=True)
class RecentProject:
    """One line of the list.

    Attributes
    ----------
    picture : file of a small picture, None = there is none
    exists : whether the project is where it was
    """

    path: Path
    picture: Path | None
    exists: bool


class RecentProjects:
    """A list in ``recent.json`` of a folder, pictures beside it.

    What cannot be read or written is done without: the list is a convenience.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "recent.json"
        self._paths: list[Path] | None = None

    def paths(self) -> tuple[Path, ...]:
        """Return the newest first."""
        if self._paths is None:
            try:
                names = json.loads(self._file.read_text(encoding="utf-8"))
                self._paths = [Path(name) for name in names if isinstance(name, str)][:MOST]
            except FileNotFoundError:
                self._paths = []
            except (OSError, ValueError, TypeError, RecursionError) as error:
                log.warning("the list of recent projects cannot be read (%s)", error)
                self._paths = []
        return tuple(self._paths)

    def listed(self) -> tuple[RecentProject, ...]:
        """Look what is still there; may take long on a disk that is not connected."""
        found = []
        for path in self.paths():
            picture = self.picture_of(path)
            found.append(
                RecentProject(path, picture if is_there(picture) else None, is_there(path))
            )
        return tuple(found)

    def reread(self) -> None:
        """Read the file again at the next question: somebody else has changed it."""
        self._paths = None

    def add(self, path: Path) -> None:
        """Put a project first."""
        self._keep([path, *(p for p in self.paths() if p != path)][:MOST])

    def forget(self, path: Path) -> None:
        """Take a project off the list, with its picture."""
        self._keep([p for p in self.paths() if p != path])

    def picture_of(self, path: Path) -> Path:
        """Where the picture of a project lies, if there is one."""
        name = xxhash.xxh3_64_hexdigest(str(path).encode("utf-8", "surrogateescape"))
        return self._folder / "recent" / f"{name}.png"

    def _keep(self, paths: list[Path]) -> None:
        gone = set(self.paths()) - set(paths)
        self._paths = paths
        try:
            write_atomic(self._file, json.dumps([str(p) for p in paths]))
            for path in gone:
                self.picture_of(path).unlink(missing_ok=True)
        except OSError as error:
            log.warning("the list of recent projects cannot be kept (%s)", error)
