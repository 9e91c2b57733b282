"""Read a training configuration: TOML file, ``--set section.key=value``, checks."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, get_type_hints

from carl_core.errors import CarlError
from training.config.sections import TrainConfig

if TYPE_CHECKING:
    from pathlib import Path

DATA_KINDS = ("folder", "penn_action", "pouring", "finegym99", "finegym288", "kinetics400")
STRATEGIES = ("crops", "published", "published_length", "uniform")
LOSSES = ("scl", "tcc", "tcn", "lav", "classification")
TCC_KINDS = ("regression_mse_var", "regression_mse", "regression_huber", "classification")


class ConfigError(CarlError):
    """A configuration that cannot be used; the message names the key."""


def load_config(path: Path | None, settings: list[str] | None = None) -> TrainConfig:
    """Read a TOML file and apply ``section.key=value`` settings over it.

    Parameters
    ----------
    path : TOML file, None = defaults only
    settings : later ones win; values are TOML, or plain text for fields that hold text

    Raises
    ------
    ConfigError
        When the file cannot be read, or a key or value makes no sense.
    """
    sections: dict[str, Any] = {}
    if path is not None:
        try:
            sections = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as exc:
            raise ConfigError(f"The configuration {path} cannot be read ({exc}).") from exc
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ConfigError(f"The configuration {path} is no valid TOML: {exc}.") from exc
    for setting in settings or []:
        apply_setting(sections, setting)
    return config_from_json(sections)


def config_from_json(sections: dict[str, Any]) -> TrainConfig:
    """Build the configuration from plain dictionaries, as ``to_json`` gives them.

    Raises
    ------
    ConfigError
        Names the key and the value that make no sense.
    """
    types = get_type_hints(TrainConfig)
    built: dict[str, Any] = {}
    for name, values in sections.items():
        if name not in types:
            raise ConfigError(f"There is no section [{name}]. Sections: {', '.join(types)}.")
        if not isinstance(values, dict):
            raise ConfigError(f"{name} = {values!r} is a section: write [{name}] and its keys.")
        built[name] = _section(name, types[name], values)
    config = TrainConfig(**built)
    _check(config)
    return config


def apply_setting(sections: dict[str, Any], setting: str) -> None:
    """Put ``section.key=value`` into plain sections. Raises ``ConfigError``."""
    key, separator, text = setting.partition("=")
    section, dot, name = key.strip().partition(".")
    if not separator or not dot:
        raise ConfigError(f"--set {setting!r} is not of the form section.key=value.")
    kind = get_type_hints(TrainConfig).get(section)
    declared = get_type_hints(kind).get(name) if kind is not None else None
    value: Any = text
    if declared is not str:
        try:
            value = tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
    table = sections.setdefault(section, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{section} = {table!r} is a section: write [{section}] and its keys.")
    table[name] = value


def _section(section: str, kind: Any, values: dict[str, Any]) -> Any:
    types = get_type_hints(kind)
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in types:
            raise ConfigError(f"There is no key {section}.{name}. Keys: {', '.join(types)}.")
        checked[name] = _value(f"{section}.{name}", types[name], value)
    try:
        return kind(**checked)
    except ValueError as exc:
        raise ConfigError(f"[{section}]: {exc}") from exc


def _value(key: str, declared: Any, value: Any) -> Any:
    if declared is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if declared is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if declared in (bool, str) and isinstance(value, declared):
        return value
    if declared == tuple[str, ...] and isinstance(value, (list, tuple)):
        return tuple(str(item) for item in value)
    name = getattr(declared, "__name__", str(declared))
    raise ConfigError(f"{key} = {value!r} must be of type {name}.")


def _check(config: TrainConfig) -> None:
    run, data, sampling, loss = config.run, config.data, config.sampling, config.loss
    _one_of("run.precision", run.precision, ("float32", "bfloat16"))
    _one_of("run.device", run.device, ("auto", "cpu", "cuda"))
    _one_of("sampling.sigma_unit", sampling.sigma_unit, ("share", "frames", "seconds"))
    _one_of("data.kind", data.kind, DATA_KINDS)
    _one_of("data.split", data.split, ("train", "val"))
    _one_of("data.draw", data.draw, ("random", "epochs"))
    _one_of("sampling.strategy", sampling.strategy, STRATEGIES)
    _one_of("augment.recipe", config.augment.recipe, ("fixed", "published"))
    _one_of("loss.name", loss.name, LOSSES)
    _one_of("loss.negatives", loss.negatives, ("single", "batch"))
    _one_of("loss.tcc_kind", loss.tcc_kind, TCC_KINDS)
    _one_of("optimizer.name", config.optimizer.name, ("adamw", "adam"))
    _one_of("optimizer.schedule", config.optimizer.schedule, ("cosine", "cosine_epochs"))
    _one_of("export.fit", config.export.fit, ("squash", "letterbox", "crop"))
    _in_range("run.steps", run.steps, 1)
    _in_range("run.epochs", run.epochs, 0)
    _in_range("run.accumulate", run.accumulate, 1)
    _in_range("run.keep", run.keep, 1)
    _in_range("run.seed", run.seed, 0)
    _in_range("run.threads", run.threads, 0)
    _in_range("run.log_every", run.log_every, 0)
    _in_range("run.evaluate_every", run.evaluate_every, 0)
    _in_range("run.checkpoint_every", run.checkpoint_every, 0)
    _in_range("data.size", data.size, -1)
    _in_range("data.looks", data.looks, 0)
    _in_range("data.looks_seed", data.looks_seed, 0)
    _in_range("data.cache_mib", data.cache_mib, 0)
    _in_range("data.simulated_seed", data.simulated_seed, 0)
    _in_range("data.simulated_actions", data.simulated_actions, 1)
    _in_range("data.simulated_views", data.simulated_views, 1)
    _in_range("data.simulated_frames", data.simulated_frames, 2)
    _in_range("data.batch_clips", data.batch_clips, 1)
    _in_range("data.simulated_share", data.simulated_share, 0, 1)
    _in_range("data.max_fps", data.max_fps, 0)
    _in_range("data.max_clip_s", data.max_clip_s, 0)
    _in_range("data.workers", data.workers, 0)
    _in_range("sampling.frames", sampling.frames, 2)
    if sampling.strategy != "crops" and sampling.sigma_unit != "frames" and loss.name == "scl":
        raise ConfigError(
            f"sampling.strategy = {sampling.strategy!r} counts time in frames, so loss.sigma does "
            "too: set sampling.sigma_unit = 'frames' and a sigma to go with it."
        )
    _in_range("sampling.max_ratio", sampling.max_ratio, 1)
    _in_range("sampling.min_overlap", sampling.min_overlap, 0, 1)
    _in_range("sampling.max_speed", sampling.max_speed, 1)
    _in_range("sampling.min_step_s", sampling.min_step_s, 1e-4)
    _in_range("sampling.max_step_s", sampling.max_step_s, sampling.min_step_s)
    _in_range("augment.min_area", config.augment.min_area, 0.01, 1)
    _in_range("augment.max_area", config.augment.max_area, config.augment.min_area)
    _in_range("augment.max_aspect", config.augment.max_aspect, 1)
    for name in ("flip", "jitter", "grey", "blur", "cutout"):
        _in_range(f"augment.{name}", getattr(config.augment, name), 0, 1)
    for name in ("brightness", "contrast", "saturation", "hue", "noise"):
        _in_range(f"augment.{name}", getattr(config.augment, name), 0)
    _in_range("loss.temperature", loss.temperature, 1e-6)
    _in_range("loss.sigma", loss.sigma, 1e-9)
    _in_range("loss.sigma_start", loss.sigma_start, 1)
    for name in ("sigma_steps", "epsilon", "reach", "cross_weight", "cross_start", "tcc_variance",
                 "tcn_l2", "lav_alpha", "pose_map_weight", "pose_weight",
                 "pose_embedding_weight"):  # fmt: skip
        _in_range(f"loss.{name}", getattr(loss, name), 0)
    _in_range("loss.tcc_temperature", loss.tcc_temperature, 1e-6)
    _in_range("loss.tcc_huber", loss.tcc_huber, 1e-9)
    _in_range("loss.tcc_smoothing", loss.tcc_smoothing, 0, 0.999)
    _in_range("loss.lav_gamma", loss.lav_gamma, 1e-6)
    _in_range("loss.lav_margin", loss.lav_margin, 1e-9)
    _in_range("loss.lav_sigma", loss.lav_sigma, 1e-9)
    _in_range("loss.tcn_reach", loss.tcn_reach, 1)
    _in_range("loss.tcn_temperature", loss.tcn_temperature, 1e-6)
    for name in ("rate", "final_rate", "weight_decay", "warmup_steps"):
        _in_range(f"optimizer.{name}", getattr(config.optimizer, name), 0)
    _in_range("optimizer.clip_norm", config.optimizer.clip_norm, 1e-9)
    _in_range("evaluation.actions", config.evaluation.actions, 0)
    _in_range("evaluation.seed", config.evaluation.seed, 0)
    # What the exported file would refuse when the run is over.
    export = config.export
    _in_range("export.sample_fps", export.sample_fps, 1e-3)
    _in_range("export.window_frames", export.window_frames, 0)
    _in_range("export.overlap_frames", export.overlap_frames, 0, export.window_frames // 2)
    if not export.name:
        raise ConfigError("export.name is empty: an encoder needs a name.")
    if (data.looks > 0 or config.model.backbone == "encoder") and config.model.freeze != "all":
        raise ConfigError('data.looks stores features of a frozen trunk: set model.freeze="all".')
    if config.model.backbone == "encoder" and not data.looks:
        raise ConfigError("model.backbone = 'encoder' needs data.looks, at least 1.")
    if not data.root and data.simulated_share < 1:
        raise ConfigError(
            "data.root is empty: name a folder of videos (--set data.root=FOLDER), or set "
            "data.simulated_share=1.0 to train on simulated clips alone."
        )
    if data.simulated_share > 0:
        bank = range(data.simulated_seed, data.simulated_seed + data.simulated_actions)
        test = range(config.evaluation.seed, config.evaluation.seed + config.evaluation.actions)
        if set(bank) & set(test):
            raise ConfigError("evaluation.seed lies among the seeds of the training bank.")


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{key} = {value!r}: must be one of {', '.join(allowed)}.")


def _in_range(key: str, value: float, lowest: float, highest: float = float("inf")) -> None:
    if not lowest <= value <= highest:
        upper = "" if highest == float("inf") else f" and at most {highest}"
        raise ConfigError(f"{key} = {value}: must be at least {lowest}{upper}.")
