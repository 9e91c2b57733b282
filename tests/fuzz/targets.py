"""What the program does with a file from a stranger, one function for each kind of file."""

from __future__ import annotations

import contextlib
import json
import shutil
from functools import cache
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from carl_core.alignment.files import read_alignment
from carl_core.embeddings.embeddings import Embeddings
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.errors import StoreError
from carl_core.export.labels import read_labels
from carl_core.project.files import find_unsaved, read_project
from carl_core.project.relink import missing
from carl_core.retrieval.library import Library
from carl_core.runs import EVENTS_NAME, EventTail, EventWriter, Finished, read_events
from carl_core.video import index
from carl_core.video.audio import read_audio
from carl_core.video.image import read_image
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.fuzz.seeds import STORE_CHANNELS, STORE_DIM, STORE_FRAMES, STORE_KEY
from tests.helpers.encoders import make_tiny_encoder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_WALKED = 40


def use_media(path: Path) -> None:
    """Probe, index, decode, seek, embed, listen."""
    recording = open_recording(path)
    json.dumps(recording.info.to_json(path), allow_nan=False)
    count = len(recording.index)
    assert np.isfinite(recording.index.times_s).all()
    with FrameReader(recording, size=(32, 24)) as reader:
        for frame in (0, count // 2, count - 1, count // 3):
            assert reader.frame_at(frame).pixels.shape == (24, 32, 3)
    with FrameReader(recording, size=(32, 24)) as reader:
        walked = [frame.index for frame in reader.frames_at(range(min(count, _WALKED)))]
    assert walked == list(range(min(count, _WALKED)))
    embeddings = embed_recording(recording, _tiny_encoder(path.parent / "tiny.onnx"))
    assert np.isfinite(embeddings.vectors).all()
    if recording.info.audio is not None:
        read_audio(recording, rate=8000, end_s=min(60.0, recording.index.duration_s))


def use_listing(path: Path) -> None:
    """Show a film by the table of frames it brings, before it is read as a whole."""
    # Only long films are listed: here a film of more than two frames is long.
    with patch.object(index, "_LISTED_HEAD_PIXELS", 1), patch.object(index, "_HEAD_PACKETS", 2):
        recording = open_recording(path, provisional=True)
    count = len(recording.index)
    with FrameReader(recording, size=(32, 24)) as reader:
        for frame in (0, count // 2, count - 1):
            reader.frame_at(frame)


@cache
def _tiny_encoder(path: Path) -> Encoder:
    return load_encoder(make_tiny_encoder(path, size=16, grid=4), device="cpu", threads=1)


def use_picture(path: Path) -> None:
    """Read it as a query of a search."""
    assert read_image(path).ndim == 3


def use_project(path: Path) -> None:
    """Open it, look what is missing, and take it for unsaved work."""
    project = read_project(path)
    missing(project)
    json.dumps([media.path for media in project.recordings])


def use_unsaved(path: Path) -> None:
    """Find it as unsaved work: what is damaged is set aside, never an error."""
    folder = path.parent / "unsaved"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(path, folder / "unsaved-1.carl.autosave")
    find_unsaved(folder)
    shutil.rmtree(folder)


def use_alignment(path: Path) -> None:
    """Read it and ask its maps."""
    for entry in read_alignment(path).maps:
        assert not np.isinf(entry.alignment.time_map(np.linspace(0, 2, 9))).any()


def use_labels(path: Path) -> None:
    """Read them."""
    read_labels(path)


def use_onnx(path: Path) -> None:
    """Load an encoder and embed five frames."""
    encoder = load_encoder(path, device="cpu", threads=1)
    size = encoder.spec.size
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, size, size, 3), dtype=np.uint8)
    vectors = encoder.encode(frames, np.arange(5) / 10)
    assert vectors.shape == (5, encoder.spec.dim)
    assert np.isfinite(vectors).all()


def use_store(path: Path) -> None:
    """Load the entry a damaged file belongs to, then write it anew."""
    root = path.parent.parent
    store = EmbeddingStore(root)
    found = store.load(STORE_KEY)
    if found is not None:
        assert found.vectors.shape[1] == STORE_DIM
        assert np.isfinite(found.vectors).all()
        features = store.load_features(STORE_KEY)
        assert features is None or features.shape[1] == STORE_CHANNELS
    frames = np.arange(STORE_FRAMES, dtype=np.int64)
    writer = store.open_writer(
        STORE_KEY,
        frames=frames,
        pts=frames * 512,
        times_s=frames / 10,
        channels=STORE_CHANNELS,
        dim=STORE_DIM,
    )
    assert writer is not None
    with writer:
        left = STORE_FRAMES - writer.done
        if left:
            writer.append(np.zeros((left, STORE_CHANNELS), np.float16))
        vectors = np.zeros((STORE_FRAMES, STORE_DIM), np.float32)
        vectors[:, 0] = 1
        writer.finish([vectors])
    assert store.load(STORE_KEY) is not None
    store.usage()
    store.prune(0)


def use_library(path: Path) -> None:
    """Search it, take the damaged recordings in again, forget one of them, and clear it."""
    folder = path
    while folder.name != STORE_KEY.model_id:
        folder = folder.parent
    library = Library(folder.parent, STORE_KEY.model_id)
    queries = np.eye(1, STORE_DIM, dtype=np.float32)
    for known in library.catalogue.all():
        json.dumps(str(known.path))
    for exactly in (False, True):
        assert all(np.isfinite(one.bound) for one in library.candidates(queries, exactly=exactly))
        assert all(np.isfinite(score) for score, _, _ in library.nearest(queries[0], 3))
    assert np.isfinite(library.best_scores(queries)).all()
    rows = np.tile(queries, (STORE_FRAMES, 1))
    frames = np.arange(STORE_FRAMES, dtype=np.int64)
    library.add([Embeddings(STORE_KEY, frames, frames / 10, rows)])
    assert library.nearest(queries[0], 1)[0][0] > 0.99
    library.forget(["1" * 32, STORE_KEY.fingerprint])
    library.clear()
    assert library.recordings == 0


def use_events(path: Path) -> None:
    """Read what a training run says, as the window does, and go on writing it."""
    folder = path.parent
    shutil.copyfile(path, folder / EVENTS_NAME)
    with contextlib.suppress(StoreError):
        list(read_events(folder))
    tail = EventTail(folder)
    try:
        tail.new_events()
    finally:
        with EventWriter(folder) as writer:
            writer.write(Finished(1.0, 5, True))


def use_settings(path: Path) -> None:
    """Start with these settings and this list of recent projects."""
    # Imported here: the other targets need no Qt.
    from PySide6.QtCore import qInstallMessageHandler

    from app import settings as keys
    from app.actions.effective import overrides_from_text
    from app.faults.hooks import on_qt_message
    from app.presenters.preferences import engine_from, read_preferences
    from app.settings import Key, Settings
    from carl_core.project.recent import RecentProjects

    qInstallMessageHandler(on_qt_message)
    if path.suffix == ".json":
        RecentProjects(path.parent).listed()
        return
    settings = Settings(path)
    for key in vars(keys).values():
        if isinstance(key, Key):
            assert type(settings.get(key)) is type(key.default)
    read_preferences(settings)
    engine_from(settings)
    overrides_from_text(settings.get(keys.KEYS))


TARGETS: dict[str, Callable[[Path], None]] = {
    "media": use_media,
    "listing": use_listing,
    "picture": use_picture,
    "project": use_project,
    "unsaved": use_unsaved,
    "alignment": use_alignment,
    "labels": use_labels,
    "eaf": use_labels,
    "onnx": use_onnx,
    "store": use_store,
    "library": use_library,
    "events": use_events,
    "settings": use_settings,
}
