"""Frames of a recording, exactly the one asked for, as they are meant to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from carl_core.arrays import UInt8
    from carl_core.video.display import Fit
    from carl_core.video.recording import Recording


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame as shown.

    Attributes
    ----------
    index : frame number, 0-based in presentation order
    pts : its presentation timestamp
    time_s : seconds from the recording's first frame
    pixels : uint8 (H, W, 3), RGB, read-only
    """

    index: int
    pts: int
    time_s: float
    pixels: UInt8


class FrameReader:
    """Decodes frames of one recording. One thread at a time."""

    def __init__(
        self,
        recording: Recording,
        *,
        size: tuple[int, int] | None = None,
        fit: Fit = "squash",
        threads: int = 0,
        deinterlace: bool = True,
    ) -> None:
        raise NotImplementedError

    def frame_at(self, index: int) -> Frame:
        """Return frame number ``index``."""
        raise NotImplementedError

    def frames_at(self, indices: Iterable[int]) -> Iterator[Frame]:
        """Yield the frames of ascending numbers."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the file and the decoder."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
