"""Two long recordings of one session whose correspondence is known exactly.

A bank of short acts by one simulated person is rendered and encoded twice, as seen by two cameras
25 degrees apart. The first recording strings hundreds of them together in random order; the second
has the same order, but some acts are cut, some strange ones put in, and each runs at a pace of its
own: its packets are written again with other timestamps, so the warp is exact to the tick.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image

from carl_core.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from carl_core.arrays import Float64
    from training.simulate.clip import View
    from training.simulate.motion import Action

ACT_S = 10
ACTS, STRANGE_ACTS = 24, 4
RENDERED = (256, 144)
"""Pixels that are really computed; the rest is enlargement."""

TURN = 25.0
CUT, PUT_IN = 0.06, 0.04
TICKS = 90_000
PACES = (Fraction(5, 6), Fraction(9, 10), Fraction(1), Fraction(11, 10), Fraction(6, 5))

Packets = list[tuple[bytes, int, int, bool]]
"""Data, presentation and decoding place in frames, whether it is a key frame."""


@dataclass(frozen=True)
class Part:
    """One act of a recording: which, from when to when in seconds."""

    act: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class LongPair:
    """Two files and what is true about them.

    Attributes
    ----------
    pairs : part of the reference and of the other recording that show the same; None = cut
    """

    reference: Path
    other: Path
    reference_parts: tuple[Part, ...]
    other_parts: tuple[Part, ...]
    pairs: tuple[tuple[Part, Part | None], ...]

    def true_time(self, times_s: Float64) -> Float64:
        """Where the other recording shows what the reference does; NaN = it was cut."""
        found = np.full(len(times_s), np.nan)
        for ours, theirs in self.pairs:
            if theirs is not None:
                inside = (times_s >= ours.start_s) & (times_s < ours.end_s)
                pace = (theirs.end_s - theirs.start_s) / (ours.end_s - ours.start_s)
                found[inside] = theirs.start_s + (times_s[inside] - ours.start_s) * pace
        return found


def make_pair(
    folder: Path, *, minutes: float, size: tuple[int, int], fps: int, seed: int = 0
) -> LongPair:
    """Write ``reference.mp4`` and ``other.mp4`` into ``folder``."""
    rng = np.random.default_rng(seed)
    count = max(4, round(minutes * 60 / ACT_S))
    acts: list[int] = []
    while len(acts) < count:
        acts += [a for a in rng.permutation(ACTS).tolist() if not acts or a != acts[-1]]
    acts = acts[:count]
    other: list[tuple[int, int]] = []  # act, place in the reference or -1
    for place, act in enumerate(acts):
        is_inside = 0 < place < count - 1
        if is_inside and rng.random() < PUT_IN:
            other.append((ACTS + int(rng.integers(STRANGE_ACTS)), -1))
        if not is_inside or rng.random() >= CUT:
            other.append((act, place))
    first, second = _bank(folder, size=size, fps=fps, seed=seed, used=set(acts))
    reference_parts = _string(folder / "reference.mp4", first, acts, [Fraction(1)] * count, fps)
    paces = [PACES[int(k)] for k in rng.integers(len(PACES), size=len(other))]
    other_parts = _string(folder / "other.mp4", second, [act for act, _ in other], paces, fps)
    found = {place: part for (_, place), part in zip(other, other_parts, strict=True)}
    pairs = tuple((part, found.get(place)) for place, part in enumerate(reference_parts))
    return LongPair(
        folder / "reference.mp4", folder / "other.mp4", reference_parts, other_parts, pairs
    )


def _bank(
    folder: Path, *, size: tuple[int, int], fps: int, seed: int, used: set[int]
) -> tuple[dict[int, Packets], dict[int, Packets]]:
    """Encode every act that is used, from either side."""
    from training.simulate.motion import random_action

    banks: tuple[dict[int, Packets], dict[int, Packets]] = ({}, {})
    kept: list[View] = []
    for act in sorted(used | set(range(ACTS, ACTS + STRANGE_ACTS))):
        rng = np.random.default_rng([seed, act])
        action = random_action(rng, duration_s=(ACT_S + 1, ACT_S + 1))
        views = _views(rng, action)
        kept = kept or views
        for view, one, bank, name in zip(views, kept, banks, ("first", "second"), strict=True):
            # One person in one place, seen by the same two cameras all along.
            same = replace(view, body=kept[0].body, scene=one.scene)
            path = folder / f"{name}-{act}.mp4"
            _encode(path, action, same, size=size, fps=fps)
            bank[act] = _packets(path, fps)
    return banks


def _views(rng: np.random.Generator, action: Action) -> list[View]:
    from training.simulate.clip import random_view
    from training.simulate.motion import Warp

    clock = Warp(np.asarray([0.0, ACT_S]), np.asarray([0.0, ACT_S]))
    azimuth = float(rng.uniform(-40, 40))
    views = [
        random_view(
            rng,
            action,
            size=RENDERED,
            azimuth=azimuth + turn,
            warp=clock,
            clean=True,
        )
        for turn in (0.0, TURN)
    ]
    return [views[0], replace(views[1], style=views[0].style)]


def _encode(path: Path, action: Action, view: View, *, size: tuple[int, int], fps: int) -> None:
    from training.simulate.clip import render_clip

    times_s = np.arange(ACT_S * fps) / fps
    clip = render_clip(action, view, times_s, samples=1)
    with VideoWriter(path, size=size, rate=fps) as writer:
        for pixels in clip.frames:
            larger = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
            writer.write(np.asarray(larger))


def _packets(path: Path, fps: int) -> Packets:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = 1 / (Fraction(fps) * stream.time_base)  # ticks
        return [
            (bytes(p), int(p.pts / frame), int(p.dts / frame), p.is_keyframe)
            for p in container.demux(stream)
            if p.pts is not None and p.dts is not None
        ]


def _string(
    path: Path, bank: dict[int, Packets], acts: Sequence[int], paces: Sequence[Fraction], fps: int
) -> tuple[Part, ...]:
    """Write acts one after the other without encoding anything anew."""
    parts = []
    template = path.with_name(f"{'first' if path.stem == 'reference' else 'second'}-{acts[0]}.mp4")
    last_dts = None
    with av.open(str(template)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        stream.time_base = Fraction(1, TICKS)
        start = 0
        for act, pace in zip(acts, paces, strict=True):
            frame = round(Fraction(TICKS, fps) * pace)
            for data, pts, dts, is_key in bank[act]:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, TICKS)
                packet.pts, packet.dts = start + pts * frame, start + dts * frame
                packet.duration, packet.is_keyframe = frame, is_key
                if last_dts is not None and packet.dts <= last_dts:
                    raise AssertionError("the paces of neighbours differ too much")
                last_dts = packet.dts
                out.mux(packet)
            end = start + frame * len(bank[act])
            parts.append(Part(act, start / TICKS, end / TICKS))
            start = end
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(parts))
    return tuple(parts)
