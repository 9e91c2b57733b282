"""Looks: shapes, the crop that points follow, one draw for a whole view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
from training.augment import Look, apply_look, draw_look, points_after
from training.config import AugmentConfig

pytestmark = pytest.mark.torch

SAME = AugmentConfig(
    min_area=1.0, max_aspect=1.0, brightness=0, contrast=0, saturation=0, hue=0, grey=0, blur=0,
    noise=0, cutout=0,
)  # fmt: skip


def look_of(config: AugmentConfig, seed: int = 0, *, is_mirrored: bool = False) -> Look:
    look = draw_look(np.random.default_rng(seed), config, is_mirrored=is_mirrored)
    if config is SAME:  # the colour of the light always varies a little
        look = replace(look, colour=np.eye(3, 4, dtype=np.float32))
    return look


def pictures(count: int = 4, side: int = 40) -> np.ndarray:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (count, 5, 5, 3), dtype=np.uint8)
    return coarse.repeat(side // 5, axis=1).repeat(side // 5, axis=2)


@pytest.mark.parametrize("seed", range(8))
def test_a_look_keeps_type_and_gives_the_size_asked_for(seed: int) -> None:
    config = AugmentConfig(blur=0.5, grey=0.5, cutout=0.5)
    changed = apply_look(pictures(), look_of(config, seed, is_mirrored=bool(seed % 2)), 24)
    assert changed.shape == (4, 24, 24, 3)
    assert changed.dtype == np.uint8


def test_without_changes_the_picture_stays() -> None:
    frames = pictures()
    assert np.abs(apply_look(frames, look_of(SAME), 40).astype(int) - frames).max() <= 1


def test_mirrored_is_the_mirror_image() -> None:
    frames = pictures()
    mirrored = apply_look(frames, look_of(SAME, is_mirrored=True), 40)
    assert np.abs(mirrored.astype(int) - frames[:, :, ::-1]).max() <= 1


def test_all_frames_of_a_view_are_changed_alike() -> None:
    frames = np.repeat(pictures(1), 3, axis=0)
    config = AugmentConfig(noise=0.0, cutout=1.0, blur=1.0)
    changed = apply_look(frames, look_of(config, 3), 32)
    assert (changed == changed[:1]).all()


def test_grey_pictures_have_no_colour() -> None:
    config = replace(SAME, grey=1.0)
    look = draw_look(np.random.default_rng(2), config, is_mirrored=False)
    look = replace(look, colour=look.colour / look.colour[:, :3].sum(axis=1, keepdims=True))
    changed = apply_look(pictures(), look, 40).astype(int)
    assert np.ptp(changed, axis=-1).max() <= 1


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_points_follow_the_picture(seed: int, is_mirrored: bool) -> None:
    side = 120
    frames = np.zeros((1, side, side, 3), np.uint8)
    spot = np.array([0.52, 0.47], np.float32)
    x, y = (spot * side).astype(int)
    frames[0, y - 2 : y + 3, x - 2 : x + 3] = 255
    config = replace(SAME, min_area=0.5, max_aspect=1.5)
    look = look_of(config, seed, is_mirrored=is_mirrored)
    look = replace(look, colour=np.eye(3, 4, dtype=np.float32))
    changed = apply_look(frames, look, 100)[0, :, :, 0].astype(float)
    assert changed.max() > 100
    rows, columns = np.nonzero(changed > changed.max() / 2)
    found = np.array([columns.mean() + 0.5, rows.mean() + 0.5]) / 100
    assert found == pytest.approx(points_after(spot, look), abs=0.025)
