"""The machinery of live sources, on a camera that does what the test says."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial

import numpy as np
import pytest

from edgetrack.capture import latest
from edgetrack.capture.latest import Latest, Shot
from edgetrack.config import V4l2Capture
from edgetrack.errors import CaptureError
from edgetrack.types import Image
from tests.capture.contract import PATIENCE_S, readers, take, wait_for

Run = Callable[["Scripted"], Iterator[Shot | None]]


def shot(value: int = 0) -> Shot:
    return Shot(lambda: np.full((4, 6, 3), value, np.uint8), time.monotonic())


class Scripted:
    """A camera that goes through one run each time it is opened; the last run is repeated."""

    place = "camera"
    lost: tuple[type[Exception], ...] = (OSError,)
    open_s = 0.2

    def __init__(self, *runs: Run) -> None:
        self.runs = runs
        self.opened = 0
        self.closed = 0
        self.released = threading.Event()  # what a hanging driver waits for

    def check(self) -> None:
        pass

    def shots(self) -> Generator[Shot | None, None, None]:
        run = self.runs[min(self.opened, len(self.runs) - 1)]
        self.opened += 1
        try:
            yield from run(self)
        finally:
            self.closed += 1


def steady(camera: Scripted) -> Iterator[Shot]:
    """A picture every 10 ms, each one lighter than the last."""
    for value in range(100_000):
        yield shot(value % 256)
        time.sleep(0.01)


def few(camera: Scripted) -> Iterator[Shot]:
    """Three pictures, then the end of the stream."""
    for _ in range(3):
        yield shot()
        time.sleep(0.01)


def refused(camera: Scripted) -> Iterator[Shot]:
    raise ConnectionRefusedError(111, "Connection refused")
    yield shot()


def silent(camera: Scripted) -> Iterator[None]:
    """Opens, and waits for a picture that never comes."""
    while True:
        time.sleep(0.02)
        yield None


def hanging(camera: Scripted) -> Iterator[Shot]:
    """Gives a picture, then never returns from the next read."""
    yield shot()
    camera.released.wait()


def source(camera: Scripted, stall_s: float = 0.3) -> Latest:
    return Latest(camera, V4l2Capture(device="x", stall_s=stall_s, retry_min_s=0.1, retry_max_s=0.2))


def told(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "WAIT_S", 0.1)
    monkeypatch.setattr(latest, "CLOSE_S", 0.3)
    monkeypatch.setattr(latest, "GRACE_S", 0.1)


def test_a_slowed_source_gives_fewer_pictures_and_the_others_are_not_dropped() -> None:
    """Stamps of 100 pictures/s, 20 of them asked for; all come at once, so that no clock decides."""
    camera = Scripted(silent)
    with source(camera) as running:
        running.slow(20)
        began, taken = time.monotonic(), []
        for k in range(20):
            running._keep(Shot(lambda: np.zeros((4, 6, 3), np.uint8), began - 1 + k / 100), running._stop)
            taken.append(running._shot[0] if running._shot else -1)
            running._shot = None
        assert np.diff([index for index in taken if index >= 0]).tolist() == pytest.approx([3, 5, 5, 5], abs=1)
        assert running.state.dropped == 0


def test_a_slow_loop_gets_the_newest_picture() -> None:
    with source(Scripted(steady)) as running:
        first = take(running, 1)[0]
        time.sleep(0.3)
        second = take(running, 1)[0]
        asked = time.monotonic()
        state = running.state
    assert second.index - first.index > 5
    assert asked - second.captured < 0.2
    assert state.frames == 2
    assert state.dropped >= second.index - first.index - 1


def test_what_is_dropped_is_never_converted() -> None:
    converted: list[int] = []

    def convert(number: int) -> Image:
        converted.append(number)
        return np.zeros((4, 6, 3), np.uint8)

    def counting(camera: Scripted) -> Iterator[Shot]:
        for number in range(100_000):
            yield Shot(partial(convert, number), time.monotonic())
            time.sleep(0.005)

    with source(Scripted(counting)) as running:
        indices = []
        for _ in range(3):
            indices += [frame.index for frame in take(running, 1)]
            time.sleep(0.1)
    assert converted == indices


def test_none_comes_at_least_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    camera = Scripted(refused)
    with source(camera) as running:
        began = time.monotonic()
        frames = iter(running)
        assert [next(frames) for _ in range(4)] == [None] * 4
        assert time.monotonic() - began < 4


def test_a_camera_that_never_answers_is_retried_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    camera = Scripted(refused)
    with source(camera) as running:
        assert running.state.state in ("opening", "degraded")
        while camera.opened < 4:
            assert next(iter(running)) is None
        state = running.state
    assert (state.state, state.reason, state.outages) == ("degraded", "Connection refused", 1)
    assert told(caplog, logging.WARNING) == ["camera: Connection refused; it is opened again until it answers"]


def test_an_outage_is_one_warning_one_word_of_return_and_blind_time(caplog: pytest.LogCaptureFixture) -> None:
    with source(Scripted(few, refused, refused, steady)) as running:
        take(running, 1)
        wait_for(running, "degraded")
        lost = time.monotonic()
        wait_for(running, "ok")
        away_s = time.monotonic() - lost
        state = running.state
    assert told(caplog, logging.WARNING) == ["camera: the stream ended; it is opened again until it answers"]
    assert [message.partition(" ")[2][:8] for message in told(caplog, logging.INFO)] == ["opened", "back aft"]
    assert state.outages == 1
    assert state.blind_s == pytest.approx(away_s, abs=0.3)


def test_blind_time_grows_while_the_outage_lasts() -> None:
    with source(Scripted(few, refused)) as running:
        wait_for(running, "degraded")
        early = running.state.blind_s
        time.sleep(0.2)
        assert running.state.blind_s >= early + 0.2


def test_opening_is_no_outage() -> None:
    def slow(camera: Scripted) -> Iterator[Shot]:
        time.sleep(0.3)
        yield from steady(camera)

    with source(Scripted(slow)) as running:
        take(running, 1)
        assert (running.state.outages, running.state.blind_s) == (0, 0)


def test_a_silent_camera_is_closed_and_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    def late(camera: Scripted) -> Iterator[Shot]:
        camera.released.wait(PATIENCE_S)
        yield from steady(camera)

    camera = Scripted(silent, late)
    with source(camera) as running:
        wait_for(running, "degraded")
        assert running.state.reason == "no picture for 0.3 s"
        camera.released.set()
        wait_for(running, "ok")
        assert camera.closed == 1
    assert len(told(caplog, logging.WARNING)) == 1


def test_a_stall_shows_before_the_camera_lets_go() -> None:
    """The read hangs; whoever asks for the state learns of it all the same."""
    camera = Scripted(hanging)
    with source(camera) as running:
        take(running, 1)
        wait_for(running, "degraded")
        assert camera.opened == 1
        camera.released.set()


def test_a_hanging_camera_is_opened_beside_the_read_that_hangs() -> None:
    camera = Scripted(hanging, steady)
    with source(camera) as running:
        take(running, 1)
        wait_for(running, "degraded")
        assert take(running, 3)[-1].index > 1
        camera.released.set()
    wait_until(lambda: not readers())


def test_a_read_that_comes_back_late_brings_nothing() -> None:
    def late(camera: Scripted) -> Iterator[Shot]:
        yield shot(1)
        camera.released.wait()
        yield shot(99)

    camera = Scripted(late, silent)
    with source(camera) as running:
        take(running, 1)
        while camera.opened < 2:
            assert next(iter(running)) is None
        camera.released.set()
        wait_until(lambda: camera.closed > 0)
        assert next(iter(running)) is None


def test_three_reads_that_hang_end_the_source() -> None:
    camera = Scripted(hanging)
    with source(camera) as running, pytest.raises(CaptureError, match="camera: 3 reads hang in the driver; restart"):
        take(running, 10)
    camera.released.set()
    wait_until(lambda: not readers())


def test_leaving_takes_bounded_time_though_the_camera_hangs(caplog: pytest.LogCaptureFixture) -> None:
    camera = Scripted(hanging)
    with source(camera, stall_s=60) as running:
        take(running, 1)
        began = time.monotonic()
    assert time.monotonic() - began < 1.5
    assert told(caplog, logging.INFO)[-1] == "camera: the camera does not let go; its thread is left behind"
    camera.released.set()
    wait_until(lambda: not readers())


def test_leaving_closes_the_camera() -> None:
    camera = Scripted(steady)
    with source(camera) as running:
        take(running, 1)
    assert (camera.closed, readers()) == (1, [])


def test_a_picture_from_before_the_outage_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    """A parser holds one frame back and gives it away when the connection is closed."""

    def held_back(camera: Scripted) -> Iterator[Shot | None]:
        held = shot()
        yield shot()
        for _ in range(50):
            time.sleep(0.02)
            yield held if camera.released.is_set() else None

    camera = Scripted(held_back, refused)
    with source(camera) as running:
        take(running, 1)
        camera.released.set()
        wait_for(running, "degraded")
        assert next(iter(running)) is None
    assert len(told(caplog, logging.WARNING)) == 1


def test_time_never_goes_back_nor_beyond_now() -> None:
    def jumping(camera: Scripted) -> Iterator[Shot]:
        start = time.monotonic()
        for offset in (0.0, -50.0, 3600.0, 0.0) * 100:
            yield shot()._replace(taken=start + offset)
            time.sleep(0.01)

    with source(Scripted(jumping)) as running:
        frames = take(running, 12)
        assert frames[-1].time <= time.monotonic()
    assert all(later.time >= earlier.time for earlier, later in itertools.pairwise(frames))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_the_reader_is_never_silence() -> None:
    def faulty(camera: Scripted) -> Iterator[Shot]:
        yield shot()
        raise ZeroDivisionError

    with source(Scripted(faulty)) as running, pytest.raises(CaptureError, match="the reader died"):
        take(running, 2)


def test_what_the_operator_must_mend_reaches_the_loop() -> None:
    def wrong(camera: Scripted) -> Iterator[Shot]:
        raise CaptureError("camera: upside down; turn it")
        yield shot()

    with source(Scripted(wrong)) as running, pytest.raises(CaptureError, match="upside down"):
        take(running, 1)


def test_what_a_camera_skipped_counts_as_dropped() -> None:
    def skipping(camera: Scripted) -> Iterator[Shot | None]:
        yield shot()._replace(skipped=3)
        yield from silent(camera)

    with source(Scripted(skipping), stall_s=5.0) as running:
        assert take(running, 1)[0].index == 3
        assert running.state.dropped == 3


def test_a_camera_that_keeps_its_device_is_closed_once_after_all_its_runs() -> None:
    class Keeping(Scripted):
        let_go = 0

        def close(self) -> None:
            assert self.closed == self.opened
            self.let_go += 1

    camera = Keeping(few, few, steady)
    with source(camera) as running:
        wait_until(lambda: camera.opened == 3)
        take(running, 1)
        assert camera.let_go == 0
    assert camera.let_go == 1


def test_pauses_double_between_their_bounds() -> None:
    waits = source(Scripted(refused))._pauses()
    pauses = [next(waits) for _ in range(200)]
    assert pauses[0] == 0.1
    assert min(pauses) >= 0.1
    assert max(pauses) <= 0.2
    assert len(set(pauses[2:])) > 100


def wait_until(true: Callable[[], bool], patience_s: float = 10.0) -> None:
    until = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_camera_that_repeats_one_picture_is_degraded_and_back_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    changing = threading.Event()

    def stuck(_: Scripted) -> Iterator[Shot]:
        for value in itertools.count():
            time.sleep(0.02)
            yield shot(value % 200 if changing.is_set() else 7)

    options = V4l2Capture(device="/dev/video0", tamper_s=1.2)
    with caplog.at_level(logging.INFO), Latest(Scripted(stuck), options) as source:
        wait_for(source, "degraded")
        assert source.state.tamper == "frozen"
        assert source.state.blind_s > 1
        changing.set()
        wait_for(source, "ok")
    assert source.state.tamper == ""
    assert [record.message.split(": ")[1] for record in caplog.records[1:]] == ["tamper", "sees again"]
