"""What a head makes of a clip's times: steps, change per step, and the ways to tell positions.

Pure functions of tensors, in the graph of the exported encoder: no length is ever a Python number.
"""

from __future__ import annotations

import torch
from torch import Tensor

NO_STEP = 1e30  # stands in for the step to a frame that is not valid
# Seconds per radian of the fastest and the slowest pair of channels (position "seconds"): from
# below the step of a film to the length of a short clip.
FASTEST_S, SLOWEST_S = 0.05, 20.0


def mean_of_valid(x: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid frames of each clip: (B, T, C), bool (B, T) -> (B, 1, C)."""
    shown = valid.unsqueeze(-1).to(x.dtype)
    total = (torch.where(valid.unsqueeze(-1), x, 0.0)).sum(dim=1, keepdim=True)
    return total / shown.sum(dim=1, keepdim=True).clamp(min=1.0)


def times_in_steps(times_s: Tensor, valid: Tensor) -> Tensor:
    """Express times in units of the clip's usual step, counted from its first frame.

    The usual step is the mean of the steps between neighbouring valid frames that are at most twice
    the median: as robust as the median against a gap, and less touched by rounding.

    Parameters
    ----------
    times_s : float (B, T), ascending seconds
    valid : bool (B, T)

    Returns
    -------
    float32 (B, T), zero at the first frame; all zero where there is no step
    """
    from_first = (times_s - times_s[:, :1]).float()
    following = torch.cat([from_first[:, 1:], from_first[:, -1:]], dim=1)
    next_valid = torch.cat([valid[:, 1:], torch.zeros_like(valid[:, :1])], dim=1)
    step = following - from_first  # (B, T), the last one is none
    is_step = valid & next_valid & (step > 0)
    ordered = torch.where(is_step, step, NO_STEP).sort(dim=1).values
    middle = ((is_step.sum(dim=1, keepdim=True) - 1) // 2).clamp(min=0)
    median = ordered.gather(1, middle)
    is_usual = is_step & (step <= 2 * median)
    total = torch.where(is_usual, step, 0.0).sum(dim=1, keepdim=True)
    count = is_usual.sum(dim=1, keepdim=True)
    usual = torch.where(count > 0, total / count.clamp(min=1), 1.0)
    return from_first / usual


def motion_of(features: Tensor, steps: Tensor, valid: Tensor) -> Tensor:
    """Change of the features per usual step, from the valid neighbours of each frame.

    Parameters
    ----------
    features : (B, T, C)
    steps : (B, T) from ``times_in_steps``
    valid : bool (B, T)

    Returns
    -------
    (B, T, C): central differences, one-sided beside the ends of the valid part, zero where a frame
    has no valid neighbour
    """

    def neighbours(values: Tensor) -> tuple[Tensor, Tensor]:
        after = torch.cat([values[:, 1:], values[:, -1:]], dim=1)
        before = torch.cat([values[:, :1], values[:, :-1]], dim=1)
        return before, after

    was_valid, will_be_valid = neighbours(valid)
    values_before, values_after = neighbours(features)
    steps_before, steps_after = neighbours(steps)
    has_before, has_after = was_valid.unsqueeze(-1), will_be_valid.unsqueeze(-1)
    change = torch.where(has_after, values_after, features) - torch.where(
        has_before, values_before, features
    )
    elapsed = torch.where(will_be_valid, steps_after, steps) - torch.where(
        was_valid, steps_before, steps
    )
    # A quarter of a step as the shortest: two frames at nearly one time say little about speed.
    return change / elapsed.clamp(min=0.25).unsqueeze(-1)


def stretched_sinusoid(times_s: Tensor, width: int, train_frames: int) -> Tensor:
    """Return the published positions: index stretched to 0..train_frames-1, as a sinusoid.

    Channel k has angle ``position * 10000 ** (-k / width)``, sine for even k and cosine for odd k
    (the exponent uses k itself). ``times_s`` (B, T) gives only the shape. Computed in the graph
    from a cumulative sum, so that an exported file is not bound to one length.
    """
    index = torch.cumsum(torch.ones_like(times_s, dtype=torch.float32), dim=1) - 1  # (B, T)
    position = index * (train_frames - 1) / index[:, -1:].clamp(min=1.0)
    channel = torch.arange(width, device=times_s.device, dtype=torch.float32)
    angle = position.unsqueeze(-1) * torch.pow(10000.0, -channel / width)  # (B, T, width)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())


def rotary_angles(seconds: Tensor, pairs: int) -> Tensor:
    """Return how far each pair of channels turns at each time ("RoFormer", on seconds).

    Parameters
    ----------
    seconds : (B, T)
    pairs : number of pairs; they take from `FASTEST_S` to `SLOWEST_S` for one radian

    Returns
    -------
    float32 (B, 1, T, pairs) radians
    """
    share = torch.linspace(0, 1, pairs, device=seconds.device)
    radian_s = FASTEST_S * torch.pow(SLOWEST_S / FASTEST_S, share)
    return (seconds.float().unsqueeze(-1) / radian_s).unsqueeze(1)


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """Turn channel k against channel k + pairs: (B, heads, T, d), (B, 1, T, pairs) -> as x.

    The product of a query and a key turned this way knows the difference of their angles only. An
    odd channel at the end stays as it is.
    """
    pairs = angles.shape[-1]
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second, rest = x[..., :pairs], x[..., pairs : 2 * pairs], x[..., 2 * pairs :]
    turned = (first * cosine - second * sine, second * cosine + first * sine)
    return torch.cat([*turned, rest], dim=-1)
