"""Bodies: proportions, clothes, forward kinematics, and the solids that are drawn.

Every solid is a tapered capsule in its own frame, flattened along its front axis and at its caps, so
that one ray test draws limbs, trunks, heads and hair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carl_core.arrays import Float64, as_read_only
from training.simulate.compiled import compiled
from training.simulate.pose import INDEX

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
SOLIDS = 28
SOLID_SIZE = 16  # a 3, b 3, r_a, r_b, front 3, flat, cap, (spare)
MATERIAL_SIZE = (
    16  # colour A 3, colour B 3, split, pattern, frequency, amount, folds, gloss, C 3, face
)

# Entries of the vector of lengths, metres.
(
    L_THIGH, L_SHANK, L_ANKLE, L_LOWER, L_UPPER, L_NECK, L_HEAD, L_SHOULDER, L_HIP, L_ARM, L_FORE,
    L_HAND, L_FOOT, L_HEADWIDTH,
) = range(14)  # fmt: skip
# Entries of the vector of girths: radii in metres.
(
    G_CHEST, G_WAIST, G_HIP, G_SHOULDER, G_NECK, G_ARM, G_ELBOW, G_WRIST, G_HAND, G_THIGH, G_KNEE,
    G_SHANK, G_FOOT, G_BELLY, G_SKIRT, G_HAIR, G_SLEEVE, G_TROUSER,
) = range(18)  # fmt: skip

HAIR_KINDS = ("none", "short", "long", "bun", "cap")
PROP_KINDS = ("none", "bar", "ball", "stick", "dumbbells")


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One person: sizes, clothes, hair, what is in the hands.

    Attributes
    ----------
    lengths, girths : float64, see ``L_*`` and ``G_*``
    materials : float64 (SOLIDS, MATERIAL_SIZE), linear RGB in [0, 1]
    hair, prop : one of ``HAIR_KINDS``, ``PROP_KINDS``
    """

    lengths: Float64
    girths: Float64
    materials: Float64
    hair: str
    prop: str

    def __post_init__(self) -> None:
        if self.hair not in HAIR_KINDS or self.prop not in PROP_KINDS:
            raise ValueError(f"unknown hair {self.hair!r} or prop {self.prop!r}")


@dataclass(frozen=True, slots=True)
class Look:
    """What a caller may fix about a body; None = drawn at random. Colours are sRGB 0..1."""

    height_m: float | None = None
    girth: float | None = None
    skin: tuple[float, float, float] | None = None
    shirt: tuple[float, float, float] | None = None
    trousers: tuple[float, float, float] | None = None
    hair: str | None = None
    hair_colour: tuple[float, float, float] | None = None
    prop: str | None = None
    legs: str | None = None  # "long", "shorts", "skirt"
    sleeves: str | None = None  # "long", "short", "none"
    pattern: int | None = None  # 0 plain, 1 rings, 2 stripes, 3 checks, 4 patch in front


def random_body(
    rng: np.random.Generator, look: Look | None = None, *, prop_probability: float = 0.15
) -> Body:
    """Draw a body; what ``look`` names is kept."""
    look = look or Look()
    height = look.height_m or float(np.clip(rng.normal(1.71, 0.11), 1.15, 2.02))
    lengths = _random_lengths(rng, height)
    girth = look.girth or float(np.exp(rng.normal(0.0, 0.16)))
    legs = look.legs or str(rng.choice(["long", "shorts", "shorts", "long", "skirt"]))
    sleeves = look.sleeves or str(rng.choice(["long", "short", "short", "none"]))
    hair = look.hair or str(rng.choice(HAIR_KINDS, p=[0.12, 0.38, 0.2, 0.15, 0.15]))
    prop = look.prop or (
        str(rng.choice(PROP_KINDS[1:])) if rng.random() < prop_probability else "none"
    )
    girths = _random_girths(rng, height, girth, legs=legs, sleeves=sleeves)
    girths[G_HAIR] = 0.0 if hair == "none" else rng.uniform(1.03, 1.13)
    materials = _random_materials(rng, look, legs=legs, sleeves=sleeves, hair=hair)
    return Body(
        as_read_only(lengths, np.float64),
        as_read_only(girths, np.float64),
        as_read_only(materials, np.float64),
        hair,
        prop,
    )


def pose_body(body: Body, poses: Float64) -> tuple[Float64, Float64]:
    """Return joints float64 (T, J, 3) and solids float64 (T, SOLIDS, SOLID_SIZE), in metres.

    The lowest part touches the floor z = 0 unless the pose lifts it.
    """
    hair = HAIR_KINDS.index(body.hair)
    prop = PROP_KINDS.index(body.prop)
    points, solids = _pose_bodies(
        np.ascontiguousarray(poses, np.float64), body.lengths, body.girths, hair, prop
    )
    return points[:, _JOINT_POINTS], solids


def _random_lengths(rng: np.random.Generator, height: float) -> Float64:
    legs, arms = rng.normal(1, 0.035), rng.normal(1, 0.035)
    child = max(0.0, (1.5 - height) / 0.5)  # children have larger heads and shorter legs
    lengths = np.zeros(14)
    lengths[L_THIGH] = 0.242 * legs * (1 - 0.06 * child)
    lengths[L_SHANK] = 0.242 * legs * (1 - 0.06 * child) * rng.normal(1, 0.02)
    lengths[L_ANKLE] = 0.042
    lengths[L_LOWER] = 0.085
    lengths[L_UPPER] = 0.205
    lengths[L_NECK] = 0.048
    lengths[L_HEAD] = 0.128 * (1 + 0.35 * child) * rng.normal(1, 0.04)
    lengths[L_SHOULDER] = 0.108 * rng.normal(1, 0.07)
    lengths[L_HIP] = 0.053 * rng.normal(1, 0.06)
    lengths[L_ARM] = 0.170 * arms
    lengths[L_FORE] = 0.148 * arms * rng.normal(1, 0.03)
    lengths[L_HAND] = 0.088
    lengths[L_FOOT] = 0.148 * rng.normal(1, 0.05)
    lengths[L_HEADWIDTH] = 0.36 * lengths[L_HEAD] * rng.normal(1, 0.04)
    return lengths * height


def _random_girths(
    rng: np.random.Generator, height: float, girth: float, *, legs: str, sleeves: str
) -> Float64:
    girths = np.zeros(18)
    trunk = girth * rng.normal(1, 0.05)
    limb = girth**0.7 * rng.normal(1, 0.06)
    girths[G_CHEST] = 0.098 * trunk
    girths[G_WAIST] = 0.080 * trunk * girth**0.4
    girths[G_HIP] = 0.093 * trunk * rng.normal(1, 0.06)
    girths[G_SHOULDER] = 0.031 * limb
    girths[G_NECK] = 0.031 * limb**0.6
    girths[G_ARM] = 0.030 * limb
    girths[G_ELBOW] = 0.0235 * limb
    girths[G_WRIST] = 0.0165 * limb**0.5
    girths[G_HAND] = 0.023
    girths[G_THIGH] = 0.052 * limb
    girths[G_KNEE] = 0.034 * limb
    girths[G_SHANK] = 0.033 * limb
    girths[G_FOOT] = 0.026
    girths[G_BELLY] = 0.088 * trunk * max(0.0, girth - 1.08) * 2.2 if girth > 1.08 else 0.0
    girths *= height
    girths[G_SLEEVE] = rng.uniform(1.04, 1.22) if sleeves != "none" else 1.0
    girths[G_TROUSER] = rng.uniform(1.02, 1.25)
    girths[G_SKIRT] = rng.uniform(0.35, 0.8) if legs == "skirt" else 0.0
    return girths


_SKIN_TONES = np.array(
    [[0.95, 0.80, 0.70], [0.90, 0.70, 0.57], [0.80, 0.60, 0.45], [0.66, 0.46, 0.33],
     [0.48, 0.32, 0.22], [0.34, 0.22, 0.16], [0.98, 0.75, 0.63]]
)  # fmt: skip
_HAIR_TONES = np.array(
    [[0.08, 0.06, 0.05], [0.20, 0.12, 0.07], [0.40, 0.26, 0.13], [0.75, 0.58, 0.32],
     [0.55, 0.55, 0.55], [0.85, 0.85, 0.83], [0.55, 0.20, 0.08]]
)  # fmt: skip


def _cloth_colour(rng: np.random.Generator) -> Float64:
    """Return a cloth colour in sRGB: greys, darks, pales and brights."""
    kind = rng.random()
    if kind < 0.3:
        return np.full(3, rng.uniform(0.03, 0.95)) + rng.normal(0, 0.02, 3)
    hue = rng.random() * 6
    colour = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    strength, value = rng.uniform(0.25, 1.0), rng.uniform(0.12, 0.95)
    return np.asarray(value * (1 - strength + strength * colour))


def _random_materials(
    rng: np.random.Generator, look: Look, *, legs: str, sleeves: str, hair: str
) -> Float64:
    skin = np.array(look.skin) if look.skin else _skin(rng)
    shirt = np.array(look.shirt) if look.shirt else _cloth_colour(rng)
    lower = np.array(look.trousers) if look.trousers else _cloth_colour(rng)
    if look.shirt is None and look.trousers is None and rng.random() < 0.12:
        lower = shirt  # one suit
    shoes, sole = _cloth_colour(rng), _cloth_colour(rng)
    tone = np.array(look.hair_colour) if look.hair_colour else _HAIR_TONES[rng.integers(7)]
    if hair == "cap":
        tone = _cloth_colour(rng)
    accent, prop = _cloth_colour(rng), _cloth_colour(rng)
    pattern = look.pattern
    if pattern is None:
        pattern = int(rng.choice([0, 1, 2, 3, 4], p=[0.45, 0.15, 0.13, 0.07, 0.2]))
    frequency, amount = rng.uniform(3, 9), rng.uniform(0.5, 1.0)
    lower_pattern = int(rng.choice([0, 2, 5], p=[0.65, 0.1, 0.25]))

    rows = np.zeros((SOLIDS, MATERIAL_SIZE))

    def dress(
        solid: int,
        colour: Float64,
        beyond: Float64 | None = None,
        split: float = 2.0,
        kind: int = 0,
        folds: float = 0.12,
        gloss: float = 0.0,
    ) -> None:
        rows[solid, 0:3] = colour
        rows[solid, 3:6] = colour if beyond is None else beyond
        rows[solid, 6:12] = split, kind, frequency, amount, folds, gloss
        rows[solid, 12:15] = accent

    dress(0, shirt, kind=pattern)
    tucked = rng.random() < 0.4
    dress(1, lower, shirt, split=rng.uniform(0.2, 0.6) if not tucked else 0.95, kind=0)
    dress(2, shirt, kind=0)
    dress(3, skin, folds=0.02, gloss=0.1)
    dress(4, skin, folds=0.0, gloss=0.12)
    rows[4, 15] = 1.0
    rows[4, 12:15] = skin * 0.25
    for solid in (5, 6, 7):
        dress(solid, tone, folds=0.25, gloss=0.15)
    dress(8, skin * 0.97, folds=0.0)
    dress(9, skin * 0.92, folds=0.0)
    short = rng.uniform(0.45, 0.95)
    upper_split = {"long": 2.0, "short": short, "none": -1.0}[sleeves]
    for solid in (10, 11):
        dress(solid, shirt, skin, upper_split, pattern if pattern in (1, 3) else 0)
    for solid in (12, 13):
        dress(
            solid, shirt, skin, 0.93 if sleeves == "long" else -1.0, pattern if pattern == 1 else 0
        )
    glove = _cloth_colour(rng) if rng.random() < 0.12 else skin
    for solid in (14, 15):
        dress(solid, glove, folds=0.0, gloss=0.05)
    shorts = rng.uniform(0.35, 1.0) if legs == "shorts" else (2.0 if legs == "long" else -1.0)
    tights = _cloth_colour(rng) if legs != "long" and rng.random() < 0.25 else skin
    for solid in (16, 17):
        dress(solid, lower, tights, shorts, lower_pattern)
    sock = _cloth_colour(rng) if rng.random() < 0.6 else tights
    for solid in (18, 19, 26, 27):
        if legs == "long":
            dress(solid, lower, skin, rng.choice([0.9, 2.0]), lower_pattern)
        else:
            dress(solid, tights, sock, rng.uniform(0.5, 0.95), folds=0.02, gloss=0.05)
    rows[26:28, 6] = 2.0
    for solid in (20, 21):
        dress(solid, shoes, sole, 2.0, folds=0.0, gloss=0.2)
    dress(22, shirt, kind=0)
    dress(23, lower, kind=lower_pattern, folds=0.3)
    for solid in (24, 25):
        dress(solid, prop, folds=0.0, gloss=0.5)
    rows[:, 0:6] = np.clip(rows[:, 0:6], 0.0, 1.0) ** 2.2
    rows[:, 12:15] = np.clip(rows[:, 12:15], 0.0, 1.0) ** 2.2
    return rows


def _skin(rng: np.random.Generator) -> Float64:
    tones = _SKIN_TONES[rng.integers(len(_SKIN_TONES), size=2)]
    part = rng.random()
    return np.asarray(tones[0] * part + tones[1] * (1 - part)) * rng.uniform(0.92, 1.05)


# Positions of the entries of a pose, as plain numbers for the compiled code.
_X, _Y, _LIFT, _YAW = INDEX["x"], INDEX["y"], INDEX["lift"], INDEX["yaw"]
_SPINE, _NECK = INDEX["spine"], INDEX["neck"]
_ARM, _LEG = INDEX["l_raise"], INDEX["l_hip"]
_RAD = np.pi / 180


@compiled
def _turn_x(m: Float64, angle: float) -> Float64:
    """Return m times a rotation about x."""
    c, s = np.cos(angle), np.sin(angle)
    out = m.copy()
    for i in range(3):
        out[i, 1] = m[i, 1] * c + m[i, 2] * s
        out[i, 2] = -m[i, 1] * s + m[i, 2] * c
    return out


@compiled
def _turn_y(m: Float64, angle: float) -> Float64:
    c, s = np.cos(angle), np.sin(angle)
    out = m.copy()
    for i in range(3):
        out[i, 0] = m[i, 0] * c - m[i, 2] * s
        out[i, 2] = m[i, 0] * s + m[i, 2] * c
    return out


@compiled
def _turn_z(m: Float64, angle: float) -> Float64:
    c, s = np.cos(angle), np.sin(angle)
    out = m.copy()
    for i in range(3):
        out[i, 0] = m[i, 0] * c + m[i, 1] * s
        out[i, 1] = -m[i, 0] * s + m[i, 1] * c
    return out


@compiled
def _skeleton(pose: Float64, lengths: Float64, points: Float64, frames: Float64) -> None:
    """Fill points (POINTS, 3) and frames (FRAMES, 3, 3); columns of a frame: front, left, up."""
    a = pose * _RAD
    root = _turn_x(_turn_y(_turn_z(np.eye(3), a[_YAW]), a[_YAW + 1]), -a[_YAW + 2])
    frames[0] = root
    points[PELVIS] = 0.0
    # The trunk bends in two places, at the waist and in the chest.
    half = _turn_x(
        _turn_y(_turn_z(root, a[_SPINE + 2] * 0.4), a[_SPINE] * 0.5), -a[_SPINE + 1] * 0.5
    )
    chest = _turn_x(
        _turn_y(_turn_z(half, a[_SPINE + 2] * 0.6), a[_SPINE] * 0.5), -a[_SPINE + 1] * 0.5
    )
    frames[1] = chest
    points[WAIST] = root[:, 2] * lengths[L_LOWER]
    points[CHEST] = points[WAIST] + half[:, 2] * lengths[L_UPPER] * 0.5
    points[NECK] = points[CHEST] + chest[:, 2] * lengths[L_UPPER] * 0.5
    head = _turn_x(_turn_y(_turn_z(chest, a[_NECK + 2]), a[_NECK]), -a[_NECK + 1])
    frames[2] = head
    points[NECK_TOP] = points[NECK] + (chest[:, 2] + head[:, 2]) * 0.5 * lengths[L_NECK]
    size, wide = lengths[L_HEAD], lengths[L_HEADWIDTH]
    points[HEAD] = points[NECK_TOP] + head[:, 2] * size * 0.42 + head[:, 0] * size * 0.08
    points[TOP] = points[HEAD] + head[:, 2] * size * 0.5
    points[NOSE] = points[HEAD] + head[:, 0] * wide * 1.22 - head[:, 2] * size * 0.06
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        eye = head[:, 0] * wide * 1.08 + head[:, 1] * sign * wide * 0.42 + head[:, 2] * size * 0.05
        points[EYE + side] = points[HEAD] + eye
        points[EAR + side] = points[HEAD] + head[:, 1] * sign * wide * 0.98

        arm = _ARM + 5 * side
        lift = min(1.0, max(0.0, (pose[arm] - 50.0) / 120.0))
        out = sign * (lengths[L_SHOULDER] * (1 - 0.12 * lift))
        up = lengths[L_UPPER] * (-0.10 + 0.20 * lift)
        points[SHOULDER + side] = points[NECK] + chest[:, 1] * out + chest[:, 2] * up
        plane = sign * a[arm + 1]
        upper = _turn_z(_turn_y(_turn_z(chest, plane), -a[arm]), -plane + sign * a[arm + 2])
        fore = _turn_y(upper, -a[arm + 3])
        hand = _turn_y(fore, -a[arm + 4])
        frames[F_UPPER + side], frames[F_FORE + side], frames[F_HAND + side] = upper, fore, hand
        points[ELBOW + side] = points[SHOULDER + side] - upper[:, 2] * lengths[L_ARM]
        points[WRIST + side] = points[ELBOW + side] - fore[:, 2] * lengths[L_FORE]
        points[HAND + side] = points[WRIST + side] - hand[:, 2] * lengths[L_HAND]

        leg = _LEG + 5 * side
        points[HIP + side] = (
            root[:, 1] * sign * lengths[L_HIP] - root[:, 2] * lengths[L_LOWER] * 0.25
        )
        thigh = _turn_y(_turn_x(_turn_z(root, sign * a[leg + 2]), sign * a[leg + 1]), -a[leg])
        shank = _turn_y(thigh, a[leg + 3])
        level = np.arctan2(shank[2, 0], max(shank[2, 2], 0.05))  # turns the sole to the floor
        foot = _turn_y(shank, min(0.9, max(-0.6, level)) + a[leg + 4])
        frames[F_THIGH + side], frames[F_SHANK + side], frames[F_FOOT + side] = thigh, shank, foot
        points[KNEE + side] = points[HIP + side] - thigh[:, 2] * lengths[L_THIGH]
        points[ANKLE + side] = points[KNEE + side] - shank[:, 2] * lengths[L_SHANK]
        sole = points[ANKLE + side] - foot[:, 2] * lengths[L_ANKLE] * 0.5
        points[HEEL + side] = sole - foot[:, 0] * lengths[L_FOOT] * 0.18
        points[TOE + side] = sole + foot[:, 0] * lengths[L_FOOT] * 0.68


@compiled
def _stand_on_floor(pose: Float64, lengths: Float64, girths: Float64, points: Float64) -> None:
    """Shift the points so that the lowest part touches z = 0 and standing feet stay in place."""
    lowest = 1e9
    for side in range(2):
        foot = min(points[HEEL + side, 2], points[TOE + side, 2]) - lengths[L_ANKLE] * 0.5
        lowest = min(lowest, foot)
        lowest = min(lowest, points[HAND + side, 2] - girths[G_HAND])
        lowest = min(lowest, points[ELBOW + side, 2] - girths[G_ELBOW])
        lowest = min(lowest, points[KNEE + side, 2] - girths[G_KNEE])
        lowest = min(lowest, points[SHOULDER + side, 2] - girths[G_ARM])
        lowest = min(lowest, points[HIP + side, 2] - girths[G_THIGH] * 1.15)
    lowest = min(lowest, points[HEAD, 2] - lengths[L_HEADWIDTH])
    lowest = min(lowest, points[PELVIS, 2] - girths[G_HIP] * 0.8)

    yaw = pose[_YAW] * _RAD
    weights, x, y = 0.03, 0.0, 0.0
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        home = sign * lengths[L_HIP] * 1.6
        height = points[ANKLE + side, 2] - lengths[L_ANKLE] - lowest
        weight = np.exp(-max(0.0, height) / 0.05)
        x += weight * (points[ANKLE + side, 0] + np.sin(yaw) * home)
        y += weight * (points[ANKLE + side, 1] - np.cos(yaw) * home)
        weights += weight
    scale = (lengths[L_THIGH] + lengths[L_SHANK]) / 0.83
    for i in range(POINTS):
        points[i, 0] += pose[_X] * scale - x / weights
        points[i, 1] += pose[_Y] * scale - y / weights
        points[i, 2] += pose[_LIFT] * scale - lowest


@compiled
def _put(
    solid: Float64,
    a: Float64,
    b: Float64,
    r_a: float,
    r_b: float,
    front: Float64,
    flat: float,
    cap: float,
) -> None:
    solid[0:3] = a
    solid[3:6] = b
    solid[6] = r_a
    solid[7] = r_b
    solid[8:11] = front
    solid[11] = flat
    solid[12] = cap


@compiled
def _solids(
    points: Float64,
    frames: Float64,
    lengths: Float64,
    g: Float64,
    hair: int,
    prop: int,
    solids: Float64,
) -> None:
    """Fill solids (SOLIDS, SOLID_SIZE); radius 0 = not there."""
    chest, root, head = frames[F_CHEST], frames[F_PELVIS], frames[F_HEAD]
    torso = lengths[L_UPPER]
    waist, neck, centre = points[WAIST], points[NECK], points[HEAD]
    low = waist + (points[CHEST] - waist) * 0.35
    high = neck - chest[:, 2] * (torso * 0.26)
    _put(solids[0], low, high, g[G_WAIST], g[G_CHEST], chest[:, 0], 0.66, 0.55)
    seat = points[PELVIS] - root[:, 2] * lengths[L_LOWER] * 0.15
    _put(solids[1], seat, low, g[G_HIP], g[G_WAIST], root[:, 0], 0.76, 0.62)
    _put(solids[2], points[SHOULDER], points[SHOULDER + 1], g[G_SHOULDER], g[G_SHOULDER],
         chest[:, 0], 1.0, 0.9)  # fmt: skip
    base = neck - chest[:, 2] * g[G_NECK] * 0.6
    _put(solids[3], base, points[NECK_TOP] + head[:, 2] * g[G_NECK] * 0.6, g[G_NECK] * 1.15, g[G_NECK],
         head[:, 0], 1.0, 1.0)  # fmt: skip
    size, wide = lengths[L_HEAD], lengths[L_HEADWIDTH]
    tall = size * 0.5 / wide
    bit = head[:, 2] * (0.01 * size)
    jaw = centre - head[:, 2] * size * 0.14
    _put(
        solids[4],
        jaw,
        centre + head[:, 2] * size * 0.10,
        wide * 0.84,
        wide,
        head[:, 0],
        1.17,
        tall * 0.76,
    )
    for i in range(5, 8):
        solids[i, 6] = 0.0
    if hair > 0:
        at = centre + head[:, 2] * size * 0.13 - head[:, 0] * wide * 0.20
        _put(
            solids[5],
            at - bit,
            at + bit,
            wide * g[G_HAIR],
            wide * g[G_HAIR],
            head[:, 0],
            1.10,
            tall * 0.72,
        )
    if hair == 2:
        back = centre - head[:, 0] * wide * 0.75 + head[:, 2] * size * 0.1
        end = points[NECK] - chest[:, 0] * g[G_CHEST] * 0.62 - chest[:, 2] * torso * 0.22
        _put(solids[6], back, end, wide * 0.85, wide * 0.6, head[:, 0], 0.55, 0.8)
    elif hair == 3:
        back = centre - head[:, 0] * wide * 1.35 + head[:, 2] * size * 0.22
        end = back - head[:, 0] * wide * 0.3 - head[:, 2] * size * 0.35
        _put(solids[6], back, end, wide * 0.4, wide * 0.26, head[:, 0], 1.0, 1.0)
    elif hair == 4:
        brim = centre + head[:, 2] * size * 0.22 + head[:, 0] * wide * 0.7
        end = brim + head[:, 0] * wide * 1.1 - head[:, 2] * size * 0.04
        _put(solids[6], brim, end, wide * 0.75, wide * 0.62, head[:, 2], 0.14, 0.5)
    _put(solids[8], centre + head[:, 0] * wide * 0.95 + head[:, 2] * size * 0.02, points[NOSE],
         wide * 0.10, wide * 0.17, head[:, 0], 1.0, 1.0)  # fmt: skip
    _put(solids[9], points[EAR], points[EAR + 1], wide * 0.24, wide * 0.24, head[:, 0], 0.8, 0.4)
    for side in range(2):
        upper, fore, hand = frames[F_UPPER + side], frames[F_FORE + side], frames[F_HAND + side]
        thigh, shank, foot = frames[F_THIGH + side], frames[F_SHANK + side], frames[F_FOOT + side]
        sleeve, cloth = g[G_SLEEVE], g[G_TROUSER]
        _put(solids[10 + side], points[SHOULDER + side], points[ELBOW + side], g[G_ARM] * 1.1 * sleeve,
             g[G_ELBOW] * sleeve, upper[:, 0], 1.0, 1.0)  # fmt: skip
        _put(solids[12 + side], points[ELBOW + side], points[WRIST + side], g[G_ELBOW], g[G_WRIST],
             fore[:, 0], 1.0, 1.0)  # fmt: skip
        palm = points[WRIST + side] - hand[:, 2] * lengths[L_HAND] * 0.35
        _put(solids[14 + side], palm, points[HAND + side] + hand[:, 2] * g[G_HAND] * 0.7, g[G_HAND],
             g[G_HAND] * 0.8, hand[:, 1], 0.6, 1.0)  # fmt: skip
        _put(solids[16 + side], points[HIP + side], points[KNEE + side], g[G_THIGH] * cloth,
             g[G_KNEE] * cloth, thigh[:, 0], 1.05, 1.0)  # fmt: skip
        _put(solids[18 + side], points[KNEE + side], points[ANKLE + side], g[G_KNEE] * cloth**0.7,
             g[G_SHANK] * 0.66 * cloth, shank[:, 0], 1.0, 1.0)  # fmt: skip
        calf = (
            points[KNEE + side]
            - shank[:, 2] * lengths[L_SHANK] * 0.28
            - shank[:, 0] * g[G_SHANK] * 0.3
        )
        _put(solids[26 + side], calf + shank[:, 2] * g[G_SHANK] * 0.8, calf - shank[:, 2] * g[G_SHANK],
             g[G_SHANK] * cloth**0.5, g[G_SHANK] * cloth**0.5 * 0.8, shank[:, 0], 1.0, 1.3)  # fmt: skip
        heel = points[HEEL + side] + foot[:, 0] * g[G_FOOT] * 0.7
        _put(solids[20 + side], heel, points[TOE + side] - foot[:, 0] * g[G_FOOT] * 0.6,
             g[G_FOOT] * 1.05, g[G_FOOT] * 0.92, foot[:, 2], 0.85, 1.0)  # fmt: skip
    belly = waist + root[:, 0] * g[G_WAIST] * 0.35
    _put(solids[22], belly - root[:, 2] * 0.02, belly + root[:, 2] * 0.02,
         g[G_BELLY] if g[G_BELLY] < g[G_WAIST] * 1.05 else g[G_WAIST] * 1.05, g[G_BELLY] * 0.0
         if g[G_BELLY] <= 0 else min(g[G_BELLY], g[G_WAIST] * 1.05) * 0.95, root[:, 0], 0.85, 0.9)  # fmt: skip
    solids[23, 6] = 0.0
    if g[G_SKIRT] > 0:
        knees = (points[KNEE] + points[KNEE + 1]) * 0.5
        hem = points[PELVIS] + (knees - points[PELVIS]) * g[G_SKIRT]
        apart = np.sqrt(np.sum((points[KNEE] - points[KNEE + 1]) ** 2)) * 0.5 * g[G_SKIRT]
        _put(solids[23], points[PELVIS], hem, g[G_HIP] * 1.02, max(g[G_HIP], apart + g[G_THIGH]) * 1.05,
             root[:, 0], 0.8, 0.25)  # fmt: skip
    solids[24, 6] = 0.0
    solids[25, 6] = 0.0
    left = points[WRIST] * 0.4 + points[HAND] * 0.6
    right = points[WRIST + 1] * 0.4 + points[HAND + 1] * 0.6
    if prop == 1:
        span = left - right
        wide_span = np.sqrt(np.sum(span**2)) + 1e-6
        beyond = span / wide_span * max(0.05, 0.75 - wide_span * 0.5)
        _put(
            solids[24], left + beyond, right - beyond, 0.022, 0.022, frames[F_HAND][:, 0], 1.0, 1.0
        )
    elif prop == 2:
        up = frames[F_HAND + 1][:, 2] * 0.01
        ball = right - frames[F_HAND + 1][:, 2] * 0.10
        _put(solids[24], ball - up, ball + up, 0.11, 0.11, frames[F_HAND + 1][:, 0], 1.0, 1.0)
    elif prop == 3:
        tip = right + (frames[F_HAND + 1][:, 0] * 0.8 - frames[F_HAND + 1][:, 2] * 0.6) * 0.75
        _put(solids[24], right, tip, 0.018, 0.026, frames[F_HAND + 1][:, 1], 1.0, 1.0)
    elif prop == 4:
        for side in range(2):
            hold = left if side == 0 else right
            axis = frames[F_HAND + side][:, 0] * 0.12
            _put(solids[24 + side], hold - axis, hold + axis, 0.045, 0.045,
                 frames[F_HAND + side][:, 1], 1.0, 1.0)  # fmt: skip


@compiled
def _pose_bodies(
    poses: Float64, lengths: Float64, girths: Float64, hair: int, prop: int
) -> tuple[Float64, Float64]:
    count = poses.shape[0]
    points = np.zeros((count, POINTS, 3))
    solids = np.zeros((count, SOLIDS, SOLID_SIZE))
    frames = np.zeros((FRAMES, 3, 3))
    for t in range(count):
        _skeleton(poses[t], lengths, points[t], frames)
        _stand_on_floor(poses[t], lengths, girths, points[t])
        _solids(points[t], frames, lengths, girths, hair, prop, solids[t])
    return points, solids
