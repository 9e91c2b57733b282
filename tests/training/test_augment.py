"""Looks: shapes, the crop that points follow, one draw for a whole view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
from PIL import Image, ImageEnhance, ImageFilter

from training.augment import (
    AnyLook,
    Look,
    PublishedLook,
    apply_look,
    draw_look,
    evaluation_frames,
    points_after,
)
from training.augment.published import blur_taps, published_crop
from training.config import AugmentConfig

pytestmark = pytest.mark.torch

SAME = AugmentConfig(
    min_area=1.0, max_aspect=1.0, brightness=0, contrast=0, saturation=0, hue=0, grey=0, blur=0,
    noise=0, cutout=0,
)  # fmt: skip


def look_of(config: AugmentConfig, seed: int = 0, *, is_mirrored: bool = False) -> Look:
    look = draw_look(np.random.default_rng(seed), config, is_mirrored=is_mirrored)
    assert isinstance(look, Look)
    if config is SAME:  # the colour of the light always varies a little
        look = replace(look, colour=np.eye(3, 4, dtype=np.float32))
    return look


PUBLISHED = AugmentConfig(
    recipe="published", shared_flip=False, min_area=0.8, max_area=1.0, max_aspect=4 / 3, jitter=0.8,
    brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, grey=0.2, blur=0.5,
)  # fmt: skip


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
    assert isinstance(look, Look)
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


def slow_fixed(frames: np.ndarray, look: Look, size: int) -> np.ndarray:
    """Our recipe without noise, one pixel map after the other in float64."""
    height, width = frames.shape[1:3]
    box = [round(share * side) for share, side in zip(look.box, (width, height) * 2, strict=True)]
    shown = []
    for frame in frames:
        cut = Image.fromarray(frame).crop(tuple(box))  # type: ignore[arg-type]
        cut = cut.resize((size, size), Image.Resampling.BILINEAR)
        if look.is_mirrored:
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        shown.append(np.asarray(cut, dtype=np.float64))
    pixels = np.stack(shown) @ look.colour[:, :3].T.astype(float) + look.colour[:, 3] * 255
    pixels = (pixels.mean() + look.contrast * (pixels - pixels.mean())).clip(0, 255)
    if look.blur:
        taps = np.exp(-0.5 * (np.arange(-2, 3) / look.blur) ** 2)
        taps /= taps.sum()
        padded = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
        pixels = sum(
            taps[i] * taps[j] * padded[:, i : i + size, j : j + size]
            for i in range(5)
            for j in range(5)
        )
    pixels = np.floor(pixels + 0.5)
    if look.cover is not None:
        x0, y0, x1, y1 = (round(share * size) for share in look.cover[:4])
        pixels[:, y0:y1, x0:x1] = look.cover[4:]
    return np.asarray(pixels)


@pytest.mark.parametrize("seed", range(10))
def test_the_compiled_pass_does_what_the_slow_one_does(seed: int) -> None:
    config = AugmentConfig(noise=0.0, blur=0.7, cutout=0.5)
    look = look_of(config, seed, is_mirrored=bool(seed % 2))
    found = apply_look(pictures(), look, 28).astype(float)
    # Pillow's resize may round differently by one level, which colours multiply.
    assert np.abs(found - slow_fixed(pictures(), look, 28)).max() <= 4


def test_noise_has_the_deviation_drawn_and_differs_from_frame_to_frame() -> None:
    frames = np.full((6, 48, 48, 3), 128, np.uint8)
    look = replace(look_of(SAME), noise=0.03)
    noise = apply_look(frames, look, 40).astype(float) - 128
    assert noise.std() == pytest.approx(255 * 0.03, rel=0.03)
    assert noise.mean() == pytest.approx(0, abs=0.5)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("config", [AugmentConfig(cutout=1.0), PUBLISHED])
def test_chosen_frames_are_read_only_once_and_written_in_place(config: AugmentConfig) -> None:
    frames = pictures(6)
    frames.flags.writeable = False
    before = frames.copy()
    look = draw_look(np.random.default_rng(1), config, is_mirrored=True, shape=(40, 40))
    chosen = np.array([0, 2, 3, 5])
    whole = apply_look(frames[chosen], look, 24)
    out = np.zeros((4, 24, 24, 3), np.uint8)
    assert apply_look(frames, look, 24, chosen=chosen, out=out) is out
    if config is PUBLISHED:  # noise differs, as there is one part of its field per frame
        assert (out == whole).all()
    assert (frames == before).all()


# The published recipe, against Pillow one frame at a time.


def pillow_look(frames: np.ndarray, look: PublishedLook, size: int) -> np.ndarray:
    """Take every frame through Pillow, an operation at a time."""
    shown = []
    for frame in frames:
        picture = Image.fromarray(frame).crop(look.crop)
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
        if look.is_mirrored:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for kind in look.order:
            if kind == 0:
                picture = ImageEnhance.Brightness(picture).enhance(look.factors[0])
            elif kind == 1:
                picture = ImageEnhance.Contrast(picture).enhance(look.factors[1])
            elif kind == 2:
                picture = ImageEnhance.Color(picture).enhance(look.factors[2])
            else:
                hue, saturation, value = picture.convert("HSV").split()
                turned = (np.asarray(hue).astype(int) + int(look.hue * 255)) % 256
                hue = Image.fromarray(turned.astype(np.uint8))
                picture = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
            if look.blur:
                picture = picture.filter(ImageFilter.GaussianBlur(look.blur))
        if look.is_grey:
            picture = picture.convert("L").convert("RGB")
        shown.append(np.asarray(picture))
    return np.stack(shown)


def scenes() -> np.ndarray:
    """Smooth colours with some grain, uint8 (3, 60, 80, 3)."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:60, 0:80] / 20.0
    waves = [np.sin(x * a + y * b + c) for a, b, c in rng.uniform(0.3, 2.0, (3, 3))]
    frame = 128 + 100 * np.stack(waves, axis=-1) + rng.normal(0, 8, (60, 80, 3))
    frame = frame.clip(0, 255).astype(np.uint8)
    return np.stack([frame, frame[::-1], frame // 2])


@pytest.mark.parametrize("seed", range(24))
def test_published_look_is_what_pillow_makes_of_each_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    look = draw_look(rng, PUBLISHED, is_mirrored=bool(seed % 2), shape=(60, 80))
    assert isinstance(look, PublishedLook)
    found = apply_look(scenes(), look, 48).astype(int)
    difference = np.abs(found - pillow_look(scenes(), look, 48))
    # Grey levels; one of resizing may be multiplied by a hue of little saturation.
    assert difference.mean() < (2.0 if look.blur else 0.6)
    assert np.quantile(difference, 0.999) <= (8 if look.blur else 5)
    assert difference.max() <= 16


@pytest.mark.parametrize("order", [(0,), (1,), (2,), (3,), (3, 1, 0, 2), (2, 0, 1, 3)])
@pytest.mark.parametrize("is_grey", [False, True])
def test_colour_operations_have_pillows_very_values(order: tuple[int, ...], is_grey: bool) -> None:
    frames = scenes()[:, :48, :48]
    look = PublishedLook(
        (0, 0, 48, 48), (48, 48), False, order, (1.43, 0.61, 1.77), -0.13, 0.0, is_grey
    )
    difference = np.abs(apply_look(frames, look, 48).astype(int) - pillow_look(frames, look, 48))
    # A hue at the border between two of its 256 steps may fall on the other side.
    assert (difference > 0).mean() < 0.002
    assert difference.max() <= 8


@pytest.mark.parametrize("radius", [0.1, 0.5, 1.0, 1.7, 2.0])
def test_blur_has_the_shape_of_pillows(radius: float) -> None:
    spot = np.zeros((31, 31), np.uint8)
    spot[15, 15] = 255
    found = np.asarray(Image.fromarray(spot).filter(ImageFilter.GaussianBlur(radius)))
    taps = blur_taps(radius)
    reach = len(taps) // 2
    assert taps.sum() == pytest.approx(1, abs=1e-6)
    inner = found[15 - reach : 16 + reach, 15 - reach : 16 + reach]
    assert np.abs(255 * np.outer(taps, taps) - inner).max() <= 2
    variance = (taps * np.arange(-reach, reach + 1) ** 2).sum()
    assert variance == pytest.approx(radius**2, abs=0.02)


@pytest.mark.parametrize(
    ("shape", "distinct", "area"), [((224, 224), 3894, 0.867), ((240, 320), 3496, 0.880)]
)
def test_crops_are_as_diverse_as_measured(
    shape: tuple[int, int], distinct: int, area: float
) -> None:
    """SCIENCE 3.2, 4000 draws."""
    rng = np.random.default_rng(1)
    crops = [published_crop(rng, PUBLISHED, shape) for _ in range(4000)]
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in crops]
    assert len(set(crops)) == pytest.approx(distinct, abs=60)
    assert np.mean(areas) / (shape[0] * shape[1]) == pytest.approx(area, abs=0.005)
    height, width = shape
    assert all(0 <= c[0] < c[2] <= width and 0 <= c[1] < c[3] <= height for c in crops)


def test_wide_pictures_have_one_crop_only() -> None:
    """SCIENCE 3.2: an area of 0.8 with a ratio of 4/3 does not fit into 640 x 360."""
    rng = np.random.default_rng(1)
    crops = {published_crop(rng, PUBLISHED, (360, 640)) for _ in range(4000)}
    assert crops == {(80, 0, 560, 360)}


def test_published_draws_have_the_published_frequencies() -> None:
    looks = []
    for seed in range(3000):
        rng = np.random.default_rng(seed)
        look = draw_look(rng, PUBLISHED, is_mirrored=False, shape=(224, 224))
        assert isinstance(look, PublishedLook)
        looks.append(look)
    jittered = [look for look in looks if look.order]
    assert len(jittered) / 3000 == pytest.approx(0.8, abs=0.03)
    assert np.mean([look.blur > 0 for look in jittered]) == pytest.approx(0.5, abs=0.03)
    assert all(0.1 <= look.blur <= 2.0 for look in jittered if look.blur)
    assert not any(look.blur for look in looks if not look.order)
    assert np.mean([look.is_grey for look in looks]) == pytest.approx(0.2, abs=0.03)
    factors = np.array([look.factors for look in jittered])
    assert factors.min() == pytest.approx(0.2, abs=0.01)
    assert factors.max() == pytest.approx(1.8, abs=0.01)
    assert np.abs([look.hue for look in jittered]).max() == pytest.approx(0.2, abs=0.01)
    assert len({look.order for look in jittered}) == 24


def test_the_published_recipe_must_know_the_shape() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="height and width"):
        draw_look(rng, PUBLISHED, is_mirrored=False)
    look: AnyLook = draw_look(rng, PUBLISHED, is_mirrored=False, shape=(50, 60))
    with pytest.raises(ValueError, match="pictures of"):
        apply_look(pictures(), look, 24)


def test_evaluation_crop_does_not_resize() -> None:
    """SCIENCE 3.3: the centre of a large picture, against its whole squashed."""
    frames = np.zeros((2, 36, 64, 3), np.uint8)
    frames[:, 10:26, 24:40] = 200  # the central 16 x 16 pixels
    assert (evaluation_frames(frames, 16, is_cropped=True) == 200).all()
    squashed = evaluation_frames(frames, 16, is_cropped=False)
    assert squashed.shape == (2, 16, 16, 3)
    assert squashed.mean() == pytest.approx(200 * 16 * 16 / (36 * 64), rel=0.05)
    small = evaluation_frames(frames[:, 10:26, 24:40], 20, is_cropped=True)
    assert (small[:, 2:18, 2:18] == 200).all()
    assert small.sum() == 200 * 16 * 16 * 3 * 2
