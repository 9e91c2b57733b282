"""What every loss does to its inputs: check shapes, raise precision, blank masked frames."""

from __future__ import annotations

import torch
from torch import Tensor


def check_view(name: str, z: Tensor, times: Tensor, mask: Tensor) -> None:
    """Raise a ValueError unless the shapes are (B, T, D), (B, T) and bool (B, T)."""
    if z.ndim != 3 or times.shape != z.shape[:2] or mask.shape != z.shape[:2]:
        raise ValueError(
            f"{name}: embeddings {tuple(z.shape)}, times {tuple(times.shape)} and mask "
            f"{tuple(mask.shape)} must be (B, T, D), (B, T) and (B, T)"
        )
    if mask.dtype != torch.bool:
        raise ValueError(f"{name}: the mask is {mask.dtype}, must be bool")


def check_pair(
    z1: Tensor, z2: Tensor, t1: Tensor, t2: Tensor, mask1: Tensor, mask2: Tensor
) -> None:
    """Raise a ValueError unless both views have the right shapes and belong together."""
    check_view("view 1", z1, t1, mask1)
    check_view("view 2", z2, t2, mask2)
    if len(z1) != len(z2) or z1.shape[2] != z2.shape[2]:
        raise ValueError(f"views {tuple(z1.shape)} and {tuple(z2.shape)} do not belong together")


def check_positive(**values: float) -> None:
    """Raise a ValueError that names the first value not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} = {value}: must be above 0")


def precise(z: Tensor) -> Tensor:
    """Return ``z`` in at least single precision."""
    return z.to(torch.promote_types(z.dtype, torch.float32))


def blanked(z: Tensor, mask: Tensor) -> Tensor:
    """Return ``z`` (B, T) or (B, T, D) with zeros where ``mask`` (B, T) is false."""
    mask = mask.view(*mask.shape, *(1 for _ in range(z.ndim - mask.ndim)))
    return torch.where(mask, z, z.new_zeros(()))


def median_step(times: Tensor, mask: Tensor) -> Tensor:
    """Lower median of the gaps between neighbouring valid frames, (B, T) to (B,); 0 = no gap."""
    known = mask[:, 1:] & mask[:, :-1]
    gaps = (times[:, 1:] - times[:, :-1]).abs().masked_fill(~known, torch.inf)
    if gaps.shape[1] == 0:
        return times.new_zeros(len(times))
    middle = (known.sum(dim=1, keepdim=True) - 1).clamp(min=0) // 2
    found = gaps.sort(dim=1).values.gather(1, middle).squeeze(1)
    return torch.where(known.any(dim=1), found, torch.zeros_like(found))
