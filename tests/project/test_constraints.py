from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from carl_core.alignment.aligners import align_arrays
from carl_core.alignment.alignment import Anchor as Pin
from carl_core.alignment.alignment import Mask as Forbidden
from carl_core.project import edits
from carl_core.project.constraints import Constraints, constraints_of
from carl_core.project.project import Anchor, Mask, Media, Moment, Project, Span

BASE = edits.add_recordings(
    Project(), [Media(id=name, path=f"/{name}.mp4") for name in ("a", "b", "c")]
)


def pinned(*pairs: tuple[float, float], project: Project = BASE) -> Project:
    for ours, theirs in pairs:
        one = Moment(recording="a", pts=round(ours * 90), time_s=ours)
        two = Moment(recording="b", pts=round(theirs * 90), time_s=theirs)
        project = edits.add_anchor(project, Anchor(first=two, second=one))
    return project


def of(project: Project, other: str = "b") -> Constraints:
    return constraints_of(project, other, 10.0, 20.0)


def test_without_demands_pictures_decide() -> None:
    assert of(BASE) == Constraints("auto")
    assert of(replace(BASE, method="sound")) == Constraints("audio")


def test_anchors_are_turned_to_the_reference_and_belong_to_one_pair() -> None:
    project = pinned((3, 7), (1, 2))
    assert of(project) == Constraints("auto", (Pin(1, 2), Pin(3, 7)))
    assert of(project, "c") == Constraints("auto")
    # Another reference: pairs with it are turned round.
    turned = constraints_of(edits.set_reference(project, "b"), "a", 20.0, 10.0)
    assert turned.anchors == (Pin(2, 1), Pin(7, 3))


@pytest.mark.parametrize(
    ("kind", "anchors", "expected"),
    [
        ("offset", (), Constraints("offset")),
        ("offset", ((1, 2), (3, 7), (4, 9)), Constraints("anchors", (Pin(3, 7),))),
        ("linear", ((1, 2),), Constraints("anchors", (Pin(1, 2),))),
        ("linear", ((1, 2), (3, 7), (4, 9)), Constraints("anchors", (Pin(1, 2), Pin(4, 9)))),
        ("anchors", ((1, 2), (3, 7)), Constraints("anchors", (Pin(1, 2), Pin(3, 7)))),
        ("dtw", ((1, 2),), Constraints("dtw", (Pin(1, 2),))),
    ],
)
def test_maps_by_hand(
    kind: str, anchors: tuple[tuple[float, float], ...], expected: Constraints
) -> None:
    project = replace(pinned(*anchors), maps={"b": kind})  # type: ignore[dict-item]
    assert of(project) == expected


def test_an_anchor_overrules_the_sound() -> None:
    assert of(replace(pinned((3, 4)), method="sound")) == Constraints("anchors", (Pin(3, 4),))


def test_masks_turn_with_the_pair_and_corridors_forbid_what_lies_around() -> None:
    spans = {
        "first": Span(recording="b", start_s=4, end_s=6),
        "second": Span(recording="a", start_s=1, end_s=2),
    }
    apart = edits.add_mask(BASE, Mask(**spans))
    assert of(apart).masks == (Forbidden(1, 2, 4, 6),)
    together = of(edits.add_mask(BASE, Mask(**spans, kind="together"))).masks
    edges = [
        (m.reference_start_s, m.reference_end_s, m.other_start_s, m.other_end_s) for m in together
    ]
    expected = [(1, 2, 0, 4), (1, 2, 6, 20), (0, 1, 4, 6), (2, 10, 4, 6)]
    np.testing.assert_allclose(edges, expected, atol=1e-5)


def test_a_corridor_is_where_the_path_goes() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(100) / 10
    vectors = rng.normal(size=(100, 16)).astype(np.float32)
    project = edits.add_mask(
        BASE,
        Mask(
            first=Span(recording="a", start_s=3, end_s=4),
            second=Span(recording="b", start_s=5, end_s=6),
            kind="together",
        ),
    )
    wanted = constraints_of(project, "b", 10.0, 10.0)
    found = align_arrays(times, vectors, times, vectors, method="dtw", masks=wanted.masks)
    rows, columns = found.raw_reference, found.raw_other
    inside = (times[rows] > 3.05) & (times[rows] < 3.95)
    assert inside.any()
    assert np.all((times[columns[inside]] >= 4.95) & (times[columns[inside]] <= 6.05))
