"""Fixtures for every test: developer recordings, a private cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is slow, which is no fault of what is tested.
settings.register_profile("carl", deadline=None)
settings.load_profile("carl")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

SHARED = Path(os.environ.get("CARL_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the developer recordings; skips where it is missing."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the developer recordings in {folder} (set CARL_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def private_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Keep derived data of a test out of the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CARL_CACHE", str(folder))
    # Tests open what they have just made, which nobody writes any more.
    monkeypatch.setattr("carl_core.video.recording.SETTLE_S", 0.0)
    return folder
