"""The list of keys as a page of the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions.effective import normal_key
from app.actions.spec import MENUS
from app.actions.words import text_of, tip_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.actions.spec import ActionSpec

_HEAD = """# Keys and commands of the window

Made from the table of commands by `make keys`; do not edit. `Ctrl+K` in the window finds a command
by name, `F1` shows the keys in force, and every key can be changed: Edit > Settings > Keys. A
command may have two keys. On macOS, Ctrl is the Command key.
"""


def keys_page(specs: Iterable[ActionSpec]) -> str:
    """Write all commands by menu as Markdown tables."""
    rows = list(specs)
    parts = [_HEAD]
    for menu in MENUS:
        own = [spec for spec in rows if spec.menu == menu]
        if not own:
            continue
        parts.append(f"## {menu.replace('&', '')}\n")
        parts.append("| Command | Keys | What it does |\n|---|---|---|")
        for spec in own:
            name = text_of(spec).replace("&", "")
            keys = " or ".join(_code(normal_key(key)) for key in spec.keys)
            parts.append(f"| {name} | {keys} | {tip_of(spec)} |")
        parts.append("")
    return "\n".join(parts)


def _code(key: str) -> str:
    return f"`{key}`".replace("|", "\\|")
