"""How a view looks in space: one draw for all its frames, by our recipe or by the published one."""

from training.augment.fixed import Look
from training.augment.looks import (
    AnyLook,
    apply_look,
    draw_look,
    evaluation_frames,
    points_after,
)
from training.augment.published import PublishedLook

__all__ = [
    "AnyLook",
    "Look",
    "PublishedLook",
    "apply_look",
    "draw_look",
    "evaluation_frames",
    "points_after",
]
