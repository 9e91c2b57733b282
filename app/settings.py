"""What the window remembers between two starts: one declaration per key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from PySide6.QtCore import QByteArray, QSettings

from carl_core.paths import keeps_nothing, settings_file

if TYPE_CHECKING:
    from pathlib import Path

Value = TypeVar("Value", bool, int, float, str, QByteArray)

LAYOUT_VERSION = 4
"""Raise it when docks or toolbars change: a layout of another version is not restored."""


@dataclass(frozen=True, slots=True)
class Key(Generic[Value]):
    """One setting: its name in the file and what holds when it is not there."""

    name: str
    default: Value


GEOMETRY: Key[QByteArray] = Key("window/geometry", QByteArray())
LAYOUT_NAME: Key[str] = Key("layouts/current", "align")
THEME: Key[str] = Key("window/theme", "system")
LAST_FOLDER: Key[str] = Key("files/last-folder", "")
TIME_BASE: Key[str] = Key("play/time-base", "reference")
VOLUME: Key[int] = Key("sound/volume", 80)
MUTED: Key[bool] = Key("sound/muted", False)
STEP_RULE: Key[str] = Key("play/step-rule", "active")
READOUT: Key[str] = Key("play/readout", "time")
LOOP: Key[bool] = Key("play/loop", False)
COPIES: Key[bool] = Key("play/small-copies", False)
PICTURES: Key[str] = Key("play/pictures", "auto")
TRYING_OPENGL: Key[bool] = Key("play/trying-opengl", False)
MODEL: Key[str] = Key("engine/model", "")
DEVICE: Key[str] = Key("engine/device", "auto")
CACHE_GB: Key[float] = Key("engine/cache-gb", 8.0)
KEYS: Key[str] = Key("commands/keys", "")
KEEP_NOTHING: Key[bool] = Key("privacy/keep-nothing", False)
RECENT_COMMANDS: Key[str] = Key("commands/recent", "")


def layout_key(name: str) -> Key[QByteArray]:
    """Where a layout is kept as the user left it."""
    return Key(f"layouts/{name}-v{LAYOUT_VERSION}", QByteArray())


def forget_settings(path: Path | None = None) -> Path | None:
    """Begin with first settings again; return where the old ones lie now, None = there were none.

    Raises
    ------
    OSError
        When the file cannot be moved.
    """
    path = path or settings_file()
    if not path.exists():
        return None
    kept = path.with_suffix(".ini.old")
    path.replace(kept)
    return kept


class Settings:
    """Typed access to an INI file."""

    def __init__(self, path: Path | None = None) -> None:
        self._store = QSettings(str(path or settings_file()), QSettings.Format.IniFormat)

    def get(self, key: Key[Value]) -> Value:
        """Read a value; one of the wrong type counts as absent."""
        # INI gives text back after a restart ("true", "3"): always convert to the declared type.
        raw = self._store.value(key.name)
        default = key.default
        if raw is None:
            return default
        try:
            if isinstance(default, QByteArray):
                return raw if isinstance(raw, QByteArray) else default
            if isinstance(default, bool):
                return str(raw).lower() == "true"
            return type(default)(raw)
        except (TypeError, ValueError):
            return default

    def set(self, key: Key[Value], value: Value) -> None:
        """Keep a value, unless it tells where the user's files are and nothing may be kept."""
        if key is LAST_FOLDER and keeps_nothing():
            return
        self._store.setValue(key.name, value)

    def sync(self) -> None:
        """Write to disk now."""
        self._store.sync()
