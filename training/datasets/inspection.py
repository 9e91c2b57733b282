"""What a data set holds and what it lacks, without stopping at the first thing that is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.errors import CarlError, MediaError
from training.datasets import finegym, kinetics, penn_action, pouring
from training.datasets.entries import (
    Entry,
    MissingListError,
    entries_of,
    folder_of,
    read_listed,
)
from training.datasets.folder import VIDEO_SUFFIXES, list_folder
from training.datasets.kinetics import list_kinetics
from training.datasets.load import CLASSES
from training.datasets.penn_action import PUBLISHED, list_penn_action
from training.datasets.reading import opened_in_turn
from training.pickles import PickleError

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.progress import Monitor

_SHOWN = 5
_LISTS = {
    "penn_action": (penn_action.USUAL_FOLDER, "train.pkl", "val.pkl"),
    "pouring": (pouring.USUAL_FOLDER, "train.pkl", "val.pkl"),
    "finegym99": (finegym.USUAL_FOLDER, "gym99_train_v1.0.pkl", "gym99_val.pkl"),
    "finegym288": (finegym.USUAL_FOLDER, "gym288_train_v1.0.pkl", "gym288_val.pkl"),
    "kinetics400": (kinetics.USUAL_FOLDER, "train.csv"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something missing or wrong.

    Attributes
    ----------
    what : a sentence
    advice : what to do about it
    count : how often
    examples : the first few names or messages
    """

    what: str
    advice: str
    count: int = 1
    examples: tuple[str, ...] = ()


@dataclass(slots=True)
class SplitReport:
    """One split; what was not looked at is None.

    Attributes
    ----------
    name : "train", "val", "additional", or "all" of a folder
    listed, published : recordings in the list, and in the published one
    present, readable : those whose file is there, and opens
    frames : of the readable ones
    labelled, classes : recordings with labels, and different labels in them
    rates : number of recordings of each nominal rate, "25 fps"
    actions : number of recordings of each action
    """

    name: str
    listed: int = 0
    published: int | None = None
    present: int = 0
    readable: int | None = None
    frames: int | None = None
    labelled: int = 0
    classes: int = 0
    rates: dict[str, int] = field(default_factory=dict)
    actions: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Report:
    """What was found: ``problems`` must be put right, ``notes`` are good to know."""

    kind: str
    root: str
    splits: list[SplitReport] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def guess_kinds(root: Path) -> list[str]:
    """Say which data sets a folder, or a work directory of several, seems to hold."""
    found = [
        kind
        for kind, (usual, *names) in _LISTS.items()
        if any((folder / name).is_file() for folder in (root, root / usual) for name in names)
    ]
    if "penn_action" in found and "pouring" in found:
        # The lists have the same names: told apart by the folder's name, else by their form.
        inner = [kind for kind in ("penn_action", "pouring") if _has_inner_lists(root, kind)]
        meant = inner or [_kind_by_form(root)]
        found = [kind for kind in found if kind not in ("penn_action", "pouring") or kind in meant]
    if not found and any(
        path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() for path in root.rglob("*")
    ):
        return ["folder"]
    return found


def inspect(root: Path, kind: str, *, is_fast: bool, labels: str = "", monitor: Monitor) -> Report:
    """Look through a data set.

    Parameters
    ----------
    root : the data set's folder, or the work directory above it
    kind : of ``training.datasets.load.KINDS``
    is_fast : only look whether the videos are there, do not open them
    labels : of a folder, see ``list_folder``
    monitor : progress and cancellation
    """
    report = Report(kind, str(root))
    for split in _splits(root, kind):
        try:
            entries = _listed(root, kind, split, labels, report)
        except CarlError as error:
            what = f"{split}: {error}"
            if isinstance(error, MissingListError):
                what = f"{split}: there is no {error.path}"
            report.problems.append(Problem(what, _advice_for_list(error, kind)))
            report.splits.append(SplitReport(split, published=_published(kind, split)))
            continue
        found = SplitReport(split, listed=len(entries), published=_published(kind, split))
        report.splits.append(found)
        _inspect_labels(entries, kind, found, report)
        present = [entry for entry in entries if entry.path.is_file()]
        found.present = len(present)
        missing = [str(entry.path) for entry in entries if not entry.path.is_file()]
        if missing:
            _add(report, f"{split}: videos are missing", "Put them where the list says.", missing)
        if not is_fast:
            _open_all(present, found, report, monitor)
    if kind == "penn_action":
        _compare_actions(report)
    return report


def _splits(root: Path, kind: str) -> list[str]:
    if kind == "folder":
        return ["all"]
    if kind == "kinetics400":
        folder = folder_of(root, kinetics.USUAL_FOLDER, "train.csv", "val.csv")
        return ["train", "val"] if (folder / "val.csv").is_file() else ["train"]
    if kind.startswith("finegym"):
        return ["train", "val", "additional"]
    return ["train", "val"]


def _listed(root: Path, kind: str, split: str, labels: str, report: Report) -> list[Entry]:
    if kind == "folder":
        return list_folder(root, labels=labels)
    if kind == "kinetics400":
        return list_kinetics(root, split)
    if kind == "penn_action":
        entries = list_penn_action(root, split)
        _inspect_indices(root, split, len(entries), report)
        return entries
    if kind == "pouring":
        return pouring.list_pouring(root, split)
    elements = int(kind.removeprefix("finegym"))
    if split != "additional":
        return finegym.list_finegym(root, split, elements=elements)
    names = [finegym.list_name(elements, name) for name in ("train", "val")]
    folder = folder_of(root, finegym.USUAL_FOLDER, *names)
    if not (folder / finegym.ADDITIONAL).is_file():
        report.notes.append(
            f"{finegym.ADDITIONAL} is not there: data.additional=true cannot be used."
        )
        return []
    rows, _ = read_listed(folder / finegym.ADDITIONAL)
    return entries_of(rows, listed=folder / finegym.ADDITIONAL, folder=folder)


def _inspect_indices(root: Path, split: str, count: int, report: Report) -> None:
    """Penn Action's second part: for each of 13 actions the indices of its recordings."""
    folder = folder_of(root, penn_action.USUAL_FOLDER, "train.pkl", "val.pkl")
    _, indices = read_listed(folder / f"{split}.pkl")
    try:
        flat = sorted(int(index) for group in indices for index in group)
        is_right = flat == list(range(count)) and len(indices) == len(PUBLISHED)
    except (TypeError, ValueError):
        is_right = False
    if not is_right:
        report.notes.append(
            f"{split}.pkl: the indices of the {len(PUBLISHED)} actions do not name every recording "
            "once; actions are read from the recordings' names."
        )


def _inspect_labels(entries: list[Entry], kind: str, found: SplitReport, report: Report) -> None:
    largest: dict[str, int] = {}
    present: set[int] = set()
    for entry in entries:
        seen = [span.phase for span in entry.spans]
        if entry.labels is not None:
            seen = np.unique(entry.labels[entry.labels >= 0]).tolist()
        if seen:
            found.labelled += 1
            present.update(seen)
            largest[entry.action] = max(max(seen), largest.get(entry.action, -1))
    found.classes = len(present)
    found.actions = dict(sorted(Counter(entry.action for entry in entries if entry.action).items()))
    limit = CLASSES.get(kind)
    if limit is not None and present and max(present) >= limit:
        what = f"{found.name}: labels up to {max(present)}, but {kind} counts from 0 to {limit - 1}"
        _add(report, what, "Write the lists again.", [])
    for action, highest in sorted(largest.items()):
        phases = PUBLISHED[action][2] if kind == "penn_action" and action in PUBLISHED else None
        if phases is not None and highest >= phases:
            report.notes.append(
                f"{found.name}: {action} has labels up to {highest}; published: {phases} phases, "
                f"0 to {phases - 1}."
            )
    doubled = [name for name, n in Counter(str(e.path) for e in entries).items() if n > 1]
    if doubled:
        report.notes.append(f"{found.name}: {len(doubled)} videos are listed more than once.")


def _open_all(entries: list[Entry], found: SplitReport, report: Report, monitor: Monitor) -> None:
    monitor.start(f"opening {found.name}", len(entries), "videos")
    unreadable, unfitting, stretched, damaged, short = [], [], 0, [], []
    frames, rates = 0, Counter[str]()
    for entry, opened in opened_in_turn(entries):
        monitor.advance()
        if isinstance(opened, MediaError):
            unreadable.append(str(opened))
            continue
        times_s = opened.index.times_s
        frames += len(times_s)
        if len(times_s) > 1:
            # Not the usual step: containers that count milliseconds make 33 of 33.3.
            rates[f"{round((len(times_s) - 1) / float(times_s[-1]), 2):g} fps"] += 1
        else:
            short.append(entry.name)
        if opened.info.problems:
            damaged.append(f"{entry.path.name}: {opened.info.problems[0]}")
        is_other = bool(entry.frames) and entry.frames != len(times_s)
        if is_other and not entry.is_resampled and entry.labels is not None:
            unfitting.append(f"{entry.path}: {len(times_s)} frames, seq_len {entry.frames}")
        elif is_other:
            stretched += 1
    found.readable = len(entries) - len(unreadable)
    found.frames = frames
    found.rates = dict(rates.most_common())
    split = found.name
    if unreadable:
        _add(report, f"{split}: videos cannot be read", "Copy or convert them again.", unreadable)
    if unfitting:
        _add(
            report,
            f"{split}: videos have another length than their labels",
            "Prepare them again (a constant rate, no dropped frames), or they are left out.",
            unfitting,
        )
    if short:
        _add(report, f"{split}: videos hold a single frame", "They cannot be used.", short)
    if stretched:
        report.notes.append(
            f"{split}: {stretched} videos have another length than listed; labels, where there are "
            "any, are stretched over them, as in the official preparation."
        )
    if damaged:
        report.notes.append(f"{split}: {len(damaged)} videos are not sound; {damaged[0]}")


def _compare_actions(report: Report) -> None:
    for place, split in enumerate(report.splits):
        if not split.listed:
            continue
        other = [
            f"{action} {split.actions.get(action, 0)} (published: {counts[place]})"
            for action, counts in PUBLISHED.items()
            if split.actions.get(action, 0) != counts[place]
        ]
        if other:
            report.notes.append(
                f"{split.name}: numbers of recordings differ from the published ones: "
                f"{', '.join(other)}."
            )
        unknown = sorted(set(split.actions) - set(PUBLISHED))
        if unknown:
            report.notes.append(f"{split.name}: actions not published: {', '.join(unknown)}.")


def _published(kind: str, split: str) -> int | None:
    place = {"train": 0, "val": 1}.get(split)
    if place is None:
        return None
    if kind == "penn_action":
        return sum(counts[place] for counts in PUBLISHED.values())
    if kind == "pouring":
        return pouring.PUBLISHED[place]
    return finegym.PUBLISHED[place] if kind.startswith("finegym") else None


def _advice_for_list(error: CarlError, kind: str) -> str:
    if isinstance(error, PickleError):
        return "Download or write the list again; it was not run."
    if kind in _LISTS:
        usual, *names = _LISTS[kind]
        return f"{kind} needs {', '.join(names)} in the folder, or in {usual}/ below it."
    return "Name a folder with videos."


def _add(report: Report, what: str, advice: str, examples: list[Any]) -> None:
    shown = tuple(str(example) for example in examples[:_SHOWN])
    report.problems.append(Problem(what, advice, max(1, len(examples)), shown))


def _has_inner_lists(root: Path, kind: str) -> bool:
    usual, *names = _LISTS[kind]
    folder = root if root.resolve().name == usual else root / usual
    return any((folder / name).is_file() for name in names)


def _kind_by_form(root: Path) -> str:
    for name in ("train.pkl", "val.pkl"):
        try:
            _, more = read_listed(root / name)
        except CarlError:
            continue
        return "pouring" if more is None else "penn_action"
    return "penn_action"
