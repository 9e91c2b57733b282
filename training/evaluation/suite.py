"""Run metrics over every contestant and put them in rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.evaluation import honest, protocol
from training.evaluation.cases import score_embedder
from training.evaluation.controls import POSITION
from training.evaluation.probe import linear_probe
from training.evaluation.report import HIGHER, LOWER, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.progress import Monitor
    from training.evaluation.cases import FeatureCase
    from training.evaluation.controls import Contestant
    from training.evaluation.tracks import Track

Values = dict[str, list[float]]
Metric = Callable[[list[protocol.Embedded], list[protocol.Embedded]], float]

TRIM_SEEDS = (0, 1, 2)

_TAU_NOTE = (
    "Tau measures order only: a clock scores near 1 by itself, whole or trimmed. "
    "It says nothing about pictures unless it beats the column 'position only'."
)
_AP_NOTE = "The published 'AP@K' is the precision of the K nearest frames, not average precision."
_ROTATED_NOTE = (
    "The other recording's second part plays first: a clock scores at most 0.16, "
    "pictures that decide score 1."
)
_TRIM_NOTE = (
    "Every recording is cut at either end by up to "
    f"{honest.TRIM:.0%} of its length at random, before it is embedded. Fixed draws: "
)
_BOUNDARY_NOTE = (
    "Phase boundaries of one recording carried to another along plain global DTW (2-1-1), "
    f"all ordered pairs of an action, of more than {honest.MOST_PAIRS} a fixed draw of as many."
)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The recordings of one data set, for one trunk.

    Attributes
    ----------
    train, val : recordings in their order
    """

    train: Sequence[Track]
    val: Sequence[Track]


def published_rows(
    contestants: Sequence[Contestant],
    splits: Sequence[Split],
    *,
    stride: int,
    fractions: Sequence[float] = protocol.FRACTIONS,
    svc: bool = True,
    monitor: Monitor,
) -> list[Row]:
    """Phase classification, progression, tau and precision of the first K, as published.

    Parameters
    ----------
    contestants : what is compared
    splits : by the number of the contestants' trunk
    stride : of tau and retrieval, in frames
    fractions : of training recordings for the classifiers
    svc : whether the support vector machine stands beside logistic regression, on all recordings
    monitor : progress in columns
    """
    found: dict[str, Values] = defaultdict(lambda: defaultdict(list))
    undefined, incomplete = 0, 0
    monitor.start("published protocol", len(contestants), "columns")
    for contestant in contestants:
        split = splits[contestant.trunk]
        train = [contestant.embedded(track) for track in split.train]
        val = [contestant.embedded(track) for track in split.val]
        column = contestant.column
        for fraction in fractions:
            value = protocol.per_action(_accuracy(fraction, "logistic"), train, val)
            found[f"logistic {fraction:g}"][column].append(100.0 * value)
        if svc:
            value = protocol.per_action(_accuracy(1.0, "svc"), train, val)
            found["svc 1"][column].append(100.0 * value)
        progressions: list[protocol.Progression] = []
        taus: list[protocol.Tau] = []
        found["progression"][column].append(
            protocol.per_action(_progression_into(progressions), train, val)
        )
        found["tau"][column].append(protocol.per_action(_tau_into(taus, stride), train, val))
        undefined = max(undefined, sum(tau.undefined for tau in taus))
        incomplete = sum(one.incomplete for one in progressions)
        for k in protocol.AP_KS:
            value = protocol.per_action(_precision(stride, k), train, val)
            found[f"ap {k}"][column].append(100.0 * value)
        monitor.advance()
    section = "Published protocol"
    names = {"logistic": "logistic regression", "svc": "SVC, radial kernel"}
    rows = []
    for classifier, name in names.items():
        for fraction in fractions:
            values = found.get(f"{classifier} {fraction:g}", {})
            if values:
                label = f"phase classification ({name}, {fraction:.0%} of the recordings)"
                rows.append(Row(section, label, "%", HIGHER, 2, values))
    note = ""
    if incomplete:
        note = f"Left out of progression: {incomplete} recordings that do not show every phase."
    rows.append(Row(section, "phase progression, R²", "", HIGHER, 4, found["progression"], note))
    note = _TAU_NOTE
    if undefined:
        note += f" Up to {undefined} pairs have no tau and are left out, as published."
    rows.append(Row(section, f"Kendall's τ (stride {stride})", "", HIGHER, 4, found["tau"], note))
    for k in protocol.AP_KS:
        label = f"AP@{k} (stride {stride})"
        rows.append(Row(section, label, "%", HIGHER, 2, found[f"ap {k}"], _AP_NOTE))
    return rows


def probe_rows(
    contestants: Sequence[Contestant],
    splits: Sequence[Split],
    *,
    seed: int,
    epochs: int,
    monitor: Monitor,
) -> list[Row]:
    """Run the linear probe of FineGym."""
    values: Values = defaultdict(list)
    for contestant in contestants:
        split = splits[contestant.trunk]
        train = [contestant.embedded(track) for track in split.train]
        val = [contestant.embedded(track) for track in split.val]
        score = linear_probe(train, val, seed=seed, epochs=epochs, monitor=monitor)
        values[contestant.column].append(100.0 * score.val)
    name = f"linear probe, top-1 of single frames ({epochs} epochs)"
    return [Row("Linear probe", name, "%", HIGHER, 2, values)]


def boundary_rows(
    contestants: Sequence[Contestant],
    splits: Sequence[Split],
    *,
    stride: int,
    seeds: Sequence[int] = TRIM_SEEDS,
    monitor: Monitor,
) -> list[Row]:
    """Boundary errors whole and trimmed, and tau and precision under trims and rotation."""
    found: dict[str, Values] = defaultdict(lambda: defaultdict(list))
    monitor.start("what a clock cannot win", len(contestants) * (1 + len(seeds)), "columns")
    for contestant in contestants:
        column, val = contestant.column, splits[contestant.trunk].val
        _add_boundary(found, "", column, [honest.boundary_errors(contestant, val)])
        monitor.advance()
        errors, taus, precisions, turned = [], [], [], []
        for seed in seeds:
            trimmed = honest.trimmed_tracks(val, seed)
            errors.append(honest.boundary_errors(contestant, trimmed))
            cut = [contestant.embedded(track) for track in trimmed]
            taus.append(protocol.per_action(_tau_into([], stride), [], cut))
            precisions.append(protocol.per_action(_precision(stride, 5), [], cut))
            turned.append(honest.rotated_tau(contestant, val, stride=stride, seed=seed).mean)
            monitor.advance()
        _add_boundary(found, " trimmed", column, errors)
        found["tau"][column].append(_mean(taus))
        found["ap"][column].append(100.0 * _mean(precisions))
        found["rotated"][column].append(_mean(turned))
    rows = []
    trim_note = f"{_TRIM_NOTE}{len(seeds)}."
    for key, text, note in (
        ("", "whole", _BOUNDARY_NOTE),
        (" trimmed", "trimmed", f"{_BOUNDARY_NOTE} {trim_note}"),
    ):
        section = "What a clock cannot win: labelled recordings"
        for unit, digits in (("frames", 2), ("seconds", 3), ("percent of the length", 2)):
            values = found[unit.split(" ")[0] + key]
            rows.append(Row(section, f"boundary error, {text}", unit, LOWER, digits, values, note))
        values = found["accuracy" + key]
        rows.append(Row(section, f"labels carried over, {text}", "%", HIGHER, 2, values, note))
    rows.append(
        Row(section, "τ, rotated", "", HIGHER, 4, found["rotated"], _ROTATED_NOTE),
    )
    section = "Published metrics under random trims"
    rows.append(Row(section, "AP@5, trimmed", "%", HIGHER, 2, found["ap"], trim_note))
    rows.append(Row(section, "τ, trimmed", "", HIGHER, 4, found["tau"], _TAU_NOTE))
    return rows


def case_rows(
    contestants: Sequence[Contestant],
    cases: Sequence[Sequence[FeatureCase]],
    *,
    section: str,
    name: str,
    is_warp: bool = False,
    note: str = "",
    monitor: Monitor,
) -> list[Row]:
    """Errors over cases of known correspondence, a row for each group and one for their mean.

    Key moments: the median over a group's cases of the median error, as the benchmark of the
    aligner gives it. Known warps: the mean over the cases of the median error and of the mean error
    in seconds, as ``warp.known_warp_scores`` gives them during training.

    Parameters
    ----------
    contestants : what is compared; for a clock alone, linear time takes the place of a DTW
    cases : by the number of the contestants' trunk
    section, name, note : of the rows
    is_warp : whether these are known warps
    monitor : progress in cases
    """
    groups = list(dict.fromkeys(case.group for case in cases[0]))
    percent: dict[str, Values] = defaultdict(lambda: defaultdict(list))
    seconds: dict[str, Values] = defaultdict(lambda: defaultdict(list))
    overall: Values = defaultdict(list)
    monitor.start(section, len(contestants) * len(cases[0]), "alignments")
    for contestant in contestants:
        chosen = cases[contestant.trunk]
        if contestant.uses_pixels:
            chosen = [case.with_pixels() for case in chosen]
        scores = score_embedder(
            None if contestant.column == POSITION else contestant.embed,
            chosen,
            centre=contestant.centred != "never",
            monitor=monitor,
        )
        for group, score in scores.items():
            error = score.mean_percent if is_warp else score.median_percent
            percent[group][contestant.column].append(error)
            seconds[group][contestant.column].append(score.mean_s)
        mean = _mean([found[contestant.column][-1] for found in percent.values()])
        overall[contestant.column].append(mean)
    rows = [
        Row(section, f"{name}, {group}", "% of the span", LOWER, 2, percent[group], note)
        for group in groups
    ]
    if len(groups) > 1:
        text = f"{name}, mean of the groups"
        rows.append(Row(section, text, "% of the span", LOWER, 2, overall, note))
    if is_warp:
        rows += [
            Row(section, f"{name}, {group}, mean", "s", LOWER, 3, seconds[group], note)
            for group in groups
        ]
    return rows


def _tau_into(kept: list[protocol.Tau], stride: int) -> Metric:
    """Tau as a metric per action that also keeps what it found."""

    def metric(_: list[protocol.Embedded], val: list[protocol.Embedded]) -> float:
        kept.append(protocol.kendall_tau(val, stride=stride))
        return kept[-1].mean

    return metric


def _progression_into(kept: list[protocol.Progression]) -> Metric:
    def metric(train: list[protocol.Embedded], val: list[protocol.Embedded]) -> float:
        kept.append(protocol.progression(train, val))
        return kept[-1].val

    return metric


def _precision(stride: int, k: int) -> Metric:
    return lambda _, val: protocol.retrieval_precision(val, stride=stride, ks=(k,))[k]


def _accuracy(fraction: float, classifier: str) -> Metric:
    return lambda train, val: protocol.phase_accuracy(
        train, val, fraction=fraction, classifier=classifier
    )


def _add_boundary(
    found: dict[str, Values], key: str, column: str, errors: Sequence[honest.BoundaryError]
) -> None:
    found["frames" + key][column].append(_mean([error.frames for error in errors]))
    found["seconds" + key][column].append(_mean([error.seconds for error in errors]))
    found["percent" + key][column].append(_mean([error.percent for error in errors]))
    accuracy = _mean([error.label_accuracy for error in errors])
    found["accuracy" + key][column].append(100.0 * accuracy)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
