from __future__ import annotations

import os
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from carl_core.paths import is_there, keeps_nothing, log_folder, read_bounded, state_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_files_are_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345678")
    assert read_bounded(path, 8) == b"12345678"
    with pytest.raises(OSError, match="such files have 0 at most"):
        read_bounded(path, 7)


def test_no_room_is_made_for_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    tracemalloc.start()
    try:
        read_bounded(path, 2**31)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes and devices in the file system")
def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="a device or a pipe"):
            read_bounded(path, 100)
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path, 100)


@pytest.mark.parametrize("name", ["none", "a\0b", "x" * 5000, "\ud800"])
def test_impossible_paths_are_not_there(tmp_path: Path, name: str) -> None:
    assert not is_there(tmp_path / name)
    with pytest.raises(OSError, match=r".*"):
        read_bounded(tmp_path / name, 100)


def test_folders_and_keeping_follow_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_STATE", str(tmp_path))
    assert (state_folder(), log_folder()) == (tmp_path, tmp_path / "log")
    for value, expected in {"": False, "0": False, "1": True}.items():
        monkeypatch.setenv("CARL_KEEP_NOTHING", value)
        assert keeps_nothing() is expected
