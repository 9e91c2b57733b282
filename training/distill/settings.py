"""Settings of a distillation: TOML with the sections [views], [student], [run]."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from training.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """What is looked at, and how often.

    Attributes
    ----------
    pool : folder with ``videos/``, ``images/*.tar`` and ``manifest.csv``
    teachers : folder with the teachers' files
    exclude_columns : clips whose manifest row has one of these cells filled are left out
    max_fps : clips are thinned to this rate
    groups : groups of each clip, plus one for every four frames of it
    most_groups : at most so many of one clip
    image_views : looks at each image
    actions, action_views, action_frames : simulated actions, performances of each, frames of each
    min_area : smallest share of a picture that a look shows
    max_aspect : most a look's proportions differ from the picture's
    whole_share : looks that show the whole picture
    seed : of everything drawn
    """

    pool: str = ""
    teachers: str = ""
    exclude_columns: tuple[str, ...] = ("dev_overlap",)
    max_fps: float = 15.0
    groups: int = 100
    most_groups: int = 220
    image_views: int = 8
    actions: int = 250
    action_views: int = 2
    action_frames: int = 48
    min_area: float = 0.3
    max_aspect: float = 1.4
    whole_share: float = 0.25
    seed: int = 1


@dataclass(frozen=True, slots=True)
class StudentSettings:
    """Shape of the student.

    Attributes
    ----------
    size : side of its input in pixels, a multiple of 16 that gives the teacher's 7 x 7 places: 112
    widths : channels of the four stages
    tokens : means over a grid of so many cells leave the trunk, a square number
    pose_share : weight of the pose among the features, beside 1 for the places, on simulated and
        free clips (several times that on recordings of one person from near)
    """

    size: int = 112
    widths: tuple[int, ...] = (48, 96, 192, 256)
    tokens: int = 4
    pose_share: float = 0.25


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How it is trained.

    Attributes
    ----------
    dir : run folder; an interrupted run goes on from there
    steps : optimiser steps of ``batch`` views
    batch : views of one step, whole groups
    rate, weight_decay, warmup_steps : of AdamW; the rate falls as a cosine
    place_weight : of the map place by place, beside 1 for its means over the grid
    difference_weight : of differences within a group of one recording
    joints_weight : of where joints are
    threads : torch threads, 0 = all cores
    device : "auto" (GPU when there is one), "cpu" or "cuda"; a run may go on on another one
    precision : "float32" or "bfloat16"
    seed : of weights, order and colours
    log_every, checkpoint_every : steps
    name, licence : of the encoder file
    """

    dir: str = "runs/distill"
    steps: int = 10000
    batch: int = 64
    rate: float = 1.5e-3
    weight_decay: float = 0.05
    warmup_steps: int = 200
    place_weight: float = 0.5
    difference_weight: float = 1.0
    joints_weight: float = 0.5
    threads: int = 0
    device: str = "auto"
    precision: str = "bfloat16"
    seed: int = 1
    log_every: int = 50
    checkpoint_every: int = 250
    name: str = "carl-trunk"
    licence: str = "MIT"


@dataclass(frozen=True, slots=True)
class DistillSettings:
    """All of it."""

    views: ViewSettings = field(default_factory=ViewSettings)
    student: StudentSettings = field(default_factory=StudentSettings)
    run: RunSettings = field(default_factory=RunSettings)

    def digest(self, *sections: str) -> str:
        """Return a name for these sections (none = all) that changes with any setting.

        Where a run is computed (``run.device``) and how the features of the finished trunk are
        weighed (``student.pose_share``) do not change what is learned: they do not count.
        """
        chosen = {name: asdict(getattr(self, name)) for name in sections or _SECTIONS}
        chosen.get("run", {}).pop("device", None)
        chosen.get("student", {}).pop("pose_share", None)
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]


_SECTIONS = {"views": ViewSettings, "student": StudentSettings, "run": RunSettings}


def load_settings(path: Path | None, overrides: list[str]) -> DistillSettings:
    """Read a TOML file and apply ``section.key=value`` over it.

    Raises
    ------
    ConfigError
        Names the file, key or value that makes no sense.
    """
    tables: dict[str, Any] = {}
    if path is not None:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as exc:
            raise ConfigError(f"The configuration {path} cannot be read ({exc}).") from exc
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ConfigError(f"The configuration {path} is no valid TOML: {exc}.") from exc
    for override in overrides:
        key, equals, text = override.partition("=")
        section, dot, name = key.strip().partition(".")
        if not equals or not dot:
            raise ConfigError(f"--set {override!r} is not of the form section.key=value.")
        try:
            value = tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        tables.setdefault(section, {})[name] = value
    built = {}
    for section, values in tables.items():
        if section not in _SECTIONS or not isinstance(values, dict):
            raise ConfigError(f"There is no section [{section}]. Sections: {', '.join(_SECTIONS)}.")
        built[section] = _section(section, values)
    settings = DistillSettings(**built)
    _check(settings)
    return settings


def settings_of(config: Mapping[str, Any]) -> DistillSettings:
    """Return the settings a run folder's ``config.json`` holds.

    Raises
    ------
    ConfigError
        Names the key or value that makes no sense.
    """
    for section in config:
        if section not in _SECTIONS:
            raise ConfigError(f"There is no section [{section}] in the settings of a distillation.")
    return DistillSettings(**{name: _section(name, dict(config[name])) for name in config})


def _section(section: str, values: dict[str, Any]) -> Any:
    kind = _SECTIONS[section]
    usual = {one.name: getattr(kind(), one.name) for one in fields(kind)}
    checked = {}
    for name, value in values.items():
        if name not in usual:
            raise ConfigError(f"There is no key {section}.{name}. Keys: {', '.join(usual)}.")
        wanted = type(usual[name])
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        elif wanted is tuple and isinstance(value, list):
            value = tuple(value)
        if type(value) is not wanted:
            raise ConfigError(f"{section}.{name} = {value!r} must be of type {wanted.__name__}.")
        checked[name] = value
    return kind(**checked)


def _check(settings: DistillSettings) -> None:
    student, run, views = settings.student, settings.run, settings.views
    wrong = {
        "student.size must be 112: four stages then give the teacher's 7 x 7 places": (
            student.size != 112
        ),
        "student.widths must name four numbers above 0": (
            len(student.widths) != 4 or min(student.widths) < 1
        ),
        "student.tokens must be a square number": round(student.tokens**0.5) ** 2 != student.tokens,
        "run.precision must be float32 or bfloat16": run.precision not in ("float32", "bfloat16"),
        "run.device must be auto, cpu or cuda": run.device not in ("auto", "cpu", "cuda"),
        "run.batch must be a multiple of 4, the size of a group": run.batch < 4 or run.batch % 4,
        "run.steps must be above 0": run.steps < 1,
        "views.min_area must lie in (0, 1]": not 0 < views.min_area <= 1,
        "views.max_aspect must be at least 1": views.max_aspect < 1,
    }
    for message, is_wrong in wrong.items():
        if is_wrong:
            raise ConfigError(f"{message}.")
