"""A pose is a vector of joint angles; this module names its entries.

The body's own frame has x forward, y to its left, z up. Angles are degrees, lengths metres.
Arms hang and legs stand straight at zero. An arm is raised by ``raise`` in the vertical plane
``plane`` (0 = forward, 90 = sideways), then turned about itself by ``rot``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.arrays import Float64

_ARM = ("raise", "plane", "rot", "elbow", "wrist")
_LEG = ("hip", "abduct", "turn", "knee", "ankle")
POSE_NAMES: tuple[str, ...] = (
    "x",
    "y",
    "lift",
    "yaw",
    "pitch",
    "roll",
    "spine",
    "side",
    "twist",
    "neck",
    "neck_side",
    "neck_twist",
    *(f"l_{name}" for name in _ARM),
    *(f"r_{name}" for name in _ARM),
    *(f"l_{name}" for name in _LEG),
    *(f"r_{name}" for name in _LEG),
)
POSE_SIZE = len(POSE_NAMES)
INDEX = {name: i for i, name in enumerate(POSE_NAMES)}
ANGLES = slice(3, POSE_SIZE)

# Anatomical limits, degrees; generous, since style noise is added on top.
_LIMITS = {
    "spine": (-35, 75),
    "side": (-40, 40),
    "twist": (-55, 55),
    "neck": (-40, 50),
    "neck_side": (-35, 35),
    "neck_twist": (-70, 70),
    "raise": (-50, 180),
    "plane": (-50, 150),
    "rot": (-100, 100),
    "elbow": (0, 150),
    "wrist": (-60, 60),
    "hip": (-35, 135),
    "abduct": (-25, 75),
    "turn": (-35, 60),
    "knee": (0, 150),
    "ankle": (-30, 45),
}

_MIRROR_SIGN = np.ones(POSE_SIZE)
_MIRROR_ORDER = np.arange(POSE_SIZE)
for _name in ("y", "yaw", "roll", "side", "twist", "neck_side", "neck_twist"):
    _MIRROR_SIGN[INDEX[_name]] = -1.0
for _name in (*_ARM, *_LEG):
    _MIRROR_ORDER[INDEX[f"l_{_name}"]] = INDEX[f"r_{_name}"]
    _MIRROR_ORDER[INDEX[f"r_{_name}"]] = INDEX[f"l_{_name}"]


def _limits() -> tuple[Float64, Float64]:
    low = np.full(POSE_SIZE, -np.inf)
    high = np.full(POSE_SIZE, np.inf)
    for i, name in enumerate(POSE_NAMES):
        key = name[2:] if name[:2] in ("l_", "r_") else name
        if key in _LIMITS:
            low[i], high[i] = _LIMITS[key]
    return low, high


POSE_LOW, POSE_HIGH = _limits()


def pose(lean: float = 0.0, **angles: float) -> Float64:
    """Return a pose: standing with hanging arms, changed by the named angles.

    ``lean`` pitches the trunk forward over standing legs. A name without side ("hip", "raise",
    ...) sets both sides; a name with side ("l_hip") comes after it and wins.
    """
    values = np.zeros(POSE_SIZE)
    for side in ("l_", "r_"):
        values[INDEX[side + "raise"]] = 7.0
        values[INDEX[side + "plane"]] = 75.0
        values[INDEX[side + "elbow"]] = 12.0
        values[INDEX[side + "abduct"]] = 4.0
        values[INDEX[side + "turn"]] = 8.0
        values[INDEX[side + "knee"]] = 3.0
        values[INDEX[side + "hip"]] = 2.0
    for name, value in sorted(angles.items(), key=lambda item: item[0][:2] in ("l_", "r_")):
        if name in INDEX:
            values[INDEX[name]] = value
        elif name in _ARM or name in _LEG:
            values[INDEX["l_" + name]] = value
            values[INDEX["r_" + name]] = value
        else:
            raise ValueError(f"no pose angle is called {name!r}")
    values[INDEX["pitch"]] += lean
    values[INDEX["l_hip"]] += lean
    values[INDEX["r_hip"]] += lean
    return values


def mirrored(values: Float64) -> Float64:
    """Return pose vectors (..., P) with left and right exchanged."""
    return values[..., _MIRROR_ORDER] * _MIRROR_SIGN


def clipped(values: Float64) -> Float64:
    """Return pose vectors (..., P) forced into the anatomical limits."""
    clipped_values: Float64 = np.clip(values, POSE_LOW, POSE_HIGH)
    return clipped_values
