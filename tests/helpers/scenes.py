"""A small moving scene whose every moment looks different, for tests that align and search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

STEPS_PER_SECOND = 1000  # a frame's number is its moment of the scene in milliseconds


def draw_scene(moment: int, size: tuple[int, int] = (96, 72)) -> npt.NDArray[np.uint8]:
    """Picture (H, W, 3) of the scene at ``moment`` ms: two blobs on curves that never repeat."""
    width, height = size
    t = moment / STEPS_PER_SECOND
    y, x = np.mgrid[0:height, 0:width]
    picture = np.full((height, width, 3), 60.0)
    for k, speed in enumerate((0.31, 0.53)):
        centre_x = width * (0.5 + 0.38 * np.sin(2 * np.pi * speed * 0.5 * t + k))
        centre_y = height * (0.5 + 0.36 * np.sin(2 * np.pi * speed * 0.31 * t + 2 * k))
        blob = np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * (height * 0.13) ** 2))
        picture += (150 - 250 * k) * blob[..., None] * np.array([1.0, 0.8, 0.6])
    return np.clip(picture, 0, 255).astype(np.uint8)


def make_scene(
    path: Path,
    *,
    start_s: float = 0.0,
    end_s: float = 8.0,
    speed: float = 1.0,
    fps: int = 25,
    audio_rate: int | None = None,
) -> Path:
    """Write a recording of the scene from ``start_s`` to ``end_s``, played at ``speed``."""
    count = int((end_s - start_s) / speed * fps)
    moments = [round((start_s + k / fps * speed) * STEPS_PER_SECOND) for k in range(count)]
    return make_video(
        path,
        frames=count,
        fps=fps,
        size=(96, 72),
        gop=25,
        numbers=moments,
        draw=draw_scene,
        audio_rate=audio_rate,
    )
