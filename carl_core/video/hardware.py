"""Decode on the graphics card, where there is one and its pictures prove to be the right ones.

Off unless the environment variable ``CARL_HWACCEL`` asks for it: "auto" or the name of a device
type of FFmpeg ("cuda", "videotoolbox", "d3d11va", "vaapi" ...). H.264, HEVC, VP9 and AV1 define
every bit of a picture, so the card must give exactly what software gives. Before a recording is
decoded on it, frames from its beginning and its middle are decoded both ways and compared; where a
plane differs, or the device cannot be opened (without a card FFmpeg raises an error instead of
going on in software), software is used.

Cards interleave the two planes of colour. They are taken apart where a card's frame comes in, so
that whatever is made of it, on a screen or by an encoder, is the same to the bit.
"""

from __future__ import annotations

import logging
import os
import threading
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

import av
import numpy as np
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.video.reformatter import VideoReformatter

from carl_core.errors import MediaError
from carl_core.video.container import open_container, recording_stream
from carl_core.video.display import colour_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane

    from carl_core.arrays import UInt8
    from carl_core.video.container import OpenFile
    from carl_core.video.recording import Recording

_log = logging.getLogger("carl.video")

VARIABLE = "CARL_HWACCEL"
OFF = "off"
AUTO = "auto"

# In the order in which they are tried: what belongs to the system first.
_AUTO_ORDER = ("videotoolbox", "d3d12va", "d3d11va", "cuda", "vaapi", "qsv", "amf")
# Frames compared at each of two places.
_COMPARED = 24
# What cards give, and what software gives instead.
_PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}

_lock = threading.Lock()
_chosen: dict[tuple[str, str], str | None] = {}


def device_for(recording: Recording) -> str | None:
    """Return the device type that decodes a recording as software does; None for software.

    The answer is found once for each recording while the program runs; that takes as long as
    decoding some fifty frames twice.
    """
    asked = os.environ.get(VARIABLE, OFF).strip().lower()
    if asked in ("", OFF, "0") or recording.is_counted or recording.threads == 1:
        return None
    key = (recording.fingerprint, asked)
    with _lock:
        if key not in _chosen:
            _chosen[key] = _first_right(recording, asked)
        return _chosen[key]


def give_up(recording: Recording) -> None:
    """Decode a recording in software from now on: the device failed on it."""
    with _lock:
        for fingerprint, asked in list(_chosen):
            if fingerprint == recording.fingerprint:
                _chosen[fingerprint, asked] = None


def open_on(path: Path, device: str) -> OpenFile:
    """Open a file so that its video is decoded on a device.

    Raises
    ------
    UnreadableMediaError
        When there is no such device here, or it cannot decode this video.
    """
    return open_container(path, hwaccel=HWAccel(device_type=device))


class Planar:
    """Turns a card's frames into what software gives; every number stays. One thread at a time.

    A quarter of a millisecond for 1920 x 1080. A frame in neither of the two usual layouts of cards
    is returned as it is.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """Return the frame with its planes of colour apart."""
        name = frame.format.name
        # WORKAROUND(swscale of FFmpeg 8 loses the last column of colours of an odd width with more
        # than 8 bits; remove when it does not): left alone, it is no frame of software's.
        is_lossy = name == "p010le" and frame.width % 2 == 1
        if name not in _PLANAR or is_lossy:
            return frame
        return self._reformatter.reformat(frame, format=_PLANAR[name], threads=1)


def differing_frame(recording: Recording, device: str, frames: int, start: int = 0) -> int | None:
    """Decode on a device and in software; return the first frame that differs, None if none does.

    Parameters
    ----------
    frames : how many are compared
    start : a frame to begin near to; the container decides where exactly

    Raises
    ------
    MediaError, av.FFmpegError
        When the device cannot be opened, or decodes nothing.
    """
    ours = _decoded(recording, None, start)
    theirs = _decoded(recording, device, start)
    compared = 0
    for right, found in islice(zip_longest(ours, theirs), frames):
        if found is None and compared == 0:
            break
        if right is None or found is None:  # one gives fewer
            return start + compared
        if right.pts != found.pts or not _is_same_picture(right, found):
            return start + compared
        compared += 1
    if compared == 0:
        raise MediaError(f"{device} decodes nothing of {recording.name}", path=recording.path)
    return None


def _first_right(recording: Recording, asked: str) -> str | None:
    known = set(hwdevices_available())
    devices = [name for name in _AUTO_ORDER if name in known] if asked == AUTO else [asked]
    if asked != AUTO and asked not in known:
        _log.warning(
            "%s=%s: FFmpeg knows no such device here, only %s; decoding in software",
            VARIABLE,
            asked,
            ", ".join(sorted(known)) or "none",
        )
        return None
    for device in devices:
        try:
            for start in sorted({0, len(recording.index) // 2}):
                wrong = differing_frame(recording, device, _COMPARED, start)
                if wrong is not None:
                    _log.warning(
                        "%s: %s decodes frames near %d otherwise than software; not used",
                        recording.name,
                        device,
                        wrong,
                    )
                    break
            else:
                _log.info("%s: decoding on %s", recording.name, device)
                return device
        except (MediaError, av.FFmpegError, RuntimeError, NotImplementedError) as exc:
            _log.info("%s cannot decode %s: %s", device, recording.name, exc)
    return None


def _decoded(recording: Recording, device: str | None, start: int) -> Iterator[VideoFrame]:
    path = recording.path
    file = open_container(path) if device is None else open_on(path, device)
    try:
        stream = recording_stream(file.container, path)
        if device is not None and not stream.codec_context.is_hwaccel:
            raise MediaError(f"{device} cannot decode {stream.codec_context.name}", path=path)
        if start:
            file.container.seek(int(recording.index.pts[start]), stream=stream)
        planar = Planar()
        for frame in file.container.decode(stream):
            yield frame if device is None else planar(frame)
    finally:
        file.close()


def _is_same_picture(right: VideoFrame, found: VideoFrame) -> bool:
    """Whether two frames hold the same numbers, and mean the same colours by them."""
    if (
        _layout(found) != _layout(right)
        or (right.width, right.height) != (found.width, found.height)
        or colour_of(right) != colour_of(found)
        or right.interlaced_frame != found.interlaced_frame
    ):
        return False
    sample_bytes = (right.format.components[0].bits + 7) // 8
    return all(
        np.array_equal(_rows(one, sample_bytes), _rows(two, sample_bytes))
        for one, two in zip(right.planes, found.planes, strict=True)
    )


def _layout(frame: VideoFrame) -> str:
    """Name of how numbers are stored; whether all of them are used is told by `colour_of`."""
    return str(frame.format.name).replace("yuvj", "yuv")


def _rows(plane: VideoPlane, sample_bytes: int) -> UInt8:
    """Return what is in a plane without the bytes that fill its lines up."""
    rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(plane.height, -1)
    return rows[:, : plane.width * sample_bytes]
