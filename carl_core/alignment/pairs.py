"""What is kept of aligned pairs, so that an anchor can be moved in one at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from carl_core.alignment.looks import Look, Pair

if TYPE_CHECKING:
    from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
    from carl_core.progress import Monitor

_MOST = 8  # nine recordings, one of them the reference


class KeptPairs:
    """Means and prices of the pairs asked for last, a few numbers each. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pairs: OrderedDict[tuple[EmbeddingKey, EmbeddingKey, bool], Pair] = OrderedDict()

    def of(
        self, first: Embeddings, second: Embeddings, *, centre: bool, monitor: Monitor | None
    ) -> Pair:
        """Return what ``nearby.resolve`` needs of a pair; made once. Raises ``Cancelled``."""
        key = (first.key, second.key, centre)
        with self._lock:
            pair = self._pairs.get(key)
            if pair is not None:
                self._pairs.move_to_end(key)
        if (
            pair is not None
            and pair.reference.vectors is first.vectors
            and pair.other.vectors is second.vectors
        ):
            return pair
        looks = [Look(e.vectors, centre, monitor) for e in (first, second)]
        pair = Pair(*looks)
        _ = pair.typical  # made while this job can be cancelled
        for look in looks:
            look.monitor = None  # kept longer than this job
        with self._lock:
            self._pairs[key] = pair
            while len(self._pairs) > _MOST:
                self._pairs.popitem(last=False)
        return pair
