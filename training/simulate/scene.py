"""Where it happens: camera, light, background, things in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Float32, Float64, UInt8, as_read_only
from training.simulate.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHAKE_RATE = 20.0  # knots per second of the hand-held motion
_MARGIN = 1.3  # background size relative to the picture, for shake and pan


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
    limit = (_MARGIN - 1) / 2 * 0.8
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
        background = _from_image(rng, images[int(rng.integers(len(images)))], size)
    else:
        background = _procedural(rng, camera, size, clean=clean)
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


def _from_image(rng: np.random.Generator, image: UInt8, size: tuple[int, int]) -> Float32:
    """Crop a natural picture at random and bring it to the background's size, linear light."""
    width, height = round(size[0] * _MARGIN), round(size[1] * _MARGIN)
    rows, columns = image.shape[:2]
    scale = min(columns / width, rows / height) * rng.uniform(0.5, 1.0)
    x0 = rng.uniform(0, columns - width * scale)
    y0 = rng.uniform(0, rows - height * scale)
    flip = rng.random() < 0.5
    x = np.clip(x0 + (np.arange(width) + 0.5) * scale, 0, columns - 1).astype(np.int64)
    y = np.clip(y0 + (np.arange(height) + 0.5) * scale, 0, rows - 1).astype(np.int64)
    x = x[::-1] if flip else x
    taken = image[y[:, None], x[None]].astype(np.float32) / 255.0
    result: Float32 = taken**2.2 * np.float32(rng.uniform(0.7, 1.1))
    return result


def _colour(rng: np.random.Generator, low: float, high: float, strength: float) -> Float64:
    """Return a linear colour of random lightness and limited saturation."""
    grey = rng.uniform(low, high)
    return np.asarray(np.clip(grey * (1 + rng.normal(0, strength, 3)), 0.005, 1.0)) ** 2.2


class _Noise:
    """Value noise from one random table."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._table = rng.random((64, 64)).astype(np.float32)

    def __call__(self, u: Float32 | Float64, v: Float32 | Float64, octaves: int = 1) -> Float32:
        """Return values in [0, 1] at places of any shape."""
        out = np.empty(u.size, np.float32)
        flat_u = np.ascontiguousarray(u, np.float32).reshape(-1)
        flat_v = np.ascontiguousarray(v, np.float32).reshape(-1)
        _add_octaves(self._table, flat_u, flat_v, octaves, out)
        return out.reshape(u.shape)


@compiled
def _add_octaves(table: Float32, u: Float32, v: Float32, octaves: int, out: Float32) -> None:
    for i in range(u.shape[0]):
        total, weight, weights, scale = 0.0, 1.0, 0.0, 1.0
        for _ in range(octaves):
            x, y = u[i] * scale, v[i] * scale
            fx, fy = np.floor(x), np.floor(y)
            a, b = x - fx, y - fy
            a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
            x0, y0 = int(fx) & 63, int(fy) & 63
            x1, y1 = (x0 + 1) & 63, (y0 + 1) & 63
            top = table[y0, x0] * (1 - a) + table[y0, x1] * a
            low = table[y1, x0] * (1 - a) + table[y1, x1] * a
            total += weight * (top * (1 - b) + low * b)
            weights += weight
            scale, weight = scale * 2.17, weight * 0.55
        out[i] = total / weights


def _procedural(
    rng: np.random.Generator, camera: Camera, size: tuple[int, int], *, clean: bool
) -> Float32:
    """Draw a room, a hall, a field or a studio, in the camera's perspective."""
    width, height = round(size[0] * _MARGIN), round(size[1] * _MARGIN)
    u = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / np.float32(camera.focal)
    v = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) / np.float32(camera.focal)
    right, down, forward = camera.axes.astype(np.float32)
    rays = forward + u[None, :, None] * right + v[:, None, None] * down  # (H, W, 3)
    position = camera.position.astype(np.float32)
    noise = _Noise(rng)
    kind = str(rng.choice(["room", "outdoor", "studio", "mess"], p=[0.5, 0.25, 0.1, 0.15]))
    if clean and kind in ("mess", "studio"):
        kind = "room"
    far = np.where(rays[..., 2] < -1e-3, -position[2] / np.minimum(rays[..., 2], -1e-3), 1e4)
    floor_x = np.clip(position[0] + far * rays[..., 0], -300, 300)
    floor_y = np.clip(position[1] + far * rays[..., 1], -300, 300)
    picture = _floor(rng, noise, floor_x, floor_y, outdoor=kind == "outdoor")
    if kind == "outdoor":
        behind = _sky(rng, noise, rays)
        is_floor = far < 80.0
    else:
        behind, wall_far = _wall(rng, noise, rays, position, kind)
        is_floor = far < wall_far
    picture = np.where(is_floor[..., None], picture, behind)
    if kind == "studio":
        soft = np.clip(0.5 + rays[..., 2] * 1.5, 0, 1)[..., None]
        picture = picture.mean(axis=(0, 1)) * (1 - soft) + behind * soft
    if kind == "mess" or (not clean and rng.random() < 0.2):
        _scatter(rng, picture)
    result: Float32 = np.clip(picture, 0.0, 1.2).astype(np.float32)
    return result


def _floor(
    rng: np.random.Generator, noise: _Noise, x: Float32, y: Float32, *, outdoor: bool
) -> Float32:
    first = _colour(rng, 0.25, 0.75, 0.12)
    second = first * rng.uniform(0.55, 1.3)
    if outdoor:
        first = np.array([0.25, 0.42, 0.14]) ** 1.5 * rng.uniform(0.6, 1.6)
        second = first * rng.uniform(0.5, 0.9, 3)
        if rng.random() < 0.4:
            first, second = _colour(rng, 0.35, 0.7, 0.1), _colour(rng, 0.3, 0.6, 0.1)
    angle = rng.uniform(0, np.pi)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    a, b = c * x + s * y, -s * x + c * y
    mix = noise(a * np.float32(rng.uniform(2, 9)), b * np.float32(rng.uniform(2, 9)), 3)
    kind = int(rng.integers(4)) if not outdoor else int(rng.choice([0, 0, 3]))
    fade = np.clip(8.0 / (1e-3 + np.hypot(x, y)), 0, 1)  # far patterns blur into their mean
    lines = np.zeros_like(mix)
    if kind == 1:  # planks
        lines = (np.abs((a * np.float32(rng.uniform(3, 8))) % 1.0 - 0.5) > 0.46).astype(np.float32)
    elif kind == 2:  # tiles
        pitch = np.float32(rng.uniform(1, 3))
        lines = (
            (np.abs((a * pitch) % 1.0 - 0.5) > 0.47) | (np.abs((b * pitch) % 1.0 - 0.5) > 0.47)
        ).astype(np.float32)
        mix = 0.6 * mix + 0.4 * (((np.floor(a * pitch) + np.floor(b * pitch)) % 2) > 0)
    picture = first + (second - first) * mix[..., None]
    if kind == 3:  # a mat or a painted line
        inside = (np.abs(a) < rng.uniform(0.7, 2.2)) & (np.abs(b) < rng.uniform(0.7, 2.2))
        picture = np.where(inside[..., None], _colour(rng, 0.15, 0.8, 0.4), picture)
    picture = picture * (1 - 0.5 * (lines * fade)[..., None])
    return picture.astype(np.float32)


def _sky(rng: np.random.Generator, noise: _Noise, rays: Float32) -> Float32:
    flat = np.hypot(rays[..., 0], rays[..., 1])
    up = rays[..., 2] / np.maximum(flat, 1e-3)
    around = np.arctan2(rays[..., 1], rays[..., 0]).astype(np.float32)
    top, low = np.array([0.20, 0.40, 0.85]) * rng.uniform(0.4, 1.1), np.array([0.75, 0.82, 0.9])
    if rng.random() < 0.4:
        top = low = _colour(rng, 0.6, 0.95, 0.03)
    picture = low + (top - low) * np.clip(up * 2, 0, 1)[..., None]
    cloud = np.clip(noise(around * 6, up * 14, 3) * 2.2 - 1.0, 0, 1)
    picture = picture + (0.9 - picture) * (cloud * rng.uniform(0, 0.9))[..., None]
    for _ in range(rng.integers(1, 4)):  # hills, trees, houses
        edge = rng.uniform(0.02, 0.28) * noise(
            around * np.float32(rng.uniform(3, 40)) + rng.uniform(0, 50), np.zeros_like(around), 2
        ) + rng.uniform(-0.02, 0.12)
        if rng.random() < 0.4:
            edge = np.round(edge * 25) / 25
        colour = np.array([0.08, 0.14, 0.05]) * rng.uniform(0.5, 3.0)
        if rng.random() < 0.4:
            colour = _colour(rng, 0.2, 0.7, 0.1)
        inside = up < edge
        grain = 0.7 + 0.6 * noise(around[inside] * 60, up[inside] * 60, 2)
        picture[inside] = colour * grain[:, None]
    result: Float32 = picture.astype(np.float32)
    return result


def _wall(
    rng: np.random.Generator, noise: _Noise, rays: Float32, position: Float32, kind: str
) -> tuple[Float32, Float32]:
    """Return the wall's colours (H, W, 3) and how far it is along each ray (H, W)."""
    away = -position[:2] / max(float(np.linalg.norm(position[:2])), 1e-3)
    base = np.arctan2(away[1], away[0])
    far = np.full(rays.shape[:2], 1e4, np.float32)
    along = np.zeros_like(far)
    corner = rng.uniform(-0.6, 0.6)
    for turn in (corner, corner + (np.pi / 2 if corner < 0 else -np.pi / 2)):
        normal = np.array([np.cos(base + turn), np.sin(base + turn)], np.float32)
        gap = np.float32(rng.uniform(1.2, 5.5)) - position[:2] @ normal
        speed = rays[..., 0] * normal[0] + rays[..., 1] * normal[1]
        here = np.where(speed > 1e-3, gap / np.maximum(speed, 1e-3), 1e4)
        side = (position[0] + here * rays[..., 0]) * -normal[1] + (
            position[1] + here * rays[..., 1]
        ) * normal[0]
        nearer = here < far
        along = np.where(nearer, side + 20 * turn, along)
        far = np.where(nearer, here, far)
    high = position[2] + far * rays[..., 2]
    first = _colour(rng, 0.3, 0.95, 0.1)
    shade = 0.85 + 0.3 * noise(along * 0.8, high * 0.8, 3)
    picture = first * shade[..., None]
    pattern = rng.integers(5)
    if pattern == 0:  # bricks or panels
        pitch_x, pitch_y = rng.uniform(0.8, 4.0), rng.uniform(1.5, 8.0)
        row = np.floor(high * pitch_y)
        joint = (((along * pitch_x + 0.5 * (row % 2)) % 1.0) < 0.05) | (
            (high * pitch_y) % 1.0 < 0.12
        )
        picture = np.where(joint[..., None], picture * rng.uniform(0.55, 1.2), picture)
    elif pattern == 1:  # bars
        bar = ((along * rng.uniform(1.0, 5.0)) % 1.0) < rng.uniform(0.1, 0.5)
        picture = np.where(bar[..., None], _colour(rng, 0.2, 0.9, 0.2) * shade[..., None], picture)
    if rng.random() < 0.5:  # a base of another colour
        base_colour = _colour(rng, 0.15, 0.8, 0.15)
        picture = np.where((high < rng.uniform(0.1, 1.3))[..., None], base_colour, picture)
    spread = 4.0
    centre = float(np.median(along))
    for _ in range(rng.integers(0, 7) + (6 if kind == "mess" else 0)):
        x = centre + rng.uniform(-spread, spread)
        z = 0.0 if rng.random() < 0.4 else rng.uniform(0.3, 2.4)
        wide, tall = rng.uniform(0.15, 1.3), rng.uniform(0.15, 1.7)
        inside = (np.abs(along - x) < wide / 2) & (high > z) & (high < z + tall)
        here, above = along[inside], high[inside]
        rim = (np.abs(here - x) > wide / 2 - 0.04) | (above > z + tall - 0.04)
        colour = _colour(rng, 0.05, 0.98, 0.3)
        grain = 0.8 + 0.4 * noise(here * np.float32(rng.uniform(1, 14)), above * 5, 2)
        picture[inside] = colour * np.where(rim, 0.5, grain)[:, None]
    return picture.astype(np.float32), far


def _scatter(rng: np.random.Generator, picture: Float32) -> None:
    """Throw rectangles, discs and lines over the picture."""
    height, width = picture.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None]
    for _ in range(rng.integers(3, 14)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        reach = rng.uniform(0.02, 0.18) * height
        kind = rng.integers(3)
        if kind == 0:
            tall = reach * rng.uniform(0.3, 3)
            inside = (np.abs(columns - x) < reach) & (np.abs(rows - y) < tall)
        elif kind == 1:
            inside = np.hypot(columns - x, rows - y) < reach
        else:
            angle = rng.uniform(0, np.pi)
            off = (columns - x) * np.sin(angle) - (rows - y) * np.cos(angle)
            inside = np.abs(off) < rng.uniform(0.5, 2.5)
        part = np.float32(rng.uniform(0.3, 1.0))
        picture[inside] += (
            _colour(rng, 0.05, 0.95, 0.3).astype(np.float32) - picture[inside]
        ) * part
