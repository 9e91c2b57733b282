"""Key poses, and what phrases of all families share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.simulate.pose import INDEX, pose

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
    values = pose(float(rng.normal(0, 4)))
    if kind == 1:  # hands on the hips
        values = pose(**{"raise": 55.0, "plane": 108.0, "rot": -70.0, "elbow": 120.0})
    elif kind == 2:  # guard
        values = pose(**{"raise": 35.0, "plane": 20.0, "elbow": 120.0, "knee": 15.0, "hip": 10.0})
    values[INDEX["l_abduct"]] = values[INDEX["r_abduct"]] = rng.uniform(2, 13)
    return Key("stand", values, move_s)


def some_arms(rng: np.random.Generator) -> dict[str, float]:
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


def some_rest(rng: np.random.Generator, most_s: float = 0.8) -> float:
    """Return a rest at a key pose: none in two cases of three."""
    return float(rng.uniform(0.05, most_s)) if rng.random() < 0.35 else 0.0


def squat_pose(depth: float, wide: float, lean: float, arms: dict[str, float]) -> Float64:
    """Return a squat: ``depth`` 1 = thighs level, ``wide`` 0..1, ``lean`` of the trunk."""
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
    return squat_pose(1.1, 0.5, 40, {"raise": 70, "plane": 5, "elbow": 60})
