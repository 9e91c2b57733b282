"""Bodies: proportions, girths, clothes, hair, what is in the hands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carl_core.arrays import Float64, as_read_only

SOLIDS = 28
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


def _random_lengths(rng: np.random.Generator, height: float) -> Float64:
    legs, arms = rng.normal(1, 0.035), rng.normal(1, 0.035)
    child = max(0.0, (1.5 - height) / 0.5)  # children have larger heads and shorter legs
    lengths = np.zeros(14)
    lengths[L_THIGH] = 0.242 * legs * (1 - 0.06 * child)
    lengths[L_SHANK] = 0.242 * legs * (1 - 0.06 * child) * rng.normal(1, 0.02)
    lengths[L_ANKLE] = 0.042
    lengths[L_LOWER] = 0.085
    lengths[L_UPPER] = 0.205
    lengths[L_NECK] = 0.038
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
