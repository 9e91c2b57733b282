"""The memory of pictures is used again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from collections import deque

import av
import numpy as np

from carl_core.video.display import DisplayTransform, Geometry
from carl_core.video.heap import keep_freed_memory

assert keep_freed_memory()
frame = av.VideoFrame.from_ndarray(np.zeros((1080, 1920, 3), np.uint8), format="rgb24")
frame = frame.reformat(format="yuv420p")
show = DisplayTransform(Geometry(), (960, 540))
show.is_quick = True
shown = deque((show(frame) for _ in range(20)), maxlen=6)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    shown.append(show(frame))
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 50)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_pictures_in_motion_need_no_new_pages() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 50  # of the 750 of a picture's two steps
