"""The libraries of all encoders beside a store: where they lie, and what leaves no trace there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from carl_core.retrieval.library import Library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from carl_core.embeddings.store import EmbeddingStore


def root_beside(store: EmbeddingStore) -> Path:
    """Return the folder of all libraries made from a store."""
    return store.root.with_name(f"{store.root.name}-library")


def libraries_beside(store: EmbeddingStore) -> Iterator[Library]:
    """Yield the library of each encoder that has one."""
    root = root_beside(store)
    if root.is_dir():
        for folder in sorted(root.iterdir()):
            if folder.is_dir():
                yield Library(root, folder.name)


def forget_in_libraries(store: EmbeddingStore, fingerprint: str) -> int:
    """Take a recording out of every library; return how many knew it. Raises ``StoreError``."""
    known = 0
    for library in libraries_beside(store):
        if any(one.key.fingerprint == fingerprint for one in library.catalogue.all()):
            known += 1
        library.forget([fingerprint])
    return known


def clear_libraries(store: EmbeddingStore) -> None:
    """Remove every library. Raises ``StoreError`` while another process writes one."""
    for library in libraries_beside(store):
        library.clear()
    shutil.rmtree(root_beside(store), ignore_errors=True)
