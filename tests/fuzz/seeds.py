"""Small good files that are to be damaged: recordings of many kinds, and every file of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.alignment.alignment import Alignment, Anchor
from carl_core.alignment.files import AlignmentFile, AlignmentMap, RecordingEntry, write_alignment
from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.embeddings.store import EmbeddingStore
from carl_core.export.labels import Label, write_labels
from carl_core.project import project as p
from carl_core.project.files import write_project
from carl_core.retrieval.library import Library
from carl_core.runs import Evaluated, Exported, Started, Step, event_to_json
from carl_core.video.image import write_jpeg, write_png
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import draw_frame, make_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SMALL = {"size": (64, 48), "frames": 14, "gop": 6}
_FAST_VPX = {"deadline": "realtime", "cpu-used": "8"}
# Nineteen recordings of eleven containers and twelve codings.
VIDEOS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"audio_rate": 16000},
    "fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc.mp4": {"codec": "libx265", "bframes": 2},
    "av1.mp4": {"codec": "libsvtav1", "size": (128, 96), "options": {"preset": "10"}},
    "h264.mov": {"rotation": 90},
    "h264.mkv": {"audio_rate": 16000},
    "ffv1.mkv": {"codec": "ffv1", "bframes": 0},
    "vp9.webm": {"codec": "libvpx-vp9", "options": _FAST_VPX},
    "vp8.webm": {"codec": "libvpx", "options": _FAST_VPX},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "h264.ts": {"audio_rate": 16000},
    "mpeg2.mpg": {"codec": "mpeg2video"},
    "h264.flv": {},
    "raw.h264": {"format": "h264"},
    "h263.3gp": {"codec": "h263", "size": (128, 96), "bframes": 0},
    "wmv2.wmv": {"codec": "wmv2", "format": "asf", "bframes": 0},
    "mpeg2.mxf": {"codec": "mpeg2video", "bframes": 0},
    "mjpeg.nut": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "format": "nut"},
}
STORE_KEY = EmbeddingKey("0" * 32, "1" * 16, "10/1")
STORE_FRAMES, STORE_CHANNELS, STORE_DIM = 40, 8, 4


def make_seeds(folder: Path) -> dict[str, tuple[str, ...]]:
    """Write every seed that is not there yet; return the names by target."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, tuple[str, ...]] = {
        "media": tuple(VIDEOS),
        "listing": tuple(name for name in VIDEOS if name.endswith(("mp4", "mov", "3gp"))),
    }
    for name, options in VIDEOS.items():
        _made(folder / name, lambda path, o=options: make_video(path, **(_SMALL | o)))
    for target, makers in _DOCUMENTS.items():
        found[target] = tuple(makers)
        for name, make in makers.items():
            _made(folder / name, make)
    store = EmbeddingStore(folder / "store")
    if store.load(STORE_KEY) is None:
        _fill(store)
    entry = next(f for f in (folder / "store").iterdir() if not f.name.startswith("."))
    found["store"] = tuple(f"store/{entry.name}/{file.name}" for file in sorted(entry.iterdir()))
    library = Library(folder / "library", STORE_KEY.model_id)
    if not library.recordings:
        _stock(library)
    files = (file for file in library.folder.rglob("*") if file.is_file())
    names = (file.relative_to(folder).as_posix() for file in files if not file.name.startswith("."))
    found["library"] = tuple(sorted(names))
    return found


def _made(path: Path, make: Callable[[Path], object]) -> None:
    if not path.exists():
        # Whole or not at all: a run that was stopped goes on with these.
        partial = path.with_name(f"part-{path.name}")
        make(partial)
        partial.replace(path)


def _project(path: Path) -> None:
    one, two = (p.Media(id=i, path=f"/videos/{i}.mp4", fingerprint="ab" * 16) for i in "xy")
    here, there = (
        p.Moment(recording="x", pts=512, time_s=0.5),
        p.Moment(recording="y", pts=9, time_s=0.25),
    )
    write_project(
        path,
        p.Project(
            recordings=(one, two),
            reference="x",
            anchors=(p.Anchor(first=here, second=there, author="A", made="2026-01-01T00:00:00Z"),),
            masks=(
                p.Mask(
                    first=p.Span(recording="x", start_s=1.0, end_s=2.0),
                    second=p.Span(recording="y", start_s=1.5, end_s=2.5),
                ),
            ),
            markers=(p.Marker(id="m", name="lift", start=here, colour="#1a2b3c", note="größer"),),
            maps={"y": "dtw"},
            loop=p.Loop(start_s=0.5, end_s=1.5),
        ),
    )


def _alignment(path: Path) -> None:
    steps = np.arange(20, dtype=np.int64)
    times_s = steps / 10
    alignment = Alignment(
        method="dtw",
        cost=0.2,
        match=0.8,
        verdict="aligned",
        reason="It fits.",
        reference_s=times_s,
        other_s=times_s * 0.9,
        confidence=np.full(20, 0.5),
        gaps=((1.5, 1.7),),
        anchors=(Anchor(0.5, 0.45),),
        raw_reference=steps,
        raw_other=steps,
    )
    entries = tuple(RecordingEntry(path.with_name(f"{n}.mp4"), "ab" * 16, 2.0, 50) for n in "xy")
    write_alignment(
        path,
        AlignmentFile(0, "0" * 16, "tiny", entries, (AlignmentMap(1, alignment, steps, steps),)),
    )


def _labels(path: Path) -> None:
    write_labels(path, [Label("x.mp4", "lift", 0.5, 1.5), Label("y.mp4", "größer", 2.0, 2.0)])


def _settings(path: Path) -> None:
    keys = json.dumps({"play": ["Space", "K"], "save": []}).replace('"', '\\"')
    path.write_text(
        "[window]\ntheme=dark\ngeometry=@ByteArray(\\x1\\xd9\\xd0\\xcb)\n"
        "[engine]\nmodel=/models/mine.onnx\ndevice=cpu\ncache-gb=4.5\n"
        f'[commands]\nkeys="{keys}"\nrecent=play save\n'
        "[play]\nloop=true\nstep-rule=fastest\nreadout=frame\n[sound]\nvolume=70\nmuted=false\n"
    )


def _recent(path: Path) -> None:
    path.write_text(json.dumps(["/videos/one.carl", "/videos/two.carl"]))


def _fill(store: EmbeddingStore) -> None:
    rng = np.random.default_rng(0)
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
        for _ in range(0, STORE_FRAMES, 20):
            writer.append(rng.normal(size=(20, STORE_CHANNELS)).astype(np.float16))
        vectors = rng.normal(size=(STORE_FRAMES, STORE_DIM)).astype(np.float32)
        writer.finish([vectors / np.linalg.norm(vectors, axis=1, keepdims=True)])


def _stock(library: Library) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        key = replace(STORE_KEY, fingerprint=f"{number}" * 32)
        vectors = rng.normal(size=(STORE_FRAMES, STORE_DIM)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        frames = np.arange(STORE_FRAMES, dtype=np.int64)
        library.catalogue.note(library.folder / f"{number}.mp4", key, STORE_FRAMES)
        library.add([Embeddings(key, frames, frames / 10, vectors)])
    library.build(least=1)


def _encoder(path: Path) -> None:
    make_tiny_encoder(path, size=16, grid=4)


def _png(path: Path) -> None:
    write_png(path, draw_frame(5, (64, 48)))


def _jpeg(path: Path) -> None:
    write_jpeg(path, draw_frame(5, (64, 48)))


def _events(path: Path) -> None:
    one = Started(1.0, 0, 9, {"run": {"steps": 9}}, "cpu")
    step = Step(2.0, 3, {"total": 1.5, "scl": 1.0}, 1e-3, 0.5, 400.0, 0.1, 12.0)
    events = (one, step, Evaluated(3.0, 5, {"error": 4.5}), Exported(4.0, 9, "e.onnx"))
    path.write_text("".join(event_to_json(event) + "\n" for event in events))


_DOCUMENTS: dict[str, dict[str, Callable[[Path], object]]] = {
    "picture": {"still.png": _png, "still.jpg": _jpeg},
    "project": {"project.carl": _project},
    "unsaved": {"project.carl": _project},
    "alignment": {"alignment.json": _alignment},
    "labels": {"labels.csv": _labels, "labels.json": _labels},
    "eaf": {"labels.eaf": _labels},
    "onnx": {"encoder.onnx": _encoder},
    "events": {"run.json": _events},
    "settings": {"window.ini": _settings, "recent.json": _recent},
}
