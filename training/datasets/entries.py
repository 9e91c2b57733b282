"""What a data set lists, before any video is opened; and the pickles of the official code.

The official preparation writes ``train.pkl`` and ``val.pkl``: lists of dictionaries with ``id``,
``name``, ``video_file`` (below the data set's folder), ``seq_len`` and ``frame_label``. Sources:
``datasets/*.py`` of the official code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.errors import MediaError
from training.pickles import read_pickle

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.arrays import Float64, Int64


# Exported labels have six decimals.
_ROUNDING_S = 1e-6


class DatasetError(MediaError):
    """A data set's lists are missing, or are not what the official code writes."""


class MissingListError(DatasetError):
    """The list of a split is not there; ``path`` says where it should be."""


@dataclass(frozen=True, slots=True)
class Span:
    """A phase: start_s <= time < end_s, in seconds from the recording's first frame."""

    phase: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One recording as listed.

    Attributes
    ----------
    path : video file
    name : for messages
    action : what is done, "" = not known
    labels : int64 (L,), phase of each frame, -1 = none; None where there are none
    frames : L as the list states it, 0 = it does not say
    is_resampled : labels are stretched over a video of another length than L; else that is an error
    spans : phases in seconds, in place of ``labels``
    """

    path: Path
    name: str
    action: str = ""
    labels: Int64 | None = None
    frames: int = 0
    is_resampled: bool = False
    spans: tuple[Span, ...] = ()

    def labels_at(self, times_s: Float64) -> Int64 | None:
        """Labels of a video's frames at ``times_s`` (N,): int64 (N,), None where there are none.

        Where allowed, frame i of N gets label floor(i L / N), as the official preparation
        resamples indices.

        Raises
        ------
        MediaError
            When the list speaks of another number of frames than the video holds.
        """
        count = len(times_s)
        if self.spans:
            labels = np.full(count, -1, dtype=np.int64)
            for span in self.spans:
                is_inside = times_s >= span.start_s - _ROUNDING_S
                labels[is_inside & (times_s < span.end_s - _ROUNDING_S)] = span.phase
            return labels
        if self.labels is None:
            return None
        if len(self.labels) == count:
            return self.labels
        if not self.is_resampled:
            raise MediaError(
                f"{self.path} holds {count} frames, but {len(self.labels)} are labelled: labels "
                "and pictures would not fit each other. Prepare the video again.",
                path=self.path,
            )
        return self.labels[np.arange(count) * len(self.labels) // count]


def read_listed(path: Path) -> tuple[list[dict[str, Any]], Any]:
    """Read a pickle that is a list of dictionaries, or a tuple of such a list and something more.

    Raises
    ------
    DatasetError
        When there is no such file (`MissingListError`) or it holds something else.
    PickleError
        When it cannot be read safely.
    """
    if not path.is_file():
        raise MissingListError(
            f"There is no {path}. Check data.root, or look with: "
            f"python -m training.data check {path.parent}",
            path=path,
        )
    found, more = read_pickle(path), None
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], list):
        found, more = found
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise DatasetError(
            f"{path} does not hold a list of recordings. It must be written by the preparation "
            "scripts of the official code.",
            path=path,
        )
    return found, more


def entries_of(
    rows: list[dict[str, Any]], *, listed: Path, folder: Path, is_resampled: bool = False
) -> list[Entry]:
    """Turn the dictionaries of a pickle into entries.

    Parameters
    ----------
    rows : as `read_listed` gives them
    listed : the pickle, for messages
    folder : where ``video_file`` is looked for; the folder above comes second
    is_resampled : see `Entry`

    Raises
    ------
    DatasetError
        When one lacks what is needed; the message names it.
    """
    entries = []
    for number, row in enumerate(rows):
        where = f"{listed}, entry {number}"
        for key in ("name", "video_file"):
            if not isinstance(row.get(key), str) or not row[key]:
                raise DatasetError(f"{where}: {key!r} is missing or no text.", path=listed)
        labels = frame_labels(row.get("frame_label"), where, listed)
        stated = row.get("seq_len", 0)
        try:
            frames = int(stated)
        except (TypeError, ValueError) as exc:
            raise DatasetError(
                f"{where}: 'seq_len' is {stated!r}, no number.", path=listed
            ) from exc
        if labels is not None and not frames:
            frames = len(labels)
        if labels is not None and len(labels) != frames:
            raise DatasetError(
                f"{where} ({row['name']}): {len(labels)} labels for seq_len {frames}.", path=listed
            )
        entries.append(
            Entry(
                video_path(folder, row["video_file"]),
                row["name"],
                labels=labels,
                frames=frames,
                is_resampled=is_resampled,
            )
        )
    return entries


def frame_labels(value: Any, where: str, listed: Path) -> Int64 | None:
    """Check labels, whatever they are stored as: int64 (L,) with -1 = none, or None.

    Raises
    ------
    DatasetError
        When they are no row of whole numbers from -1 up.
    """
    if value is None:
        return None
    try:
        found = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
        labels = found.astype(np.int64)
        is_whole = found.ndim == 1 and bool((labels == found).all())
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not is_whole:
        raise DatasetError(f"{where}: 'frame_label' is no row of whole numbers.", path=listed)
    if len(labels) == 0 or labels.max() < 0:
        return None
    if labels.min() < -1:
        raise DatasetError(
            f"{where}: 'frame_label' holds {labels.min()}; -1 means none, phases count from 0.",
            path=listed,
        )
    return labels


def video_path(folder: Path, name: str) -> Path:
    """Find a listed video below the data set's folder, or below the work directory above it."""
    path = folder / name
    above = folder.parent / name
    return above if not path.exists() and above.exists() else path


def folder_of(root: Path, usual: str, *names: str) -> Path:
    """Return ``root``, or its subfolder ``usual`` (a work directory) when that holds the lists."""
    inner = root / usual
    has_lists = any((root / name).exists() for name in names)
    return inner if not has_lists and inner.is_dir() else root
