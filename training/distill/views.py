"""Looks at recordings, images and simulated figures, in groups that belong together.

A group is `GROUP` pictures under one look: four moments of a recording or of a simulated
performance; or a single image. Everything is a function of the seed and the source's name.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import xxhash
from PIL import Image

from carl_core.errors import MediaError
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from training.augment.crops import cut_and_resized
from training.bank import read_backgrounds
from training.datasets.folder import find_videos
from training.simulate.clip import random_view, render_clip, sample_times
from training.simulate.motion import random_action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carl_core.arrays import Float32, UInt8
    from training.distill.settings import ViewSettings

GROUP: Final = 4
JOINTS: Final = 17  # of COCO, in its order; the first 17 of the simulator's
HIDDEN: Final = 0.25
_WINDOW_S = (0.4, 8.0)
_IMAGES_PER_SOURCE = 100
_ACTIONS_PER_SOURCE = 5
_BACKGROUND_SIZE = 160


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """K pictures under one look: `GROUP` moments of one recording or performance, or one image.

    Attributes
    ----------
    wide : uint8 (K, 224, 224, 3) RGB, for the image teacher
    tall : uint8 (K, 192, 192, 3), the same in true proportions between black bars, for the pose
        teacher
    bars : shares of the square that the picture takes, width and height
    joints : float32 (K, 17, 3): x and y in shares of the picture; 1 = visible, 0 = not in the
        picture, `HIDDEN` = in it but hidden. None = not known
    """

    wide: UInt8
    tall: UInt8
    bars: tuple[float, float]
    joints: Float32 | None


@dataclass(frozen=True, slots=True)
class Source:
    """One unit of work: a clip, some images, or some simulated actions."""

    name: str
    kind: str
    path: Path
    first: int = 0
    count: int = 0


def list_sources(settings: ViewSettings) -> list[Source]:
    """List everything to look at, in a fixed order.

    Raises
    ------
    MediaError
        When the pool holds nothing to look at.
    """
    pool = Path(settings.pool)
    found: list[Source] = []
    if settings.pool:
        manifest = pool / "manifest.csv"
        videos = find_videos(
            pool / "videos",
            manifest=str(manifest) if manifest.is_file() else "",
            exclude_columns=settings.exclude_columns,
        )
        found += [Source(f"clip-{path.stem}", "clip", path) for path in videos]
        for shard in sorted((pool / "images").glob("*.tar")):
            with tarfile.open(shard) as archive:
                count = sum(_is_picture(name) for name in archive.getnames())
            found += [
                Source(f"images-{shard.stem}-{at}", "images", shard, at, _IMAGES_PER_SOURCE)
                for at in range(0, count, _IMAGES_PER_SOURCE)
                if settings.image_views
            ]
    found += [
        Source(
            f"actions-{at}", "actions", pool, at, min(_ACTIONS_PER_SOURCE, settings.actions - at)
        )
        for at in range(0, settings.actions, _ACTIONS_PER_SOURCE)
    ]
    if not found:
        raise MediaError("There is nothing to look at: set views.pool or views.actions.")
    return found


def groups_of(source: Source, settings: ViewSettings) -> Iterator[Group]:
    """Draw the groups of one source. Raises ``MediaError`` when it cannot be read."""
    rng = np.random.default_rng([settings.seed, xxhash.xxh32_intdigest(source.name.encode())])
    if source.kind == "clip":
        yield from _of_clip(source.path, settings, rng)
    elif source.kind == "images":
        yield from _of_images(source, settings, rng)
    else:
        yield from _of_actions(source, settings, rng)


def _of_clip(path: Path, settings: ViewSettings, rng: np.random.Generator) -> Iterator[Group]:
    recording = open_recording(path)
    times_s = recording.index.times_s
    slots = np.floor((times_s - times_s[0]) * settings.max_fps + 1e-6)
    kept = np.flatnonzero(np.diff(slots, prepend=-1.0) > 0)
    info = recording.info
    scale = min(1.0, 256 / min(info.width, info.height))
    size = (max(8, round(info.width * scale)), max(8, round(info.height * scale)))
    with FrameReader(recording, size=size, threads=1) as reader:
        pictures = np.stack([frame.pixels for frame in reader.frames_at(kept)])
    times_s = times_s[kept]
    for _ in range(min(settings.most_groups, settings.groups + len(kept) // GROUP)):
        length_s = np.exp(rng.uniform(*np.log(_WINDOW_S)))
        start_s = rng.uniform(times_s[0], max(times_s[0], times_s[-1] - length_s))
        inside = np.flatnonzero((times_s >= start_s) & (times_s <= start_s + length_s))
        inside = inside if len(inside) >= GROUP else np.arange(len(times_s))
        chosen = np.sort(rng.choice(inside, GROUP, replace=len(inside) < GROUP))
        yield _look(pictures[chosen], settings, rng)


def _of_images(source: Source, settings: ViewSettings, rng: np.random.Generator) -> Iterator[Group]:
    pictures: list[UInt8] = []
    with tarfile.open(source.path) as archive:
        names = [name for name in archive.getnames() if _is_picture(name)]
        for name in names[source.first : source.first + source.count]:
            file = archive.extractfile(name)
            if file is None:
                continue
            with Image.open(io.BytesIO(file.read())) as picture:
                pictures.append(np.asarray(picture.convert("RGB")))
    whole_groups = settings.image_views * len(pictures) // GROUP
    for k in rng.integers(len(pictures), size=whole_groups * GROUP):
        yield _look(pictures[k][None], settings, rng)


def _of_actions(
    source: Source, settings: ViewSettings, rng: np.random.Generator
) -> Iterator[Group]:
    images: list[UInt8] = []
    if settings.pool:
        images = read_backgrounds(Path(settings.pool) / "images", _BACKGROUND_SIZE)
        images = [images[k] for k in rng.integers(len(images), size=40)]
    for _ in range(source.count):
        action = random_action(rng)
        for _ in range(settings.action_views):
            view = random_view(rng, action, size=224, images=images, image_probability=0.7)
            times_s = sample_times(rng, view.duration_s, settings.action_frames)
            clip = render_clip(action, view, times_s)
            seen = np.where(clip.visible[:, :JOINTS, None], 1.0, HIDDEN)
            joints = np.concatenate([clip.joints[:, :JOINTS], seen], axis=-1).astype(np.float32)
            order = rng.permutation(len(times_s))
            for at in range(0, len(order) - GROUP + 1, GROUP):
                chosen = np.sort(order[at : at + GROUP])
                yield _look(clip.frames[chosen], settings, rng, joints=joints[chosen])


def _look(
    pictures: UInt8,
    settings: ViewSettings,
    rng: np.random.Generator,
    *,
    joints: Float32 | None = None,
) -> Group:
    """One box of every picture, mirrored or not, as both teachers want it."""
    height, width = pictures.shape[1:3]
    box = (0, 0, width, height)
    if rng.random() >= settings.whole_share:
        area = rng.uniform(settings.min_area, 1.0)
        turn = np.exp(rng.uniform(-1, 1) * np.log(settings.max_aspect))
        wide = int(np.clip(width * np.sqrt(area * turn), 8, width))
        tall = int(np.clip(height * np.sqrt(area / turn), 8, height))
        left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - tall + 1))
        box = (left, top, left + wide, top + tall)
    cut = pictures[:, box[1] : box[3], box[0] : box[2]]
    is_mirrored = rng.random() < 0.5
    if is_mirrored:
        cut = cut[:, :, ::-1]
    cut = np.array(cut)  # its own, writable memory
    tall, wide = cut.shape[1:3]
    whole = (0, 0, wide, tall)
    square = max(wide, tall)
    bars = (wide / square, tall / square)
    inner = max(1, round(192 * bars[0])), max(1, round(192 * bars[1]))
    letterboxed = np.zeros((len(cut), 192, 192, 3), np.uint8)
    left, top = (192 - inner[0]) // 2, (192 - inner[1]) // 2
    letterboxed[:, top : top + inner[1], left : left + inner[0]] = _resized(cut, inner)
    known = None
    if joints is not None:
        known = joints.copy()
        known[..., 0] = (known[..., 0] * width - box[0]) / wide
        known[..., 1] = (known[..., 1] * height - box[1]) / tall
        if is_mirrored:
            known[..., 0] = 1 - known[..., 0]
            known = known[:, _MIRRORED]
        inside = (known[..., :2] >= 0).all(-1) & (known[..., :2] < 1).all(-1)
        known[..., 2] *= inside
    bars = (inner[0] / 192, inner[1] / 192)
    return Group(cut_and_resized(cut, None, whole, 224), letterboxed, bars, known)


# COCO's joints after left and right have been exchanged.
_MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def _resized(pictures: UInt8, size: tuple[int, int]) -> UInt8:
    """Resize to (width, height), bilinear with antialiasing."""
    import torch
    import torch.nn.functional as F

    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    made = F.interpolate(pixels, (size[1], size[0]), mode="bilinear", antialias=True)
    resized: UInt8 = made.permute(0, 2, 3, 1).contiguous().numpy()
    return resized


def _is_picture(name: str) -> bool:
    return name.endswith((".jpg", ".jpeg", ".png"))
