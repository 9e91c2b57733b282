"""``carl-gui`` as a process, on the offscreen platform."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtGui import QImage

from app.main import main, parser
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> tuple[int, dict[str, Any], str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-m", "app.main", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=environment,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def test_self_test_plays_takes_a_picture_and_says_what_it_saw(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mp4", frames=160, fps=20)
    part = make_video(tmp_path / "part.mp4", frames=120, fps=20, numbers=range(20, 140))
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    picture = tmp_path / "out.png"
    code, report, errors = run(
        str(whole), str(part), "--model", str(model), "--self-test", str(picture)
    )
    assert code == 0, (report, errors)
    assert [tile["name"] for tile in report["tiles"]] == ["whole.mp4", "part.mp4"]
    for tile in report["tiles"]:
        assert 2 <= tile["distinct_pts"] <= tile["frames_shown"]
        assert 0.0 <= tile["late_share"] <= 1.0
    assert report["path_length"] > 20
    start_s, end_s = report["map_domain"]
    assert 0 <= start_s < end_s <= 8.0
    image = QImage(str(picture))
    assert image.width() >= 1000
    colours = {image.pixel(x, y) for x in range(0, 1000, 7) for y in range(0, 700, 7)}
    assert len(colours) > 100, "the picture is empty"
    assert "Traceback" not in errors


def test_self_test_gives_a_reason_and_another_exit_code(tmp_path: Path) -> None:
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    good = make_video(tmp_path / "good.mp4", frames=30)
    code, report, errors = run(
        str(good),
        str(tmp_path / "missing.mp4"),
        "--model",
        str(model),
        "--self-test",
        str(tmp_path / "x.png"),
    )
    assert code == 3
    assert "missing.mp4" in report["error"]
    assert "missing.mp4" in errors
    assert "Traceback" not in errors


def test_self_test_without_recordings_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--self-test", str(tmp_path / "x.png")])
    assert stop.value.code == 2
    assert "--self-test needs recordings" in capsys.readouterr().err


def test_help_names_every_option() -> None:
    text = parser().format_help()
    assert all(option in text for option in ("--demo", "--self-test", "--model", "FILE"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about X11 and Wayland")
def test_without_a_screen_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main([]) == 1
    assert "no screen" in capsys.readouterr().err
