"""Families of movement: each is a short phrase of key poses with random details.

A phrase is a list of ``Key``: where to go, how long the way takes, how long to stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.simulate.pose import INDEX, POSE_SIZE, clipped, mirrored, pose

if TYPE_CHECKING:
    from carl_core.arrays import Float64


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A key pose: ``move_s`` seconds to get there, ``hold_s`` seconds of rest."""

    name: str
    pose: Float64
    move_s: float
    hold_s: float = 0.0


Phrase = Callable[[np.random.Generator], list[Key]]


def stand(rng: np.random.Generator, move_s: float = 0.7) -> Key:
    """Return a relaxed stand, never twice the same."""
    kind = rng.integers(4)
    values = pose(raise_jitter(rng, 4))
    if kind == 1:  # hands on the hips
        values = pose(**{"raise": 55.0, "plane": 108.0, "rot": -70.0, "elbow": 120.0})
    elif kind == 2:  # guard
        values = pose(**{"raise": 35.0, "plane": 20.0, "elbow": 120.0, "knee": 15.0, "hip": 10.0})
    values[INDEX["l_abduct"]] = values[INDEX["r_abduct"]] = rng.uniform(2, 13)
    return Key("stand", values, move_s)


def raise_jitter(rng: np.random.Generator, degrees: float) -> float:
    """Return a small random lean."""
    return float(rng.normal(0, degrees))


def _arms(rng: np.random.Generator) -> dict[str, float]:
    """Return a random symmetric place for the arms while the legs work."""
    choices: tuple[dict[str, float], ...] = (
        {"raise": 88, "plane": 5, "elbow": 8},
        {"raise": 90, "plane": 85, "elbow": 10},
        {"raise": 172, "plane": 20, "elbow": 8},
        {"raise": 55.0, "plane": 108.0, "rot": -70.0, "elbow": 120.0},
        {"raise": 115, "plane": 80, "rot": 85, "elbow": 145},
        {"raise": 60, "plane": 5, "elbow": 135},
        {"raise": 30, "plane": 15, "elbow": 40},
        {"raise": 10, "plane": 60, "elbow": 10},
    )
    return choices[rng.integers(len(choices))]


def _squat_pose(depth: float, wide: float, lean: float, arms: dict[str, float]) -> Float64:
    # The trunk leans forward, so the arms need that much less to point the same way.
    thigh = 98.0 * depth
    return pose(
        lean * depth,
        **(
            arms
            | {
                "hip": thigh,
                "knee": 112.0 * depth,
                "abduct": 5 + 12 * wide,
                "turn": 10 + 25 * wide,
                "neck": -0.5 * lean * depth,
            }
        ),
    )


def _squat(rng: np.random.Generator) -> list[Key]:
    arms, wide, lean = _arms(rng), rng.uniform(0, 1), rng.uniform(15, 42)
    depth = rng.uniform(0.55, 1.12)
    return [
        Key("squat", _squat_pose(depth, wide, lean, arms), rng.uniform(0.6, 1.6), _hold(rng)),
        Key("squat up", _squat_pose(0.06, wide, lean, arms), rng.uniform(0.5, 1.3)),
    ]


def _lunge(rng: np.random.Generator) -> list[Key]:
    arms, deep = _arms(rng), rng.uniform(0.65, 1.05)
    front = pose(
        rng.uniform(0, 14),
        **(
            arms
            | {
                "l_hip": 82 * deep,
                "l_knee": 88 * deep,
                "r_hip": -24 * deep,
                "r_knee": 55 * deep,
                "r_ankle": -18,
                "x": 0.15,
            }
        ),
    )
    if rng.random() < 0.35:  # to the side
        front = pose(
            rng.uniform(15, 35),
            **(
                arms
                | {
                    "l_hip": 70 * deep,
                    "l_knee": 78 * deep,
                    "l_abduct": 28,
                    "l_turn": 30,
                    "r_abduct": 50 * deep,
                    "r_hip": 5,
                    "roll": -4,
                }
            ),
        )
    lift = pose(3, **(arms | {"l_hip": 60, "l_knee": 75}))
    keys = [Key("lunge", front, rng.uniform(0.5, 1.0), _hold(rng))]
    if rng.random() < 0.6:
        keys.insert(0, Key("step", lift, rng.uniform(0.35, 0.7)))
    return [*keys, Key("lunge up", pose(**arms), rng.uniform(0.5, 1.0))]


def _raise(rng: np.random.Generator) -> list[Key]:
    keys = []
    for _ in range(rng.integers(1, 4)):
        level, plane = rng.uniform(60, 178), rng.choice([0.0, 25.0, 85.0, 95.0])
        angles: dict[str, float] = {
            "raise": level,
            "plane": float(plane),
            "elbow": rng.uniform(0, 25),
        }
        if rng.random() < 0.35:
            angles |= {"r_raise": rng.uniform(-20, 60), "r_plane": rng.uniform(0, 90)}
        angles |= {"spine": rng.uniform(-12, 4), "neck": rng.uniform(-20, 10)}
        keys.append(Key("arms", pose(**angles), rng.uniform(0.5, 1.3), _hold(rng)))
    return keys


def _bend(rng: np.random.Generator) -> list[Key]:
    kind = rng.integers(4)
    if kind == 0:
        deep = rng.uniform(0.5, 1.0)
        down = pose(
            72 * deep,
            spine=45 * deep,
            neck=15,
            **{"raise": 112 * deep, "plane": 5, "elbow": 8, "knee": rng.uniform(2, 18)},
        )
        return [
            Key("toe touch", down, rng.uniform(0.7, 1.5), _hold(rng)),
            Key("bend up", pose(-6, **{"raise": 8.0}), rng.uniform(0.7, 1.4)),
        ]
    if kind == 1:
        side = pose(
            side=rng.uniform(22, 38),
            roll=-5,
            neck_side=15,
            r_raise=rng.uniform(150, 176),
            r_plane=85,
            r_elbow=rng.uniform(5, 45),
            l_raise=15,
            abduct=14,
        )
        return [Key("side bend", side, rng.uniform(0.6, 1.3), _hold(rng))]
    if kind == 2:
        arms = _arms(rng)
        turned = pose(twist=45, yaw=rng.uniform(5, 25), neck_twist=30, **arms)
        back = pose(twist=-45, yaw=-rng.uniform(5, 25), neck_twist=-30, **arms)
        return [
            Key("twist", turned, rng.uniform(0.5, 1.1), _hold(rng)),
            Key("twist back", back, rng.uniform(0.7, 1.3), _hold(rng)),
        ]
    arch = pose(-12, spine=-30, neck=-30, **{"raise": 165.0, "plane": 30.0, "elbow": 10.0})
    return [Key("arch", arch, rng.uniform(0.7, 1.3), _hold(rng))]


def _kick(rng: np.random.Generator) -> list[Key]:
    guard = {"raise": 35.0, "plane": 25.0, "elbow": 110.0}
    kind = rng.integers(3)
    if kind == 0:  # front
        high = rng.uniform(65, 118)
        load = pose(8, **(guard | {"r_hip": -22, "r_knee": 60, "l_knee": 12, "l_raise": 60}))
        hit = pose(
            -14,
            **(guard | {"r_hip": high, "r_knee": 6, "l_knee": 10, "r_raise": -25, "r_elbow": 30}),
        )
        chamber = pose(-4, **(guard | {"r_hip": 80, "r_knee": 95, "l_knee": 10}))
    elif kind == 1:  # side
        load = pose(0, **(guard | {"r_hip": 85, "r_knee": 110, "r_abduct": 20, "l_knee": 10}))
        hit = pose(
            0, **(guard | {"r_abduct": 72, "r_hip": 25, "r_knee": 4, "roll": -28, "side": 10})
        )
        chamber = load
    else:  # behind
        load = pose(10, **(guard | {"r_hip": 60, "r_knee": 90}))
        hit = pose(38, **(guard | {"r_hip": -52, "r_knee": 10, "l_knee": 12, "neck": -25}))
        chamber = pose(15, **(guard | {"r_hip": 40, "r_knee": 80}))
    return [
        Key("load", load, rng.uniform(0.4, 0.8)),
        Key("kick", hit, rng.uniform(0.25, 0.5), _hold(rng, 0.2)),
        Key("rechamber", chamber, rng.uniform(0.3, 0.6)),
        stand(rng, rng.uniform(0.4, 0.8)),
    ]


def _throw(rng: np.random.Generator) -> list[Key]:
    step = rng.uniform(0.6, 1.0)
    ready = pose(5, **{"raise": 50, "plane": 5, "elbow": 110, "knee": 12, "hip": 12})
    wind = pose(
        -8,
        twist=-38,
        yaw=-55,
        r_raise=95,
        r_plane=105,
        r_rot=75,
        r_elbow=95,
        l_raise=85,
        l_plane=60,
        l_elbow=20,
        l_hip=70 * step,
        l_knee=70,
        r_knee=25,
        r_hip=15,
        neck_twist=50,
    )
    stride = pose(
        0,
        twist=-25,
        yaw=-30,
        r_raise=100,
        r_plane=100,
        r_rot=85,
        r_elbow=80,
        l_raise=75,
        l_plane=30,
        l_hip=42 * step,
        l_knee=20,
        r_hip=-15,
        r_knee=35,
        x=0.3,
        neck_twist=30,
    )
    release = pose(
        18,
        twist=28,
        yaw=8,
        r_raise=120,
        r_plane=25,
        r_rot=20,
        r_elbow=18,
        l_raise=30,
        l_elbow=80,
        l_hip=45 * step,
        l_knee=35,
        r_hip=-18,
        r_knee=45,
        x=0.4,
    )
    follow = pose(
        38,
        twist=42,
        yaw=25,
        spine=25,
        r_raise=45,
        r_plane=-35,
        r_elbow=20,
        l_raise=-15,
        l_elbow=70,
        l_hip=50 * step,
        l_knee=45,
        r_hip=-5,
        r_knee=55,
        x=0.45,
    )
    if rng.random() < 0.3:  # under-arm
        wind = pose(15, r_raise=-45, r_plane=0, r_elbow=10, l_hip=30, l_knee=45, r_knee=20)
        stride = pose(35, r_raise=10, r_plane=0, l_hip=55, l_knee=60, r_hip=-10, r_knee=50, x=0.3)
        release = pose(32, r_raise=95, r_plane=0, l_hip=60, l_knee=65, r_hip=-15, r_knee=55, x=0.35)
        follow = pose(10, r_raise=150, r_plane=0, l_hip=40, l_knee=40, r_hip=-12, r_knee=40, x=0.35)
    return [
        Key("ready", ready, rng.uniform(0.5, 0.9)),
        Key("wind up", wind, rng.uniform(0.5, 0.9), _hold(rng, 0.2)),
        Key("stride", stride, rng.uniform(0.25, 0.45)),
        Key("release", release, rng.uniform(0.18, 0.3)),
        Key("follow through", follow, rng.uniform(0.2, 0.4), _hold(rng, 0.4)),
        stand(rng, rng.uniform(0.6, 1.0)),
    ]


def _swing(rng: np.random.Generator) -> list[Key]:
    """Return golf, or a racket or bat stroke at another height."""
    lean, bend = rng.uniform(8, 34), rng.uniform(12, 28)
    legs = {"hip": bend, "knee": bend * 1.3, "abduct": rng.uniform(8, 18), "neck": 8.0}
    low = lean > 18
    height = 38.0 + (0 if low else rng.uniform(10, 40))
    address = pose(lean, spine=12, **(legs | {"raise": height, "plane": -12, "elbow": 8}))
    back = pose(
        lean,
        spine=8,
        twist=-45,
        yaw=-22,
        neck_twist=40,
        **(
            legs
            | {
                "l_raise": height + 60,
                "l_plane": -45,
                "l_elbow": 12,
                "r_raise": height + 30,
                "r_plane": 40,
                "r_rot": 50,
                "r_elbow": 95,
                "l_knee": bend * 2,
            }
        ),
    )
    impact = pose(
        lean,
        spine=10,
        twist=10,
        yaw=18,
        neck_twist=-10,
        **(legs | {"raise": height, "plane": -10, "elbow": 4, "r_knee": bend * 1.8, "roll": -4}),
    )
    finish = pose(
        lean * 0.25,
        spine=-8,
        twist=48,
        yaw=55,
        neck_twist=-15,
        **(
            legs
            | {
                "r_raise": height + 70,
                "r_plane": -45,
                "r_elbow": 40,
                "l_raise": height + 55,
                "l_plane": 55,
                "l_rot": 50,
                "l_elbow": 110,
                "r_knee": bend * 2.4,
                "r_hip": -4,
                "r_ankle": 25,
            }
        ),
    )
    return [
        Key("address", address, rng.uniform(0.6, 1.0), rng.uniform(0.2, 0.9)),
        Key("top", back, rng.uniform(0.7, 1.1), _hold(rng, 0.15)),
        Key("impact", impact, rng.uniform(0.2, 0.35)),
        Key("finish", finish, rng.uniform(0.3, 0.55), rng.uniform(0.2, 0.9)),
    ]


def _jump(rng: np.random.Generator) -> list[Key]:
    arms, deep = _arms(rng), rng.uniform(0.35, 0.8)
    swing: dict[str, float] = {"raise": -40, "plane": 0, "elbow": 10}
    load = _squat_pose(deep, 0.2, 38, swing if rng.random() < 0.6 else arms)
    air: dict[str, float] = {"raise": rng.uniform(90, 175), "plane": float(rng.choice([0.0, 85.0]))}
    kind = rng.integers(3)
    legs: dict[str, float] = {"hip": 5, "knee": 10, "ankle": 35}
    if kind == 1:
        legs = {"hip": 95, "knee": 110}
    elif kind == 2:
        legs = {"abduct": 35, "ankle": 25}
    top = pose(5, lift=rng.uniform(0.2, 0.5), **(air | legs))
    travel = rng.uniform(-0.3, 0.4) if rng.random() < 0.4 else 0.0
    land = _squat_pose(deep * 0.8, 0.3, 35, {"raise": 60, "plane": 20, "elbow": 25})
    top[INDEX["x"]], land[INDEX["x"]] = travel / 2, travel
    off = pose(5, lift=0.02, **(air | {"ankle": 35}))
    return [
        Key("load", load, rng.uniform(0.5, 0.9), _hold(rng, 0.3)),
        Key("take off", off, rng.uniform(0.18, 0.28)),
        Key("flight", top, rng.uniform(0.2, 0.32)),
        Key("landing", land, rng.uniform(0.25, 0.38)),
        stand(rng, rng.uniform(0.5, 0.9)),
    ]


def _jack(rng: np.random.Generator) -> list[Key]:
    level = rng.uniform(120, 178)
    keys = []
    for _ in range(rng.integers(2, 6)):
        apart = pose(**{"raise": level, "plane": 88, "elbow": 12, "abduct": 26, "lift": 0.03})
        together = pose(**{"raise": 10, "plane": 88, "elbow": 8, "abduct": 2, "lift": 0.02})
        move_s = rng.uniform(0.28, 0.45)
        keys += [Key("apart", apart, move_s), Key("together", together, move_s)]
    return keys


def plank(arm: float = 74.0, elbow: float = 4.0, pitch: float = 70.0) -> Float64:
    """Return a push-up position; ``pitch`` 90 is level."""
    return pose(
        pitch=pitch,
        hip=4,
        knee=4,
        ankle=-25,
        neck=-15,
        **{"raise": arm, "plane": 12, "elbow": elbow, "wrist": -60},
    )


def crouch(hands_down: bool) -> Float64:
    """Return a deep crouch, hands on the floor or before the chest."""
    if hands_down:
        return pose(
            62, spine=28, hip=100, knee=128, **{"raise": 108, "plane": 5, "elbow": 4, "neck": -20}
        )
    return _squat_pose(1.1, 0.5, 40, {"raise": 70, "plane": 5, "elbow": 60})


def _pushup(rng: np.random.Generator) -> list[Key]:
    down = plank(rng.uniform(-8, 15), 78, 82)
    keys = [
        Key("crouch", crouch(True), rng.uniform(0.8, 1.2)),
        Key("plank", plank(), rng.uniform(0.6, 1.0), _hold(rng)),
    ]
    for _ in range(rng.integers(1, 4)):
        keys.append(Key("down", down, rng.uniform(0.5, 1.1), _hold(rng, 0.3)))
        keys.append(Key("up", plank(), rng.uniform(0.5, 0.9)))
    return [
        *keys,
        Key("crouch", crouch(True), rng.uniform(0.6, 1.0)),
        stand(rng, rng.uniform(0.8, 1.2)),
    ]


def _burpee(rng: np.random.Generator) -> list[Key]:
    return [
        Key("crouch", crouch(True), rng.uniform(0.5, 0.9)),
        Key("plank", plank(), rng.uniform(0.4, 0.6)),
        Key("down", plank(8, 78, 82), rng.uniform(0.4, 0.8)),
        Key("up", plank(), rng.uniform(0.4, 0.7)),
        Key("crouch", crouch(True), rng.uniform(0.4, 0.6)),
        Key("flight", pose(lift=rng.uniform(0.15, 0.35), ankle=35, **{"raise": 172.0}), 0.45),
        Key("landing", crouch(False), rng.uniform(0.35, 0.5)),
        stand(rng, 0.6),
    ]


def _floor(rng: np.random.Generator) -> list[Key]:
    seat = pose(
        pitch=-12, spine=12, hip=112, knee=86, **{"raise": -35.0, "plane": 30.0, "elbow": 8.0}
    )
    lie = pose(pitch=-88, hip=rng.uniform(0, 8), knee=4, **{"raise": float(rng.choice([12, 170]))})
    bent = pose(pitch=-88, hip=55, knee=95, **{"raise": 60.0, "plane": 5.0, "elbow": 130.0})
    up = pose(pitch=-30, spine=40, hip=100, knee=95, **{"raise": 70.0, "plane": 5.0, "elbow": 90.0})
    bridge = pose(pitch=-112, hip=15, knee=95, **{"raise": 12.0, "plane": 60.0})
    legs = pose(pitch=-88, hip=rng.uniform(60, 95), knee=6, **{"raise": 10.0})
    dog = pose(
        pitch=125, hip=82, knee=5, ankle=-20, **{"raise": 170.0, "plane": 20.0, "elbow": 4.0}
    )
    kneel = pose(pitch=5, hip=4, knee=95, ankle=40, **_arms(rng))
    kind = rng.integers(5)
    if kind == 0:
        middle = [Key("lie", lie, 1.2, _hold(rng)), Key("legs up", legs, 1.0, _hold(rng))]
    elif kind == 1:
        middle = [Key("lie", bent, 1.1), Key("sit up", up, 0.9, _hold(rng)), Key("lie", bent, 1.0)]
    elif kind == 2:
        middle = [Key("lie", bent, 1.0), Key("bridge", bridge, 0.9, _hold(rng))]
    elif kind == 3:
        return [
            Key("crouch", crouch(True), 0.9),
            Key("plank", plank(), 0.8, _hold(rng)),
            Key("dog", dog, 0.9, _hold(rng)),
            Key("crouch", crouch(True), 0.9),
            stand(rng, 1.0),
        ]
    else:
        return [
            Key("crouch", crouch(False), 0.8),
            Key("kneel", kneel, 0.7, _hold(rng)),
            Key("crouch", crouch(False), 0.7),
            stand(rng, 0.9),
        ]
    return [
        Key("crouch", crouch(False), rng.uniform(0.7, 1.1)),
        Key("seat", seat, rng.uniform(0.5, 0.9), _hold(rng)),
        *middle,
        Key("seat", seat, rng.uniform(0.7, 1.1)),
        Key("crouch", crouch(False), rng.uniform(0.6, 0.9)),
        stand(rng, rng.uniform(0.7, 1.1)),
    ]


def _sit(rng: np.random.Generator) -> list[Key]:
    arms = _arms(rng)
    seat = pose(4, **(arms | {"hip": 88, "knee": 88, "turn": 12}))
    over = pose(42, **(arms | {"hip": 80, "knee": 98, "neck": -25}))
    return [
        Key("lean", over, rng.uniform(0.6, 0.9)),
        Key("seat", seat, rng.uniform(0.4, 0.8), rng.uniform(0.2, 1.0)),
        Key("lean", over, rng.uniform(0.4, 0.8)),
        stand(rng, rng.uniform(0.6, 1.0)),
    ]


def _reach(rng: np.random.Generator) -> list[Key]:
    keys = []
    for _ in range(rng.integers(1, 4)):
        low = rng.random() < 0.45
        angles: dict[str, float] = {
            "r_raise": rng.uniform(60, 150),
            "r_plane": rng.uniform(-30, 100),
            "r_elbow": rng.uniform(0, 30),
            "l_raise": rng.uniform(0, 70),
            "l_elbow": rng.uniform(10, 110),
            "twist": rng.uniform(-20, 40),
            "yaw": rng.uniform(-50, 50),
        }
        if low:
            bend = rng.uniform(0.3, 0.9)
            angles |= {"hip": 85 * bend, "knee": 100 * bend, "spine": 25}
        else:
            angles |= {"hip": 4, "knee": 4, "ankle": rng.uniform(0, 25)}
        target = pose(rng.uniform(25, 55) if low else rng.uniform(-5, 12), **angles)
        keys.append(Key("reach", target, rng.uniform(0.5, 1.0), _hold(rng)))
        if rng.random() < 0.5:
            keys.append(
                Key(
                    "hug",
                    pose(5, **{"raise": 45.0, "plane": 5.0, "elbow": 100.0}),
                    rng.uniform(0.4, 0.8),
                )
            )
    return keys


def _march(rng: np.random.Generator) -> list[Key]:
    high, pump, forward = rng.uniform(35, 95), rng.uniform(20, 60), rng.uniform(0, 0.22)
    move_s = rng.uniform(0.26, 0.55)
    keys, x = [], -forward * 1.5
    for _ in range(rng.integers(2, 5)):
        for side in range(2):
            step = pose(
                rng.uniform(0, 10),
                l_hip=high,
                l_knee=high * 1.1,
                r_hip=-8,
                r_raise=pump,
                r_plane=5,
                r_elbow=85,
                l_raise=-pump * 0.7,
                l_plane=5,
                l_elbow=75,
                twist=-6,
            )
            x += forward
            step[INDEX["x"]] = x
            keys.append(Key("step", step if side == 0 else mirrored(step), move_s))
    return keys


def _box(rng: np.random.Generator) -> list[Key]:
    guard: dict[str, float] = {"raise": 42, "plane": 15, "elbow": 128, "knee": 18, "hip": 14}
    keys = [Key("guard", pose(8, yaw=-30, **guard), rng.uniform(0.4, 0.7))]
    for _ in range(rng.integers(2, 5)):
        left = rng.random() < 0.5
        hit: dict[str, float] = {
            "raise": rng.uniform(70, 95),
            "plane": rng.uniform(-20, 25),
            "elbow": 8,
        }
        kind = rng.integers(3)
        if kind == 1:
            hit = {"raise": 92, "plane": 15, "elbow": 80, "rot": -75}
        elif kind == 2:
            hit = {"raise": 75, "plane": 0, "elbow": 105}
        side = "l_" if left else "r_"
        twist = -22.0 if left else 38.0
        blow = pose(
            12,
            yaw=-25 + (0 if left else 20),
            twist=twist,
            **(guard | {side + name: value for name, value in hit.items()}),
        )
        keys.append(Key("blow", blow, rng.uniform(0.16, 0.3)))
        keys.append(Key("guard", pose(8, yaw=-30, **guard), rng.uniform(0.22, 0.5)))
    return keys


def _wave(rng: np.random.Generator) -> list[Key]:
    base: dict[str, float] = {
        "r_raise": rng.uniform(85, 150),
        "r_plane": rng.uniform(50, 95),
        "r_rot": 85,
    }
    keys = []
    for _ in range(rng.integers(2, 4)):
        for elbow in (30.0, 95.0):
            keys.append(Key("wave", pose(**(base | {"r_elbow": elbow})), rng.uniform(0.22, 0.4)))
    return keys


def _balance(rng: np.random.Generator) -> list[Key]:
    choices = [
        pose(r_hip=45, r_turn=55, r_knee=115, r_abduct=30, **{"raise": 172.0, "plane": 60.0}),
        pose(78, r_hip=-12, r_knee=4, neck=-25, **{"raise": 90.0, "plane": 88.0}),
        pose(0, r_hip=90, r_knee=10, **{"raise": 88.0, "plane": 85.0}),
        pose(0, r_hip=-20, r_knee=125, r_raise=-30, r_plane=5, l_raise=150, l_plane=5),
        pose(
            l_hip=70,
            l_knee=75,
            l_abduct=25,
            l_turn=45,
            r_abduct=40,
            **{"raise": 90.0, "plane": 88.0},
        ),
        pose(
            0, hip=60, knee=70, abduct=38, turn=45, **{"raise": 95.0, "plane": 88.0, "elbow": 90.0}
        ),
    ]
    chosen = choices[rng.integers(len(choices))]
    return [Key("balance", chosen, rng.uniform(0.8, 1.5), rng.uniform(0.3, 1.2)), stand(rng, 0.9)]


def _serve(rng: np.random.Generator) -> list[Key]:
    """Return a tennis serve (held out)."""
    return [
        Key("ready", pose(8, yaw=-60, **{"raise": 45.0, "plane": 0.0, "elbow": 60.0}), 0.8, 0.3),
        Key("toss", pose(-5, yaw=-65, l_raise=160, l_plane=10, l_elbow=4, r_raise=-20, r_elbow=20,
                         knee=25, hip=18), rng.uniform(0.7, 1.0)),
        Key("trophy", pose(-12, spine=-18, yaw=-65, side=12, l_raise=168, l_plane=15, r_raise=95,
                           r_plane=100, r_rot=80, r_elbow=110, knee=50, hip=32, neck=-25),
            rng.uniform(0.3, 0.5), _hold(rng, 0.2)),
        Key("impact", pose(6, yaw=-10, twist=20, r_raise=172, r_plane=40, r_elbow=4, l_raise=40,
                           l_elbow=100, lift=0.12, ankle=30), rng.uniform(0.25, 0.35)),
        Key("finish", pose(45, spine=25, twist=35, yaw=20, r_raise=50, r_plane=-40, r_elbow=15,
                           l_elbow=90, r_hip=-20, r_knee=60, l_knee=30, l_hip=35, x=0.35),
            rng.uniform(0.35, 0.5), _hold(rng)),
        stand(rng, 0.9),
    ]  # fmt: skip


def _clean(rng: np.random.Generator) -> list[Key]:
    """Return a barbell clean and jerk (held out)."""
    low = pose(
        55, hip=78, knee=95, abduct=10, neck=-35, **{"raise": 62.0, "plane": 5.0, "elbow": 3.0}
    )
    knees = pose(48, hip=30, knee=35, neck=-30, **{"raise": 52.0, "plane": 8.0, "elbow": 3.0})
    pull = pose(
        -8, ankle=30, **{"raise": 45.0, "plane": 80.0, "rot": -70.0, "elbow": 75.0, "lift": 0.02}
    )
    rack = {"raise": 72.0, "plane": 5.0, "elbow": 145.0}
    catch = _squat_pose(rng.uniform(0.6, 1.05), 0.5, 15, rack)
    dip = _squat_pose(0.28, 0.3, 4, rack)
    over = {"raise": 174.0, "plane": 55.0, "elbow": 3.0}
    split = pose(2, l_hip=60, l_knee=65, r_hip=-25, r_knee=35, r_ankle=-10, **over)
    return [
        Key("set", low, rng.uniform(0.9, 1.4), rng.uniform(0.2, 0.8)),
        Key("knees", knees, rng.uniform(0.5, 0.8)),
        Key("pull", pull, rng.uniform(0.25, 0.4)),
        Key("catch", catch, rng.uniform(0.3, 0.45), _hold(rng, 0.3)),
        Key("rack", pose(**rack), rng.uniform(0.7, 1.1), rng.uniform(0.2, 0.7)),
        Key("dip", dip, rng.uniform(0.35, 0.5)),
        Key("split", split, rng.uniform(0.3, 0.45), _hold(rng, 0.4)),
        Key("overhead", pose(**over), rng.uniform(0.6, 1.0), rng.uniform(0.3, 0.8)),
        stand(rng, 1.0),
    ]


_FREE_SPREAD = np.zeros(POSE_SIZE)
for _name, _spread in (
    ("yaw", 35), ("side", 14), ("twist", 20), ("spine", 14), ("neck", 15), ("neck_side", 12),
    ("neck_twist", 25),
):  # fmt: skip
    _FREE_SPREAD[INDEX[_name]] = _spread


def _free(rng: np.random.Generator) -> list[Key]:
    """Return random limbs within anatomical limits, in the manner of a dance."""
    keys = []
    for _ in range(rng.integers(2, 5)):
        angles: dict[str, float] = {}
        for side in ("l_", "r_"):
            angles |= {
                side + "raise": rng.uniform(-20, 175),
                side + "plane": rng.uniform(-25, 110),
                side + "rot": rng.uniform(-80, 60),
                side + "elbow": rng.uniform(0, 125),
                side + "abduct": abs(rng.normal(0, 16)),
                side + "turn": rng.uniform(-10, 40),
            }
        bend, split = abs(rng.normal(0, 32)), rng.normal(0, 18)
        angles |= {"l_hip": bend + split, "r_hip": bend - split}
        angles |= {"l_knee": bend * 1.2 + abs(split), "r_knee": bend * 1.2 + abs(split) * 0.6}
        if rng.random() < 0.2:
            angles |= {"l_hip": rng.uniform(30, 100), "l_knee": rng.uniform(5, 120)}
        target = pose(float(rng.normal(6, 14)), **angles) + _FREE_SPREAD * rng.normal(
            size=POSE_SIZE
        )
        target[:2] += rng.normal(0, 0.12, 2)
        keys.append(Key("free", clipped(target), rng.uniform(0.4, 1.2), _hold(rng, 0.3)))
    return keys


def _hold(rng: np.random.Generator, most_s: float = 0.8) -> float:
    """Return a rest at a key pose: none in two cases of three."""
    return float(rng.uniform(0.05, most_s)) if rng.random() < 0.35 else 0.0


PHRASES: dict[str, Phrase] = {
    "squat": _squat,
    "lunge": _lunge,
    "raise": _raise,
    "bend": _bend,
    "kick": _kick,
    "throw": _throw,
    "swing": _swing,
    "jump": _jump,
    "jack": _jack,
    "pushup": _pushup,
    "floor": _floor,
    "sit": _sit,
    "reach": _reach,
    "march": _march,
    "box": _box,
    "wave": _wave,
    "balance": _balance,
    "free": _free,
    "serve": _serve,
    "clean": _clean,
    "burpee": _burpee,
}
FAMILIES: tuple[str, ...] = tuple(PHRASES)
HELD_OUT_FAMILIES: tuple[str, ...] = ("serve", "clean", "burpee")
TRAINING_FAMILIES: tuple[str, ...] = tuple(f for f in FAMILIES if f not in HELD_OUT_FAMILIES)
