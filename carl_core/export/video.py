"""The synchronised video: all recordings along the time map, as one file.

Every output frame is a function of master time: ``Schedule.frames_along`` says which frame of each
recording is on screen, exactly as the window asks for a tile. The numbers of the frames drawn are
returned, so that a test can prove them.
"""

from __future__ import annotations

import csv
import io
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from carl_core.atomic import write_atomic
from carl_core.errors import ExportError
from carl_core.export.options import RenderOptions
from carl_core.export.page import Absent, Cell, Page
from carl_core.progress import Monitor
from carl_core.video.audio import read_audio
from carl_core.video.reader import FrameReader
from carl_core.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from carl_core.arrays import Float32, Float64, Int64
    from carl_core.playback.schedule import Schedule
    from carl_core.video.reader import Frame
    from carl_core.video.recording import Recording

MAX_RECORDINGS = 9
AUDIO_RATE = 48_000
_MAX_RATE = 60


@dataclass(frozen=True, eq=False)
class RenderResult:
    """What was written.

    Attributes
    ----------
    path : the video
    codec : name of the encoder used
    size : width and height in pixels
    rate : frames per second
    times_s : float64 (F,) master seconds of each output frame
    shown : frame number of each recording in each output frame, int64 (F,), -1 = no counterpart
    has_audio : whether the reference's sound is in it
    """

    path: Path
    codec: str
    size: tuple[int, int]
    rate: Fraction
    times_s: Float64
    shown: dict[str, Int64]
    has_audio: bool


def render_video(
    path: Path,
    schedule: Schedule,
    options: RenderOptions | None = None,
    *,
    monitor: Monitor | None = None,
) -> RenderResult:
    """Write the recordings of ``schedule`` side by side (or overlaid) along their alignment.

    Names, times and momentary rates are written above the pictures; a recording without
    counterpart is dimmed and says so. Constant memory; a cancelled export leaves no file.

    Raises
    ------
    ExportError
        When the file cannot be written or there are not 2 to 9 recordings.
    MediaError
        When a recording cannot be decoded.
    Cancelled
        When the monitor was cancelled.
    """
    options = options or RenderOptions()
    monitor = monitor or Monitor()
    recordings = schedule.recordings
    if not 2 <= len(recordings) <= MAX_RECORDINGS:
        raise ExportError(
            f"A common video takes 2 to {MAX_RECORDINGS} recordings, not {len(recordings)}. "
            "Choose fewer."
        )
    rate = options.rate or output_rate(recordings)
    start_s, end_s = options.range_s or (0.0, schedule.duration_s)
    end_s = min(end_s, schedule.duration_s)
    if start_s >= end_s:
        raise ExportError(
            f"The range from {start_s:.3f} s on lies behind the end ({schedule.duration_s:.3f} s). "
            "Choose another range."
        )
    count = max(1, int((end_s - start_s) * rate))
    times_s: Float64 = start_s + np.arange(count, dtype=np.float64) * float(1 / rate)
    shown = schedule.frames_along(times_s, options.nudges)
    page = Page(recordings, options)
    sound = _Sound(recordings[0], rate, count, start_s) if options.audio else None
    if sound is not None and not sound.is_there:
        sound = None
    audio_rate = AUDIO_RATE if sound is not None else None

    monitor.start(f"rendering {path.name}", count)
    with ExitStack() as stack:
        writer = stack.enter_context(
            VideoWriter(path, size=page.size, rate=rate, audio_rate=audio_rate)
        )
        pictures = [
            stack.enter_context(_Pictures(r, page.cell_size(i), shown[r.id]))
            for i, r in enumerate(recordings)
        ]
        for number in range(count):
            master_s = float(times_s[number])
            cells = []
            for recording, source in zip(recordings, pictures, strict=True):
                rate_now = schedule.rate_of(recording.id, master_s)
                cells.append(Cell(recording, source.next_frame(), rate_now))
            writer.write(page.draw(cells))
            if sound is not None:
                writer.write_audio(sound.of_frame(number))
            monitor.advance()
        codec = writer.codec_name
    return RenderResult(path, codec, page.size, rate, times_s, shown, sound is not None)


def output_rate(recordings: Sequence[Recording]) -> Fraction:
    """Frames per second that show every frame of the fastest recording, at most 60."""
    rates = []
    for recording in recordings:
        steps = np.diff(recording.index.pts)
        if len(steps):
            step = int(np.median(steps))
            rates.append(Fraction(1) / (step * recording.index.time_base))
    fastest = max(rates, default=Fraction(25))
    nearest = round(fastest)
    if abs(fastest - nearest) < Fraction(1, 10) and fastest.denominator > 1001:
        fastest = Fraction(nearest)  # a container that rounds to milliseconds
    return min(max(fastest, Fraction(10)), Fraction(_MAX_RATE)).limit_denominator(1001)


def write_frames(path: Path, result: RenderResult, recordings: Sequence[Recording]) -> Path:
    """Write which frame of which recording every frame of a video shows, by number and timestamp.

    One line per output frame; empty where a recording has no counterpart. With it, and the
    recordings, anybody can check the video frame by frame.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    header = ["output_frame", "master_s"]
    for recording in recordings:
        header += [f"{recording.name} frame", f"{recording.name} pts", f"{recording.name} s"]
    writer.writerow(header)
    for number, time_s in enumerate(result.times_s):
        row: list[object] = [number, f"{time_s:.6f}"]
        for recording in recordings:
            frame = int(result.shown[recording.id][number])
            index = recording.index
            if frame < 0:
                row += ("", "", "")
            else:
                row += (frame, int(index.pts[frame]), f"{index.time_of(frame):.6f}")
        writer.writerow(row)
    write_atomic(path, out.getvalue())
    return path


class _Pictures:
    """Frames of one recording in the order the schedule shows them."""

    def __init__(self, recording: Recording, size: tuple[int, int], shown: Int64) -> None:
        self._reader = FrameReader(recording, size=size)
        self._shown = shown
        self._next = 0
        self._last: Frame | None = None
        wanted = shown[shown >= 0]
        is_ascending = bool(np.all(np.diff(wanted) >= 0))
        self._stream: Iterator[Frame] | None = None
        if is_ascending:
            self._stream = iter(self._reader.frames_at(np.unique(wanted).tolist()))
        if len(wanted):  # what comes first is also shown, dimmed, before it
            self._last = self._decode(int(wanted[0]))

    def __enter__(self) -> _Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def next_frame(self) -> Frame | Absent:
        frame = int(self._shown[self._next])
        self._next += 1
        if frame < 0:
            return Absent(None if self._last is None else self._last.pixels)
        if self._last is None or self._last.index != frame:
            self._last = self._decode(frame)
        return self._last

    def _decode(self, frame: int) -> Frame:
        found = next(self._stream) if self._stream is not None else self._reader.frame_at(frame)
        if found.index != frame:
            raise AssertionError(f"asked for frame {frame}, got {found.index}")
        return found


class _Sound:
    """The reference's sound, read in blocks so that memory does not grow with the length."""

    _BLOCK_S = 60

    def __init__(self, reference: Recording, rate: Fraction, count: int, start_s: float) -> None:
        self._recording = reference
        self._rate = rate
        self._start_s = start_s
        self._end_s = float(count / rate)
        self._block_start = 0
        self._block = self._read(0.0)
        self.is_there = self._block is not None

    def of_frame(self, number: int) -> Float32:
        """Return the samples that sound while output frame ``number`` is on, float32 (n, 2)."""
        first = round(number * AUDIO_RATE / self._rate)
        last = round((number + 1) * AUDIO_RATE / self._rate)
        samples = np.zeros((last - first, 2), dtype=np.float32)
        filled = 0
        while filled < len(samples):
            at = first + filled - self._block_start
            block_length = self._BLOCK_S * AUDIO_RATE
            if at >= block_length:
                self._block_start += block_length
                self._block = self._read(self._block_start / AUDIO_RATE)
                continue
            take = min(len(samples) - filled, block_length - at)
            if self._block is not None:
                part = self._block[at : at + take]
                samples[filled : filled + len(part)] = part
            filled += take
        return samples

    def _read(self, start_s: float) -> Float32 | None:
        end_s = min(self._end_s, start_s + self._BLOCK_S)
        first_s = self._start_s
        return read_audio(
            self._recording, rate=AUDIO_RATE, start_s=first_s + start_s, end_s=first_s + end_s
        )
