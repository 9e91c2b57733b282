"""What an evaluation works on: encoders that share trunks, data sets and cases for each trunk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from carl_core.encoder.onnx import Encoder, load_encoder
from training.augment import evaluation_frames
from training.bank import cached_size
from training.datasets.load import load_clips
from training.evaluation.cases import (
    FeatureCase,
    feature_cases_from_copies,
    feature_cases_from_moments,
    feature_cases_from_simulated,
)
from training.evaluation.controls import same_trunks
from training.evaluation.suite import Split
from training.evaluation.tracks import Track, track_of_clip

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from carl_core.arrays import Int64, UInt8
    from carl_core.progress import Monitor
    from carl_core.video.display import Fit
    from training.config import DataConfig
    from training.datasets.clip import Clip, Frames

VALIDATION_SHARE = 0.3  # of a folder without a split of its own: the last recordings by name
# Frames between two that tau and retrieval look at, as published.
STRIDES = {"penn_action": 2, "pouring": 5}
DEFAULT_STRIDE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """Encoders of one recipe, and which of them share a trunk.

    Attributes
    ----------
    encoders : in the order given
    trunks : number of each one's trunk
    leads : for each trunk, an encoder that has it
    """

    encoders: tuple[Encoder, ...]
    trunks: tuple[int, ...]
    leads: tuple[Encoder, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Which recordings are evaluated, and how they are sampled.

    Attributes
    ----------
    config : ``kind``, ``root`` and, for a folder, ``labels``; ``max_fps`` and ``max_clip_s`` bound
        what is read
    validation : folder with the validation recordings, for kind "folder"; None = the last 30 % by
        name
    is_native : every frame (published) instead of the encoder's sampling rate
    cache : folder that keeps decoded pictures; None = they are decoded when they are needed
    is_cropped : the trunk sees the middle of the pictures as they were filmed, not resized: the
        published evaluation, which matters where pictures are larger than the encoder's input
        (FineGym). Copies are made of whole pictures all the same
    """

    config: DataConfig
    validation: Path | None
    is_native: bool
    cache: Path | None
    is_cropped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CentralFrames:
    """The middle S x S pixels of the pictures of a recording, cut out when asked for.

    Attributes
    ----------
    frames : pictures as they were filmed
    size : S
    """

    frames: Frames
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, S, S, 3)."""
        return len(self.frames), self.size, self.size, 3

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, frames: Int64, /) -> UInt8:
        """Pictures uint8 (K, S, S, 3)."""
        return evaluation_frames(self.frames[frames], self.size, is_cropped=True)


def load_models(paths: Sequence[Path], *, device: str) -> Models:
    """Load encoder files.

    Raises
    ------
    ModelError
        When one is missing or cannot be used.
    """
    encoders = tuple(load_encoder(path, device=device) for path in paths)
    trunks = tuple(same_trunks(encoders))
    leads = tuple(encoders[trunks.index(number)] for number in range(max(trunks) + 1))
    return Models(encoders, trunks, leads)


def splits_of(models: Models, data: DataSet, monitor: Monitor) -> list[Split]:
    """Decode a data set and run every trunk over it once.

    Raises
    ------
    MediaError
        When recordings are missing or cannot be read.
    """
    splits = []
    for lead in models.leads:
        size = lead.spec.size
        parts = _clips(data, lead, None if data.is_cropped else size, monitor)
        if data.is_cropped:
            parts = tuple(
                [replace(clip, frames=CentralFrames(clip.frames, size)) for clip in part]
                for part in parts
            )
        train, val = (_tracks(clips, lead, data, monitor) for clips in parts)
        splits.append(Split(train, val))
    return splits


def copies_of(
    models: Models, data: DataSet, *, per_clip: int, seed: int, most: int, monitor: Monitor
) -> list[list[FeatureCase]]:
    """Cases of the validation recordings (the first ``most``) against copies, for each trunk."""
    found = []
    for lead in models.leads:
        _, clips = _clips(data, lead, cached_size(lead.spec.size), monitor)
        found.append(feature_cases_from_copies(clips[:most], lead, per_clip, seed, monitor=monitor))
    return found


def simulated_of(
    models: Models, *, count: int, seed: int, monitor: Monitor
) -> list[list[FeatureCase]]:
    """Render pairs of simulated actions that training never draws, for each trunk."""
    return [
        feature_cases_from_simulated(count, seed, lead, monitor=monitor) for lead in models.leads
    ]


def moments_of(
    models: Models, folder: Path, groups: Sequence[str] | None, *, monitor: Monitor
) -> list[list[FeatureCase]]:
    """Labelled pairs of a folder with ``labels.json``, for each trunk."""
    return [
        feature_cases_from_moments(folder, lead, groups, monitor=monitor) for lead in models.leads
    ]


def _clips(
    data: DataSet, encoder: Encoder, size: int | None, monitor: Monitor
) -> tuple[list[Clip], ...]:
    """Training and validation clips at one size, None = as filmed."""
    fit = cast("Fit", encoder.spec.fit)  # checked by EncoderSpec

    def load(config: DataConfig, split: str) -> list[Clip]:
        cache = None if data.cache is None else data.cache / f"{size or 'filmed'}-{fit}"
        side = None if size is None else (size, size)
        return load_clips(config, split=split, size=side, fit=fit, cache=cache, monitor=monitor)

    if data.config.kind != "folder":
        return load(data.config, "train"), load(data.config, "val")
    clips = load(data.config, "train")
    if data.validation is not None:
        return clips, load(replace(data.config, root=str(data.validation)), "train")
    clips = sorted(clips, key=lambda clip: clip.name)
    first = len(clips) - max(1, round(VALIDATION_SHARE * len(clips)))
    return clips[:first], clips[first:]


def _tracks(
    clips: Sequence[Clip], encoder: Encoder, data: DataSet, monitor: Monitor
) -> list[Track]:
    fps = None if data.is_native else encoder.spec.sample_fps
    monitor.start("running the trunk", sum(len(clip.times_s) for clip in clips), "frames")
    tracks = []
    for clip in clips:
        tracks.append(track_of_clip(clip, encoder, fps=fps))
        monitor.advance(len(clip.times_s))
    return tracks
