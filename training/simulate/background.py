"""What stands behind the figure: rooms, fields, clutter, or a natural picture; linear light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.simulate.compiled import compiled

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Float64, UInt8

MARGIN = 1.3  # background size relative to the picture, for shake and pan


def from_image(rng: np.random.Generator, image: UInt8, size: tuple[int, int]) -> Float32:
    """Crop a natural picture at random and bring it to the background's size, linear light."""
    width, height = round(size[0] * MARGIN), round(size[1] * MARGIN)
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


def procedural(
    rng: np.random.Generator,
    position: Float64,
    axes: Float64,
    focal: float,
    *,
    size: tuple[int, int],
    clean: bool,
) -> Float32:
    """Draw a room, a hall, a field or a studio, in the perspective of a camera.

    ``position`` (3,), ``axes`` (3, 3) rows right, down, forward, ``focal`` in pixels; the result is
    ``MARGIN`` times as large as ``size`` (width, height).
    """
    width, height = round(size[0] * MARGIN), round(size[1] * MARGIN)
    u = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / np.float32(focal)
    v = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) / np.float32(focal)
    right, down, forward = axes.astype(np.float32)
    rays = forward + u[None, :, None] * right + v[:, None, None] * down  # (H, W, 3)
    eye = position.astype(np.float32)
    noise = _Noise(rng)
    kind = str(rng.choice(["room", "outdoor", "studio", "mess"], p=[0.5, 0.25, 0.1, 0.15]))
    if clean and kind in ("mess", "studio"):
        kind = "room"
    far = np.where(rays[..., 2] < -1e-3, -eye[2] / np.minimum(rays[..., 2], -1e-3), 1e4)
    floor_x = np.clip(eye[0] + far * rays[..., 0], -300, 300)
    floor_y = np.clip(eye[1] + far * rays[..., 1], -300, 300)
    picture = _floor(rng, noise, floor_x, floor_y, outdoor=kind == "outdoor")
    if kind == "outdoor":
        behind = _sky(rng, noise, rays)
        is_floor = far < 80.0
    else:
        behind, wall_far = _wall(rng, noise, rays, eye, kind)
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
