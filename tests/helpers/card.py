"""A pretended graphics card that decodes: as low as can be without one.

It stands where PyAV opens a file for a device, and decodes in software what a card would decode.
Everything above is the real code: opening, asking whether the decoder is one of a device, seeking,
comparing, and going on without it. Its frames are laid out as those of cards are, and it can go
wrong in the ways cards do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np

from carl_core.video import hardware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from fractions import Fraction

    import pytest
    from av.video.frame import VideoFrame

FPS = 25
"""Of the videos it is given; its faults are told by frame number."""

_LAYOUTS = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}


class Card:
    """Installs itself as the device "cuda" of FFmpeg.

    Attributes
    ----------
    change : what becomes of a frame, given its number, before it is laid out as a card's; None
        loses the frame
    fails_from : frame number from which the decoder raises; None = never
    is_there : False = opening the device raises, as FFmpeg does without a card
    can_decode : False = the file is opened, but the decoder is not one of the device
    seeks : where it was told to seek, in ticks
    opened, given : files opened and frames given so far
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.change: Callable[[int, VideoFrame], VideoFrame | None] = lambda _, frame: frame
        self.fails_from: int | None = None
        self.is_there = True
        self.can_decode = True
        self.seeks: list[int] = []
        self.opened = 0
        self.given = 0
        self._open = av.open
        monkeypatch.setenv(hardware.VARIABLE, "cuda")
        monkeypatch.setattr(hardware, "hwdevices_available", lambda: ["cuda"])
        monkeypatch.setattr(hardware, "HWAccel", lambda *, device_type: device_type)
        monkeypatch.setattr(hardware, "_chosen", {})
        monkeypatch.setattr(av, "open", self.open)

    def open(self, *arguments: Any, hwaccel: str | None = None, **options: Any) -> Any:
        """Stand for ``av.open``."""
        if hwaccel is None:
            return self._open(*arguments, **options)
        assert hwaccel == "cuda"
        if not self.is_there:
            raise av.ExternalError(542398533, "Generic error in an external library")
        self.opened += 1
        return _Container(self._open(*arguments, **options), self)

    def frames(self, decoded: list[VideoFrame], time_base: Fraction) -> Iterator[VideoFrame]:
        """Do to frames what this card does."""
        for frame in decoded:
            assert frame.pts is not None
            number = round(frame.pts * time_base * FPS)
            if self.fails_from is not None and number >= self.fails_from:
                raise av.ExternalError(542398533, "Generic error in an external library")
            changed = self.change(number, frame)
            if changed is None:
                continue
            self.given += 1
            layout = _LAYOUTS.get(changed.format.name)
            yield changed if layout is None else changed.reformat(format=layout)


def one_bit_off(frame: VideoFrame) -> VideoFrame:
    """Return a frame of which one number of the last plane is another."""
    made = frame.reformat(format=frame.format.name.replace("yuvj", "yuv"), width=frame.width)
    plane = made.planes[-1]
    values = np.frombuffer(memoryview(plane), np.uint8).copy()
    values[plane.width // 2] ^= 1
    plane.update(values.tobytes())
    return made


class _Proxy:
    """Passes on what it does not know better, reading and writing."""

    def __init__(self, inner: Any, card: Card) -> None:
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "card", card)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner, name, value)


class _Context(_Proxy):
    """Of a stream."""

    @property
    def is_hwaccel(self) -> bool:
        return bool(self.card.can_decode)

    def decode(self, packet: Any = None) -> list[VideoFrame]:
        inner = self.inner
        return list(self.card.frames(inner.codec_context.decode(packet), inner.time_base))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner.codec_context, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner.codec_context, name, value)


class _Stream(_Proxy):
    @property
    def codec_context(self) -> _Context:
        return _Context(self.inner, self.card)


class _Streams(list[Any]):
    @property
    def video(self) -> list[Any]:
        return [stream for stream in self if stream.type == "video"]


class _Container(_Proxy):
    def __init__(self, inner: Any, card: Card) -> None:
        super().__init__(inner, card)
        streams = [_Stream(s, card) if s.type == "video" else s for s in inner.streams]
        object.__setattr__(self, "streams", _Streams(streams))

    def seek(self, offset: int, *, stream: _Stream, **how: Any) -> None:
        self.card.seeks.append(offset)
        self.inner.seek(offset, stream=stream.inner, **how)

    def demux(self, stream: _Stream) -> Any:
        return self.inner.demux(stream.inner)

    def decode(self, stream: _Stream) -> Iterator[VideoFrame]:
        for packet in self.inner.demux(stream.inner):
            yield from stream.codec_context.decode(packet)
