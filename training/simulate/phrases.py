"""Families of movement: each is a short phrase of key poses with random details.

A phrase is a list of ``Key``: where to go, how long the way takes, how long to stay.
"""

from __future__ import annotations

import numpy as np

from training.simulate.exercises import (
    balance,
    bend,
    floor,
    jack,
    jump,
    lunge,
    march,
    pushup,
    raise_arms,
    sit,
    squat,
)
from training.simulate.keys import Key, Phrase, some_rest
from training.simulate.pose import INDEX, POSE_SIZE, clipped, pose
from training.simulate.sports import box, burpee, clean, kick, reach, serve, swing, throw, wave

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
                side + "rot": rng.uniform(-70, 90),
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
        keys.append(Key("free", clipped(target), rng.uniform(0.4, 1.2), some_rest(rng, 0.3)))
    return keys


PHRASES: dict[str, Phrase] = {
    "squat": squat,
    "lunge": lunge,
    "raise": raise_arms,
    "bend": bend,
    "kick": kick,
    "throw": throw,
    "swing": swing,
    "jump": jump,
    "jack": jack,
    "pushup": pushup,
    "floor": floor,
    "sit": sit,
    "reach": reach,
    "march": march,
    "box": box,
    "wave": wave,
    "balance": balance,
    "free": _free,
    "serve": serve,
    "clean": clean,
    "burpee": burpee,
}
FAMILIES: tuple[str, ...] = tuple(PHRASES)
HELD_OUT_FAMILIES: tuple[str, ...] = ("serve", "clean", "burpee")
TRAINING_FAMILIES: tuple[str, ...] = tuple(f for f in FAMILIES if f not in HELD_OUT_FAMILIES)
