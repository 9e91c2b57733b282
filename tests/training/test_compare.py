"""Losses side by side: shared settings, resumed runs, an honest table."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")
from training import compare  # noqa: E402
from training.compare import METHODS, Budget, method_config, run_cli  # noqa: E402
from training.evaluation.comparison import Scores, to_markdown, verdicts  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.torch

TINY = (
    "run.steps=3", "data.simulated_actions=4", "data.simulated_frames=24", "data.looks=2",
    "data.simulated_views=2", "data.batch_clips=2",
)  # fmt: skip


def test_every_method_shares_trunk_steps_and_data() -> None:
    configs = {name: method_config(name, ["data.simulated_share=1.0"]) for name in METHODS}
    fixed = configs["fixed_scl"]
    for name, config in configs.items():
        assert config.run == fixed.run, name
        assert (config.model.backbone, config.model.weights) == ("encoder", "bundled")
        frames = config.data.batch_clips * config.sampling.frames
        assert frames == fixed.data.batch_clips * fixed.sampling.frames, name
        same = {"batch_clips", "pairs"}
        for field in dataclasses.fields(config.data):
            if field.name not in same:
                assert getattr(config.data, field.name) == getattr(fixed.data, field.name), name
    for name in ("tcc", "tcn", "lav"):  # only the loss differs
        assert dataclasses.replace(configs[name], loss=fixed.loss) == fixed
    assert {config.loss.name for config in configs.values()} == {"scl", "tcc", "tcn", "lav"}
    faithful = configs["faithful_scl"]
    assert faithful.model.position == "carl"
    assert faithful.loss.sigma**2 == pytest.approx(10)


def scores(ours: list[float], untrained: list[float], position: float) -> Scores:
    return {
        "fixed_scl": {"simulated": ours},
        "untrained head": {"simulated": untrained},
        "position only": {"simulated": [position]},
    }


def test_the_verdict_counts_the_spread() -> None:
    clear = verdicts(scores([2.0, 2.2, 2.1], [5.0, 5.5, 5.2], 9.0), ["simulated"])
    assert all("is better" in line for line in clear)
    unclear = verdicts(scores([2.0, 6.0, 4.0], [5.0, 5.5, 5.2], 9.0), ["simulated"])
    assert "is not better than untrained head" in unclear[0]
    assert "spread 4.0" in unclear[1]
    worse = verdicts(scores([10.0, 10.1, 9.9], [5.0, 5.5, 5.2], 9.0), ["simulated"])
    assert all("is not better" in line for line in worse)


def test_the_table_holds_every_method_and_seed_spread() -> None:
    text = to_markdown(scores([2.0, 2.2, 2.1], [5.0, 5.5, 5.2], 9.0), {"seeds": "1, 2, 3"})
    assert "| fixed scl | 2.1 ± 0.2 |" in text
    assert "| position only | 9.0 |" in text
    assert "- seeds: 1, 2, 3" in text


@pytest.mark.slow
def test_one_command_trains_scores_and_goes_on_from_finished_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["-o", str(out), "--methods", "fixed_scl", "--seeds", "1", "2", "--simulated", "1"]
    arguments += [part for setting in TINY for part in ("--set", setting)]
    assert run_cli(arguments) == 0
    table = capsys.readouterr().out
    assert (out / "compare.md").read_text() == table
    found = json.loads((out / "compare.json").read_text())["scores"]
    assert set(found) == {"fixed_scl", *compare.CONTROLS}
    assert len(found["fixed_scl"]["simulated"]) == 2
    assert (out / "compare.png").stat().st_size > 5000

    events = (out / "fixed_scl-1" / "events.jsonl").read_text()
    assert run_cli(arguments) == 0
    again = json.loads((out / "compare.json").read_text())["scores"]
    assert again == found
    assert (out / "fixed_scl-1" / "events.jsonl").read_text() == events  # not trained again


def test_wrong_settings_and_folders_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["-o", str(tmp_path), "--methods", "fixed_scl", "--simulated", "1", "--seeds", "1"]
    assert run_cli([*common, "--set", "loss.nonsense=1"]) == 2
    assert "loss.nonsense" in capsys.readouterr().err
    assert run_cli([*common, "--data", str(tmp_path / "none")]) == 3
    assert "none" in capsys.readouterr().err
    assert Budget().seeds == (1, 2, 3)
