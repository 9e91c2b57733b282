"""Losses: pure functions, tensors in, scalar out.

No model, no configuration object, no device handling. Every loss works in at least single
precision, leaves masked frames out, and is 0 with a gradient of zero where nothing counts. Switch
autocast off around them: it would round products inside to 8 bits.
"""

from training.losses.cross_video import confident_pairs, cross_video_loss
from training.losses.distillation import difference_loss, located_joint_loss, place_loss
from training.losses.joints import joint_map_loss, joint_regression_loss
from training.losses.lav import alignment_loss, contrastive_idm, soft_dtw
from training.losses.scl import NEGATIVES, sequence_contrastive_loss
from training.losses.supervised import frame_cross_entropy
from training.losses.tcc import KINDS, cycle_consistency_loss
from training.losses.tcn import n_pairs_loss

__all__ = [
    "KINDS",
    "NEGATIVES",
    "alignment_loss",
    "confident_pairs",
    "contrastive_idm",
    "cross_video_loss",
    "cycle_consistency_loss",
    "difference_loss",
    "frame_cross_entropy",
    "joint_map_loss",
    "joint_regression_loss",
    "located_joint_loss",
    "n_pairs_loss",
    "place_loss",
    "sequence_contrastive_loss",
    "soft_dtw",
]
