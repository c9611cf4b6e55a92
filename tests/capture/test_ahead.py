"""The machinery of recordings, on one that does what the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Literal

import numpy as np
import pytest

from edgetrack.capture.ahead import Ahead, Timed
from edgetrack.errors import CaptureError
from tests.capture.contract import readers, take

DEPTH = 2


class Scripted:
    """A recording that yields what the test's generator does."""

    place = "recording"
    pace: Literal["realtime", "fast"] = "fast"

    def __init__(self, run: Callable[[], Iterator[Timed]]) -> None:
        self.run = run
        self.decoded = 0

    def check(self) -> None:
        pass

    def pictures(self) -> Generator[Timed, None, None]:
        for picture in self.run():
            self.decoded += 1
            yield picture


def numbered(count: int) -> Iterator[Timed]:
    return (Timed(np.zeros((4, 6, 3), np.uint8), number / 10) for number in range(count))


def test_decoding_runs_ahead_of_the_loop_and_no_further() -> None:
    recording = Scripted(lambda: numbered(50))
    with Ahead(recording, depth=DEPTH) as running:
        take(running, 1)
        until = time.monotonic() + 10
        while recording.decoded < DEPTH + 2 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)
        assert recording.decoded == DEPTH + 2  # one handed out, a queue full, one in the reader's hand


def test_what_was_begun_with_a_picture_comes_with_it() -> None:
    begun = lambda picture, index: (picture, index)  # noqa: E731
    with Ahead(Scripted(lambda: numbered(5)), begun) as running:
        frames = take(running, 5)
    assert [frame.begun for frame in frames] == [(frame.picture, index) for index, frame in enumerate(frames)]


def test_a_slow_decoder_does_not_hold_the_loop() -> None:
    ready = threading.Event()

    def slow() -> Iterator[Timed]:
        ready.wait()
        yield from numbered(1)

    with Ahead(Scripted(slow)) as running:
        assert next(iter(running)) is None
        ready.set()
        assert len(take(running, 1)) == 1


def test_what_goes_wrong_midway_comes_after_the_pictures_before_it() -> None:
    def cut() -> Iterator[Timed]:
        yield from numbered(10)
        raise CaptureError("recording: cut off; copy it again")

    with Ahead(Scripted(cut)) as running:
        assert len(take(running, 10)) == 10
        with pytest.raises(CaptureError, match="cut off"):
            take(running, 1)
    assert not readers()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_the_reader_is_never_silence() -> None:
    def faulty() -> Iterator[Timed]:
        yield from numbered(1)
        raise ZeroDivisionError

    with Ahead(Scripted(faulty)) as running, pytest.raises(CaptureError, match="the reader died"):
        take(running, 2)
