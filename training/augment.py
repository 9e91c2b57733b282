"""How a view looks: crop, mirror, colour, blur, noise, cover; one draw for all frames of a view.

Everything works on whole clips, uint8 in, uint8 out, so that training and inference feed the trunk
alike. A view of 32 frames takes a few milliseconds on one core.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from carl_core.arrays import Float32, UInt8
    from training.config import AugmentConfig

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


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


def draw_look(rng: np.random.Generator, config: AugmentConfig, *, is_mirrored: bool) -> Look:
    """Draw a look; whether it is mirrored is decided for both views of a pair together."""
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


def apply_look(frames: UInt8, look: Look, size: int) -> UInt8:
    """Apply one look to all frames of a view.

    Parameters
    ----------
    frames : uint8 (T, H, W, 3)
    look : the draw
    size : S

    Returns
    -------
    uint8 (T, S, S, 3)
    """
    cut = _cut(frames, look.box)
    if look.is_mirrored:
        cut = cut[:, :, ::-1]
    pixels = torch.from_numpy(np.ascontiguousarray(cut)).permute(0, 3, 1, 2)
    pixels = F.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    pixels = pixels.permute(0, 2, 3, 1).reshape(-1, 3).float()  # (T S S, 3)
    pixels = _coloured(pixels, look).view(len(frames), size, size, 3)
    if look.blur:
        pixels = _blurred(pixels, look.blur)
    if look.noise:
        # One field of noise larger than a picture, shifted from frame to frame: as good as fresh
        # noise to the eye of a small network, and an order of magnitude cheaper.
        rng = np.random.default_rng(look.seed)
        field = rng.standard_normal((2 * size, 2 * size, 3), dtype=np.float32)
        noise = torch.from_numpy(field * np.float32(255 * look.noise))
        shifts = rng.integers(0, size, size=(len(frames), 2))
        for frame, (dy, dx) in zip(pixels, shifts, strict=True):
            frame += noise[dy : dy + size, dx : dx + size]
    if look.cover is not None:
        x0, y0, x1, y1 = (round(share * size) for share in look.cover[:4])
        pixels[:, y0:y1, x0:x1] = torch.tensor(look.cover[4:], dtype=torch.float32)
    changed: UInt8 = pixels.round_().clamp_(0, 255).to(torch.uint8).numpy()
    return changed


def points_after(points: Float32, look: Look) -> Float32:
    """Move points (..., 2) in shares of the picture to where ``apply_look`` moves them."""
    left, top, right, bottom = look.box
    x = (points[..., 0] - left) / (right - left)
    y = (points[..., 1] - top) / (bottom - top)
    if look.is_mirrored:
        x = 1.0 - x
    return np.stack([x, y], axis=-1).astype(np.float32)


def _cut(frames: UInt8, box: tuple[float, float, float, float]) -> UInt8:
    """Cut a box out; where it reaches beyond the picture, the edge pixels go on."""
    height, width = frames.shape[1:3]
    left, top = round(box[0] * width), round(box[1] * height)
    right = max(left + 2, round(box[2] * width))
    bottom = max(top + 2, round(box[3] * height))
    cut = frames[:, max(0, top) : bottom, max(0, left) : right]
    beyond = (
        (0, 0),
        (max(0, -top), max(0, bottom - height)),
        (max(0, -left), max(0, right - width)),
        (0, 0),
    )
    return np.pad(cut, beyond, mode="edge") if np.any(beyond) else cut


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


def _coloured(pixels: Tensor, look: Look) -> Tensor:
    matrix = torch.from_numpy(look.colour[:, :3].copy())
    offset = torch.from_numpy(look.colour[:, 3] * 255)
    mean = float((pixels.mean(dim=0) @ matrix.T + offset).mean())
    shift = offset * look.contrast + (1.0 - look.contrast) * mean
    coloured: Tensor = torch.addmm(shift, pixels, matrix.T * look.contrast)
    return coloured.clamp_(0, 255)


def _blurred(pixels: Tensor, deviation: float) -> Tensor:
    """Gaussian blur of (T, S, S, 3), separable, five taps."""
    taps = torch.exp(-0.5 * (torch.arange(-2.0, 3.0) / deviation) ** 2)
    taps = taps / taps.sum()
    padded = F.pad(pixels.permute(0, 3, 1, 2), (2, 2, 2, 2), mode="replicate")
    rows = sum(taps[k] * padded[:, :, k : k + pixels.shape[1]] for k in range(5))
    assert isinstance(rows, Tensor)
    columns = sum(taps[k] * rows[:, :, :, k : k + pixels.shape[2]] for k in range(5))
    assert isinstance(columns, Tensor)
    return columns.permute(0, 2, 3, 1).contiguous()
