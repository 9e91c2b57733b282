"""Phrases of the gymnasium."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.simulate.keys import Key, crouch, plank, some_arms, some_rest, squat_pose, stand
from training.simulate.pose import INDEX, mirrored, pose

if TYPE_CHECKING:
    import numpy as np


def squat(rng: np.random.Generator) -> list[Key]:
    """Return one squat."""
    arms, wide, lean = some_arms(rng), rng.uniform(0, 1), rng.uniform(15, 42)
    depth = rng.uniform(0.55, 1.12)
    return [
        Key("squat", squat_pose(depth, wide, lean, arms), rng.uniform(0.6, 1.6), some_rest(rng)),
        Key("squat up", squat_pose(0.06, wide, lean, arms), rng.uniform(0.5, 1.3)),
    ]


def lunge(rng: np.random.Generator) -> list[Key]:
    """Return one lunge, forward or to the side."""
    arms, deep = some_arms(rng), rng.uniform(0.65, 1.05)
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
    keys = [Key("lunge", front, rng.uniform(0.5, 1.0), some_rest(rng))]
    if rng.random() < 0.6:
        keys.insert(0, Key("step", lift, rng.uniform(0.35, 0.7)))
    return [*keys, Key("lunge up", pose(**arms), rng.uniform(0.5, 1.0))]


def raise_arms(rng: np.random.Generator) -> list[Key]:
    """Return one to three places for the arms."""
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
        keys.append(Key("arms", pose(**angles), rng.uniform(0.5, 1.3), some_rest(rng)))
    return keys


def bend(rng: np.random.Generator) -> list[Key]:
    """Return a toe touch, a side bend, a twist or an arch."""
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
            Key("toe touch", down, rng.uniform(0.7, 1.5), some_rest(rng)),
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
        return [Key("side bend", side, rng.uniform(0.6, 1.3), some_rest(rng))]
    if kind == 2:
        arms = some_arms(rng)
        turned = pose(twist=45, yaw=rng.uniform(5, 25), neck_twist=30, **arms)
        back = pose(twist=-45, yaw=-rng.uniform(5, 25), neck_twist=-30, **arms)
        return [
            Key("twist", turned, rng.uniform(0.5, 1.1), some_rest(rng)),
            Key("twist back", back, rng.uniform(0.7, 1.3), some_rest(rng)),
        ]
    arch = pose(-12, spine=-30, neck=-30, **{"raise": 165.0, "plane": 30.0, "elbow": 10.0})
    return [Key("arch", arch, rng.uniform(0.7, 1.3), some_rest(rng))]


def jump(rng: np.random.Generator) -> list[Key]:
    """Return one jump: upward, tucked, spread, or forward."""
    arms, deep = some_arms(rng), rng.uniform(0.35, 0.8)
    swing: dict[str, float] = {"raise": -40, "plane": 0, "elbow": 10}
    load = squat_pose(deep, 0.2, 38, swing if rng.random() < 0.6 else arms)
    air: dict[str, float] = {"raise": rng.uniform(90, 175), "plane": float(rng.choice([0.0, 85.0]))}
    kind = rng.integers(3)
    legs: dict[str, float] = {"hip": 5, "knee": 10, "ankle": 35}
    if kind == 1:
        legs = {"hip": 95, "knee": 110}
    elif kind == 2:
        legs = {"abduct": 35, "ankle": 25}
    top = pose(5, lift=rng.uniform(0.2, 0.5), **(air | legs))
    travel = rng.uniform(-0.3, 0.4) if rng.random() < 0.4 else 0.0
    land = squat_pose(deep * 0.8, 0.3, 35, {"raise": 60, "plane": 20, "elbow": 25})
    top[INDEX["x"]], land[INDEX["x"]] = travel / 2, travel
    off = pose(5, lift=0.02, **(air | {"ankle": 35}))
    return [
        Key("load", load, rng.uniform(0.5, 0.9), some_rest(rng, 0.3)),
        Key("take off", off, rng.uniform(0.18, 0.28)),
        Key("flight", top, rng.uniform(0.2, 0.32)),
        Key("landing", land, rng.uniform(0.25, 0.38)),
        stand(rng, rng.uniform(0.5, 0.9)),
    ]


def jack(rng: np.random.Generator) -> list[Key]:
    """Return a few jumping jacks."""
    level = rng.uniform(120, 178)
    keys = []
    for _ in range(rng.integers(2, 6)):
        apart = pose(**{"raise": level, "plane": 88, "elbow": 12, "abduct": 26, "lift": 0.03})
        together = pose(**{"raise": 10, "plane": 88, "elbow": 8, "abduct": 2, "lift": 0.02})
        move_s = rng.uniform(0.28, 0.45)
        keys += [Key("apart", apart, move_s), Key("together", together, move_s)]
    return keys


def pushup(rng: np.random.Generator) -> list[Key]:
    """Return push-ups, with the way down and up again."""
    down = plank(rng.uniform(-8, 15), 78, 82)
    keys = [
        Key("crouch", crouch(True), rng.uniform(0.8, 1.2)),
        Key("plank", plank(), rng.uniform(0.6, 1.0), some_rest(rng)),
    ]
    for _ in range(rng.integers(1, 4)):
        keys.append(Key("down", down, rng.uniform(0.5, 1.1), some_rest(rng, 0.3)))
        keys.append(Key("up", plank(), rng.uniform(0.5, 0.9)))
    return [
        *keys,
        Key("crouch", crouch(True), rng.uniform(0.6, 1.0)),
        stand(rng, rng.uniform(0.8, 1.2)),
    ]


def floor(rng: np.random.Generator) -> list[Key]:
    """Return something on the floor: lying, sit-up, bridge, dog, kneeling."""
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
    kneel = pose(pitch=5, hip=4, knee=95, ankle=40, **some_arms(rng))
    kind = rng.integers(5)
    if kind == 0:
        middle = [Key("lie", lie, 1.2, some_rest(rng)), Key("legs up", legs, 1.0, some_rest(rng))]
    elif kind == 1:
        middle = [
            Key("lie", bent, 1.1),
            Key("sit up", up, 0.9, some_rest(rng)),
            Key("lie", bent, 1.0),
        ]
    elif kind == 2:
        middle = [Key("lie", bent, 1.0), Key("bridge", bridge, 0.9, some_rest(rng))]
    elif kind == 3:
        return [
            Key("crouch", crouch(True), 0.9),
            Key("plank", plank(), 0.8, some_rest(rng)),
            Key("dog", dog, 0.9, some_rest(rng)),
            Key("crouch", crouch(True), 0.9),
            stand(rng, 1.0),
        ]
    else:
        return [
            Key("crouch", crouch(False), 0.8),
            Key("kneel", kneel, 0.7, some_rest(rng)),
            Key("crouch", crouch(False), 0.7),
            stand(rng, 0.9),
        ]
    return [
        Key("crouch", crouch(False), rng.uniform(0.7, 1.1)),
        Key("seat", seat, rng.uniform(0.5, 0.9), some_rest(rng)),
        *middle,
        Key("seat", seat, rng.uniform(0.7, 1.1)),
        Key("crouch", crouch(False), rng.uniform(0.6, 0.9)),
        stand(rng, rng.uniform(0.7, 1.1)),
    ]


def sit(rng: np.random.Generator) -> list[Key]:
    """Return sitting down and getting up."""
    arms = some_arms(rng)
    seat = pose(4, **(arms | {"hip": 88, "knee": 88, "turn": 12}))
    over = pose(42, **(arms | {"hip": 80, "knee": 98, "neck": -25}))
    return [
        Key("lean", over, rng.uniform(0.6, 0.9)),
        Key("seat", seat, rng.uniform(0.4, 0.8), rng.uniform(0.2, 1.0)),
        Key("lean", over, rng.uniform(0.4, 0.8)),
        stand(rng, rng.uniform(0.6, 1.0)),
    ]


def balance(rng: np.random.Generator) -> list[Key]:
    """Return a held pose."""
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


def march(rng: np.random.Generator) -> list[Key]:
    """Return a few steps, high knees or a run."""
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
