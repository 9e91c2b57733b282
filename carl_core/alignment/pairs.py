"""What is kept of aligned pairs, so that an anchor can be moved in one at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from carl_core.alignment.looks import Look, Pair

if TYPE_CHECKING:
    from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
    from carl_core.progress import Monitor
    from carl_core.similarity.matrix import Centre

_MOST = 8  # nine recordings, one of them the reference


class Numbers(NamedTuple):
    """What looking at every sample of a pair gives; a few numbers, so that no file stays open."""

    middles: tuple[Centre, Centre]
    typical: tuple[float, float]


class KeptPairs:
    """What is known of the pairs asked for last. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[EmbeddingKey, EmbeddingKey, bool], Numbers] = OrderedDict()

    def of(
        self, first: Embeddings, second: Embeddings, *, centre: bool, monitor: Monitor | None
    ) -> Pair:
        """Return what ``nearby.resolve`` needs; looked at once. Raises ``Cancelled``."""
        key = (first.key, second.key, centre)
        reference, other = (Look(e.vectors, centre, monitor) for e in (first, second))
        pair = Pair(reference, other)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = Numbers((reference.middle, other.middle), pair.typical)
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        reference.middle, other.middle = known.middles
        pair.typical = known.typical
        return pair
