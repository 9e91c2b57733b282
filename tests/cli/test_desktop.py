from __future__ import annotations

import configparser
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from carl_core.cli import desktop
from carl_core.cli.main import main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux desktops only")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr(desktop.shutil, "which", lambda _name: None)
    return tmp_path / "share"


def files(home: Path) -> set[str]:
    return {str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()}


def test_dry_run_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install-desktop", "--dry-run"]) == 0
    assert not home.exists()
    assert f"would write {home / 'applications' / 'carl.desktop'}" in capsys.readouterr().out


def test_installing_and_removing_touch_only_its_own_files(home: Path) -> None:
    other = home / "applications" / "other.desktop"
    other.parent.mkdir(parents=True)
    other.write_text("x")
    for _ in range(2):
        assert main(["install-desktop"]) == 0
    assert files(home) == {
        "applications/carl.desktop",
        "applications/other.desktop",
        "icons/hicolor/scalable/apps/carl.svg",
        "mime/packages/carl.xml",
    }
    for _ in range(2):
        assert main(["install-desktop", "--remove"]) == 0
    assert files(home) == {"applications/other.desktop"}


def test_the_entry_says_what_desktops_ask(home: Path) -> None:
    main(["install-desktop"])
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(home / "applications" / "carl.desktop")
    entry = dict(parser["Desktop Entry"])
    assert entry["Type"] == "Application"
    assert entry["Icon"] == "carl"
    assert entry["StartupWMClass"] == "carl"
    assert entry["MimeType"].startswith(f"{desktop.MIME_TYPE};video/mp4;")
    assert shlex.split(entry["Exec"])[-1] == "%F"
    tree = ElementTree.parse(home / "mime" / "packages" / "carl.xml")
    names = {"m": "http://www.freedesktop.org/standards/shared-mime-info"}
    glob = tree.find("m:mime-type/m:glob", names)
    assert glob is not None
    assert glob.get("pattern") == "*.carl"


def test_odd_folders_are_quoted() -> None:
    text = desktop.desktop_entry(['/a b/50%/$HOME/"x"/carl-gui'])
    line = next(line for line in text.splitlines() if line.startswith("Exec="))
    assert line == r'Exec="/a b/50%%/\\$HOME/\\"x\\"/carl-gui" %F'


def test_the_desktops_tools_are_run_and_their_faults_said(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 1, "", "it is broken")

    monkeypatch.setattr(desktop.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(desktop.subprocess, "run", run)
    assert main(["install-desktop"]) == 0
    assert ran == [
        ["/bin/update-desktop-database", str(home / "applications")],
        ["/bin/update-mime-database", str(home / "mime")],
    ]
    assert "it is broken" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    assert main(["install-desktop"]) == 2
    assert "XDG_DATA_HOME" in capsys.readouterr().err


def test_a_relative_data_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "somewhere")
    assert desktop.data_home() == Path.home() / ".local" / "share"
