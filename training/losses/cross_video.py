"""Positives between recordings: moments of two clips that are surely the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_exact
from carl_core.alignment.warping_path import Ends
from training.losses.inputs import check_positive, precise

if TYPE_CHECKING:
    from carl_core.arrays import Bool, Float32, Int64

# Frames up to this far from a match count as the same moment, not as its competitors.
NEAR_FRAMES = 3


def cross_video_loss(
    z: Tensor,
    mask: Tensor,
    actions: tuple[str, ...],
    *,
    margin: float = 0.05,
    temperature: float = 0.1,
    near: int = NEAR_FRAMES,
) -> Tensor:
    """InfoNCE with the confident pairs between clips as positives.

    Every view of a clip is matched with every view of each other clip that may show the same
    action: both actions are equal, or one of them is not known. For a pair (i, j) found by
    ``confident_pairs``, frame i is compared with j and with the frames of j's view further than
    ``near`` from j, over ``temperature``; and j with i likewise. Which pairs there are carries no
    gradient. Positives of this kind: Zhang et al. (LRProp, arXiv 2302.04064) align with DTW; the
    mutual neighbours and the margin are ours.

    Parameters
    ----------
    z : (V, B, T, D), unit rows, frames in the order of time
    mask : bool (V, B, T), True where a frame is real
    actions : of the clips, "" = not known
    margin, near : of ``confident_pairs``
    temperature : divides the cosine

    Returns
    -------
    scalar, mean over the pairs and both directions; 0 (with a gradient of zero) without pairs

    Raises
    ------
    ValueError
        On shapes that do not fit, or parameters out of range.
    """
    if z.ndim != 4 or mask.shape != z.shape[:3] or len(actions) != z.shape[1]:
        raise ValueError(
            f"embeddings {tuple(z.shape)}, mask {tuple(mask.shape)} and {len(actions)} actions "
            "must be (V, B, T, D), (V, B, T) and B"
        )
    check_positive(temperature=temperature)
    z = precise(z)
    count = mask.shape[2]
    found = _all_pairs(z, mask, actions, margin, near)  # (P, 4): sequence, frame, sequence, frame
    if not len(found):
        return torch.where(mask.unsqueeze(3), z, z.new_zeros(())).sum() * 0.0
    pairs = torch.from_numpy(found).to(z.device)
    pairs = torch.cat([pairs, pairs[:, [2, 3, 0, 1]]])  # both directions
    sequence, frame, other, match = pairs.unbind(dim=1)
    z, mask = z.flatten(0, 1), mask.flatten(0, 1)  # (V B, T, D)
    scores = torch.einsum("pd,ptd->pt", z[sequence, frame], z[other]) / temperature
    apart = (torch.arange(count, device=z.device) - match.unsqueeze(1)).abs()  # (P, T)
    compared = mask[other] & ((apart == 0) | (apart > near))
    log_p = torch.log_softmax(scores.masked_fill(~compared, -torch.inf), dim=1)
    return -log_p.gather(1, match.unsqueeze(1)).mean()


def confident_pairs(
    rows: Float32, columns: Float32, *, margin: float = 0.05, near: int = NEAR_FRAMES
) -> tuple[Int64, Int64]:
    """Find frames of two sequences that surely show the same moment.

    A pair counts when

    - each frame is the other's most similar,
    - for both frames the similarity is higher by ``margin`` than that of every competitor, a frame
      further than ``near`` from the match,
    - it lies on the cheapest monotone path or one step beside it,
    - and another such pair lies within ``2 near`` frames before or after it in both: strangers
      agree on single frames, seldom on two in a row.

    The path is DTW with ends left open at the price halfway between a typical best match and a
    typical pair, as the sequences need not begin and end together. O(T1 T2).

    Parameters
    ----------
    rows, columns : float32 (T1, D) and (T2, D), unit rows
    margin : in units of the cosine
    near : in frames

    Returns
    -------
    int64 (P,) and (P,), places in both, increasing in the first; none where a sequence is no longer
    than ``near`` frames, or nothing is confident

    Raises
    ------
    ValueError
        On shapes that do not fit.
    """
    if rows.ndim != 2 or columns.ndim != 2 or rows.shape[1] != columns.shape[1]:
        raise ValueError(f"{rows.shape} and {columns.shape} must be (T1, D) and (T2, D)")
    none = np.empty(0, dtype=np.int64)
    if min(len(rows), len(columns)) <= near:
        return none, none
    costs = Costs(rows, columns)
    alike = 1.0 - costs.block(0, len(rows), 0, len(columns))
    best, best_row = alike.argmax(axis=1), alike.argmax(axis=0)
    i = np.flatnonzero(best_row[best] == np.arange(len(rows)))  # mutual nearest neighbours
    j = best[i]
    second_in_row = _second_moment(alike[i], j, near)
    second_in_column = _second_moment(alike[:, j].T, i, near)
    sure = alike[i, j] >= np.maximum(second_in_row, second_in_column) + margin
    i, j = i[sure], j[sure]
    if not len(i):  # the common case on strangers: no path needed
        return none, none
    on_path = _beside_path(costs, alike)[i, j]
    i, j = i[on_path], j[on_path]
    supported = _supported(i, j, 2 * near)
    return i[supported], j[supported]


def _second_moment(alike: Float32, match: Int64, near: int) -> Float32:
    """Highest similarity of each row further than ``near`` from its match; infinite if none is."""
    apart = np.abs(np.arange(alike.shape[1]) - match[:, None])
    others = np.where(apart > near, alike, -np.inf).max(axis=1)
    return np.where(np.isfinite(others), others, np.inf).astype(np.float32)


def _supported(i: Int64, j: Int64, window: int) -> Bool:
    """Pairs with another one up to ``window`` frames before or after in both, bool (P,)."""
    down, right = i[:, None] - i, j[:, None] - j
    near = (down * right > 0) & (np.abs(down) <= window) & (np.abs(right) <= window)
    supported: Bool = near.any(axis=1)
    return supported


def _beside_path(costs: Costs, alike: Float32) -> Bool:
    """Pairs on the path or one step beside it, bool (T1, T2)."""
    typical_match = np.median(np.concatenate([alike.max(axis=1), alike.max(axis=0)]))
    price = max(1.0 - 0.5 * float(typical_match + np.median(alike)), 1e-6)
    path = solve_exact(costs, ends=Ends(price, price, price, price))
    beside = np.zeros((costs.shape[0] + 2, costs.shape[1] + 2), dtype=bool)
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            beside[path.reference + down, path.other + right] = True
    return beside[1:-1, 1:-1]


def _all_pairs(
    z: Tensor, mask: Tensor, actions: tuple[str, ...], margin: float, near: int
) -> Int64:
    """Confident pairs of all sequences, int64 (P, 4): sequence, frame, sequence, frame."""
    views, clips, _ = mask.shape
    vectors = z.detach().float().cpu().numpy()
    valid = mask.cpu().numpy()
    found = [np.empty((0, 4), dtype=np.int64)]
    for b in range(clips):
        for c in range(b + 1, clips):
            if actions[b] != actions[c] and actions[b] and actions[c]:
                continue
            for view in range(views):
                for other in range(views):
                    kept_i = np.flatnonzero(valid[view, b])
                    kept_j = np.flatnonzero(valid[other, c])
                    i, j = confident_pairs(
                        vectors[view, b, kept_i],
                        vectors[other, c, kept_j],
                        margin=margin,
                        near=near,
                    )
                    place = np.full_like(i, view * clips + b), np.full_like(j, other * clips + c)
                    found.append(np.stack([place[0], kept_i[i], place[1], kept_j[j]], axis=1))
    return np.concatenate(found)
