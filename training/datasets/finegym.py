"""FineGym as the official code prepares it: events of a minute or so, 99 or 288 elements.

``gym99_train_v1.0.pkl``, ``gym99_val.pkl`` (or ``gym288_...``) list events with an element for each
frame, -1 between elements; ``additional_v1.0.pkl`` lists events without labels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from training.datasets.entries import Entry, entries_of, folder_of, read_listed

if TYPE_CHECKING:
    from pathlib import Path

USUAL_FOLDER = "finegym"
ADDITIONAL = "additional_v1.0.pkl"
# Events in train and val, the same for both numbers of elements.
PUBLISHED = (3182, 1442)


def list_finegym(root: Path, split: str, *, elements: int, additional: bool = False) -> list[Entry]:
    """List the events of a split.

    Parameters
    ----------
    root : folder with the pickles, or the work directory above it
    split : "train" or "val"
    elements : 99 or 288
    additional : of "train": also the events without labels

    Raises
    ------
    DatasetError, PickleError
        When a pickle is missing, or is not a list of events.
    """
    folder = folder_of(root, USUAL_FOLDER, *(list_name(elements, split) for split in _SPLITS))
    names = [list_name(elements, split)]
    if additional and split == "train":
        names.append(ADDITIONAL)
    entries: list[Entry] = []
    for name in names:
        rows, _ = read_listed(folder / name)
        found = entries_of(rows, listed=folder / name, folder=folder)
        if name == ADDITIONAL:
            found = [replace(entry, labels=None) for entry in found]
        entries += found
    return entries


def list_name(elements: int, split: str) -> str:
    """Name of the pickle of a split."""
    return f"gym{elements}_train_v1.0.pkl" if split == "train" else f"gym{elements}_{split}.pkl"


_SPLITS = ("train", "val")
