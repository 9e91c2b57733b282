"""Cells are built beside everything else: nothing waits for a build, and nothing is half-built."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from carl_core.embeddings.embeddings import EmbeddingKey
from carl_core.embeddings.locks import FileLock
from carl_core.errors import Cancelled, StoreError
from carl_core.progress import Monitor, Progress
from carl_core.retrieval.library import Library
from tests.retrieval.test_library import MODEL, clustered, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STAGES = ("learning cells", "sorting into cells", "writing cells", "measuring the recall")
ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0


class Build:
    """A build in a thread that stops when it comes to a stage, until it may go on."""

    def __init__(self, library: Library, stage: str) -> None:
        self._stage = stage
        self._is_there, self._may_go = threading.Event(), threading.Event()
        self.stages: list[str] = []
        self.ended: object = None
        self.monitor = Monitor(self._told, interval_s=0)
        self._thread = threading.Thread(target=self._run, args=(library,))
        self._thread.start()
        assert self._is_there.wait(WAIT_S)

    @property
    def begun(self) -> int:
        """How often it began to build cells of a segment."""
        return [stage for stage, _ in groupby(self.stages)].count("learning cells")

    def go_on(self) -> None:
        self._may_go.set()

    def finish(self) -> object:
        """Let it go on; return what it returned or raised."""
        self.go_on()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        return self.ended

    def _run(self, library: Library) -> None:
        try:
            self.ended = library.build(self.monitor, least=1000)
        except (StoreError, Cancelled) as error:
            self.ended = error

    def _told(self, progress: Progress) -> None:
        self.stages.append(progress.stage)
        if progress.stage == self._stage:
            self._is_there.set()
            self._may_go.wait(WAIT_S)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[str], Build]]:
    begun: list[Build] = []

    def start(stage: str) -> Build:
        begun.append(Build(Library(tmp_path, MODEL), stage))
        return begun[-1]

    yield start
    for build in begun:
        build.monitor.cancel()
        build.finish()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Three recordings of one segment; the lengths make its rows another number than its codes."""
    library = Library(tmp_path, MODEL)
    library.add(recording(letter, clustered(3000, n)) for n, letter in enumerate("abc"))
    return library


def names(library: Library) -> set[str]:
    return {part.fingerprint[0] for segment, _ in library.segments() for part in segment.parts}


def holding(folder: Path, secrets: list[bytes]) -> list[Path]:
    """Files in which one of these runs of bytes lies."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file for file in files if any(secret in file.read_bytes() for secret in secrets)]


def check_whole(library: Library) -> None:
    """Every large segment has cells that are whole, and nothing else lies about."""
    opened = Library(library.folder.parent, MODEL).segments()
    assert all(cells is not None for segment, cells in opened if len(segment) >= 1000)
    assert {f.name for f in library.folder.glob("segment-*")} == {s.folder.name for s, _ in opened}
    assert not list(library.folder.rglob("*.part"))
    assert not list(library.folder.rglob("cell_of.i32"))
    assert library.building is None


@pytest.mark.parametrize("stage", STAGES)
def test_recordings_are_taken_in_while_cells_are_built(
    library: Library, begin: Callable[[str], Build], stage: str
) -> None:
    build = begin(stage)
    new = recording("n", clustered(100, 9))
    assert library.add([new]) == 1
    assert names(library) == set("abcn")
    assert library.nearest(new.vectors[40], 1)[0][1:] == (new.key.fingerprint, 40)
    assert library.building is not None
    assert build.finish() is True
    assert names(library) == set("abcn")
    assert build.begun == 1
    check_whole(library)


@pytest.mark.parametrize("stage", STAGES)
def test_a_recording_forgotten_while_cells_are_built_is_gone_at_once_and_for_good(
    library: Library, begin: Callable[[str], Build], stage: str
) -> None:
    ((segment, _),) = library.segments()
    part = segment.parts[1]
    rows = range(part.start, part.stop, 100)
    secrets = [segment.array(n)[row].tobytes() for row in rows for n in ("vectors.f32", "codes.i8")]
    assert holding(library.folder, secrets)
    build = begin(stage)
    library.forget([part.fingerprint])
    assert holding(library.folder, secrets) == []
    assert build.finish() is True
    assert holding(library.folder, secrets) == []
    assert names(library) == set("ac")
    check_whole(library)  # what is left of the segment got cells of its own
    assert len(library.cells) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_a_library_cleared_while_cells_are_built_stays_empty(
    library: Library, begin: Callable[[str], Build], stage: str
) -> None:
    build = begin(stage)
    library.clear()
    assert not list(library.folder.glob("segment-*"))
    assert build.finish() is True
    assert library.recordings == 0
    assert not list(library.folder.glob("segment-*"))
    check_whole(library)


def test_cells_of_a_segment_that_was_merged_meanwhile_are_thrown_away(
    library: Library, begin: Callable[[str], Build]
) -> None:
    build = begin("writing cells")
    before = list(library.folder.glob("segment-*"))
    library.add(recording(letter, clustered(3000, n)) for n, letter in enumerate("xyz"))
    assert not any(folder.exists() for folder in before)
    assert build.finish() is True
    assert names(library) == set("abcxyz")
    assert build.begun == 2
    check_whole(library)


@pytest.mark.parametrize("stage", STAGES)
def test_where_open_files_cannot_be_removed_the_builder_removes_them(
    library: Library, begin: Callable[[str], Build], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: what somebody has open is neither renamed nor removed."""
    ((segment, _),) = library.segments()
    before, is_open = segment.folder, threading.Event()
    rename, remove = Path.replace, shutil.rmtree

    def renamed(path: Path, target: Path) -> Path:
        if is_open.is_set() and path == before:
            raise PermissionError("it is open")
        return rename(path, target)

    def removed(path: Path, **options: bool) -> None:
        if not (is_open.is_set() and path == before):
            remove(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "replace", renamed)
    monkeypatch.setattr(shutil, "rmtree", removed)
    build = begin(stage)
    is_open.set()
    library.forget([segment.parts[1].fingerprint])
    assert before.exists()
    assert names(library) == set("ac")
    is_open.clear()
    assert build.finish() is True
    assert not before.exists()
    check_whole(library)


def test_a_build_that_is_done_waits_for_who_is_writing(
    library: Library, begin: Callable[[str], Build]
) -> None:
    build = begin("measuring the recall")
    lock = FileLock(library.folder / ".lock")
    assert lock.acquire()
    build.go_on()
    until = threading.Event()
    while "waiting for another process" not in build.stages:
        until.wait(0.01)
    assert library.cells == ()
    lock.release()
    assert build.finish() is True
    check_whole(library)


def test_one_process_builds_at_a_time(library: Library, begin: Callable[[str], Build]) -> None:
    build = begin("sorting into cells")
    seen: list[Progress] = []
    assert Library(library.folder.parent, MODEL).build(Monitor(seen.append), least=1000) is False
    assert seen == []
    command = [sys.executable, "-c", BUILDING, str(library.folder.parent), ""]
    other = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=WAIT_S)
    assert other.stdout.split("\n")[-2] == "False", other.stderr
    assert build.finish() is True
    check_whole(library)
    assert library.build(least=1000)


def test_what_could_not_be_forgotten_is_still_known(library: Library, tmp_path: Path) -> None:
    key = EmbeddingKey("a" * 32, MODEL, "10/1")
    library.catalogue.note(tmp_path / "a.mp4", key, 3000)
    lock = FileLock(library.folder / ".lock")
    assert lock.acquire()
    with pytest.raises(StoreError, match="Try again"):
        library.forget([key.fingerprint])
    lock.release()
    assert [known.key for known in library.catalogue.all()] == [key]
    library.forget([key.fingerprint])
    assert library.catalogue.all() == []
    assert names(library) == set("bc")


# Builds; says what it is at, and stands still at the stage it is told, until it is killed.
BUILDING = """
import sys, time
from pathlib import Path
from carl_core.progress import Monitor
from carl_core.retrieval import indexing
from carl_core.retrieval.library import Library
def told(progress):
    stand_at(progress.stage, progress.done)
def stand_at(stage, done):
    if stage == sys.argv[2] and done > 0:
        print("here", flush=True)
        time.sleep(600)
placed = indexing.place_cells
def place(folder):
    placed(folder)
    stand_at("placed", 1)
indexing.place_cells = place
library = Library(Path(sys.argv[1]), "m" * 16)
print(library.build(Monitor(told, interval_s=0), least=1000))
"""


def test_a_build_that_is_killed_again_and_again_ends_as_one_that_was_not(tmp_path: Path) -> None:
    rows = [recording(letter, clustered(9000, n)) for n, letter in enumerate("abc")]
    whole, killed = Library(tmp_path / "whole", MODEL), Library(tmp_path / "killed", MODEL)
    for one in (whole, killed):
        one.add(rows)
    assert whole.build(least=1000)
    for stage in ("sorting into cells", "writing cells", "measuring the recall", "placed"):
        command = [sys.executable, "-c", BUILDING, str(tmp_path / "killed"), stage]
        process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        assert killed.building is not None or stage == "placed"
        process.kill()
        process.communicate()
        assert killed.building is None  # although nobody took the file away
        assert Library(tmp_path / "killed", MODEL).nearest(rows[1].vectors[5], 1)[0][2] == 5
        assert killed.cells == ()
    assert killed.build(least=1000)
    assert killed.cells == whole.cells
    for name in ("rows.i32", "offsets.i64", "codes.i8", "centres.f32"):
        one, other = (next(lib.folder.rglob(f"cells/{name}")) for lib in (whole, killed))
        assert one.read_bytes() == other.read_bytes()
    check_whole(killed)
