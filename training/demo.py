"""Make the two bundled demo recordings and their true time map.

``python -m training.demo -o assets/demo`` writes reference.mp4, other.mp4 and truth.json: the same
warm-up routine by two people, filmed from two places at different speeds. The reference begins
three seconds earlier; the other goes on longer. Deterministic: the same seed gives the same frames.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Float32, Float64, as_read_only
from carl_core.atomic import write_atomic
from carl_core.video.writer import VideoWriter
from training.simulate.body import Look
from training.simulate.clip import View, random_view, render_clip
from training.simulate.keys import Key
from training.simulate.motion import Action, Warp, action_from_keys
from training.simulate.pose import mirrored, pose

if TYPE_CHECKING:
    from collections.abc import Sequence

FPS = 30
AUDIO_RATE = 48_000
SEED = 20
_CHUNK = 15  # frames rendered at a time
_SCENES = (9, 12)  # chosen by eye from two dozen


@dataclass(frozen=True, slots=True, eq=False)
class DemoRecording:
    """One of the two recordings before it is rendered.

    Attributes
    ----------
    name : file name without ending
    frames : how many, at ``FPS``
    """

    name: str
    view: View
    frames: int

    @property
    def times_s(self) -> Float64:
        """Time of every frame, float64 (T,), seconds from the first."""
        return np.asarray(np.arange(self.frames) / FPS, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """The action and the two recordings of it."""

    action: Action
    reference: DemoRecording
    other: DemoRecording
    seed: int


def make_demo(*, seed: int = SEED, size: tuple[int, int] = (640, 480)) -> Demo:
    """Return the demo's action and views; nothing is rendered yet."""
    rng = np.random.default_rng(seed)
    action = action_from_keys(_routine(), family="routine", rng=rng)
    end = action.duration_s
    looks = (
        Look(
            height_m=1.69,
            girth=0.98,
            skin=(0.88, 0.68, 0.55),
            shirt=(0.85, 0.32, 0.22),
            trousers=(0.13, 0.15, 0.24),
            hair="bun",
            hair_colour=(0.22, 0.13, 0.08),
            prop="none",
            legs="long",
            sleeves="short",
            pattern=0,
        ),
        Look(
            height_m=1.84,
            girth=1.08,
            skin=(0.52, 0.35, 0.25),
            shirt=(0.20, 0.45, 0.62),
            trousers=(0.22, 0.22, 0.22),
            hair="short",
            hair_colour=(0.07, 0.06, 0.05),
            prop="none",
            legs="shorts",
            sleeves="none",
            pattern=1,
        ),
    )
    spans = ((0.0, end - 2.4, 1.12, 0.0), (3.0, end, 1.26, 2.1))
    azimuths = (24.0, -38.0)
    recordings = []
    for name, look, (start, stop, rate, phase), azimuth, scene_seed in zip(
        ("reference", "other"), looks, spans, azimuths, _SCENES, strict=True
    ):
        warp = _wandering_warp(start, stop, rate=rate, phase=phase)
        view = random_view(
            np.random.default_rng([seed, scene_seed]),
            action,
            size=size,
            azimuth=azimuth,
            look=look,
            warp=warp,
            style_strength=0.8,
            shake=0.0 if name == "reference" else 0.35,
            clean=True,
        )
        recordings.append(DemoRecording(name, view, int(warp.duration_s * FPS)))
    return Demo(action, recordings[0], recordings[1], seed)


def truth_of(demo: Demo) -> dict[str, object]:
    """Return what truth.json holds: key moments and the true time map, seconds.

    ``map`` has one entry for each frame of the reference: its time and the time in the other
    recording at which the same moment of the action is reached, or null outside it.
    """
    reference, other = demo.reference, demo.other
    action_s = reference.view.warp.action_at(reference.times_s)
    other_s = other.view.warp.time_of(action_s)
    last_s = (other.frames - 1) / FPS
    pairs = [
        [round(float(t), 6), None if np.isnan(o) or o > last_s else round(float(o), 6)]
        for t, o in zip(reference.times_s, other_s, strict=True)
    ]
    return {
        "format": "carl-demo-truth",
        "version": 1,
        "seed": demo.seed,
        "recordings": [_described(demo.action, recording) for recording in (reference, other)],
        "map": pairs,
    }


def write_demo(demo: Demo, folder: Path, *, samples: int = 3) -> None:
    """Render both recordings and write the three files into ``folder``.

    Raises
    ------
    ExportError
        When a video cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for recording in (demo.reference, demo.other):
        has_sound = recording is demo.reference
        sound = _clicks(demo.action, recording) if has_sound else None
        path = folder / f"{recording.name}.mp4"
        rate = AUDIO_RATE if has_sound else None
        with VideoWriter(path, size=recording.view.size, rate=FPS, audio_rate=rate) as writer:
            for first in range(0, recording.frames, _CHUNK):
                times = recording.times_s[first : first + _CHUNK]
                clip = render_clip(demo.action, recording.view, times, samples=samples)
                for pixels in clip.frames:
                    writer.write(pixels)
                if sound is not None:
                    begin = first * AUDIO_RATE // FPS
                    writer.write_audio(sound[begin : begin + len(times) * AUDIO_RATE // FPS])
    text = json.dumps(truth_of(demo), indent=None, separators=(",", ":"))
    write_atomic(folder / "truth.json", text + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the demo recordings."""
    parser = argparse.ArgumentParser(prog="python -m training.demo", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("assets/demo"))
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    demo = make_demo(seed=options.seed)
    write_demo(demo, options.output)
    for recording in (demo.reference, demo.other):
        print(f"{options.output / recording.name}.mp4: {recording.frames / FPS:.1f} s")
    return 0


def _routine() -> list[Key]:
    """Return a warm-up in which no moment comes twice."""
    guard = {"raise": 35.0, "plane": 20.0, "elbow": 115.0}
    front = {"raise": 88.0, "plane": 4.0, "elbow": 6.0}
    side_bend = pose(
        side=33,
        roll=-6,
        neck_side=14,
        r_raise=168,
        r_plane=85,
        r_elbow=25,
        l_raise=34,
        l_plane=92,
        abduct=16,
    )
    lunge = pose(
        4,
        l_hip=82,
        l_knee=90,
        r_hip=-22,
        r_knee=55,
        r_ankle=-15,
        x=0.1,
        **{"raise": 55.0, "plane": 108.0, "rot": -70.0, "elbow": 120.0},
    )
    wind_up = pose(
        -6,
        yaw=-50,
        twist=-35,
        r_raise=95,
        r_plane=105,
        r_rot=75,
        r_elbow=95,
        l_raise=85,
        l_plane=60,
        l_hip=65,
        l_knee=70,
        r_knee=22,
        r_hip=14,
        neck_twist=45,
    )
    release = pose(
        16,
        yaw=8,
        twist=26,
        r_raise=122,
        r_plane=25,
        r_rot=20,
        r_elbow=15,
        l_raise=30,
        l_elbow=75,
        l_hip=42,
        l_knee=34,
        r_hip=-18,
        r_knee=42,
        x=0.35,
    )
    follow = pose(
        36,
        yaw=20,
        twist=36,
        spine=22,
        r_raise=45,
        r_plane=-32,
        r_elbow=20,
        l_raise=-15,
        l_elbow=65,
        l_hip=46,
        l_knee=42,
        r_hip=-6,
        r_knee=50,
        x=0.38,
    )
    kick = pose(-12, r_hip=96, r_knee=6, l_knee=10, **(guard | {"r_raise": -20.0, "r_elbow": 35.0}))
    toe_touch = pose(
        70, spine=40, neck=14, **{"raise": 108.0, "plane": 5.0, "elbow": 6.0, "knee": 8.0}
    )
    waving = {"r_raise": 120.0, "r_plane": 80.0, "r_rot": 85.0}
    hips = {"raise": 55.0, "plane": 108.0, "rot": -70.0, "elbow": 120.0}
    squat = pose(
        34, **(front | {"hip": 92.0, "knee": 108.0, "abduct": 10.0, "turn": 18.0, "neck": -16.0})
    )
    balance = pose(
        2, r_hip=50, r_turn=50, r_knee=110, r_abduct=28, **{"raise": 170.0, "plane": 60.0}
    )
    flight = pose(4, lift=0.28, abduct=22, ankle=28, **{"raise": 158.0, "plane": 86.0})
    landing = pose(
        30,
        **{"raise": 50.0, "plane": 25.0, "elbow": 30.0, "hip": 55.0, "knee": 72.0, "abduct": 8.0},
    )
    load = pose(
        36,
        **{"raise": -38.0, "plane": 0.0, "elbow": 12.0, "hip": 52.0, "knee": 68.0, "neck": -10.0},
    )
    return [
        Key("stand", pose(), 0.0, 0.5),
        Key("arms up", pose(-4, **{"raise": 172.0, "plane": 20.0, "elbow": 5.0}), 1.1, 0.3),
        Key("arms sideways", pose(**{"raise": 90.0, "plane": 88.0, "elbow": 5.0}), 1.0, 0.2),
        Key("squat", squat, 1.3, 0.3),
        Key("hands on hips", pose(**(hips | {"abduct": 10.0})), 1.1, 0.2),
        Key("side bend", side_bend, 1.1, 0.3),
        Key("lunge", lunge, 1.2, 0.3),
        Key("guard", pose(4, **(guard | {"knee": 12.0, "hip": 10.0})), 0.9, 0.1),
        Key("kick", kick, 0.7, 0.1),
        Key("kick down", pose(2, **(guard | {"abduct": 8.0})), 0.9, 0.1),
        Key("toe touch", toe_touch, 1.4, 0.3),
        Key("wind up", wind_up, 1.5, 0.1),
        Key("release", release, 0.5),
        Key("follow through", follow, 0.4, 0.2),
        Key("balance", mirrored(balance), 1.5, 0.5),
        Key("load", load, 1.2, 0.1),
        Key("flight", flight, 0.5),
        Key("landing", landing, 0.5, 0.1),
        Key("wave out", pose(**(waving | {"r_elbow": 28.0})), 1.0),
        Key("wave in", pose(**(waving | {"r_elbow": 92.0})), 0.5),
        Key("bow", pose(38, spine=16, neck=14, **{"raise": 20.0, "plane": 5.0}), 1.4, 0.4),
        Key("end", pose(**(hips | {"plane": 70.0, "elbow": 118.0, "abduct": 7.0})), 1.1, 0.4),
    ]


def _wandering_warp(start: float, stop: float, *, rate: float, phase: float) -> Warp:
    """Return a clock whose speed swings by a third around ``rate``."""
    action_s = np.linspace(start, stop, round((stop - start) * 50))
    swing = 0.22 * np.sin(action_s * 0.55 + phase) + 0.12 * np.sin(action_s * 1.3 + 2 * phase)
    rates = rate * (1 + swing)
    steps = np.diff(action_s) * 0.5 * (1 / rates[1:] + 1 / rates[:-1])
    times_s = np.concatenate([[0.0], np.cumsum(steps)])
    return Warp(as_read_only(times_s, np.float64), as_read_only(action_s, np.float64))


def _moments(action: Action, recording: DemoRecording) -> list[tuple[str, float]]:
    """Return names and times of the key poses that the recording shows."""
    times = recording.view.warp.time_of(action.key_times_s)
    last_s = (recording.frames - 1) / FPS
    return [
        (name, float(time_s))
        for name, time_s in zip(action.key_names, times, strict=True)
        if np.isfinite(time_s) and time_s <= last_s
    ]


def _described(action: Action, recording: DemoRecording) -> dict[str, object]:
    return {
        "file": f"{recording.name}.mp4",
        "fps": FPS,
        "frames": recording.frames,
        "key_moments": [
            {"name": name, "time_s": round(time_s, 6)}
            for name, time_s in _moments(action, recording)
        ],
    }


def _clicks(action: Action, recording: DemoRecording) -> Float32:
    """Return a soft stroke at each key moment, float32 (N, 2) of the recording's length."""
    count = recording.frames * AUDIO_RATE // FPS
    sound = np.zeros(count + AUDIO_RATE, np.float32)
    ring_s = np.arange(int(0.5 * AUDIO_RATE)) / AUDIO_RATE
    for i, (_, time_s) in enumerate(_moments(action, recording)):
        pitch = 330.0 * 2 ** ((0, 4, 7, 12)[i % 4] / 12)
        onset = np.minimum(ring_s / 0.004, 1.0)
        stroke = onset * np.exp(-ring_s / 0.09) * np.sin(2 * np.pi * pitch * ring_s)
        first = int(time_s * AUDIO_RATE)
        sound[first : first + len(stroke)] += (0.25 * stroke).astype(np.float32)
    return np.repeat(sound[:count, None], 2, axis=1)


if __name__ == "__main__":
    raise SystemExit(main())
