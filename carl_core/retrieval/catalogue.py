"""Which recordings were embedded, and where they lie: one small file each, in the library's folder.

Written as soon as a recording was embedded, by whichever process did that; so the library knows
what the store holds and how to call it, without asking the recordings.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from carl_core.atomic import write_atomic
from carl_core.embeddings.embeddings import EmbeddingKey
from carl_core.paths import make_private

log = logging.getLogger("carl.store")

_FORMAT, _VERSION = "carl-recording", 1


@dataclass(frozen=True, slots=True)
class Known:
    """A recording that was embedded: its key, where it was last seen, and how many samples."""

    key: EmbeddingKey
    path: Path
    count: int


class Catalogue:
    """The recordings of one encoder, in a folder. Safe from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, path: Path, key: EmbeddingKey, count: int) -> None:
        """Remember where a recording lies that was embedded to ``count`` samples.

        A folder that cannot be written is logged.
        """
        document = {
            "format": _FORMAT,
            "version": _VERSION,
            "path": str(path.absolute()),
            "fingerprint": key.fingerprint,
            "model": key.model_id,
            "sampling": key.sampling,
            "count": count,
        }
        file = self._folder / f"{key.fingerprint}-{key.sampling.replace('/', '_')}.json"
        # Undecodable bytes of a path are escaped surrogates: ASCII can hold them.
        text = json.dumps(document, ensure_ascii=True)
        try:
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                make_private(self._folder)
                write_atomic(file, text, mode=0o600)
            else:
                os.utime(file)  # used again
        except (OSError, UnicodeDecodeError) as error:
            log.warning("%s is not noted for the library: %s.", path, error)

    def all(self) -> list[Known]:
        """Everything known, by name of its file; what cannot be read is logged and left out."""
        found = []
        for file in sorted(self._folder.glob("*.json")):
            try:
                found.append(_read(file))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("The library's note %s cannot be used: %r.", file, error)
        return found

    def last_used(self) -> dict[str, float]:
        """When each recording was last noted, by its fingerprint."""
        found: dict[str, float] = {}
        for file in self._folder.glob("*.json"):
            with contextlib.suppress(OSError):
                name = file.name.split("-")[0]
                found[name] = max(file.stat().st_mtime, found.get(name, 0.0))
        return found

    def forget(self, fingerprint: str) -> None:
        """Remove what is known of a recording. Raises ``OSError``."""
        for file in self._folder.glob(f"{fingerprint}-*.json"):
            file.unlink(missing_ok=True)


def _read(file: Path) -> Known:
    document = json.loads(file.read_text(encoding="utf-8"))
    if (document["format"], document["version"]) != (_FORMAT, _VERSION):
        raise ValueError("it is of another format")
    key = EmbeddingKey(
        str(document["fingerprint"]), str(document["model"]), str(document["sampling"])
    )
    return Known(key, Path(str(document["path"])), int(document["count"]))
