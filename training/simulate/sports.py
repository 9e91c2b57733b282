"""Phrases of sports and of daily life."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.simulate.keys import Key, crouch, plank, some_rest, squat_pose, stand
from training.simulate.pose import pose

if TYPE_CHECKING:
    import numpy as np


def kick(rng: np.random.Generator) -> list[Key]:
    """Return a kick: front, side or behind."""
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
        Key("kick", hit, rng.uniform(0.25, 0.5), some_rest(rng, 0.2)),
        Key("rechamber", chamber, rng.uniform(0.3, 0.6)),
        stand(rng, rng.uniform(0.4, 0.8)),
    ]


def throw(rng: np.random.Generator) -> list[Key]:
    """Return a throw, over-arm or under-arm."""
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
        Key("wind up", wind, rng.uniform(0.5, 0.9), some_rest(rng, 0.2)),
        Key("stride", stride, rng.uniform(0.25, 0.45)),
        Key("release", release, rng.uniform(0.18, 0.3)),
        Key("follow through", follow, rng.uniform(0.2, 0.4), some_rest(rng, 0.4)),
        stand(rng, rng.uniform(0.6, 1.0)),
    ]


def swing(rng: np.random.Generator) -> list[Key]:
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
        Key("top", back, rng.uniform(0.7, 1.1), some_rest(rng, 0.15)),
        Key("impact", impact, rng.uniform(0.2, 0.35)),
        Key("finish", finish, rng.uniform(0.3, 0.55), rng.uniform(0.2, 0.9)),
    ]


def box(rng: np.random.Generator) -> list[Key]:
    """Return a few blows."""
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


def reach(rng: np.random.Generator) -> list[Key]:
    """Return reaching for things high and low."""
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
        keys.append(Key("reach", target, rng.uniform(0.5, 1.0), some_rest(rng)))
        if rng.random() < 0.5:
            keys.append(
                Key(
                    "hug",
                    pose(5, **{"raise": 45.0, "plane": 5.0, "elbow": 100.0}),
                    rng.uniform(0.4, 0.8),
                )
            )
    return keys


def wave(rng: np.random.Generator) -> list[Key]:
    """Return waving."""
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


def serve(rng: np.random.Generator) -> list[Key]:
    """Return a tennis serve (held out)."""
    return [
        Key("ready", pose(8, yaw=-60, **{"raise": 45.0, "plane": 0.0, "elbow": 60.0}), 0.8, 0.3),
        Key("toss", pose(-5, yaw=-65, l_raise=160, l_plane=10, l_elbow=4, r_raise=-20, r_elbow=20,
                         knee=25, hip=18), rng.uniform(0.7, 1.0)),
        Key("trophy", pose(-12, spine=-18, yaw=-65, side=12, l_raise=168, l_plane=15, r_raise=95,
                           r_plane=100, r_rot=80, r_elbow=110, knee=50, hip=32, neck=-25),
            rng.uniform(0.3, 0.5), some_rest(rng, 0.2)),
        Key("impact", pose(6, yaw=-10, twist=20, r_raise=172, r_plane=40, r_elbow=4, l_raise=40,
                           l_elbow=100, lift=0.12, ankle=30), rng.uniform(0.25, 0.35)),
        Key("finish", pose(45, spine=25, twist=35, yaw=20, r_raise=50, r_plane=-40, r_elbow=15,
                           l_elbow=90, r_hip=-20, r_knee=60, l_knee=30, l_hip=35, x=0.35),
            rng.uniform(0.35, 0.5), some_rest(rng)),
        stand(rng, 0.9),
    ]  # fmt: skip


def clean(rng: np.random.Generator) -> list[Key]:
    """Return a barbell clean and jerk (held out)."""
    low = pose(
        55, hip=78, knee=95, abduct=10, neck=-35, **{"raise": 62.0, "plane": 5.0, "elbow": 3.0}
    )
    knees = pose(48, hip=30, knee=35, neck=-30, **{"raise": 52.0, "plane": 8.0, "elbow": 3.0})
    pull = pose(
        -8, ankle=30, **{"raise": 45.0, "plane": 80.0, "rot": -70.0, "elbow": 75.0, "lift": 0.02}
    )
    rack = {"raise": 72.0, "plane": 5.0, "elbow": 145.0}
    catch = squat_pose(rng.uniform(0.6, 1.05), 0.5, 15, rack)
    dip = squat_pose(0.28, 0.3, 4, rack)
    over = {"raise": 174.0, "plane": 55.0, "elbow": 3.0}
    split = pose(2, l_hip=60, l_knee=65, r_hip=-25, r_knee=35, r_ankle=-10, **over)
    return [
        Key("set", low, rng.uniform(0.9, 1.4), rng.uniform(0.2, 0.8)),
        Key("knees", knees, rng.uniform(0.5, 0.8)),
        Key("pull", pull, rng.uniform(0.25, 0.4)),
        Key("catch", catch, rng.uniform(0.3, 0.45), some_rest(rng, 0.3)),
        Key("rack", pose(**rack), rng.uniform(0.7, 1.1), rng.uniform(0.2, 0.7)),
        Key("dip", dip, rng.uniform(0.35, 0.5)),
        Key("split", split, rng.uniform(0.3, 0.45), some_rest(rng, 0.4)),
        Key("overhead", pose(**over), rng.uniform(0.6, 1.0), rng.uniform(0.3, 0.8)),
        stand(rng, 1.0),
    ]


def burpee(rng: np.random.Generator) -> list[Key]:
    """Return a burpee (held out)."""
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
