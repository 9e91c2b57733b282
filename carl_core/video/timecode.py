"""The SMPTE timecode (ST 12-1) a camera wrote into its file: the label of the first frame.

Read from the timecode track of MP4 and MOV, from MXF, and from the tags of Matroska. A creation
date is no timecode: it is exact to seconds at best, and is not used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from carl_core.errors import MediaError
from carl_core.video.container import opened, recording_stream
from carl_core.video.info import display_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from av.container import InputContainer
    from av.video.stream import VideoStream

    from carl_core.video.recording import Recording

_TEXT = re.compile(r"\s*(\d{2})[:;.,](\d{2})[:;.,](\d{2})([:;.,])(\d{2})\s*")
_BROADCAST = tuple(
    Fraction(rate * 1000, 1001) if is_slowed else Fraction(rate)
    for rate in (24, 25, 30, 48, 50, 60)
    for is_slowed in (False, True)
    if not (is_slowed and rate in (25, 50))
)
# A file's mean rate may differ from the standard one by the rounding of its last frame.
_NEAR = Fraction(1, 2500)


@dataclass(frozen=True, slots=True)
class Timecode:
    """Label of a frame.

    Attributes
    ----------
    hours, minutes, seconds, frames : as written
    is_drop : whether labels are dropped so that they follow the clock (29.97 and 59.94 frames/s)
    rate : frames per second, exact
    """

    hours: int
    minutes: int
    seconds: int
    frames: int
    is_drop: bool
    rate: Fraction

    def __post_init__(self) -> None:
        if self.rate not in _BROADCAST:
            raise ValueError(f"{float(self.rate):g} frames/s is no rate that timecode counts at")
        if self.is_drop and (self.nominal % 30 or self.rate.denominator == 1):
            raise ValueError(f"drop-frame labels do not exist at {float(self.rate):g} frames/s")
        limits = (24, 60, 60, self.nominal)
        parts = (self.hours, self.minutes, self.seconds, self.frames)
        if any(not 0 <= part < limit for part, limit in zip(parts, limits, strict=True)):
            raise ValueError(f"{self} does not exist at {float(self.rate):g} frames/s")
        if self.is_drop and self.minutes % 10 and not self.seconds and self.frames < self.dropped:
            raise ValueError(f"{self} is one of the labels that drop-frame counting leaves out")

    @classmethod
    def parse(cls, text: str, rate: Fraction) -> Timecode:
        """Read ``HH:MM:SS:FF``; a ";", "." or "," before the frames means drop-frame.

        Raises
        ------
        ValueError
            When it is no timecode, or one that does not exist at this rate.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError("it is not of the form HH:MM:SS:FF")
        hours, minutes, seconds, mark, frames = match.groups()
        return cls(int(hours), int(minutes), int(seconds), int(frames), mark != ":", rate)

    def __str__(self) -> str:
        mark = ";" if self.is_drop else ":"
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}{mark}{self.frames:02}"

    @property
    def nominal(self) -> int:
        """Labels a second: 30 for 29.97 frames/s."""
        return round(self.rate)

    @property
    def dropped(self) -> int:
        """Labels left out at the start of every minute but each tenth."""
        return self.nominal // 15 if self.is_drop else 0

    @property
    def count(self) -> int:
        """Frames since midnight's label."""
        minutes = 60 * self.hours + self.minutes
        labels = (60 * minutes + self.seconds) * self.nominal + self.frames
        return labels - self.dropped * (minutes - minutes // 10)

    @property
    def since_midnight_s(self) -> Fraction:
        """Seconds since midnight's label: the count of frames over their rate."""
        return self.count / self.rate

    @property
    def day_s(self) -> Fraction:
        """Seconds until the labels begin again."""
        return Timecode(23, 59, 59, self.nominal - 1, self.is_drop, self.rate).count / self.rate + (
            1 / self.rate
        )

    @property
    def follows_clock(self) -> bool:
        """Whether a second of labels lasts a second; without drop-frame, not at 23.976 or 29.97."""
        return self.is_drop or self.rate.denominator == 1


def read_timecode(recording: Recording) -> Timecode | None:
    """Return the timecode of a recording's first frame; None where its file has none.

    Raises
    ------
    MediaError
        When the file cannot be read, or has a timecode that means nothing.
    """
    with opened(recording.path) as container:
        stream = recording_stream(container, recording.path)
        text = written_timecode(container, stream)
        mean = stream.average_rate or stream.guessed_rate
    if text is None:
        return None
    name = display_text(recording.path.name)
    rate = _standard(mean) if mean else None
    if rate is None:
        shown = f"{float(mean):.3f} frames/s" if mean else "an unknown rate"
        raise MediaError(
            f"The timecode {text!r} of {name} cannot be used: its pictures come at {shown}, and "
            "timecode is read at 23.976 to 60 frames/s only. Align by the sound or the pictures.",
            path=recording.path,
        )
    try:
        return Timecode.parse(text, rate)
    except ValueError as error:
        raise MediaError(
            f"The timecode {text!r} of {name} cannot be used: {error}. "
            "Align by the sound or the pictures.",
            path=recording.path,
        ) from error


def written_timecode(container: InputContainer, stream: VideoStream) -> str | None:
    """Return the timecode as written: the picture's own, else a track's of its own or the file's.

    None where there is none. Whether it means anything is not asked; see `read_timecode`.
    """
    places: list[Mapping[str, str]] = [stream.metadata]
    places += [other.metadata for other in container.streams if other.type == "data"]
    places.append(container.metadata)
    for tags in places:
        for key, value in tags.items():
            if key.lower() == "timecode" and value.strip():
                return str(value).strip()
    return None


def _standard(rate: Fraction) -> Fraction | None:
    """Return the broadcast rate that ``rate`` is, None where it is none of them."""
    nearest = min(_BROADCAST, key=lambda standard: abs(standard - rate))
    return nearest if abs(nearest - rate) <= _NEAR * nearest else None
