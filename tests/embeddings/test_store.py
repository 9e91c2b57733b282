"""The store: whole chunks only, checked, limited, one writer."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.embeddings.embeddings import EmbeddingKey
from carl_core.embeddings.entry import to_stored
from carl_core.embeddings.store import EmbeddingStore, cache_folder
from carl_core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from carl_core.embeddings.writer import EntryWriter

REPOSITORY = Path(__file__).resolve().parents[2]
KEY = EmbeddingKey("f" * 32, "0123456789abcdef", "10/1")
C, D, N = 6, 4, 50
FRAMES = np.arange(N) * 3
PTS = FRAMES * 3000 + 17
TIMES_S = FRAMES / 30


def features_of(start: int, end: int) -> npt.NDArray[np.float16]:
    rows = np.random.default_rng(1).normal(size=(N, C)).astype(np.float32)
    return to_stored(rows[start:end])


def vectors() -> npt.NDArray[np.float32]:
    rows = np.random.default_rng(2).normal(size=(N, D)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def open_writer(store: EmbeddingStore, key: EmbeddingKey = KEY) -> EntryWriter:
    writer = store.open_writer(key, frames=FRAMES, pts=PTS, times_s=TIMES_S, channels=C, dim=D)
    assert writer is not None
    return writer


def fill(store: EmbeddingStore, key: EmbeddingKey = KEY, chunk: int = 20) -> Path:
    with open_writer(store, key) as writer:
        for start in range(writer.done, N, chunk):
            writer.append(features_of(start, min(start + chunk, N)))
        writer.finish([vectors()])
        return writer.folder


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store")


def test_what_was_stored_comes_back_exactly(store: EmbeddingStore) -> None:
    assert store.load(KEY) is None
    fill(store)
    embeddings = store.load(KEY)
    assert embeddings is not None
    assert embeddings.key == KEY
    np.testing.assert_array_equal(embeddings.vectors, vectors())
    np.testing.assert_array_equal(embeddings.frames, FRAMES)
    np.testing.assert_array_equal(embeddings.times_s, TIMES_S)


def test_the_files_are_the_raw_ones_of_the_design(store: EmbeddingStore) -> None:
    folder = fill(store)
    np.testing.assert_array_equal(
        np.fromfile(folder / "vectors.f32", "<f4").reshape(N, D), vectors()
    )
    np.testing.assert_array_equal(
        np.fromfile(folder / "features.f16", "<f2").reshape(N, C), features_of(0, N)
    )
    np.testing.assert_array_equal(np.fromfile(folder / "times.f64", "<f8"), TIMES_S)
    np.testing.assert_array_equal(np.fromfile(folder / "pts.i64", "<i8"), PTS)
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["frames"] == N
    lines = (folder / "chunks.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["20", "20", "10"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_folders_are_private(store: EmbeddingStore) -> None:
    folder = fill(store)
    for path in (store.root, folder):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_keys_do_not_share_entries(store: EmbeddingStore) -> None:
    fill(store)
    for other in (
        EmbeddingKey("e" * 32, KEY.model_id, KEY.sampling),
        EmbeddingKey(KEY.fingerprint, "f" * 16, KEY.sampling),
        EmbeddingKey(KEY.fingerprint, KEY.model_id, "native"),
    ):
        assert store.load(other) is None


def test_a_key_cannot_leave_the_folder(store: EmbeddingStore) -> None:
    with pytest.raises(ValueError, match="cannot be part"):
        store.load(EmbeddingKey("../../etc", "m", "native"))


def test_an_interrupted_entry_is_taken_up_after_its_whole_chunks(store: EmbeddingStore) -> None:
    with open_writer(store) as writer:
        writer.append(features_of(0, 20))
        with (writer.folder / "features.f16").open("ab") as stream:
            stream.write(b"half a chunk")
    assert store.load(KEY) is None
    with open_writer(store) as writer:
        assert writer.done == 20
        np.testing.assert_array_equal(writer.features()[:], features_of(0, 20))
        writer.append(features_of(20, N))
        np.testing.assert_array_equal(writer.features()[:], features_of(0, N))
        writer.finish([vectors()])
    assert store.load(KEY) is not None


def test_a_killed_process_loses_at_most_its_last_chunk(store: EmbeddingStore) -> None:
    program = (
        "import sys, os, signal; from pathlib import Path;"
        "from carl_core.embeddings.store import EmbeddingStore;"
        "from tests.embeddings.test_store import *;"
        "s = EmbeddingStore(Path(sys.argv[1])); w = open_writer(s);"
        "w.append(features_of(0, 20)); (w.folder / 'times.f64').open('ab').write(b'xyz');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(store.root)], cwd=REPOSITORY, check=False
    )
    assert done.returncode == -signal.SIGKILL
    with open_writer(store) as writer:
        assert writer.done == 20


def damage_flip(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / name).write_bytes(content)


def damage_cut(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-5])


def damage_remove(folder: Path, name: str) -> None:
    (folder / name).unlink()


@pytest.mark.parametrize("damage", [damage_flip, damage_cut, damage_remove])
@pytest.mark.parametrize(
    "name",
    [
        "features.f16",
        "vectors.f32",
        "times.f64",
        "pts.i64",
        "frames.i64",
        "chunks.txt",
        "meta.json",
    ],
)
def test_damage_is_noticed_logged_and_mended(
    store: EmbeddingStore,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path, str], None],
    name: str,
) -> None:
    folder = fill(store)
    damage(folder, name)
    with caplog.at_level(logging.WARNING, logger="carl.store"):
        assert store.load(KEY) is None
    if not (damage is damage_remove and name == "meta.json"):  # then there is no entry at all
        assert "damaged" in caplog.text
    fill(store)
    again = store.load(KEY)
    assert again is not None
    np.testing.assert_array_equal(again.vectors, vectors())


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "carl-embeddings"}', "\x00\xff", '"' + "[" * 50_000]
)
def test_any_bad_meta_is_damage(
    store: EmbeddingStore, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    folder = fill(store)
    (folder / "meta.json").write_bytes(text.encode("latin-1"))
    assert store.load(KEY) is None
    assert "damaged" in caplog.text


def test_whole_chunks_before_the_damage_are_kept(
    store: EmbeddingStore, caplog: pytest.LogCaptureFixture
) -> None:
    with open_writer(store) as writer:
        writer.append(features_of(0, 20))
        writer.append(features_of(20, 40))
        damage_cut(writer.folder, "features.f16")
    with open_writer(store) as writer:
        assert writer.done == 20
    assert "1 of 2 chunks" in caplog.text


def test_an_entry_of_other_frames_is_not_taken_up(
    store: EmbeddingStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Same key, other frames: the file was changed between the sampled blocks of its hash."""
    with open_writer(store) as writer:
        writer.append(features_of(0, 20))
    other = store.open_writer(
        KEY, frames=FRAMES + 1, pts=PTS + 3000, times_s=TIMES_S + 0.1, channels=C, dim=D
    )
    assert other is not None
    with other:
        assert other.done == 0
    assert "not those of the recording" in caplog.text


def test_one_writer_at_a_time_in_one_process(store: EmbeddingStore) -> None:
    with open_writer(store):
        second = EmbeddingStore(store.root).open_writer(
            KEY, frames=FRAMES, pts=PTS, times_s=TIMES_S, channels=C, dim=D
        )
        assert second is None
        assert store.clear() == 0
    open_writer(store).close()


def test_who_takes_up_what_another_has_just_finished_leaves_it_finished(
    store: EmbeddingStore,
) -> None:
    folder = fill(store)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with open_writer(store) as second:
        assert second.is_finished
        assert second.done == N
        assert store.is_finished(KEY)  # the one that finished may look at any time
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    (folder / "vectors.f32").write_bytes(b"\0" * 16)
    with open_writer(store) as third:  # its features are whole, its vectors are made again
        assert not third.is_finished
        assert third.done == N
        third.finish([vectors()])
    assert store.load(KEY) is not None


def test_one_writer_at_a_time_between_processes(store: EmbeddingStore) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from carl_core.embeddings.store import EmbeddingStore;"
        "from tests.embeddings.test_store import *;"
        "w = EmbeddingStore(Path(sys.argv[1])).open_writer("
        "KEY, frames=FRAMES, pts=PTS, times_s=TIMES_S, channels=C, dim=D);"
        "print('busy' if w is None else 'free')"
    )

    def ask() -> str:
        command = [sys.executable, "-c", program, str(store.root)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    with open_writer(store):
        assert ask() == "busy"
    assert ask() == "free"


def test_the_least_recently_used_goes_first(store: EmbeddingStore) -> None:
    keys = [EmbeddingKey(c * 32, KEY.model_id, KEY.sampling) for c in "abc"]
    for age, key in enumerate(keys):
        folder = fill(store, key)
        os.utime(folder / "meta.json", (1000 + age, 1000 + age))
    size = store.usage().size_bytes // 3
    assert store.load(keys[0]) is not None  # a was used last, b is the oldest now
    assert store.prune(2 * size + 10) >= size
    assert [store.load(key) is not None for key in keys] == [True, False, True]


def test_usage_and_clear(store: EmbeddingStore) -> None:
    folder = fill(store)
    usage = store.usage()
    expected = sum(file.stat().st_size for file in folder.iterdir())
    assert (usage.entries, usage.size_bytes) == (1, expected)
    assert store.clear() == expected
    assert store.usage().entries == 0


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "mine"))
    assert EmbeddingStore().root == tmp_path / "mine" / "embeddings"
    monkeypatch.delenv("CARL_CACHE")
    assert cache_folder().name == "carl"


def test_a_cache_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be written.*CARL_CACHE"):
        EmbeddingStore(tmp_path / "file" / "store")


def test_a_cache_that_vanishes_while_writing_is_said(store: EmbeddingStore) -> None:
    with open_writer(store) as writer:
        for file in writer.folder.iterdir():
            file.unlink()
        writer.folder.rmdir()
        with pytest.raises(StoreError, match="cannot be written"):
            writer.append(features_of(0, 20))


def test_features_are_clipped_to_what_float16_holds() -> None:
    rounded = to_stored(np.array([[1e9, -1e9, 0.1]], dtype=np.float32))
    assert np.isfinite(rounded).all()


LONG = 20_000
CHUNK = 50


def long_rows(start: int, end: int) -> npt.NDArray[np.float16]:
    """Features that say which frame they belong to."""
    rows = np.zeros((end - start, C), np.float16)
    numbers = np.arange(start, end)
    rows[:, 0], rows[:, 1] = numbers // 1000, numbers % 1000
    return rows


def open_long(store: EmbeddingStore) -> EntryWriter:
    frames = np.arange(LONG)
    writer = store.open_writer(
        KEY, frames=frames, pts=frames * 512, times_s=frames / 30, channels=C, dim=D
    )
    assert writer is not None
    return writer


def write_on(store: EmbeddingStore) -> None:
    """Take the entry up and append to it; tell what is stored, flushed line by line."""
    with open_long(store) as writer:
        print(writer.done, flush=True)
        for start in range(writer.done, LONG, CHUNK):
            writer.append(long_rows(start, start + CHUNK))
            print(writer.done, flush=True)
        writer.finish([np.full((LONG, D), 0.5, np.float32)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX processes")
def test_killed_fifty_times_at_random_it_loses_at_most_a_chunk_each_time(
    store: EmbeddingStore,
) -> None:
    rng = np.random.default_rng(7)
    told = 0
    kills = 0
    while kills < 50:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # the store alone: no thread of a library is needed in here
            os.dup2(writing, 1)
            os.close(reading)
            sys.stdout = os.fdopen(1, "w")
            write_on(store)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as lines:
            begun_with = int(lines.readline())
            # Everything it told of before it was killed is there, and at most the chunk it was at.
            assert told <= begun_with <= told + CHUNK
            told = begun_with
            time.sleep(rng.uniform(0, 0.004))
            os.kill(child, signal.SIGKILL)
            for line in lines:
                told = int(line)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            kills += 1
        elif told == LONG:  # it was faster than the kill: begin another
            store.clear()
            told = 0
    write_and_check(store)


def write_and_check(store: EmbeddingStore) -> None:
    with open_long(store) as writer:
        for start in range(writer.done, LONG, CHUNK):
            writer.append(long_rows(start, start + CHUNK))
        np.testing.assert_array_equal(writer.features()[:], long_rows(0, LONG))
        writer.finish([np.full((LONG, D), 0.5, np.float32)])
    embeddings = store.load(KEY)
    assert embeddings is not None
    np.testing.assert_array_equal(embeddings.frames, np.arange(LONG))
