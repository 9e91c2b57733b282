"""How fast our encoder is beside MobileNetV2 of torchvision, both in ONNX Runtime, in one run."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carl_core.encoder.onnx import load_encoder

if TYPE_CHECKING:
    from carl_core.encoder.onnx import Encoder

BATCH = 64
_ROUNDS = 9
_PEER = "mobilenet_v2"


@dataclass(frozen=True)
class Speed:
    """Frames a second from pixels to vectors, median over rounds.

    Attributes
    ----------
    ours, peer : of our encoder and of MobileNetV2
    size, peer_size : side of the pictures each is fed
    threads : of both
    """

    ours: float
    peer: float
    size: int
    peer_size: int
    threads: int


def measure(path: Path, threads: int) -> Speed:
    """Time both on noise, in turn, 64 pictures at a time.

    MobileNetV2 has random weights, which cost the same, and no more behind it than unit length;
    ours runs trunk and head.
    """
    import torch
    import torchvision

    from training.export.classifier import export_classifier

    with tempfile.TemporaryDirectory() as folder:
        weights, exported = Path(folder) / "weights.pth", Path(folder) / "peer.onnx"
        torch.save(torchvision.models.get_model(_PEER, weights=None).state_dict(), weights)
        export_classifier(_PEER, str(weights), exported)
        both = [load_encoder(file, device="cpu", threads=threads) for file in (path, exported)]
        rng = np.random.default_rng(0)
        clips = [
            rng.integers(0, 256, (BATCH, e.spec.size, e.spec.size, 3), dtype=np.uint8) for e in both
        ]
        times_s = np.arange(BATCH) / 10.0
        took: tuple[list[float], list[float]] = ([], [])
        for number in range(_ROUNDS + 1):
            for encoder, clip, found in zip(both, clips, took, strict=True):
                seconds = _seconds(encoder, clip, times_s)
                if number:  # the first round warms up
                    found.append(seconds)
    ours, peer = (BATCH / statistics.median(found) for found in took)
    return Speed(ours, peer, both[0].spec.size, both[1].spec.size, threads)


def _seconds(encoder: Encoder, clip: np.ndarray, times_s: np.ndarray) -> float:
    begun = time.perf_counter()
    encoder.encode(clip, times_s)
    return time.perf_counter() - begun
