"""``carl install-desktop``: the window in a Linux desktop's menus, and projects that open it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.assets import asset_path
from carl_core.atomic import write_atomic
from carl_core.cli.console import message, result
from carl_core.errors import CarlError

if TYPE_CHECKING:
    import argparse

MIME_TYPE = "application/x-carl-project"
_VIDEO_TYPES = (
    "video/mp4",
    "video/quicktime",
    "video/x-matroska",
    "video/webm",
    "video/x-msvideo",
    "video/mp2t",
    "video/mpeg",
)
_MIME = f"""<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{MIME_TYPE}">
    <comment>CARL comparison of recordings</comment>
    <icon name="carl"/>
    <glob pattern="*.carl"/>
  </mime-type>
</mime-info>
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "install-desktop", help="put the window into the desktop's menus (Linux)"
    )
    parser.add_argument("--remove", action="store_true", help="take it out again")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.set_defaults(run=run_desktop)


def run_desktop(options: argparse.Namespace) -> int:
    """Write or remove the files, and tell the desktop."""
    if sys.platform in ("win32", "darwin"):
        raise CarlError(
            "install-desktop is for Linux desktops; this system has no such folders. "
            "Start the window with carl-gui."
        )
    files = desktop_files()
    for path, text in files.items():
        if options.remove and not path.exists():
            continue
        if options.dry_run:
            result(f"would {'remove' if options.remove else 'write'} {path}")
            continue
        try:
            if options.remove:
                path.unlink(missing_ok=True)
            else:
                write_atomic(path, text)
        except OSError as exc:
            raise CarlError(
                f"{path} cannot be {'removed' if options.remove else 'written'}: "
                f"{exc.strerror or exc}. Set XDG_DATA_HOME to a folder of yours."
            ) from exc
        result(f"{'removed' if options.remove else 'wrote'} {path}")
    _update(is_dry=options.dry_run)
    return 0


def data_home() -> Path:
    """Folder of the user's applications, types and icons."""
    given = os.environ.get("XDG_DATA_HOME", "")
    # A relative path is to be ignored, says the base directory specification.
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"


def desktop_files() -> dict[Path, str]:
    """Return all files and what is in them; nothing else is ever written or removed."""
    home = data_home()
    return {
        home / "applications" / "carl.desktop": desktop_entry(_gui_command()),
        home / "mime" / "packages" / "carl.xml": _MIME,
        home / "icons" / "hicolor" / "scalable" / "apps" / "carl.svg": asset_path(
            "icons/carl.svg"
        ).read_text(encoding="utf-8"),
    }


def desktop_entry(command: list[str]) -> str:
    """Write the entry of the menu, which runs ``command`` with the files that were chosen."""
    words = " ".join(_quoted(word) for word in command)
    types = ";".join((MIME_TYPE, *_VIDEO_TYPES))
    return (
        "[Desktop Entry]\n"
        "Type=Application\n"
        "Version=1.5\n"
        "Name=CARL\n"
        "GenericName=Comparison of recordings\n"
        "Comment=See recordings of the same action together, aligned in time\n"
        f"Exec={words} %F\n"
        "Icon=carl\n"
        "Terminal=false\n"
        "Categories=AudioVideo;Video;Player;\n"
        "Keywords=video;compare;align;synchronise;\n"
        "StartupWMClass=carl\n"
        f"MimeType={types};\n"
    )


def _quoted(word: str) -> str:
    """Quote a word of Exec; the desktop entry specification escapes twice."""
    for reserved in ("\\", '"', "`", "$"):
        word = word.replace(reserved, "\\" + reserved)
    # First rule: quoted string. Second: the value of the key, in which a backslash is written \\.
    return '"' + word.replace("\\", "\\\\").replace("%", "%%") + '"'


def _gui_command() -> list[str]:
    beside = Path(sys.executable).parent / "carl-gui"
    if beside.is_file():
        return [str(beside)]
    found = shutil.which("carl-gui")
    return [found] if found else [sys.executable, "-m", "app.main"]


def _update(*, is_dry: bool) -> None:
    """Let the desktop read the folders again, where it has the tools for it."""
    home = data_home()
    for tool, folder in (
        ("update-desktop-database", home / "applications"),
        ("update-mime-database", home / "mime"),
    ):
        path = shutil.which(tool)
        if path is None:
            message(f"{tool} is not installed: the desktop finds out by itself, perhaps later.")
        elif is_dry:
            result(f"would run {tool} {folder}")
        elif folder.is_dir():
            done = subprocess.run([path, str(folder)], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                message(f"{tool} failed: {done.stderr.strip() or done.returncode}")
