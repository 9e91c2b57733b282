"""Pictures of an evaluation as PNG: loss curves, similarity matrices, embeddings in the plane.

Colours are told apart with any colour vision (the palette of Okabe and Ito, and cividis).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from carl_core.atomic import replacing
from carl_core.errors import ExportError
from carl_core.runs import Evaluated, Step
from carl_core.similarity.matrix import similarity, unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from carl_core.alignment.warping_path import Path as WarpPath
    from carl_core.arrays import Float32, Float64, Int64
    from carl_core.runs import Event

# Okabe and Ito, without yellow and light blue that vanish on white.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00")
_STYLES = ("-", "--", "-.", ":")
_MARKERS = "o^sDvP*X"
_MAX_RECORDINGS = len(_MARKERS)
_PLANE_ROWS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Two recordings side by side, ready to be drawn.

    Attributes
    ----------
    title : of the panel
    rows, columns : float32 (N, D) and (M, D), unit rows of the reference and of the other
    reference_s, other_s : float64 (N,) and (M,), seconds
    path : found between the two
    truth : float64 (K, 2), seconds of the reference and of the other that show the same, or None
    """

    title: str
    rows: Float32
    columns: Float32
    reference_s: Float64
    other_s: Float64
    path: WarpPath
    truth: Float64 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Vectors of one recording under one method.

    Attributes
    ----------
    name : of the recording
    vectors : float (T, D)
    labels : int64 (T,), phases, -1 = none; None: colour shows the place in the recording
    """

    name: str
    vectors: Float32
    labels: Int64 | None = None


def plot_losses(events: Iterable[Event], path: Path, *, title: str = "Training") -> bool:
    """Draw the losses of a run over its steps, and its scores where it was evaluated.

    Returns
    -------
    Whether there was anything to draw; if not, nothing is written
    """
    steps: list[Step] = []
    scores: list[Evaluated] = []
    for event in events:
        if isinstance(event, Step):
            steps.append(event)
        elif isinstance(event, Evaluated):
            scores.append(event)
    if not steps:
        return False
    figure, axes = _figure(2 if scores else 1, 1)
    curves = {name: [] for event in steps for name in event.losses}  # type: dict[str, list[tuple[int, float]]]
    for event in steps:
        for name, value in event.losses.items():
            curves[name].append((event.step, value))
    order = sorted(curves, key=lambda name: name != "total")
    is_only_total = len(order) == 2 and _same_curve(curves[order[0]], curves[order[1]])
    _draw_curves(axes[0], {name: curves[name] for name in (order[1:] if is_only_total else order)})
    axes[0].set_title(f"{title}: losses")
    axes[0].set_ylabel("loss")
    if scores:
        percents: dict[str, list[tuple[int, float]]] = {}
        for event in scores:
            for name, value in event.scores.items():
                if name.endswith("_median_percent"):
                    short = name.removesuffix("_median_percent").replace("_", " ")
                    percents.setdefault(short, []).append((event.step, value))
        _draw_curves(axes[1], percents)
        axes[1].set_title(f"{title}: known-warp error")
        axes[1].set_ylabel("median error, % of the action")
        axes[1].set_ylim(bottom=0)
    for one in axes:
        one.set_xlabel("optimiser step")
    _save(figure, path)
    return True


def plot_similarity(pairs: Sequence[Matched], path: Path, *, title: str) -> None:
    """Draw matrices of cosine similarity with the path found and, where known, the truth."""
    figure, axes = _figure(len(pairs), 1, height=4.2)
    image: Any = None
    for one, pair in zip(axes, pairs, strict=True):
        edges = [
            *(float(pair.other_s[k]) for k in (0, -1)),
            *(float(pair.reference_s[k]) for k in (-1, 0)),
        ]
        image = one.imshow(
            similarity(pair.rows, pair.columns),
            extent=(edges[0], edges[1], edges[2], edges[3]),
            aspect="auto",
            cmap="cividis",
            vmin=-1.0,
            vmax=1.0,
            interpolation="nearest",
        )
        one.plot(
            pair.other_s[pair.path.other],
            pair.reference_s[pair.path.reference],
            color="white",
            linewidth=1.8,
            path_effects=[Stroke(linewidth=3.6, foreground="black"), Normal()],
            label="DTW path",
        )
        if pair.truth is not None:
            one.plot(
                pair.truth[:, 1],
                pair.truth[:, 0],
                "o",
                markersize=5,
                markerfacecolor="#D55E00",
                markeredgecolor="white",
                markeredgewidth=0.7,
                label="truth",
            )
        one.set_title(pair.title, fontsize=10)
        one.set_xlabel("other, seconds")
        one.set_ylabel("reference, seconds")
    legend = axes[0].legend(loc="upper right", fontsize=8, facecolor="#444444", framealpha=0.9)
    for text in legend.get_texts():
        text.set_color("white")
    figure.suptitle(title, fontsize=11)
    figure.colorbar(image, ax=axes, label="cosine similarity", shrink=0.9)
    _save(figure, path)


def plot_embeddings(panels: Sequence[tuple[str, Sequence[Cloud]]], path: Path) -> None:
    """Draw recordings in the plane of their first two principal components, a panel a method.

    Colour is the phase, or where nothing is labelled the place in the recording; the marker is the
    recording. At most eight recordings are drawn.
    """
    figure, axes = _figure(len(panels), 1, height=4.2)
    has_labels = any(cloud.labels is not None for _, clouds in panels for cloud in clouds)
    shown: Any = None
    for one, (title, all_clouds) in zip(axes, panels, strict=True):
        clouds = all_clouds[:_MAX_RECORDINGS]
        planes, share = _plane([cloud.vectors for cloud in clouds])
        for number, (cloud, plane) in enumerate(zip(clouds, planes, strict=True)):
            one.plot(plane[:, 0], plane[:, 1], color="#BBBBBB", linewidth=0.6, zorder=1)
            place = np.linspace(0.0, 100.0, len(plane))
            common: dict[str, Any] = {
                "marker": _MARKERS[number], "s": 18, "linewidths": 0, "zorder": 2,
            }  # fmt: skip
            if has_labels:
                labels = np.full(len(plane), -1) if cloud.labels is None else cloud.labels
                colours = [_PALETTE[k % len(_PALETTE)] if k >= 0 else "#DDDDDD" for k in labels]
                one.scatter(plane[:, 0], plane[:, 1], c=colours, **common)
            else:
                shown = one.scatter(
                    plane[:, 0], plane[:, 1], c=place, cmap="cividis", vmin=0, vmax=100, **common
                )
        one.set_title(f"{title}\n{share:.0%} of the variance", fontsize=10)
        one.set_aspect("equal", adjustable="datalim")
        one.set_xlabel("first principal component")
        one.set_ylabel("second principal component")
    figure.legend(
        handles=_handles(panels[-1][1][:_MAX_RECORDINGS], has_labels),
        loc="outside right upper",
        fontsize=8,
    )
    if shown is not None:
        figure.colorbar(shown, ax=axes, label="place in the recording, %", shrink=0.9)
    _save(figure, path)


def plot_methods(
    scores: Mapping[str, Mapping[str, Sequence[float]]], columns: Sequence[str], path: Path
) -> None:
    """Draw methods side by side, a panel a column: mean and two standard deviations over seeds.

    Parameters
    ----------
    scores : method to column to one error per seed, in percent of the span
    columns : which columns, in order
    path : PNG file
    """
    figure, axes = _figure(len(columns), 1, height=0.36 * len(scores) + 1.4)
    places = np.arange(len(scores))[::-1]
    for one, column in zip(axes, columns, strict=True):
        for number, (place, values) in enumerate(zip(places, scores.values(), strict=True)):
            found = np.asarray(values[column], dtype=np.float64)
            width = 2.0 * float(found.std(ddof=1)) if len(found) > 1 else 0.0
            colour = _PALETTE[0] if number == 0 else "#777777"
            one.plot(found, np.full(len(found), place), ".", color=colour, alpha=0.45)
            one.errorbar(found.mean(), place, xerr=width, fmt="o", color=colour, capsize=3)
        one.set_title(column, fontsize=10)
        one.set_xlim(left=0.0)
        one.set_xlabel("median error, % of the span")
        one.set_yticks(
            places, [name.replace("_", " ") for name in scores] if one is axes[0] else []
        )
        one.grid(visible=True, axis="x", color="#E5E5E5", linewidth=0.6)
    _save(figure, path)


def _handles(clouds: Sequence[Cloud], has_labels: bool) -> list[Line2D]:
    """Legend entries: recordings by marker, phases by colour."""
    common: dict[str, Any] = {"linestyle": "none", "markersize": 6, "markeredgewidth": 0}
    handles = [
        Line2D([], [], marker=_MARKERS[k], color="#777777", label=cloud.name[:28], **common)
        for k, cloud in enumerate(clouds)
    ]
    if has_labels:
        found = [cloud.labels for cloud in clouds if cloud.labels is not None]
        for phase in np.unique(np.concatenate(found)):
            colour = _PALETTE[int(phase) % len(_PALETTE)] if phase >= 0 else "#DDDDDD"
            text = f"phase {phase}" if phase >= 0 else "no phase"
            handles.append(Line2D([], [], marker="s", color=colour, label=text, **common))
    return handles


def _figure(columns: int, rows: int, *, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.8 * columns + 0.8, height * rows), layout="constrained", dpi=130)
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


def _draw_curves(axes: Axes, curves: dict[str, list[tuple[int, float]]]) -> None:
    for number, (name, points) in enumerate(curves.items()):
        known = [(step, value) for step, value in points if math.isfinite(value)]
        axes.plot(
            [step for step, _ in known],
            [value for _, value in known],
            color=_PALETTE[number % len(_PALETTE)],
            linestyle=_STYLES[(number // len(_PALETTE) + number) % len(_STYLES)],
            linewidth=1.4,
            marker="o" if len(known) < 12 else None,
            markersize=3,
            label=name.replace("_", " "),
        )
    axes.grid(visible=True, color="#E5E5E5", linewidth=0.6)
    if len(curves) > 0:
        axes.legend(fontsize=8)


def _same_curve(one: list[tuple[int, float]], two: list[tuple[int, float]]) -> bool:
    return len(one) == len(two) and bool(np.allclose(one, two, rtol=1e-6, equal_nan=True))


def _plane(parts: Sequence[Float32]) -> tuple[list[Float64], float]:
    """Project on the first two principal components; return the planes and the variance's share."""
    rows = np.concatenate([unit_rows(part, centre=False) for part in parts]).astype(np.float64)
    rows -= rows.mean(axis=0)
    few = rows[:: max(1, len(rows) // _PLANE_ROWS)]  # directions hardly change, time does
    _, sizes, directions = np.linalg.svd(few, full_matrices=False)
    spread = sizes**2
    share = float(spread[:2].sum() / max(float(spread.sum()), 1e-30))
    wide = np.zeros((2, rows.shape[1]))
    wide[: len(directions[:2])] = directions[:2]
    flat = rows @ wide.T
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return np.split(flat, ends), share


def _save(figure: Figure, path: Path) -> None:
    try:
        with replacing(path) as partial:
            figure.savefig(partial, format="png", metadata={"Software": None})
    except OSError as exc:
        raise ExportError(f"The picture {path} cannot be written ({exc}).") from exc
