"""What a training run is made of: sections, and how they are read."""

from training.config.load import ConfigError, config_from_json, load_config
from training.config.sections import (
    AugmentConfig,
    DataConfig,
    EvaluationConfig,
    ExportConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    SamplingConfig,
    TrainConfig,
)

__all__ = [
    "AugmentConfig",
    "ConfigError",
    "DataConfig",
    "EvaluationConfig",
    "ExportConfig",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "RunConfig",
    "SamplingConfig",
    "TrainConfig",
    "config_from_json",
    "load_config",
]
