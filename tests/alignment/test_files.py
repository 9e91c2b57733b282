from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carl_core.alignment.alignment import Alignment, Anchor
from carl_core.alignment.files import (
    AlignmentFile,
    AlignmentMap,
    RecordingEntry,
    from_json,
    read_alignment,
    to_json,
    write_alignment,
)
from carl_core.errors import ExportError, ProjectError


def example(folder: Path) -> AlignmentFile:
    alignment = Alignment(
        method="open-end",
        cost=0.1234567891,
        match=0.98,
        verdict="aligned",
        reason="Because.",
        reference_s=np.asarray([0.0, 0.1, 0.2]),
        other_s=np.asarray([np.nan, 1 / 3, 0.5]),
        confidence=np.asarray([0.0, 1.0, 0.5]),
        gaps=((0.0, 0.1),),
        anchors=(Anchor(0.15, 0.4),),
        raw_reference=np.asarray([1, 2]),
        raw_other=np.asarray([3, 5]),
    )
    return AlignmentFile(
        reference=0,
        model_id="0123456789abcdef",
        model_name="test",
        recordings=(
            RecordingEntry(folder / "a.mp4", "a" * 32, 0.3, 9),
            RecordingEntry(folder / "sub" / "b\udcff.mp4", "b" * 32, 1.0, 30),
        ),
        maps=(AlignmentMap(1, alignment, np.asarray([3, 6]), np.asarray([9, 15])),),
    )


def test_the_document_has_exactly_the_agreed_keys(tmp_path: Path) -> None:
    document = to_json(example(tmp_path), tmp_path)
    assert document == {
        "format": "carl-alignment",
        "version": 1,
        "reference": 0,
        "model": {"id": "0123456789abcdef", "name": "test"},
        "recordings": [
            {"path": "a.mp4", "fingerprint": "a" * 32, "duration_s": 0.3, "frames": 9},
            {
                "path": str(Path("sub") / "b\udcff.mp4"),
                "fingerprint": "b" * 32,
                "duration_s": 1.0,
                "frames": 30,
            },
        ],
        "maps": [
            {
                "recording": 1,
                "method": "open-end",
                "cost": 0.123457,
                "match": 0.98,
                "verdict": "aligned",
                "reason": "Because.",
                "reference_s": [0.0, 0.1, 0.2],
                "other_s": [None, 0.333333, 0.5],
                "confidence": [0.0, 1.0, 0.5],
                "gaps": [[0.0, 0.1]],
                "anchors": [[0.15, 0.4]],
                "raw": {"reference_frame": [3, 6], "other_frame": [9, 15]},
            }
        ],
    }
    absolute = to_json(example(tmp_path))
    assert absolute["recordings"][0]["path"] == str(tmp_path / "a.mp4")


def test_written_files_read_back_the_same(tmp_path: Path) -> None:
    path = write_alignment(tmp_path / "out" / "alignment.json", example(tmp_path))
    assert [p.name for p in path.parent.iterdir()] == ["alignment.json"]
    assert json.loads(path.read_text())["recordings"][0]["path"] == str(Path("..") / "a.mp4")
    found = read_alignment(path)
    assert found.recordings[0].path == tmp_path / "a.mp4"
    assert to_json(found) == to_json(example(tmp_path))
    entry = found.map_of(1)
    assert entry is not None
    assert np.isnan(entry.alignment.other_s[0])
    assert entry.alignment.time_map(0.15) == 0.4
    assert found.map_of(0) is None


def test_a_path_that_is_not_settled_is_written_so_and_older_files_are_read(tmp_path: Path) -> None:
    file = example(tmp_path)
    alignment = replace(file.maps[0].alignment, is_stable=False)
    document = to_json(replace(file, maps=(replace(file.maps[0], alignment=alignment),)), tmp_path)
    assert document["maps"][0]["stable"] is False
    assert not from_json(document, tmp_path).maps[0].alignment.is_stable
    del document["maps"][0]["stable"]
    assert from_json(document, tmp_path).maps[0].alignment.is_stable


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_alignment(tmp_path / "alignment.json", example(tmp_path))
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("carl_core.alignment.files.os.fsync", full)
    with pytest.raises(ExportError, match="No space left"):
        write_alignment(path, example(tmp_path))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


WRONG: list[tuple[str, Any, str]] = [
    ("format", "other", "format"),
    ("version", 2, "version"),
    ("version", True, "version"),
    ("reference", 7, "reference"),
    ("reference", "0", "reference"),
    ("recordings", {}, "recordings"),
    ("recordings.0.frames", -1, "frames"),
    ("recordings.0.duration_s", "3", "duration_s"),
    ("recordings.0.path", 3, "path"),
    ("maps.0.recording", 0, "recording"),
    ("maps.0.recording", 5, "recording"),
    ("maps.0.verdict", "maybe", "verdict"),
    ("maps.0.cost", None, "cost"),
    ("maps.0.cost", 10**400, "cost"),
    ("maps.0.match", 2.0, "match"),
    ("maps.0.reference_s", [0.0, 0.2, 0.1], "reference_s"),
    ("maps.0.reference_s", [0.0, None, 0.1], "reference_s"),
    ("maps.0.other_s", [0.0, 2.0, 1.0], "other_s"),
    ("maps.0.other_s", [0.0, 2.0], "maps"),
    ("maps.0.confidence", [0.0, 1.0, 1.5], "confidence"),
    ("maps.0.gaps", [[1.0]], "gaps"),
    ("maps.0.anchors", [[0.15, 99.0]], "maps"),
    ("maps.0.raw", [], "raw"),
    ("maps.0.raw.other_frame", [1], "other_frame"),
    ("maps.0.raw.other_frame", [1.5, 2], "other_frame"),
    ("maps.0.raw.other_frame", [-1, 2], "other_frame"),
    ("model", None, "model"),
]


@pytest.mark.parametrize(("key", "value", "named"), WRONG)
def test_a_bad_value_is_refused_and_named(tmp_path: Path, key: str, value: Any, named: str) -> None:
    document = copy.deepcopy(to_json(example(tmp_path)))
    *parents, last = key.split(".")
    target: Any = document
    for parent in parents:
        target = target[int(parent)] if parent.isdigit() else target[parent]
    target[last] = value
    with pytest.raises(ProjectError, match=named):
        from_json(document, tmp_path)
    del target[last]
    with pytest.raises(ProjectError, match=last):
        from_json(document, tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"format": NaN}', "[" * 100_000, "\x00", '{"format": "carl-alignment"}'],
)
def test_what_is_no_alignment_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "alignment.json"
    path.write_text(text)
    with pytest.raises(ProjectError, match=r"alignment\.json"):
        read_alignment(path)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be read"):
        read_alignment(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ProjectError, match="not text"):
        read_alignment(tmp_path / "binary.json")
