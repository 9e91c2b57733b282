"""What an adaptation learns from and is judged by: features of augmented looks of recordings.

Recordings are read once, at the encoder's own rate. Most of their time is learned from, under a few
looks; stretches of it are held back, and seen under looks of their own. A little time on either
side of a held-back stretch is used for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn.functional as F
import xxhash

from carl_core.embeddings.entry import to_stored
from carl_core.encoder.sampling import normal_sampling, sampled_frames
from carl_core.video.reader import FrameReader
from training.augment import apply_look, draw_look
from training.bank import cached_size
from training.data import Source, Take
from training.sampling import generator_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.arrays import Bool, Float16, Float64, Int64, UInt8
    from carl_core.encoder.onnx import Encoder
    from carl_core.progress import Monitor
    from carl_core.video.display import Fit
    from carl_core.video.recording import Recording
    from training.augment import AnyLook
    from training.config import AugmentConfig

# Samples of all recordings together that are used: ten minutes at ten a second. Of more, pieces
# that lie evenly spaced in the recordings.
MOST_SAMPLES = 6000
_PIECE = 300
# Each block of a recording holds one stretch back.
_BLOCK = 240
_HELD_SHARE = 0.25
LEAST_HELD = 16
LEAST_SAMPLES = 3 * LEAST_HELD  # of a recording that can spare a stretch
_MARGIN = 2  # samples on either side of a held-back stretch
_LEAST_RUN = 8  # shorter pieces between stretches are not learned from
# Held-back stretches are also read between the samples, so that a copy can be re-timed finely.
DENSER = 2
# Looks of held-back stretches: the first for choosing among states of a head, the others for the
# verdict.
HELD_LOOKS = 4
_CHUNK = 128  # frames in memory at a time
_NOWHERE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """One stretch of a recording that is not learned from.

    Attributes
    ----------
    name : of the recording
    times_s : float64 (N,), from the stretch's first frame, denser than the samples
    is_sample : bool (N,), the frames the engine would embed
    features : float16 (1 + HELD_LOOKS, N, C): as it is, and under looks never learned from
    """

    name: str
    times_s: Float64
    is_sample: Bool
    features: Float16


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Features of all recordings.

    Attributes
    ----------
    sources : runs of samples to learn from, each with its looks
    held : stretches to judge by
    """

    sources: list[Source]
    held: list[Held]

    @property
    def samples(self) -> int:
        """Samples that are learned from, each once."""
        return sum(len(source.takes[0].times_s) for source in self.sources)


def split_of(count: int, rng: np.random.Generator, *, most: int) -> tuple[Bool, list[slice]]:
    """Decide which of ``count`` samples are learned from, and which stretches are held back.

    Parameters
    ----------
    count : samples of the recording
    rng : where in its block a stretch lies
    most : samples that are used at most

    Returns
    -------
    bool (count,), True where learned from; and the held-back stretches, in order, none for a
    recording shorter than ``LEAST_SAMPLES``
    """
    is_used = np.zeros(count, dtype=np.bool_)
    length = count if count <= most else min(_PIECE, most)
    pieces = 1 if count <= most else max(1, most // _PIECE)
    held: list[slice] = []
    for start in np.linspace(0, count - length, pieces).astype(int).tolist():
        is_used[start : start + length] = True
        if length < LEAST_SAMPLES:
            continue
        edges = np.linspace(start, start + length, -(-length // _BLOCK) + 1).astype(int).tolist()
        for begin, end in pairwise(edges):
            width = max(LEAST_HELD, round(_HELD_SHARE * (end - begin)))
            at = int(rng.integers(begin, end - width, endpoint=True))
            held.append(slice(at, at + width))
    for stretch in held:
        is_used[max(0, stretch.start - _MARGIN) : stretch.stop + _MARGIN] = False
    return is_used, held


def read_material(
    recordings: Sequence[Recording],
    encoder: Encoder,
    augment: AugmentConfig,
    *,
    looks: int,
    seed: int,
    monitor: Monitor,
) -> Material:
    """Decode recordings and run the trunk over all looks of what is used of them.

    Memory is 128 pictures and 2 C bytes for every frame and look.

    Parameters
    ----------
    recordings : opened
    encoder : whose trunk, rate and fit
    augment : looks are drawn from
    looks : of what is learned from; the first is the recording as it is, odd ones are mirrored
    seed : of looks and stretches, together with the recording's content
    monitor : progress in frames, and cancellation

    Raises
    ------
    MediaError
        When a frame cannot be decoded.
    ModelError
        When the encoder fails.
    Cancelled
        When the monitor was cancelled.
    """
    most = max(_PIECE, MOST_SAMPLES // len(recordings))
    plans = [_Plan(one, encoder, most, seed) for one in recordings]
    total = sum(plan.pictures(looks) for plan in plans)
    monitor.start("reading recordings", total, "pictures")
    sources: list[Source] = []
    held: list[Held] = []
    for plan in plans:
        found = _features_of(plan, encoder, augment, looks, seed, monitor)
        for number, run in enumerate(plan.runs):
            times_s = plan.times_s[run] - plan.times_s[run[0]]
            nothing = np.zeros((len(run), 0, 0, 3), dtype=np.uint8)
            features = found.learned[:, np.searchsorted(plan.learned, run)]
            take = Take(nothing, times_s, times_s, features=features)
            sources.append(Source(f"{plan.name}, part {number + 1}", (take,)))
        for frames in plan.held:
            times_s = plan.times_s[frames] - plan.times_s[frames[0]]
            features = found.held[:, np.searchsorted(plan.all_held, frames)]
            held.append(Held(plan.name, times_s, np.isin(frames, plan.sampled), features))
    return Material(sources, held)


class _Plan:
    """Which frames of one recording are read, and for what.

    Attributes
    ----------
    sampled : int64, the frames at the encoder's rate
    runs : frames of each run that is learned from
    learned : all of them
    held : frames of each held-back stretch, denser than the samples
    all_held : all of them
    """

    def __init__(self, recording: Recording, encoder: Encoder, most: int, seed: int) -> None:
        self.recording = recording
        self.name = recording.name
        self.times_s = recording.index.times_s
        self.key = xxhash.xxh32_intdigest(recording.fingerprint.encode())
        fps = encoder.spec.sample_fps
        self.sampled = sampled_frames(recording.index, normal_sampling(str(fps)))
        rng = generator_for(seed, self.key)
        is_used, stretches = split_of(len(self.sampled), rng, most=most)
        edges = np.flatnonzero(np.diff(np.pad(is_used.astype(np.int8), 1)))
        self.runs: list[Int64] = [
            self.sampled[begin:end]
            for begin, end in zip(edges[::2], edges[1::2], strict=True)
            if end - begin >= _LEAST_RUN
        ]
        self.learned = np.concatenate([_NOWHERE, *self.runs])
        finer = sampled_frames(recording.index, normal_sampling(str(DENSER * fps)))
        dense = np.union1d(self.sampled, finer)
        ends = [(self.sampled[s.start], self.sampled[s.stop - 1]) for s in stretches]
        self.held: list[Int64] = [dense[(dense >= a) & (dense <= b)] for a, b in ends]
        self.all_held = np.concatenate([_NOWHERE, *self.held])

    def pictures(self, looks: int) -> int:
        """Pictures that pass the trunk."""
        return looks * len(self.learned) + (1 + HELD_LOOKS) * len(self.all_held)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    learned: Float16
    held: Float16


def _features_of(
    plan: _Plan,
    encoder: Encoder,
    augment: AugmentConfig,
    looks: int,
    seed: int,
    monitor: Monitor,
) -> _Found:
    """Return features (looks, N, C) of what is learned from, and of what is held back."""
    spec = encoder.spec
    side = cached_size(spec.size)
    drawn: dict[int, AnyLook] = {}
    for look in range(1, looks + HELD_LOOKS):
        rng = generator_for(seed, plan.key, look)
        # A mirrored copy would be another person: the last looks, of what is held back, are none.
        is_mirrored = look < looks and look % 2 == 1
        drawn[look] = draw_look(rng, augment, is_mirrored=is_mirrored, shape=(side, side))
    parts: tuple[list[Float16], list[Float16]] = ([], [])
    wanted = np.union1d(plan.learned, plan.all_held)
    with FrameReader(plan.recording, size=(side, side), fit=cast("Fit", spec.fit)) as reader:
        for start in range(0, len(wanted), _CHUNK):
            frames = wanted[start : start + _CHUNK]
            pictures = np.stack([frame.pixels for frame in reader.frames_at(frames.tolist())])
            for part, own, numbers in (
                (parts[0], plan.learned, range(looks)),
                (parts[1], plan.all_held, (0, *range(looks, looks + HELD_LOOKS))),
            ):
                chosen = pictures[np.isin(frames, own)]
                if not len(chosen):
                    continue
                found = []
                for look in numbers:
                    monitor.check()
                    shown = _shown(chosen, drawn.get(look), spec.size)
                    found.append(to_stored(encoder.features(shown)))
                    monitor.advance(len(chosen))
                part.append(np.stack(found))
    learned, held = (
        np.concatenate(part, axis=1)
        if part
        else np.zeros((count, 0, spec.channels), dtype=np.float16)
        for part, count in zip(parts, (looks, 1 + HELD_LOOKS), strict=True)
    )
    return _Found(learned, held)


def _shown(pictures: UInt8, look: AnyLook | None, size: int) -> UInt8:
    """Apply a look, or only bring pictures to the input's size; uint8 (N, S, S, 3)."""
    if look is not None:
        return apply_look(pictures, look, size)
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    plain = F.interpolate(tensor, (size, size), mode="bilinear", antialias=True)
    shown: UInt8 = plain.permute(0, 2, 3, 1).contiguous().numpy()
    return shown
