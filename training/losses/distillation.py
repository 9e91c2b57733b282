"""What a student owes its teachers: what is where, how moments differ, where joints are."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def place_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of standardised features; 1 at the level of the mean.

    Parameters
    ----------
    predicted, target : (N, C, ...), every channel of the target with mean 0 and variance 1
    """
    return (predicted.float() - target.float()).square().mean()


def difference_loss(predicted: Tensor, target: Tensor, is_sequence: Tensor, group: int) -> Tensor:
    """Error of how the frames of a group differ from their mean, as a share of how much they do.

    Two recordings of a thing differ from each other in most features all along; alignment lives
    from what changes within one. 1 when nothing is said to change.

    Parameters
    ----------
    predicted, target : (N, ...), N a multiple of ``group``
    is_sequence : bool (N / group,), whether a group's frames are moments of one recording
    group : frames of a group

    Returns
    -------
    scalar; 0 without a sequence
    """
    shape = (-1, group, *predicted.shape[1:])
    ours, theirs = predicted.float().reshape(shape), target.float().reshape(shape)
    ours = ours - ours.mean(dim=1, keepdim=True)
    theirs = theirs - theirs.mean(dim=1, keepdim=True)
    counts = is_sequence.to(ours.dtype).reshape(-1, *[1] * (ours.ndim - 1))
    wrong = ((ours - theirs).square() * counts).sum()
    share: Tensor = wrong / (theirs.square() * counts).sum().clamp(min=1e-6)
    return share


def located_joint_loss(
    scores: Tensor,
    nowhere: Tensor,
    joints: Tensor,
    *,
    sure: float = 0.35,
    absent: float = 0.15,
    spread: float = 0.8,
) -> Tensor:
    """Cross-entropy of the cell a joint lies in, one more cell standing for "not in the picture".

    Parameters
    ----------
    scores : (N, J, H, W), logits of the cells
    nowhere : (N, J), logit of the joint being nowhere
    joints : (N, J, 3), x and y in shares of the picture, and a score: from ``sure`` on the joint is
        learned, weighted by its score; below ``absent`` it is learned to be nowhere; between, not
    spread : deviation of the target around the joint in cells

    Returns
    -------
    scalar, 1 at the level of a guess; 0 where nothing is known
    """
    height, width = scores.shape[2:]
    joints = joints.float()
    along_x = _bump(joints[..., 0] * width, width, spread)
    along_y = _bump(joints[..., 1] * height, height, spread)
    cells = (along_y.unsqueeze(-1) * along_x.unsqueeze(-2)).flatten(2)  # (N, J, H W)
    cells = cells / cells.sum(dim=-1, keepdim=True).clamp(min=1e-9)
    logits = torch.cat([scores.flatten(2), nowhere.unsqueeze(-1)], dim=-1).float()
    log_shares = torch.log_softmax(logits, dim=-1)
    score = joints[..., 2]
    is_sure, is_absent = score >= sure, score < absent
    error = torch.where(is_sure, -(cells * log_shares[..., :-1]).sum(-1), -log_shares[..., -1])
    weight = torch.where(is_sure, score, 0.25 * is_absent.to(score.dtype))
    return (weight * error).sum() / weight.sum().clamp(min=1.0) / math.log(height * width + 1)


def _bump(centre: Tensor, cells: int, spread: float) -> Tensor:
    """(N, J) in cells -> (N, J, cells), a Gaussian around it."""
    middles = torch.arange(cells, device=centre.device) + 0.5
    return torch.exp(-0.5 * ((middles - centre.unsqueeze(-1)) / spread).square())
