"""Kinetics-400 as the official code reads it: ``train.csv`` with rows "path,label".

The labels are of no use here. Paths count from the work directory, the folder above the list. The
official code names four broken videos; here every video that cannot be opened is left out.
"""

from __future__ import annotations

import csv
from pathlib import Path

from training.datasets.entries import (
    DatasetError,
    Entry,
    MissingListError,
    folder_of,
    video_path,
)

USUAL_FOLDER = "Kinetics400"


def list_kinetics(root: Path, split: str) -> list[Entry]:
    """List the videos of a split.

    Raises
    ------
    DatasetError
        When the list is missing, cannot be read, or is empty.
    """
    folder = folder_of(root, USUAL_FOLDER, "train.csv", "val.csv")
    listed = folder / f"{split}.csv"
    try:
        with listed.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row and row[0].strip()]
    except FileNotFoundError as exc:
        raise MissingListError(f"There is no {listed}. Check data.root.", path=listed) from exc
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise DatasetError(f"The list {listed} cannot be read ({exc}).", path=listed) from exc
    if rows and [cell.strip() for cell in rows[0]] == ["path", "label"]:
        del rows[0]
    if not rows:
        raise DatasetError(f"The list {listed} names no video.", path=listed)
    names = [row[0].strip() for row in rows]
    return [Entry(video_path(folder, name), Path(name).stem) for name in names]
