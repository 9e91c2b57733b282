"""A tiny but meaningful encoder file, made without torch: grey values on a grid, over time.

One frame's features are the means of the grey picture on a ``grid`` x ``grid`` raster. The head
subtracts most of their mean, adds a little of the neighbouring frames (so that windows matter) and
of the motion over time (so that times matter), and normalises. Two frames that look alike lie near.
A ``centred`` head first subtracts the mean of the features over the window, as trained ones do: a
lone frame then keeps nothing of itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from carl_core.encoder.spec import EncoderSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPSET = 18


def tiny_spec(*, size: int = 32, grid: int = 8, **changes: object) -> EncoderSpec:
    """Metadata of the tiny encoder, with some fields changed."""
    fields: dict[str, object] = {
        "name": "tiny",
        "size": size,
        "fit": "squash",
        "dim": grid * grid,
        "channels": grid * grid,
        "tokens": grid * grid,
        "sample_fps": 10.0,
        "window_frames": 16,
        "overlap_frames": 6,
        "position": "none",
        "clock": False,
        "config_digest": "0" * 16,
        "licence": "MIT",
        "data": "None: its weights are written down, not trained.",
    }
    return EncoderSpec(**(fields | changes))  # type: ignore[arg-type]


def tiny_model(spec: EncoderSpec, *, centred: bool = False) -> onnx.ModelProto:
    """Build the graph for ``tiny_spec(...)``: an ONNX model with metadata, weights inside."""
    grid = round(spec.channels**0.5)
    pool = spec.size // grid
    weights = {
        "grey": np.array([0.299, 0.587, 0.114], np.float32).reshape(3, 1) / 255,
        "to_picture": np.array([-1, 1, spec.size, spec.size], np.int64),
        "flat": np.array([0, 0, -1], np.int64),
        "two": np.array([0, 1], np.int64),
        "batch_time": np.array([2], np.int64),
        "start": np.array([0], np.int64),
        "per_frame": np.array([spec.channels], np.int64),
        "last_axis": np.array([-1], np.int64),
        "one": np.array([1], np.int64),
        "minus_one": np.array([-1], np.int64),
        "huge": np.array([2**62], np.int64),
        "time_axis": np.array([1], np.int64),
        "no_pads": np.array([0, 1, 0, 0, 1, 0], np.int64),
        "no_pads_time": np.array([0, 1, 0, 1], np.int64),
        "most": np.array(0.9, np.float32),
        "little": np.array(1e-3, np.float32),
        "quarter": np.array(0.25, np.float32),
        "half": np.array(0.5, np.float32),
        "tiny_time": np.array(1e-3, np.float32),
        "motion_share": np.array(0.01, np.float32),
        "epsilon": np.array(1e-6, np.float32),
    }
    node = helper.make_node
    seen = "less_window_mean" if centred else "features"
    trunk = [
        node("Cast", ["frames"], ["pixels"], to=TensorProto.FLOAT),
        node("MatMul", ["pixels", "grey"], ["shades"]),  # (B, T, S, S, 1)
        node("Reshape", ["shades", "to_picture"], ["pictures"]),
        node(
            "AveragePool", ["pictures"], ["cells"], kernel_shape=[pool, pool], strides=[pool, pool]
        ),
        node("Shape", ["frames"], ["frames_shape"]),
        node("Slice", ["frames_shape", "start", "batch_time"], ["leading"]),
        node("Concat", ["leading", "per_frame"], ["features_shape"], axis=0),
        node("Reshape", ["cells", "features_shape"], ["features"]),
    ]
    head = [
        node("Cast", ["valid"], ["valid_number"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["valid_number", "last_axis"], ["shown"]),
        *(_less_window_mean(node) if centred else []),
        node("ReduceMean", [seen, "last_axis"], ["mean"], keepdims=1),
        # Not quite the whole mean, so that a picture of one colour still has a direction.
        node("Mul", ["mean", "most"], ["most_of_mean"]),
        node("Sub", [seen, "most_of_mean"], ["nearly_centred"]),
        node("Add", ["nearly_centred", "little"], ["centred"]),
        node("Mul", ["centred", "shown"], ["present"]),
        # Neighbours in time; beyond the ends a frame is its own neighbour.
        node("Pad", ["present", "no_pads"], ["padded"], mode="edge"),
        node("Slice", ["padded", "batch_time", "huge", "time_axis"], ["after"]),
        node("Shape", ["present"], ["present_shape"]),
        node("Slice", ["present_shape", "one", "batch_time"], ["length"]),
        node("Slice", ["padded", "start", "length", "time_axis"], ["before"]),
        node("Pad", ["times_s", "no_pads_time"], ["padded_times"], mode="edge"),
        node("Slice", ["padded_times", "batch_time", "huge", "time_axis"], ["time_after"]),
        node("Slice", ["padded_times", "start", "length", "time_axis"], ["time_before"]),
        node("Sub", ["time_after", "time_before"], ["elapsed"]),
        node("Max", ["elapsed", "tiny_time"], ["elapsed_positive"]),
        node("Unsqueeze", ["elapsed_positive", "last_axis"], ["elapsed_column"]),
        node("Sub", ["after", "before"], ["change"]),
        node("Div", ["change", "elapsed_column"], ["speed"]),
        node("Mul", ["speed", "motion_share"], ["motion"]),
        node("Add", ["after", "before"], ["around"]),
        node("Mul", ["around", "quarter"], ["around_part"]),
        node("Mul", ["present", "half"], ["own_part"]),
        node("Sum", ["own_part", "around_part", "motion"], ["blend"]),
        node("Mul", ["blend", "shown"], ["kept"]),
        node("ReduceL2", ["kept", "last_axis"], ["length_of_row"], keepdims=1),
        node("Max", ["length_of_row", "epsilon"], ["divisor"]),
        node("Div", ["kept", "divisor"], ["embeddings"]),
    ]
    size = spec.size
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        trunk + head,
        "tiny",
        [
            info("frames", TensorProto.UINT8, ["B", "T", size, size, 3]),
            info("times_s", TensorProto.FLOAT, ["B", "T"]),
            info("valid", TensorProto.BOOL, ["B", "T"]),
        ],
        [
            info("features", TensorProto.FLOAT, ["B", "T", spec.channels]),
            info("embeddings", TensorProto.FLOAT, ["B", "T", spec.dim]),
        ],
        initializer=[numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9, producer_name="tests"
    )
    helper.set_model_props(model, spec.to_metadata())
    onnx.checker.check_model(model)
    return model


def _less_window_mean(node: Callable[..., onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Take the mean over the valid frames of the window off "features", as "less_window_mean"."""
    return [
        node("Mul", ["features", "shown"], ["features_shown"]),
        node("ReduceSum", ["features_shown", "time_axis"], ["features_sum"], keepdims=1),
        node("ReduceSum", ["shown", "time_axis"], ["frames_shown"], keepdims=1),
        node("Div", ["features_sum", "frames_shown"], ["window_mean"]),
        node("Sub", ["features", "window_mean"], ["less_window_mean"]),
    ]


def make_tiny_encoder(
    path: Path, *, size: int = 32, grid: int = 8, centred: bool = False, **changes: object
) -> Path:
    """Write the tiny encoder to ``path``; ``changes`` are fields of its ``EncoderSpec``."""
    model = tiny_model(tiny_spec(size=size, grid=grid, **changes), centred=centred)
    path.write_bytes(model.SerializeToString())
    return path
