"""Compare our store of embeddings with a raw file, and with stores of others, in the same run.

``python -m benchmarks.store [FRAMES]``. Every row writes the same features (float16) and vectors
(float32) in the same chunks, opens them again and reads 1,000 random vectors. "ratio" is CPU time
over the raw file's, for reading over NumPy's memory map. Others write what they can append to; h5py
and zarr are left out where they are not installed. The store's folder itself is opened once, as in
the program; its entry is opened anew. All is measured in memory, where there is such a folder, for
a disk is busy with what the row before has written; the raw file and our store also in the folder
for temporary files. Claims are in time of the clock.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report
from carl_core.embeddings.embeddings import EmbeddingKey
from carl_core.embeddings.entry import to_stored
from carl_core.embeddings.store import EmbeddingStore

if TYPE_CHECKING:
    import numpy.typing as npt

CHANNELS, DIM, CHUNK = 512, 128, 1024
ROUNDS = 5
READS = 9  # a round: one takes half a millisecond
MEMORY = Path("/dev/shm")
ROWS = 1000
KEY = EmbeddingKey("f" * 32, "0" * 16, "10/1")
RAW, OURS = "raw file", "our store"

Peers = dict[str, tuple[Callable[..., object], Callable[..., object]]]
"""How to write and how to read, by name."""


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


def compare(data: Data, peers: Peers, place: Path, what: str) -> list[Claim]:
    """Print a table of what is written to a folder in ``place`` and read, and judge our store."""
    writes: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    reads: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for _ in range(ROUNDS):  # interleaved, so that other load hits all rows alike
        for name, (write, read) in peers.items():
            with tempfile.TemporaryDirectory(dir=place) as folder:
                writes[name].append(measured(lambda w=write, f=folder: w(Path(f), data)))
                # Once before: the first reading also fills caches of libraries.
                opened = EmbeddingStore(Path(folder)) if name == OURS else Path(folder)
                read(opened, data)
                reads[name] += [measured(partial(read, opened, data)) for _ in range(READS)]
    megabytes = data.count * (CHANNELS * 2 + 24 + DIM * 4) / 1e6
    print(f"{what}: {data.count} frames, {megabytes:.0f} MB, chunks of {CHUNK}; of {ROUNDS} rounds")
    print(f"{'':22}{'write ms':>9}{'cpu':>7}{'ratio':>7}{'read ms':>9}{'cpu':>7}{'ratio':>7}")
    middle = {
        name: [
            statistics.median(run[column] for run in runs[name])
            for runs in (writes, reads)
            for column in (0, 1)
        ]
        for name in peers
    }
    base = middle[RAW]
    for name, (write_ms, write_cpu, read_ms, read_cpu) in middle.items():
        print(
            f"{name:22}{write_ms:9.0f}{write_cpu:7.0f}{write_cpu / base[1]:7.2f}"
            f"{read_ms:9.2f}{read_cpu:7.2f}{read_cpu / base[3]:7.2f}"
        )
    print()
    ours = middle[OURS]
    rows = f"reopened, {ROWS:,} random rows, ms"
    return [
        Claim(f"{what}: append, ms", ours[0], base[0], RAW, at_most=2.5),
        Claim(f"{what}: {rows}", ours[2], base[2], "memmap", at_most=1.5),
    ]


def main() -> int:
    data = Data(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
    peers: Peers = {RAW: (write_raw, read_raw), OURS: (write_store, read_store)}
    own = dict(peers)
    peers["npy, preallocated"] = (write_npy, read_npy)
    if importlib.util.find_spec("h5py"):
        peers["h5py"] = (write_h5py, read_h5py)
    if importlib.util.find_spec("zarr"):
        peers["zarr, not compressed"] = (write_zarr, read_zarr)
    disk = Path(tempfile.gettempdir())
    claims = []
    if MEMORY.is_dir() and not disk.is_relative_to(MEMORY):
        claims += compare(data, peers, MEMORY, "in memory")
        peers = own
    claims += compare(data, peers, disk, "on disk")
    report(claims)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
