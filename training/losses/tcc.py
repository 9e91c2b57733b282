"""Temporal cycle-consistency: a frame's soft nearest neighbour must lead back to the frame."""

from __future__ import annotations

import torch
from torch import Tensor

from training.losses.inputs import blanked, check_pair, check_positive, precise

KINDS = ("regression_mse_var", "regression_mse", "regression_huber", "classification")
# A variance below this (a thousandth of the view, squared) is not told from none: its logarithm
# and its inverse would run away. The published code has no bound.
_LEAST_VARIANCE = 1e-6


def cycle_consistency_loss(
    u: Tensor,
    v: Tensor,
    times_u: Tensor,
    times_v: Tensor,
    mask_u: Tensor,
    mask_v: Tensor,
    *,
    kind: str = "regression_mse_var",
    temperature: float = 0.1,
    variance_weight: float = 0.001,
    smoothing: float = 0.1,
    huber: float = 0.1,
) -> Tensor:
    """Cycle from ``u`` to ``v`` and back, and the other way (Dwibedi et al., CVPR 2019).

    With ``s(a, b) = -||a - b||^2 / (D temperature)`` frame i of u has the soft neighbour
    ``w_i = sum_j softmax_j s(u_i, v_j) v_j`` in v, and that comes back to the frames k of u with
    ``beta_ik = softmax_k s(w_i, u_k)``. Then, with times normalised to 0..1 over the valid frames,
    ``m_i = sum_k beta_ik t_k`` and ``var_i = sum_k beta_ik (t_k - m_i)^2``, a frame costs

    - ``regression_mse_var``: ``(t_i - m_i)^2 / var_i + variance_weight log var_i``,
    - ``regression_mse``: ``(t_i - m_i)^2``; ``regression_huber``: the same beyond ``huber`` linear,
    - ``classification``: cross-entropy of beta_i with i, smoothed over the valid frames.

    Published, times are divided by the recording's length; the same where a view covers it. The
    re-implementation beside CARL (``algos/tcc.py``) also smooths the time to come back to, fixes
    the Huber width at 1 and takes logits for log-probabilities in the classification; not here.

    The division by the channel count D fits embeddings of free length. Unit rows are at most 4
    apart and want a temperature of about 0.1 / D; with 0.1 all softmaxes stay even and nothing is
    learned. And ``regression_mse_var`` charges a collapsed embedding 1, but a frame without a
    counterpart in the other view far more: it needs views that show the same from end to end.

    Parameters
    ----------
    u, v : (B, T1, D) and (B, T2, D), embeddings
    times_u, times_v : (B, T1) and (B, T2), any unit
    mask_u, mask_v : bool, True where a frame is real
    kind : one of ``KINDS``
    variance_weight : of the logarithm of the variance
    smoothing : share of the target that is spread evenly
    huber : error, in shares of the view, from which ``regression_huber`` is linear

    Returns
    -------
    scalar, mean over the valid frames of both; pairs with fewer than two valid frames in one of
    the views do not count; 0 (with a gradient of zero) where nothing counts

    Raises
    ------
    ValueError
        On shapes that do not fit, or parameters out of range.
    """
    check_pair(u, v, times_u, times_v, mask_u, mask_v)
    check_positive(temperature=temperature, huber=huber)
    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r}: must be one of {', '.join(KINDS)}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing = {smoothing}: must lie in [0, 1)")
    u, v = blanked(precise(u), mask_u), blanked(precise(v), mask_v)
    usable = ((mask_u.sum(dim=1) > 1) & (mask_v.sum(dim=1) > 1)).unsqueeze(1)  # (B, 1)
    total = u.new_zeros(())
    count = mask_u.new_zeros((), dtype=torch.int64)
    for start, between, times, rows, columns in (
        (u, v, times_u, mask_u, mask_v),
        (v, u, times_v, mask_v, mask_u),
    ):
        # Pairs that do not count get every frame, so that no softmax is empty.
        logits = _cycled(start, between, rows | ~usable, columns | ~usable, temperature)
        if kind == "classification":
            costs = _classified(logits, rows, smoothing)
        else:
            times = _normalised(times.to(u.dtype), rows)
            costs = _regressed(logits, times, kind, variance_weight, huber)
        used = rows & usable
        total = total + torch.where(used, costs, torch.zeros_like(costs)).sum()
        count = count + used.sum()
    return total / count.clamp(min=1)


def _cycled(
    start: Tensor, between: Tensor, rows: Tensor, columns: Tensor, temperature: float
) -> Tensor:
    """Logits (B, T, T) of coming back: start -> soft neighbour in between -> start."""
    there = _scores(start, between, columns, temperature)  # (B, T, To)
    neighbours = torch.softmax(there, dim=2) @ between  # (B, T, D)
    return _scores(neighbours, start, rows, temperature)


def _scores(a: Tensor, b: Tensor, mask_b: Tensor, temperature: float) -> Tensor:
    """Negative squared distances by channel count and temperature; -inf to masked frames of b."""
    squared = (a**2).sum(dim=2).unsqueeze(2) + (b**2).sum(dim=2).unsqueeze(1)
    squared = squared - 2.0 * torch.einsum("bid,bjd->bij", a, b)
    scores = -squared / (a.shape[2] * temperature)
    return scores.masked_fill(~mask_b.unsqueeze(1), -torch.inf)


def _classified(logits: Tensor, rows: Tensor, smoothing: float) -> Tensor:
    """Smoothed cross-entropy of each row with its own place, (B, T)."""
    log_beta = torch.log_softmax(logits, dim=2)
    log_beta = torch.where(logits > -torch.inf, log_beta, torch.zeros_like(log_beta))
    share = smoothing / rows.sum(dim=1).clamp(min=1).to(logits.dtype)
    spread = log_beta.sum(dim=2) * share.unsqueeze(1)
    return -(1.0 - smoothing) * log_beta.diagonal(dim1=1, dim2=2) - spread


def _regressed(
    logits: Tensor, times: Tensor, kind: str, variance_weight: float, huber: float
) -> Tensor:
    """Cost (B, T) of the time each row comes back to."""
    beta = torch.softmax(logits, dim=2)
    returned = (beta * times.unsqueeze(1)).sum(dim=2)  # (B, T)
    error = times - returned
    if kind == "regression_mse":
        return error**2
    if kind == "regression_huber":
        size = error.abs()
        return torch.where(size <= huber, 0.5 * error**2, huber * (size - 0.5 * huber))
    variance = (beta * (times.unsqueeze(1) - returned.unsqueeze(2)) ** 2).sum(dim=2)
    variance = variance.clamp(min=_LEAST_VARIANCE)
    return error**2 / variance + variance_weight * variance.log()


def _normalised(times: Tensor, mask: Tensor) -> Tensor:
    """Scale times: the first valid frame at 0, the last at 1, masked frames at 0."""
    first = times.masked_fill(~mask, torch.inf).amin(dim=1, keepdim=True)
    last = times.masked_fill(~mask, -torch.inf).amax(dim=1, keepdim=True)
    span = last - first
    span = torch.where(span > 0, span, torch.ones_like(span))
    return torch.where(mask, (times - first) / span, torch.zeros_like(times))
