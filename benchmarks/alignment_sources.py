"""What is aligned: one vector per sampled frame, by our encoder, its controls and the baselines.

Each network sees the frames of a file once, the ones that some clip samples.
"""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np

from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_exact
from carl_core.encoder.onnx import load_encoder
from carl_core.errors import CarlError, ModelError
from carl_core.similarity.matrix import unit_rows
from carl_core.video.reader import FrameReader
from training.evaluation.tracks import sampled_as_usual
from training.teachers import IMAGE_FILE, POSE_FILE, ImageTeacher, PoseTeacher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import torch

    from carl_core.alignment.options import StepPattern
    from carl_core.arrays import Float32, Float64, UInt8
    from carl_core.encoder.onnx import Encoder
    from carl_core.pipeline import Engine
    from carl_core.video.display import Fit
    from carl_core.video.recording import Recording
    from training.evaluation.moments import Clip

Vectors = tuple["Float64", "Float32"]  # seconds (T,) of the samples and a vector (T, D) for each

ENCODER = "encoder"
POSITION = "position only"
UNTRAINED = "untrained head"
UNTRAINED_ALL = "untrained trunk and head"
FAITHFUL = "faithful CARL"
PATTERNS: tuple[StepPattern, ...] = ("1-1-1", "2-1-1")
_GREY = np.asarray([0.299, 0.587, 0.114], dtype=np.float32)
_BATCH = 64
_HEAD_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Source:
    """A way from a clip to vectors.

    Attributes
    ----------
    name : row of the table; several sources of one name are draws of one method
    vectors : seconds and vectors of a clip's samples
    centred : each recording's mean vector is taken off before anything is compared
    is_baseline : it is compared with ours; else it is ours or a control
    """

    name: str
    vectors: Callable[[Clip], Vectors]
    centred: bool
    is_baseline: bool


class Media:
    """The recordings, opened once, and what of them is needed."""

    def __init__(self, data: Path, engine: Engine) -> None:
        self._data = data
        self._engine = engine
        self._clips: dict[str, list[Clip]] = defaultdict(list)

    @cache  # noqa: B019 - lives as long as the program
    def recording(self, file: str) -> Recording:
        """Open a file, once. Raises ``MediaError``."""
        return self._engine.open(self._data / file)

    def times_of(self, file: str) -> Float64:
        """Return the times of all its frames."""
        return self.recording(file).index.times_s

    def expect(self, clips: Iterable[Clip]) -> None:
        """Say which clips will be asked for, before any is."""
        for clip in clips:
            self._clips[clip.file].append(clip)

    def needed(self, file: str, fps: float) -> np.ndarray:
        """Frames of a file that some clip samples, ascending."""
        parts = [clip.frames[sampled_as_usual(clip.times_s, fps)] for clip in self._clips[file]]
        return np.unique(np.concatenate(parts))

    def is_whole(self, clip: Clip) -> bool:
        """Whether a clip is a file as it is."""
        times_s = self.times_of(clip.file)
        return len(clip.frames) == len(times_s) and np.array_equal(clip.times_s, times_s)

    def pictures(self, file: str, frames: np.ndarray, size: int, fit: str) -> Iterator[UInt8]:
        """Read ascending frames, in batches uint8 (B, size, size, 3)."""
        waiting: list[UInt8] = []
        recording = self.recording(file)
        with FrameReader(recording, size=(size, size), fit=cast("Fit", fit)) as reader:
            for frame in reader.frames_at(int(number) for number in frames):
                waiting.append(frame.pixels)
                if len(waiting) == _BATCH:
                    yield np.stack(waiting)
                    waiting = []
        if waiting:
            yield np.stack(waiting)


class Look:
    """One network or descriptor over all recordings: a row per needed frame, computed once.

    Parameters
    ----------
    run : uint8 (B, size, size, 3) -> float32 (B, C)
    """

    def __init__(
        self, media: Media, fps: float, size: int, fit: str, run: Callable[[UInt8], Float32]
    ) -> None:
        self._media, self._fps, self._size, self._fit, self._run = media, fps, size, fit, run

    @cache  # noqa: B019
    def _of(self, file: str) -> tuple[np.ndarray, Float32]:
        frames = self._media.needed(file, self._fps)
        batches = self._media.pictures(file, frames, self._size, self._fit)
        return frames, np.concatenate([self._run(batch) for batch in batches])

    def __call__(self, clip: Clip) -> Vectors:
        """Return the clip's samples."""
        chosen = sampled_as_usual(clip.times_s, self._fps)
        frames, rows = self._of(clip.file)
        return clip.times_s[chosen], rows[np.searchsorted(frames, clip.frames[chosen])]


def encoder_source(media: Media, engine: Engine, trunk: Look) -> Source:
    """Our encoder; a whole file exactly as ``carl align`` embeds it."""
    encoder = engine.encoder

    @cache
    def vectors(clip: Clip) -> Vectors:
        if media.is_whole(clip):
            embeddings = engine.embed(media.recording(clip.file))
            return embeddings.times_s, embeddings.vectors
        times_s, features = trunk(clip)
        return times_s, encoder.embed_features(features, times_s)

    return Source(ENCODER, vectors, centred=True, is_baseline=False)


def trunk_of(media: Media, encoder: Encoder) -> Look:
    """Trunk features of an encoder."""
    spec = encoder.spec
    return Look(media, spec.sample_fps, spec.size, spec.fit, encoder.features)


def baselines(media: Media, fps: float, teachers: Path) -> tuple[list[Source], list[str]]:
    """Return descriptors that no training of ours made, and notes on those that cannot be had.

    A recording's mean is taken off where that makes the descriptor stronger in the mean over the
    groups of the developer recordings (1-1-1): all but raw pixels, and HOG beside MobileNetV2.
    """
    notes: list[str] = []
    sources = [_source("raw pixels", Look(media, fps, 32, "squash", _raw), centred=False)]
    hog = None
    if importlib.util.find_spec("skimage") is None:
        notes.append("HOG is left out: scikit-image is not installed (extra: bench).")
    else:
        hog = Look(media, fps, 128, "squash", _hog)
        sources.append(_source("HOG", hog, centred=True))
    try:
        image = ImageTeacher(teachers / IMAGE_FILE)
        look = Look(media, fps, image.SIZE, image.FIT, lambda pixels: image(pixels)[0])
        sources.append(_source("MobileNetV2", look, centred=True))
        if hog is not None:
            sources.append(Source("MobileNetV2 + HOG", _both(look, hog), False, True))
    except ModelError as error:
        notes.append(f"MobileNetV2 is left out. {error}")
    try:
        pose = PoseTeacher(teachers / POSE_FILE)
        look = Look(media, fps, pose.SIZE, pose.FIT, lambda pixels: _pose(pose(pixels)))
        sources.append(_source("MoveNet pose", look, centred=True))
    except ModelError as error:
        notes.append(f"MoveNet is left out. {error}")
    return sources, notes


def controls(
    media: Media, encoder: Encoder, trunk: Look, faithful: Path | None
) -> tuple[list[Source], list[str]]:
    """Vectors that must be worse than ours: position, untrained networks, the published recipe."""
    notes: list[str] = []
    if importlib.util.find_spec("torch") is None:
        return [], ["The controls are left out: they need torch (extra: train)."]
    from training.evaluation.controls import position_vectors, untrained_contestants

    sources = [_embedding(POSITION, trunk, position_vectors, centred=False)]
    heads = untrained_contestants(encoder, _HEAD_SEEDS)
    if not heads:
        notes.append(f"There is no {UNTRAINED}: {encoder.path.name} has no head beside it.")
    sources += [_embedding(UNTRAINED, trunk, head.embed) for head in heads]
    try:
        sources.append(_untrained(media, encoder))
    except CarlError as error:
        notes.append(f"There is no {UNTRAINED_ALL}: {error}")
    if faithful is None:
        notes.append(f"{FAITHFUL} is not in the table: --faithful names its file.")
    else:
        other = load_encoder(faithful)
        sources.append(_embedding(FAITHFUL, trunk_of(media, other), other.embed_features))
    return sources, notes


def _untrained(media: Media, encoder: Encoder) -> Source:
    """Trunk and head of the encoder's architecture with random weights."""
    import torch

    from training.evaluation.heads import head_config, head_embedder, head_file, untrained_head
    from training.model import build_model

    config = head_config(head_file(encoder.path))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if config.backbone == "encoder":
            trunk, head = (
                _untrained_student(encoder),
                untrained_head(config, encoder.spec.channels, 0),
            )
        else:
            model = build_model(replace(config, weights="")).eval()
            trunk, head = model.trunk, model.head

    def run(pixels: UInt8) -> Float32:
        with torch.inference_mode():
            return trunk(torch.from_numpy(pixels)).numpy()

    spec = encoder.spec
    look = Look(media, spec.sample_fps, spec.size, spec.fit, run)
    return _embedding(UNTRAINED_ALL, look, head_embedder(head, spec))


def _untrained_student(encoder: Encoder) -> torch.nn.Module:
    """Return the trunk that distillation begins with, where the encoder's is of its shape."""
    from training.distill.settings import StudentSettings
    from training.distill.student import Student

    student = Student(StudentSettings())
    if (student.channels, student.image_size) != (encoder.spec.channels, encoder.spec.size):
        raise ModelError(
            "its head was trained on the trunk of an encoder file, whose architecture is not known."
        )
    return student.eval()


def dtw_map(one: Vectors, two: Vectors, pattern: StepPattern, *, centre: bool) -> Float64:
    """Map each sample of the reference to the mean of the times plain DTW puts beside it."""
    path = solve_exact(
        Costs(unit_rows(one[1], centre=centre), unit_rows(two[1], centre=centre)), pattern=pattern
    )
    sums = np.bincount(path.reference, weights=two[0][path.other])
    found: Float64 = sums / np.bincount(path.reference)
    return found


def _source(name: str, look: Look, *, centred: bool) -> Source:
    return Source(name, look, centred, is_baseline=True)


def _embedding(
    name: str, look: Look, embed: Callable[[Float32, Float64], Float32], *, centred: bool = True
) -> Source:
    @cache
    def vectors(clip: Clip) -> Vectors:
        times_s, features = look(clip)
        return times_s, embed(features, times_s)

    return Source(name, vectors, centred, is_baseline=False)


def _both(image: Look, hog: Look) -> Callable[[Clip], Vectors]:
    """Both at equal weight: the cosine of the joined rows is the mean of the two cosines."""

    def vectors(clip: Clip) -> Vectors:
        times_s, features = image(clip)
        _, gradients = hog(clip)
        rows = (unit_rows(features, centre=True), unit_rows(gradients, centre=False))
        return times_s, np.concatenate(rows, axis=1)

    return vectors


def _raw(pixels: UInt8) -> Float32:
    return pixels.reshape(len(pixels), -1).astype(np.float32)


def _hog(pixels: UInt8) -> Float32:
    from skimage.feature import hog  # slow to import, only in the bench extra

    rows = [
        hog(picture, orientations=9, pixels_per_cell=(16, 16), cells_per_block=(2, 2))
        for picture in pixels @ _GREY
    ]
    return np.stack(rows).astype(np.float32)


def _pose(joints: Float32) -> Float32:
    """Joints (N, 17, 3) to their places about their mean, (N, 34).

    So where the person stands does not count, nor how large it is, since directions are compared.
    """
    places = joints[:, :, :2]
    return (places - places.mean(axis=1, keepdims=True)).reshape(len(joints), -1)
