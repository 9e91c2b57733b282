"""Learning by aligning videos: soft dynamic time warping and a contrastive regulariser."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.losses.inputs import (
    blanked,
    check_pair,
    check_positive,
    check_view,
    median_step,
    precise,
)

COSTS = ("euclidean", "cosine")


def alignment_loss(
    u: Tensor,
    v: Tensor,
    times_u: Tensor,
    times_v: Tensor,
    mask_u: Tensor,
    mask_v: Tensor,
    *,
    gamma: float = 0.1,
    margin: float = 2.0,
    sigma: float = 10.0,
    alpha: float = 0.5,
    cost: str = "euclidean",
) -> Tensor:
    """Soft-DTW between two sequences plus a contrastive IDM of each (Haresh et al., CVPR 2021).

    ``L = (softDTW(u, v) + alpha (I(u) + I(v))) / N`` with N the mean number of valid frames, as
    the published code divides; see ``soft_dtw`` and ``contrastive_idm``.

    Parameters
    ----------
    u, v : (B, T1, D) and (B, T2, D), in the order of time
    times_u, times_v : (B, T1) and (B, T2), any unit; only the regulariser looks at them
    mask_u, mask_v : bool, True where a frame is real
    gamma : softness of the minimum, in the unit of the cost
    margin, sigma : of ``contrastive_idm``
    alpha : weight of the regulariser
    cost : "euclidean" = squared distance (published), "cosine" = 1 - cosine

    Returns
    -------
    scalar, mean over the pairs where both have a valid frame; may be negative (the soft minimum
    lies below the least path); 0 (with a gradient of zero) where no pair counts

    Raises
    ------
    ValueError
        On shapes that do not fit, or parameters out of range.
    """
    check_pair(u, v, times_u, times_v, mask_u, mask_v)
    if cost not in COSTS:
        raise ValueError(f"cost = {cost!r}: must be one of {', '.join(COSTS)}")
    u, v = blanked(precise(u), mask_u), blanked(precise(v), mask_v)
    a, b = (u, v) if cost == "euclidean" else (_unit(u), _unit(v))
    costs = _squared_distances(a, b) * (1.0 if cost == "euclidean" else 0.5)
    path = soft_dtw(costs, mask_u, mask_v, gamma=gamma)  # (B,)
    spread = contrastive_idm(u, times_u, mask_u, margin=margin, sigma=sigma)
    spread = spread + contrastive_idm(v, times_v, mask_v, margin=margin, sigma=sigma)
    frames = 0.5 * (mask_u.sum(dim=1) + mask_v.sum(dim=1)).clamp(min=1)
    used = mask_u.any(dim=1) & mask_v.any(dim=1)
    each = torch.where(used, (path + alpha * spread) / frames, torch.zeros_like(path))
    return each.sum() / used.sum().clamp(min=1)


def contrastive_idm(
    z: Tensor, times: Tensor, mask: Tensor, *, margin: float = 2.0, sigma: float = 10.0
) -> Tensor:
    """Contrastive inverse difference moment of each clip: near frames alike, far frames apart.

    ``I = sum_ij (W_ij max(0, margin - D_ij) if d_ij > sigma else D_ij)`` with D_ij the squared
    distance of the rows scaled to unit norm, d_ij the time between the frames in median steps of
    the clip, and ``W_ij = 1 + (t_i - t_j)^2``, times normalised to 0..1 over the valid frames (the
    published code divides by the recording's length, and counts sigma in its frames; the paper
    also divides the near frames' D_ij by W_ij, which is 1 to 2).

    Parameters
    ----------
    z : (B, T, D)
    times : (B, T), any unit
    mask : bool (B, T)
    margin : squared distance from which far frames are left alone
    sigma : see d_ij

    Returns
    -------
    (B,), sums over the pairs of valid frames

    Raises
    ------
    ValueError
        On shapes that do not fit, or parameters out of range.
    """
    check_view("clips", z, times, mask)
    check_positive(margin=margin, sigma=sigma)
    z = _unit(blanked(precise(z), mask))
    times = blanked(times, mask).to(z.dtype)
    apart = (times.unsqueeze(2) - times.unsqueeze(1)).abs()  # (B, T, T)
    both = mask.unsqueeze(2) & mask.unsqueeze(1)
    span = apart.masked_fill(~both, 0.0).amax(dim=(1, 2)).clamp(min=torch.finfo(z.dtype).tiny)
    weight = 1.0 + (apart / span[:, None, None]) ** 2
    is_far = apart > sigma * median_step(times, mask)[:, None, None]
    distance = _squared_distances(z, z)
    pushed = weight * (margin - distance).clamp(min=0.0)
    pairs = torch.where(is_far, pushed, distance)
    return torch.where(both, pairs, torch.zeros_like(pairs)).sum(dim=(1, 2))


def soft_dtw(costs: Tensor, mask_u: Tensor, mask_v: Tensor, *, gamma: float) -> Tensor:
    """Soft-DTW of each matrix of costs (Cuturi and Blondel, ICML 2017).

    ``R_ij = c_ij + softmin(R_i-1,j, R_i,j-1, R_i-1,j-1)``, ``softmin(a) = -gamma log sum
    exp(-a / gamma)``; the value is R at the last valid pair. Forward and backward are exact and go
    by anti-diagonals, all clips at once: O(T1 + T2) steps, 4 (T1 + T2) T1 numbers per clip.

    Parameters
    ----------
    costs : (B, T1, T2)
    mask_u, mask_v : bool (B, T1) and (B, T2); masked rows and columns are cut out
    gamma : above 0

    Returns
    -------
    (B,); 0 where a side has no valid frame

    Raises
    ------
    ValueError
        On shapes that do not fit, or a gamma out of range.
    """
    check_positive(gamma=gamma)
    if costs.ndim != 3 or (mask_u.shape, mask_v.shape) != (costs.shape[:2], costs.shape[::2]):
        raise ValueError(
            f"costs {tuple(costs.shape)} and masks {tuple(mask_u.shape)}, {tuple(mask_v.shape)} "
            "must be (B, T1, T2), (B, T1) and (B, T2)"
        )
    # Valid rows and columns to the front; what stands behind them is never reached.
    rows = torch.argsort(~mask_u, dim=1, stable=True)
    columns = torch.argsort(~mask_v, dim=1, stable=True)
    moved = costs.gather(1, rows.unsqueeze(2).expand_as(costs))
    moved = moved.gather(2, columns.unsqueeze(1).expand_as(costs))
    counts = (mask_u.sum(dim=1), mask_v.sum(dim=1))
    value: Tensor = _SoftDtw.apply(moved, *counts, gamma)
    return value


class _SoftDtw(torch.autograd.Function):
    """The recursion on diagonals k = i + j (both from 1), stored by (k, i)."""

    @staticmethod
    def forward(ctx: Any, costs: Tensor, rows: Tensor, columns: Tensor, gamma: float) -> Tensor:
        clips, n, m = costs.shape
        skewed = _skewed(costs)  # (n + m - 1, B, n)
        # before[k] = R on diagonal k, at places i = 0..n; 0 at the corner, else infinite outside.
        reached = costs.new_full((n + m + 1, clips, n + 1), torch.inf)
        reached[0, :, 0] = 0.0
        shares = costs.new_zeros((n + m + 1, clips, n, 3))
        for k in range(2, n + m + 1):
            before, earlier = reached[k - 1], reached[k - 2]
            steps = torch.stack([before[:, :-1], before[:, 1:], earlier[:, :-1]], dim=2)
            least = steps.amin(dim=2, keepdim=True)
            weights = torch.where(least < torch.inf, ((least - steps) / gamma).exp(), 0.0)
            total = weights.sum(dim=2, keepdim=True)
            shares[k] = weights / total.clamp(min=1.0)
            soft = least - gamma * total.clamp(min=1.0).log()
            reached[k, :, 1:] = skewed[k - 2] + soft.squeeze(2)
        used = (rows > 0) & (columns > 0)
        last = torch.where(used, rows + columns, 0)
        place = torch.where(used, rows, 0)
        clip = torch.arange(clips, device=costs.device)
        ctx.save_for_backward(shares, last, place, used)
        ctx.shape = costs.shape
        return reached[last, clip, place]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        shares, last, place, used = ctx.saved_tensors
        clips, n, m = ctx.shape
        clip = torch.arange(clips, device=shares.device)
        # Expected alignment, from the last pair back: each cell hands its share to the three
        # cells it could come from.
        flow = shares.new_zeros((n + m + 1, clips, n + 1))
        flow[last, clip, place] = torch.where(used, upstream, torch.zeros_like(upstream))
        for k in range(n + m, 1, -1):
            handed = shares[k] * flow[k, :, 1:].unsqueeze(2)
            flow[k - 1, :, :-1] += handed[..., 0]
            flow[k - 1, :, 1:] += handed[..., 1]
            flow[k - 2, :, :-1] += handed[..., 2]
        return _straightened(flow[2:, :, 1:], m), None, None, None


def _skewed(costs: Tensor) -> Tensor:
    """Anti-diagonals: (B, N, M) to (N + M - 1, B, N), infinite outside."""
    clips, n, m = costs.shape
    wide = torch.nn.functional.pad(costs, (0, n), value=torch.inf)  # (B, N, M + N)
    # Read with rows one shorter, each row begins one place later than the one above.
    sheared = wide.flatten(1)[:, : n * (n + m - 1)].view(clips, n, n + m - 1)
    return sheared.permute(2, 0, 1).contiguous()


def _straightened(diagonals: Tensor, m: int) -> Tensor:
    """Inverse of ``_skewed``: (N + M - 1, B, N) to (B, N, M)."""
    _, clips, n = diagonals.shape
    flat = diagonals.permute(1, 2, 0).flatten(1)  # (B, N (N + M - 1))
    flat = torch.nn.functional.pad(flat, (0, n))
    return flat.view(clips, n, n + m)[:, :, :m]


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(B, T1, D) and (B, T2, D) to (B, T1, T2), never below 0."""
    squared = (a**2).sum(dim=2).unsqueeze(2) + (b**2).sum(dim=2).unsqueeze(1)
    return (squared - 2.0 * torch.einsum("bid,bjd->bij", a, b)).clamp(min=0.0)


def _unit(z: Tensor) -> Tensor:
    return torch.nn.functional.normalize(z, dim=2)
