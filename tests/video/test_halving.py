"""Frames at half their size: exactly the means of four, and only where nobody waits for it."""

from __future__ import annotations

import av
import numpy as np
import pytest

from carl_core.video.halving import Halver, _halve


def frame_of(width: int, height: int, seed: int = 0, form: str = "yuv420p") -> av.VideoFrame:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height * 3 // 2, width), np.uint8)
    return av.VideoFrame.from_ndarray(picture, format=form)


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    found = []
    for plane in frame.planes:
        lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        found.append(lines[:, : plane.width].astype(int))
    return found


@pytest.fixture(autouse=True)
def _compiled() -> None:
    _halve.compile()


@pytest.mark.parametrize("size", [(64, 36), (204, 100), (1924, 44)])
@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p"])
def test_a_pixel_is_the_mean_of_four(size: tuple[int, int], form: str) -> None:
    halver = Halver()
    for seed in range(2):
        frame = frame_of(*size, seed, form)
        assert halver.can_make((size[0] // 2, size[1] // 2), frame)
        made = halver(frame)
        assert (made.width, made.height) == (size[0] // 2, size[1] // 2)
        for whole, half in zip(planes(frame), planes(made), strict=True):
            four = whole[::2, ::2] + whole[1::2, ::2] + whole[::2, 1::2] + whole[1::2, 1::2]
            np.testing.assert_array_equal(half, (four + 2) // 4)


def test_another_size_makes_another_frame() -> None:
    halver = Halver()
    assert halver(frame_of(64, 36)).width == 32
    assert halver(frame_of(128, 36)).width == 64


@pytest.mark.parametrize(
    ("size", "frame"),
    [
        ((32, 20), frame_of(64, 36)),
        ((64, 36), frame_of(64, 36)),
        ((33, 18), frame_of(66, 36)),
        ((32, 17), frame_of(64, 34)),
        ((32, 18), frame_of(64, 36, form="nv12")),
    ],
)
def test_other_sizes_and_formats_are_left_to_the_scaler(
    size: tuple[int, int], frame: av.VideoFrame
) -> None:
    assert not Halver().can_make(size, frame)


def test_nobody_waits_for_the_loop_to_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = frame_of(64, 36)
    assert Halver().can_make((32, 18), frame)
    monkeypatch.setattr(_halve, "_compiled", None)
    assert not Halver().can_make((32, 18), frame)
