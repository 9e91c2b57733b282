"""Faults made on purpose: a disk that is full or read-only, a folder that may not be used.

Where this process may mount, the disk is a real one (a tmpfs of some hundred KiB); elsewhere the
calls that would write to it fail as they would there.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carl_core import waiting
from carl_core.video import drive

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

_MOUNT_S = 20


class Disk:
    """A small disk of its own.

    Attributes
    ----------
    folder : where it is
    is_real : whether it is mounted, or only behaves so
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, kib: int) -> None:
        folder.mkdir()
        self.folder = folder
        self._refusal: int | None = None
        self._options = f"size={kib}k"
        self.is_real = _mount("-t", "tmpfs", "-o", self._options, "tmpfs", str(folder))
        _refuse(monkeypatch, folder, lambda: self._refusal)

    def fill(self) -> None:
        """Take all the space that is left."""
        if not self.is_real:
            self._refusal = errno.ENOSPC
            return
        with (self.folder / "ballast").open("ab", buffering=0) as file:
            for size in (4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        """Give the space back."""
        self._refusal = None
        if self.is_real:
            (self.folder / "ballast").unlink(missing_ok=True)

    def make_read_only(self) -> None:
        """Take no more writes."""
        # Not where a file is open for writing, which a system that finds errors does not mind.
        if not (self.is_real and _mount("-o", f"remount,ro,{self._options}", str(self.folder))):
            self._refusal = errno.EROFS

    def make_writable(self) -> None:
        """Take them again."""
        self._refusal = None
        if self.is_real:
            assert _mount("-o", f"remount,rw,{self._options}", str(self.folder))

    def unplug(self) -> None:
        """Be gone."""
        if self.is_real:
            subprocess.run(["umount", "-l", str(self.folder)], check=False, timeout=_MOUNT_S)


@contextlib.contextmanager
def small_disk(folder: Path, monkeypatch: pytest.MonkeyPatch, kib: int = 256) -> Iterator[Disk]:
    """Make a disk at ``folder``; it is unplugged at the end."""
    disk = Disk(folder, monkeypatch, kib)
    try:
        yield disk
    finally:
        disk.unplug()


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let nothing be written below a folder, as if it were somebody else's."""
    _refuse(monkeypatch, folder, lambda: errno.EACCES)


def _mount(*arguments: str) -> bool:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, timeout=_MOUNT_S)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _refuse(monkeypatch: pytest.MonkeyPatch, folder: Path, reason: Any) -> None:
    """Let opening for writing, making, renaming below ``folder`` fail while there is a reason."""
    inside = os.fspath(folder) + os.sep

    def check(*paths: Any) -> None:
        for path in paths:
            if reason() and isinstance(path, str | os.PathLike) and _is_in(path, inside):
                raise OSError(reason(), os.strerror(reason()), os.fspath(path))

    real_open, real_low, real_mkdir, real_replace = io.open, os.open, os.mkdir, os.replace

    def opening(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if set(mode) & set("wax+"):
            check(file)
        return real_open(file, mode, *rest, **options)

    def opening_low(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            check(path)
        return real_low(path, flags, *rest, **options)

    def making(path: Any, *rest: Any, **options: Any) -> None:
        if not Path(path).exists():
            check(path)
        real_mkdir(path, *rest, **options)

    def replacing(source: Any, target: Any, **options: Any) -> None:
        check(source, target)
        real_replace(source, target, **options)

    monkeypatch.setattr(io, "open", opening)
    monkeypatch.setattr(os, "open", opening_low)
    monkeypatch.setattr(os, "mkdir", making)
    monkeypatch.setattr(os, "replace", replacing)


def _is_in(path: Any, inside: str) -> bool:
    return os.fspath(path).startswith(inside) if isinstance(os.fspath(path), str) else False


class StallingDrive:
    """A drive that stops answering in the middle of a recording, as a network drive does.

    Attributes
    ----------
    path : the file that is not read on
    waiting : how many reads have begun that did not come back
    """

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.waiting = 0
        self._from_byte: int | None = None
        self._answers = threading.Event()
        real = drive._read

        def read(file: io.FileIO, position: int, count: int) -> bytes:
            stalls = self._from_byte is not None and position + count > self._from_byte
            if stalls and Path(os.fspath(file.name)) == path:
                self.waiting += 1
                self._answers.wait()
                self.waiting -= 1
            return real(file, position, count)

        monkeypatch.setattr(drive, "_read", read)

    def stall(self, from_byte: int = 0) -> None:
        """Answer nothing that reaches beyond a place of the file."""
        self._answers.clear()
        self._from_byte = from_byte

    def answer(self) -> None:
        """Answer everything again, what was asked meanwhile as well."""
        self._from_byte = None
        self._answers.set()

    def settle(self) -> None:
        """Wait until nobody hangs any more who was closed: a busy machine takes a while."""
        for hanging in list(waiting._hanging.values()):
            hanging.join(10.0)
