"""Where it happens: camera, light, background, things in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Float32, Float64, UInt8, as_read_only
from training.simulate.background import MARGIN, from_image, procedural

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHAKE_RATE = 20.0  # knots per second of the hand-held motion


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera that stands still, and small motions of the picture.

    Attributes
    ----------
    position : float64 (3,), metres
    axes : float64 (3, 3), rows right, down, forward
    focal : in pixels
    motion_times_s : float64 (K,); motion : float64 (K, 4), shift x, shift y in pixels, roll in
        radians, zoom factor
    azimuth : degrees; 0 looks at the figure's front, 90 sees it facing to the picture's left
    """

    position: Float64
    axes: Float64
    focal: float
    motion_times_s: Float64
    motion: Float64
    azimuth: float

    def motion_at(self, times_s: Float64) -> Float64:
        """Return the picture's motion float64 (T, 4) at view times."""
        return np.stack(
            [np.interp(times_s, self.motion_times_s, column) for column in self.motion.T], axis=1
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything that is not the figure.

    Attributes
    ----------
    background : float32 (Hb, Wb, 3) linear light, larger than the picture, centred on it
    light : float64 (9,): direction to the light 3, ambient, strength, colour 3, shadow
    gain : float64 (3,), exposure and colour cast; flicker : relative amplitude, flicker_hz
    softness : 0..1, blur; noise : standard deviation in 8-bit steps
    occluders : float64 (O, 8), x0, y0, x1, y1 in pixels, linear colour, (spare)
    """

    background: Float32
    light: Float64
    gain: Float64
    flicker: float
    flicker_hz: float
    softness: float
    noise: float
    occluders: Float64

    def gains_at(self, times_s: Float64) -> Float64:
        """Return the exposure float64 (T, 3) at view times."""
        wave = 1 + self.flicker * np.sin(2 * np.pi * self.flicker_hz * times_s)
        return wave[:, None] * self.gain


def fit_camera(
    rng: np.random.Generator,
    places: Float64,
    *,
    size: tuple[int, int],
    duration_s: float,
    azimuth: float,
    elevation: float,
    fov: float,
    fill: float,
    shake: float,
    off_centre: float = 0.05,
) -> Camera:
    """Return a camera that sees all places float64 (N, 3), filling ``fill`` of the picture.

    ``azimuth``, ``elevation`` and the vertical field of view ``fov`` are degrees; ``shake`` scales
    the hand-held motion (1 = about 1.5 % of the height).
    """
    width, height = size
    focal = 0.5 * height / np.tan(np.radians(fov) / 2)
    a, e = np.radians(azimuth), np.radians(elevation)
    toward = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
    forward = -toward
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), forward])
    target = (places.min(axis=0) + places.max(axis=0)) / 2
    distance = 4.0
    for _ in range(6):
        position = target + toward * distance
        seen = (places - position) @ axes.T
        depth = np.maximum(seen[:, 2], 0.3)
        x, y = seen[:, 0] * focal / depth, seen[:, 1] * focal / depth
        middle_x, middle_y = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
        target = target + (right * middle_x + axes[1] * middle_y) * distance / focal
        # A little air for hair, hands and feet around the joints.
        extent = max((x.max() - x.min()) / width, (y.max() - y.min()) / height) * 1.06
        distance = float(np.clip(distance * extent / fill, 0.8, 60.0))
    position = target + toward * distance
    position[2] = max(position[2], 0.12)
    roll = np.radians(rng.normal(0, 1.5))
    knots = np.arange(max(2, int(np.ceil(duration_s * _SHAKE_RATE)) + 2)) / _SHAKE_RATE
    motion = np.zeros((len(knots), 4))
    motion[:, :2] = rng.normal(0, off_centre, 2) * height * (1.0 - min(fill, 1.0)) * 2
    motion[:, 2], motion[:, 3] = roll, 1.0
    if shake > 0:
        slow = _wander(rng, len(knots), 4, 1.5)
        fast = _wander(rng, len(knots), 4, 0.25)
        scale = np.array([0.012 * height, 0.012 * height, 0.006, 0.01])
        motion += shake * scale * (slow + 0.3 * fast)
    limit = (MARGIN - 1) / 2 * 0.8
    motion[:, 0] = np.clip(motion[:, 0], -limit * width, limit * width)
    motion[:, 1] = np.clip(motion[:, 1], -limit * height, limit * height)
    return Camera(
        as_read_only(position, np.float64),
        as_read_only(axes, np.float64),
        float(focal),
        as_read_only(knots, np.float64),
        as_read_only(motion, np.float64),
        azimuth,
    )


def random_scene(
    rng: np.random.Generator,
    camera: Camera,
    *,
    size: tuple[int, int],
    images: Sequence[UInt8] = (),
    image_probability: float = 0.5,
    clean: bool = False,
) -> Scene:
    """Draw light, background, exposure, noise; ``clean`` leaves out what spoils a picture.

    ``images`` are natural pictures uint8 (H, W, 3) RGB that may serve as backgrounds.
    """
    e = np.radians(rng.uniform(38, 78))
    a = np.radians(rng.uniform(0, 360))
    light = np.zeros(9)
    light[:3] = np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)
    light[3], light[4] = rng.uniform(0.25, 0.6), rng.uniform(0.5, 1.0)
    light[5:8] = 1 + rng.normal(0, 0.05, 3)
    light[8] = rng.uniform(0.2, 0.65) if rng.random() < 0.85 else 0.0
    if len(images) and rng.random() < image_probability:
        background = from_image(rng, images[int(rng.integers(len(images)))], size)
    else:
        background = procedural(
            rng, camera.position, camera.axes, camera.focal, size=size, clean=clean
        )
    gain = np.exp(rng.normal(0, 0.22)) * np.exp(rng.normal(0, 0.07, 3))
    if clean:
        gain, light[3], light[4] = np.ones(3), 0.45, 0.75
    spoiled = not clean
    return Scene(
        background=as_read_only(background, np.float32),
        light=as_read_only(light, np.float64),
        gain=as_read_only(gain, np.float64),
        flicker=float(rng.uniform(0.01, 0.08)) if spoiled and rng.random() < 0.15 else 0.0,
        flicker_hz=float(rng.uniform(0.3, 8.0)),
        softness=float(rng.uniform(0.1, 0.9)) if spoiled and rng.random() < 0.4 else 0.0,
        noise=float(rng.exponential(3.0)) if spoiled and rng.random() < 0.6 else 0.0,
        occluders=as_read_only(
            _random_occluders(rng, size) if spoiled else np.zeros((0, 8)), np.float64
        ),
    )


def _random_occluders(rng: np.random.Generator, size: tuple[int, int]) -> Float64:
    width, height = size
    if rng.random() > 0.12:
        return np.zeros((0, 8))
    row = np.zeros((1, 8))
    thick = rng.uniform(0.03, 0.10)
    if rng.random() < 0.6:  # a post
        x = rng.uniform(0.1, 0.9)
        row[0, :4] = x * width, 0, (x + thick) * width, height
    elif rng.random() < 0.6:  # a rail or a table
        y = rng.uniform(0.55, 0.95)
        row[0, :4] = 0, y * height, width, (y + thick) * height
    else:  # something in a corner
        x = rng.uniform(-0.1, 0.9)
        row[0, :4] = x * width, rng.uniform(0.7, 0.9) * height, (x + 0.3) * width, height
    row[0, 4:7] = rng.uniform(0.02, 0.6, 3)
    return row


def _wander(rng: np.random.Generator, count: int, width: int, knot_s: float) -> Float64:
    """Return smooth noise (count, width) of about unit variance at ``_SHAKE_RATE``."""
    knots = np.arange(max(2, int(np.ceil(count / _SHAKE_RATE / knot_s)) + 2)) * knot_s
    values = rng.normal(size=(len(knots), width))
    position = np.arange(count) / _SHAKE_RATE / knot_s
    below = np.minimum(position.astype(np.int64), len(knots) - 2)
    part = (position - below)[:, None]
    part = part * part * (3 - 2 * part)
    result: Float64 = values[below] * (1 - part) + values[below + 1] * part
    return result
