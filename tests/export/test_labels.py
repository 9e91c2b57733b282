from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.alignment.timemap import TimeMap
from carl_core.errors import ProjectError
from carl_core.export.labels import Label, read_labels, transfer, write_labels

if TYPE_CHECKING:
    from pathlib import Path

LABELS = (
    Label("a.mp4", "top", 1.5, 1.5),
    Label("a.mp4", 'down, "slow" – тест', 1.5, 2.25),
    Label("b.mp4", "top", 1.75, 1.75, colour="#0072b2", note="see, the wrist", derived="a.mp4"),
)


@pytest.mark.parametrize("name", ["labels.csv", "labels.json"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    assert read_labels(write_labels(tmp_path / "new" / name, LABELS)) == LABELS


def test_labels_follow_the_map_and_those_without_counterpart_stay_away() -> None:
    time_map = TimeMap(np.array([1.0, 2.0, 3.0]), np.array([10.0, 12.0, 14.0]))
    labels = [*LABELS[:2], Label("a.mp4", "before", 0.1, 0.5), Label("a.mp4", "cut", 2.5, 9.0)]
    carried = transfer(labels, time_map, recording="b.mp4")
    assert [(x.name, x.start_s, x.end_s) for x in carried] == [
        ("top", 11.0, 11.0),
        (LABELS[1].name, 11.0, 12.5),
        ("cut", 13.0, 14.0),
    ]
    assert {(x.recording, x.derived) for x in carried} == {("b.mp4", "a.mp4")}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "recording,name,start_s\nx,y,1\n", "column end_s"),
        ("a.csv", "recording,name,start_s,end_s\nx,y,one,2\n", "entry 1"),
        ("a.csv", "recording,name,start_s,end_s\nx,y,3,2\n", "ends at"),
        ("a.csv", "recording,name,start_s,end_s\nx,y,nan,2\n", "finite"),
        ("a.csv", "recording,name,start_s,end_s,colour\nx,y,1,2,red\n", "like #1a2b3c"),
        ("a.json", "{}", "list of objects"),
        ("a.json", "[", "not valid JSON"),
        ("a.json", '[{"name": "x"}]', "start_s is missing"),
    ],
)
def test_bad_labels_are_refused_with_the_place(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ProjectError, match=says):
        read_labels(path)


def test_a_missing_or_binary_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be read"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "bin.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ProjectError, match="UTF-8"):
        read_labels(tmp_path / "bin.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deep.json", "[" * 100_000),
        ("long.json", '[{"name": "a", "start_s": "' + "x" * 100_000 + '"}]'),
        ("large.json", '[{"name": "a", "start_s": 1' + "0" * 400 + "}]"),
        ("wide.csv", "recording,name,start_s,end_s\n" + "x" * 200_000 + ",a,1,2\n"),
        ("nul.csv", "recording,name,start_s,end_s\nx,a\0,b,2\n"),
    ],
)
def test_hostile_files_are_refused_in_a_short_sentence(
    tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ProjectError) as caught:
        read_labels(path)
    assert len(str(caught.value)) < len(str(path)) + 400
