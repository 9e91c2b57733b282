from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.sounds import make_sound_video, scene_sound

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Carl


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cameras, the second 1.25 s later, with sound and timecode; one of another place."""
    folder = tmp_path_factory.mktemp("cameras")
    whole = scene_sound(6, 48000)
    make_sound_video(folder / "one.mov", whole[: 4 * 48000], timecode="10:00:00:00")
    make_sound_video(folder / "two.mov", whole[60000:][: 4 * 48000], timecode="10:00:01:06")
    make_sound_video(folder / "else.mov", scene_sound(4, 48000, 9))
    return folder


@pytest.mark.parametrize(("method", "shift_s"), [("audio", 1.25), ("timecode", 1.24)])
def test_cameras_that_ran_together_are_shifted(
    carl: Carl, cameras: Path, tiny_model: Path, tmp_path: Path, method: str, shift_s: float
) -> None:
    done = carl(
        *("align", cameras / "one.mov", cameras / "two.mov", "--method", method, "--json", "--csv"),
        *("--plot", "--model", tiny_model, "-o", tmp_path),
    )
    assert done.code == 0, done.err
    (found,) = done.json["maps"]
    assert (found["method"], found["verdict"]) == (method, "aligned")
    pairs = [
        (ours, theirs)
        for ours, theirs in zip(found["reference_s"], found["other_s"], strict=True)
        if theirs is not None
    ]
    assert pairs[0][0] == pytest.approx(shift_s, abs=0.21)
    assert all(
        ours - theirs == pytest.approx(shift_s, abs=0.005)
        for ours, theirs in pairs
        if theirs > 0.01
    )
    assert len(found["raw"]["reference_frame"]) == len(pairs)
    assert (tmp_path / "alignment.csv").exists()
    assert (tmp_path / "heatmap.png").exists()


def test_without_pictures_being_embedded(
    carl: Carl, cameras: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("embedded")

    monkeypatch.setattr("carl_core.pipeline.embed_recording", refuse)
    done = carl(
        *("align", cameras / "one.mov", cameras / "two.mov", "--method", "audio"),
        *("--model", tiny_model, "-o", tmp_path),
    )
    assert done.code == 0, done.err
    assert "two.mov: aligned" in done.out
    assert "The sounds match at an offset of -1.250 s" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("--method", "audio"), 4, "No common sound was found"),
        (("--method", "timecode"), 2, "holds no timecode"),
        (("--method", "audio", "--anchor", "1=1"), 2, "anchors and masks cannot be kept"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    carl: Carl,
    cameras: Path,
    tiny_model: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    why: str,
) -> None:
    done = carl(
        *("align", cameras / "one.mov", cameras / "else.mov", *arguments),
        *("--model", tiny_model, "-o", tmp_path),
    )
    assert done.code == code
    assert why in done.err
