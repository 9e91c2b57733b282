"""Frames' phase labels: the supervised baseline."""

from __future__ import annotations

import torch
from torch import Tensor


def frame_cross_entropy(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of the phases of frames, mean over the real frames that have a label.

    Parameters
    ----------
    logits : (..., C), scores of the phases
    labels : int64 (...), -1 = none
    mask : bool (...), True where a frame is real

    Returns
    -------
    scalar; 0 (with a gradient of zero) where no frame counts

    Raises
    ------
    ValueError
        On shapes that do not fit.
    """
    if labels.shape != logits.shape[:-1] or mask.shape != logits.shape[:-1]:
        raise ValueError(
            f"logits {tuple(logits.shape)}, labels {tuple(labels.shape)} and mask "
            f"{tuple(mask.shape)} must be (..., C), (...) and (...)"
        )
    if mask.dtype != torch.bool:
        raise ValueError(f"the mask is {mask.dtype}, must be bool")
    used = mask & (labels >= 0)
    logits = torch.where(
        used.unsqueeze(-1), logits.float() if logits.dtype != torch.float64 else logits, 0.0
    )
    log_p = torch.log_softmax(logits, dim=-1)
    chosen = log_p.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -torch.where(used, chosen, torch.zeros_like(chosen)).sum() / used.sum().clamp(min=1)
