"""Looks with what the teachers say of them, stored once: one shard for each source.

A shard is three arrays beside a small JSON, which comes last and marks it as whole:
``NAME.pixels.npy`` uint8 (N, S, S, 3), ``NAME.places.npy`` int8 (N, 7, 7, 320) in steps of
`PLACE_STEP`, ``NAME.joints.npy`` float16 (N, 17, 3) with x, y and score. Rows come in runs of
`GROUP`.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from carl_core.atomic import replacing, write_atomic
from carl_core.errors import MediaError
from training.augment.crops import cut_and_resized
from training.distill.views import GROUP, JOINTS, Source, groups_of, list_sources
from training.teachers import IMAGE_FILE, POSE_FILE, ImageTeacher, PoseTeacher

if TYPE_CHECKING:
    from carl_core.arrays import Float16, Float32, Int8, UInt8
    from carl_core.progress import Monitor
    from training.distill.settings import ViewSettings
    from training.distill.views import Group

PLACE_STEP: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """Looks of one source; arrays are memory-mapped.

    Attributes
    ----------
    name : of the source
    pixels : uint8 (N, S, S, 3)
    places : int8 (N, 7, 7, 320), the image teacher's map in units of `PLACE_STEP`
    joints : float16 (N, 17, 3), x and y in shares of the picture, score
    is_sequence : whether runs of `GROUP` rows are moments of one recording
    """

    name: str
    pixels: UInt8
    places: Int8
    joints: Float16
    is_sequence: bool


def make_shards(
    settings: ViewSettings, folder: Path, *, size: int, workers: int, monitor: Monitor
) -> list[str]:
    """Make the shards that are missing from ``folder``; return the names of all that are there.

    A source that cannot be read is reported and left out.

    Raises
    ------
    MediaError
        When no source can be read.
    ModelError
        When a teacher is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = list_sources(settings)
    missing = [one for one in sources if not (folder / f"{one.name}.json").exists()]
    monitor.start("looks and their teachers", len(sources), "sources", len(sources) - len(missing))
    context = get_context("spawn")
    with ProcessPoolExecutor(max(1, workers), mp_context=context) as pool:
        jobs = [pool.submit(make_shard, one, settings, folder, size) for one in missing]
        try:
            for job in as_completed(jobs):
                monitor.check()
                job.result()
                monitor.advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    names = [one.name for one in sources if (folder / f"{one.name}.json").exists()]
    whole = [name for name in names if json.loads((folder / f"{name}.json").read_text())["views"]]
    if not whole:
        raise MediaError("No source of looks could be read: see the messages above.")
    return whole


def make_shard(source: Source, settings: ViewSettings, folder: Path, size: int) -> None:
    """Draw one source's looks, ask the teachers, write the shard."""
    import torch  # resizing; one thread, for there is one process a core

    torch.set_num_threads(1)
    see = ImageTeacher(Path(settings.teachers) / IMAGE_FILE)
    pose = PoseTeacher(Path(settings.teachers) / POSE_FILE)
    pixels: list[UInt8] = []
    places: list[Int8] = []
    joints: list[Float16] = []
    problem = ""
    try:
        for group in groups_of(source, settings):
            wide = group.wide
            pixels.append(cut_and_resized(wide, None, (0, 0, *wide.shape[1:3]), size))
            _, seen = see(wide)
            places.append(np.clip(np.rint(seen / PLACE_STEP), -127, 127).astype(np.int8))
            found = group.joints if group.joints is not None else _found(pose(group.tall), group)
            joints.append(found.astype(np.float16))
    except MediaError as exc:
        problem = str(exc)
    count = sum(map(len, pixels)) // GROUP * GROUP
    base = folder / source.name
    if count:
        for name, parts in (("pixels", pixels), ("places", places), ("joints", joints)):
            with (
                replacing(base.with_name(f"{base.name}.{name}.npy")) as partial,
                partial.open("wb") as file,
            ):
                np.save(file, np.concatenate(parts)[:count])
    facts = {"views": count, "is_sequence": source.kind != "images", "problem": problem}
    write_atomic(base.with_name(base.name + ".json"), json.dumps(facts) + "\n")


def load_shard(folder: Path, name: str) -> Shard:
    """Map one shard into memory."""
    facts = json.loads((folder / f"{name}.json").read_text())
    pixels, places, joints = (
        np.load(folder / f"{name}.{part}.npy", mmap_mode="r")
        for part in ("pixels", "places", "joints")
    )
    return Shard(name, pixels, places, joints, bool(facts["is_sequence"]))


def _found(joints: Float32, group: Group) -> Float32:
    """(K, 17, 3) y, x, score in the letterboxed square -> x, y, score in the picture."""
    width, height = group.bars
    x = (joints[..., 1] - 0.5 * (1 - width)) / width
    y = (joints[..., 0] - 0.5 * (1 - height)) / height
    inside = (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    found = np.stack([x, y, np.where(inside, joints[..., 2], 0.0)], axis=-1).astype(np.float32)
    assert found.shape[1:] == (JOINTS, 3)
    return found
