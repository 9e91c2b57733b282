from __future__ import annotations

import os
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.embeddings.locks import FileLock
from carl_core.errors import Cancelled
from carl_core.progress import Monitor, Progress
from carl_core.retrieval.everywhere import search_library
from carl_core.retrieval.library import Library
from carl_core.retrieval.retriever import Query, Retriever
from carl_core.retrieval.segment import Segment
from tests.retrieval.test_retriever import walk

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "m" * 16


def recording(name: str, vectors: np.ndarray, sampling: str = "10/1") -> Embeddings:
    count = len(vectors)
    key = EmbeddingKey(name * 32, MODEL, sampling)
    return Embeddings(key, np.arange(count) * 3, np.arange(count) / 10, vectors)


def many(count: int, length: int = 300, dim: int = 48) -> list[Embeddings]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [recording(letters[n], walk(length + 7 * n, n, dim)) for n in range(count)]


def brute(recordings: list[Embeddings], query: np.ndarray, k: int) -> list[float]:
    return sorted(np.concatenate([r.vectors @ query for r in recordings]), reverse=True)[:k]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path, MODEL)


def test_the_nearest_samples_are_exactly_those_of_looking_at_all(library: Library) -> None:
    recordings = many(8)
    for one in recordings:
        assert library.add([one]) == 1
    assert (library.recordings, library.frames) == (8, sum(map(len, recordings)))
    own = {r.key.fingerprint: r for r in recordings}
    for query in (*walk(20, 99, 48), recordings[3].vectors[50]):
        found = library.nearest(query, 10)
        np.testing.assert_allclose([f[0] for f in found], brute(recordings, query, 10), atol=1e-6)
        for score, name, sample in found:
            assert own[name].vectors[sample] @ query == pytest.approx(score, abs=1e-5)


def test_it_survives_restarts_and_grows_and_stays_in_few_segments(tmp_path: Path) -> None:
    for number, one in enumerate(many(12)):
        Library(tmp_path, MODEL).add([one])
        assert Library(tmp_path, MODEL).recordings == number + 1
    sizes = [len(segment) for segment, _ in Library(tmp_path, MODEL).segments()]
    assert all(a >= 2 * b for a, b in pairwise(sizes))
    folders = list((tmp_path / MODEL).glob("segment-*"))
    assert len(folders) == len(sizes)


@pytest.mark.parametrize("length", [1, 12])
def test_a_search_finds_what_searching_all_recordings_finds(library: Library, length: int) -> None:
    recordings = many(14)
    library.add(recordings)
    everything = Retriever({r.key.fingerprint: r for r in recordings})
    query = Query(recordings[5].vectors[100 : 100 + length])
    expected = everything.search(query, k=3)
    found = search_library(library, query, k=3)
    assert [(h.fingerprint, h.frame) for h in found.hits] == [
        (h.recording, h.frame) for h in expected.hits
    ]
    assert [h.score for h in found.hits] == pytest.approx([h.score for h in expected.hits])
    assert found.convincing
    assert found.is_exact == (length == 1)
    assert (found.recordings, found.frames) == (14, library.frames)


def test_moments_like_what_is_not_meant_are_no_hits(library: Library) -> None:
    recordings = many(6)
    library.add(recordings)
    wanted, unwanted = recordings[2].vectors[60:61], recordings[2].vectors[60:61]
    found = search_library(library, Query(wanted, unlike=unwanted), k=3)
    everything = Retriever({r.key.fingerprint: r for r in recordings})
    expected = everything.search(Query(wanted, unlike=unwanted), k=3)
    assert [h.frame for h in found.hits] == [h.frame for h in expected.hits]


def test_several_queries_at_once_are_bounded_as_one_by_one(library: Library) -> None:
    library.add(many(9, 1500))
    ((segment, _),) = library.segments()
    queries = walk(12, 5, 48)
    together = segment.best_of_parts(queries)
    for number, query in enumerate(queries):
        alone = segment.best_of_parts(query[None])
        for both, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(both[number], one[0], atol=1e-5)
        best = [
            float((segment.vectors[part.start : part.stop] @ query).max()) for part in segment.parts
        ]
        assert (together[0][number] <= best).all()
        assert (together[1][number] >= best).all()


def test_a_forgotten_recording_is_gone_from_the_disk(library: Library) -> None:
    recordings = many(4)
    library.add(recordings)
    secret = recordings[1].vectors[7].tobytes()
    files = [f for f in library.folder.rglob("vectors.f32") if secret in f.read_bytes()]
    assert files
    library.forget([recordings[1].key.fingerprint])
    assert library.recordings == 3
    assert not any(secret in f.read_bytes() for f in library.folder.rglob("vectors.f32"))
    left = [r for r in recordings if r is not recordings[1]]
    query = walk(1, 3, 48)[0]
    found = library.nearest(query, 5)
    np.testing.assert_allclose([f[0] for f in found], brute(left, query, 5), atol=1e-6)


def test_a_denser_sampling_replaces_the_coarse_one(library: Library) -> None:
    coarse, dense = walk(40, 1, 48), walk(400, 2, 48)
    library.add([recording("a", coarse, "1/1")])
    library.add([recording("a", dense)])
    assert (library.recordings, library.frames) == (1, 400)


def test_what_a_killed_writer_left_counts_for_nothing_and_is_removed(library: Library) -> None:
    library.add(many(2))
    (segment,) = library.folder.glob("segment-*")
    shutil.copytree(segment, library.folder / "segment-7")
    (library.folder / "segment-8.part").mkdir()
    assert library.recordings == 2
    library.add([recording("z", walk(50, 9, 48))])
    assert library.recordings == 3
    assert not (library.folder / "segment-8.part").exists()
    assert not (library.folder / "segment-7").exists()


def test_a_damaged_segment_is_left_out_with_a_word(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    library.add(many(2))
    (codes,) = library.folder.rglob("codes.i8")
    codes.write_bytes(codes.read_bytes()[:-5])
    again = Library(library.folder.parent, MODEL)
    assert again.segments() == ()
    assert "damaged" in caplog.text
    caplog.clear()
    again.add(many(2))
    assert len(again.nearest(walk(1, 1, 48)[0], 5)) == 5
    caplog.clear()


def flip(path: Path) -> None:
    """Change one bit in the middle, and nothing else of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 64
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["vectors.f32", "errors.f32", "frames.i64"])
def test_a_segment_in_which_a_bit_changed_is_left_out(
    library: Library, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    library.add(many(2))
    (file,) = library.folder.rglob(name)
    flip(file)
    again = Library(library.folder.parent, MODEL)
    assert again.segments() == ()
    assert f"{name} is not what was written" in caplog.text
    again.add(many(2))
    assert again.recordings == 2
    caplog.clear()


def test_cells_in_which_a_bit_changed_are_done_without_and_built_anew(
    library: Library, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("carl_core.retrieval.library.CELLS_FROM", 1)
    library.add(many(3))
    assert library.build(least=1)
    query = walk(1, 1, 48)[0]
    before = library.nearest(query, 5, exactly=True)
    for name in ("rows.i32", "offsets.i64"):
        (file,) = library.folder.rglob(f"cells/{name}")
        flip(file)
        again = Library(library.folder.parent, MODEL)
        assert again.nearest(query, 5) == before  # all rows are looked at
        assert " are damaged" in caplog.text
        assert again.wants_cells
        assert again.build(least=1)
        assert not again.wants_cells
        caplog.clear()


def test_a_library_that_was_only_copied_is_whole(library: Library) -> None:
    library.add(many(2))
    for file in library.folder.rglob("*.f32"):
        file.touch()  # another time of change, the same content
    assert Library(library.folder.parent, MODEL).segments() != ()


def test_one_process_writes_at_a_time(library: Library) -> None:
    library.add(many(1))
    lock = FileLock(library.folder / ".lock")
    assert lock.acquire()
    assert library.add([recording("q", walk(30, 1, 48))]) == 0
    assert len(library.nearest(walk(1, 1, 48)[0], 5)) == 5
    lock.release()
    assert library.add([recording("q", walk(30, 1, 48))]) == 1


def test_cancelling_leaves_what_was_there(library: Library) -> None:
    library.add(many(1))
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        library.add(many(3), monitor)
    assert library.recordings == 1
    with pytest.raises(Cancelled):
        library.build(monitor, least=1)
    assert library.cells == ()
    assert [f.name for f in library.folder.rglob("*.part")] in ([], ["cells.part"])


def clustered(count: int, seed: int, dim: int = 48) -> np.ndarray:
    centres = np.random.default_rng(0).normal(size=(60, dim))
    chance = np.random.default_rng(seed)
    rows = centres[chance.integers(60, size=count)] + 0.5 * chance.normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_cells_find_nearly_all_and_rank_by_true_scores(library: Library) -> None:
    recordings = [recording(letter, clustered(4000, n)) for n, letter in enumerate("abcde")]
    library.add(recordings)
    assert library.build(least=1)
    (meta,) = library.cells
    assert meta.recall >= 0.99
    assert meta.probes < meta.count
    again = Library(library.folder.parent, MODEL)
    shares = []
    for query in clustered(40, 77):
        exact, found = again.nearest(query, 10, exactly=True), again.nearest(query, 10)
        shares.append(len({e[1:] for e in exact} & {f[1:] for f in found}) / 10)
        own = {r.key.fingerprint: r for r in recordings}
        for score, name, sample in found:
            assert own[name].vectors[sample] @ query == pytest.approx(score, abs=1e-5)
    assert np.mean(shares) >= 0.97
    result = search_library(again, Query(clustered(1, 5)), k=3)
    assert not result.is_exact
    assert len(result.hits) == 3
    again.add([recording("f", clustered(100, 9))])  # beside the cells, looked at as a whole
    assert len(again.cells) == 1
    assert again.nearest(recordings[0].vectors[0], 1)[0][0] == pytest.approx(1.0, abs=1e-5)


def test_cells_that_were_interrupted_are_built_on_where_they_stopped(tmp_path: Path) -> None:
    rows = [recording(letter, clustered(30_000, n)) for n, letter in enumerate("ab")]
    whole, broken = Library(tmp_path / "whole", MODEL), Library(tmp_path / "broken", MODEL)
    seen: list[Progress] = []
    stopping = Monitor(lambda p: (seen.append(p), stop_after_half(p)), interval_s=0)

    def stop_after_half(progress: Progress) -> None:
        if progress.stage == "sorting into cells" and progress.done > progress.total / 2:
            stopping.cancel()

    for library in (whole, broken):
        library.add(rows)
    whole.build(least=1)
    with pytest.raises(Cancelled):
        broken.build(stopping, least=1)
    assert seen[-1].rate > 0
    assert seen[-1].remaining_s is not None
    assert Library(broken.folder.parent, MODEL).nearest(rows[0].vectors[5], 1)[0][2] == 5
    again: list[Progress] = []
    broken = Library(broken.folder.parent, MODEL)
    assert broken.build(Monitor(again.append, interval_s=0), least=1)
    assert "learning cells" not in {p.stage for p in again}
    assert next(p.done for p in again if p.stage == "sorting into cells") > 20_000
    for name in ("rows.i32", "offsets.i64", "codes.i8", "centres.f32"):
        one, other = (next(lib.folder.rglob(f"cells/{name}")) for lib in (whole, broken))
        assert one.read_bytes() == other.read_bytes()
    assert not list(broken.folder.rglob("cell_of.i32"))
    assert whole.cells == broken.cells


def test_best_scores_are_kept_beside_what_does_not_change(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = many(3)
    library.add(recordings)
    queries = walk(20, 5, 48)
    right = np.concatenate([r.vectors for r in recordings]) @ queries.T
    best = library.best_scores(queries)
    np.testing.assert_allclose(best, right.max(axis=0), atol=0.01)
    counted: list[int] = []
    among_all = Segment.best_of_parts

    def count(segment: Segment, *rest: object) -> object:
        counted.append(len(segment))
        return among_all(segment, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Segment, "best_of_parts", count)
    again = Library(library.folder.parent, MODEL)
    np.testing.assert_array_equal(again.best_scores(queries), best)
    assert counted == []
    again.add([recording("z", walk(40, 9, 48))])  # a segment of its own: only that is new
    again.best_scores(queries)
    assert counted == [40]
    stopped = Monitor()
    stopped.cancel()
    with pytest.raises(Cancelled):
        again.best_scores(queries[:12], stopped)


def test_above_its_limit_what_was_used_longest_ago_goes(tmp_path: Path) -> None:
    recordings = many(6)
    library = Library(tmp_path, MODEL)
    for age, one in enumerate(recordings):
        library.catalogue.note(tmp_path / f"{age}.mp4", one.key, len(one))
        (note,) = (library.folder / "recordings").glob(f"{one.key.fingerprint}-*")
        os.utime(note, (age + 1, age + 1))
        library.add([one])
    library.catalogue.note(tmp_path / "0.mp4", recordings[0].key, len(recordings[0]))  # used again
    limit = int(0.8 * library.size_bytes)
    small = Library(tmp_path, MODEL, limit_bytes=limit)
    newest = recording("z", walk(300, 99, 48))
    small.catalogue.note(tmp_path / "z.mp4", newest.key, len(newest))
    small.add([newest])
    assert small.size_bytes <= limit
    left = {part.fingerprint[0] for segment, _ in small.segments() for part in segment.parts}
    assert {"a", "z"} <= left
    assert left == set("afz") | (left & set("cde"))
    assert {one.key.fingerprint[0] for one in small.catalogue.all()} == left
    found = small.nearest(newest.vectors[3], 1)
    assert found[0][1:] == (newest.key.fingerprint, 3)


def test_an_empty_library_says_so(library: Library) -> None:
    found = search_library(library, Query(walk(1, 1)))
    assert found.hits == ()
    assert "empty" in found.reason
