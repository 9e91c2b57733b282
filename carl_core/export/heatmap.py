"""The similarity of two recordings as a picture, with the path and axes in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from carl_core.atomic import replacing
from carl_core.errors import ExportError
from carl_core.export.caption import BACKGROUND, QUIET_TEXT, TEXT, drawable, font
from carl_core.similarity.matrix import similarity, unit_rows

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import Float32, Float64, UInt8
    from carl_core.embeddings.embeddings import Embeddings

_SIDE = 900  # longest side of the plot in pixels
_MARGIN = (86, 30, 120, 64)  # left, top, right (legend), bottom

# Nine equally spaced colours of viridis (CC0, van der Walt and Smith 2015): perceptually uniform
# and safe for colour-blind readers.
_VIRIDIS = np.array(
    [
        [68, 1, 84],
        [71, 44, 122],
        [59, 81, 139],
        [44, 113, 142],
        [33, 144, 141],
        [39, 173, 129],
        [92, 200, 99],
        [170, 220, 50],
        [253, 231, 37],
    ],
    dtype=np.float64,
)


def viridis() -> UInt8:
    """Return the colour table, uint8 (256, 3)."""
    at = np.linspace(0, len(_VIRIDIS) - 1, 256)
    channels = [np.interp(at, np.arange(len(_VIRIDIS)), _VIRIDIS[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def write_heatmap(
    path: Path,
    reference: Embeddings,
    other: Embeddings,
    alignment: Alignment,
    *,
    names: tuple[str, str],
) -> Path:
    """Write a PNG: reference to the right, other upwards, similarity as colour, path on top.

    Both sequences are averaged down to at most 900 samples first, so the matrix stays small.

    Raises
    ------
    ExportError
        When the file cannot be written.
    """
    rows, row_end_s = _pooled(other)
    columns, column_end_s = _pooled(reference)
    # As the aligner sees them: what all frames of a recording share tells no moments apart.
    values = similarity(unit_rows(rows, centre=True), unit_rows(columns, centre=True))
    low, high = np.percentile(values, [2, 99.5])
    scaled = np.clip((values - low) / max(float(high - low), 1e-6), 0, 1)
    colours = viridis()[(scaled * 255).astype(np.uint8)][::-1]  # other upwards

    scale = _SIDE / max(column_end_s, row_end_s)
    # A very short recording beside a long one still gets a strip one can see.
    width = max(120, round(column_end_s * scale))
    height = max(120, round(row_end_s * scale))
    left, top, right, bottom = _MARGIN
    page = Image.new("RGB", (left + width + right, top + height + bottom), BACKGROUND)
    plot = Image.fromarray(np.ascontiguousarray(colours))
    page.paste(plot.resize((width, height), Image.Resampling.BILINEAR), (left, top))
    draw = ImageDraw.Draw(page)

    def place(reference_s: float, other_s: float) -> tuple[float, float]:
        x = left + reference_s / column_end_s * width
        return x, top + height - other_s / row_end_s * height

    known = np.isfinite(alignment.other_s)
    run: list[tuple[float, float]] = []
    for at_s, to_s, is_known in zip(alignment.reference_s, alignment.other_s, known, strict=True):
        if is_known:
            run.append(place(float(at_s), float(to_s)))
        else:
            _stroke(draw, run)
            run = []
    _stroke(draw, run)
    for anchor in alignment.anchors:
        x, y = place(anchor.reference_s, anchor.other_s)
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=(255, 255, 255), outline=(0, 0, 0))

    _axes(draw, (left, top, width, height), column_end_s, row_end_s, names)
    _legend(page, draw, (left + width + 24, top, 16, min(height, 240)), float(low), float(high))
    try:
        with replacing(path) as partial:
            page.save(partial, format="PNG")
    except OSError as error:
        raise ExportError(
            f"The picture {path} cannot be written: {error.strerror or error}. "
            "Choose another folder or free some space."
        ) from error
    return path


def _pooled(embeddings: Embeddings) -> tuple[Float32, float]:
    """Return at most 900 unit rows averaged over equal times, and the end time in seconds."""
    times: Float64 = embeddings.times_s
    count = len(times)
    step_s = float(np.median(np.diff(times))) if count > 1 else 1.0
    end_s = float(times[-1]) + step_s
    cells = min(count, _SIDE)
    bins = np.clip((times / end_s * cells).astype(np.int64), 0, cells - 1)
    total = np.zeros((cells, embeddings.vectors.shape[1]), dtype=np.float32)
    np.add.at(total, bins, embeddings.vectors)
    norms = np.linalg.norm(total, axis=1, keepdims=True)
    filled = np.flatnonzero(norms[:, 0] > 0)
    # Where frames are sparser than cells, a cell repeats the last frame shown.
    last = filled[np.clip(np.searchsorted(filled, np.arange(cells), side="right") - 1, 0, None)]
    unit: Float32 = (total[last] / norms[last]).astype(np.float32)
    return unit, end_s


def _stroke(draw: ImageDraw.ImageDraw, points: list[tuple[float, float]]) -> None:
    if len(points) > 1:
        draw.line(points, fill=(0, 0, 0), width=5, joint="curve")
        draw.line(points, fill=(255, 255, 255), width=2, joint="curve")


def _axes(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    column_end_s: float,
    row_end_s: float,
    names: tuple[str, str],
) -> None:
    left, top, width, height = box
    face = font(14)
    draw.rectangle((left - 1, top - 1, left + width, top + height), outline=QUIET_TEXT)
    for tick in _ticks(column_end_s, width):
        x = left + tick / column_end_s * width
        draw.line((x, top + height, x, top + height + 5), fill=QUIET_TEXT)
        draw.text((x, top + height + 8), f"{tick:g}", font=face, fill=TEXT, anchor="ma")
    for tick in _ticks(row_end_s, height):
        y = top + height - tick / row_end_s * height
        draw.line((left - 6, y, left - 1, y), fill=QUIET_TEXT)
        draw.text((left - 10, y), f"{tick:g}", font=face, fill=TEXT, anchor="rm")
    below = (left + width / 2, top + height + 34)
    draw.text(below, drawable(f"{names[0]}, seconds"), font=face, fill=TEXT, anchor="ma")
    draw.text((left, top - 8), drawable(f"{names[1]}, seconds"), font=face, fill=TEXT, anchor="ls")


def _ticks(end_s: float, pixels: int) -> list[float]:
    wanted = end_s / max(2, pixels / 80)
    power = 10.0 ** np.floor(np.log10(max(wanted, 1e-3)))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= wanted * 0.999)
    return [round(k * step, 6) for k in range(int(end_s / step) + 1)]


def _legend(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    low: float,
    high: float,
) -> None:
    x, y, width, height = box
    ramp = np.repeat(viridis()[::-1][:, None], width, axis=1)
    page.paste(Image.fromarray(ramp).resize((width, height)), (x, y))
    face = font(13)
    draw.text((x + width + 6, y), f"{high:.2f}", font=face, fill=TEXT, anchor="lt")
    draw.text((x + width + 6, y + height), f"{low:.2f}", font=face, fill=TEXT, anchor="lb")
    draw.text((x, y + height + 8), "similarity", font=face, fill=QUIET_TEXT, anchor="lt")
