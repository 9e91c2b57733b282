"""Every command uses a recording that was cut off up to there, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.scenes import make_scene

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Carl


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_a_recording_that_was_cut_off_is_used_up_to_there(
    carl: Carl, tmp_path: Path, tiny_model: Path, suffix: str
) -> None:
    whole = make_scene(tmp_path / f"whole.{suffix}")
    content = whole.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(content[: round(0.7 * len(content))])
    model = ("--model", tiny_model)
    out = tmp_path / "out"
    probed = carl("probe", cut, "--json")
    assert probed.code == 0
    assert 100 < probed.json[0]["frames"] < 200
    assert "was cut off" in probed.json[0]["problems"][0]
    aligned = carl("align", whole, cut, *model, "-o", out)
    assert aligned.code == 0
    for done in (
        aligned,
        carl("embed", cut, *model),
        carl("search", f"{whole}@2", "--in", cut, *model),
        carl("render", out / "alignment.json", "-o", tmp_path / "x.mp4", "--height", "64"),
    ):
        assert done.code in (0, 4), done.err
        assert f"cut.{suffix}: " in done.err
        assert "was cut off, and what comes after is missing." in done.err
        told = [line for line in done.err.splitlines() if line.startswith(f"whole.{suffix}: ")]
        assert not [line for line in told if "cut off" in line]
    assert "vectors" in carl("embed", cut, *model).out
