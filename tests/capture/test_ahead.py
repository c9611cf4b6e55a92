"""Recordings ahead of the loop, on one that does what the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Literal

import numpy as np
import pytest

from edgetrack.capture.ahead import Ahead
from edgetrack.capture.recording import Recorded, Timed
from edgetrack.errors import CaptureError
from edgetrack.types import Picture
from tests.capture.contract import take, wait_for_readers

ROOM = 3


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
    with Ahead(Recorded(recording), room=ROOM) as running:
        take(running, 1)
        until = time.monotonic() + 10
        while recording.decoded < ROOM + 1 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)
        assert recording.decoded == ROOM + 1  # one handed out


def test_what_was_begun_with_a_picture_comes_with_it() -> None:
    class Looks:
        def due(self, index: int) -> bool:
            return True

        def begin(self, picture: Picture, index: int, done: Callable[[], None]) -> object:
            return picture, index

    with Ahead(Recorded(Scripted(lambda: numbered(5))), Looks()) as running:
        frames = take(running, 5)
    assert [frame.begun for frame in frames] == [(frame.picture, index) for index, frame in enumerate(frames)]


def test_a_slow_decoder_does_not_hold_the_loop() -> None:
    ready = threading.Event()

    def slow() -> Iterator[Timed]:
        ready.wait()
        yield from numbered(1)

    with Ahead(Recorded(Scripted(slow))) as running:
        assert next(iter(running)) is None
        ready.set()
        assert len(take(running, 1)) == 1


def test_what_goes_wrong_midway_comes_after_the_pictures_before_it() -> None:
    def cut() -> Iterator[Timed]:
        yield from numbered(10)
        raise CaptureError("recording: cut off; copy it again")

    with Ahead(Recorded(Scripted(cut))) as running:
        assert len(take(running, 10)) == 10
        with pytest.raises(CaptureError, match="cut off"):
            take(running, 1)
    wait_for_readers()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_the_reader_is_never_silence() -> None:
    def faulty() -> Iterator[Timed]:
        yield from numbered(1)
        raise ZeroDivisionError

    with Ahead(Recorded(Scripted(faulty))) as running, pytest.raises(CaptureError, match="the reader died"):
        take(running, 2)
