"""Smaller and faster variants of an encoder file: its trunk in 8 bit integers, or all in float16.

A variant is a file of its own with a model id of its own, so that vectors of two variants never mix
in a store. Whether it sees what the original sees is measured, not assumed: ``agreement``.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnx

from carl_core.atomic import write_atomic
from carl_core.encoder.modelfile import read_model_file
from carl_core.encoder.onnx import load_encoder
from carl_core.encoder.sampling import sampled_frames, sampling_of
from carl_core.errors import ModelError
from carl_core.video.reader import FrameReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from carl_core.arrays import Float32, UInt8
    from carl_core.encoder.onnx import Encoder
    from carl_core.encoder.spec import EncoderSpec
    from carl_core.video.display import Fit
    from carl_core.video.recording import Recording

ENOUGH = 0.99
"""Mean cosine between vectors of a variant and of the original, below which it is not offered."""
KINDS = ("int8", "float16")
_TRUNK_OPERATORS = ("Conv", "MatMul", "Gemm", "Add")
_CALIBRATION_BATCH = 16
_RUN = 16


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much alike two encoders see the same recordings.

    Attributes
    ----------
    mean, lowest : cosine of the two vectors of a sample, over all samples, and its 1 % quantile
    """

    mean: float
    lowest: float

    @property
    def is_enough(self) -> bool:
        """Whether one may stand for the other."""
        return self.mean >= ENOUGH


def make_variant(path: Path, output: Path, kind: str, clips: Sequence[UInt8]) -> Agreement:
    """Write a variant, and keep it only if it sees what the original sees.

    Half of the clips, in runs of neighbours, scales the activations; the other half is measured.

    Parameters
    ----------
    kind : one of ``KINDS``
    clips : uint8 (T, S, S, 3) RGB each, see ``clip_of``

    Raises
    ------
    ModelError
        When ``path`` is not an encoder file or cannot be converted, or the variant does not agree.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    runs = [clip[start : start + _RUN] for clip in clips for start in range(0, len(clip), _RUN)]
    if kind == "int8":
        write_int8(path, output, runs[::2])
    else:
        write_float16(path, output)
    found = agreement(
        load_encoder(path, device="cpu"), load_encoder(output, device="cpu"), runs[1::2] or runs
    )
    if not found.is_enough:
        output.unlink()
        raise ModelError(
            f"In {kind} the encoder {path.name} sees these recordings otherwise (mean cosine "
            f"{found.mean:.4f}, and {ENOUGH} is asked for), so it was not kept. Give more "
            "recordings of the kind you embed, or use the original."
        )
    return found


def write_int8(path: Path, output: Path, clips: Sequence[UInt8]) -> Path:
    """Write a variant whose trunk computes with 8 bit integers, scaled per channel.

    Parameters
    ----------
    path : the encoder file
    output : where to write
    clips : uint8 (T, S, S, 3) RGB each; what activations are scaled by, of the kind that will be
        embedded

    Raises
    ------
    ModelError
        When ``path`` is not an encoder file, or cannot be converted.
    """
    # slow to import, and only needed here
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._waiting = [
                clip[start : start + _CALIBRATION_BATCH]
                for clip in clips
                for start in range(0, len(clip), _CALIBRATION_BATCH)
            ]

        def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
            if not self._waiting:
                return None
            frames = self._waiting.pop(0)
            return {"frames": frames[None]}

    def convert(source: Path, target: Path) -> None:
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(_TRUNK_OPERATORS),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )

    return _converted(path, output, "int8", convert)


def write_float16(path: Path, output: Path) -> Path:
    """Write a variant that computes in float16, for GPUs; what goes in and out stays float32.

    Raises
    ------
    ModelError
        When ``path`` is not an encoder file, or cannot be converted.
    """
    # slow to import, and only needed here
    from onnxruntime.transformers.float16 import convert_float_to_float16

    def convert(source: Path, target: Path) -> None:
        model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
        onnx.save(model, target)

    return _converted(path, output, "float16", convert)


def clip_of(recording: Recording, spec: EncoderSpec, count: int) -> UInt8:
    """Return frames (T, S, S, 3) of a recording as an encoder sees them, spread over its length.

    Parameters
    ----------
    count : at most so many; in runs of neighbours, for the encoder sees what moves
    """
    frames = sampled_frames(recording.index, sampling_of(recording.index, None, spec))
    runs = max(1, count // _RUN)
    starts = np.linspace(0, max(0, len(frames) - _RUN), runs).astype(int)
    chosen = np.unique(np.concatenate([frames[start : start + _RUN] for start in starts]))
    size, fit = (spec.size, spec.size), cast("Fit", spec.fit)
    with FrameReader(recording, size=size, fit=fit) as reader:
        return np.stack([frame.pixels for frame in reader.frames_at(chosen[:count].tolist())])


def agreement(one: Encoder, other: Encoder, clips: Sequence[UInt8]) -> Agreement:
    """Measure how much alike two encoders see clips, uint8 (T, S, S, 3) at their usual rate."""
    found: list[Float32] = []
    for clip in clips:
        times_s = np.arange(len(clip)) / one.spec.sample_fps
        found.append((one.encode(clip, times_s) * other.encode(clip, times_s)).sum(axis=1))
    cosines = np.concatenate(found)
    return Agreement(float(cosines.mean()), float(np.quantile(cosines, 0.01)))


def _converted(path: Path, output: Path, kind: str, convert: Callable[[Path, Path], None]) -> Path:
    """Convert the trunk and join it with the head as it is."""
    file = read_model_file(path)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "trunk.onnx", Path(folder) / "converted.onnx"
        source.write_bytes(file.trunk)
        logging.disable(logging.WARNING)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                convert(source, target)
            model = _joined(onnx.load(target), onnx.ModelProto.FromString(file.head))
        except Exception as exc:  # ONNX Runtime's exceptions share no base class but Exception
            raise ModelError(f"{path} cannot be converted to {kind}: {exc}.") from exc
        finally:
            logging.disable(logging.NOTSET)
        renamed = replace(file.spec, name=f"{file.spec.name} {kind}")
        onnx.helper.set_model_props(model, renamed.to_metadata())
        joined = Path(folder) / "joined.onnx"
        onnx.save(model, joined)
        read_model_file(joined)  # it must be one of ours
        write_atomic(output, joined.read_bytes())
    return output


def _joined(trunk: onnx.ModelProto, head: onnx.ModelProto) -> onnx.ModelProto:
    """Return trunk and head as one graph; names inside the head get a prefix."""
    outside = {value.name for value in (*head.graph.input, *head.graph.output)} | {""}

    def named(name: str) -> str:
        return name if name in outside else f"head/{name}"

    for tensor in head.graph.initializer:
        tensor.name = named(tensor.name)
    for number, node in enumerate(head.graph.node):
        node.name = f"head/{number}"  # many have none
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = named(name)
    del head.graph.value_info[:]
    known = {value.name for value in (*trunk.graph.input, *trunk.graph.output)}
    joined = onnx.ModelProto()
    joined.CopyFrom(trunk)
    joined.graph.node.extend(head.graph.node)
    joined.graph.initializer.extend(head.graph.initializer)
    joined.graph.input.extend(v for v in head.graph.input if v.name not in known)
    joined.graph.output.extend(head.graph.output)
    domains = {imported.domain for imported in joined.opset_import}
    joined.opset_import.extend(i for i in head.opset_import if i.domain not in domains)
    return joined
