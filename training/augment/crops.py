"""Cut a box out of every picture of a view and bring it to the input's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from carl_core.arrays import Int64, UInt8


def cut_and_resized(
    frames: UInt8, chosen: Int64 | None, box: tuple[int, int, int, int], size: int
) -> UInt8:
    """Resize a box of each picture, bilinear with antialiasing, in 8 bit throughout.

    Only the pixels of the box are copied out of ``frames``, which may be memory-mapped.

    Parameters
    ----------
    frames : uint8 (N, H, W, 3)
    chosen : int64 (T,), which pictures; None = all
    box : left, top, right, bottom in pixels; where it reaches beyond, the edge pixels go on
    size : S

    Returns
    -------
    uint8 (T, S, S, 3), its own memory
    """
    height, width = frames.shape[1:3]
    left, top, right, bottom = box
    rows = slice(max(0, top), min(bottom, height))
    columns = slice(max(0, left), min(right, width))
    if chosen is None:
        cut = frames[:, rows, columns].copy()
    else:
        cut = np.asarray(frames[chosen, rows, columns])
    beyond = (
        (0, 0),
        (max(0, -top), max(0, bottom - height)),
        (max(0, -left), max(0, right - width)),
        (0, 0),
    )
    if np.any(beyond):
        cut = np.pad(cut, beyond, mode="edge")
    if cut.shape[1:3] == (size, size):
        return cut
    pixels = torch.from_numpy(cut).permute(0, 3, 1, 2)  # (T, 3, h, w)
    resized = F.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    made: UInt8 = resized.permute(0, 2, 3, 1).contiguous().numpy()
    return made
