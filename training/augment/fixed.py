"""Our recipe: crop, mirror, one affine map of colours, blur, noise, a covered rectangle.

A view is resized at once in 8 bit, and one compiled pass over each frame does the rest.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.augment.crops import cut_and_resized
from training.augment.kernels import colour_and_noise, mean_colour

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Int64, UInt8
    from training.config import AugmentConfig

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_BLUR_REACH = 2
_FIELD_SEED = 7


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One draw: how every frame of a view is changed.

    Attributes
    ----------
    box : left, top, right, bottom of the crop, in shares of the picture
    is_mirrored : whether left and right are exchanged
    colour : float32 (3, 4), new = colour[:, :3] @ old + colour[:, 3], full scale = 1
    contrast : factor on the distance from the view's mean
    blur : standard deviation in output pixels, 0 = none
    noise : standard deviation, full scale = 1
    cover : left, top, right, bottom in shares of the output and three levels, or None
    seed : of the noise
    """

    box: tuple[float, float, float, float]
    is_mirrored: bool
    colour: Float32
    contrast: float
    blur: float
    noise: float
    cover: tuple[float, float, float, float, int, int, int] | None
    seed: int


def draw_fixed(rng: np.random.Generator, config: AugmentConfig, *, is_mirrored: bool) -> Look:
    """Draw a look of our recipe."""
    area = math.exp(rng.uniform(math.log(config.min_area), math.log(config.max_area)))
    aspect = math.exp(rng.uniform(-1.0, 1.0) * math.log(config.max_aspect))
    longest = math.sqrt(max(1.0, config.max_area))
    width = min(longest, math.sqrt(area * aspect))
    height = min(longest, math.sqrt(area / aspect))
    # A side above 1 shows the whole picture with its edges drawn out around it.
    left = rng.uniform(min(0.0, 1.0 - width), max(0.0, 1.0 - width))
    top = rng.uniform(min(0.0, 1.0 - height), max(0.0, 1.0 - height))
    colour = _colour(rng, config)
    contrast = 1.0 + rng.uniform(-1.0, 1.0) * config.contrast
    blur = rng.uniform(0.3, 1.5) if rng.random() < config.blur else 0.0
    noise = rng.uniform(0.0, config.noise)
    cover = None
    if rng.random() < config.cutout:
        sides = rng.uniform(0.1, 0.4, size=2)
        x, y = rng.uniform(0.0, 1.0 - sides)
        levels = rng.integers(0, 256, size=3)
        cover = (x, y, x + sides[0], y + sides[1], *(int(level) for level in levels))
    return Look(
        (left, top, left + width, top + height),
        is_mirrored,
        colour,
        contrast,
        blur,
        noise,
        cover,
        int(rng.integers(1 << 31)),
    )


def apply_fixed(
    frames: UInt8, look: Look, size: int, *, chosen: Int64 | None, out: UInt8 | None
) -> UInt8:
    """Apply one look to all frames of a view, see ``apply_look``."""
    height, width = frames.shape[1:3]
    left, top = round(look.box[0] * width), round(look.box[1] * height)
    right = max(left + 2, round(look.box[2] * width))
    bottom = max(top + 2, round(look.box[3] * height))
    pictures = cut_and_resized(frames, chosen, (left, top, right, bottom), size)
    changed = np.empty_like(pictures) if out is None else out
    # Contrast acts around the mean of the whole view after the colours have changed.
    matrix = look.colour[:, :3]
    offset = look.colour[:, 3] * 255
    mean = float((matrix @ mean_colour(pictures) + offset).mean())
    field, corners = np.zeros((size, 3 * size), np.float32), np.zeros((len(pictures), 2), np.int64)
    if look.noise:
        # One field of noise larger than a picture, shifted from frame to frame: as good as fresh
        # noise to the eye of a small network, and an order of magnitude cheaper.
        field = _noise_field(2 * size)
        shifts = np.random.default_rng(look.seed)
        corners = shifts.integers(0, size, size=(len(pictures), 2), endpoint=True)
    colour_and_noise(
        pictures,
        look.is_mirrored,
        (matrix * look.contrast).astype(np.float32),
        (offset * look.contrast + (1.0 - look.contrast) * mean).astype(np.float32),
        _gaussian_taps(look.blur),
        field,
        corners,
        255.0 * look.noise,
        changed,
    )
    if look.cover is not None:
        x0, y0, x1, y1 = (round(share * size) for share in look.cover[:4])
        changed[:, y0:y1, x0:x1] = np.array(look.cover[4:], dtype=np.uint8)
    return changed


@functools.lru_cache(maxsize=2)
def _noise_field(side: int) -> Float32:
    """Return noise of deviation 1, float32 (side, 3 side): the same for every look."""
    rng = np.random.default_rng(_FIELD_SEED)
    field: Float32 = rng.standard_normal((side, 3 * side), dtype=np.float32)
    field.flags.writeable = False
    return field


def _gaussian_taps(deviation: float) -> Float32:
    if not deviation:
        return np.ones(1, dtype=np.float32)
    places = np.arange(-_BLUR_REACH, _BLUR_REACH + 1) / deviation
    weights = np.exp(-0.5 * places**2)
    taps: Float32 = (weights / weights.sum()).astype(np.float32)
    return taps


def _colour(rng: np.random.Generator, config: AugmentConfig) -> Float32:
    """Brightness, saturation, hue and grey as one affine map of colours."""
    saturation = 1.0 + rng.uniform(-1.0, 1.0) * config.saturation
    if rng.random() < config.grey:
        saturation = 0.0
    grey = np.outer(np.ones(3, dtype=np.float32), LUMA)
    matrix = saturation * np.eye(3, dtype=np.float32) + (1.0 - saturation) * grey
    angle = rng.uniform(-1.0, 1.0) * config.hue * 2.0 * math.pi
    matrix = matrix @ _turn_about_grey(angle)
    gain = 1.0 + rng.uniform(-1.0, 1.0) * config.brightness
    cast = 1.0 + rng.uniform(-0.1, 0.1, size=(3, 1))  # colour of the light
    return np.concatenate([gain * cast * matrix, np.zeros((3, 1))], axis=1).astype(np.float32)


def _turn_about_grey(angle: float) -> Float32:
    """Rotate about the grey axis (Rodrigues' formula)."""
    axis = np.full(3, 1.0 / math.sqrt(3.0))
    cross = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    turn = np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * cross @ cross
    turned: Float32 = turn.astype(np.float32)
    return turned
