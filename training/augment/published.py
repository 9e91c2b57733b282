"""The recipe of the official code for self-supervised training, step by step and in 8 bit.

Random resized crop, mirror, colour jitter in a random order with a blur after each of its four
operations, grey: drawn once for a view. The official code takes each frame through Pillow; here the
same arithmetic runs over all frames of the view: without a blur it gives Pillow's values but for
one level after resizing. Pillow's blur rounds after each of its six passes; here it rounds once,
which makes a level of difference on average after the four blurs, and up to ten at single values
where colours are driven apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.augment.crops import cut_and_resized
from training.augment.kernels import BRIGHTNESS, CONTRAST, HUE, SATURATION, published_colours

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Int64, UInt8
    from training.config import AugmentConfig

_TRIES = 10
_BLUR_RADII = (0.1, 2.0)
_BOXES = 3  # box filters in a row that stand for a Gaussian, as in Pillow
_FAINT = 1e-3  # taps below this change no value by half a level


@dataclass(frozen=True, slots=True, eq=False)
class PublishedLook:
    """One draw of the published recipe.

    Attributes
    ----------
    crop : left, top, right, bottom in pixels of pictures of ``shape``
    shape : height and width of the pictures that the look was drawn for
    is_mirrored : whether left and right are exchanged
    order : of the colour operations, ``kernels.BRIGHTNESS`` ...; () = no colour jitter, no blur
    factors : of brightness, contrast and saturation
    hue : turn of the hue, in shares of the circle
    blur : radius of the blur after each colour operation, 0 = none
    is_grey : whether the colours go in the end
    """

    crop: tuple[int, int, int, int]
    shape: tuple[int, int]
    is_mirrored: bool
    order: tuple[int, ...]
    factors: tuple[float, float, float]
    hue: float
    blur: float
    is_grey: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the crop, in shares of the picture."""
        height, width = self.shape
        left, top, right, bottom = self.crop
        return left / width, top / height, right / width, bottom / height


def draw_published(
    rng: np.random.Generator,
    config: AugmentConfig,
    *,
    is_mirrored: bool,
    shape: tuple[int, int],
) -> PublishedLook:
    """Draw a look of the published recipe for pictures of a height and width."""
    crop = published_crop(rng, config, shape)
    order: tuple[int, ...] = ()
    factors, hue, blur = (1.0, 1.0, 1.0), 0.0, 0.0
    if rng.random() < config.jitter:
        order = tuple(int(kind) for kind in rng.permutation(4))
        brightness, contrast, saturation = (
            float(rng.uniform(max(0.0, 1.0 - spread), 1.0 + spread))
            for spread in (config.brightness, config.contrast, config.saturation)
        )
        factors = (brightness, contrast, saturation)
        hue = float(rng.uniform(-config.hue, config.hue))
        if rng.random() < config.blur:
            blur = float(rng.uniform(*_BLUR_RADII))
    is_grey = bool(rng.random() < config.grey)
    return PublishedLook(crop, shape, is_mirrored, order, factors, hue, blur, is_grey)


def published_crop(
    rng: np.random.Generator, config: AugmentConfig, shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Draw left, top, right, bottom of a random resized crop.

    Ten tries of an area (uniform) and an aspect ratio (log-uniform); should none fit, the largest
    central crop of an allowed ratio. 640 x 360 always ends there: an area of 0.8 with a ratio of
    at most 4/3 is 372 pixels high. ``min_area`` = 1 shows the whole picture.
    """
    height, width = shape
    if config.min_area >= 1.0:
        return 0, 0, width, height
    widest = math.log(config.max_aspect)
    for _ in range(_TRIES):
        area = rng.uniform(config.min_area, min(1.0, config.max_area)) * height * width
        aspect = math.exp(rng.uniform(-widest, widest))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            top = int(rng.integers(0, height - h, endpoint=True))
            left = int(rng.integers(0, width - w, endpoint=True))
            return left, top, left + w, top + h
    aspect = min(max(width / height, 1.0 / config.max_aspect), config.max_aspect)
    w = min(width, round(height * aspect))
    h = min(height, round(width / aspect))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def apply_published(
    frames: UInt8, look: PublishedLook, size: int, *, chosen: Int64 | None, out: UInt8 | None
) -> UInt8:
    """Apply one look to all frames of a view, see ``apply_look``."""
    if frames.shape[1:3] != look.shape:
        raise ValueError(f"the look is for pictures of {look.shape}, not {frames.shape[1:3]}")
    pictures = cut_and_resized(frames, chosen, look.crop, size)
    changed = np.empty_like(pictures) if out is None else out
    changed[:] = pictures[:, :, ::-1] if look.is_mirrored else pictures
    # An operation that changes nothing is left out, unless the blur follows it.
    order = [kind for kind in look.order if look.blur or not _is_idle(look, kind)]
    if order or look.is_grey:
        published_colours(
            changed,
            np.array(order, dtype=np.int64),
            np.array(look.factors, dtype=np.float32),
            int(look.hue * 255) % 256,
            blur_taps(look.blur),
            look.is_grey,
        )
    return changed


def blur_taps(radius: float) -> Float32:
    """Taps of the filter that Pillow's ``GaussianBlur`` is: float32 (2 R + 1,), sum 1.

    Three box filters in a row, widened at their ends so that the variance is the radius squared
    (Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering",
    SSVM 2011), folded into one.
    """
    taps = np.ones(1)
    if radius:
        variance = radius**2 / _BOXES
        whole = math.floor((math.sqrt(12.0 * variance + 1.0) - 1.0) / 2.0)
        rest = (2 * whole + 1) * (whole * (whole + 1) - 3.0 * variance)
        rest /= 6.0 * (variance - (whole + 1) ** 2)
        box = np.array([rest, *[1.0] * (2 * whole + 1), rest]) / (2 * (whole + rest) + 1)
        for _ in range(_BOXES):
            taps = np.convolve(taps, box)
    reach = len(taps) // 2
    faint = next(k for k in range(reach + 1) if taps[k] >= _FAINT)
    taps = taps[faint : len(taps) - faint]
    folded: Float32 = (taps / taps.sum()).astype(np.float32)
    return folded


def _is_idle(look: PublishedLook, kind: int) -> bool:
    if kind == HUE:
        return int(look.hue * 255) % 256 == 0
    return look.factors[(BRIGHTNESS, CONTRAST, SATURATION).index(kind)] == 1.0
