"""Pictures of a camera ahead of the loop: which is taken, and when; camera and model do what the test says."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial

import numpy as np
import pytest

from edgetrack.capture import ahead as capture_ahead
from edgetrack.capture import latest
from edgetrack.capture.ahead import Ahead, Look
from edgetrack.capture.latest import Latest, Shot
from edgetrack.config import V4l2Capture
from edgetrack.errors import CaptureError
from edgetrack.types import Image, Picture
from tests.capture.contract import PATIENCE_S, take, wait_for_readers


class Camera:
    """Takes a picture when the test says so."""

    place = "camera"
    lost: tuple[type[Exception], ...] = (OSError,)
    open_s = 5.0

    def __init__(self) -> None:
        self.converted: list[int] = []
        self._asked: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()
        self._took = threading.Event()
        self._next = 0

    def check(self) -> None:
        pass

    def shoot(self, pictures: int = 1) -> None:
        """Returns when `Latest` has them."""
        for _ in range(pictures):
            self._took.clear()
            self._asked.put(self._next)
            assert self._took.wait(PATIENCE_S)
            self._next += 1

    def fail(self, error: Exception) -> None:
        self._asked.put(error)

    def shots(self) -> Generator[Shot | None, None, None]:
        while True:
            try:
                asked = self._asked.get(timeout=0.02)
            except queue.Empty:
                yield None
                continue
            if isinstance(asked, Exception):
                raise asked
            yield Shot(partial(self._convert, asked), time.monotonic())
            self._took.set()

    def _convert(self, number: int) -> Image:
        self.converted.append(number)
        return np.full((4, 6, 3), number, np.uint8)


class Model:
    """Looks at every k-th picture; a look is over when the test says so."""

    def __init__(self, every: int = 1) -> None:
        self.begun: list[int] = []
        self._every, self._looked = every, -every
        self._over: list[Callable[[], None]] = []

    def due(self, index: int) -> bool:
        return index - self._looked >= self._every

    def begin(self, picture: Picture, index: int, done: Callable[[], None]) -> object:
        if not self.due(index):
            return None
        self._looked = index
        self._over.append(done)
        self.begun.append(index)
        return f"look at {index}"

    def end(self) -> None:
        """The oldest look is over."""
        self._over.pop(0)()


def ahead(camera: Camera, model: Model, sessions: int = 1) -> Ahead:
    return Ahead(Latest(camera, V4l2Capture(device="x", stall_s=60)), model, room=sessions, fresh=True)


def settled(begun: Callable[[], list[int]], expected: list[int]) -> bool:
    """Whether so many looks begin, and after a while no more."""
    until = time.monotonic() + PATIENCE_S
    while len(begun()) < len(expected) and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(0.05)
    return begun() == expected


@pytest.fixture
def camera() -> Camera:
    return Camera()


def test_a_look_begins_while_the_loop_still_follows_the_last_one(camera: Camera) -> None:
    model = Model()
    with ahead(camera, model) as running:
        camera.shoot()
        assert [frame.begun for frame in take(running, 1)] == ["look at 0"]
        model.end()
        camera.shoot()
        assert settled(lambda: model.begun, [0, 1])  # and nobody has come for it


def test_what_begins_is_the_newest_picture_when_the_model_becomes_free(camera: Camera) -> None:
    model = Model()
    with ahead(camera, model) as running:
        camera.shoot()
        take(running, 1)
        camera.shoot(4)
        assert settled(lambda: model.begun, [0])
        model.end()
        assert settled(lambda: model.begun, [0, 4])
        assert running.state.dropped == 3


def test_no_more_begins_than_what_the_loop_comes_for_next(camera: Camera) -> None:
    """The model is free, but a look that is over still waits: what would begin now would be old when its turn comes."""
    model = Model()
    with ahead(camera, model) as running:
        camera.shoot()
        take(running, 1)
        model.end()
        camera.shoot()
        assert settled(lambda: model.begun, [0, 1])
        model.end()
        camera.shoot(2)
        assert settled(lambda: model.begun, [0, 1])
        assert take(running, 1)[0].index == 1
        assert settled(lambda: model.begun, [0, 1, 3])


def test_two_sessions_look_at_two_pictures_at_once_in_order(camera: Camera) -> None:
    model = Model()
    with ahead(camera, model, sessions=2) as running:
        camera.shoot()
        take(running, 1)
        camera.shoot()
        assert settled(lambda: model.begun, [0, 1])
        camera.shoot()
        assert settled(lambda: model.begun, [0, 1])
        model.end()
        assert settled(lambda: model.begun, [0, 1, 2])
        assert [frame.index for frame in take(running, 2)] == [1, 2]


def test_no_work_is_thrown_away_and_nothing_is_lost_from_the_count(camera: Camera) -> None:
    """What is converted and begun is what the loop gets; all others are counted as dropped."""
    model = Model()
    with ahead(camera, model) as running:
        camera.shoot()
        handed = take(running, 1)
        for pictures in (3, 1, 1, 2):
            camera.shoot(pictures)
            model.end()
            handed += take(running, 1)
        state = running.state
    indices = [frame.index for frame in handed]
    assert camera.converted == model.begun == indices
    assert state.frames == 5
    assert state.frames + state.dropped == indices[-1] + 1


def test_a_picture_that_is_not_looked_at_waits_for_the_loop_and_is_replaced_by_newer_ones(camera: Camera) -> None:
    model = Model(every=3)
    with ahead(camera, model) as running:
        camera.shoot()
        take(running, 1)
        model.end()
        camera.shoot(2)
        assert settled(lambda: camera.converted, [0])
        assert take(running, 1)[0].index == 2
        camera.shoot()  # the next to be looked at
        assert settled(lambda: model.begun, [0, 3])
        assert camera.converted == [0, 2, 3]


@pytest.mark.parametrize(
    ("loop_s", "look_s", "pause_s"),
    [(10.0, 15.0, 0.0), (100.0, 15.0, 85.0)],
    ids=["the model is the slower one", "the loop is the slower one"],
)
def test_no_look_is_over_before_the_loop_can_be_back(
    camera: Camera, loop_s: float, look_s: float, pause_s: float
) -> None:
    """A loop that needs longer than the model: a picture taken at once would only be older when its turn comes."""
    with ahead(camera, Model()) as running:
        running._asked = False
        running._looks_s.extend([look_s, look_s / 2, look_s, look_s / 3])
        running._rounds_s.extend([loop_s, 2 * loop_s, loop_s, 3 * loop_s])
        now = time.monotonic()
        running._handed_s, running._last = now, Look(now - look_s, now)
        assert max(0.0, running._pause_s(1)) == pytest.approx(pause_s, abs=5)
        running._asked = True
        assert running._pause_s(1) == 0  # it is back


@pytest.mark.parametrize(
    ("looks_s", "pause_s"),
    [([], float("inf")), ([20.0], 14.0), ([30.0, 20.0, 25.0], 14.0)],
    ids=["nothing is known yet", "the only one", "the quickest"],
)
def test_a_look_is_ready_when_the_model_may_be_free(camera: Camera, looks_s: list[float], pause_s: float) -> None:
    """Two seconds of a look have passed; to begin the next one takes up to four."""
    with ahead(camera, Model()) as running:
        running._asked = False
        running._begins_s.extend([3.0, 4.0])
        running._looks_s.extend(looks_s)
        running._looking.append(Look(time.monotonic() - 2))
        assert running._pause_s(1) == pytest.approx(pause_s, abs=1)


def test_one_look_waits_for_the_model_and_never_a_second(camera: Camera) -> None:
    """Once it is known what a look takes; the model is then never idle while a picture is scaled."""
    model = Model()
    with ahead(camera, model) as running:
        camera.shoot()
        take(running, 1)
        model.end()
        camera.shoot()
        take(running, 1)
        camera.shoot()
        assert settled(lambda: model.begun, [0, 1, 2])  # and 1 is not over
        camera.shoot()
        assert settled(lambda: model.begun, [0, 1, 2])
        model.end()
        assert [frame.index for frame in take(running, 1)] == [2]
        assert settled(lambda: model.begun, [0, 1, 2, 3])


def test_a_look_that_has_waited_took_no_longer_for_it(camera: Camera) -> None:
    model = Model()
    with ahead(camera, model) as running:
        camera.shoot()
        assert settled(lambda: model.begun, [0])
        running._looks_s.append(0.0)  # as if looks took nothing: the next one begins at once
        take(running, 1)
        camera.shoot()
        assert settled(lambda: model.begun, [0, 1])
        before = time.monotonic()
        model.end()
        model.end()
        assert running._looks_s[-1] <= time.monotonic() - before


def test_a_loop_that_is_back_before_its_look_is_told_to_be_over_took_no_time(camera: Camera) -> None:
    with ahead(camera, Model()) as running:
        camera.shoot()
        take(running, 1)
        assert next(iter(running)) is None  # nothing has ended that look
        assert running._rounds_s[-1] == 0


def test_a_lost_camera_comes_after_the_pictures_taken_before(camera: Camera) -> None:
    model = Model()
    with ahead(camera, model) as running:
        camera.shoot()
        assert settled(lambda: model.begun, [0])
        camera.fail(OSError(19, "No such device"))
        frames: Iterator[object] = iter(running)
        until = time.monotonic() + PATIENCE_S
        while running.state.state != "degraded":
            assert time.monotonic() < until
            time.sleep(0.005)
        assert [frame.index for frame in take(running, 1)] == [0]
        assert next(frames) is None
        assert running.state.outages == 1


def test_what_the_operator_must_mend_reaches_the_loop_after_the_pictures(camera: Camera) -> None:
    model = Model()
    with ahead(camera, model) as running:
        camera.shoot()
        assert settled(lambda: model.begun, [0])
        camera.fail(CaptureError("camera: upside down; turn it"))
        assert len(take(running, 1)) == 1
        with pytest.raises(CaptureError, match="upside down"):
            take(running, 1)
    wait_for_readers()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_ahead_of_the_loop_is_never_silence(camera: Camera) -> None:
    class Faulty(Model):
        def begin(self, picture: Picture, index: int, done: Callable[[], None]) -> object:
            raise ZeroDivisionError

    with ahead(camera, Faulty()) as running:
        camera.shoot()
        with pytest.raises(CaptureError, match="the reader died"):
            take(running, 1)


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty waits of the loop, each as long as two of the thread."""
    monkeypatch.setattr(latest, "WAIT_S", 0.01)
    monkeypatch.setattr(capture_ahead, "WAIT_S", 0.02)
    monkeypatch.setattr(capture_ahead, "HUNG_S", 0.4)


@pytest.mark.parametrize("stuck", ["conversion", "look"])
def test_a_picture_that_is_stuck_before_the_loop_needs_a_new_process(
    camera: Camera, short_patience: None, stuck: str
) -> None:
    """The camera goes on, and the loop, which waits, looks alive."""
    release, model = threading.Event(), Model()
    if stuck == "conversion":
        camera._convert = lambda number: np.zeros((4, 6, 3), np.uint8) if release.wait() else None  # type: ignore
    else:
        model.begin = lambda *_: release.wait()  # type: ignore[method-assign]
    try:
        with ahead(camera, model) as running:
            camera.shoot()
            with pytest.raises(CaptureError, match=r"camera: a picture has been stuck for 0\.4 s.* restart"):
                take(running, 1)
    finally:
        release.set()
    wait_for_readers()


def test_a_camera_that_is_silent_is_not_stuck(camera: Camera, short_patience: None) -> None:
    with ahead(camera, Model()) as running:
        assert [frame for frame, _ in zip(running, range(50), strict=False)] == [None] * 50
        camera.shoot()
        assert len(take(running, 1)) == 1


def test_leaving_waits_for_no_look(camera: Camera) -> None:
    """Neither for one on its way nor for one that nobody has come for."""
    model = Model()
    with ahead(camera, model) as running:
        camera.shoot()
        take(running, 1)
        model.end()
        camera.shoot()
        assert settled(lambda: model.begun, [0, 1])
    wait_for_readers()
    model.end()
    assert list(running) == []


def test_a_camera_can_be_slowed_through_it_and_a_recording_cannot(camera: Camera) -> None:
    running = ahead(camera, Model())
    assert running.slow is not None
    with running:
        running.slow(0.001)
        camera.shoot(3)
        assert [frame.index for frame in take(running, 1)] == [0]
        assert running.state.dropped == 0
