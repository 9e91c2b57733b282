"""ELAN files: what is written can be read, and what is no such file is refused in a sentence."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.errors import ProjectError
from carl_core.export.elan import from_eaf, to_eaf
from carl_core.export.labels import Label, read_labels, write_labels
from carl_core.timebase import FrameIndex

if TYPE_CHECKING:
    from pathlib import Path

TIMES = st.integers(0, 10**8)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a.mp4", "b & <c>.mov"]),
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn"))),
        TIMES,
        st.one_of(st.just(0), st.integers(2, 10**6)),
        st.sampled_from(["", "c (d).mp4"]),
    ),
    max_size=8,
)


@given(ROWS)
def test_rows_come_back(rows: list[tuple[str, str, int, int, str]]) -> None:
    wanted = [(r, n, start / 1000, (start + length) / 1000, of) for r, n, start, length, of in rows]
    found = from_eaf(to_eaf(wanted), "file")
    assert sorted(found) == sorted(wanted)


def test_what_is_written_has_the_parts_elan_asks_for() -> None:
    root = ET.fromstring(to_eaf([("a.mp4", "top", 1.0, 1.0, "")], ["a.mp4"]))
    assert root.tag == "ANNOTATION_DOCUMENT"
    assert [child.tag for child in root] == ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE"]
    tier, kind = root.find("TIER"), root.find("LINGUISTIC_TYPE")
    assert tier is not None
    assert kind is not None
    assert tier.get("LINGUISTIC_TYPE_REF") == kind.get("LINGUISTIC_TYPE_ID")
    slots = {s.get("TIME_SLOT_ID"): s.get("TIME_VALUE") for s in root.iter("TIME_SLOT")}
    assert slots == {"ts1": "1000", "ts2": "1001"}


def test_labels_go_through_a_file(tmp_path: Path) -> None:
    labels = (
        Label("a.mp4", "top", 1.25, 1.25),
        Label("b.mp4", "swing", 0.5, 2.125),
        Label("b.mp4", "top", 1.5, 1.5, derived="a.mp4"),
    )
    path = write_labels(tmp_path / "marks.eaf", labels)
    assert read_labels(path) == labels


@pytest.mark.parametrize(
    "rate", [Fraction(24_000, 1001), Fraction(30), Fraction(60), Fraction(240)]
)
@pytest.mark.parametrize("suffix", [".eaf", ".csv", ".json"])
def test_every_frame_is_the_same_frame_after_a_file(
    tmp_path: Path, suffix: str, rate: Fraction
) -> None:
    step = round(90_000 / rate)
    index = FrameIndex(np.arange(500) * step, 500 * step, np.ones(500, bool), Fraction(1, 90_000))
    labels = [Label("a.mp4", str(n), t, t) for n, t in enumerate(index.times_s.tolist())]
    found = read_labels(write_labels(tmp_path / f"marks{suffix}", labels))
    assert [index.frame_shown_at(label.start_s) for label in found] == list(range(500))
    assert [label.end_s for label in found] == [label.start_s for label in found]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid XML"),
        ("<a>", "not valid XML"),
        ("<html/>", "no ELAN file"),
        ('<!DOCTYPE x [<!ENTITY e "x">]><ANNOTATION_DOCUMENT/>', "declares entities"),
        (
            "<ANNOTATION_DOCUMENT><TIER TIER_ID='a'><ANNOTATION><ALIGNABLE_ANNOTATION "
            "ANNOTATION_ID='a1' TIME_SLOT_REF1='ts1' TIME_SLOT_REF2='ts2'/></ANNOTATION></TIER>"
            "</ANNOTATION_DOCUMENT>",
            "annotation a1 has no times",
        ),
    ],
)
def test_what_is_no_elan_file_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "marks.eaf"
    path.write_text(text)
    with pytest.raises(ProjectError, match=said):
        read_labels(path)
