"""Two networks that teach the bundled encoder, and stand beside it as baselines.

Both are TensorFlow Lite files with int8 weights (Apache-2.0, github.com/google-coral/test_data);
they are read from a folder the user names and never shipped. They run on one core of a CPU: the
image network about 480 pictures a second, the pose network about 300.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from carl_core.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.arrays import Float32, UInt8

IMAGE_FILE: Final = "tf2_mobilenet_v2_1.0_224_ptq.tflite"
POSE_FILE: Final = "movenet_single_pose_lightning_ptq.tflite"
JOINTS: Final = (
    17  # COCO: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left first
)


class ImageTeacher:
    """MobileNetV2 1.0 for ImageNet: what is in a picture, and where.

    Sandler et al., CVPR 2018; quantised after training.
    """

    SIZE: Final = 224
    FIT: Final = "squash"

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Load the file. Raises ``ModelError`` when it is missing or another network."""
        self._net = _interpreter(path, threads)
        self._pooled = _tensor(self._net, path, (1, 1, 1, 1280), after="mean")
        self._places = _tensor(self._net, path, (1, 7, 7, 320))

    def __call__(self, pixels: UInt8) -> tuple[Float32, Float32]:
        """Look at pictures.

        Parameters
        ----------
        pixels : uint8 (N, 224, 224, 3) RGB

        Returns
        -------
        features after the mean over the picture, float32 (N, 1280), not negative; and the last
        narrow map before them, float32 (N, 7, 7, 320)
        """
        pooled = np.empty((len(pixels), 1280), np.float32)
        places = np.empty((len(pixels), 7, 7, 320), np.float32)
        for k, picture in enumerate(pixels):
            _run(self._net, picture)
            pooled[k] = _value(self._net, self._pooled).reshape(-1)
            places[k] = _value(self._net, self._places)[0]
        return pooled, places


class PoseTeacher:
    """MoveNet Lightning: the joints of one person."""

    SIZE: Final = 192
    FIT: Final = "letterbox"

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Load the file. Raises ``ModelError`` when it is missing or another network."""
        self._net = _interpreter(path, threads)
        self._joints = _tensor(self._net, path, (1, 1, JOINTS, 3), last=True)

    def __call__(self, pixels: UInt8) -> Float32:
        """Find the joints.

        Parameters
        ----------
        pixels : uint8 (N, 192, 192, 3) RGB

        Returns
        -------
        float32 (N, 17, 3): y and x as shares of the square, and a score of 0..1
        """
        joints = np.empty((len(pixels), JOINTS, 3), np.float32)
        for k, picture in enumerate(pixels):
            _run(self._net, picture)
            joints[k] = self._net.get_tensor(self._joints["index"])[0, 0]
        return joints


def _interpreter(path: Path, threads: int) -> Any:
    if not path.is_file():
        raise ModelError(
            f"There is no teacher network {path}. Name the folder that holds {path.name} "
            "(Apache-2.0, from github.com/google-coral/test_data)."
        )
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as exc:
        raise ModelError(
            "Teacher networks need the package ai-edge-litert, which is not installed "
            f"({exc}). Install it with: pip install ai-edge-litert"
        ) from exc
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # keeping inner tensors is what we want
            net = Interpreter(
                str(path), num_threads=threads, experimental_preserve_all_tensors=True
            )
        net.allocate_tensors()
    except (ValueError, RuntimeError) as exc:
        raise ModelError(f"{path} is not a TensorFlow Lite network ({exc}).") from exc
    return net


def _tensor(
    net: Any, path: Path, shape: tuple[int, ...], *, after: str = "", last: bool = False
) -> dict[str, Any]:
    """Find an inner tensor by its shape (of several the first whose name holds ``after``)."""
    found = [d for d in net.get_tensor_details() if tuple(d["shape"]) == shape]
    named = [d for d in found if after in d["name"].lower()] or found
    if not named:
        raise ModelError(
            f"{path} is another network than expected: it has no tensor of shape {shape}."
        )
    found_one: dict[str, Any] = named[-1 if last else 0]
    return found_one


def _run(net: Any, picture: UInt8) -> None:
    net.set_tensor(net.get_input_details()[0]["index"], picture[None])
    net.invoke()


def _value(net: Any, tensor: dict[str, Any]) -> Float32:
    scale, zero = tensor["quantization"]
    stored: Float32 = net.get_tensor(tensor["index"]).astype(np.float32)
    return (stored - np.float32(zero)) * np.float32(scale)
