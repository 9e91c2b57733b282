"""The four published configurations hold the published values, each of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from training.config import TrainConfig, load_config

CONFIGS = Path(__file__).parents[2] / "training" / "configs"

# Columns: Penn Action, FineGym, Pouring, Kinetics-400 (official configuration files).
NAMES = ("penn_action", "finegym", "pouring", "kinetics_pretrain")
DIFFERENT: dict[str, tuple[Any, Any, Any, Any]] = {
    "data.kind": ("penn_action", "finegym99", "pouring", "kinetics400"),
    "sampling.frames": (80, 240, 240, 80),
    "model.train_frames": (80, 240, 240, 80),
    "data.batch_clips": (1, 1, 1, 2),
    "run.epochs": (300, 300, 500, 10),
    "model.layers": (3, 3, 2, 2),
    "sampling.min_overlap": (0.2, 0.2, 0.2, 1.0),
    "loss.negatives": ("single", "single", "single", "batch"),
    "sampling.strategy": ("published_length", "published", "published_length", "published_length"),
    "augment.blur": (0.5, 0.0, 0.5, 0.5),
    "export.sample_fps": (25.0, 25.0, 30.0, 25.0),
}
COMMON: dict[str, Any] = {
    "run.seed": 1,
    "run.accumulate": 1,
    "data.draw": "epochs",
    "data.split": "train",
    "data.additional": False,
    "data.same_action": False,
    "data.size": -1,
    "data.cache": False,  # a cache of limited size would leave recordings out
    "data.max_fps": 0.0,
    "data.max_clip_s": 0.0,
    "data.looks": 0,
    "data.simulated_share": 0.0,
    "sampling.max_ratio": 1.5,
    "sampling.sigma_unit": "frames",
    "augment.recipe": "published",
    "augment.shared_flip": False,
    "augment.min_area": 0.8,
    "augment.max_area": 1.0,
    "augment.max_aspect": pytest.approx(4 / 3),
    "augment.flip": 0.5,
    "augment.jitter": 0.8,
    "augment.brightness": 0.8,
    "augment.contrast": 0.8,
    "augment.saturation": 0.8,
    "augment.hue": 0.2,
    "augment.grey": 0.2,
    "augment.noise": 0.0,
    "augment.cutout": 0.0,
    "model.backbone": "resnet50",
    "model.weights": "download",
    "model.freeze": "early",
    "model.freeze_norm": False,
    "model.frames_per_batch": 40,
    "model.image_size": 224,
    "model.pooling": "max",
    "model.tokens": 1,
    "model.token_dim": 0,
    "model.motion": False,
    "model.norm": "batch",
    "model.width": 256,
    "model.heads": 8,
    "model.ffn": 1024,
    "model.dim": 128,
    "model.projection": 128,
    "model.dropout": 0.1,
    "model.position": "carl",
    "loss.name": "scl",
    "loss.use_projection": True,
    "loss.gather": False,
    "loss.temperature": 0.1,
    "loss.sigma": pytest.approx(10**0.5),
    "loss.sigma_start": 1.0,
    "loss.epsilon": 1e-6,
    "loss.own_view": False,
    "loss.reach": 0.0,
    "loss.cross_weight": 0.0,
    "optimizer.name": "adam",
    "optimizer.schedule": "cosine_epochs",
    "optimizer.rate": 1e-4,
    "optimizer.final_rate": 0.0,
    "optimizer.weight_decay": 1e-5,
    "optimizer.warmup_steps": 0,
    "optimizer.clip_norm": 10.0,
    "export.fit": "squash",
}


def published(name: str) -> TrainConfig:
    return load_config(CONFIGS / f"{name}.toml", ["data.root=somewhere"])


@pytest.mark.parametrize("name", NAMES)
def test_every_published_value_is_there(name: str) -> None:
    sections = published(name).to_json()
    column = NAMES.index(name)
    expected = COMMON | {key: values[column] for key, values in DIFFERENT.items()}
    for key, value in expected.items():
        section, _, field = key.partition(".")
        assert sections[section][field] == value, key


@pytest.mark.parametrize("name", NAMES)
def test_the_first_lines_say_how_to_run_it_and_claim_no_score(name: str) -> None:
    text = (CONFIGS / f"{name}.toml").read_text().split("\n[run]")[0]
    assert f"--config training/configs/{name}.toml" in text
    for words in ("--set data.root=", "Needs:", "Expected time:", "No score is claimed"):
        assert words in text


def test_the_model_is_the_one_that_official_checkpoints_hold() -> None:
    pytest.importorskip("torch")
    from training.official import PUBLISHED

    for name in NAMES:
        model = published(name).model
        expected = dataclasses.replace(
            PUBLISHED, layers=model.layers, train_frames=model.train_frames, weights="download"
        )
        assert model == expected
