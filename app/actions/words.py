"""The words of an action in the user's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

if TYPE_CHECKING:
    from app.actions.spec import ActionSpec


def translated(text: str) -> str:
    """Translate a text of the table."""
    return QCoreApplication.translate("Actions", text)


def text_of(spec: ActionSpec) -> str:
    """Return the action's text as in a menu."""
    return translated(spec.text).replace("%1", str(spec.number))


def tip_of(spec: ActionSpec) -> str:
    """Return what the action does."""
    return translated(spec.tip).replace("%1", str(spec.number))


def plain_text(spec: ActionSpec) -> str:
    """Return the action's text without mnemonic and dots, for key sheet and buttons."""
    return text_of(spec).replace("&", "").rstrip("…")
