"""Pouring as the official code prepares it: one action, 5 phases, 70 and 14 recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.datasets.entries import Entry, entries_of, folder_of, read_listed

if TYPE_CHECKING:
    from pathlib import Path

USUAL_FOLDER = "pouring"
# Recordings in train and val.
PUBLISHED = (70, 14)
PHASES = 5


def list_pouring(root: Path, split: str) -> list[Entry]:
    """List the recordings of a split.

    Raises
    ------
    DatasetError, PickleError
        When the pickle is missing, or is not a list of recordings.
    """
    folder = folder_of(root, USUAL_FOLDER, "train.pkl", "val.pkl")
    listed = folder / f"{split}.pkl"
    rows, _ = read_listed(listed)
    return entries_of(rows, listed=listed, folder=folder)
