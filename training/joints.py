"""Joints regressed from features and embeddings: a training signal only, never exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from training.losses import joint_map_loss, joint_regression_loss

if TYPE_CHECKING:
    from training.config import LossConfig
    from training.data import Batch


class JointRegressor(nn.Module):
    """Joints from a frame's map of features, from its pooled features, and from its embedding.

    The map says in which of its cells each joint lies (by far the quickest teacher of a trunk), the
    pooled features where joints are in the picture and on the body, and the embedding, which must
    know the pose seen from anywhere, where they are on the body.
    """

    def __init__(
        self, channels: int, map_channels: int, dim: int, joints: int, hidden: int = 256
    ) -> None:
        super().__init__()
        self.joints = joints
        self.from_map = nn.Conv2d(map_channels, joints, 1)
        self.from_features = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, hidden), nn.ReLU(),
            nn.Linear(hidden, 5 * joints),
        )  # fmt: skip
        self.from_embedding = nn.Sequential(
            nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, 3 * joints)
        )

    def forward(self, features: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (..., C), embeddings (..., D) -> points (..., J, 2), body twice (..., J, 3)."""
        both = self.from_features(features).unflatten(-1, (self.joints, 5))
        again = self.from_embedding(embeddings).unflatten(-1, (self.joints, 3))
        return both[..., :2] + 0.5, both[..., 2:], again


def joint_losses(
    regressor: JointRegressor,
    feature_map: Tensor,
    features: Tensor,
    embeddings: Tensor,
    batch: Batch,
    config: LossConfig,
) -> dict[str, Tensor]:
    """Weighted losses by name; empty where the configuration wants none.

    Parameters
    ----------
    feature_map : (V B T, channels, H, W), the trunk's last map before pooling
    features : (V, B, T, C)
    embeddings : (V, B, T, D)
    """
    losses: dict[str, Tensor] = {}
    if config.pose_map_weight:
        logits = regressor.from_map(feature_map).float()
        losses["map"] = config.pose_map_weight * joint_map_loss(
            logits, batch.points.flatten(0, 2), batch.visible.flatten(0, 2)
        )
    if not (config.pose_weight or config.pose_embedding_weight):
        return losses
    points, body, again = regressor(features.float(), embeddings.float())
    has_body = batch.has_body.unsqueeze(-1).expand(batch.body.shape[:-1])
    if config.pose_weight:
        # Shares of the picture (about 0.3 wide) and metres (about 1) to a like scale.
        losses["points"] = config.pose_weight * joint_regression_loss(
            4.0 * points, 4.0 * batch.points, batch.visible
        )
        losses["body"] = config.pose_weight * joint_regression_loss(
            2.0 * body, 2.0 * batch.body, has_body
        )
    if config.pose_embedding_weight:
        losses["body_embedding"] = config.pose_embedding_weight * joint_regression_loss(
            2.0 * again, 2.0 * batch.body, has_body
        )
    return losses
