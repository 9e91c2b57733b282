"""Compare our store of embeddings with a raw file, and with stores of others, in the same run.

``python -m benchmarks.store [FRAMES]``. Every row writes the same features (float16) and vectors
(float32) in the same chunks, opens them again and reads 1,000 random vectors. "ratio" is CPU time
(and wall time) over the raw file's, for reading over NumPy's memory map. Others write what they can
append to; h5py and zarr are left out where they are not installed. The store's folder itself is
opened once, as in the program; its entry is opened anew.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carl_core.embeddings.embeddings import EmbeddingKey
from carl_core.embeddings.entry import to_stored
from carl_core.embeddings.store import EmbeddingStore

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

CHANNELS, DIM, CHUNK = 512, 128, 1024
ROUNDS = 5
# In memory where there is such a folder: a disk is busy with what the row before has written.
PLACE = "/dev/shm" if Path("/dev/shm").is_dir() else None
ROWS = 1000
KEY = EmbeddingKey("f" * 32, "0" * 16, "10/1")


class Data:
    """What is written: the features and vectors of ``count`` frames."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        self.count = count
        self.features = to_stored(rng.standard_normal((CHUNK, CHANNELS), dtype=np.float32))
        vectors = rng.standard_normal((count, DIM), dtype=np.float32)
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.frames = np.arange(count)
        self.times_s = self.frames / 10
        self.rows = np.random.default_rng(1).integers(0, count, ROWS)

    def chunks(self) -> list[tuple[int, int]]:
        """Start and end of each chunk."""
        return [(start, min(start + CHUNK, self.count)) for start in range(0, self.count, CHUNK)]


def write_raw(folder: Path, data: Data) -> None:
    with (folder / "raw").open("wb") as stream:
        for start, end in data.chunks():
            stream.write(data.features[: end - start].data)
            stream.write(data.times_s[start:end].data)
            stream.write(data.frames[start:end].data)
            stream.write(data.frames[start:end].data)
            stream.flush()
    (folder / "vectors").write_bytes(data.vectors.data)


def read_raw(folder: Path, data: Data) -> npt.NDArray[np.float32]:
    return np.memmap(folder / "vectors", "<f4", "r", shape=(data.count, DIM))[data.rows]


def write_store(folder: Path, data: Data) -> None:
    writer = EmbeddingStore(folder).open_writer(
        KEY,
        frames=data.frames,
        pts=data.frames,
        times_s=data.times_s,
        channels=CHANNELS,
        dim=DIM,
    )
    assert writer is not None
    with writer:
        for start, end in data.chunks():
            writer.append(data.features[: end - start])
        writer.finish([data.vectors])


def read_store(store: EmbeddingStore, data: Data) -> npt.NDArray[np.float32]:
    embeddings = store.load(KEY)
    assert embeddings is not None
    return embeddings.vectors[data.rows]


def write_npy(folder: Path, data: Data) -> None:
    mapped = np.lib.format.open_memmap(folder / "f.npy", "w+", "<f2", (data.count, CHANNELS))
    for start, end in data.chunks():
        mapped[start:end] = data.features[: end - start]
    mapped.flush()
    np.save(folder / "v.npy", data.vectors)


def read_npy(folder: Path, data: Data) -> npt.NDArray[np.float32]:
    return np.load(folder / "v.npy", mmap_mode="r")[data.rows]


def write_h5py(folder: Path, data: Data) -> None:
    import h5py

    with h5py.File(folder / "h5", "w") as file:
        features = file.create_dataset(
            "f", (0, CHANNELS), "<f2", maxshape=(None, CHANNELS), chunks=(CHUNK, CHANNELS)
        )
        for start, end in data.chunks():
            features.resize(end, 0)
            features[start:end] = data.features[: end - start]
            file.flush()
        file.create_dataset("v", data=data.vectors, chunks=(CHUNK, DIM))


def read_h5py(folder: Path, data: Data) -> npt.NDArray[np.float32]:
    import h5py

    with h5py.File(folder / "h5", "r") as file:
        found: npt.NDArray[np.float32] = file["v"][np.unique(data.rows)]
    return found


def write_zarr(folder: Path, data: Data) -> None:
    import zarr

    features = zarr.create_array(
        store=folder / "f.zarr", shape=(0, CHANNELS), chunks=(CHUNK, CHANNELS), dtype="f2",
        compressors=None,
    )  # fmt: skip
    for start, end in data.chunks():
        features.append(data.features[: end - start])
    vectors = zarr.create_array(
        store=folder / "v.zarr", shape=data.vectors.shape, chunks=(CHUNK, DIM), dtype="f4",
        compressors=None,
    )  # fmt: skip
    vectors[:] = data.vectors


def read_zarr(folder: Path, data: Data) -> npt.NDArray[np.float32]:
    import zarr

    found: npt.NDArray[np.float32] = zarr.open_array(folder / "v.zarr", mode="r").oindex[data.rows]
    return found


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU milliseconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


def main() -> None:
    data = Data(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
    peers: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {
        "raw file": (write_raw, read_raw),
        "our store": (write_store, read_store),
        "npy, preallocated": (write_npy, read_npy),
    }
    if importlib.util.find_spec("h5py"):
        peers["h5py"] = (write_h5py, read_h5py)
    if importlib.util.find_spec("zarr"):
        peers["zarr, not compressed"] = (write_zarr, read_zarr)
    writes: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    reads: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for _ in range(ROUNDS):  # interleaved, so that other load hits all rows alike
        for name, (write, read) in peers.items():
            with tempfile.TemporaryDirectory(dir=PLACE) as folder:
                writes[name].append(measured(lambda w=write, f=folder: w(Path(f), data)))
                # Twice: the first reading also fills caches of libraries.
                place = EmbeddingStore(Path(folder)) if name == "our store" else Path(folder)
                read(place, data)
                reads[name].append(measured(lambda r=read, p=place: r(p, data)))
    megabytes = data.count * (CHANNELS * 2 + 24 + DIM * 4) / 1e6
    print(f"{data.count} frames, {megabytes:.0f} MB, chunks of {CHUNK}; medians of {ROUNDS}")
    print(f"{'':22}{'write ms':>9}{'cpu':>7}{'ratio':>7}{'read ms':>9}{'cpu':>7}{'ratio':>7}")
    middle = {
        name: [
            statistics.median(run[column] for run in runs[name])
            for runs in (writes, reads)
            for column in (0, 1)
        ]
        for name in peers
    }
    base = middle["raw file"]
    for name, (write_ms, write_cpu, read_ms, read_cpu) in middle.items():
        print(
            f"{name:22}{write_ms:9.0f}{write_cpu:7.0f}{write_cpu / base[1]:7.2f}"
            f"{read_ms:9.2f}{read_cpu:7.2f}{read_cpu / base[3]:7.2f}"
        )


if __name__ == "__main__":
    main()
