"""Penn Action as the official code prepares it: 13 actions, each with phases of its own.

``train.pkl`` and ``val.pkl`` are a tuple: the list of recordings (``name`` = "NNNN_action", also
``action_label``), and for each of the 13 actions the indices of its recordings. ``strum_guitar``
and ``jump_rope`` are left out. Phases are numbered within each action.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from training.datasets.entries import Entry, entries_of, folder_of, read_listed

if TYPE_CHECKING:
    from pathlib import Path

USUAL_FOLDER = "penn_action"
# Recordings in train and val, and phases, of each action (arXiv 2203.14957, official pickles).
PUBLISHED = {
    "baseball_pitch": (103, 63, 4),
    "baseball_swing": (113, 57, 3),
    "bench_press": (69, 71, 2),
    "bowl": (134, 85, 3),
    "clean_and_jerk": (40, 42, 6),
    "golf_swing": (87, 77, 3),
    "jumping_jacks": (56, 56, 4),
    "pushup": (102, 106, 2),
    "pullup": (98, 101, 2),
    "situp": (50, 50, 2),
    "squat": (111, 115, 4),
    "tennis_forehand": (79, 74, 3),
    "tennis_serve": (98, 69, 4),
}


def list_penn_action(root: Path, split: str) -> list[Entry]:
    """List the recordings of a split; labels are stretched where a video has another length.

    Raises
    ------
    DatasetError, PickleError
        When the pickle is missing, or is not as described above.
    """
    folder = folder_of(root, USUAL_FOLDER, "train.pkl", "val.pkl")
    listed = folder / f"{split}.pkl"
    rows, _ = read_listed(listed)
    entries = entries_of(rows, listed=listed, folder=folder, is_resampled=True)
    return [
        replace(entry, action=action_of(entry.name, row.get("action_label")))
        for entry, row in zip(entries, rows, strict=True)
    ]


def action_of(name: str, label: object) -> str:
    """Read the action out of "NNNN_action"; else it is known by its number alone."""
    number, _, action = name.partition("_")
    if number.isdigit() and action:
        return action
    return name if label is None else f"action {label}"
