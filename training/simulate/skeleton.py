"""Forward kinematics: from poses to joints in space and to the solids that are drawn.

Every solid is a tapered capsule in its own frame, flattened along its front axis and at its caps,
so that one ray test draws limbs, trunks, heads and hair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from training.simulate.body import (
    G_ARM,
    G_BELLY,
    G_CHEST,
    G_ELBOW,
    G_FOOT,
    G_HAIR,
    G_HAND,
    G_HIP,
    G_KNEE,
    G_NECK,
    G_SHANK,
    G_SHOULDER,
    G_SKIRT,
    G_SLEEVE,
    G_THIGH,
    G_TROUSER,
    G_WAIST,
    G_WRIST,
    L_ANKLE,
    L_ARM,
    L_FOOT,
    L_FORE,
    L_HAND,
    L_HEAD,
    L_HEADWIDTH,
    L_HIP,
    L_LOWER,
    L_NECK,
    L_SHANK,
    L_SHOULDER,
    L_THIGH,
    L_UPPER,
    SOLIDS,
    Body,
)
from training.simulate.pose import INDEX

if TYPE_CHECKING:
    from carl_core.arrays import Float64

JOINT_NAMES: tuple[str, ...] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "head_top",
    "neck",
    "chest",
    "pelvis",
    "left_hand",
    "right_hand",
    "left_toe",
    "right_toe",
)

# Points of the skeleton; the joints reported are a selection of them.
PELVIS, WAIST, NECK, NECK_TOP, HEAD, TOP, NOSE, CHEST = range(8)
EYE, EAR, SHOULDER, ELBOW, WRIST, HAND, HIP, KNEE, ANKLE, HEEL, TOE = range(8, 30, 2)
POINTS = 30
_JOINT_POINTS = np.array(
    [NOSE, EYE, EYE + 1, EAR, EAR + 1, SHOULDER, SHOULDER + 1, ELBOW, ELBOW + 1, WRIST, WRIST + 1,
     HIP, HIP + 1, KNEE, KNEE + 1, ANKLE, ANKLE + 1, TOP, NECK, CHEST, PELVIS, HAND, HAND + 1,
     TOE, TOE + 1]
)  # fmt: skip
# Frames (rotation matrices) of the skeleton.
F_PELVIS, F_CHEST, F_HEAD, F_UPPER, F_FORE, F_HAND, F_THIGH, F_SHANK, F_FOOT = (
    0, 1, 2, 3, 5, 7, 9, 11, 13,
)  # fmt: skip
FRAMES = 15
SOLID_SIZE = 16  # a 3, b 3, r_a, r_b, front 3, flat, cap, (spare)


_Put = Callable[..., None]  # puts one solid, see ``_solids``


def pose_body(body: Body, poses: Float64) -> tuple[Float64, Float64]:
    """Return joints float64 (T, J, 3) and solids float64 (T, SOLIDS, SOLID_SIZE), in metres.

    The lowest part touches the floor z = 0 unless the pose lifts it.
    """
    points, frames = _skeleton(poses, body.lengths)
    _stand_on_floor(poses, body, points)
    return points[:, _JOINT_POINTS], _solids(points, frames, body)


def _turned(frames: Float64, axis: int, degrees: Float64) -> Float64:
    """Return frames (T, 3, 3) times rotations about their own axis 0, 1 or 2."""
    radians = np.radians(degrees)
    c, s = np.cos(radians)[:, None], np.sin(radians)[:, None]
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out = frames.copy()
    out[..., i] = frames[..., i] * c + frames[..., j] * s
    out[..., j] = frames[..., j] * c - frames[..., i] * s
    return out


def _skeleton(poses: Float64, lengths: Float64) -> tuple[Float64, Float64]:
    """Return points (T, POINTS, 3) and frames (T, FRAMES, 3, 3); columns: front, left, up."""
    count = len(poses)
    points, frames = np.zeros((count, POINTS, 3)), np.zeros((count, FRAMES, 3, 3))
    pose = {name: poses[:, i] for name, i in INDEX.items()}
    upright = np.broadcast_to(np.eye(3), (count, 3, 3))
    root = _turned(_turned(_turned(upright, 2, pose["yaw"]), 1, pose["pitch"]), 0, -pose["roll"])
    # The trunk bends in two places, at the waist and in the chest.
    half = _turned(root, 2, pose["twist"] * 0.4)
    half = _turned(_turned(half, 1, pose["spine"] * 0.5), 0, -pose["side"] * 0.5)
    chest = _turned(half, 2, pose["twist"] * 0.6)
    chest = _turned(_turned(chest, 1, pose["spine"] * 0.5), 0, -pose["side"] * 0.5)
    head = _turned(_turned(chest, 2, pose["neck_twist"]), 1, pose["neck"])
    head = _turned(head, 0, -pose["neck_side"])
    frames[:, F_PELVIS], frames[:, F_CHEST], frames[:, F_HEAD] = root, chest, head
    points[:, WAIST] = root[..., 2] * lengths[L_LOWER]
    points[:, CHEST] = points[:, WAIST] + half[..., 2] * lengths[L_UPPER] * 0.5
    points[:, NECK] = points[:, CHEST] + chest[..., 2] * lengths[L_UPPER] * 0.5
    throat = (chest[..., 2] + head[..., 2]) * 0.5 * lengths[L_NECK]
    points[:, NECK_TOP] = points[:, NECK] + throat
    size, wide = lengths[L_HEAD], lengths[L_HEADWIDTH]
    front, left, up = head[..., 0], head[..., 1], head[..., 2]
    points[:, HEAD] = points[:, NECK_TOP] + up * size * 0.42 + front * size * 0.08
    points[:, TOP] = points[:, HEAD] + up * size * 0.5
    points[:, NOSE] = points[:, HEAD] + front * wide * 1.22 - up * size * 0.06
    for side, sign in ((0, 1.0), (1, -1.0)):
        eye = front * wide * 1.08 + left * sign * wide * 0.42 + up * size * 0.05
        points[:, EYE + side] = points[:, HEAD] + eye
        points[:, EAR + side] = points[:, HEAD] + left * sign * wide * 0.98
        _limbs(pose, side, sign, lengths, chest, root, points, frames)
    return points, frames


def _limbs(
    pose: dict[str, Float64],
    side: int,
    sign: float,
    lengths: Float64,
    chest: Float64,
    root: Float64,
    points: Float64,
    frames: Float64,
) -> None:
    """Fill in one arm and one leg."""
    arm = {n: pose[("l_", "r_")[side] + n] for n in ("raise", "plane", "rot", "elbow", "wrist")}
    lift = np.clip((arm["raise"] - 50.0) / 120.0, 0.0, 1.0)[:, None]  # the shoulder rises too
    out = sign * lengths[L_SHOULDER] * (1 - 0.12 * lift)
    up = lengths[L_UPPER] * (-0.10 + 0.20 * lift)
    points[:, SHOULDER + side] = points[:, NECK] + chest[..., 1] * out + chest[..., 2] * up
    plane = sign * arm["plane"]
    upper = _turned(_turned(chest, 2, plane), 1, -arm["raise"])
    upper = _turned(upper, 2, sign * arm["rot"] - plane)
    fore = _turned(upper, 1, -arm["elbow"])
    hand = _turned(fore, 1, -arm["wrist"])
    points[:, ELBOW + side] = points[:, SHOULDER + side] - upper[..., 2] * lengths[L_ARM]
    points[:, WRIST + side] = points[:, ELBOW + side] - fore[..., 2] * lengths[L_FORE]
    points[:, HAND + side] = points[:, WRIST + side] - hand[..., 2] * lengths[L_HAND]

    leg = {n: pose[("l_", "r_")[side] + n] for n in ("hip", "abduct", "turn", "knee", "ankle")}
    points[:, HIP + side] = (
        root[..., 1] * sign * lengths[L_HIP] - root[..., 2] * lengths[L_LOWER] * 0.25
    )
    thigh = _turned(_turned(root, 2, sign * leg["turn"]), 0, sign * leg["abduct"])
    thigh = _turned(thigh, 1, -leg["hip"])
    shank = _turned(thigh, 1, leg["knee"])
    # The ankle turns the sole to the floor as far as it can.
    level = np.degrees(np.arctan2(shank[:, 2, 0], np.maximum(shank[:, 2, 2], 0.05)))
    foot = _turned(shank, 1, np.clip(level, -35.0, 52.0) + leg["ankle"])
    points[:, KNEE + side] = points[:, HIP + side] - thigh[..., 2] * lengths[L_THIGH]
    points[:, ANKLE + side] = points[:, KNEE + side] - shank[..., 2] * lengths[L_SHANK]
    sole = points[:, ANKLE + side] - foot[..., 2] * lengths[L_ANKLE] * 0.5
    points[:, HEEL + side] = sole - foot[..., 0] * lengths[L_FOOT] * 0.18
    points[:, TOE + side] = sole + foot[..., 0] * lengths[L_FOOT] * 0.68
    for first, frame in (
        (F_UPPER, upper), (F_FORE, fore), (F_HAND, hand), (F_THIGH, thigh), (F_SHANK, shank),
        (F_FOOT, foot),
    ):  # fmt: skip
        frames[:, first + side] = frame


def _stand_on_floor(poses: Float64, body: Body, points: Float64) -> None:
    """Shift the points so that the lowest part touches z = 0 and standing feet stay in place."""
    lengths, girths = body.lengths, body.girths
    parts = [(HEAD, lengths[L_HEADWIDTH]), (PELVIS, girths[G_HIP] * 0.8)]
    for side in range(2):
        parts += [
            (HEEL + side, lengths[L_ANKLE] * 0.5),
            (TOE + side, lengths[L_ANKLE] * 0.5),
            (HAND + side, girths[G_HAND]),
            (ELBOW + side, girths[G_ELBOW]),
            (KNEE + side, girths[G_KNEE]),
            (SHOULDER + side, girths[G_ARM]),
            (HIP + side, girths[G_THIGH] * 1.15),
        ]
    lowest = np.min([points[:, part, 2] - radius for part, radius in parts], axis=0)
    yaw = np.radians(poses[:, INDEX["yaw"]])
    shift = np.zeros((len(poses), 2))
    total = np.full(len(poses), 0.03)
    for side, sign in ((0, 1.0), (1, -1.0)):
        home = sign * lengths[L_HIP] * 1.6 * np.stack([-np.sin(yaw), np.cos(yaw)], axis=1)
        height = points[:, ANKLE + side, 2] - lengths[L_ANKLE] - lowest
        weight = np.exp(-np.maximum(height, 0.0) / 0.05)
        shift += weight[:, None] * (points[:, ANKLE + side, :2] - home)
        total += weight
    scale = (lengths[L_THIGH] + lengths[L_SHANK]) / 0.83  # steps and jumps grow with the legs
    points[..., :2] += (poses[:, :2] * scale - shift / total[:, None])[:, None]
    points[..., 2] += (poses[:, INDEX["lift"]] * scale - lowest)[:, None]


def _solids(points: Float64, frames: Float64, body: Body) -> Float64:
    """Return solids (T, SOLIDS, SOLID_SIZE); radius 0 = not there."""
    solids = np.zeros((len(points), SOLIDS, SOLID_SIZE))

    def put(
        solid: int,
        a: Float64,
        b: Float64,
        radii: tuple[float | Float64, float | Float64],
        front: Float64,
        flat: float = 1.0,
        cap: float = 1.0,
    ) -> None:
        row = solids[:, solid]
        row[:, 0:3], row[:, 3:6] = a, b
        row[:, 6], row[:, 7] = radii
        row[:, 8:11], row[:, 11], row[:, 12] = front, flat, cap

    _trunk(put, points, frames, body)
    _head(put, points, frames, body)
    for side in range(2):
        _arm_and_leg(put, side, points, frames, body)
    _props(put, points, frames, body)
    return solids


def _trunk(put: _Put, points: Float64, frames: Float64, body: Body) -> None:
    lengths, g = body.lengths, body.girths
    chest, root, head = frames[:, F_CHEST], frames[:, F_PELVIS], frames[:, F_HEAD]
    torso = lengths[L_UPPER]
    waist, neck = points[:, WAIST], points[:, NECK]
    low = waist + (points[:, CHEST] - waist) * 0.35
    high = neck - chest[..., 2] * (torso * 0.26)
    put(0, low, high, (g[G_WAIST], g[G_CHEST]), chest[..., 0], 0.66, 0.55)
    seat = points[:, PELVIS] - root[..., 2] * lengths[L_LOWER] * 0.15
    put(1, seat, low, (g[G_HIP], g[G_WAIST]), root[..., 0], 0.76, 0.62)
    shoulder = (g[G_SHOULDER], g[G_SHOULDER])
    put(2, points[:, SHOULDER], points[:, SHOULDER + 1], shoulder, chest[..., 0], 1.0, 0.9)
    base = neck - chest[..., 2] * g[G_NECK] * 0.6
    end = points[:, NECK_TOP] + head[..., 2] * g[G_NECK] * 0.6
    put(3, base, end, (g[G_NECK] * 1.15, g[G_NECK]), head[..., 0])
    if g[G_BELLY] > 0:
        belly = waist + root[..., 0] * g[G_WAIST] * 0.35
        radius = min(g[G_BELLY], g[G_WAIST] * 1.05)
        bit = root[..., 2] * 0.02
        put(22, belly - bit, belly + bit, (radius, radius * 0.95), root[..., 0], 0.85, 0.9)
    if g[G_SKIRT] > 0:
        knees = (points[:, KNEE] + points[:, KNEE + 1]) * 0.5
        hem = points[:, PELVIS] + (knees - points[:, PELVIS]) * g[G_SKIRT]
        apart = np.linalg.norm(points[:, KNEE] - points[:, KNEE + 1], axis=1) * 0.5 * g[G_SKIRT]
        wide = np.maximum(g[G_HIP], apart + g[G_THIGH]) * 1.05
        put(23, points[:, PELVIS], hem, (g[G_HIP] * 1.02, wide), root[..., 0], 0.8, 0.25)


def _head(put: _Put, points: Float64, frames: Float64, body: Body) -> None:
    size, wide = body.lengths[L_HEAD], body.lengths[L_HEADWIDTH]
    head, chest = frames[:, F_HEAD], frames[:, F_CHEST]
    front, up = head[..., 0], head[..., 2]
    centre = points[:, HEAD]
    tall = size * 0.5 / wide
    jaw, crown = centre - up * size * 0.14, centre + up * size * 0.10
    put(4, jaw, crown, (wide * 0.84, wide), front, 1.17, tall * 0.76)
    nose = centre + front * wide * 0.95 + up * size * 0.02
    put(8, nose, points[:, NOSE], (wide * 0.10, wide * 0.17), front)
    put(9, points[:, EAR], points[:, EAR + 1], (wide * 0.24, wide * 0.24), front, 0.8, 0.4)
    if body.hair == "none":
        return
    at = centre + up * size * 0.13 - front * wide * 0.20
    bit, radius = up * (0.01 * size), wide * body.girths[G_HAIR]
    put(5, at - bit, at + bit, (radius, radius), front, 1.10, tall * 0.72)
    if body.hair == "long":
        back = centre - front * wide * 0.75 + up * size * 0.1
        end = points[:, NECK] - chest[..., 0] * body.girths[G_CHEST] * 0.62
        end = end - chest[..., 2] * body.lengths[L_UPPER] * 0.22
        put(6, back, end, (wide * 0.85, wide * 0.6), front, 0.55, 0.8)
    elif body.hair == "bun":
        back = centre - front * wide * 1.35 + up * size * 0.22
        end = back - front * wide * 0.3 - up * size * 0.35
        put(6, back, end, (wide * 0.4, wide * 0.26), front)
    elif body.hair == "cap":
        brim = centre + up * size * 0.22 + front * wide * 0.7
        end = brim + front * wide * 1.1 - up * size * 0.04
        put(6, brim, end, (wide * 0.75, wide * 0.62), up, 0.14, 0.5)


def _arm_and_leg(put: _Put, side: int, points: Float64, frames: Float64, body: Body) -> None:
    lengths, g = body.lengths, body.girths
    upper, fore, hand, thigh, shank, foot = (
        frames[:, first + side] for first in (F_UPPER, F_FORE, F_HAND, F_THIGH, F_SHANK, F_FOOT)
    )
    shoulder, elbow, wrist, fist, hip, knee, ankle, heel, toe = (
        points[:, first + side]
        for first in (SHOULDER, ELBOW, WRIST, HAND, HIP, KNEE, ANKLE, HEEL, TOE)
    )
    sleeve, cloth = g[G_SLEEVE], g[G_TROUSER]
    put(10 + side, shoulder, elbow, (g[G_ARM] * 1.1 * sleeve, g[G_ELBOW] * sleeve), upper[..., 0])
    put(12 + side, elbow, wrist, (g[G_ELBOW], g[G_WRIST]), fore[..., 0])
    palm = wrist - hand[..., 2] * lengths[L_HAND] * 0.35
    fingers = fist + hand[..., 2] * g[G_HAND] * 0.7
    put(14 + side, palm, fingers, (g[G_HAND], g[G_HAND] * 0.8), hand[..., 1], 0.6)
    put(16 + side, hip, knee, (g[G_THIGH] * cloth, g[G_KNEE] * cloth), thigh[..., 0], 1.05)
    below = (g[G_KNEE] * cloth**0.7, g[G_SHANK] * 0.66 * cloth)
    put(18 + side, knee, ankle, below, shank[..., 0])
    calf = knee - shank[..., 2] * lengths[L_SHANK] * 0.28 - shank[..., 0] * g[G_SHANK] * 0.3
    calf_top, calf_end = calf + shank[..., 2] * g[G_SHANK] * 0.8, calf - shank[..., 2] * g[G_SHANK]
    radius = g[G_SHANK] * cloth**0.5
    put(26 + side, calf_top, calf_end, (radius, radius * 0.8), shank[..., 0], 1.0, 1.3)
    back, tip = heel + foot[..., 0] * g[G_FOOT] * 0.7, toe - foot[..., 0] * g[G_FOOT] * 0.6
    put(20 + side, back, tip, (g[G_FOOT] * 1.05, g[G_FOOT] * 0.92), foot[..., 2], 0.85)


def _props(put: _Put, points: Float64, frames: Float64, body: Body) -> None:
    grips = [points[:, WRIST + side] * 0.4 + points[:, HAND + side] * 0.6 for side in range(2)]
    hand = frames[:, F_HAND + 1]
    if body.prop == "bar":
        span = grips[0] - grips[1]
        apart = np.linalg.norm(span, axis=1, keepdims=True) + 1e-6
        beyond = span / apart * np.maximum(0.05, 0.75 - apart * 0.5)
        put(24, grips[0] + beyond, grips[1] - beyond, (0.022, 0.022), frames[:, F_HAND, :, 0])
    elif body.prop == "ball":
        ball, bit = grips[1] - hand[..., 2] * 0.10, hand[..., 2] * 0.01
        put(24, ball - bit, ball + bit, (0.11, 0.11), hand[..., 0])
    elif body.prop == "stick":
        tip = grips[1] + (hand[..., 0] * 0.8 - hand[..., 2] * 0.6) * 0.75
        put(24, grips[1], tip, (0.018, 0.026), hand[..., 1])
    elif body.prop == "dumbbells":
        for side in range(2):
            axis = frames[:, F_HAND + side, :, 0] * 0.12
            put(24 + side, grips[side] - axis, grips[side] + axis, (0.045, 0.045),
                frames[:, F_HAND + side, :, 1])  # fmt: skip
