"""Align two recordings: choose a method, solve, judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carl_core.alignment.options import AlignOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.alignment.alignment import Alignment, Anchor, Mask
    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.progress import Monitor

__all__ = ["METHODS", "AlignOptions", "align"]

METHODS = ("auto", "dtw", "open-end", "subsequence", "linear", "offset", "anchors")
_DEFAULTS = AlignOptions()


def align(
    reference: Embeddings,
    other: Embeddings,
    *,
    method: str = "auto",
    anchors: Sequence[Anchor] = (),
    masks: Sequence[Mask] = (),
    options: AlignOptions = _DEFAULTS,
    monitor: Monitor | None = None,
) -> Alignment:
    """Align ``other`` to ``reference``."""
    raise NotImplementedError
