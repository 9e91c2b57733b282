"""Features of a frozen trunk, computed once for several looks of every recording.

Where the trunk does not learn, a training step needs no picture: this turns sources of pictures
into sources of stored features, and a step then costs what the small head costs. A look is one
spatial augmentation of a whole recording; look 0 is the recording as it is, odd looks are mirrored,
so that both views of a pair can be mirrored together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
import xxhash

from carl_core.atomic import replacing
from carl_core.encoder.onnx import load_encoder
from training.augment import apply_look, draw_look
from training.backbones import encoder_path
from training.sampling import generator_for

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.arrays import Float16, Float32, UInt8
    from carl_core.progress import Monitor
    from training.config import AugmentConfig, TrainConfig
    from training.data import Source, Take

# Pictures (N, S, S, 3) to features (N, C).
TrunkFunction = Callable[["UInt8"], "Float32"]

_CHUNK = 256  # frames whose looks are in memory at a time


def encoder_trunk(config: TrainConfig) -> tuple[TrunkFunction, str]:
    """Return the trunk of the encoder file a configuration names, and the file's model id.

    Raises
    ------
    ModelError
        When the file is no encoder.
    """
    encoder = load_encoder(encoder_path(config.model.weights))
    return encoder.features, encoder.model_id


def stored_looks(
    sources: list[Source],
    config: TrainConfig,
    trunk: TrunkFunction,
    trunk_id: str,
    cache: Path,
    monitor: Monitor,
) -> list[Source]:
    """Compute trunk features of ``data.looks`` looks of every take, or find them in ``cache``.

    A look depends on ``data.looks_seed``, the source's name, the take and the look alone. Memory is
    256 pictures; each take costs ``looks * N * C * 2`` bytes on disk, read through a memory map.

    Parameters
    ----------
    sources : what is looked at
    config : its ``data`` looks, ``augment`` and ``model.image_size`` count
    trunk : pictures to features
    trunk_id : tells one trunk from another in the cache
    cache : folder, made when missing
    monitor : progress and cancellation
    """
    cache.mkdir(parents=True, exist_ok=True)
    looks = config.data.looks
    total = sum(len(take.frames) for source in sources for take in source.takes) * looks
    monitor.start("features", total, "frames")
    described = f"{config.augment}{config.model.image_size}{looks}{config.data.looks_seed}"
    stored = []
    for source in sources:
        takes = []
        for number, take in enumerate(source.takes):
            key = _key(trunk_id, described, source.name, number, take)
            path = cache / f"{key}.npy"
            if not path.exists():
                features = _features_of(take, source.name, number, config, trunk, monitor)
                with replacing(path) as partial, partial.open("wb") as file:
                    np.save(file, features)
            else:
                monitor.advance(looks * len(take.frames))
            takes.append(dataclasses.replace(take, features=np.load(path, mmap_mode="r")))
        stored.append(dataclasses.replace(source, takes=tuple(takes)))
    return stored


def _features_of(
    take: Take, name: str, number: int, config: TrainConfig, trunk: TrunkFunction, monitor: Monitor
) -> Float16:
    looks, size = config.data.looks, config.model.image_size
    count = len(take.frames)
    parts: list[list[Float16]] = [[] for _ in range(looks)]
    for start in range(0, count, _CHUNK):
        pictures = take.frames[np.arange(start, min(count, start + _CHUNK))]
        for look, found in enumerate(parts):
            monitor.check()
            shown = _look(
                pictures, look, name, number, config.augment, config.data.looks_seed, size
            )
            found.append(trunk(shown).astype(np.float16))
            monitor.advance(len(pictures))
    return np.stack([np.concatenate(part) for part in parts])


def _look(
    pictures: UInt8,
    look: int,
    name: str,
    number: int,
    augment: AugmentConfig,
    seed: int,
    size: int,
) -> UInt8:
    if look == 0:
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
        plain = F.interpolate(tensor, (size, size), mode="bilinear", antialias=True)
        shown: UInt8 = plain.permute(0, 2, 3, 1).contiguous().numpy()
        return shown
    rng = generator_for(seed, xxhash.xxh32_intdigest(name.encode()), number, look)
    return apply_look(
        pictures,
        draw_look(rng, augment, is_mirrored=look % 2 == 1, shape=pictures.shape[1:3]),
        size,
    )


def _key(trunk_id: str, described: str, name: str, number: int, take: Take) -> str:
    digest = xxhash.xxh3_128()
    digest.update(f"{trunk_id}|{described}|{name}|{number}|{take.frames.shape}".encode())
    digest.update(np.ascontiguousarray(take.times_s).tobytes())
    middle = np.array([len(take.frames) // 2])
    digest.update(np.ascontiguousarray(take.frames[middle]).tobytes())
    return digest.hexdigest()
