r"""What is done for Windows, tried elsewhere: the rules are text, the system is a stand-in.

Where a test needs Windows' file system, one folder stands for a path that is too long: it can be
reached in the form ``\\?\`` alone.
"""

from __future__ import annotations

import errno
import importlib.util
import ntpath
import os
import sys
import types
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import pytest

from carl_core import atomic, paths
from carl_core.embeddings import locks
from carl_core.embeddings.embeddings import EmbeddingKey
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.onnx import load_encoder
from carl_core.export.labels import Label, read_labels, write_labels
from carl_core.project import files
from carl_core.project.lock import ProjectLock, is_open_somewhere
from carl_core.project.project import Media, Project
from carl_core.project.relink import find_in, missing, moved_along
from carl_core.video import recording as module
from carl_core.video.image import read_image, write_png
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from carl_core.video.watch import FileWatch
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import draw_frame, make_video

if TYPE_CHECKING:
    from collections.abc import Callable

DEEP = "\\".join(["a folder with a long name"] * 12)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (r"C:\videos\a.mp4", r"C:\videos\a.mp4"),
        (rf"C:\{DEEP}\a.mp4", rf"\\?\C:\{DEEP}\a.mp4"),
        (rf"C:/{DEEP}/../a.mp4", rf"\\?\C:\{DEEP.rpartition(chr(92))[0]}\a.mp4"),
        (rf"\\server\share\{DEEP}\a.mp4", rf"\\?\UNC\server\share\{DEEP}\a.mp4"),
        (r"\\server\share\a.mp4", r"\\server\share\a.mp4"),
        (rf"\\?\C:\{DEEP}\a.mp4", rf"\\?\C:\{DEEP}\a.mp4"),
        (rf"\\.\C:\{DEEP}", rf"\\.\C:\{DEEP}"),
        (rf"{DEEP}\a.mp4", rf"{DEEP}\a.mp4"),  # relative: made absolute before
    ],
)
def test_long_paths_get_the_form_that_windows_takes(path: str, expected: str) -> None:
    assert paths.extended(path) == expected
    assert paths.extended(expected) == expected
    assert PureWindowsPath(expected).name == PureWindowsPath(path).name


def test_no_entry_of_the_cache_comes_to_260_characters_without_it(tmp_path: Path) -> None:
    root = "C:\\" + "x" * (paths._LONG_FOR_WINDOWS - 4)
    assert paths.extended(root) == root
    store = EmbeddingStore(tmp_path)
    key = EmbeddingKey("f" * 32, "e" * 16, "23.976/1")
    entry = store._folder(key).name
    partial = atomic.begin(tmp_path / "features.f16")
    assert len(f"{root}\\{entry}\\{partial.name}") < 260


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    r"""A folder whose path the system refuses, but for the form that ``extended`` gives it."""
    plain, real = tmp_path / "plain" / "far", tmp_path / "extended"
    real.mkdir()

    def extended(path: str) -> str:
        return path.replace(str(plain), str(real), 1)

    monkeypatch.setattr(paths, "_IS_WINDOWS", True)
    monkeypatch.setattr(paths, "extended", extended)
    return plain


def test_recordings_at_long_paths_are_opened_shown_watched_and_embedded(
    far: Path, tmp_path: Path
) -> None:
    make_video(tmp_path / "extended" / "a.mp4", frames=30)
    recording = open_recording(far / "a.mp4", provisional=True)
    assert recording.path == far / "a.mp4"  # what people see is the path they know
    assert not any("announces" in problem for problem in recording.info.problems)
    with FrameReader(recording) as reader:
        assert reader.frame_at(7).index == 7
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cpu")
    store = EmbeddingStore(far / "cache")
    embeddings = embed_recording(recording, encoder, store=store)
    assert store.load(embeddings.key) is not None
    write_png(far / "still.png", draw_frame(5, (64, 48)))
    assert read_image(far / "still.png").shape == (48, 64, 3)
    make_video(tmp_path / "extended" / "a.mp4", frames=20, numbers=range(50, 70))
    with pytest.raises(module.UnreadableMediaError, match="was replaced"):
        FileWatch(recording).check()
    assert not far.exists()


def test_projects_and_labels_at_long_paths_are_kept(far: Path, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "extended" / "a.mp4", frames=10)
    size = clip.stat().st_size
    media = Media(id="a", path=str(far / "a.mp4"), size=size)
    project = Project(recordings=(media,), reference="a")
    path = far / "p.carl"
    lock = ProjectLock(path)
    assert lock.acquire() is None
    assert is_open_somewhere(path)
    for _ in range(3):
        files.write_project(path, project)
    assert files.read_project(path) == project
    assert missing(project) == ()
    beside = files.autosave_path(path, tmp_path)
    files.write_autosave(beside, project, path)
    lock.release()
    assert not is_open_somewhere(path)
    assert {p.name for p in (tmp_path / "extended").iterdir()} == {
        "a.mp4", "p.carl", "p.carl.1", "p.carl.2", ".p.carl.autosave",
    }  # fmt: skip
    files.drop_autosave(beside)
    assert len(read_labels(write_labels(far / "l.csv", [Label("", "x", 1.0, 2.0)]))) == 1
    assert not far.exists()


# Names ------------------------------------------------------------------------------------------


def test_a_project_of_windows_is_understood_elsewhere(tmp_path: Path) -> None:
    for name in ("one/Top.MP4", "two/b.mp4"):
        path = tmp_path / "disk" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    wanted = (
        Media(id="a", path=r"D:\golf\one\Top.MP4"),
        Media(id="b", path=r"D:\golf\two\b.mp4"),
        Media(id="c", path=r"\\server\golf\two\b.mp4"),
    )
    found = find_in(tmp_path / "disk" / "one", wanted)
    assert list(found) == ["a"]
    more = moved_along(wanted, found)
    assert {key: one.media.path for key, one in more.items()} == {
        "b": str(tmp_path / "disk/two/b.mp4")
    }
    assert paths.parts_of("/videos/a\\b.mp4").name == "a\\b.mp4"  # a name elsewhere


@pytest.mark.parametrize("is_windows", [False, True])
def test_names_differ_by_letters_only_where_the_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_windows: bool
) -> None:
    (tmp_path / "TOP.mp4").write_text("x")
    wanted = (Media(id="a", path="/gone/Top.MP4"),)
    if is_windows:
        monkeypatch.setattr(os.path, "normcase", ntpath.normcase)
    assert list(find_in(tmp_path, wanted)) == (["a"] if is_windows else [])


@pytest.mark.parametrize("name", ["CON", "nul", "aux.txt", "COM1.mp4", "a.", "b ", "a:b", "..."])
def test_names_that_windows_does_not_take_stay_out_of_ours(name: str) -> None:
    """What names files here is never a name of a user alone, nor of a stranger's file."""
    for own in (
        files.autosave_path(None, Path("x"), 5).name,
        f"{PureWindowsPath(name).stem}-aligned.mp4",
        f"{PureWindowsPath(name).stem}-1-labels.csv",
    ):
        told = PureWindowsPath(own)
        assert told.drive == ""
        assert told.stem.upper() not in {"CON", "NUL", "AUX", "COM1"}
        assert not own.endswith((".", " "))
        assert ":" not in own
    with pytest.raises(ValueError, match="cannot be part"):
        EmbeddingStore._folder(
            types.SimpleNamespace(root=Path("x")),
            EmbeddingKey(  # type: ignore[arg-type]
                "f" * 32, f"x:{name}", "native"
            ),
        )


# Files that others have open ---------------------------------------------------------------------


class Busy:
    """``os.replace`` where somebody looks at the target for a while."""

    def __init__(self, times: int, number: int = errno.EACCES) -> None:
        self.left, self.number, self.real = times, number, os.replace

    def __call__(self, source: Any, target: Any, **options: Any) -> None:
        if self.left > 0:
            self.left -= 1
            raise OSError(self.number, os.strerror(self.number), os.fspath(target))
        self.real(source, target, **options)


def test_a_file_that_is_looked_at_for_a_moment_is_replaced_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(atomic, "_IS_WINDOWS", True)
    monkeypatch.setattr(atomic.time, "sleep", waited.append)
    path = tmp_path / "p.carl"
    path.write_text("before")
    monkeypatch.setattr(os, "replace", Busy(3))
    atomic.write_atomic(path, "after")
    assert path.read_text() == "after"
    assert len(waited) == 3
    monkeypatch.setattr(os, "replace", Busy(100))
    with pytest.raises(PermissionError):
        atomic.write_atomic(path, "later")
    assert path.read_text() == "after"
    assert [p.name for p in tmp_path.iterdir()] == ["p.carl"]
    assert sum(waited) < 2  # nobody waits long for what is not let go of


@pytest.mark.parametrize(
    ("is_windows", "number"), [(False, errno.EACCES), (True, errno.ENOSPC), (True, errno.EROFS)]
)
def test_other_refusals_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_windows: bool, number: int
) -> None:
    monkeypatch.setattr(atomic, "_IS_WINDOWS", is_windows)
    monkeypatch.setattr(atomic.time, "sleep", lambda _s: pytest.fail("it waited"))
    monkeypatch.setattr(os, "replace", Busy(1, number))
    with pytest.raises(OSError, match=os.strerror(number)):
        atomic.write_atomic(tmp_path / "a", "x")


# Locks -------------------------------------------------------------------------------------------


@pytest.fixture
def windows_locks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``carl_core.embeddings.locks`` as Windows loads it, on a stand-in for ``msvcrt``.

    As there, a byte at the place of the descriptor is locked, another descriptor is refused, and
    what is not locked cannot be unlocked.
    """
    held: dict[tuple[int, int], int] = {}

    def locking(descriptor: int, mode: int, count: int) -> None:
        place = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
        assert count == 1
        if mode == fake.LK_NBLCK:
            if place in held:
                raise OSError(errno.EACCES, "Permission denied")
            held[place] = descriptor
        elif held.pop(place, None) != descriptor:
            raise OSError(errno.EACCES, "Permission denied")

    fake = types.SimpleNamespace(LK_NBLCK=2, LK_UNLCK=0, locking=locking)
    monkeypatch.setitem(sys.modules, "msvcrt", fake)  # type: ignore[arg-type]
    spec = importlib.util.spec_from_file_location("windows_locks", locks.__file__)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        spec.loader.exec_module(loaded)
    return loaded


def test_locks_of_windows_exclude_each_other_and_are_given_back(
    windows_locks: Any, tmp_path: Path
) -> None:
    make: Callable[[Path], locks.FileLock] = windows_locks.FileLock
    one, other = make(tmp_path / "lock"), make(tmp_path / "lock")
    for _ in range(3):
        assert one.acquire()
        assert one.is_current()
        one.write("process 5")
        assert not other.acquire()
        one.release()
        assert other.acquire()
        other.release()


def test_a_lock_file_that_cannot_be_removed_while_open_goes_afterwards(
    windows_locks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = windows_locks.FileLock(tmp_path / "lock")
    real = os.unlink

    def unlinking(path: Any, **options: Any) -> None:
        if lock.is_held:
            raise PermissionError(errno.EACCES, "in use", os.fspath(path))
        real(path, **options)

    monkeypatch.setattr(os, "unlink", unlinking)
    monkeypatch.setattr(windows_locks, "_IS_WINDOWS", True)
    assert lock.acquire()
    lock.discard()
    assert not (tmp_path / "lock").exists()
    lock.discard()
