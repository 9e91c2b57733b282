"""Draw a look and apply it, by the recipe that the configuration names.

Everything works on whole views, uint8 in, uint8 out, so that training and inference feed the trunk
alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from training.augment.crops import cut_and_resized
from training.augment.fixed import Look, apply_fixed, draw_fixed
from training.augment.published import PublishedLook, apply_published, draw_published

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Int64, UInt8
    from training.config import AugmentConfig

AnyLook: TypeAlias = Look | PublishedLook


def draw_look(
    rng: np.random.Generator,
    config: AugmentConfig,
    *,
    is_mirrored: bool,
    shape: tuple[int, int] | None = None,
) -> AnyLook:
    """Draw a look; whether it is mirrored is decided by the caller, for both views of a pair.

    Parameters
    ----------
    rng : the only source of chance
    config : ``recipe`` decides how
    is_mirrored : whether left and right are exchanged
    shape : height and width of the pictures; the published crop depends on them

    Raises
    ------
    ValueError
        When the published recipe is not told the shape.
    """
    if config.recipe == "fixed":
        return draw_fixed(rng, config, is_mirrored=is_mirrored)
    if shape is None:
        raise ValueError("the published recipe needs the height and width of the pictures")
    return draw_published(rng, config, is_mirrored=is_mirrored, shape=shape)


def apply_look(
    frames: UInt8,
    look: AnyLook,
    size: int,
    *,
    chosen: Int64 | None = None,
    out: UInt8 | None = None,
) -> UInt8:
    """Apply one look to all frames of a view.

    Beside the result, memory is the cropped and the resized frames: T (h w + S S) 3 bytes.

    Parameters
    ----------
    frames : uint8 (N, H, W, 3), may be read-only or memory-mapped
    look : the draw
    size : S
    chosen : int64 (T,), frames to show; None = all
    out : uint8 (T, S, S, 3) to write to, or None

    Returns
    -------
    uint8 (T, S, S, 3), ``out`` where given
    """
    if isinstance(look, PublishedLook):
        return apply_published(frames, look, size, chosen=chosen, out=out)
    return apply_fixed(frames, look, size, chosen=chosen, out=out)


def points_after(points: Float32, look: AnyLook) -> Float32:
    """Move points (..., 2) in shares of the picture to where ``apply_look`` moves them."""
    left, top, right, bottom = look.box
    x = (points[..., 0] - left) / (right - left)
    y = (points[..., 1] - top) / (bottom - top)
    if look.is_mirrored:
        x = 1.0 - x
    return np.stack([x, y], axis=-1).astype(np.float32)


def evaluation_frames(frames: UInt8, size: int, *, is_cropped: bool) -> UInt8:
    """Bring frames to the input's size as the official code does for evaluation.

    ``is_cropped`` (its ``RANDOM_CROP``, true in every SCL configuration) cuts the central S x S
    pixels out *without* resizing, else the whole picture is squashed. The two agree where pictures
    are S x S already, as those of Penn Action and Pouring. The engine's ``fit = "crop"`` scales the
    picture first, until its shorter side is S, and so shows more of a large picture.

    Parameters
    ----------
    frames : uint8 (T, H, W, 3)
    size : S
    is_cropped : see above; beyond a picture smaller than S there is black

    Returns
    -------
    uint8 (T, S, S, 3)
    """
    height, width = frames.shape[1:3]
    if not is_cropped:
        return cut_and_resized(frames, None, (0, 0, width, height), size)
    made = np.zeros((len(frames), size, size, 3), dtype=np.uint8)
    shown: list[tuple[slice, slice]] = []
    for extent in (height, width):
        count = min(extent, size)
        begin, place = (extent - count) // 2, (size - count) // 2
        shown.append((slice(begin, begin + count), slice(place, place + count)))
    (rows, to_rows), (columns, to_columns) = shown
    made[:, to_rows, to_columns] = frames[:, rows, columns]
    return made
