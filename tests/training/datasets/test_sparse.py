"""Pictures decoded when asked for: those of a whole decode, from any thread, in little memory."""

from __future__ import annotations

import gc
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.errors import UnreadableMediaError
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import make_video
from tests.training.datasets.material import write_video
from training.datasets.sparse import ReaderPool, SparseFrames

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.arrays import UInt8
    from carl_core.video.display import Fit

COUNT = 60


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("sparse") / "a.mp4", frames=COUNT, gop=12, bframes=2)


def whole(path: Path, size: tuple[int, int], fit: Fit = "squash") -> UInt8:
    recording = open_recording(path)
    with FrameReader(recording, size=size, fit=fit) as reader:
        return np.stack([frame.pixels for frame in reader.frames_at(range(len(recording.index)))])


def sparse(
    path: Path,
    size: tuple[int, int] = (160, 120),
    fit: Fit = "squash",
    pool: ReaderPool | None = None,
) -> SparseFrames:
    chosen = np.arange(COUNT, dtype=np.int64)
    return SparseFrames(path, chosen, size=size, fit=fit, pool=pool or ReaderPool())


@pytest.mark.parametrize("fit", ["squash", "letterbox", "crop"])
@pytest.mark.parametrize("size", [(160, 120), (64, 64)])
def test_pictures_equal_those_of_a_whole_decode(
    video: Path, size: tuple[int, int], fit: Fit
) -> None:
    expected = whole(video, size, fit)
    frames = sparse(video, size, fit)
    assert frames.shape == (COUNT, size[1], size[0], 3)
    assert len(frames) == COUNT
    rng = np.random.default_rng(3)
    for _ in range(4):  # later ones go back to the beginning with the reader of the one before
        numbers = np.sort(rng.integers(0, COUNT, 7))
        assert (frames[numbers] == expected[numbers]).all()
    every = frames[np.arange(COUNT)]
    assert (every == expected).all()


def test_it_is_indexed_as_an_array(video: Path) -> None:
    expected = whole(video, (160, 120))
    frames = sparse(video)
    for index in ([30, 2, 2, 59], [], slice(50, None, 3), -1, 4):
        place = np.array(index, dtype=np.int64) if isinstance(index, list) else index
        assert frames[place].shape == expected[place].shape
        assert (frames[place] == expected[place]).all()
    assert frames[np.array([1])].dtype == np.uint8
    for wrong in (np.array([COUNT]), np.array([-COUNT - 1])):
        with pytest.raises(IndexError):
            frames[wrong]


def test_only_chosen_frames_count(video: Path) -> None:
    chosen = np.array([3, 10, 40], dtype=np.int64)
    frames = SparseFrames(video, chosen, size=(160, 120), fit="squash", pool=ReaderPool())
    assert len(frames) == 3
    assert (frames[np.arange(3)] == whole(video, (160, 120))[chosen]).all()


def test_threads_share_clips_and_a_pool(tmp_path: Path) -> None:
    pool = ReaderPool(2)
    paths = [write_video(tmp_path / f"{n}.mp4", frames=20, seed=n) for n in range(4)]
    expected = [whole(path, (32, 24)) for path in paths]
    clips = [
        SparseFrames(path, np.arange(20), size=(32, 24), fit="squash", pool=pool) for path in paths
    ]

    def right(task: int) -> bool:
        rng = np.random.default_rng(task)
        clip = int(rng.integers(4))
        numbers = np.sort(rng.integers(0, 20, 5))
        return bool((clips[clip][numbers] == expected[clip][numbers]).all())

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(right, range(80)))
    assert 1 <= pool.idle <= 2
    pool.close()
    assert pool.idle == 0
    assert right(0)


def test_memory_is_that_of_the_pictures_asked_for(video: Path) -> None:
    frames = sparse(video, (320, 240))
    numbers = np.array([5, 20, 50])
    frames[numbers]  # opens the reader
    tracemalloc.start()
    try:
        pictures = frames[numbers]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    picture = 320 * 240 * 3
    assert pictures.nbytes == 3 * picture
    assert peak < pictures.nbytes + 3 * picture  # NumPy's share: result and one picture under way
    assert frames.nbytes == COUNT * picture


def test_a_lost_file_is_a_clear_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    frames = SparseFrames(path, np.arange(12), size=(32, 24), fit="squash", pool=ReaderPool())
    path.unlink()
    with pytest.raises(UnreadableMediaError, match=r"a\.mp4"):
        frames[np.array([0])]


def test_a_data_set_that_is_let_go_of_closes_its_files(video: Path) -> None:
    pool = ReaderPool()
    reader = FrameReader(open_recording(video), size=(160, 120), threads=1)
    pool.give(1, reader)
    closed: list[bool] = []
    reader.close = lambda: closed.append(True)  # type: ignore[method-assign]
    del pool
    gc.collect()
    assert closed == [True]
    FrameReader.close(reader)
