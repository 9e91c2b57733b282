"""Joints: a training signal of single simulated frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def joint_regression_loss(predicted: Tensor, joints: Tensor, known: Tensor) -> Tensor:
    """Smooth L1 error of joint coordinates, mean over the known ones.

    Parameters
    ----------
    predicted, joints : (..., J, K), same unit (shares of the picture or of the body)
    known : bool (..., J) or (..., J, K), where ``joints`` means something

    Returns
    -------
    scalar; 0 where nothing is known
    """
    if known.ndim == joints.ndim - 1:
        known = known.unsqueeze(-1).expand_as(joints)
    error = torch.nn.functional.smooth_l1_loss(
        predicted.float(),
        torch.where(known, joints, joints.new_zeros(())).float(),
        reduction="none",
        beta=0.1,
    )
    return (error * known).sum() / known.sum().clamp(min=1)


def joint_map_loss(logits: Tensor, points: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy of the cell each joint lies in, mean over the known joints.

    Parameters
    ----------
    logits : (N, J, H, W), scores of the cells
    points : (N, J, 2), x and y in shares of the picture
    known : bool (N, J), where the joint lies in the picture

    Returns
    -------
    scalar; 0 where nothing is known, 1 at the level of a guess
    """
    height, width = logits.shape[2:]
    x = (points[..., 0] * width).long().clamp(0, width - 1)
    y = (points[..., 1] * height).long().clamp(0, height - 1)
    error = torch.nn.functional.cross_entropy(
        logits.flatten(2).flatten(0, 1).float(), (y * width + x).flatten(), reduction="none"
    )
    error = error / math.log(height * width) * known.flatten()
    return error.sum() / known.sum().clamp(min=1)
