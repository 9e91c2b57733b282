"""Search a million frames by a picture: what the trunk saw of each is read from the cache.

    python -m benchmarks.pictures [--rows N] [--folder DIR]

A store of drawn features, 1,600 numbers a frame as the bundled encoder's trunk gives, 3.2 GB for a
million frames in ``--folder``, removed afterwards. Next to the limit, which is reading as many
bytes on as many threads, and to NumPy on the same threads. All in CPU time and by the clock: the
median of queries in turns.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.retrieval_material import LENGTH, MODEL
from benchmarks.taking import taken
from carl_core.alignment.nullbank import bank_for, features_id
from carl_core.assets import asset_path
from carl_core.embeddings.embeddings import EmbeddingKey
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.onnx import load_encoder
from carl_core.progress import Monitor
from carl_core.retrieval.library import Library
from carl_core.retrieval.mapping import thread_count, threads
from carl_core.retrieval.pictures import StoredStills, search_stills
from carl_core.retrieval.retriever import Query
from carl_core.retrieval.stills import centred

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

CHANNELS, DIM = 1600, 128
QUERIES = 7
_PIECE = 1000  # frames that NumPy and reading take at a time


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="carl-pictures-", dir=options.folder))
    try:
        report(measured(folder, options.rows))
    finally:
        shutil.rmtree(folder)
    return 0


def measured(folder: Path, count: int) -> list[Claim]:
    store = EmbeddingStore(folder / "store", limit_bytes=1 << 40)
    library = Library(folder / "library", MODEL)
    features = made(store, library, count)
    stills = StoredStills(library, store, Monitor())
    mean, (mean_s, _) = taken(partial(stills.mean, Monitor()))
    model_id = load_encoder(asset_path("encoder.onnx"), device="cpu").model_id
    strangers = [centred(clip, mean) for clip in bank_for(features_id(model_id))]
    _, (strangers_s, _) = taken(partial(stills.stranger_scores, strangers, Monitor()))
    rng = np.random.default_rng(1)
    places = rng.integers(len(features), size=QUERIES), rng.integers(LENGTH, size=QUERIES)
    times: dict[str, list[tuple[float, float]]] = {"ours": [], "reading": [], "NumPy": []}
    is_right = True
    for recording, row in zip(*places, strict=True):
        near = features[recording][row : row + 1] + 0.3 * rng.normal(size=(1, CHANNELS))
        query = centred(near.astype(np.float16), mean)
        search = partial(search_stills, library, stills, Query(query), strangers=strangers)
        found, seconds = taken(partial(search, monitor=Monitor()))
        times["ours"].append(seconds)
        times["reading"].append(taken(partial(_on_threads, _read, features))[1])
        compare = partial(_compare, mean=mean, query=query[0])
        times["NumPy"].append(taken(partial(_on_threads, compare, features))[1])
        first = found.hits[0]
        is_right &= (first.fingerprint, first.frame) == (f"{recording * LENGTH:032x}", row)
    wall, cpu = (
        {name: statistics.median(pair[k] for pair in taken) for name, taken in times.items()}
        for k in range(2)
    )
    what = f"by a picture over {count:,} x {CHANNELS}"
    return [
        Claim("mean of everything, once, s", mean_s),
        Claim("frames of unrelated clips, once, s", strangers_s),
        Claim(f"{what}, s", wall["ours"], wall["reading"], "reading as many bytes"),
        Claim(f"{what}, CPU s", cpu["ours"], cpu["reading"], "reading as many bytes"),
        Claim(f"{what}, CPU s", cpu["ours"], cpu["NumPy"], "NumPy, same threads", at_most=0.25),
        Claim("the frame it was made of found first", float(is_right), at_least=1),
    ]


def made(store: EmbeddingStore, library: Library, count: int) -> list[npt.NDArray[np.float16]]:
    """Fill a store with recordings of ``LENGTH`` frames; return their features as it maps them."""
    drawn = np.random.default_rng(0).normal(size=(LENGTH, CHANNELS)).astype(np.float16)
    vectors = np.zeros((LENGTH, DIM), dtype=np.float32)
    vectors[:, 0] = 1.0
    at = np.arange(LENGTH)
    found = []
    for start in range(0, count, LENGTH):
        key = EmbeddingKey(f"{start:032x}", MODEL, "10/1")
        writer = store.open_writer(
            key, frames=at, pts=at, times_s=at / 10, channels=CHANNELS, dim=DIM
        )
        assert writer is not None
        # Of one block all: each recording has the numbers in another place.
        rows = np.roll(drawn, start // LENGTH * 31, axis=1)
        with writer:
            for first in range(0, LENGTH, _PIECE):
                writer.append(np.ascontiguousarray(rows[first : first + _PIECE]))
            writer.finish([vectors])
        features = store.load_features(key)
        assert features is not None
        library.catalogue.note(Path(f"{start}.mp4"), key, LENGTH)
        found.append(features)
    library.update(store)
    return found


def _read(rows: npt.NDArray[np.float16]) -> int:
    return int(rows.view(np.uint64).max())


def _compare(
    rows: npt.NDArray[np.float16], mean: npt.NDArray[np.float32], query: npt.NDArray[np.float32]
) -> float:
    less = rows.astype(np.float32) - mean
    return float((less @ query / np.linalg.norm(less, axis=1)).max())


def _on_threads(
    work: Callable[[npt.NDArray[np.float16]], float], features: list[npt.NDArray[np.float16]]
) -> None:
    pieces = [one[a : a + _PIECE] for one in features for a in range(0, len(one), _PIECE)]
    width = thread_count()
    list(threads().map(lambda first: [work(one) for one in pieces[first::width]], range(width)))


if __name__ == "__main__":
    raise SystemExit(main())
