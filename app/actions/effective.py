"""Which keys are in force: those of the table, and what the user changed of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QKeySequence

from app.actions.spec import ActionId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.actions.spec import ActionSpec

MOST_KEYS = 2
FORMAT = 1
"""Of the text the changes are kept as; another number is not read."""


@dataclass(frozen=True)
class KeyMap:
    """The keys in force.

    Attributes
    ----------
    keys : of every command, the first is shown in menus and tips
    conflicts : keys that more than one command has, and those commands; Qt runs none of them
    """

    keys: Mapping[ActionId, tuple[str, ...]]
    conflicts: Mapping[str, tuple[ActionId, ...]]

    def conflicts_of(self, which: ActionId) -> dict[str, tuple[ActionId, ...]]:
        """Return the keys a command shares, with the other commands that have them."""
        return {
            key: tuple(o for o in self.conflicts[key] if o is not which)
            for key in self.keys[which]
            if key in self.conflicts
        }


def normal_key(key: str) -> str:
    """Return a key as Qt writes it in files ("ctrl+k" → "Ctrl+K"); "" = Qt does not know it."""
    sequence = QKeySequence(key, QKeySequence.SequenceFormat.PortableText)
    text = sequence.toString(QKeySequence.SequenceFormat.PortableText)
    # An unknown key comes back as a sequence that Qt can write but nobody can press.
    known = all(
        sequence[i].key().value not in (0, 0x1FFFFFF)  # type: ignore[index]
        for i in range(sequence.count())
    )
    return text if known else ""


def native_key(key: str) -> str:
    """Return a key as it is written on this system."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


def effective_keys(
    specs: Iterable[ActionSpec], overrides: Mapping[ActionId, tuple[str, ...]]
) -> KeyMap:
    """Put the user's keys in place of the table's, and find what is used twice."""
    keys: dict[ActionId, tuple[str, ...]] = {}
    users: dict[str, list[ActionId]] = {}
    for spec in specs:
        wanted = overrides.get(spec.id, spec.keys)
        own = tuple(dict.fromkeys(k for k in map(normal_key, wanted) if k))
        keys[spec.id] = own
        for key in own:
            users.setdefault(key, []).append(spec.id)
    return KeyMap(keys, {k: tuple(ids) for k, ids in users.items() if len(ids) > 1})


def overrides_to_text(overrides: Mapping[ActionId, tuple[str, ...]]) -> str:
    """Write the user's changes as JSON."""
    keys = {which.value: list(keys) for which, keys in overrides.items()}
    return json.dumps({"format": FORMAT, "keys": keys}, ensure_ascii=False, sort_keys=True)


def overrides_from_text(text: str) -> dict[ActionId, tuple[str, ...]]:
    """Read the user's changes; what is damaged, unknown or of another format is left out."""
    try:
        data = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return {}
    kept = data.get("keys")
    if not isinstance(kept, dict):
        return {}
    names = {which.value: which for which in ActionId}
    result: dict[ActionId, tuple[str, ...]] = {}
    for name, keys in kept.items():
        if name not in names or not isinstance(keys, list):
            continue
        own = [normal_key(k) for k in keys if isinstance(k, str)]
        result[names[name]] = tuple(k for k in own if k)[:MOST_KEYS]
    return result
