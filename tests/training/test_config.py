"""Configurations: files, settings, errors that name the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.config import ConfigError, config_from_json, load_config

CONFIGS = Path(__file__).parents[2] / "training" / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_committed_configuration_loads(path: Path) -> None:
    config = load_config(path, ["data.root=somewhere", "run.dir=elsewhere"])
    assert config.run.dir == "elsewhere"
    assert path.read_text().startswith("#")


def test_settings_win_over_the_file_and_later_ones_over_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[run]\nsteps = 5\nseed = 9\n[data]\nroot = 'x'\n")
    config = load_config(file, ["run.steps=6", "run.steps=7", "data.exclude_columns=['a', 'b']"])
    assert (config.run.steps, config.run.seed) == (7, 9)
    assert config.data.exclude_columns == ("a", "b")


def test_text_needs_no_quotes() -> None:
    config = load_config(None, ["data.root=/some/folder with spaces", "export.name=1"])
    assert config.data.root == "/some/folder with spaces"
    assert config.export.name == "1"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model.widht=3", ["model.widht", "width"]),
        ("modle.width=3", ["modle", "model"]),
        ("model.width=wide", ["model.width", "wide", "int"]),
        ("model.width=2.5", ["model.width", "int"]),
        ("model.width=true", ["model.width", "int"]),
        ("model.heads=7", ["heads"]),
        ("model.backbone=vgg", ["backbone", "vgg", "resnet50"]),
        ("loss.negatives=none", ["loss.negatives", "single"]),
        ("loss.temperature=0", ["loss.temperature"]),
        ("sampling.min_overlap=1.5", ["sampling.min_overlap", "at most 1"]),
        ("sampling.max_step_s=0.001", ["sampling.max_step_s"]),
        ("run.log_every=-1", ["run.log_every", "at least 0"]),
        ("run.seed=-1", ["run.seed", "at least 0"]),
        ("data.simulated_views=0", ["data.simulated_views", "at least 1"]),
        ("augment.flip=1.5", ["augment.flip", "at most 1"]),
        ("augment.noise=-0.1", ["augment.noise", "at least 0"]),
        ("loss.reach=-1", ["loss.reach", "at least 0"]),
        ("loss.tcc_huber=0", ["loss.tcc_huber"]),
        ("loss.lav_margin=0", ["loss.lav_margin"]),
        ("optimizer.clip_norm=0", ["optimizer.clip_norm"]),
        ("export.sample_fps=0", ["export.sample_fps"]),
        ("export.overlap_frames=40", ["export.overlap_frames", "at most 32"]),
        ("export.name=", ["export.name", "empty"]),
        ("run.steps", ["section.key=value"]),
        ("steps=3", ["section.key=value"]),
    ],
)
def test_a_wrong_setting_is_refused_by_name(setting: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, ["data.root=x", setting])
    for word in words:
        assert word in str(caught.value)


def test_missing_and_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[run\n")
    with pytest.raises(ConfigError, match="TOML"):
        load_config(broken)


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.root"):
        load_config(None)


def test_evaluation_must_not_see_training_seeds() -> None:
    with pytest.raises(ConfigError, match=r"evaluation\.seed"):
        load_config(
            None,
            ["data.simulated_share=1.0", "evaluation.seed=20", "evaluation.actions=3"],
        )


def test_json_round_trip_keeps_everything() -> None:
    config = load_config(None, ["data.root=x", "data.exclude_columns=['a']", "loss.sigma=0.5"])
    assert config_from_json(config.to_json()) == config


def test_digest_changes_with_values_but_not_with_the_place() -> None:
    config = load_config(None, ["data.root=x"])
    moved = load_config(None, ["data.root=x", "run.dir=elsewhere"])
    other = load_config(None, ["data.root=x", "run.seed=2"])
    assert config.digest == moved.digest != other.digest


def test_sigma_in_shares_is_refused_where_time_is_counted_in_frames() -> None:
    with pytest.raises(ConfigError, match=r"sigma_unit = 'frames'"):
        load_config(None, ["data.root=x", "sampling.strategy=published"])
    for more in (["sampling.sigma_unit=frames"], ["loss.name=tcc"]):
        load_config(None, ["data.root=x", "sampling.strategy=published", *more])
