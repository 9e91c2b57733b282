"""Time-contrastive n-pairs: neighbours in time against the rest of the recording."""

from __future__ import annotations

import torch
from torch import Tensor

from training.losses.inputs import blanked, check_positive, check_view, median_step, precise


def n_pairs_loss(
    z: Tensor,
    times: Tensor,
    mask: Tensor,
    *,
    reach: float = 5.0,
    l2: float = 0.0005,
    temperature: float = 1.0,
) -> Tensor:
    """Single-view n-pairs loss of each clip (Sermanet et al., ICRA 2018; Sohn, NIPS 2016).

    The frames 2i and 2i + 1 of a clip are a pair: the later one is the anchor, the earlier one its
    positive, the positives of the clip's other pairs are the negatives. An anchor costs the
    cross-entropy of its positive among all of them, with the dot product over ``temperature`` as
    score, plus ``l2`` times the mean squared length of anchors and of positives.

    The published code interleaves T / 2 positives, drawn up to ``reach`` frames before T / 2 drawn
    anchors. Here all T frames are drawn in order, and neighbours are paired: a pair counts when its
    frames lie within ``reach`` median steps of the clip, which leaves out pairs across a hole.

    Parameters
    ----------
    z : (B, T, D), frames in the order of time; with an odd T the last one is not used
    times : (B, T), any unit
    mask : bool (B, T), True where a frame is real
    reach : largest gap of a pair, in median gaps between neighbouring valid frames
    l2 : published 0.25 * 0.002
    temperature : published 1

    Returns
    -------
    scalar, mean over the anchors of all clips; 0 (with a gradient of zero) where there are none

    Raises
    ------
    ValueError
        On shapes that do not fit, or parameters out of range.
    """
    check_view("clips", z, times, mask)
    check_positive(temperature=temperature, reach=reach)
    z, times = blanked(precise(z), mask), blanked(times, mask)
    pairs = z.shape[1] // 2
    positives, anchors = z[:, 0 : 2 * pairs : 2], z[:, 1 : 2 * pairs : 2]  # (B, P, D)
    gaps = (times[:, 1 : 2 * pairs : 2] - times[:, 0 : 2 * pairs : 2]).abs()
    used = mask[:, 0 : 2 * pairs : 2] & mask[:, 1 : 2 * pairs : 2]
    used = used & (gaps <= reach * median_step(times, mask).unsqueeze(1))
    scores = torch.einsum("bid,bjd->bij", anchors, positives) / temperature
    itself = torch.eye(pairs, dtype=torch.bool, device=z.device)
    scores = scores.masked_fill(~(used.unsqueeze(1) | itself), -torch.inf)  # no empty row
    costs = -torch.log_softmax(scores, dim=2).diagonal(dim1=1, dim2=2)
    costs = costs + l2 * ((anchors**2).sum(dim=2) + (positives**2).sum(dim=2))
    costs = torch.where(used, costs, torch.zeros_like(costs))
    return costs.sum() / used.sum().clamp(min=1)
