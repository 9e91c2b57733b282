"""Run with a display: draws videos with the shader and prints how far it is off, as JSON.

``python gl_child.py [--card] VIDEO...``: an object with the renderer, its problem, and for each
video the 99th percentile and the maximum of the difference to swscale's picture, in levels. With
``--card`` a pretended card decodes what the shader draws.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext

from app.views.surface import drawn, probe
from carl_core.video.frame import MovingFrame
from carl_core.video.hardware import device_for
from carl_core.video.planes import Making
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.card import Card


def main() -> None:
    app = QGuiApplication([])
    found = probe()
    context, surface = QOpenGLContext(), QOffscreenSurface()
    context.create()
    surface.setFormat(context.format())
    surface.create()
    context.makeCurrent(surface)
    videos = {}
    is_by_card = sys.argv[1] == "--card"
    for path in map(Path, sys.argv[2 if is_by_card else 1 :]):
        with FrameReader(open_recording(path)) as reader:
            exact = reader.frame_at(1).pixels
        with pytest.MonkeyPatch.context() as patching:
            if is_by_card:
                card = Card(patching)
            recording = open_recording(path)
            assert (device_for(recording) is not None) is is_by_card
            reader = FrameReader(recording)
            reader.making = Making.PLANES
            frame = reader.frame_at(1)
            reader.close()
            assert not is_by_card or card.given
        assert isinstance(frame, MovingFrame)
        shown = drawn(context, frame.planes, (exact.shape[1], exact.shape[0]))
        off = np.abs(shown.astype(int) - exact.astype(int))
        videos[path.stem] = [float(np.percentile(off, 99)), int(off.max())]
    context.doneCurrent()
    print(json.dumps({"renderer": found.renderer, "problem": found.problem, "videos": videos}))
    del app


if __name__ == "__main__":
    main()
