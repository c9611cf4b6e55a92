"""A few of the million inputs that `python -m tests.fuzz` draws."""

from __future__ import annotations

import time
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
        told = fuzz.run(kind, INPUTS[kind])
    assert f"{INPUTS[kind]} inputs" in told


def test_an_input_that_is_not_borne_is_told_by_its_seed_and_nothing_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An alarm that still runs would end this process."""
    monkeypatch.setitem(fuzz.KINDS, "config", lambda folder: lambda seed: 1 // (12 - seed))
    monkeypatch.setattr(fuzz, "HANG_S", 0.2)
    with pytest.raises(ZeroDivisionError):
        fuzz.run("config", 100, first=10)
    assert capfd.readouterr().err == "config: seed 12\n"
    time.sleep(0.4)
