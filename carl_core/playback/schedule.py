"""Which frame each recording shows at a master time.

Three time bases: *reference* (the reference runs naturally, the others are warped to it), *mean*
(all are warped a little: master time advances with the mean of all rates), *native* (nobody is
warped; all start together at the first aligned moment).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from carl_core.alignment.timemap import TimeMap
    from carl_core.arrays import Float64, Int64
    from carl_core.video.recording import Recording


class TimeBase(Enum):
    """What master time runs with."""

    REFERENCE = "reference"
    MEAN = "mean"
    NATIVE = "native"


class Schedule:
    """Frames of all recordings as a function of master time.

    Safe from any thread: nothing changes after construction.

    Parameters
    ----------
    reference : the recording the maps start from
    others : the other recordings
    maps : reference seconds to a recording's seconds, by recording id. A recording without a map
        is not aligned (yet): it runs natively from its first frame.
    base : what master time runs with
    """

    def __init__(
        self,
        reference: Recording,
        others: Sequence[Recording],
        maps: Mapping[str, TimeMap],
        *,
        base: TimeBase = TimeBase.REFERENCE,
    ) -> None:
        self.reference = reference
        self.recordings = (reference, *others)
        self.base = base
        self._by_id = {recording.id: recording for recording in self.recordings}
        if len(self._by_id) != len(self.recordings):
            raise ValueError("recordings must have different ids")
        self._maps = {r.id: maps[r.id] for r in others if r.id in maps}
        self._inverses = {k: m.inverse() for k, m in self._maps.items()}
        self._start_offset_s = {k: _first_offset_s(m) for k, m in self._maps.items()}
        self._mean_grid = self._integrate_mean() if base is TimeBase.MEAN else None

    @property
    def maps(self) -> Mapping[str, TimeMap]:
        """Reference seconds to own seconds, by recording id; only of aligned recordings."""
        return self._maps

    @property
    def duration_s(self) -> float:
        """Length of the master time line, seconds."""
        if self._mean_grid is not None:
            return float(self._mean_grid[0][-1])
        if self.base is TimeBase.NATIVE:
            ends = [
                r.index.duration_s - self._start_offset_s.get(r.id, 0.0) for r in self.recordings
            ]
            return max(self.reference.index.duration_s, *ends)
        return self.reference.index.duration_s

    def reference_time_at(self, time_s: float) -> float:
        """Seconds of the reference at master ``time_s``."""
        if self._mean_grid is None:
            return time_s
        master, reference = self._mean_grid
        return float(np.interp(time_s, master, reference))

    def master_time_of(self, recording_id: str, time_s: float) -> float | None:
        """Master time at which a recording's own ``time_s`` is shown, None if it never is."""
        recording = self._by_id[recording_id]
        if recording is self.reference:
            reference_s = time_s
        elif recording_id not in self._maps:
            return time_s
        elif self.base is TimeBase.NATIVE:
            return time_s - self._start_offset_s[recording_id]
        else:
            reference_s = self._inverses[recording_id](time_s)
            if not np.isfinite(reference_s):
                return None
        if self._mean_grid is None:
            return reference_s
        master, reference = self._mean_grid
        return float(np.interp(reference_s, reference, master))

    def times_at(self, time_s: float) -> dict[str, float | None]:
        """Own seconds of every recording at master ``time_s``; None = no counterpart."""
        found = {k: float(v[0]) for k, v in self.times_along(np.asarray([time_s])).items()}
        return {k: v if np.isfinite(v) else None for k, v in found.items()}

    def frames_at(self, time_s: float) -> dict[str, int | None]:
        """Frame number of every recording at master ``time_s``; None = no counterpart."""
        found = {k: int(v[0]) for k, v in self.frames_along(np.asarray([time_s])).items()}
        return {k: v if v >= 0 else None for k, v in found.items()}

    def rate_of(self, recording_id: str, time_s: float) -> float | None:
        """Momentary rate of a recording at master ``time_s`` (1.0 = natural speed).

        Measured over a quarter of a second on either side; None = no counterpart.
        """
        window = np.asarray([time_s - 0.25, time_s, time_s + 0.25])
        window = np.clip(window, 0.0, self.duration_s)
        own = self.times_along(window)[recording_id]
        usable = np.isfinite(own)
        if not usable[1] or usable.sum() < 2 or window[usable][-1] <= window[usable][0]:
            return None
        return float((own[usable][-1] - own[usable][0]) / (window[usable][-1] - window[usable][0]))

    def times_along(self, times_s: npt.ArrayLike) -> dict[str, Float64]:
        """Vectorised ``times_at``: float64 (T,) per recording, NaN = no counterpart.

        Times outside a recording's own length are NaN, except that the reference is clamped.
        """
        master = np.asarray(times_s, dtype=np.float64)
        reference_s = self._reference_along(master)
        return {r.id: self._own_along(r, master, reference_s) for r in self.recordings}

    def own_time_at(self, recording_id: str, time_s: float) -> float | None:
        """Own seconds of one recording at master ``time_s``; None = no counterpart."""
        master = np.asarray([time_s])
        reference_s = self._reference_along(master)
        own_s = float(self._own_along(self._by_id[recording_id], master, reference_s)[0])
        return own_s if np.isfinite(own_s) else None

    def frames_along(
        self, times_s: npt.ArrayLike, nudges: Mapping[str, int] | None = None
    ) -> dict[str, Int64]:
        """Vectorised ``frames_at``: int64 (T,) per recording, -1 = no counterpart.

        Parameters
        ----------
        nudges : frames by which a recording is shown ahead of its place, by id
        """
        result: dict[str, Int64] = {}
        for recording_id, own in self.times_along(times_s).items():
            index = self._by_id[recording_id].index
            shown = index.frames_shown_at(np.nan_to_num(own))
            if nudge := (nudges or {}).get(recording_id, 0):
                shown = np.clip(shown + nudge, 0, len(index) - 1)
            result[recording_id] = np.where(np.isfinite(own), shown, -1).astype(np.int64)
        return result

    def _reference_along(self, master: Float64) -> Float64:
        if self._mean_grid is None:
            return master
        return np.interp(master, *self._mean_grid)

    def _own_along(self, recording: Recording, master: Float64, reference_s: Float64) -> Float64:
        is_native = self.base is TimeBase.NATIVE
        if recording is self.reference:
            outside = is_native and master > recording.index.duration_s + 1e-6
            return np.where(outside, np.nan, reference_s)
        time_map = self._maps.get(recording.id)
        if time_map is None:
            own = master
        elif is_native:
            own = master + self._start_offset_s[recording.id]
        else:
            own = _mapped(time_map, reference_s, recording.index.duration_s)
        outside = (own < -1e-6) | (own > recording.index.duration_s + 1e-6)
        return np.where(outside, np.nan, own)

    def _integrate_mean(self) -> tuple[Float64, Float64]:
        """Return master times and the reference times they belong to, both ascending.

        Master time advances by the mean of what all recordings with a counterpart advance.
        """
        duration_s = self.reference.index.duration_s
        reference = np.linspace(0.0, duration_s, max(2, int(duration_s / 0.02) + 1))
        step_s = np.diff(reference)
        total = step_s.copy()
        count = np.ones_like(total)
        for time_map in self._maps.values():
            advance = np.diff(_mapped(time_map, reference, np.inf))
            known = np.isfinite(advance)
            total[known] += advance[known]
            count[known] += 1
        master = np.concatenate([[0.0], np.cumsum(total / count)])
        return master, reference


def _mapped(time_map: TimeMap, reference_s: Float64, duration_s: float) -> Float64:
    """Map times; between the last sample and the reference's end the map runs on as before.

    The map's knots are the embedded samples, so the recording goes on for up to one sample more.
    """
    last_s = float(time_map.reference_s[-1])
    own = time_map(np.minimum(reference_s, last_s))
    slope = time_map.slope_at(last_s)
    run_on = np.maximum(reference_s - last_s, 0.0) * (slope if np.isfinite(slope) else 1.0)
    # Where the other recording ends first, its last frame stays for the fraction of a second.
    beyond = np.minimum(own + run_on, np.maximum(own, duration_s))
    return np.where(reference_s > last_s, beyond, own)


def _first_offset_s(time_map: TimeMap) -> float:
    """How far the other recording is ahead of the reference at the first aligned moment."""
    start_s = time_map.domain[0]
    first = float(time_map(start_s))
    return first - start_s if np.isfinite(first) else 0.0
