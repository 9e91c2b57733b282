"""Search by a picture with a head that keeps nothing of a lone frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core import searching
from carl_core.alignment.nullbank import bank_for, features_id, write_bank
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.embed import picture_features
from carl_core.errors import Cancelled, MediaError
from carl_core.pipeline import Engine
from carl_core.progress import Monitor
from carl_core.queries import ImageQuery, RangeQuery, image_query
from carl_core.video.recording import open_recording
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.scenes import draw_scene, make_scene

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.video.recording import Recording


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("model") / "tiny.onnx", centred=True)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    """Two recordings of one scene: from 0 to 4 s, and from 5 to 8 s."""
    folder = tmp_path_factory.mktemp("video")
    return [
        open_recording(make_scene(folder / "early.mp4", end_s=4.0)),
        open_recording(make_scene(folder / "late.mp4", start_s=5.0, end_s=8.0)),
    ]


@pytest.fixture
def engine(model: Path) -> Engine:
    return Engine(model, device="cpu", store=None)


def picture(moment_s: float) -> ImageQuery:
    """The scene at a moment, a little brighter."""
    shown = draw_scene(round(1000 * moment_s)).astype(np.int16) + 8
    return ImageQuery(np.clip(shown, 0, 255).astype(np.uint8))


def drawn_noise(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((12, 12, 1), np.uint8))


def test_the_head_indeed_keeps_nothing_of_a_lone_frame(engine: Engine) -> None:
    vectors = [
        engine.encoder.embed_features(picture_features(engine.encoder, [q.pixels]), [0.0])
        for q in (picture(1.0), picture(6.5))
    ]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-4)


@pytest.mark.parametrize(
    ("moment_s", "number", "expected_s"), [(1.0, 0, 1.0), (3.2, 0, 3.2), (6.5, 1, 1.5)]
)
def test_a_picture_finds_its_frame_first(
    engine: Engine,
    recordings: list[Recording],
    moment_s: float,
    number: int,
    expected_s: float,
) -> None:
    hit = engine.search([picture(moment_s)], recordings).hits[0]
    assert hit.recording == recordings[number].id
    assert hit.time_s == pytest.approx(expected_s, abs=0.11)
    assert hit.score > 0.8


def test_the_store_changes_nothing(
    model: Path, engine: Engine, recordings: list[Recording], tmp_path: Path
) -> None:
    stored = Engine(model, device="cpu", store=EmbeddingStore(tmp_path / "store"))
    query = [picture(6.2)]
    first = engine.search(query, recordings)
    for found in (engine.search(query, recordings), *(stored.search(query, recordings),) * 2):
        assert found.hits == first.hits
        assert (found.convincing, found.reason) == (first.convincing, first.reason)


def test_only_what_the_last_search_decoded_is_kept(
    model: Path, engine: Engine, recordings: list[Recording], tmp_path: Path
) -> None:
    engine.search([picture(1.0)], recordings)
    assert len(engine._searches._stills) == 2
    engine.search([picture(1.0)], recordings[:1])
    assert len(engine._searches._stills) == 1
    stored = Engine(model, device="cpu", store=EmbeddingStore(tmp_path / "store"))
    stored.search([picture(1.0)], recordings)
    assert not stored._searches._stills


def test_pictures_and_ranges_are_averaged_as_stills(
    engine: Engine, recordings: list[Recording]
) -> None:
    query = [picture(2.0), RangeQuery(recordings[0], 1.9, 2.1), picture(2.1)]
    hit = engine.search(query, recordings).hits[0]
    assert hit.recording == recordings[0].id
    assert hit.time_s == pytest.approx(2.0, abs=0.2)
    # The range's own recording need not be searched.
    away = engine.search([picture(6.0), RangeQuery(recordings[1], 1.0, 1.0)], recordings[:1])
    assert {hit.recording for hit in away.hits} == {recordings[0].id}


def test_an_unrelated_picture_does_not_convince(
    engine: Engine,
    recordings: list[Recording],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "bank.npz"
    noise = [picture_features(engine.encoder, [drawn_noise(k)]) for k in range(60)]
    write_bank(path, {features_id(engine.encoder.model_id): noise})
    monkeypatch.setattr(searching, "bank_for", lambda model_id: bank_for(model_id, path))
    unrelated = engine.search([ImageQuery(drawn_noise(1000))], recordings)
    assert not unrelated.convincing
    assert unrelated.hits
    assert "unrelated" in unrelated.reason
    related = engine.search([picture(1.0)], recordings)
    assert related.convincing
    assert "unrelated" in related.reason


@pytest.mark.parametrize("has_store", [False, True])
def test_a_search_by_picture_can_be_cancelled(
    model: Path, recordings: list[Recording], tmp_path: Path, has_store: bool
) -> None:
    store = EmbeddingStore(tmp_path / "store") if has_store else None
    monitor = Monitor()
    monitor.cancel()
    engine = Engine(model, device="cpu", store=store)
    with pytest.raises(Cancelled):
        engine.search([picture(1.0)], recordings, monitor=monitor)
    assert engine.search([picture(1.0)], recordings).hits  # nothing half done is taken for whole


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(MediaError, match=r"notes\.png"):
        image_query(tmp_path / "notes.png")


@pytest.fixture
def everything(model: Path, recordings: list[Recording], tmp_path: Path) -> Engine:
    """An engine that has embedded both recordings some time."""
    store = EmbeddingStore(tmp_path / "everything")
    for recording in recordings:
        Engine(model, device="cpu", store=store).embed(recording)
    return Engine(model, device="cpu", store=store)


@pytest.mark.parametrize("moment_s", [1.0, 6.5])
def test_everything_is_searched_as_the_recordings_one_by_one_are(
    everything: Engine,
    recordings: list[Recording],
    moment_s: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "bank.npz"
    noise = [picture_features(everything.encoder, [drawn_noise(k)]) for k in range(60)]
    write_bank(path, {features_id(everything.encoder.model_id): noise})
    monkeypatch.setattr(searching, "bank_for", lambda model_id: bank_for(model_id, path))
    query, unlike = [picture(moment_s)], [picture(2.5)]
    for unwanted in ([], unlike):
        expected = everything.search(query, recordings, unlike=unwanted, k=3)
        found = everything.search_library(query, unlike=unwanted, k=3)
        ids = {recording.fingerprint: recording.id for recording in recordings}
        assert [(ids[h.fingerprint], h.frame, h.span) for h in found.hits] == [
            (h.recording, h.frame, h.span) for h in expected.hits
        ]
        scores = [h.score for h in expected.hits]
        assert [h.score for h in found.hits] == pytest.approx(scores, abs=1e-4)
        assert (found.convincing, found.reason) == (expected.convincing, expected.reason)
        assert (found.recordings, found.is_exact, found.left_out) == (2, True, 0)
        assert found.hits[0].path == recordings[0 if moment_s < 4 else 1].path


def test_a_frame_beside_a_picture_is_compared_as_it_is_and_not_with_its_own(
    everything: Engine, recordings: list[Recording]
) -> None:
    early, late = recordings
    mixed = everything.search_library(
        [picture(6.0), RangeQuery(late, 1.0, 1.0)], without={late.fingerprint}
    )
    away = everything.search([picture(6.0), RangeQuery(late, 1.0, 1.0)], [early])
    assert {hit.fingerprint for hit in mixed.hits} == {early.fingerprint}
    assert abs(mixed.hits[0].time_s - away.hits[0].time_s) < 1.0
    none = everything.search_library([picture(6.0)], without={early.fingerprint, late.fingerprint})
    assert none.hits == ()


def test_what_has_left_the_cache_is_left_out_and_counted(
    everything: Engine, recordings: list[Recording]
) -> None:
    assert everything.store is not None
    assert everything.library is not None
    assert everything.search_library([picture(1.0)]).recordings == 2
    everything.store.forget(recordings[0].fingerprint)
    found = everything.search_library([picture(1.0)])
    assert (found.recordings, found.left_out) == (1, 1)
    assert {hit.fingerprint for hit in found.hits} == {recordings[1].fingerprint}
    everything.library.forget([recordings[1].fingerprint])  # also where the cache still has it
    assert everything.search_library([picture(6.5)]).hits == ()


def test_a_search_of_everything_by_a_picture_can_be_cancelled(everything: Engine) -> None:
    for stage in ("looking at everything", "comparing with everything"):
        monitor = Monitor(
            lambda p, stage=stage: monitor.cancel() if p.stage == stage else None,  # noqa: B023
            interval_s=0,
        )
        with pytest.raises(Cancelled):
            everything.search_library([picture(1.0)], monitor=monitor)
