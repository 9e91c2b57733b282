from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray

from app.settings import GEOMETRY, Key, Settings

if TYPE_CHECKING:
    from pathlib import Path

IS_IT: Key[bool] = Key("a/flag", False)
COUNT: Key[int] = Key("a/count", 7)
SHARE: Key[float] = Key("a/share", 0.5)
NAME: Key[str] = Key("a/name", "x")


def test_values_come_back_with_their_types_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "window.ini"
    settings = Settings(path)
    settings.set(IS_IT, True)
    settings.set(COUNT, 3)
    settings.set(SHARE, 0.25)
    settings.set(NAME, "true")
    settings.set(GEOMETRY, QByteArray(b"\x00\x01"))
    settings.sync()
    again = Settings(path)
    assert again.get(IS_IT) is True
    assert again.get(COUNT) == 3
    assert again.get(SHARE) == 0.25
    assert again.get(NAME) == "true"
    assert again.get(GEOMETRY) == QByteArray(b"\x00\x01")


def test_defaults_stand_in_for_what_is_missing_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "window.ini"
    path.write_text("[a]\ncount=many\n")
    settings = Settings(path)
    assert settings.get(COUNT) == 7
    assert settings.get(IS_IT) is False
    assert settings.get(GEOMETRY).isEmpty()
