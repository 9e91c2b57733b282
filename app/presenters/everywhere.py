"""A search of all recordings that were ever embedded, with pictures from their files."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.models.engine import PictureQuery
from app.presenters.match_pictures import send_pictures
from carl_core.errors import CarlError
from carl_core.paths import is_there

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.jobs import Job
    from app.models.engine import EngineHandle, SearchQuery
    from carl_core.retrieval.everywhere import LibraryResult
    from carl_core.video.recording import Recording


@dataclass(frozen=True, slots=True, eq=False)
class Everywhere:
    """Asks the library, and opens the files of what it found to take pictures from them.

    Attributes
    ----------
    engine : its library is searched
    k : moments at most
    """

    engine: EngineHandle
    k: int

    def run(
        self,
        job: Job[None],
        asked: Sequence[tuple[SearchQuery, bool]],
        recordings: Sequence[Recording],
    ) -> None:
        """Send the ``LibraryResult``, then pictures. For a worker's thread.

        Of what is asked the second says that it is not wanted. Recordings that frames were taken
        from are left out. ``recordings`` are those open already.
        """
        wanted = [query for query, is_unlike in asked if not is_unlike]
        unwanted = [query for query, is_unlike in asked if is_unlike]
        result = self.engine.search_everything(
            wanted,
            unlike=unwanted,
            k=self.k,
            without={
                query.recording.fingerprint
                for query in wanted
                if not isinstance(query, PictureQuery)
            },
            monitor=job.monitor,
        )
        job.send(result)
        files = self._opened(job, result, {r.fingerprint: r for r in recordings})
        send_pictures(job, _moments(result), files)

    def _opened(
        self, job: Job[None], result: LibraryResult, known: dict[str, Recording]
    ) -> list[Recording]:
        """Open what was found, as far as it still lies there and is what was embedded."""
        found: dict[str, Recording] = {}
        for hit in result.hits:
            job.monitor.check()
            if hit.fingerprint in known:
                found[hit.fingerprint] = known[hit.fingerprint]
            elif hit.fingerprint not in found and hit.path is not None and is_there(hit.path):
                with contextlib.suppress(CarlError):  # then it has no pictures
                    opened = self.engine.get().open(hit.path, monitor=job.monitor, provisional=True)
                    if opened.fingerprint == hit.fingerprint:
                        found[hit.fingerprint] = opened
        return list(found.values())


def _moments(result: LibraryResult) -> list[tuple[str, float]]:
    """Return (recording id, seconds) of all hits in the order in which they are shown."""
    order = dict.fromkeys(hit.fingerprint for hit in result.hits)
    return [
        (hit.fingerprint[:16], hit.time_s)
        for fingerprint in order
        for hit in result.hits
        if hit.fingerprint == fingerprint
    ]
