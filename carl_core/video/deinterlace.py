"""Part the two fields of an interlaced frame.

One frame in, one frame out, from that frame alone: the lines of the first field stay, those of the
second are interpolated along edges. So a frame looks the same however it was reached, and the index
keeps one entry for each stored frame. The price: half the lines, and half the moments, are unused.
"""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
from av.filter import Graph

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_log = logging.getLogger("carl.video")


def without_fields(frame: VideoFrame) -> VideoFrame:
    """Return ``frame`` with its first field's lines and the others interpolated."""
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1000),
    )
    parted = graph.add("estdif", "mode=frame:deint=all")
    sink = graph.add("buffersink")
    source.link_to(parted)
    parted.link_to(sink)
    try:
        graph.configure()
        graph.push(frame)
        # The filter gives a frame out when the next one, or the end, has come.
        graph.push(None)
        return cast("VideoFrame", graph.pull())
    except av.FFmpegError as exc:
        _log.warning("an interlaced frame is shown as stored: %s", exc)
        return frame
