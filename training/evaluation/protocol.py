"""The published evaluation, computed as the official code of the method computes it.

Phase classification, phase progression, Kendall's tau and "AP@K" on embeddings of every labelled
frame. Two of the names promise more than is computed: "AP@K" is the precision of the first K, and
tau compares nearest neighbours in order, which a clock wins (``training.evaluation.controls``).
Data sets with several actions: every metric per action, then the unweighted mean (``per_action``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import kendalltau
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from carl_core.arrays import Float32, Float64, Int64

FRACTIONS = (0.1, 0.5, 1.0)
AP_KS = (5, 10, 15)
_MAX_ITER = 100_000
_SHORT = 128  # frames up to which all their pairs are looked at


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """One recording's vectors.

    Attributes
    ----------
    name : for messages
    vectors : float (T, D)
    times_s : float64 (T,), the recording's own seconds
    labels : int64 (T,), phase of each frame, -1 = none; None where there are no labels
    action : what is done, "" = not known
    """

    name: str
    vectors: Float32 | Float64
    times_s: Float64
    labels: Int64 | None = None
    action: str = ""

    def labelled(self) -> Embedded:
        """Return the frames that have a label; without labels, all frames."""
        if self.labels is None:
            return self
        has_label = self.labels >= 0
        return replace(
            self,
            vectors=self.vectors[has_label],
            times_s=self.times_s[has_label],
            labels=self.labels[has_label],
        )


@dataclass(frozen=True, slots=True)
class Tau:
    """Kendall's tau over ordered pairs of recordings.

    Attributes
    ----------
    mean : over the pairs that have one, NaN where none has
    pairs : ordered pairs compared
    undefined : of these, pairs whose nearest neighbours are all one frame. The published code
        leaves them out, which flatters embeddings that hardly change.
    """

    mean: float
    pairs: int
    undefined: int


@dataclass(frozen=True, slots=True)
class Progression:
    """R squared of phase progression on both splits, and recordings that lack a phase.

    Attributes
    ----------
    train, val : mean over phases of R squared, NaN where it cannot be computed
    incomplete : recordings left out because they do not show every phase
    """

    train: float
    val: float
    incomplete: int


def phase_accuracy(
    train: Sequence[Embedded],
    val: Sequence[Embedded],
    *,
    fraction: float = 1.0,
    classifier: str = "logistic",
) -> float:
    """Accuracy of a classifier of single frames, over all frames of ``val`` pooled.

    Published: multinomial logistic regression (L-BFGS, C = 1, at most 100,000 iterations) on the
    first ``max(1, int(fraction * N))`` recordings. "svc" is the support vector machine with a
    radial kernel that earlier papers use.

    Parameters
    ----------
    train, val : labelled recordings of one action
    fraction : of the training recordings, in their order
    classifier : "logistic" or "svc"

    Returns
    -------
    0..1, NaN where the training frames show fewer than two phases or nothing is labelled
    """
    used = train[: max(1, int(fraction * len(train)))]
    vectors, labels = _pooled(used)
    val_vectors, val_labels = _pooled(val)
    if len(np.unique(labels)) < 2 or len(val_labels) == 0:
        return math.nan
    if classifier == "logistic":
        model = LogisticRegression(solver="lbfgs", C=1.0, max_iter=_MAX_ITER)
    elif classifier == "svc":
        model = SVC(decision_function_shape="ovo")
    else:
        raise ValueError(f"classifier must be 'logistic' or 'svc', got {classifier!r}")
    return float(model.fit(vectors, labels).score(val_vectors, val_labels))


def progression(train: Sequence[Embedded], val: Sequence[Embedded]) -> Progression:
    """How well one linear regression per phase tells how far off its end is.

    With C phases the targets are, for i = 0..C-2, ``(t - last frame of phase i) / L`` over the L
    labelled frames of a recording; without regularisation, fitted on the pooled training frames.
    """
    phases = _phases([*train, *val])
    split = [
        [item for one in part if _shows_all(item := one.labelled(), phases)]
        for part in (train, val)
    ]
    incomplete = len(train) + len(val) - len(split[0]) - len(split[1])
    if len(phases) < 2 or not split[0]:
        return Progression(math.nan, math.nan, incomplete)
    targets = [[_progress(one, phases) for one in part] for part in split]
    vectors = np.concatenate([one.vectors for one in split[0]])
    scores: tuple[list[float], list[float]] = ([], [])
    for phase in range(len(phases) - 1):
        model = LinearRegression().fit(
            vectors, np.concatenate([target[:, phase] for target in targets[0]])
        )
        for part, part_targets, found in zip(split, targets, scores, strict=True):
            if part:
                found.append(
                    model.score(
                        np.concatenate([one.vectors for one in part]),
                        np.concatenate([target[:, phase] for target in part_targets]),
                    )
                )
    means = [float(np.mean(found)) if found else math.nan for found in scores]
    return Progression(means[0], means[1], incomplete)


def kendall_tau(recordings: Sequence[Embedded], *, stride: int) -> Tau:
    """Tau-b between a recording's order and that of its nearest neighbours in another.

    Over all ordered pairs of the same action; every ``stride``-th labelled frame; squared Euclidean
    distance. No warping: any map that never turns back scores 1, however wrong.
    """
    strided = [one.labelled().vectors[::stride] for one in recordings]
    found = []
    for i, j in _pairs(recordings):
        if len(strided[i]) == 0 or len(strided[j]) == 0:
            found.append(math.nan)
            continue
        nearest = cdist(strided[i], strided[j], "sqeuclidean").argmin(axis=1)
        found.append(order_tau(nearest))
    values = np.asarray(found, dtype=np.float64)
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if len(known) else math.nan
    return Tau(mean, len(values), len(values) - len(known))


def order_tau(places: Int64) -> float:
    """Tau-b of ``places`` against 0, 1, 2, ...; NaN where they are all one."""
    count = len(places)
    if count < 2 or (places == places[0]).all():
        return math.nan
    if count > _SHORT:
        return float(kendalltau(np.arange(count), places).statistic)
    # The same by definition, ten times as fast: most of SciPy's time is not the counting.
    earlier, later = _all_pairs(count)
    signs = np.sign(places[later] - places[earlier])
    return float(signs.sum() / math.sqrt(len(signs) * np.count_nonzero(signs)))


def retrieval_precision(
    recordings: Sequence[Embedded], *, stride: int, ks: Sequence[int] = AP_KS
) -> dict[int, float]:
    """Share of the K nearest frames of the other recordings that show the same phase ("AP@K").

    Queries are every ``stride``-th labelled frame of each recording, the gallery is the same frames
    of all other recordings of the action; mean over a recording's frames, then over recordings.
    A recording without another to search in is left out; NaN where that leaves none.
    """
    strided = [_strided(one, stride) for one in recordings]
    scores: dict[int, list[float]] = {k: [] for k in ks}
    for number, (vectors, labels) in enumerate(strided):
        others = [
            part
            for place, part in enumerate(strided)
            if place != number
            and recordings[place].action == recordings[number].action
            and len(part[1])
        ]
        if not others or len(labels) == 0:
            continue
        gallery = np.concatenate([part[0] for part in others])
        gallery_labels = np.concatenate([part[1] for part in others])
        distances = cdist(vectors, gallery, "sqeuclidean")
        nearest = np.argsort(distances, axis=1, kind="stable")[:, : max(ks)]
        is_same = gallery_labels[nearest] == labels[:, None]  # (queries, K)
        for k in ks:
            scores[k].append(float(is_same[:, :k].mean()))
    return {k: float(np.mean(found)) if found else math.nan for k, found in scores.items()}


def per_action(
    metric: Callable[[list[Embedded], list[Embedded]], float],
    train: Sequence[Embedded],
    val: Sequence[Embedded],
) -> float:
    """Evaluate each action of ``val`` on its own and return the unweighted mean.

    Actions for which the metric is not defined are left out; NaN where that leaves none.
    """
    by_action: dict[str, tuple[list[Embedded], list[Embedded]]] = defaultdict(lambda: ([], []))
    for one in train:
        by_action[one.action][0].append(one)
    for one in val:
        by_action[one.action][1].append(one)
    values = [metric(ours, theirs) for ours, theirs in by_action.values() if theirs]
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


@cache
def _all_pairs(count: int) -> tuple[Int64, Int64]:
    earlier, later = np.triu_indices(count, 1)
    return earlier, later


def _pairs(recordings: Sequence[Embedded]) -> list[tuple[int, int]]:
    count = len(recordings)
    return [
        (i, j)
        for i in range(count)
        for j in range(count)
        if i != j and recordings[i].action == recordings[j].action
    ]


def _pooled(recordings: Sequence[Embedded]) -> tuple[Float64, Int64]:
    parts = [one.labelled() for one in recordings if one.labels is not None]
    if not parts:
        return np.empty((0, 1)), np.empty(0, dtype=np.int64)
    vectors = np.concatenate([np.asarray(one.vectors, dtype=np.float64) for one in parts])
    return vectors, np.concatenate([one.labels for one in parts if one.labels is not None])


def _phases(recordings: Sequence[Embedded]) -> Int64:
    found = [one.labels for one in recordings if one.labels is not None]
    labels = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
    return labels[labels >= 0].astype(np.int64)


def _shows_all(one: Embedded, phases: Int64) -> bool:
    return one.labels is not None and bool(np.isin(phases, one.labels).all())


def _progress(one: Embedded, phases: Int64) -> Float64:
    """Targets (L, C - 1) of one labelled recording."""
    assert one.labels is not None
    length = len(one.labels)
    last = np.asarray([np.flatnonzero(one.labels == phase)[-1] for phase in phases[:-1]])
    targets: Float64 = (np.arange(length)[:, None] - last[None]) / length
    return targets


def _strided(one: Embedded, stride: int) -> tuple[Float32 | Float64, Int64]:
    part = one.labelled()
    labels = np.full(len(part.vectors), -1) if part.labels is None else part.labels
    if part.labels is None:
        return part.vectors[:0], labels[:0]
    return part.vectors[::stride], labels[::stride]
