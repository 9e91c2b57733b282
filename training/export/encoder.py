"""Write a trained model as one encoder file, and refuse to when it does not compute the same.

Trunk and head are exported on their own and joined: exported in one go, the trunk would take its
batch and time lengths from ``times_s``, and the engine could not cut the file at ``features``.
A head that was trained on the stored features of an encoder file is joined to that file's trunk.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnx
import onnx.compose
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from carl_core.atomic import replacing
from carl_core.encoder.modelfile import read_model_file
from carl_core.encoder.providers import CPU, open_session
from carl_core.encoder.spec import EncoderSpec
from carl_core.errors import ExportError, ModelError
from training.backbones import StoredTrunk
from training.model import CarlModel

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

log = logging.getLogger("carl.train")

OPSET = 18
# Largest absolute difference of a unit vector's components, and of features in units of their
# largest magnitude, between torch and ONNX Runtime.
TOLERANCE = 1e-4
PARITY_LENGTHS = (1, 2, 33, 80)
# Pixels of a clip that is compared through the trunk as well; longer ones through the head alone.
_PARITY_PIXELS = 80 * 112 * 112


class Exportable(Protocol):
    """What can become an encoder file.

    Attributes
    ----------
    trunk : uint8 (N, S, S, 3) -> float32 (N, C), with ``image_size`` S and ``channels`` C
    head : features (B, T, C), times_s (B, T), valid bool (B, T) -> (B, T, D) unit rows
    dim : D
    """

    @property
    def trunk(self) -> Any: ...  # noqa: D102

    @property
    def head(self) -> Any: ...  # noqa: D102

    @property
    def dim(self) -> int: ...  # noqa: D102


def spec_of(
    model: CarlModel,
    *,
    name: str,
    sample_fps: float,
    window_frames: int,
    overlap_frames: int,
    config_digest: str,
    licence: str,
    data: str,
    fit: str = "squash",
) -> EncoderSpec:
    """Describe a model as an encoder file; a published ("carl") one sees whole recordings.

    A head on the trunk of an encoder file keeps the ``fit`` of that file.
    """
    config = model.config
    trunk = model.trunk
    is_clock = config.position == "carl"
    return EncoderSpec(
        name=name,
        size=trunk.image_size,
        fit=trunk.fit if isinstance(trunk, StoredTrunk) else fit,
        dim=model.dim,
        channels=trunk.channels,
        tokens=trunk.tokens,
        sample_fps=sample_fps,
        window_frames=0 if is_clock else window_frames,
        overlap_frames=0 if is_clock else overlap_frames,
        position=config.position,
        clock=is_clock,
        config_digest=config_digest,
        licence=licence,
        data=data,
    )


def export_encoder(model: Exportable, spec: EncoderSpec, path: str | os.PathLike[str]) -> Path:
    """Write ``path`` (.onnx, weights inside) and beside it the state of a head that can learn.

    The file appears only after ONNX Runtime has reproduced the model, whole and cut into trunk and
    head, for one and three clips of several lengths.

    Raises
    ------
    ModelError
        When the exported file does not compute what the model computes.
    ExportError
        When the file cannot be written.
    ValueError
        When ``spec`` does not describe ``model``.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"an encoder file ends in .onnx, got {path.name}")
    expected = (model.trunk.image_size, model.dim, model.trunk.channels)
    if (spec.size, spec.dim, spec.channels) != expected:
        raise ValueError(f"spec says {(spec.size, spec.dim, spec.channels)}, model is {expected}")
    frozen = _frozen(model)
    try:
        # Begun before the work, so that nobody waits for a folder that takes no files.
        with replacing(path) as partial:
            partial.write_bytes(_joined(frozen, spec).SerializeToString())
            worst = check_parity(frozen, partial)
        if isinstance(frozen, CarlModel):
            save_head(frozen, head_path(path))
    except OSError as exc:
        raise ExportError(
            f"The encoder cannot be written to {path}: {exc.strerror or exc}. Free some space, or "
            "choose another place."
        ) from exc
    log.info("wrote %s (%.1f MB), parity %.1e", path, path.stat().st_size / 1e6, worst)
    return path


def head_path(path: Path) -> Path:
    """Where the trainable head of the encoder file ``path`` lies: NAME.head.safetensors."""
    return path.with_name(path.stem + ".head.safetensors")


def save_head(model: CarlModel, path: Path) -> None:
    """Save the head's state, with the model configuration as metadata, for adaptation."""
    state = {name: value.contiguous() for name, value in model.head.state_dict().items()}
    with replacing(path) as partial:
        save_file(state, partial, metadata={"model": json.dumps(asdict(model.config))})


def check_parity(
    model: Exportable, path: Path, *, lengths: tuple[int, ...] = PARITY_LENGTHS
) -> float:
    """Compare an encoder file with its model; return the largest difference.

    One and three clips of each length; where a large trunk would take minutes, long clips are made
    of features of the short ones.

    Raises
    ------
    ModelError
        When a difference exceeds ``TOLERANCE``, or rows without a valid frame are not zero.
    """
    model = _frozen(model)
    file = read_model_file(path)
    whole = open_session(path.read_bytes(), [CPU])
    trunk, head = open_session(file.trunk, [CPU]), open_session(file.head, [CPU])
    features_of = _features_of(model)
    rng = np.random.default_rng(0)
    size = file.spec.size
    seen: list[npt.NDArray[np.float32]] = []
    worst = 0.0
    for length in sorted(lengths):
        for clips in (1, 3):
            times_s = np.cumsum(rng.uniform(0.05, 0.15, (clips, length)), axis=1, dtype=np.float32)
            valid = np.ones((clips, length), dtype=np.bool_)
            if clips == 3:
                valid[1, length // 2 :] = False
                valid[2] = False
            rest = {"times_s": times_s, "valid": valid}
            differences = {}
            if length * size**2 <= _PARITY_PIXELS or not seen:
                frames = _smooth_noise(rng, clips, length, size)
                with torch.inference_mode():
                    features = features_of(frames).numpy()
                seen.append(features.reshape(-1, features.shape[2]))
                inputs = {"frames": frames, **rest}
                got_features, got = whole.run(["features", "embeddings"], inputs)
                cut_features = trunk.run(None, {"frames": frames})[0]
                scale = max(1.0, float(np.abs(features).max()))
                differences["features"] = float(np.abs(got_features - features).max()) / scale
            else:
                pool = np.concatenate(seen)
                mixed = rng.uniform(0.5, 1.5, (clips, length, 1)).astype(np.float32)
                features = pool[rng.integers(len(pool), size=(clips, length))] * mixed
                cut_features = features
                got = None
            with torch.inference_mode():
                tensors = (torch.from_numpy(array) for array in (features, times_s, valid))
                embeddings = model.head(*tensors).numpy()
            cut = head.run(None, {"features": cut_features, **rest})[0]
            differences["embeddings of the cut file"] = float(np.abs(cut - embeddings).max())
            differences["rows without a valid frame"] = float(np.abs(cut[~valid]).max(initial=0.0))
            if got is not None:
                differences["embeddings"] = float(np.abs(got - embeddings).max())
            for what, difference in differences.items():
                if not difference <= TOLERANCE:  # NaN counts as a difference
                    raise ModelError(
                        f"The exported encoder does not reproduce the model: {what} differ by "
                        f"{difference:.2e} for {clips} clips of {length} frames "
                        f"(at most {TOLERANCE:.0e}). Nothing was written."
                    )
                worst = max(worst, difference)
    return worst


def _features_of(model: Exportable) -> Callable[[npt.NDArray[np.uint8]], Tensor]:
    """Return what gives the features to expect: the torch trunk, or the old file's."""
    if isinstance(model.trunk, StoredTrunk):
        old = open_session(model.trunk.read().trunk, [CPU])
        return lambda frames: torch.from_numpy(old.run(None, {"frames": frames})[0])
    trunk = model.trunk
    return lambda frames: trunk(torch.from_numpy(frames).flatten(0, 1)).unflatten(
        0, frames.shape[:2]
    )


def _frozen(model: Any) -> Any:
    """Return a copy for comparing and exporting: on the CPU, float32, in evaluation mode."""
    frozen = copy.deepcopy(model).cpu().float().to(memory_format=torch.contiguous_format)
    return frozen.eval()


class _TrunkGraph(nn.Module):
    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, frames: Tensor) -> Tensor:
        features: Tensor = self.trunk(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        return features


def _joined(model: Exportable, spec: EncoderSpec) -> onnx.ModelProto:
    clips, length = 2, 5
    frames = torch.zeros(clips, length, spec.size, spec.size, 3, dtype=torch.uint8)
    features = torch.randn(clips, length, spec.channels)
    times_s = torch.arange(length, dtype=torch.float32).repeat(clips, 1)
    valid = torch.ones(clips, length, dtype=torch.bool)
    if isinstance(model.trunk, StoredTrunk):
        trunk = _stored_graph(model.trunk)
    else:
        trunk = _exported(_TrunkGraph(model.trunk), {"frames": frames}, "features")
    head = _exported(
        model.head, {"features": features, "times_s": times_s, "valid": valid}, "embeddings"
    )
    # Only the form of the container: each operator's meaning hangs on the opset, compared below.
    head.ir_version = trunk.ir_version = max(head.ir_version, trunk.ir_version)
    try:
        joined: onnx.ModelProto = onnx.compose.merge_models(
            _prefixed(trunk, "trunk/"),
            _prefixed(head, "head/"),
            io_map=[("features", "features")],
            outputs=["features", "embeddings"],
            producer_name="carl",
        )
    except ValueError as exc:
        raise ModelError(f"The head cannot be joined to the trunk: {exc}.") from exc
    opsets = {entry.domain: entry.version for entry in joined.opset_import}
    del joined.opset_import[:]  # each part had named its own
    joined.opset_import.extend(onnx.helper.make_opsetid(*entry) for entry in opsets.items())
    del joined.metadata_props[:]
    onnx.helper.set_model_props(joined, spec.to_metadata())
    _name_dimensions(joined, spec)
    onnx.checker.check_model(joined)
    return joined


def _stored_graph(trunk: StoredTrunk) -> onnx.ModelProto:
    """Return ``frames`` -> ``features`` of an encoder file, as it lies there."""
    graph: onnx.ModelProto = onnx.ModelProto.FromString(trunk.read().trunk)
    _strip(graph.graph)
    return graph


def _exported(module: nn.Module, inputs: dict[str, Tensor], output: str) -> onnx.ModelProto:
    """Export one graph whose first two dimensions are free, without traces of this machine."""
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings(), _quiet_exporter():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program: Any = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=tuple(free for _ in inputs),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model: onnx.ModelProto = program.model_proto
    _strip(model.graph)
    return model


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's hundreds of INFO records out of a training log."""
    loggers = [logging.getLogger(name) for name in ("onnx_ir", "onnxscript", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _strip(graph: onnx.GraphProto) -> None:
    """Remove stack traces and other notes of the exporter: they name files of this machine."""
    del graph.metadata_props[:]
    graph.doc_string = ""
    # Only for edges of the trace, with symbolic names that would clash when joined.
    del graph.value_info[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del item.metadata_props[:]
        item.doc_string = ""


def _prefixed(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    names = {tensor.name for tensor in model.graph.initializer}
    if names and all(name.startswith(prefix) for name in names):
        return model  # it comes from a file of ours
    prefixed: onnx.ModelProto = onnx.compose.add_prefix(
        model, prefix, rename_inputs=False, rename_outputs=False
    )
    return prefixed


def _name_dimensions(model: onnx.ModelProto, spec: EncoderSpec) -> None:
    """Call the free dimensions B and T, and state the fixed ones."""
    last = {"features": spec.channels, "embeddings": spec.dim}
    for value in (*model.graph.input, *model.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        dimensions[0].dim_param, dimensions[1].dim_param = "B", "T"
        if value.name in last:
            dimensions[2].dim_value = last[value.name]


def _smooth_noise(
    rng: np.random.Generator, clips: int, length: int, size: int
) -> npt.NDArray[np.uint8]:
    """Pictures with structure: coarse noise, enlarged, uint8 (B, T, S, S, 3)."""
    coarse = rng.integers(0, 256, (clips, length, 8, 8, 3), dtype=np.uint8)
    step = -(-size // 8)
    return coarse.repeat(step, axis=2).repeat(step, axis=3)[:, :, :size, :size]
