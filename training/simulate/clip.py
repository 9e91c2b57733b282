"""Views of an action, rendered clips with their truth, and pairs of clips for training.

>>> rng = np.random.default_rng(7)
>>> first, second = simulate_pair(rng, frames=32, size=112)
>>> first.frames.shape, first.action_s.shape          # action_s: the exact correspondence
((32, 112, 112, 3), (32,))
"""

from __future__ import annotations

import concurrent.futures
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Bool, Float32, Float64, UInt8, as_read_only, read_only
from training.simulate.body import Body, Look, random_body
from training.simulate.motion import (
    Action,
    Style,
    Warp,
    pose_at,
    random_action,
    random_style,
    random_warp,
)
from training.simulate.phrases import TRAINING_FAMILIES
from training.simulate.render import GAMMA_TABLE, render_frames
from training.simulate.scene import Camera, Scene, fit_camera, random_scene
from training.simulate.skeleton import JOINT_NAMES, pose_body

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NOISE_TABLE: Float32 = np.random.default_rng(20).normal(size=1 << 16).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Bystander:
    """A second figure in the background, doing something else."""

    action: Action
    style: Style
    body: Body
    place: Float64  # float64 (4,): x, y, heading in radians, rate


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One performance of an action, filmed: who, where, from where, at what speed.

    Attributes
    ----------
    size : width, height in pixels
    warp : action time as a function of view time; ``duration_s`` is the view's length
    """

    size: tuple[int, int]
    body: Body
    style: Style
    camera: Camera
    scene: Scene
    warp: Warp
    bystander: Bystander | None = None

    @property
    def duration_s(self) -> float:
        """Length of the view in seconds of view time."""
        return self.warp.duration_s


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedClip:
    """Frames and their truth; all arrays are read-only.

    Attributes
    ----------
    frames : uint8 (T, H, W, 3) RGB
    times_s : float32 (T,), seconds of view time
    action_s : float32 (T,), seconds of action time: frames of two views of the same action
        correspond exactly where these are equal
    joints : float32 (T, J, 2), x and y divided by width and height (outside [0, 1] = off picture)
    visible : bool (T, J), in the picture and not hidden by another part of the scene
    """

    frames: UInt8
    times_s: Float32
    action_s: Float32
    joints: Float32
    visible: Bool
    joint_names: tuple[str, ...] = JOINT_NAMES


def random_view(
    rng: np.random.Generator,
    action: Action,
    *,
    size: int | tuple[int, int] = 112,
    azimuth: float | None = None,
    rate: tuple[float, float] = (0.3, 3.0),
    trim: float = 0.2,
    style_strength: float = 1.0,
    shake: float | None = None,
    mirrored: bool = False,
    images: Sequence[UInt8] = (),
    image_probability: float = 0.5,
    bystander_probability: float = 0.1,
    look: Look | None = None,
    warp: Warp | None = None,
    clean: bool = False,
) -> View:
    """Draw body, style, camera, scene and speed for a performance of ``action``.

    Parameters
    ----------
    size : side, or (width, height), in pixels
    azimuth : camera direction in degrees, None = anywhere
    rate, trim : limits of the momentary speed, most of the action missing at either end
    shake : hand-held motion, 1 = about 1.2 % of the height, None = drawn
    images : natural pictures uint8 (H, W, 3) RGB to use as backgrounds in some views
    look, warp : fixed instead of drawn
    clean : no noise, blur, flicker, occluder or bystander
    """
    width, height = (size, size) if isinstance(size, int) else size
    body = random_body(rng, look, prop_probability=0.0 if clean else 0.15)
    style = replace(random_style(rng, action, strength=style_strength), mirrored=mirrored)
    warp = warp or random_warp(rng, action, rate=rate, trim=trim)
    azimuth = float(rng.uniform(-180, 180)) if azimuth is None else azimuth
    moments = np.linspace(warp.action_s[0], warp.action_s[-1], 40)
    places, _ = pose_body(body, pose_at(action, moments, style))
    fill = rng.uniform(0.95, 1.2) if rng.random() < 0.1 else rng.uniform(0.62, 0.95)
    drawn_shake = float(rng.choice([0.0, 0.3, 1.0, 1.6], p=[0.35, 0.25, 0.25, 0.15]))
    camera = fit_camera(
        rng,
        places.reshape(-1, 3),
        size=(width, height),
        duration_s=warp.duration_s,
        azimuth=azimuth,
        elevation=float(np.clip(rng.normal(9, 10), -4, 45)) if not clean else rng.uniform(4, 12),
        fov=float(rng.uniform(22, 62)) if not clean else rng.uniform(28, 40),
        fill=float(fill) if not clean else 0.86,
        shake=drawn_shake if shake is None else shake,
    )
    scene = random_scene(
        rng,
        camera,
        size=(width, height),
        images=images,
        image_probability=image_probability,
        clean=clean,
    )
    bystander = None
    if not clean and rng.random() < bystander_probability:
        bystander = _random_bystander(rng, camera)
    return View((width, height), body, style, camera, scene, warp, bystander)


def render_clip(action: Action, view: View, times_s: Float64, *, samples: int = 2) -> SimulatedClip:
    """Render the view at the given view times (T,), ``samples`` squared rays per pixel.

    The result depends on nothing else: rendering one time alone gives the same frame. Releases the
    interpreter's lock while rendering, so threads run in parallel.
    """
    times = np.asarray(times_s, np.float64)
    action_s = view.warp.action_at(times)
    joints, solids = pose_body(view.body, pose_at(action, action_s, view.style))
    materials = view.body.materials
    if view.bystander is not None:
        solids = np.concatenate([solids, _bystander_solids(view.bystander, times)], axis=1)
        materials = np.concatenate([materials, view.bystander.body.materials])
    width, height = view.size
    count = len(times)
    frames = np.empty((count, height, width, 3), np.uint8)
    places = np.empty((count, joints.shape[1], 2), np.float32)
    visible = np.empty((count, joints.shape[1]), np.bool_)
    scene = view.scene
    # What comes from a view is read-only, so that one compiled variant serves every call.
    render_frames(
        np.ascontiguousarray(solids),
        as_read_only(materials, np.float64),
        np.ascontiguousarray(joints),
        as_read_only(view.camera.position, np.float64),
        as_read_only(view.camera.axes, np.float64),
        view.camera.focal,
        np.ascontiguousarray(view.camera.motion_at(times)),
        as_read_only(scene.background, np.float32),
        as_read_only(scene.light, np.float64),
        scene.gains_at(times),
        scene.softness,
        scene.noise,
        _NOISE_TABLE,
        np.floor(np.abs(times) * 7919.0 % 1.0 * len(_NOISE_TABLE)),
        as_read_only(scene.occluders, np.float64),
        samples,
        GAMMA_TABLE,
        frames,
        places,
        visible,
    )
    places /= np.array([width, height], np.float32)
    return SimulatedClip(
        frames=read_only(frames),
        times_s=as_read_only(times, np.float32),
        action_s=as_read_only(action_s, np.float32),
        joints=read_only(places),
        visible=read_only(visible),
    )


def simulate_pair(
    rng: np.random.Generator,
    *,
    frames: int = 32,
    size: int | tuple[int, int] = 112,
    families: Sequence[str] = TRAINING_FAMILIES,
    duration_s: tuple[float, float] = (3.0, 12.0),
    rate: tuple[float, float] = (0.3, 3.0),
    trim: float = 0.2,
    even: bool | None = None,
    images: Sequence[UInt8] = (),
    image_probability: float = 0.5,
    same_person: bool = False,
) -> tuple[SimulatedClip, SimulatedClip]:
    """Return two clips of one action by different bodies, cameras and speeds.

    Corresponding frames have equal ``action_s`` (use it as the time t of the sequence loss).

    Parameters
    ----------
    frames : T of either clip
    duration_s : range of the action's length; the whole of a view is sampled with T frames
    even : frames evenly spaced in view time; False = at random times; None = either, at random
    images : natural pictures for backgrounds
    same_person : both clips show the same body in the same clothes
    """
    action = random_action(rng, duration_s=duration_s, families=families)
    azimuth = float(rng.uniform(-180, 180))
    kind = rng.random()
    if kind < 0.45:
        turn = rng.normal(0, 18)
    elif kind < 0.85:
        turn = rng.uniform(-90, 90)
    else:
        turn = rng.uniform(-180, 180)
    views = [
        random_view(
            rng,
            action,
            size=size,
            azimuth=angle,
            rate=rate,
            trim=trim,
            images=images,
            image_probability=image_probability,
        )
        for angle in (azimuth, azimuth + turn)
    ]
    if same_person:
        views[1] = replace(views[1], body=views[0].body)
    clips = [
        render_clip(action, view, sample_times(rng, view.duration_s, frames, even=even))
        for view in views
    ]
    return clips[0], clips[1]


def simulate_pairs(
    seed: int,
    indices: Sequence[int],
    *,
    workers: int = 1,
    frames: int = 32,
    size: int | tuple[int, int] = 112,
    families: Sequence[str] = TRAINING_FAMILIES,
    images: Sequence[UInt8] = (),
    image_probability: float = 0.5,
) -> Iterator[tuple[SimulatedClip, SimulatedClip]]:
    """Yield the pairs with the given indices, in order, from ``workers`` threads.

    A pair depends on ``seed`` and its index alone, so any worker count gives the same pairs.
    """

    def make(index: int) -> tuple[SimulatedClip, SimulatedClip]:
        return simulate_pair(
            np.random.default_rng([seed, index]),
            frames=frames,
            size=size,
            families=families,
            images=images,
            image_probability=image_probability,
        )

    if workers <= 1:
        yield from map(make, indices)
        return
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        yield from pool.map(make, indices)


def sample_times(
    rng: np.random.Generator, duration_s: float, count: int, *, even: bool | None = None
) -> Float64:
    """Return ``count`` ascending view times within [0, duration_s]."""
    if even is None:
        even = bool(rng.random() < 0.5)
    if even:
        return np.linspace(0.0, duration_s, count)
    # One time in each of ``count`` equal slots: irregular, but nowhere sparse.
    slots = (np.arange(count) + rng.random(count)) / count
    return np.asarray(slots * duration_s)


def _random_bystander(rng: np.random.Generator, camera: Camera) -> Bystander:
    action = random_action(rng, duration_s=(3.0, 8.0))
    forward = -camera.position[:2] / max(float(np.linalg.norm(camera.position[:2])), 1e-3)
    side = np.array([-forward[1], forward[0]])
    place = forward * rng.uniform(0.8, 2.5) + side * rng.choice([-1, 1]) * rng.uniform(0.5, 1.6)
    return Bystander(
        action,
        random_style(rng, action),
        random_body(rng),
        np.array([*place, rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.5)]),
    )


def _bystander_solids(other: Bystander, times_s: Float64) -> Float64:
    x, y, heading, rate = other.place
    period = 2 * other.action.duration_s
    forth = np.abs((times_s * rate) % period - other.action.duration_s)  # there and back again
    _, solids = pose_body(other.body, pose_at(other.action, forth, other.style))
    c, s = np.cos(heading), np.sin(heading)
    for first in (0, 3, 8):
        a, b = solids[..., first].copy(), solids[..., first + 1].copy()
        solids[..., first], solids[..., first + 1] = c * a - s * b, s * a + c * b
    for first in (0, 3):
        solids[..., first] += x
        solids[..., first + 1] += y
    return solids
