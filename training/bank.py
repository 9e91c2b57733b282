"""Where a run's content comes from: decoded recordings, and a bank of rendered actions.

The bank holds several views (bodies, cameras, clocks) of each action, rendered once into the cache
folder and memory-mapped from there. Each action depends on its seed alone.
"""

from __future__ import annotations

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import xxhash
from PIL import Image

from carl_core.atomic import replacing, write_atomic
from carl_core.errors import MediaError
from training.data import Source, Take, source_of_clip
from training.datasets.load import label_classes, load_clips
from training.simulate.clip import View, random_view, render_clip, sample_times
from training.simulate.motion import Action, pose_at, random_action
from training.simulate.phrases import HELD_OUT_FAMILIES, TRAINING_FAMILIES
from training.simulate.skeleton import JOINT_NAMES, pose_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.arrays import Float32, Float64, UInt8
    from carl_core.progress import Monitor
    from carl_core.video.display import Fit
    from training.config import EvaluationConfig, TrainConfig

# Pictures are cached a little larger than the network's input, so that a crop loses no detail.
CACHE_ENLARGEMENT = 1.15
_BACKGROUNDS_PER_TAR = 150
_DURATION_S = (3.0, 10.0)

_TRUTH = ("content_s", "times_s", "points", "visible", "body")


def _counterpart(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    return "left_" + name.removeprefix("right_") if name.startswith("right_") else name


# Index of each joint's counterpart on the other side of the body.
COUNTERPARTS = tuple(JOINT_NAMES.index(_counterpart(name)) for name in JOINT_NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """What a run draws from.

    Attributes
    ----------
    recordings : real recordings, each with one take
    simulated : actions, each with several takes
    joints : J of the simulated takes, 1 where there are none
    phases : number of classes of frame labels over all recordings, 0 = none has labels
    """

    recordings: list[Source]
    simulated: list[Source]
    joints: int
    phases: int = 0


def load_sources(config: TrainConfig, folder: Path, *, monitor: Monitor) -> Sources:
    """Open, decode and render what the configuration names, or find it in the cache.

    Without ``data.cache`` recordings are only opened; a batch decodes the frames it shows.

    Raises
    ------
    MediaError, PickleError, ProjectError
        When there is no video, none can be read, or a data set's lists cannot be used.
    """
    data = config.data
    cache = Path(data.cache_dir) if data.cache_dir else folder / "cache"
    recordings: list[Source] = []
    phases = 0
    if data.root and data.simulated_share < 1:
        clips = load_clips(
            data,
            split=data.split,
            size=picture_size(config),
            fit=cast("Fit", config.export.fit),
            cache=cache / "videos" if data.cache else None,
            monitor=monitor,
        )
        phases = label_classes(data, clips)
        recordings = [source_of_clip(clip) for clip in clips if len(clip.times_s) >= 2]
        if not recordings:
            raise MediaError(
                f"Every video of {data.root} holds a single frame: there is nothing to align.",
                path=data.root,
            )
    simulated: list[Source] = []
    if data.simulated_share > 0 and data.simulated_actions > 0:
        size = cached_size(config.model.image_size)
        simulated = _load_bank(config, cache / "simulated", size, monitor)
    return Sources(recordings, simulated, len(JOINT_NAMES) if simulated else 1, phases)


def picture_size(config: TrainConfig) -> tuple[int, int] | None:
    """Width and height at which recordings are decoded; None = as filmed."""
    if config.data.size < 0:
        return None
    side = config.data.size or cached_size(config.model.image_size)
    return side, side


def cached_size(image_size: int) -> int:
    """Side of the cached pictures: a multiple of 16 above the network's input."""
    return int(np.ceil(image_size * CACHE_ENLARGEMENT / 16) * 16)


def warp_pairs(config: EvaluationConfig, size: int, sample_fps: float) -> list[Source]:
    """Pairs of clips of actions from families that training never draws, in their own time.

    Each clip is sampled evenly at ``sample_fps``, as the engine samples a recording.
    """
    return [
        simulated_source(
            config.seed + number,
            size=size,
            views=2,
            frames=None,
            fps=sample_fps,
            families=HELD_OUT_FAMILIES,
            images=(),
        )
        for number in range(config.actions)
    ]


def simulated_source(
    seed: int,
    *,
    size: int,
    views: int,
    frames: int | None,
    fps: float = 10.0,
    families: Sequence[str] = TRAINING_FAMILIES,
    images: Sequence[UInt8] = (),
) -> Source:
    """Render one action from several sides; a function of the seed.

    Parameters
    ----------
    seed : of everything
    size : side in pixels
    views : number of takes
    frames : frames of each take, spread over its whole length; None = evenly at ``fps``
    fps : see ``frames``
    families : movement families to draw from
    images : backgrounds
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, 77)))
    action = random_action(rng, duration_s=_DURATION_S, families=families)
    azimuth = float(rng.uniform(-180, 180))
    takes = []
    for number in range(views):
        turn = _turn(rng) if number else 0.0
        view = random_view(
            rng, action, size=size, azimuth=azimuth + turn, images=images, image_probability=0.6
        )
        if frames is None:
            times_s = np.arange(max(2, int(view.duration_s * fps))) / fps
        else:
            times_s = sample_times(rng, view.duration_s, frames)
        takes.append(_take(action, view, times_s))
    return Source(f"{action.family}-{seed}", tuple(takes), action.family)


def body_joints(action: Action, view: View, action_s: Float64) -> Float32:
    """Joints from the pelvis, in a frame that turns with the body: float32 (T, J, 3), metres.

    x to the body's left along its hips, y to its front, z up: the same for every camera.
    """
    joints, _ = pose_body(view.body, pose_at(action, action_s, view.style))  # (T, J, 3)
    left, right = JOINT_NAMES.index("left_hip"), JOINT_NAMES.index("right_hip")
    across = joints[:, left, :2] - joints[:, right, :2]
    length = np.linalg.norm(across, axis=1, keepdims=True)
    across = across / np.maximum(length, 1e-3)
    front = np.stack([across[:, 1], -across[:, 0]], axis=1)
    from_pelvis = joints - joints[:, [JOINT_NAMES.index("pelvis")]]
    from_pelvis[..., 2] = joints[..., 2]  # the height above the floor says more
    x = (from_pelvis[..., :2] * across[:, None]).sum(-1)
    y = (from_pelvis[..., :2] * front[:, None]).sum(-1)
    return np.stack([x, y, from_pelvis[..., 2]], axis=-1).astype(np.float32)


def read_backgrounds(folder: Path, size: int) -> list[UInt8]:
    """Read pictures out of the tar files of ``folder``, at most a few hundred.

    Raises
    ------
    MediaError
        When there is no tar file, or one cannot be read.
    """
    shards = sorted(folder.glob("*.tar"))
    if not shards:
        raise MediaError(f"The folder {folder} holds no tar file of pictures.", path=folder)
    pictures: list[UInt8] = []
    for shard in shards:
        try:
            with tarfile.open(shard) as archive:
                for member in archive.getmembers()[:_BACKGROUNDS_PER_TAR]:
                    file = archive.extractfile(member)
                    if file is None or not member.name.endswith((".jpg", ".jpeg", ".png")):
                        continue
                    with Image.open(io.BytesIO(file.read())) as picture:
                        picture.thumbnail((2 * size, 2 * size))
                        pictures.append(np.asarray(picture.convert("RGB")))
        except (OSError, tarfile.TarError) as exc:
            raise MediaError(f"{shard} cannot be read ({exc}).", path=shard) from exc
    return pictures


def _turn(rng: np.random.Generator) -> float:
    """How far another camera stands from the first: mostly near, sometimes anywhere."""
    kind = rng.random()
    if kind < 0.5:
        return float(rng.normal(0, 20))
    return float(rng.uniform(-90, 90) if kind < 0.85 else rng.uniform(-180, 180))


def _take(action: Action, view: View, times_s: Float64) -> Take:
    clip = render_clip(action, view, times_s)
    action_s = clip.action_s.astype(np.float64)
    return Take(
        clip.frames,
        action_s,
        np.asarray(times_s, np.float64),
        np.asarray(clip.joints, np.float32),
        clip.visible,
        body_joints(action, view, action_s),
        COUNTERPARTS,
    )


def _load_bank(config: TrainConfig, cache: Path, size: int, monitor: Monitor) -> list[Source]:
    data = config.data
    cache.mkdir(parents=True, exist_ok=True)
    images: list[UInt8] = []
    seeds = range(data.simulated_seed, data.simulated_seed + data.simulated_actions)
    tag = f"{size}-{data.simulated_views}-{data.simulated_frames}"
    if data.backgrounds:  # another folder gives other pictures
        tag += "-" + xxhash.xxh32_hexdigest(str(Path(data.backgrounds).resolve()).encode())
    missing = [seed for seed in seeds if not (cache / f"{seed}-{tag}.json").exists()]
    if missing and data.backgrounds:
        images = read_backgrounds(Path(data.backgrounds), size)

    def render(seed: int) -> None:
        source = simulated_source(
            seed,
            size=size,
            views=data.simulated_views,
            frames=data.simulated_frames,
            images=images,
        )
        _save(cache / f"{seed}-{tag}", source)

    monitor.start("rendering", len(seeds), "actions", done=len(seeds) - len(missing))
    with ThreadPoolExecutor(config.run.threads or 2) as pool:
        for _ in pool.map(render, missing):
            monitor.advance()
    return [_load(cache / f"{seed}-{tag}") for seed in seeds]


def _save(path: Path, source: Source) -> None:
    """Write a source; the small JSON comes last and marks it as whole."""
    takes = source.takes
    with replacing(path.with_suffix(".frames.npy")) as partial, partial.open("wb") as file:
        np.save(file, np.stack([take.pictures() for take in takes]))
    truth = {name: np.stack([getattr(take, name) for take in takes]) for name in _TRUTH}
    with replacing(path.with_suffix(".truth.npz")) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **truth)
    facts = json.dumps({"name": source.name, "action": source.action})
    write_atomic(path.with_suffix(".json"), facts)


def _load(path: Path) -> Source:
    facts = json.loads(path.with_suffix(".json").read_text())
    # A bank of an earlier version names the action only at the front of the source's name.
    name, action = facts["name"], facts.get("action", facts["name"].rpartition("-")[0])
    frames = np.load(path.with_suffix(".frames.npy"), mmap_mode="r")
    with np.load(path.with_suffix(".truth.npz")) as file:
        truth = {key: file[key] for key in _TRUTH}
    return Source(
        name,
        tuple(
            Take(
                frames[k],
                **{key: values[k] for key, values in truth.items()},
                counterparts=COUNTERPARTS,
            )
            for k in range(len(frames))
        ),
        action,
    )
