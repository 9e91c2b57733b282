"""What an encoder file says about itself, kept in the metadata of the ONNX model."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from carl_core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FORMAT_VERSION = 1
FITS = ("squash", "letterbox", "crop")
_PREFIX = "carl."
# Of what a message quotes of the file.
_MOST_SHOWN = 60
# Far above every encoder: what is larger is a mistake, or meant to fill the memory.
_MOST = {"size": 4096, "dim": 2**16, "channels": 2**20, "tokens": 2**20, "window_frames": 2**20}


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Everything the engine must know to feed an encoder and to read what it returns.

    Attributes
    ----------
    name : what people call it
    size : side S of the square input in pixels
    fit : how a picture becomes square: "squash", "letterbox" or "crop"
    dim : D, length of one embedding
    channels : C, length of one frame's trunk features, a multiple of ``tokens``
    tokens : spatial tokens in the features
    sample_fps : frames per second it was trained for, the default sampling
    window_frames : frames the head sees at once; 0 = the whole recording up to 1000 samples, then
        equal chunks without overlap (the published rule)
    overlap_frames : frames two neighbouring windows share
    position : the rule of the head: "relative", "seconds", "none" or "carl"
    clock : whether the place in the recording enters the embedding
    config_digest : digest of the training configuration
    licence : of the weights
    data : one sentence on the training data
    format_version : of this list
    """

    name: str
    size: int
    fit: str
    dim: int
    channels: int
    tokens: int
    sample_fps: float
    window_frames: int
    overlap_frames: int
    position: str
    clock: bool
    config_digest: str
    licence: str
    data: str
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        for name in ("size", "dim", "channels", "tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name, most in _MOST.items():
            if getattr(self, name) > most:
                raise ValueError(f"{name} must be at most {most}, got {getattr(self, name)}")
        if self.fit not in FITS:
            raise ValueError(
                f"fit must be one of {', '.join(FITS)}, got {self.fit[:_MOST_SHOWN]!r}"
            )
        if self.channels % self.tokens:
            raise ValueError(
                f"channels must be a multiple of tokens, got {self.channels} and {self.tokens}"
            )
        if not (math.isfinite(self.sample_fps) and self.sample_fps > 0):
            raise ValueError(f"sample_fps must be positive, got {self.sample_fps}")
        if self.window_frames < 0 or not 0 <= self.overlap_frames <= self.window_frames // 2:
            raise ValueError(
                "window_frames must not be negative and overlap_frames at most half of it, "
                f"got {self.window_frames} and {self.overlap_frames}"
            )
        if not self.name:
            raise ValueError("name must not be empty")

    @property
    def token_dim(self) -> int:
        """Channels of one token."""
        return self.channels // self.tokens

    def to_metadata(self) -> dict[str, str]:
        """Write as the string pairs of ONNX ``metadata_props``."""
        return {_PREFIX + field.name: _text(getattr(self, field.name)) for field in fields(self)}

    @staticmethod
    def from_metadata(metadata: Mapping[str, str]) -> EncoderSpec:
        """Read the string pairs of ONNX ``metadata_props``; unknown keys are left alone.

        Raises
        ------
        ModelError
            When a key is missing or its value makes no sense; names key and value.
        """
        version_key = _PREFIX + "format_version"
        if version_key not in metadata:
            raise ModelError(
                f"The model says nothing about itself (its metadata lack {version_key!r}): it "
                "was not exported by this program. Use an encoder that was."
            )
        version = _read(metadata, "format_version", int)
        if version != FORMAT_VERSION:
            raise ModelError(
                f"The model is of encoder format {version}, and this program reads format "
                f"{FORMAT_VERSION}. {'Update the program.' if version > FORMAT_VERSION else ''}"
                f"{'Export the model again.' if version < FORMAT_VERSION else ''}"
            )
        values = {
            field.name: _read(metadata, field.name, _READERS[str(field.type)])
            for field in fields(EncoderSpec)
        }
        try:
            return EncoderSpec(**values)
        except ValueError as exc:
            raise ModelError(f"The model's metadata make no sense: {exc}.") from exc


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


_READERS: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float, "bool": _flag}


def _read(metadata: Mapping[str, str], name: str, reader: Callable[[str], Any]) -> Any:
    key = _PREFIX + name
    if key not in metadata:
        raise ModelError(f"The model's metadata lack {key!r}. Export the model again.")
    try:
        return reader(metadata[key])
    except ValueError as exc:
        raise ModelError(
            f"The model's metadata say {key} = {metadata[key][:_MOST_SHOWN]!r}, which cannot be "
            "read. "
            "Export the model again."
        ) from exc
