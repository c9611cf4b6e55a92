"""A few of the million inputs that `python -m tests.fuzz` draws."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import av
import pytest

from tests import fuzz

INPUTS = {"config": 60, "request": 150, "model": 60, "video": 40, "recording": 60}


@pytest.fixture(autouse=True)
def quiet_ffmpeg() -> Iterator[None]:
    before = av.logging.get_level()
    av.logging.set_level(None)
    yield
    av.logging.set_level(before)


@pytest.mark.parametrize("kind", sorted(fuzz.KINDS))
def test_bad_input_is_taken_or_refused_in_words(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [told] = fuzz.run(kind, INPUTS[kind])
    assert f"{INPUTS[kind]} inputs" in told
