"""The encoder and the recordings that come with the program, and exact copies of real ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from carl_core.assets import asset_path
from carl_core.pipeline import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import Float64


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(store=None, device="cpu")


@pytest.fixture(scope="module")
def truth() -> Any:
    return json.loads(asset_path("demo/truth.json").read_text(encoding="utf-8"))


def test_the_encoder_is_small_ours_and_described(engine: Engine) -> None:
    path = asset_path("encoder.onnx")
    assert path.stat().st_size <= 25e6
    spec = engine.encoder.spec
    assert not spec.clock
    assert spec.licence == "MIT"
    assert spec.data
    card = asset_path("encoder.md").read_text(encoding="utf-8")
    assert engine.encoder.model_id in card, "the model card describes another file"


@pytest.mark.parametrize("is_swapped", [False, True])
def test_the_demo_aligns_along_its_true_map(engine: Engine, truth: Any, is_swapped: bool) -> None:
    names = [asset_path(f"demo/{entry['file']}") for entry in truth["recordings"]]
    known = np.array([(a, b) for a, b in truth["map"] if b is not None])
    if is_swapped:
        names, known = names[::-1], known[:, ::-1]
    reference, other = (engine.open(name) for name in names)
    alignment = engine.align(reference, other)
    assert alignment.verdict == "aligned"
    found = np.asarray(alignment.time_map(known[:, 0]))
    assert np.isfinite(found).mean() > 0.9
    error = np.abs(found - known[:, 1])
    linear = known[:, 0] * other.index.duration_s / reference.index.duration_s
    assert np.nanmedian(error) < 0.2
    assert np.nanmedian(error) < 0.25 * np.median(np.abs(linear - known[:, 1]))


# Frame k of the original is frame k of the trimmed and frame (k + 3) / 2 of the fast copy.
ORIGINAL_FRAME = {
    "original.mp4": lambda frame: frame,
    "trimmed.mp4": lambda frame: frame,
    "double_speed.mp4": lambda frame: 2 * frame - 3,
}


def exact_share(alignment: Alignment, reference: Any, other: Any, names: tuple[str, str]) -> float:
    """Share of rows with a true counterpart that lie within two frames of it."""
    rate = [len(r.index) / r.index.duration_s for r in (reference, other)]
    moments: Float64 = ORIGINAL_FRAME[names[0]](alignment.reference_s * rate[0])
    to_other = {"double_speed.mp4": (moments + 3) / 2}.get(names[1], moments)
    has_truth = (to_other >= 0) & (to_other <= len(other.index) - 1)
    error = np.abs(alignment.other_s * rate[1] - to_other)[has_truth]
    return float(np.mean(np.nan_to_num(error, nan=np.inf) <= 2))


@pytest.mark.shared
@pytest.mark.parametrize("other_name", list(ORIGINAL_FRAME))
@pytest.mark.parametrize("reference_name", list(ORIGINAL_FRAME))
def test_copies_of_a_real_recording_come_out_exact(
    engine: Engine, shared_data: Path, reference_name: str, other_name: str
) -> None:
    folder = shared_data / "golf_speed"
    reference, other = engine.open(folder / reference_name), engine.open(folder / other_name)
    alignment = engine.align(reference, other)
    assert alignment.verdict == "aligned"
    assert exact_share(alignment, reference, other, (reference_name, other_name)) >= 0.9
