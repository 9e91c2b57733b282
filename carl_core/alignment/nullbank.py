"""A bank of embeddings of unrelated clips, per encoder: part of the null for confidence.

``assets/null_bank.npz`` holds, for every model id, an array ``<model_id>/vectors`` float16 (T, D)
and ``<model_id>/starts`` int64 (K + 1,): clip k is rows starts[k] to starts[k + 1]. It is optional:
an encoder without a bank is judged by the other null maps alone. Some frames of the same clips, as
the encoder's trunk sees them one by one, are kept as ``<model_id>:features``: the yardstick for
searching by a picture.
"""

from __future__ import annotations

import logging
import zipfile
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import as_read_only
from carl_core.assets import assets_folder
from carl_core.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from carl_core.arrays import Float16, Float32

log = logging.getLogger("carl.align")

BANK_NAME = "null_bank.npz"


def features_id(model_id: str) -> str:
    """Return the id under which a bank keeps raw trunk features, (T, C) a clip, of an encoder."""
    return f"{model_id}:features"


def bank_for(model_id: str, path: Path | None = None) -> tuple[Float32, ...]:
    """Return the clips of one encoder or of ``features_id``, float32 (T, D) each; empty: none."""
    return _load(str(path or assets_folder() / BANK_NAME), model_id)


def write_bank(
    path: Path, clips_by_model: Mapping[str, Sequence[Float16] | Sequence[Float32]]
) -> None:
    """Write a bank with the clips of some encoders."""
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    for model_id, clips in clips_by_model.items():
        arrays[f"{model_id}/vectors"] = np.concatenate(list(clips)).astype(np.float16)
        arrays[f"{model_id}/starts"] = np.cumsum([0, *(len(clip) for clip in clips)])
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


@lru_cache(maxsize=8)
def _load(path: str, model_id: str) -> tuple[Float32, ...]:
    try:
        # Opened here: NumPy leaves a damaged file open.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if f"{model_id}/vectors" not in stored:
                return ()
            vectors = stored[f"{model_id}/vectors"].astype(np.float32)
            starts = stored[f"{model_id}/starts"]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        log.warning("the null bank %s cannot be read (%s): confidence goes without it", path, error)
        return ()
    return tuple(as_read_only(vectors[a:b], np.float32) for a, b in pairwise(starts))
