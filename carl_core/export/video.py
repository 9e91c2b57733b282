"""The synchronised video: all recordings along the time map, as one file.

Every output frame is a function of master time: ``Schedule.frames_along`` says which frame of each
recording is on screen, exactly as the window asks for a tile. The numbers of the frames drawn are
returned, so that a test can prove them.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from carl_core.errors import ExportError
from carl_core.export.caption import (
    ACCENT,
    BACKGROUND,
    QUIET_TEXT,
    TEXT,
    caption_bar,
    clock_text,
    stamp,
)
from carl_core.progress import Monitor
from carl_core.video.audio import read_audio
from carl_core.video.reader import FrameReader
from carl_core.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from carl_core.arrays import Float32, Float64, Int64, UInt8
    from carl_core.playback.schedule import Schedule
    from carl_core.video.reader import Frame
    from carl_core.video.recording import Recording

LAYOUTS = ("side", "grid", "overlay", "wipe")
MAX_RECORDINGS = 4
AUDIO_RATE = 48_000
_MAX_RATE = 60
_MAX_WIDTH = 1920
_DIM = 0.35  # brightness of a tile without counterpart


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How the video looks.

    Attributes
    ----------
    layout : "side" (one row), "grid" (two rows from 4 recordings on), "overlay" (all blended at
        equal weight), "wipe" (first left, second right of the middle)
    height : pixels of one picture; made smaller where the whole would be wider than 1920
    rate : output frames per second, None = the highest nominal rate of the recordings, <= 60
    audio : keep the reference's sound
    """

    layout: str = "side"
    height: int = 540
    rate: Fraction | None = None
    audio: bool = True

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout must be one of {LAYOUTS}, got {self.layout!r}")


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
        When the file cannot be written or there are not 2 to 4 recordings.
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
            f"A side-by-side video takes 2 to {MAX_RECORDINGS} recordings, not {len(recordings)}. "
            "Choose fewer."
        )
    rate = options.rate or output_rate(recordings)
    count = max(1, int(schedule.duration_s * rate))
    times_s: Float64 = np.arange(count, dtype=np.float64) * float(1 / rate)
    shown = schedule.frames_along(times_s)
    page = _Page(recordings, options)
    sound = _Sound(recordings[0], rate, count) if options.audio else None
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
                cells.append(_Cell(recording, source.next_frame(), rate_now))
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


@dataclass(frozen=True, eq=False)
class _Cell:
    recording: Recording
    frame: Frame | _Absent
    rate: float | None


@dataclass(frozen=True, eq=False)
class _Absent:
    """No counterpart; ``pixels`` is the nearest picture shown, None where there is none at all."""

    pixels: UInt8 | None


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

    def next_frame(self) -> Frame | _Absent:
        frame = int(self._shown[self._next])
        self._next += 1
        if frame < 0:
            return _Absent(None if self._last is None else self._last.pixels)
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

    def __init__(self, reference: Recording, rate: Fraction, count: int) -> None:
        self._recording = reference
        self._rate = rate
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
        return read_audio(self._recording, rate=AUDIO_RATE, start_s=start_s, end_s=end_s)


class _Page:
    """Where pictures and captions go."""

    def __init__(self, recordings: Sequence[Recording], options: RenderOptions) -> None:
        self._options = options
        self._stacked = options.layout in ("overlay", "wipe")
        count = len(recordings)
        columns = 2 if options.layout == "grid" and count > 2 else count
        rows = -(-count // columns)
        shapes = [(r.info.width, r.info.height) for r in recordings]
        height = options.height
        if self._stacked:
            widths = [_even(shapes[0][0] * height / shapes[0][1])] * count
            columns = rows = 1
        else:
            widths = [_even(w * height / h) for w, h in shapes]
        total = max(sum(widths[i : i + columns]) for i in range(0, len(widths), columns))
        if total > _MAX_WIDTH:
            scale = _MAX_WIDTH / total
            height = int(height * scale)
            widths = [_even(w * scale) for w in widths]
            total = max(sum(widths[i : i + columns]) for i in range(0, len(widths), columns))
        self._height = _even(height)
        self._bar = _even(max(20, self._height * 0.06))
        self._columns = columns
        self._widths = widths
        bars = count if self._stacked else 1
        row_height = self._height + bars * self._bar
        self.size = (max(_even(total), 320 if self._stacked else 2), rows * row_height)
        self._row_height = row_height

    def cell_size(self, number: int) -> tuple[int, int]:
        return self._widths[number], self._height

    def draw(self, cells: Sequence[_Cell]) -> UInt8:
        page = np.empty((self.size[1], self.size[0], 3), dtype=np.uint8)
        page[:] = BACKGROUND
        if self._stacked:
            self._draw_stacked(page, cells)
            return page
        for number, cell in enumerate(cells):
            row, column = divmod(number, self._columns)
            first = row * self._columns
            x = sum(self._widths[first : first + column])
            y = row * self._row_height
            width = self._widths[number]
            page[y : y + self._bar, x : x + width] = self._caption(cell, number, width)
            picture = self._picture(cell, width)
            page[y + self._bar : y + self._bar + self._height, x : x + width] = picture
        return page

    def _draw_stacked(self, page: UInt8, cells: Sequence[_Cell]) -> None:
        width = self._widths[0]
        for number, cell in enumerate(cells):
            bar = self._caption(cell, number, self.size[0])
            page[number * self._bar : (number + 1) * self._bar] = bar
        top = len(cells) * self._bar
        pictures = [self._picture(cell, width) for cell in cells]
        if self._options.layout == "wipe":
            middle = width // 2
            mixed = pictures[0].copy()
            mixed[:, middle:] = pictures[1][:, middle:]
            mixed[:, middle - 1 : middle + 1] = ACCENT
        else:
            total = np.zeros(pictures[0].shape, dtype=np.uint16)
            for picture in pictures:
                total += picture
            mixed = (total // len(pictures)).astype(np.uint8)
        page[top : top + self._height, :width] = mixed

    def _picture(self, cell: _Cell, width: int) -> UInt8:
        if not isinstance(cell.frame, _Absent):
            return cell.frame.pixels
        dark = np.zeros((self._height, width, 3), dtype=np.uint8)
        if cell.frame.pixels is not None:
            dark = (cell.frame.pixels * _DIM).astype(np.uint8)
        return stamp(dark, "no counterpart here", size=max(12, self._height // 24))

    def _caption(self, cell: _Cell, number: int, width: int) -> UInt8:
        name = ("REF  " if number == 0 else "") + cell.recording.name
        if isinstance(cell.frame, _Absent):
            return caption_bar(width, self._bar, name, "–", colour=QUIET_TEXT)
        rate = "" if cell.rate is None else f"×{cell.rate:.2f}  "
        return caption_bar(
            width, self._bar, name, f"{rate}{clock_text(cell.frame.time_s)}", colour=TEXT
        )


def _even(value: float) -> int:
    return max(2, 2 * round(value / 2))
