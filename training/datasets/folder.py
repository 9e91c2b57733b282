"""A folder of videos, with labels where somebody wrote some."""

from __future__ import annotations

import csv
import logging
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from carl_core.errors import MediaError
from carl_core.export.labels import read_labels
from training.datasets.clip import Clip as Clip
from training.datasets.clip import Frames as Frames
from training.datasets.entries import DatasetError, Entry, Span
from training.datasets.reading import spaced_frames as spaced_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

VIDEO_SUFFIXES = frozenset(
    ".mp4 .mov .m4v .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .3gp .flv .wmv .ogv".split()
)

log = logging.getLogger("carl.train")


class EmptyFolderError(MediaError):
    """The folder holds nothing to train on."""


def find_videos(
    root: Path, *, manifest: str = "", exclude_columns: tuple[str, ...] = ()
) -> list[Path]:
    """List the videos below ``root`` in a fixed order.

    Parameters
    ----------
    root : folder, searched through its subfolders; or one video
    manifest : CSV with a column ``file`` relative to its own folder, ``root`` or above; "" = none
    exclude_columns : a video whose row has a non-empty cell in one of these is left out

    Raises
    ------
    EmptyFolderError
        When there is no such folder or no video in it.
    """
    if not root.exists():
        raise EmptyFolderError(f"There is no folder {root}. Check data.root.", path=root)
    found = (
        [root]
        if root.is_file()
        else sorted(
            path
            for path in root.rglob("*")
            if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
        )
    )
    if not found:
        raise EmptyFolderError(
            f"The folder {root} holds no video ({', '.join(sorted(VIDEO_SUFFIXES))}). "
            "Name a folder of videos with --set data.root=FOLDER.",
            path=root,
        )
    if manifest and exclude_columns:
        excluded = set(_excluded_names(Path(manifest), exclude_columns))
        found = [path for path in found if path.name not in excluded]
        if not found:
            raise EmptyFolderError(f"{manifest} excludes every video of {root}.", path=root)
    return found


def list_folder(
    root: Path, *, labels: str = "", manifest: str = "", exclude_columns: tuple[str, ...] = ()
) -> list[Entry]:
    """List the videos below ``root``, with their phases where a file of labels names them.

    Parameters
    ----------
    root, manifest, exclude_columns : as `find_videos`
    labels : CSV or JSON as the program exports it: ``recording,name,start_s,end_s``; "" = none.
        ``recording`` is a path below ``root``, a file name, or one without its ending. Phases are
        numbered by name in alphabetical order; markers (without an end) are passed over.
        A phase covers start_s <= time < end_s; frames outside every phase have label -1

    Raises
    ------
    EmptyFolderError, DatasetError, ProjectError
        When there is no video, or the labels cannot be used.
    """
    videos = find_videos(root, manifest=manifest, exclude_columns=exclude_columns)
    base = root.parent if root.is_file() else root
    names = [path.relative_to(base).as_posix() for path in videos]
    spans = _read_spans(Path(labels), names) if labels else {}
    return [
        Entry(path, path.name, spans=tuple(spans.get(name, ())))
        for path, name in zip(videos, names, strict=True)
    ]


def _read_spans(path: Path, names: list[str]) -> dict[str, list[Span]]:
    """Phases of each video, by its path below the root."""
    known: dict[str, list[str]] = {}
    for name in names:
        file = PurePosixPath(name)
        for title in dict.fromkeys((name, file.name, file.stem)):
            known.setdefault(title, []).append(name)
    labels = [label for label in read_labels(path) if label.end_s > label.start_s]
    phases = {name: number for number, name in enumerate(sorted({x.name for x in labels}))}
    spans: dict[str, list[Span]] = {}
    unknown = set()
    for label in sorted(labels, key=lambda label: label.start_s):
        meant = known.get(label.recording, [])
        if len(meant) > 1:
            raise DatasetError(
                f"{path}: {label.recording!r} may be {meant[0]} or {meant[1]}. "
                "Write its path below the folder.",
                path=path,
            )
        if not meant:
            unknown.add(label.recording)
            continue
        before = spans.setdefault(meant[0], [])
        if before and label.start_s < before[-1].end_s:
            raise DatasetError(
                f"{path}: phases of {label.recording} overlap at {label.start_s:g} s.", path=path
            )
        before.append(Span(phases[label.name], label.start_s, label.end_s))
    if unknown:
        log.warning("%s names recordings that are not there: %s", path, ", ".join(sorted(unknown)))
    if not spans:
        raise DatasetError(f"{path} labels no phase of any video.", path=path)
    return spans


def _excluded_names(manifest: Path, columns: tuple[str, ...]) -> Iterator[str]:
    try:
        with manifest.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = {"file", *columns} - set(rows.fieldnames or ())
            if missing:
                raise MediaError(
                    f"{manifest} has no column {', '.join(sorted(missing))}.", path=manifest
                )
            for row in rows:
                if any(row[column] for column in columns):
                    yield Path(row["file"]).name
    except (OSError, UnicodeDecodeError) as exc:
        raise MediaError(f"The manifest {manifest} cannot be read ({exc}).", path=manifest) from exc
