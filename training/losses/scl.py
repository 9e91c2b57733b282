"""The sequence contrastive loss of CARL."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.losses.inputs import blanked, check_pair, check_positive, precise

NEGATIVES = ("single", "batch")
# The published code weights pairs with a masked member by this instead of leaving them out.
_MASKED_WEIGHT = 1e-6


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
    own_view: bool = False,
    reach: float | None = None,
    lengths1: Tensor | None = None,
    lengths2: Tensor | None = None,
) -> Tensor:
    """Sequence contrastive loss of two views per clip (Chen et al., CVPR 2022, equation 3).

    For a frame i of one view, the target over the frames j of the other view is a Gaussian of the
    time distance, ``q_ij ~ exp(-d_ij^2 / (2 sigma^2))``; the prediction is
    ``p_ij = exp(z_i.z_j / temperature) / sum_k exp(z_i.z_k / temperature)``. The loss is
    ``KL(q_i || p_i)``, averaged over the valid frames of both views together (the paper sums two
    averages; the published code divides as we do).

    Differs from the published code when ``epsilon`` is 0: a log-softmax in at least fp32 in place
    of ``log(p + 1e-6)``; masked frames are left out entirely (there pairs with a masked member,
    of whatever view and clip, keep a weight of 1e-6); with ``own_view`` a frame is not compared
    with itself (there it is). ``reach`` is ours. A positive ``epsilon`` reproduces all three.

    Parameters
    ----------
    z1, z2 : (B, T1, D) and (B, T2, D), unit rows
    t1, t2 : (B, T1) and (B, T2), times in one unit, comparable inside a clip
    mask1, mask2 : bool, True where a frame is real
    temperature : divides the cosine
    sigma : width of the Gaussian in the unit of the times
    epsilon : added to p inside the logarithm; 0 = exact and stable
    negatives : "single" = the other view of the clip, "batch" = also every frame of other clips
    own_view : the frames of the own view are negatives too
    reach : leave out rows whose nearest valid counterpart is further than ``reach * sigma``;
        they still serve as negatives. None = every valid row counts (published)
    lengths1, lengths2 : (B,), lengths of the recordings the views were cut from, in the unit of the
        times: ``d_ij = |t_i L_j / L_i - t_j|`` (published). None = equal, ``d_ij = |t_i - t_j|``

    Returns
    -------
    scalar; 0 (with a gradient of zero) where no row counts

    Raises
    ------
    ValueError
        On shapes that do not fit, or parameters out of range.
    """
    check_pair(z1, z2, t1, t2, mask1, mask2)
    check_positive(temperature=temperature, sigma=sigma)
    if negatives not in NEGATIVES:
        raise ValueError(f"negatives = {negatives!r}: must be one of {', '.join(NEGATIVES)}")
    ratio = _length_ratio(lengths1, lengths2, len(z1))
    z1, z2 = precise(z1), precise(z2)
    t1, t2 = t1.to(z1.dtype), t2.to(z1.dtype)
    if epsilon == 0:
        z1, z2, t1, t2 = (
            blanked(x, m) for x, m in ((z1, mask1), (z2, mask2), (t1, mask1), (t2, mask2))
        )
    total = z1.new_zeros(())
    count = mask1.new_zeros((), dtype=torch.int64)
    for anchors, others, from_s, to_s, rows, columns, scale in (
        (z1, z2, t1, t2, mask1, mask2, ratio),
        (z2, z1, t2, t1, mask2, mask1, None if ratio is None else 1.0 / ratio),
    ):
        if scale is not None:
            from_s = from_s * scale.to(from_s.dtype).unsqueeze(1)
        distance = (from_s.unsqueeze(2) - to_s.unsqueeze(1)).abs()  # (B, Ta, To)
        used = rows & columns.any(dim=1, keepdim=True)  # (B, Ta)
        if reach is not None:
            used = used & ((distance <= reach * sigma) & columns.unsqueeze(1)).any(dim=2)
        log_q = -(distance**2) / (2.0 * sigma**2)
        log_q = log_q.masked_fill(~columns.unsqueeze(1), -torch.inf)
        log_q = torch.where(used.unsqueeze(2), log_q, torch.zeros_like(log_q))  # no empty row
        log_q = torch.log_softmax(log_q, dim=2)
        log_p = _log_prediction(
            anchors, others, rows, columns, temperature, epsilon, negatives == "batch", own_view
        )
        is_target = used.unsqueeze(2) & columns.unsqueeze(1) & (log_q > -torch.inf)
        difference = torch.where(is_target, log_q - log_p, torch.zeros_like(log_q))
        q = torch.where(is_target, log_q.exp(), torch.zeros_like(log_q))
        total = total + (q * difference).sum()
        count = count + used.sum()
    return total / count.clamp(min=1)


def _log_prediction(
    anchors: Tensor,
    others: Tensor,
    rows: Tensor,
    columns: Tensor,
    temperature: float,
    epsilon: float,
    other_clips: bool,
    own_view: bool,
) -> Tensor:
    """Log of p (B, Ta, To) for the frames of the same clip's other view."""
    floor = math.log(_MASKED_WEIGHT) if epsilon > 0 else -torch.inf
    logits = torch.einsum("bid,bjd->bij", anchors, others) / temperature  # (B, Ta, To)
    some = columns.any(dim=1)[:, None, None]
    # Rows without any partner are not summed; here they only must not become NaN.
    valid = (rows.unsqueeze(2) & columns.unsqueeze(1)) | ~(rows.unsqueeze(2) & some)
    compared = [_weighted(logits, valid, True, floor)]
    if own_view or epsilon > 0:
        own = torch.einsum("bid,bjd->bij", anchors, anchors) / temperature
        own = _weighted(own, rows.unsqueeze(2) & rows.unsqueeze(1), own_view, floor)
        if epsilon == 0:
            itself = torch.eye(own.shape[1], dtype=torch.bool, device=own.device)
            own = own.masked_fill(itself, -torch.inf)
        compared.append(own)
    if (other_clips or epsilon > 0) and len(anchors) > 1:
        both = torch.cat([anchors, others], dim=1)  # (B, Ta + To, D)
        both_valid = torch.cat([rows, columns], dim=1)
        cross = torch.einsum("bid,ckd->bick", anchors, both) / temperature
        cross = _weighted(
            cross, both_valid[None, None] & rows[:, :, None, None], other_clips, floor
        )
        same_clip = torch.eye(len(anchors), dtype=torch.bool, device=cross.device)
        cross = cross.masked_fill(same_clip[:, None, :, None], -torch.inf)
        compared.append(cross.flatten(2))  # (B, Ta, B (Ta + To))
    normaliser = torch.logsumexp(torch.cat(compared, dim=2), dim=2, keepdim=True)
    log_p = logits - normaliser
    if epsilon > 0:
        return (log_p.exp() + epsilon).log()
    return log_p


def _weighted(logits: Tensor, valid: Tensor, counts: bool, floor: float) -> Tensor:
    """Add the logarithm of the weight: of valid pairs 1, or 0 unless they count; else floor."""
    kept = logits if counts else torch.full_like(logits, -torch.inf)
    return torch.where(valid, kept, logits + floor)


def _length_ratio(lengths1: Tensor | None, lengths2: Tensor | None, clips: int) -> Tensor | None:
    """Return L2 / L1 (B,), or None where no lengths are given."""
    if lengths1 is None and lengths2 is None:
        return None
    if lengths1 is None or lengths2 is None:
        raise ValueError("lengths of one view only: give both or none")
    if lengths1.shape != (clips,) or lengths2.shape != (clips,):
        raise ValueError(
            f"lengths {tuple(lengths1.shape)} and {tuple(lengths2.shape)} must be ({clips},)"
        )
    return lengths2 / lengths1
