"""What a training run is made of. Every value here can be set from a TOML file or by ``--set``.

``TrainConfig`` is a tree of frozen dataclasses, one per section of the TOML file. A key that is not
a field is an error that lists the fields there are.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_type_hints

from carl_core.errors import CarlError

if TYPE_CHECKING:
    from pathlib import Path

BACKBONES = ("light", "mobilenet_v3_small", "resnet18", "resnet50")
POSITIONS = ("relative", "none", "carl")
POOLINGS = ("grid", "attention", "max")
NORMS = ("layer", "batch")
FREEZES = ("none", "early", "all")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shape of the encoder: trunk per frame, head over time, projection for training.

    Attributes
    ----------
    backbone : "light" (our lean dense-convolution net), or a torchvision network
    weights : file with a torchvision state dict for the backbone, "" = from scratch
    freeze : "none"; "early" = all but the last stage stays as loaded (no gradient, eval mode);
        "all" = the whole backbone stays as loaded (the pooling to tokens still learns)
    image_size : side S of the square input in pixels
    pooling : "grid" = means over a regular grid of cells, "attention" = learned spatial weights,
        "max" = one maximum over the picture (published; ``tokens`` must be 1)
    tokens : spatial tokens per frame, a square number for "grid"
    token_dim : channels per token; 0 = the backbone's own channels, without a linear layer
    motion : give the head the change of the features around each frame as well
    norm : normalisation in frame MLP and projection: "layer", or "batch" (published)
    layers, width, heads, ffn : temporal transformer
    dim : size D of the embedding
    projection : hidden and output width of the projection head (training only)
    dropout : everywhere the published model has it
    position : "relative" = bias on time differences in units of the clip's median step,
        "none", "carl" = published sinusoid stretched over the clip (a clock: marked in the file)
    train_frames : T of the training clips; "carl" stretches its positions to it
    """

    backbone: str = "light"
    weights: str = ""
    freeze: str = "none"
    image_size: int = 112
    pooling: str = "grid"
    tokens: int = 9
    token_dim: int = 48
    motion: bool = True
    norm: str = "layer"
    layers: int = 2
    width: int = 192
    heads: int = 6
    ffn: int = 512
    dim: int = 128
    projection: int = 128
    dropout: float = 0.1
    position: str = "relative"
    train_frames: int = 80

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("backbone", self.backbone, BACKBONES),
            ("freeze", self.freeze, FREEZES),
            ("pooling", self.pooling, POOLINGS),
            ("norm", self.norm, NORMS),
            ("position", self.position, POSITIONS),
        ):
            if value not in allowed:
                raise ValueError(f"model.{name} = {value!r}: must be one of {', '.join(allowed)}")
        for name in ("image_size", "tokens", "width", "heads", "ffn", "dim", "projection"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name} = {getattr(self, name)}: must be at least 1")
        if self.layers < 0 or self.token_dim < 0 or self.train_frames < 1:
            raise ValueError("model.layers and model.token_dim must not be negative")
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of {self.heads} heads")
        if self.pooling == "grid" and round(self.tokens**0.5) ** 2 != self.tokens:
            raise ValueError(f"model.tokens = {self.tokens} must be a square number for a grid")
        if self.pooling == "max" and self.tokens != 1:
            raise ValueError(f"model.tokens = {self.tokens} must be 1 for max pooling")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model.dropout = {self.dropout} must lie in [0, 1)")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Where a run lives and how long it is.

    Attributes
    ----------
    dir : folder of checkpoints, events and the exported encoder; a run found there is resumed
    start_from : checkpoint, or run folder, whose trunk and joint regressor a new run begins with
        (the head starts anew); "" = random
    steps : optimiser steps in all
    seed : of everything random
    threads : CPU threads of torch, 0 = torch's own choice
    device : "auto" (GPU when there is one), "cpu" or "cuda"
    precision : "float32" or "bfloat16" (autocast)
    log_every, evaluate_every, checkpoint_every : in steps; 0 = only at the end
    keep : number of checkpoints kept
    """

    dir: str = "runs/train"
    start_from: str = ""
    steps: int = 1000
    seed: int = 1
    threads: int = 0
    device: str = "auto"
    precision: str = "float32"
    log_every: int = 10
    evaluate_every: int = 0
    checkpoint_every: int = 250
    keep: int = 2


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What is trained on.

    Attributes
    ----------
    root : folder of videos (searched through its subfolders), "" = none
    manifest : CSV in that folder with a column ``file``; rows with a non-empty cell in a column of
        ``exclude_columns`` are left out, "" = every video counts
    exclude_columns : see ``manifest``
    skip_unreadable : go on with the other videos when some cannot be read
    max_fps : videos are decoded at this rate at most into the cache
    max_clip_s : seconds of each video that are kept, from its beginning
    cache_dir : folder for decoded frames, "" = in the run folder
    cache_mib : upper bound of decoded frames in memory; videos beyond it are left out
    backgrounds : folder with tar files of pictures that stand behind simulated figures, "" = none
    simulated_share : share of a batch that is simulated pairs, 0..1
    simulated_actions : actions in the bank of rendered clips
    simulated_views : bodies and cameras per action
    simulated_frames : frames per rendered clip
    simulated_seed : first seed of the bank; the evaluation uses seeds far away from it
    batch_clips : pairs of views per step, each of another source (fewer when there are fewer)
    workers : threads that prepare batches ahead
    """

    root: str = ""
    manifest: str = ""
    exclude_columns: tuple[str, ...] = ()
    skip_unreadable: bool = True
    max_fps: float = 30.0
    max_clip_s: float = 60.0
    cache_dir: str = ""
    cache_mib: int = 4096
    backgrounds: str = ""
    simulated_share: float = 0.0
    simulated_actions: int = 64
    simulated_views: int = 2
    simulated_frames: int = 96
    simulated_seed: int = 1
    batch_clips: int = 4
    workers: int = 1


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """How two views are cut out of one recording in time.

    Attributes
    ----------
    frames : T, frames of one view
    max_ratio : a view spans T to ``max_ratio * T`` steps, of which a random subset of T is shown
        (the published alpha; 1 = evenly spaced)
    min_overlap : share of the shorter view's span that both views show at least (published beta)
    min_step_s, max_step_s : seconds between samples, drawn log-uniformly for each clip
    max_speed : the two views' steps differ by up to this factor
    sigma_unit : "share" = times in units of the mean span of the two views, "frames" = in units of
        the mean step, "seconds"
    """

    frames: int = 32
    max_ratio: float = 1.5
    min_overlap: float = 0.5
    min_step_s: float = 0.033
    max_step_s: float = 0.2
    max_speed: float = 2.0
    sigma_unit: str = "share"


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How a view is changed in space; one draw per view, the same for all its frames.

    Attributes
    ----------
    min_area, max_area : share of the picture that is shown; above 1 it shrinks, with its edges
        drawn out around it
    max_aspect : sides of the crop are stretched against each other by up to this factor
    flip : probability of a mirror image, the same for both views of a pair
    brightness, contrast, saturation : factors within 1 plus or minus this
    hue : turn of the hue, in shares of the circle
    grey : probability of a grey picture
    blur : probability of a blur
    noise : largest standard deviation of the noise, in units of full scale
    cutout : probability of a covered rectangle
    """

    min_area: float = 0.5
    max_area: float = 1.0
    max_aspect: float = 1.33
    flip: float = 0.5
    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.1
    grey: float = 0.2
    blur: float = 0.3
    noise: float = 0.04
    cutout: float = 0.2


@dataclass(frozen=True, slots=True)
class LossConfig:
    """What is minimised.

    Attributes
    ----------
    temperature, sigma, epsilon, negatives, reach : of ``sequence_contrastive_loss``; ``sigma`` in
        the sampling's ``sigma_unit``, ``reach`` 0 = every row counts
    use_projection : compare projections (published); false = the embeddings themselves
    pose_map_weight : of the joints' cells in the trunk's last map, simulated frames only
    pose_weight : of the joints regressed from the features of single simulated frames
    pose_embedding_weight : of the same from the embeddings
    """

    temperature: float = 0.1
    sigma: float = 0.03
    epsilon: float = 0.0
    negatives: str = "single"
    reach: float = 3.0
    use_projection: bool = True
    pose_map_weight: float = 0.0
    pose_weight: float = 0.0
    pose_embedding_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW with warm-up and a cosine to ``final_rate``.

    Attributes
    ----------
    rate, final_rate : learning rate at the end of the warm-up and of the run
    weight_decay : decoupled, on matrices and kernels only
    warmup_steps : linear from 0
    clip_norm : largest norm of the gradient
    """

    rate: float = 1e-3
    final_rate: float = 1e-5
    weight_decay: float = 0.05
    warmup_steps: int = 100
    clip_norm: float = 5.0


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """The known-warp test on simulated actions that training never draws.

    Attributes
    ----------
    actions : pairs of clips, 0 = no evaluation
    seed : first seed; must lie outside the bank's seeds
    """

    actions: int = 0
    seed: int = 1_000_000


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """What the exported file says about itself (``carl_core.encoder.spec``)."""

    name: str = "carl"
    fit: str = "squash"
    sample_fps: float = 10.0
    window_frames: int = 64
    overlap_frames: int = 32
    licence: str = "MIT"
    data: str = "not stated"


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All of it."""

    run: RunConfig = field(default_factory=RunConfig)
    data: DataConfig = field(default_factory=DataConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    export: ExportConfig = field(default_factory=ExportConfig)

    def to_json(self) -> dict[str, Any]:
        """Sections as plain dictionaries."""
        return dataclasses.asdict(self)

    @property
    def digest(self) -> str:
        """16 hex digits that change with any value except where the run lives."""
        values = self.to_json()
        del values["run"]["dir"]
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


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
        _apply(sections, setting)
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


def _apply(sections: dict[str, Any], setting: str) -> None:
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
    _one_of("loss.negatives", loss.negatives, ("single", "batch"))
    _one_of("export.fit", config.export.fit, ("squash", "letterbox", "crop"))
    _in_range("run.steps", run.steps, 1)
    _in_range("run.keep", run.keep, 1)
    _in_range("data.batch_clips", data.batch_clips, 1)
    _in_range("data.simulated_share", data.simulated_share, 0, 1)
    _in_range("data.max_fps", data.max_fps, 0.1)
    _in_range("data.workers", data.workers, 0)
    _in_range("sampling.frames", sampling.frames, 2)
    _in_range("sampling.max_ratio", sampling.max_ratio, 1)
    _in_range("sampling.min_overlap", sampling.min_overlap, 0, 1)
    _in_range("sampling.max_speed", sampling.max_speed, 1)
    _in_range("sampling.min_step_s", sampling.min_step_s, 1e-4)
    _in_range("sampling.max_step_s", sampling.max_step_s, sampling.min_step_s)
    _in_range("augment.min_area", config.augment.min_area, 0.01, 1)
    _in_range("augment.max_area", config.augment.max_area, config.augment.min_area)
    _in_range("augment.max_aspect", config.augment.max_aspect, 1)
    _in_range("loss.temperature", loss.temperature, 1e-6)
    _in_range("loss.sigma", loss.sigma, 1e-9)
    _in_range("optimizer.rate", config.optimizer.rate, 0)
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
