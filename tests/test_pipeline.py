"""What the engine keeps between an alignment and the anchors that are moved in it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment import looks
from carl_core.alignment.aligners import AlignOptions
from carl_core.alignment.alignment import Alignment, Anchor
from tests.helpers.known_engine import KnownEngine

if TYPE_CHECKING:
    import pytest

    from carl_core.arrays import Float32

OPTIONS = AlignOptions(null_maps=0)
COUNT = 3000


def walk() -> tuple[Float32, Float32]:
    steps = np.random.default_rng(3).normal(size=(COUNT, 16))
    smooth = np.stack([np.convolve(c, np.hanning(9), mode="same") for c in steps.T], axis=1)
    later = smooth[(np.linspace(0, 1, COUNT) ** 1.05 * (COUNT - 1)).round().astype(int)]
    made = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (smooth, later)]
    return made[0].astype(np.float32), made[1].astype(np.float32)


def aligned(engine: KnownEngine) -> Alignment:
    return engine.align(*engine.recordings, options=OPTIONS)


def moved(engine: KnownEngine, old: Alignment, at_s: float) -> Alignment:
    anchors = [Anchor(at_s, float(old.time_map(at_s)) + 0.4)]
    found = engine.align_near(old, *engine.recordings, anchors, options=OPTIONS)
    assert found is not None
    return found


class Made:
    """Counts the passes over whole recordings, and the rows that are made."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.passes = self.rows = 0
        centre_of, directions = looks.centre_of, looks.directions

        def counted_centre(vectors: Float32, **more: object) -> object:
            self.passes += 1
            return centre_of(vectors, **more)  # type: ignore[arg-type]

        def counted_rows(vectors: Float32, *more: object) -> object:
            self.rows += len(vectors)
            return directions(vectors, *more)  # type: ignore[arg-type]

        patch.setattr(looks, "centre_of", counted_centre)
        patch.setattr(looks, "directions", counted_rows)


def test_the_first_anchor_moved_after_aligning_looks_at_its_neighbourhood_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = KnownEngine(*walk())
    old = aligned(engine)
    made = Made(monkeypatch)
    quick = moved(engine, old, 50.0)
    assert made.passes == 0
    assert made.rows < COUNT
    # An engine that never aligned them, as after opening a project, has to look at them once.
    other = KnownEngine(*walk())
    assert made.passes == 0
    late = moved(other, old, 50.0)
    assert made.passes == 2
    np.testing.assert_array_equal(quick.raw_other, late.raw_other)
    np.testing.assert_array_equal(quick.other_s, late.other_s)
    assert quick.cost == late.cost
    moved(other, late, 70.0)
    assert made.passes == 2


def test_what_is_kept_for_anchors_holds_no_samples() -> None:
    engine = KnownEngine(*walk())
    old = aligned(engine)
    moved(engine, old, 50.0)
    samples = [engine.embed(recording).vectors for recording in engine.recordings]
    kept = pickle.dumps(engine._pairs._known)
    assert len(kept) < 5000 < min(one.nbytes for one in samples)


def test_other_options_of_centring_are_another_pair() -> None:
    engine = KnownEngine(*walk())
    old = aligned(engine)
    anchors = [Anchor(50.0, float(old.time_map(50.0)) + 0.4)]
    raw = AlignOptions(null_maps=0, centre=False)
    engine.align_near(old, *engine.recordings, anchors, options=raw)
    assert sorted(centre for *_, centre in engine._pairs._known) == [False, True]
