"""Every kind of data set by its name: what it lists, and its clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from training.datasets import pouring
from training.datasets.entries import DatasetError, Entry
from training.datasets.finegym import list_finegym
from training.datasets.folder import list_folder
from training.datasets.kinetics import list_kinetics
from training.datasets.penn_action import list_penn_action
from training.datasets.pouring import list_pouring
from training.datasets.reading import Reading, clips_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.progress import Monitor
    from carl_core.video.display import Fit
    from training.config import DataConfig
    from training.datasets.clip import Clip

KINDS = ("folder", "penn_action", "pouring", "finegym99", "finegym288", "kinetics400")
# Classes of frame labels, where the data set fixes them.
CLASSES = {"pouring": pouring.PHASES, "finegym99": 99, "finegym288": 288}


def list_entries(config: DataConfig, *, split: str) -> list[Entry]:
    """List the recordings of a split, opening none; a folder has no splits and is listed whole.

    Raises
    ------
    MediaError, PickleError, ProjectError
        When lists are missing or cannot be used, or there is no video.
    """
    root = Path(config.root)
    if config.kind == "folder":
        return list_folder(
            root,
            labels=config.labels,
            manifest=config.manifest,
            exclude_columns=config.exclude_columns,
        )
    if config.kind == "penn_action":
        entries = list_penn_action(root, split)
    elif config.kind == "pouring":
        entries = list_pouring(root, split)
    elif config.kind in ("finegym99", "finegym288"):
        elements = int(config.kind.removeprefix("finegym"))
        entries = list_finegym(root, split, elements=elements, additional=config.additional)
    elif config.kind == "kinetics400":
        entries = list_kinetics(root, split)
    else:
        raise DatasetError(
            f"data.kind = {config.kind!r} is not known: must be one of {', '.join(KINDS)}."
        )
    if not entries:
        raise DatasetError(f"The {split} list of {root} names no recording.", path=root)
    return entries


def load_clips(
    config: DataConfig,
    *,
    split: str,
    size: tuple[int, int] | None,
    fit: Fit,
    cache: Path | None,
    monitor: Monitor,
) -> list[Clip]:
    """Open the recordings of a split; labels and actions are filled in where they are known.

    Every file is opened once, which takes 0.05 to 0.5 s of one core; its index is kept on disk
    (``carl_core.embeddings.store.cache_folder``), so that later runs begin at once. Memory: with
    a cache, what the system maps of it; without, 16 bytes a frame and a few open decoders, see
    ``SparseFrames`` and ``ReaderPool``.

    Parameters
    ----------
    config : ``kind`` decides how the split is listed
    split : "train" or "val"; of no meaning for a folder
    size : width and height of the pictures, None = as filmed
    fit : how a picture comes to ``size``
    cache : folder of decoded pictures; None = each access decodes what it asks for
    monitor : progress and cancellation

    Raises
    ------
    MediaError, PickleError, ProjectError
        As `list_entries`; also when a video cannot be used and ``config.skip_unreadable`` is
        false, or none can be used.
    """
    reading = Reading(
        size=size,
        fit=fit,
        max_fps=config.max_fps,
        max_clip_s=config.max_clip_s,
        cache=cache,
        limit_bytes=config.cache_mib << 20,
        skip_unreadable=config.skip_unreadable,
    )
    return clips_of(list_entries(config, split=split), reading, monitor=monitor)


def label_classes(config: DataConfig, clips: Sequence[Clip]) -> int:
    """Count the classes of frame labels: as published where that is fixed, else the largest + 1.

    0 means that no clip has labels. Penn Action numbers the phases of each action from 0.
    """
    return _classes(config, [int(clip.labels.max()) for clip in clips if clip.labels is not None])


def listed_classes(config: DataConfig, entries: Sequence[Entry]) -> int:
    """Count the classes of frame labels as `label_classes`, before any video is opened."""
    largest = [int(entry.labels.max()) for entry in entries if entry.labels is not None]
    return _classes(config, largest + [span.phase for entry in entries for span in entry.spans])


def _classes(config: DataConfig, labels: list[int]) -> int:
    largest = max(labels, default=-1)
    return max(largest + 1, CLASSES.get(config.kind, 0)) if largest >= 0 else 0
