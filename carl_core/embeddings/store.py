"""Keep embeddings on disk: addressed by key, limited in size, safe to throw away at any time."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from carl_core.embeddings.entry import read_entry, read_features
from carl_core.embeddings.locks import FileLock
from carl_core.embeddings.meta import META, DamagedEntryError, Meta, read_meta
from carl_core.embeddings.writer import EntryWriter
from carl_core.errors import StoreError
from carl_core.paths import make_private, reachable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from carl_core.arrays import Float64, Int64
    from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings

log = logging.getLogger("carl.store")

DEFAULT_LIMIT_BYTES = 8_000_000_000
_LOCKS = ".locks"


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """How full a store is.

    Attributes
    ----------
    entries : recordings kept, finished or not
    size_bytes : of all their files
    limit_bytes : above which the least recently used ones go
    """

    entries: int
    size_bytes: int
    limit_bytes: int


class EmbeddingStore:
    """A folder of embeddings, one entry per (fingerprint, model, sampling).

    Safe from several threads and processes: one writer per entry at a time (a file lock), readers
    see finished entries only and check them.

    Parameters
    ----------
    root : folder; None = ``embeddings`` in ``CARL_CACHE`` or in the user's cache folder
    limit_bytes : what ``prune`` (after every finished entry, too) brings the store down to; None =
        ``CARL_CACHE_GB``, or 8 GB

    Raises
    ------
    StoreError
        When the folder cannot be made or written.
    """

    def __init__(self, root: Path | None = None, *, limit_bytes: int | None = None) -> None:
        if limit_bytes is None:
            limit_bytes = default_limit_bytes()
        if limit_bytes < 0:
            raise ValueError(f"limit_bytes must not be negative, got {limit_bytes}")
        self.root = reachable(root if root is not None else cache_folder() / "embeddings")
        self.limit_bytes = limit_bytes
        try:
            make_private(self.root / _LOCKS)
            self.root.chmod(0o700)
            if root is None and not os.environ.get("CARL_CACHE"):
                self.root.parent.chmod(0o700)  # what else is derived lies there
            probe = self.root / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink(missing_ok=True)
        except OSError as exc:
            raise StoreError(
                f"The cache {self.root} cannot be written: {exc.strerror or exc}. "
                "Set CARL_CACHE to a folder that can be written."
            ) from exc

    def load(self, key: EmbeddingKey) -> Embeddings | None:
        """Return what is stored for ``key``, checked; None when it is missing or not finished.

        A damaged entry is logged, removed and counts as missing.
        """
        folder = self._folder(key)
        try:
            embeddings = read_entry(folder, key)
        except DamagedEntryError as exc:
            log.warning("The cache entry %s is damaged: %s. Rebuilding it.", folder.name, exc)
            self._remove(folder)
            return None
        except FileNotFoundError:
            return None
        except OSError as exc:
            log.warning("The cache entry %s cannot be read: %s.", folder, exc)
            return None
        if embeddings is not None:
            with contextlib.suppress(OSError):
                os.utime(folder / META)
        return embeddings

    def is_finished(self, key: EmbeddingKey) -> bool:
        """Whether the entry of ``key`` says that it is whole; ``load`` would check it, too."""
        try:
            meta = read_meta(self._folder(key))
        except (DamagedEntryError, OSError):
            return False
        return meta.key == key and meta.finished is not None

    def load_features(self, key: EmbeddingKey) -> npt.NDArray[np.float16] | None:
        """Return the stored trunk features (N, C), memory mapped; None when they are not there."""
        folder = self._folder(key)
        try:
            return read_features(folder, key)
        except FileNotFoundError:  # never looked at: nothing to tell
            return None
        except (DamagedEntryError, OSError, ValueError) as exc:
            log.info("The features of %s cannot be used: %s.", folder.name, exc)
            return None

    def open_writer(
        self,
        key: EmbeddingKey,
        *,
        frames: Int64,
        pts: Int64,
        times_s: Float64,
        channels: int,
        dim: int,
    ) -> EntryWriter | None:
        """Begin or take up the entry of ``key``; None while somebody else is writing it.

        Parameters
        ----------
        frames, pts, times_s : (N,) of all frames that will be embedded
        channels, dim : C of the features, D of the vectors

        Raises
        ------
        StoreError
            When the folder cannot be written.
        """
        folder = self._folder(key)
        lock = self._lock(folder)
        if not self._acquire(lock):
            return None
        writer = EntryWriter(folder, Meta(key, channels, dim), frames, pts, times_s, lock)
        try:
            writer.take_up()
        except BaseException:
            lock.release()
            raise
        return writer

    def remove(self, key: EmbeddingKey) -> None:
        """Forget the entry of ``key``, unless somebody is writing it."""
        self._remove(self._folder(key))

    def forget(self, fingerprint: str) -> tuple[int, int]:
        """Remove what is kept of one recording, of any encoder and sampling.

        Entries being written stay. Returns how many were removed, and their bytes.
        """
        count = size_bytes = 0
        for folder in self._folders():
            size = _size(folder)
            if folder.name.startswith(f"{fingerprint}-") and self._remove(folder):
                count, size_bytes = count + 1, size_bytes + size
        self._forget_locks(fingerprint)
        return count, size_bytes

    def _forget_locks(self, fingerprint: str) -> None:
        """Remove locks that nobody holds: their names say what was embedded."""
        for path in (self.root / _LOCKS).glob(f"{fingerprint}-*"):
            lock = FileLock(path)
            with contextlib.suppress(OSError):
                if lock.acquire():
                    lock.discard()

    def usage(self) -> StoreUsage:
        """Count entries and bytes."""
        folders = self._folders()
        return StoreUsage(len(folders), sum(_size(f) for f in folders), self.limit_bytes)

    def prune(self, limit_bytes: int | None = None) -> int:
        """Remove the least recently used entries until the store keeps its limit.

        Entries being written stay. Returns the number of bytes freed.
        """
        limit = self.limit_bytes if limit_bytes is None else limit_bytes
        by_age = sorted(self._folders(), key=_last_used)
        sizes = {folder: _size(folder) for folder in by_age}
        total = sum(sizes.values())
        freed = 0
        for folder in by_age:
            if total - freed <= limit:
                break
            if self._remove(folder):
                freed += sizes[folder]
                log.info("Removed %s from the cache (%d bytes).", folder.name, sizes[folder])
        return freed

    def clear(self) -> int:
        """Remove every entry that nobody is writing; return the number of bytes freed."""
        return self.prune(-1)

    def _folder(self, key: EmbeddingKey) -> Path:
        parts = (key.fingerprint, key.model_id, key.sampling.replace("/", "_"))
        for part in parts:
            if not re.fullmatch(r"[A-Za-z0-9._-]+", part):
                raise ValueError(f"{part!r} cannot be part of an embedding key")
        return self.root / "-".join(parts)

    def _folders(self) -> list[Path]:
        try:
            return [f for f in self.root.iterdir() if f.is_dir() and not f.name.startswith(".")]
        except OSError:
            return []

    def _lock(self, folder: Path) -> FileLock:
        # Beside the entries. One that was unlinked guards nothing: ``_take`` looks.
        return FileLock(self.root / _LOCKS / folder.name)

    def _acquire(self, lock: FileLock) -> bool:
        try:
            return _take(lock)
        except OSError as exc:
            raise StoreError(
                f"The cache {self.root} cannot be written: {exc.strerror or exc}. "
                "Set CARL_CACHE to a folder that can be written."
            ) from exc

    def _remove(self, folder: Path) -> bool:
        lock = self._lock(folder)
        try:
            if not _take(lock):
                return False
            try:
                # The list of what is whole goes first: a half removed entry is no entry.
                (folder / META).unlink(missing_ok=True)
                shutil.rmtree(folder)
            finally:
                lock.release()
        except FileNotFoundError:
            return False
        except OSError as exc:
            log.warning("The cache entry %s cannot be removed: %s.", folder, exc)
            return False
        return True


def _take(lock: FileLock) -> bool:
    """Take a lock whose file may be removed by who forgets. Raises ``OSError``."""
    while lock.acquire():
        if lock.is_current():
            return True
        lock.release()
    return False


def cache_folder() -> Path:
    """Folder of everything derived: ``CARL_CACHE``, or the user's cache folder."""
    given = os.environ.get("CARL_CACHE")
    return Path(given) if given else platformdirs.user_cache_path("carl", appauthor=False)


def default_limit_bytes() -> int:
    """Limit of a store nobody gives one: ``CARL_CACHE_GB``, or 8 GB. Raises ``StoreError``."""
    given = os.environ.get("CARL_CACHE_GB", "").strip()
    if not given:
        return DEFAULT_LIMIT_BYTES
    try:
        return int(float(given) * 1e9)
    except (ValueError, OverflowError) as exc:
        raise StoreError(
            f"CARL_CACHE_GB is {given!r}, which is no number of gigabytes. Set it to one, or not."
        ) from exc


def _size(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            with contextlib.suppress(OSError):
                total += file.stat().st_size
    return total


def _last_used(folder: Path) -> int:
    for path in (folder / META, folder):
        with contextlib.suppress(OSError):
            return path.stat().st_mtime_ns
    return 0
