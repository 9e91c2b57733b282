"""Losses on embeddings: pure functions, tensors in, scalar out.

No model, no configuration object, no device handling.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

NEGATIVES = ("single", "batch")


def sequence_contrastive_loss(
    z1: Tensor,
    z2: Tensor,
    t1: Tensor,
    t2: Tensor,
    mask1: Tensor,
    mask2: Tensor,
    *,
    temperature: float,
    sigma: float,
    epsilon: float = 0.0,
    negatives: str = "single",
    reach: float | None = None,
) -> Tensor:
    """Sequence contrastive loss of two views per clip (Chen et al., CVPR 2022, equation 3).

    For a frame i of one view, the target over the frames j of the other view is a Gaussian of the
    time distance, ``q_ij ~ exp(-(t_i - t_j)^2 / (2 sigma^2))``; the prediction is
    ``p_ij = exp(z_i.z_j / temperature) / sum_k exp(z_i.z_k / temperature)``. The loss is
    ``KL(q_i || p_i)``, averaged over the valid frames of both views together (the paper sums two
    averages; the published code divides as we do).

    Differs from the published code: a log-softmax in at least fp32 in place of ``log(p + 1e-6)``
    when ``epsilon`` is 0; masked frames are left out entirely (there they keep a weight of 1e-6,
    reproduced when ``epsilon`` is given); ``reach``.

    Parameters
    ----------
    z1, z2 : (B, T1, D) and (B, T2, D), unit rows
    t1, t2 : (B, T1) and (B, T2), times in one unit, comparable inside a clip
    mask1, mask2 : bool, True where a frame is real
    temperature : divides the cosine
    sigma : width of the Gaussian in the unit of the times
    epsilon : added to p inside the logarithm; 0 = exact and stable
    negatives : "single" = the other view of the clip, "batch" = also every frame of other clips
    reach : leave out rows whose nearest valid counterpart is further than ``reach * sigma``;
        they still serve as negatives. None = every valid row counts (published)

    Returns
    -------
    scalar; 0 (with a gradient of zero) where no row counts

    Raises
    ------
    ValueError
        On shapes that do not fit, or parameters out of range.
    """
    _check(z1, z2, t1, t2, mask1, mask2, temperature, sigma, negatives)
    precise = torch.promote_types(z1.dtype, torch.float32)
    z1, z2 = z1.to(precise), z2.to(precise)
    distance = t1.to(precise).unsqueeze(2) - t2.to(precise).unsqueeze(1)  # (B, T1, T2)
    log_weight = -(distance**2) / (2.0 * sigma**2)
    close = None if reach is None else distance.abs() <= reach * sigma
    total = z1.new_zeros(())
    count = 0
    for anchors, others, weights, rows, columns, near in (
        (z1, z2, log_weight, mask1, mask2, close),
        (z2, z1, log_weight.transpose(1, 2), mask2, mask1, _transposed(close)),
    ):
        used = rows & columns.any(dim=1, keepdim=True)  # (B, T)
        if near is not None:
            used = used & (near & columns.unsqueeze(1)).any(dim=2)
        log_q = weights.masked_fill(~columns.unsqueeze(1), -torch.inf)
        log_q = torch.where(used.unsqueeze(2), log_q, torch.zeros_like(log_q))  # no empty row
        log_q = torch.log_softmax(log_q, dim=2)
        log_p = _log_prediction(anchors, others, rows, columns, temperature, epsilon, negatives)
        is_target = used.unsqueeze(2) & columns.unsqueeze(1) & (log_q > -torch.inf)
        difference = torch.where(is_target, log_q - log_p, torch.zeros_like(log_q))
        q = torch.where(is_target, log_q.exp(), torch.zeros_like(log_q))
        total = total + (q * difference).sum()
        count += int(used.sum())
    return total / max(count, 1)


def _log_prediction(
    anchors: Tensor,
    others: Tensor,
    rows: Tensor,
    columns: Tensor,
    temperature: float,
    epsilon: float,
    negatives: str,
) -> Tensor:
    """Log of p (B, Ta, To) for the frames of the same clip's other view."""
    # The published code weights pairs with a masked member, also those of the own view, by 1e-6.
    floor = math.log(1e-6) if epsilon > 0 else -torch.inf
    logits = torch.einsum("bid,bjd->bij", anchors, others) / temperature  # (B, Ta, To)
    some = columns.any(dim=1)[:, None, None]
    # Rows without any partner are not summed; here they only must not become NaN.
    valid = (rows.unsqueeze(2) & columns.unsqueeze(1)) | ~(rows.unsqueeze(2) & some)
    compared = [_weighted(logits, valid, floor)]
    if epsilon > 0:
        own = torch.einsum("bid,bjd->bij", anchors, anchors) / temperature + floor
        compared.append(own.masked_fill(rows.unsqueeze(2) & rows.unsqueeze(1), -torch.inf))
    if negatives == "batch" and len(anchors) > 1:
        both = torch.cat([anchors, others], dim=1)  # (B, Ta + To, D)
        both_valid = torch.cat([rows, columns], dim=1)
        cross = torch.einsum("bid,ckd->bick", anchors, both) / temperature
        cross = _weighted(cross, both_valid[None, None] & rows[:, :, None, None], floor)
        clip = torch.arange(len(anchors), device=anchors.device)
        same_clip = clip.view(-1, 1) == clip.view(1, -1)  # (B, B)
        cross = cross.masked_fill(same_clip[:, None, :, None], -torch.inf)
        compared.append(cross.flatten(2))  # (B, Ta, B (Ta + To))
    normaliser = torch.logsumexp(torch.cat(compared, dim=2), dim=2, keepdim=True)
    log_p = logits - normaliser
    if epsilon > 0:
        return (log_p.exp() + epsilon).log()
    return log_p


def _weighted(logits: Tensor, valid: Tensor, floor: float) -> Tensor:
    """Logits with those of invalid pairs lowered by ``floor`` (-inf removes them)."""
    if floor == -torch.inf:
        return logits.masked_fill(~valid, -torch.inf)
    return torch.where(valid, logits, logits + floor)


def _transposed(pairs: Tensor | None) -> Tensor | None:
    return None if pairs is None else pairs.transpose(1, 2)


def _check(
    z1: Tensor,
    z2: Tensor,
    t1: Tensor,
    t2: Tensor,
    mask1: Tensor,
    mask2: Tensor,
    temperature: float,
    sigma: float,
    negatives: str,
) -> None:
    for view, z, t, mask in ((1, z1, t1, mask1), (2, z2, t2, mask2)):
        if z.ndim != 3 or t.shape != z.shape[:2] or mask.shape != z.shape[:2]:
            raise ValueError(
                f"view {view}: embeddings {tuple(z.shape)}, times {tuple(t.shape)} and mask "
                f"{tuple(mask.shape)} must be (B, T, D), (B, T) and (B, T)"
            )
        if mask.dtype != torch.bool:
            raise ValueError(f"view {view}: the mask is {mask.dtype}, must be bool")
    if len(z1) != len(z2) or z1.shape[2] != z2.shape[2]:
        raise ValueError(f"views {tuple(z1.shape)} and {tuple(z2.shape)} do not belong together")
    if temperature <= 0 or sigma <= 0:
        raise ValueError(f"temperature {temperature} and sigma {sigma} must be above 0")
    if negatives not in NEGATIVES:
        raise ValueError(f"negatives = {negatives!r}: must be one of {', '.join(NEGATIVES)}")


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
