"""Menus made of the table of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu

from app.actions import ACTIONS, MENUS, translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from PySide6.QtCore import QPoint
    from PySide6.QtGui import QAction
    from PySide6.QtWidgets import QMenuBar, QWidget

    from app.actions import ActionId


def fill_menu_bar(bar: QMenuBar, actions: Mapping[ActionId, QAction]) -> None:
    """Put every command into its menu or submenu, in the order of the table."""
    for menu_text in MENUS:
        menu = bar.addMenu(translated(menu_text))
        menu.setObjectName(f"menu-{menu_text.replace('&', '').lower()}")
        menu.setToolTipsVisible(True)
        inner: dict[str, QMenu] = {}
        for spec in ACTIONS:
            if spec.menu != menu_text:
                continue
            into = menu
            if spec.submenu:
                if spec.submenu not in inner:
                    inner[spec.submenu] = menu.addMenu(translated(spec.submenu))
                    inner[spec.submenu].setToolTipsVisible(True)
                into = inner[spec.submenu]
            if spec.starts_section:
                into.addSeparator()
            into.addAction(actions[spec.id])


def pop_up(
    parent: QWidget, name: str, commands: Iterable[QAction | None], at: QPoint
) -> QMenu | None:
    """Offer these commands at a place of the screen; None = a line between two groups.

    Commands that are invisible are left out. Returns the menu, which deletes itself once it was
    hidden, or None where there is nothing to offer.
    """
    menu = QMenu(parent)
    menu.setObjectName(name)
    menu.setToolTipsVisible(True)
    for command in commands:
        if command is None:
            menu.addSeparator()
        else:
            menu.addAction(command)
    if menu.isEmpty():
        menu.deleteLater()
        return None
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(at)
    return menu
