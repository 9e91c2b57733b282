"""What stands beside every number: the same procedure on vectors that learned nothing.

- position only: the published sinusoid of normalised time, no picture at all;
- raw trunk: the features of the encoder's own trunk, the mean of each recording taken off;
- untrained head: the same architecture on the same features, random weights;
- raw pixels: 32 x 32 grey pictures, the mean of each recording taken off.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.errors import ModelError
from carl_core.similarity.matrix import unit_rows
from training.evaluation.heads import head_config, head_embedder, head_file, untrained_head
from training.evaluation.protocol import Embedded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.arrays import Float32, Float64
    from carl_core.encoder.onnx import Encoder
    from training.evaluation.tracks import Embed, Track

log = logging.getLogger("carl.train")

MODEL = "model"
POSITION = "position only"
TRUNK = "raw trunk"
UNTRAINED = "untrained head"
PIXELS = "raw pixels"
COLUMNS = (MODEL, POSITION, TRUNK, UNTRAINED, PIXELS)

HEAD_SEEDS = (0, 1, 2)
# Of the published sinusoid: width of its tokens, and the frames positions are stretched to.
_WIDTH = 256
_TRAIN_FRAMES = 80


@dataclass(frozen=True, slots=True, eq=False)
class Contestant:
    """One draw of one column: a way from features to vectors.

    Attributes
    ----------
    column : one of ``COLUMNS``
    embed : features and seconds to vectors
    trunk : which of the encoders' different trunks the features come from
    uses_pixels : small pixels take the place of the features
    centred : each recording's mean is taken off: "never", "aligning" = before a DTW only, as the
        engine does, "always"
    """

    column: str
    embed: Embed
    trunk: int = 0
    uses_pixels: bool = False
    centred: str = "aligning"

    def vectors(self, track: Track, *, aligning: bool) -> Float32:
        """Return the vectors (T, D) of one recording."""
        features = track.pixels if self.uses_pixels else track.features
        vectors = self.embed(np.asarray(features, np.float32), track.times_s)
        centre = self.centred == "always" or (aligning and self.centred == "aligning")
        return unit_rows(vectors, centre=True) if centre else vectors

    def embedded(self, track: Track, *, aligning: bool = False) -> Embedded:
        """Return one recording as the metrics take it."""
        vectors = self.vectors(track, aligning=aligning)
        return Embedded(track.name, vectors, track.times_s, track.labels, track.action)


def position_vectors(features: Float32, times_s: Float64) -> Float32:
    """Vectors of normalised time alone, float32 (T, 256): the published positions, no picture."""
    return sinusoid(len(features), width=_WIDTH, train_frames=_TRAIN_FRAMES)


def sinusoid(count: int, *, width: int, train_frames: int) -> Float32:
    """Return the published positions of ``count`` frames, float32 (count, width).

    Spread evenly from 0 to ``train_frames - 1``. Channel k of position p has the angle
    ``p * 10000 ** (-k / width)``, sine for even k and cosine for odd k.
    """
    place = np.linspace(0.0, train_frames - 1.0, count)
    channel = np.arange(width)
    angle = place[:, None] * 10000.0 ** (-channel / width)
    return np.where(channel % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)


def as_they_are(features: Float32, times_s: Float64) -> Float32:
    """Return the features themselves."""
    return features


def contestants_of(
    encoders: Sequence[Encoder], trunks: Sequence[int], *, head_seeds: Sequence[int] = HEAD_SEEDS
) -> list[Contestant]:
    """Every column that can be had: the encoders, and controls on the first one's trunk.

    Parameters
    ----------
    encoders : seeds of one recipe
    trunks : for each, which of the different trunks it has (``same_trunks``)
    head_seeds : of the untrained heads
    """
    found = [
        Contestant(MODEL, encoder.embed_features, trunk=trunk)
        for encoder, trunk in zip(encoders, trunks, strict=True)
    ]
    found.append(Contestant(POSITION, position_vectors, centred="never"))
    found.append(Contestant(TRUNK, as_they_are, centred="always"))
    found += untrained_contestants(encoders[0], head_seeds)
    found.append(Contestant(PIXELS, as_they_are, uses_pixels=True, centred="always"))
    return found


def untrained_contestants(encoder: Encoder, seeds: Sequence[int] = HEAD_SEEDS) -> list[Contestant]:
    """Untrained heads of the encoder's architecture; none, and a warning, where it is unknown."""
    try:
        config = head_config(head_file(encoder.path))
    except ModelError as error:
        log.warning("The column %r stays empty: %s", UNTRAINED, error)
        return []
    spec = encoder.spec
    return [
        Contestant(UNTRAINED, head_embedder(untrained_head(config, spec.channels, seed), spec))
        for seed in seeds
    ]


def same_trunks(encoders: Sequence[Encoder]) -> list[int]:
    """Give every encoder the number of its trunk: equal numbers, equal features.

    Compared on fixed noise. Seeds of one recipe on a frozen trunk so share the trunk's work.
    """
    known: list[tuple[tuple[int, str, float], Float32]] = []
    numbers = []
    for encoder in encoders:
        spec = encoder.spec
        feeding = (spec.size, spec.fit, spec.sample_fps)
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (4, spec.size, spec.size, 3), dtype=np.uint8)
        features = encoder.features(noise)
        for number, (fed, seen) in enumerate(known):
            if fed == feeding and np.array_equal(seen, features):
                numbers.append(number)
                break
        else:
            numbers.append(len(known))
            known.append((feeding, features))
    return numbers
