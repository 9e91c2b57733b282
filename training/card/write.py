"""The model card of an encoder, in Markdown, from the facts its runs left."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carl_core.encoder.onnx import load_encoder
from training.card.provenance import finished_run, read_manifest
from training.card.tables import (
    attribution_lines,
    comparison_lines,
    document,
    score_lines,
    table,
)
from training.config import ConfigError
from training.distill.loop import ENCODER_NAME as TRUNK_NAME
from training.distill.loop import is_held_back
from training.distill.settings import settings_of
from training.export import head_path
from training.teachers import IMAGE_FILE, POSE_FILE
from training.train import ENCODER_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from carl_core.encoder.onnx import Encoder
    from training.card.provenance import FinishedRun, Piece

_POSITIONS = {
    "relative": "relative, in units of the clip's usual step: no clock, no absolute seconds",
    "seconds": "differences in seconds: no clock",
    "none": "none",
    "carl": "stretched over the clip: a clock",
}
_TEACHERS = {
    IMAGE_FILE: "MobileNetV2 1.0 for ImageNet (M. Sandler et al., CVPR 2018)",
    POSE_FILE: "MoveNet SinglePose Lightning (Google, 2021)",
}
_TEACHERS_LICENCE = "Apache-2.0"
_TEACHERS_SOURCE = "github.com/google-coral/test_data"
_SAME_FEATURES = 1e-3  # largest difference of one trunk in two files, of the largest feature


def model_card(
    trunk: Path, head: Path, pool: Path, *, scores: Path | None, compare: Path | None, notes: str
) -> str:
    """Return the card in Markdown.

    Raises
    ------
    ConfigError
        When a run is not finished, the head belongs to another trunk, or a report to another file.
    MediaError
        When the manifest cannot be read, or does not name the source of a clip that was used.
    ModelError
        When an encoder cannot be read.
    """
    taught, learned = finished_run(trunk), finished_run(head)
    encoder = load_encoder(head / ENCODER_NAME, device="cpu", threads=1)
    _check_trunk(encoder, taught, learned)
    views = _views_of(taught)
    used = _used(taught, learned, pool, views)
    spec = encoder.spec
    return "\n".join(
        [
            f"# Model card: `{ENCODER_NAME}` ({spec.name})", "",
            f"Written by `python -m training.card` from the run folders of `make encoder`, "
            f"{time.strftime('%Y-%m-%d', time.gmtime(learned.learned_s))}.", "",
            *_model_rows(encoder, taught, learned), "",
            "## How it was trained", "", *_stages(taught, learned, views), "",
            "## Data", "", *_data(taught, learned, used, views), "",
            "## Teachers", "", *_teachers(taught), "",
            "## Scores", "", *score_lines(scores, encoder.model_id), "",
            "## Losses side by side", "", *comparison_lines(compare), "",
            "## Weaknesses", "", notes.strip() or "No notes were given.", "",
            "## Sources of the clips and pictures", "", *attribution_lines(used), "",
        ]
    )  # fmt: skip


def _check_trunk(encoder: Encoder, taught: FinishedRun, learned: FinishedRun) -> None:
    """Refuse a head that was trained before its trunk, or that sits on another one."""
    remedy = f"Move {learned.folder} away and run make encoder again."
    if learned.began_s < taught.learned_s:
        raise ConfigError(
            f"The head in {learned.folder} was trained before the trunk in {taught.folder} had "
            f"learned all it was to. {remedy}"
        )
    other = load_encoder(taught.folder / TRUNK_NAME, device="cpu", threads=1)
    size = encoder.spec.size
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, size, size, 3)).astype(np.uint8)
    if other.spec.size == size and other.spec.channels == encoder.spec.channels:
        ours, theirs = encoder.features(pictures), other.features(pictures)
        if np.abs(ours - theirs).max() <= _SAME_FEATURES * np.abs(theirs).max():
            return
    raise ConfigError(
        f"{encoder.path} does not hold the trunk of {other.path}: the features of a picture "
        f"differ. {remedy}"
    )


def _model_rows(encoder: Encoder, taught: FinishedRun, learned: FinishedRun) -> list[str]:
    spec, path = encoder.spec, Path(encoder.path)
    state = head_path(path)
    beside = f"; head's state beside it, {_megabytes(state)}" if state.is_file() else ""
    window = f"windows of {spec.window_frames} samples, {spec.overlap_frames} shared"
    return table(
        ("", ""),
        [
            (
                "model id",
                f"`{encoder.model_id}` (sha256 of the file), {_megabytes(path)}, 32-bit weights "
                f"inside{beside}",
            ),
            (
                "input",
                f"{spec.size} x {spec.size} RGB, {_FITS[spec.fit]}; {spec.sample_fps:g} samples "
                f"per second; {window if spec.window_frames else 'the whole recording at once'}",
            ),
            (
                "output",
                f"{spec.tokens} tokens x {spec.token_dim} = {spec.channels} features and a "
                f"{spec.dim}-dimensional unit vector per frame",
            ),
            ("position", _POSITIONS[spec.position]),
            ("licence of the weights", spec.licence),
            (
                "seeds",
                f"{taught.config['run']['seed']} (trunk), {taught.config['views']['seed']} "
                f"(looks), {learned.config['run']['seed']} (head)",
            ),
            (
                "digests of the settings",
                f"`{settings_of(taught.config).digest()}` (trunk), `{spec.config_digest}` (head)",
            ),
        ],
    )


_FITS = {"squash": "squashed", "letterbox": "between bars", "crop": "cropped"}


def _stages(taught: FinishedRun, learned: FinishedRun, views: Mapping[str, int]) -> list[str]:
    run, data = taught.config["run"], learned.config["data"]
    frames = learned.steps * learned.config["run"]["accumulate"] * data["batch_clips"]
    frames *= 2 * learned.config["sampling"]["frames"]
    total_s = sum(one.prepared_s + one.trained_s for one in (taught, learned))
    held_back = sum(map(is_held_back, views)) or "some"
    rows = [
        (
            "looks and what the teachers say",
            "",
            f"{sum(views.values()):,} looks",
            taught.prepared_s,
        ),
        ("trunk", f"{taught.steps:,}", f"{taught.steps * run['batch']:,} looks", taught.trained_s),
        ("features of the trunk", "", "", learned.prepared_s),
        ("head", f"{learned.steps:,}", f"{frames:,} frames", learned.trained_s),
        ("all", "", "", total_s),
    ]
    return [
        *table(
            ("stage", "steps", "seen", "seconds", "minutes"),
            [(*row[:3], f"{row[3]:.0f}", f"{row[3] / 60:.1f}") for row in rows],
        ),
        "",
        "Seconds are summed over the pieces of each run, as its events and files date them; pauses "
        "of more than five minutes between them are left out. "
        f"Trunk: {_run_in_words(taught)}; head: {_run_in_words(learned)}.",
        "",
        f"The trunk learns to say what the teachers say; {held_back} clips were kept "
        "from it and asked about at the end (1 = nothing is known):",
        "",
        *table(("", "value"), [(name, f"{value:.3f}") for name, value in taught.scores.items()]),
        "",
        f"The head (loss `{learned.config['loss']['name']}`, temperature "
        f"{learned.config['loss']['temperature']:g}, sigma {learned.config['loss']['sigma']:g} of "
        f"{learned.config['sampling']['sigma_unit']}, {data['simulated_share']:.0%} simulated "
        "pairs) learns on the features of that trunk, which stays as it is. Last reported loss: "
        f"{learned.losses['total']:.3f}. No checkpoint was chosen by a score.",
    ]


def _run_in_words(run: FinishedRun) -> str:
    pieces = "in one go" if run.pieces == 1 else f"in {run.pieces} pieces"
    return f"{pieces}, on {' and '.join(run.devices)}, `{run.folder.as_posix()}`"


def _data(
    taught: FinishedRun, learned: FinishedRun, used: Sequence[Piece], views: Mapping[str, int]
) -> list[str]:
    look, data = taught.config["views"], learned.config["data"]
    clips = [piece for piece in used if piece.is_clip]
    minutes = sum(piece.duration_s for piece in clips) / 60
    left_out = sorted({*look["exclude_columns"], *data["exclude_columns"]})
    kinds: Counter[str] = Counter()
    for name, count in views.items():
        kinds[name.partition("-")[0]] += count
    words = {"clip": "clips", "images": "pictures", "actions": "simulated actions"}
    lines = [
        f"- {len(clips)} clips, {minutes:.1f} minutes"
        + (f", without those whose `{'`, `'.join(left_out)}` is filled" if left_out else ""),
        f"- {len(used) - len(clips):,} pictures",
        f"- trunk: {look['actions']} simulated actions, {look['action_views']} performances of "
        f"{look['action_frames']} frames",
        f"- head: {data['simulated_actions']} simulated actions, {data['simulated_views']} views "
        f"of {data['simulated_frames']} frames",
        "- looks at "
        + ", ".join(f"{words[kind]}: {kinds[kind]:,}" for kind in words if kinds[kind]),
        "- no labels of recordings",
    ]
    return [line for line in lines if line != "- looks at "]


def _teachers(taught: FinishedRun) -> list[str]:
    folder = Path(taught.config["views"]["teachers"])
    rows = []
    for file, title in _TEACHERS.items():
        path = folder / file
        digest = "not at hand"
        if path.is_file():
            digest = f"`{hashlib.sha256(path.read_bytes()).hexdigest()}`"
        rows.append((title, f"`{file}`", _TEACHERS_LICENCE, _TEACHERS_SOURCE, digest))
    return [
        *table(("network", "file", "licence", "source", "sha256"), rows),
        "",
        "They were asked what they see in the pictures; none of their weights is in the encoder.",
    ]


def _views_of(taught: FinishedRun) -> dict[str, int]:
    """Return how many looks were taken at each source, nothing where they have been deleted."""
    folder = taught.folder / f"views-{settings_of(taught.config).digest('views')}"
    found = {path.stem: document(path)["views"] for path in sorted(folder.glob("*.json"))}
    return {name: int(count) for name, count in found.items() if count}


def _used(
    taught: FinishedRun, learned: FinishedRun, pool: Path, views: Mapping[str, int]
) -> list[Piece]:
    """Return the rows of the manifest that trunk or head saw: clips that count, all pictures."""
    look, data = taught.config["views"], learned.config["data"]
    chosen = [look["exclude_columns"]] if look["pool"] else []
    if data["root"] and data["simulated_share"] < 1:
        chosen.append(data["exclude_columns"])
    used = {
        piece.file: piece
        for columns in chosen
        for piece in read_manifest(pool, columns)
        if not (piece.is_clip and piece.is_excluded)
    }
    named = {f"clip-{piece.stem}" for piece in used.values() if piece.is_clip}
    unknown = sorted(name for name in views if name.startswith("clip-") and name not in named)
    if unknown:
        raise ConfigError(
            f"{len(unknown)} clips that the trunk saw are not in the manifest of {pool}, "
            f"{unknown[0].removeprefix('clip-')} for one. Name the pool that was used with --pool."
        )
    return list(used.values())


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"
