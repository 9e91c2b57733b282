"""Metadata of an encoder file."""

from __future__ import annotations

import pytest

from carl_core.encoder.spec import EncoderSpec
from carl_core.errors import ModelError
from tests.helpers.encoders import tiny_spec


def test_metadata_round_trip_gives_the_same_spec() -> None:
    spec = tiny_spec(
        sample_fps=29.97, clock=True, position="carl", window_frames=0, overlap_frames=0
    )
    metadata = spec.to_metadata()
    assert all(isinstance(k, str) and isinstance(v, str) for k, v in metadata.items())
    assert EncoderSpec.from_metadata(metadata | {"something": "else"}) == spec


def test_metadata_of_another_program_are_refused() -> None:
    with pytest.raises(ModelError, match=r"says nothing about itself.*carl\.format_version"):
        EncoderSpec.from_metadata({"author": "somebody"})


@pytest.mark.parametrize(("version", "advice"), [("2", "Update the program"), ("0", "Export")])
def test_another_version_is_refused_with_advice(version: str, advice: str) -> None:
    with pytest.raises(ModelError, match=rf"format {version}.*{advice}"):
        EncoderSpec.from_metadata(tiny_spec().to_metadata() | {"carl.format_version": version})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("size", "large", "'large'"),
        ("size", "0", "0"),
        ("clock", "maybe", "'maybe'"),
        ("fit", "stretch", "'stretch'"),
        ("sample_fps", "nan", "nan"),
        ("sample_fps", "-1", "-1"),
        ("channels", "7", "7"),
        ("overlap_frames", "9", "9"),
        ("name", "", "name"),
    ],
)
def test_a_bad_value_is_named(key: str, value: str, said: str) -> None:
    with pytest.raises(ModelError, match=key) as caught:
        EncoderSpec.from_metadata(tiny_spec().to_metadata() | {f"carl.{key}": value})
    assert said in str(caught.value)


def test_a_missing_key_is_named() -> None:
    metadata = tiny_spec().to_metadata()
    del metadata["carl.window_frames"]
    with pytest.raises(ModelError, match=r"carl\.window_frames"):
        EncoderSpec.from_metadata(metadata)
