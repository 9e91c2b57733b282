"""Open recordings of a data set; their indices are kept on disk.

Finding out exactly which frames a file holds costs a pass over it and a decode of its beginning
(0.05 to 0.5 s of one core). It is done once for each file; what is kept is one small file in the
cache folder, believed as long as the video's size and time of change stay the same.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import zipfile
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import xxhash

from carl_core.atomic import replacing
from carl_core.embeddings.store import cache_folder
from carl_core.paths import keeps_nothing
from carl_core.timebase import FrameIndex
from carl_core.video.info import VideoInfo
from carl_core.video.recording import Recording, open_recording

if TYPE_CHECKING:
    from pathlib import Path

# Changes when what is stored, or how a recording is indexed, does.
_FORMAT = 1
_FRACTIONS = ("sar", "time_base")

log = logging.getLogger("carl.train")


def open_known(path: Path) -> Recording:
    """Open a recording, from its kept index where there is one. Safe from any thread.

    Raises
    ------
    MediaError
        As ``open_recording``; also where a file that was known has gone.
    """
    kept = _kept_path(path)
    if kept is None:
        return open_recording(path)
    recording = _read(kept, path)
    if recording is None:
        recording = open_recording(path)
        _write(kept, recording)
    return recording


def _kept_path(path: Path) -> Path | None:
    """Where the index of a file as it is now is kept; None where there is none, or none is kept."""
    if keeps_nothing():
        return None
    try:
        status = path.stat()
        whole = os.fsencode(path.resolve())
    except (OSError, RuntimeError):
        return None
    stamp = f"{_FORMAT}:{status.st_size}:{status.st_mtime_ns}:".encode()
    digest = xxhash.xxh3_128(stamp + whole).hexdigest()
    return cache_folder() / "indices" / digest[:2] / f"{digest}.npz"


def _read(kept: Path, path: Path) -> Recording | None:
    try:
        with kept.open("rb") as stored, np.load(stored, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            info = facts["info"]
            for name in _FRACTIONS:
                info[name] = Fraction(info[name])
            info["problems"] = tuple(info["problems"])
            index = FrameIndex(
                file["pts"], facts["end_pts"], file["is_key"], Fraction(facts["time_base"])
            )
        return Recording(
            id=facts["fingerprint"][:16],
            path=path,
            fingerprint=facts["fingerprint"],
            info=VideoInfo(**info),
            index=index,
            is_counted=facts["is_counted"],
            threads=facts["threads"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as exc:
        log.debug("the kept index of %s is not used: %s", path, exc)
        return None


def _write(kept: Path, recording: Recording) -> None:
    info = dataclasses.asdict(recording.info)
    for name in _FRACTIONS:
        info[name] = str(info[name])
    facts = {
        "fingerprint": recording.fingerprint,
        "info": info,
        "end_pts": int(recording.index.end_pts),
        "time_base": str(recording.index.time_base),
        "is_counted": recording.is_counted,
        "threads": recording.threads,
    }
    try:
        with replacing(kept) as partial, partial.open("wb") as file:
            np.savez(
                file,
                facts=np.array(json.dumps(facts)),
                pts=recording.index.pts,
                is_key=recording.index.is_key,
            )
    except OSError as exc:
        log.debug("the index of %s is not kept: %s", recording.name, exc)
