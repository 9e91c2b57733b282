"""The sound of a recording, in the recording's time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.stream import Discard

from carl_core.errors import MediaError
from carl_core.video.container import ended, has_decoder, opened, recording_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.frame import AudioFrame
    from av.container import InputContainer

    from carl_core.arrays import Float32
    from carl_core.video.recording import Recording

_log = logging.getLogger("carl.video")

_LAYOUTS = {1: "mono", 2: "stereo"}
# Sound decoders need some packets before they are right; demuxers land where they like.
_LEAD_S = 1.0
# Pieces whose stamps say otherwise by less than this follow each other without a seam.
_SEAM_S = 0.02


def read_audio(
    recording: Recording | str | Path,
    *,
    rate: int = 48000,
    channels: int = 2,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> Float32 | None:
    """Return the sound from ``start_s`` to ``end_s`` as float32 (N, channels), -1 to 1, or None.

    Time 0 is the first presented video frame, also where the sound begins earlier or later:
    what is missing is silent, and N is always ``round((end_s - start_s) * rate)``. Whatever is
    wrong with the sound is logged and leaves silence; without any decodable sound, None.

    Parameters
    ----------
    recording : an open recording, or a path (a file of sound alone begins at its own start)
    rate : samples per second of the result
    channels : 1 or 2
    end_s : None for the end of the recording, or of the sound when only a path is given

    Raises
    ------
    UnreadableMediaError
        When the file itself cannot be read.
    """
    if channels not in _LAYOUTS:
        raise ValueError(f"channels must be 1 or 2, got {channels}")
    path = Path(recording) if isinstance(recording, str | Path) else recording.path
    with opened(path) as container:
        streams = [stream for stream in container.streams.audio if has_decoder(stream)]
        if not streams:
            return None
        if isinstance(recording, str | Path):
            origin_s = _first_frame_s(path)
        else:
            origin_s = float(int(recording.index.pts[0]) * recording.index.time_base)
            end_s = recording.index.duration_s if end_s is None else end_s
        if end_s is None:
            end_s = _end_s(container) - origin_s
        count = max(0, round((end_s - start_s) * rate))
        samples = np.zeros((count, channels), dtype=np.float32)
        pieces = _decoded(container, streams[0].index, origin_s + start_s - _LEAD_S, path)
        heard = _mix(samples, pieces, rate, _LAYOUTS[channels], origin_s + start_s)
    return samples if heard else None


def audio_pieces(
    recording: Recording, *, rate: int, channels: int = 1, start_s: float = 0.0
) -> Iterator[tuple[int, Float32]]:
    """Decode the sound once, piece by piece: (number of its first sample, float32 (N, channels)).

    Sample 0 is at the first presented video frame; what lies before ``start_s`` is not given, and
    what is missing is skipped. Nothing comes where there is no decodable sound. The file stays
    open until the iterator ends or is closed.

    Raises
    ------
    UnreadableMediaError
        When the file itself cannot be read.
    """
    origin_s = float(int(recording.index.pts[0]) * recording.index.time_base)
    first = round(start_s * rate)
    with opened(recording.path) as container:
        streams = [stream for stream in container.streams.audio if has_decoder(stream)]
        if not streams:
            return
        from_s = origin_s + start_s - _LEAD_S
        pieces = _decoded(container, streams[0].index, from_s, recording.path)
        for place, piece in _placed(pieces, rate, _LAYOUTS[channels], origin_s):
            block = piece.to_ndarray().astype(np.float32, copy=False).reshape(-1, channels)
            skipped = min(max(0, first - place), len(block))
            if skipped < len(block):
                yield place + skipped, block[skipped:]


def _mix(
    samples: Float32, pieces: Iterator[AudioFrame], rate: int, layout: str, start_s: float
) -> bool:
    """Lay resampled pieces at their places in ``samples``; False when there was none."""
    heard = False
    for place, piece in _placed(pieces, rate, layout, start_s):
        heard = True
        _lay(samples, piece, place)
        if place + piece.samples >= len(samples):
            break
    return heard


def _placed(
    pieces: Iterator[AudioFrame], rate: int, layout: str, start_s: float
) -> Iterator[tuple[int, AudioFrame]]:
    """Resample pieces and say at which sample after ``start_s`` (file time) each begins."""
    resampler: AudioResampler | None = None
    form: tuple[object, ...] = ()
    place = 0
    for piece in pieces:
        this_form = (piece.format.name, piece.layout.name, piece.sample_rate)
        if resampler is None or this_form != form:
            resampler = AudioResampler(format="flt", layout=layout, rate=rate)
            form = this_form
            place = -(1 << 62)
        if piece.pts is not None and piece.time_base is not None:
            stamped = round((float(piece.pts * piece.time_base) - start_s) * rate)
            if abs(stamped - place) > _SEAM_S * rate:
                place = stamped
        elif place < -(1 << 61):
            place = 0
        piece.pts = None
        for resampled in resampler.resample(piece):
            yield place, resampled
            place += resampled.samples
    if resampler is not None:
        for resampled in resampler.resample(None):
            yield place, resampled
            place += resampled.samples


def _lay(samples: Float32, piece: AudioFrame, place: int) -> None:
    """Copy what lies inside ``samples``."""
    block = piece.to_ndarray().astype(np.float32, copy=False).reshape(-1, samples.shape[1])
    first, last = max(0, place), min(len(samples), place + len(block))
    if first < last:
        samples[first:last] = block[first - place : last - place]


def _decoded(
    container: InputContainer, stream_index: int, from_s: float, path: Path
) -> Iterator[AudioFrame]:
    """Decode the sound from about ``from_s`` in file time, past whatever cannot be decoded."""
    stream = container.streams[stream_index]
    assert isinstance(stream, av.AudioStream)
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    base = stream.time_base
    if base is not None and from_s > float((stream.start_time or 0) * base):
        try:
            container.seek(round(from_s / base), stream=stream, backward=True)
        except av.FFmpegError as exc:
            _log.debug("%s: cannot seek in the sound: %s", path.name, exc)
    failures = 0
    with ended(container.demux(stream)) as packets:
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):
                break
            is_end = packet.dts is None and packet.size == 0
            try:
                yield from stream.codec_context.decode(None if is_end else packet)
            except av.EOFError:
                break
            except av.FFmpegError:
                failures += 1
    if failures:
        _log.info("%s: %d pieces of sound cannot be decoded and are silent", path.name, failures)


def _first_frame_s(path: Path) -> float:
    """Seconds of the first presented video frame in file time; of the sound without video."""
    with opened(path) as container:
        try:
            stream = recording_stream(container, path)
        except MediaError:
            return (container.start_time or 0) / av.time_base
        stream.thread_type = "AUTO"
        try:
            with ended(container.decode(stream)) as frames:
                for frame in frames:
                    if frame.time is not None:
                        return float(frame.time)
        except av.FFmpegError as exc:
            _log.debug("%s: no first frame: %s", path.name, exc)
    return 0.0


def _end_s(container: InputContainer) -> float:
    """Seconds in file time at which the container says its content ends."""
    start_s = (container.start_time or 0) / av.time_base
    if container.duration is not None:
        return start_s + container.duration / av.time_base
    ends = [
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in container.demux(audio=0)
        if packet.pts is not None
    ]
    container.seek(0)
    return max(ends, default=start_s)
