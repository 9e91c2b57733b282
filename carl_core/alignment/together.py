"""Align recordings of cameras that ran together: one constant shift, by sound or by timecode.

The pictures take no part, so what they show need not be alike. Sound needs 2.9 ms for each metre:
cameras at different distances from what is heard are apart by that much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.alignment import Alignment
from carl_core.alignment.sound import LEAST_OVERLAP_S, match_loudness, match_waves
from carl_core.errors import AlignmentError, NothingInCommonError
from carl_core.video.soundtrack import Soundtrack
from carl_core.video.timecode import read_timecode

if TYPE_CHECKING:
    from carl_core.alignment.alignment import Verdict
    from carl_core.alignment.sound import SoundMatch
    from carl_core.arrays import Bool, Float64, Int64
    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording
    from carl_core.video.timecode import Timecode

TOGETHER_METHODS = ("audio", "timecode")

# Ratio of the peak to the next one from which a match is believed, or shown with doubt.
# Measured on unrelated and on shifted sounds: benchmarks/sound_offsets.py.
SURE = 2.0
LIKELY = 1.7
# The loudness alone is never sure: a single slam in each recording is alike too.
LIKELY_LOUDNESS = 3.0
# Spread of the ratio, less 1, of unrelated sounds.
_CHANCE = 0.08
# A moment this far outside the other recording still belongs to its first or last frame.
_EDGE_S = 0.001


@dataclass(frozen=True, slots=True)
class Samples:
    """One recording and the times of the frames that stand for it.

    Attributes
    ----------
    recording : where sound and timecode come from
    times_s : float64 (N,), ascending, seconds from the first presented frame
    """

    recording: Recording
    times_s: Float64


def align_by_sound(
    reference: Samples, other: Samples, *, monitor: Monitor | None = None
) -> Alignment:
    """Shift ``other`` so that both recordings' sounds agree.

    The shift is constant, or drifts at a constant rate where that is clear.

    Raises
    ------
    AlignmentError
        When one of both has no sound or is silent or too short; `NothingInCommonError` when no
        shift stands out.
    MediaError, Cancelled
    """
    ours, theirs = _heard(reference.recording), _heard(other.recording)
    found = match_waves(ours, theirs, monitor=monitor)
    if found is None:
        raise AlignmentError(
            f"{_silent(ours, theirs, monitor)} silent, so there is no sound to align by. "
            "Align by the pictures instead."
        )
    if found.ratio < LIKELY:
        by_loudness = match_loudness(ours.loudness(monitor), theirs.loudness(monitor))
        if by_loudness is None or by_loudness.ratio < LIKELY_LOUDNESS:
            raise NothingInCommonError(
                f"No common sound was found in {ours.name} and {theirs.name}: the best shift fits "
                f"only {found.ratio:.2f} times as well as the next one, as with unrelated or "
                "regularly repeated sound. Align by the pictures, or pin moments by hand."
            )
        found = by_loudness
    verdict: Verdict = "aligned" if found.is_wave and found.ratio >= SURE else "uncertain"
    return _shifted(
        reference,
        other,
        offset_s=found.offset_s,
        rate=found.rate,
        method="audio",
        cost=1.0 - found.likeness,
        match=1.0 - math.exp(-(found.ratio - 1.0) / _CHANCE),
        verdict=verdict,
        reason=_heard_reason(found, verdict),
    )


def align_by_timecode(reference: Samples, other: Samples) -> Alignment:
    """Shift ``other`` by the difference of the timecodes.

    Raises
    ------
    AlignmentError
        When one of both has no timecode or they count differently; `NothingInCommonError` when
        they do not overlap.
    MediaError
        When a file cannot be read, or its timecode means nothing.
    """
    ours, theirs = _labelled(reference.recording), _labelled(other.recording)
    if ours.follows_clock != theirs.follows_clock:
        raise AlignmentError(
            f"The timecodes {ours} at {float(ours.rate):.5g} frames/s and {theirs} at "
            f"{float(theirs.rate):.5g} frames/s count time differently (one follows the clock, the "
            "other is slower by a thousandth), so their difference is no time. "
            "Align by the sound or the pictures."
        )
    offset_s = float(ours.since_midnight_s - theirs.since_midnight_s)
    day_s = float(ours.day_s)
    # A recording over midnight: take the day on which both overlap most.
    offset_s = max(
        (offset_s, offset_s - day_s, offset_s + day_s),
        key=lambda shift: _overlap_s(shift, reference.recording, other.recording),
    )
    labels = f"{ours} and {theirs}"
    if _overlap_s(offset_s, reference.recording, other.recording) <= 0:
        raise NothingInCommonError(
            f"By their timecodes {labels} the recordings have no moment in common: they are "
            f"{abs(offset_s):.3f} s apart. Check that the cameras' clocks were set together, or "
            "align by the sound or the pictures."
        )
    verdict: Verdict = "aligned"
    reason = f"The timecodes {labels} are {abs(offset_s):.3f} s apart"
    if ours.count == theirs.count == 0:
        verdict = "uncertain"
        reason += ": both begin at zero, as cameras do that number each recording by itself"
    return _shifted(
        reference,
        other,
        offset_s=offset_s,
        rate=1.0,
        method="timecode",
        cost=0.0,
        match=1.0 if verdict == "aligned" else 0.5,
        verdict=verdict,
        reason=f"{reason}.",
    )


def _heard(recording: Recording) -> Soundtrack:
    sound = Soundtrack(recording)
    if not sound.has_sound:
        raise AlignmentError(
            f"{recording.name} has no sound that can be decoded, so the recordings cannot be "
            "aligned by sound. Align by the pictures instead."
        )
    if sound.duration_s < LEAST_OVERLAP_S:
        raise AlignmentError(
            f"{recording.name} lasts {sound.duration_s:.2f} s; sound is compared over "
            f"{LEAST_OVERLAP_S:g} s at least. Align by the pictures instead."
        )
    return sound


def _silent(ours: Soundtrack, theirs: Soundtrack, monitor: Monitor | None) -> str:
    names = [sound.name for sound in (ours, theirs) if sound.loudness(monitor).is_silent]
    if not names:
        return f"What was compared of {ours.name} and {theirs.name} is"
    return f"{' and '.join(names)} {'are' if len(names) == 2 else 'is'}"


def _labelled(recording: Recording) -> Timecode:
    timecode = read_timecode(recording)
    if timecode is None:
        raise AlignmentError(
            f"{recording.name} holds no timecode (a creation date is no substitute: it is exact "
            "to a second at best). Align by the sound or the pictures."
        )
    return timecode


def _heard_reason(found: SoundMatch, verdict: Verdict) -> str:
    what = "The sounds match" if found.is_wave else "The loudness of the sounds matches"
    text = f"{what} at an offset of {found.offset_s:.3f} s; peak {found.ratio:.1f} times the next"
    if found.rate != 1.0:
        text += f"; the clocks drift apart by {abs(found.drift_ppm):.0f} millionths"
    return f"{text}." if verdict == "aligned" else f"{text}, which leaves doubt."


def _overlap_s(offset_s: float, reference: Recording, other: Recording) -> float:
    """Seconds both show when ``other_s = reference_s + offset_s``."""
    first = max(0.0, -offset_s)
    return min(reference.index.duration_s, other.index.duration_s - offset_s) - first


def _shifted(
    reference: Samples,
    other: Samples,
    *,
    offset_s: float,
    rate: float,
    method: str,
    cost: float,
    match: float,
    verdict: Verdict,
    reason: str,
) -> Alignment:
    """Build the alignment ``other_s = rate * reference_s + offset_s``, with gaps outside."""
    end_s = other.recording.index.duration_s
    values = rate * reference.times_s + offset_s
    inside = (values >= -_EDGE_S) & (values < end_s)
    if inside.sum() < 2:
        raise NothingInCommonError(
            f"At an offset of {offset_s:.3f} s {reference.recording.name} and "
            f"{other.recording.name} have less than two sampled frames in common. "
            "Choose longer recordings, or a higher sampling rate."
        )
    raw_reference = np.flatnonzero(inside)
    values = np.clip(values, 0.0, end_s)
    return Alignment(
        method=method,
        cost=cost,
        match=match,
        verdict=verdict,
        reason=reason,
        reference_s=reference.times_s,
        other_s=np.where(inside, values, np.nan),
        confidence=np.where(inside, match, 0.0),
        gaps=_gaps(reference.times_s, inside),
        anchors=(),
        raw_reference=raw_reference,
        raw_other=_nearest(other.times_s, values[inside]),
        lengths_s=(reference.recording.index.duration_s, end_s),
    )


def _nearest(times_s: Float64, wanted_s: Float64) -> Int64:
    """Return the samples (K,) nearest to each of ``wanted_s`` (K,)."""
    middles = (times_s[1:] + times_s[:-1]) / 2
    return np.searchsorted(middles, wanted_s).astype(np.int64)


def _gaps(times_s: Float64, inside: Bool) -> tuple[tuple[float, float], ...]:
    """Stretches outside the overlap, which is one stretch."""
    first, last = (int(np.flatnonzero(inside)[end]) for end in (0, -1))
    gaps = []
    if first > 0:
        gaps.append((float(times_s[0]), float(times_s[first])))
    if last < len(times_s) - 1:
        gaps.append((float(times_s[last]), float(times_s[-1])))
    return tuple(gaps)
