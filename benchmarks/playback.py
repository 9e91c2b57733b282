"""Playing 1080p30 recordings in step: the real frame service, clock and tiles, offscreen.

    python -m benchmarks.playback [FILE] [--minutes M] [--streams N ...]

Plays 20 seconds (``--minutes 10``: as long as the promise says) of a generated H.264 file whose
frames say their own number, first as two recordings, then as four, in tiles of 540 lines. Every
picture that reaches a tile is checked: its number as drawn, its timestamp, and whether its time on
the screen was over when it came. A frame that never came is late too. Then streams are decoded as
fast as they go, in lock-step, through our reader and by PyAV alone, interleaved. With a FILE of
your own the drawn numbers are not checked.
"""

from __future__ import annotations

import argparse
import itertools
import os
import queue
import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from benchmarks.claims import Claim, report
from carl_core.compiled import compile_all
from carl_core.video.heap import keep_freed_memory
from carl_core.video.planes import Making
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from app.views.grid import TileGrid
    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import UInt8
    from carl_core.playback.clock import PlaybackClock
    from carl_core.playback.schedule import Schedule
    from carl_core.video.reader import Frame
    from carl_core.video.recording import Recording

SIZE, FPS = (1920, 1080), 30
TILE = (960, 540)
UNEVEN = (912, 512)  # as a window of some size has it: exactly half is made faster
NOISE = 12
BIT_RATE = 9_000_000
BLOCK = 250
"""Frames that are really encoded; their packets are repeated."""

ROUNDS, LOCK_STEP_S = 3, 3.0


# The file ----------------------------------------------------------------------------------------


def make_file(path: Path, *, frames: int) -> Path:
    """Write a drifting pattern with noise and numbers, about as heavy to decode as a camera's."""
    from tests.helpers.videos import draw_frame

    rng = np.random.default_rng(0)
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width].astype(np.int32)
    noise = rng.integers(0, NOISE, (height + 64, width + 64, 1), np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.bit_rate = BIT_RATE
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = BLOCK
        packets: list[tuple[bytes, int, int, bool]] = []

        def keep(encoded: Sequence[av.Packet[av.VideoStream]]) -> None:
            packets.extend((bytes(p), p.pts or 0, p.dts or 0, p.is_keyframe) for p in encoded)

        for number in range(BLOCK):
            waves = np.stack(
                [(x + 3 * number) // 8, (y + 2 * number) // 8, (x + y - number) // 16], axis=-1
            )
            down, across = rng.integers(0, 64, 2)
            grain = noise[down : down + height, across : across + width]
            picture = (waves % 200).astype(np.uint8) + grain
            picture[: height // 4] = draw_frame(number, (width, height // 4))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            keep(stream.encode(frame))
        keep(stream.encode(None))
        base = stream.codec_context.time_base
        for first in range(0, frames, BLOCK):
            for data, pts, dts, is_key in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, base
                packet.pts, packet.dts, packet.duration = first + pts, first + dts, 1
                packet.is_keyframe = is_key
                out.mux(packet)
    return path


def drawn_number(pixels: UInt8) -> int:
    """Read a frame's number back, from the uppermost quarter."""
    from tests.helpers.videos import read_number

    return read_number(pixels[: pixels.shape[0] // 4 : 2, ::2])


# Playing -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Played:
    """What came of playing.

    Attributes
    ----------
    due, late, wrong : frames whose time came; those that came after it or never; those that were
        not what they should have been
    clock_drift_ms : how far the clock is off the time that passed
    picture_drift_ms : how much later pictures come at the end than at the beginning, median
    cpu_ms : CPU of the whole process, per frame due
    load : of the machine, from 1 = one busy core
    """

    due: int
    late: int
    wrong: int
    clock_drift_ms: float
    picture_drift_ms: float
    cpu_ms: float
    load: float

    @property
    def late_percent(self) -> float:
        """Share of late frames."""
        return 100 * self.late / self.due if self.due else float("nan")


def play(
    recordings: Sequence[Recording],
    seconds: float,
    *,
    start_s: float = 0.0,
    alignments: Mapping[str, Alignment] | None = None,
    number_of: Callable[[Frame], int | None] = lambda _frame: None,
) -> Played:
    """Play recordings in real tiles for so long.

    ``number_of`` reads the number that is drawn into a frame, None = there is none; timestamps are
    always checked.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from app.bootstrap.run import SWITCH_INTERVAL_S, make_application
    from app.frames import FrameService
    from app.models.session import SessionModel
    from app.presenters.playback import PlaybackPresenter
    from app.presenters.tiles import TilesPresenter
    from app.views.grid import GAP, TileGrid

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = QApplication.instance() or make_application()
    session, grid, frames = SessionModel(), TileGrid(), FrameService()
    view = Watcher(grid, recordings, number_of)
    player = PlaybackPresenter(session, frames, view)
    view.clock_s = lambda: player.clock.time_s
    frames.frame_ready.connect(player.on_frame_ready)
    tiles = TilesPresenter(session, grid)
    columns = min(2, len(recordings))
    rows = -(-len(recordings) // columns)
    grid.resize(columns * (TILE[0] + 4) + GAP, rows * (TILE[1] + 4) + GAP * (rows - 1))
    grid.show()
    with closing(frames):
        for recording in recordings:
            session.add(recording)
            alignment = (alignments or {}).get(recording.id)
            if alignment is not None:
                session.set_alignment(recording.id, alignment)
        frames.set_recordings(tuple(recordings))
        player.seek(start_s)
        _spin(lambda: player.is_up_to_date and len(view.shown) >= len(recordings), 60)
        cpu, wall = time.process_time(), time.perf_counter()
        player.play()
        begun_s, begun_off_s = player.clock.time_s, _ahead_s(player.clock)
        _spin(lambda: time.perf_counter() - wall >= seconds or not player.clock.is_playing)
        end_s, end_off_s = player.clock.time_s, _ahead_s(player.clock)
        cpu = time.process_time() - cpu
        player.pause()
        schedule = session.schedule
    assert schedule is not None
    grid.close()
    app.processEvents()
    del tiles
    due, late, delays = judge(schedule, view.shown, (begun_s, end_s))
    part = max(1, len(delays) // 10)
    return Played(
        due,
        late,
        view.wrong,
        clock_drift_ms=1000 * abs(end_off_s - begun_off_s),
        picture_drift_ms=1000 * float(np.median(delays[-part:]) - np.median(delays[:part])),
        cpu_ms=1000 * cpu / max(1, due),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan"),
    )


class Watcher:
    """The grid, as the presenter sees it; keeps what reached a tile and when."""

    def __init__(
        self,
        grid: TileGrid,
        recordings: Sequence[Recording],
        number_of: Callable[[Frame], int | None],
    ) -> None:
        self._grid = grid
        self._pts = {r.id: r.index.pts for r in recordings}
        self._number_of = number_of
        self.clock_s: Callable[[], float] = lambda: 0.0
        self.shown: list[tuple[str, int, float]] = []
        self.wrong = 0

    def show_frame(self, recording_id: str, frame: Frame, rate: float | None) -> None:
        """Look at a frame, and give it to its tile."""
        self.shown.append((recording_id, frame.index, self.clock_s()))
        number = self._number_of(frame)
        is_right = frame.pts == int(self._pts[recording_id][frame.index])
        if not is_right or number not in (None, frame.index):
            self.wrong += 1
        self._grid.show_frame(recording_id, frame, rate)

    def set_counterpart(self, recording_id: str, has_counterpart: bool) -> None:
        """Dim a tile, or not."""
        self._grid.set_counterpart(recording_id, has_counterpart)

    def picture_size(self, recording_id: str) -> tuple[int, int]:
        """Return what the tile says."""
        return self._grid.picture_size(recording_id)

    def set_transport(self, transport: object) -> None:
        """Show nothing: the bar is not what is measured."""


def judge(
    schedule: Schedule, shown: list[tuple[str, int, float]], span_s: tuple[float, float]
) -> tuple[int, int, list[float]]:
    """Compare what came (id, frame, when) with what is due: frames due, late ones, all delays."""
    master = np.arange(span_s[0], span_s[1], 0.001)
    due = late = 0
    delays: list[tuple[float, float]] = []
    for recording_id, frames in schedule.frames_along(master).items():
        first = np.flatnonzero(np.diff(frames, prepend=-2))
        came: dict[int, float] = {}
        for name, index, at_s in shown:
            if name == recording_id:
                came.setdefault(index, at_s)
        # The last run is cut by the end of playing.
        for begin, end in itertools.pairwise(first):
            frame = int(frames[begin])
            if frame < 0:
                continue
            due += 1
            at_s = came.get(frame)
            if at_s is None or at_s > master[end - 1] + 0.001:
                late += 1
            if at_s is not None:
                delays.append((float(master[begin]), at_s - float(master[begin])))
    return due, late, [delay for _, delay in sorted(delays)] or [float("nan")]


def _ahead_s(clock: PlaybackClock) -> float:
    """How far a clock is ahead of the time that passes; several looks, for one may be held up."""
    return statistics.median(clock.time_s - time.perf_counter() for _ in range(9))


def _spin(is_over: Callable[[], bool], limit_s: float = 3600.0) -> None:
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    until = time.perf_counter() + limit_s
    timer = QTimer()
    timer.setInterval(20)
    timer.timeout.connect(lambda: loop.quit() if is_over() or time.perf_counter() > until else None)
    timer.start()
    loop.exec()


# Decoding as fast as it goes ---------------------------------------------------------------------


def decode_only(recording: Recording) -> Iterator[object]:
    """PyAV, the frames thrown away."""
    with av.open(str(recording.path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        yield from container.decode(stream)


def read_tiles(size: tuple[int, int], recording: Recording) -> Iterator[object]:
    """Our reader, with pictures as a tile in motion wants them where the processor paints."""
    with FrameReader(recording, size=size, threads=1) as reader:
        reader.making = Making.QUICK
        yield from reader.frames_at(range(len(recording.index)))


def read_planes(recording: Recording) -> Iterator[object]:
    """Our reader, with what a graphics card takes."""
    with FrameReader(recording, size=TILE, threads=1) as reader:
        reader.making = Making.PLANES
        yield from reader.frames_at(range(len(recording.index)))


def lock_step(
    recordings: Sequence[Recording], read: Callable[[Recording], Iterator[object]]
) -> tuple[float, float]:
    """Frames a second of all streams together, and CPU milliseconds a frame."""
    stopped = threading.Event()
    waiting: list[queue.Queue[object]] = [queue.Queue(6) for _ in recordings]

    def run(recording: Recording, target: queue.Queue[object]) -> None:
        for frame in read(recording):
            if stopped.is_set():
                break
            target.put(frame)
        target.put(None)

    threads = [
        threading.Thread(target=run, args=pair, daemon=True)
        for pair in zip(recordings, waiting, strict=True)
    ]
    for thread in threads:
        thread.start()
    for target in waiting:
        target.get()
    wall, cpu, steps = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < LOCK_STEP_S:
        if any(target.get() is None for target in waiting):
            break
        steps += 1
    passed_s, cpu = time.perf_counter() - wall, time.process_time() - cpu
    stopped.set()
    for thread, target in zip(threads, waiting, strict=True):
        while thread.is_alive():
            while not target.empty():
                target.get_nowait()
            thread.join(0.01)
    count = steps * len(recordings)
    return count / passed_s, 1000 * cpu / max(1, count)


def sums(recordings: Sequence[Recording]) -> list[Claim]:
    """Compare the sum of streams with decoding alone, interleaved."""
    ways: dict[str, Callable[[Recording], Iterator[object]]] = {
        f"pixels at {size[0]} x {size[1]}": partial(read_tiles, size) for size in (TILE, UNEVEN)
    }
    ways["planes"] = read_planes
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ("alone", *ways)}
    for _ in range(ROUNDS):
        runs["alone"].append(lock_step(recordings, decode_only))
        for name, read in ways.items():
            runs[name].append(lock_step(recordings, read))
    claims = []
    for name in ways:
        what = f"{len(recordings)} streams 1080p, {name}"
        for k, (unit, bound) in enumerate((("frames a second together", 0.85), ("CPU ms", None))):
            claims.append(
                Claim(
                    f"{what}, {unit}",
                    statistics.median(run[k] for run in runs[name]),
                    peer=statistics.median(run[k] for run in runs["alone"]),
                    peer_name="PyAV decode only",
                    at_least=bound,
                )
            )
    return claims


def claims_of(played: Played, what: str) -> list[Claim]:
    """Return what playing promises."""
    note = f"{played.due} due, load {played.load:.1f}"
    return [
        Claim(f"{what}: wrong frames", played.wrong, at_most=0, note=f"{played.due} due"),
        Claim(f"{what}: late frames, %", played.late_percent, at_most=0.5, note=note),
        Claim(f"{what}: drift of the clock, ms", played.clock_drift_ms, at_most=5),
        Claim(f"{what}: drift of the pictures, ms", played.picture_drift_ms, at_most=17),
        Claim(f"{what}: CPU ms a frame", played.cpu_ms),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=1 / 3)
    parser.add_argument("--streams", type=int, nargs="+", default=[2, 4])
    options = parser.parse_args()
    seconds = 60 * options.minutes
    keep_freed_memory()  # this and the next as the window does
    compile_all()
    with tempfile.TemporaryDirectory() as scratch:
        path = options.file or make_file(
            Path(scratch) / "1080p.mp4", frames=max(1500, round((seconds + 5) * FPS))
        )
        first = open_recording(path)
        info = first.info
        print(f"{info.codec} {info.width}x{info.height}, {info.frames} frames, ", end="")
        print(f"{path.stat().st_size * 8 / info.duration_s / 1e6:.1f} Mbit/s\n")

        def number_of(frame: Frame) -> int | None:
            if options.file is not None:
                return None
            try:
                within = drawn_number(frame.pixels)
            except ValueError:
                return -1
            return frame.index - frame.index % BLOCK + within

        claims: list[Claim] = []
        for count in options.streams:
            recordings = [replace(first, id=f"{first.id}-{k}") for k in range(count)]
            played = play(recordings, seconds, number_of=number_of)
            claims += claims_of(played, f"{count} x 1080p30 for {seconds:.0f} s")
            claims += sums(recordings)
    report(claims)
    return 0


if __name__ == "__main__":
    sys.exit(main())
