"""What every live source shares: a thread that keeps a camera's newest picture and opens it again when it is lost."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from edgetrack.capture.ahead import PauseS
from edgetrack.capture.eye import Eye
from edgetrack.capture.link import Link
from edgetrack.capture.orient import Orient
from edgetrack.capture.reason import why
from edgetrack.config import LiveOptions
from edgetrack.errors import CaptureError
from edgetrack.types import CaptureState, Frame, Picture

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

WAIT_S = 0.25  # longest silence towards the loop, and wait of a stop while no picture comes; the contract allows 1 s
CLOSE_S = 0.5  # longest wait for a camera to let go; with WAIT_S and the publishers' farewell under 2 s
GRACE_S = 2.0  # beyond its own timeouts, until a read that does not return counts as hung
STEADY_S = 10.0  # of pictures, until a link that failed counts as well again and the pauses start anew
HUNG_MAX = 3  # readers left behind in a driver, until only a new process can help


class Shot(NamedTuple):
    """One picture as the camera gave it."""

    picture: Callable[[], Picture]  # called only if the picture is handed out, by the thread that takes it
    taken: float  # s, time.monotonic() when it was taken or, where that is unknown, arrived
    skipped: int = 0  # pictures taken since the last shot that did not reach us, where the camera tells


class Camera(Protocol):
    """What a live source brings: everything else is `Latest`."""

    @property
    def place(self) -> str:
        """Where it is, for messages; without secrets."""

    @property
    def lost(self) -> tuple[type[Exception], ...]:
        """What opening, reading and closing raise when the camera fails."""

    @property
    def open_s(self) -> float:
        """The longest that opening may rightly take."""

    def check(self) -> None:
        """Raise CaptureError where the operator must act before it can ever work."""

    def shots(self) -> Generator[Shot | None, None, None]:
        """Open, read until it fails or ends, close; all of it in one thread.

        Yields None where it can while no picture comes, so that the reader may look whether it is still wanted.
        Raises CaptureError where opening again is of no use, which ends the iteration of the source.
        """


@runtime_checkable
class Kept(Protocol):
    """A camera that holds its device from `check()` on, between calls of `shots()` too."""

    def close(self) -> None:
        """Let the device go; called by the reader's thread as its last."""


class Latest:
    """A live source: the newest picture of one camera, for as long as it takes.

    A reader thread opens the camera, replaces the picture that nobody came for, and after a failure pauses (from
    retry_min_s, doubling to retry_max_s, with jitter) and opens it again. A read that does not return is left behind in
    its daemon thread and the camera is opened by another one; when three hang, iterating raises CaptureError, since
    only a new process frees the driver. A picture that is never handed out is never converted.
    """

    def __init__(self, camera: Camera, options: LiveOptions) -> None:
        self._camera = camera
        self._options = options
        self._orient = Orient(options)
        self.news = threading.Condition()  # guards everything below; told of whatever may let a picture be wanted
        self._eye = Eye(options.tamper_s)
        self._link = Link(camera.place, options.stall_s)
        self._shot: tuple[int, Shot] | None = None
        self._taken = 0  # pictures
        self._time = 0.0  # s, of the last one
        self._deadline = float("inf")  # s, when the present read or open counts as stalled
        self._reader: threading.Thread | None = None
        self._stop = threading.Event()  # of the present reader; one that is left behind keeps its own, set
        self._hung: list[threading.Thread] = []
        self._least_s = self._next_s = 0.0  # between pictures handed out; from when on the next one may be
        self._fatal: CaptureError | None = None

    @property
    def place(self) -> str:
        return self._camera.place

    @property
    def state(self) -> CaptureState:
        with self.news:
            state, eye = self._link.state(time.monotonic()), self._eye
            blind_s = state.blind_s + eye.blind_s
            if state.state == "ok" and eye.fault:
                return replace(state, state="degraded", reason=eye.reason, tamper=eye.fault, blind_s=blind_s)
        return replace(state, blind_s=blind_s)

    def __enter__(self) -> Self:
        self._camera.check()
        self._link.opening(time.monotonic())
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.news:
            self._stop.set()
            reader, self._reader = self._reader, None
            self._shot = None
            self.news.notify_all()
        if reader is not None:
            reader.join(CLOSE_S)
            if reader.is_alive():
                log.info("%s: the camera does not let go; its thread is left behind", self._camera.place)

    def __iter__(self) -> Iterator[Frame | None]:
        for frame in self.frames():
            yield None if frame is None else self.hand(frame)

    def frames(self, pause_s: PauseS = lambda index: 0.0) -> Generator[Frame | None, None, None]:
        """The newest picture whenever it is wanted, to one thread: `ahead.Giving`."""
        while self._reader is not None:
            taken = self._next(pause_s)
            yield None if taken is None else self._frame(*taken)

    def hand(self, frame: Frame) -> Frame:
        with self.news:
            self._link.frames += 1
        return frame

    def slow(self, max_fps: float | None) -> None:
        """Hand out at most so many pictures/s; those between are never converted, and are not counted as dropped."""
        with self.news:
            self._least_s, self._next_s = (1 / max_fps if max_fps else 0.0), 0.0

    def _next(self, pause_s: PauseS) -> tuple[int, Shot] | None:
        """The newest picture, once, when it is wanted; None after WAIT_S without one."""
        until, taken = time.monotonic() + WAIT_S, None
        with self.news:
            while not self._fatal and not self._stop.is_set():
                pause = pause_s(self._shot[0]) if self._shot else WAIT_S
                if pause <= 0:
                    taken, self._shot = self._shot, None
                    break
                left_s = until - time.monotonic()
                if left_s <= 0:
                    break
                self.news.wait(min(pause, left_s))
        self._watch()
        return taken

    def _frame(self, index: int, shot: Shot) -> Frame:
        try:
            picture = shot.picture()
            self._look(picture, shot.taken)
            picture = self._orient(picture)
        except self._camera.lost as error:
            raise CaptureError(f"{self._camera.place}: no picture from this pixel format: {why(error)}") from error
        utc = time.time() - (time.monotonic() - shot.taken)
        return Frame(picture, index, time=shot.taken, utc=utc, captured=shot.taken)

    def _look(self, picture: Picture, taken: float) -> None:
        with self.news:
            before = self._eye.fault
            self._eye.look(picture, taken)
        if self._eye.fault and not before:
            log.warning("%s: %s", self._camera.place, self._eye.reason)
        elif before and not self._eye.fault:
            log.info("%s: sees again", self._camera.place)

    # --- the reader thread

    def _start(self) -> None:
        self._stop = threading.Event()
        self._fatal = None
        self._deadline = time.monotonic() + self._camera.open_s + self._options.stall_s
        name = f"capture {self._camera.place}"
        self._reader = threading.Thread(target=self._read, args=(self._stop,), name=name, daemon=True)
        self._reader.start()

    def _read(self, stop: threading.Event) -> None:
        try:
            self._read_again_and_again(stop)
        except CaptureError as error:
            with self.news:
                if not stop.is_set():
                    self._fatal = error
                    self.news.notify_all()
        finally:
            if isinstance(self._camera, Kept):
                with suppress(*self._camera.lost):
                    self._camera.close()

    def _read_again_and_again(self, stop: threading.Event) -> None:
        pauses = self._pauses()
        while not stop.is_set():
            began = time.monotonic()
            reason = self._read_once(stop)
            if self._link.seen - began > STEADY_S:
                pauses = self._pauses()
            self._lose(reason, stop)
            stop.wait(next(pauses))

    def _read_once(self, stop: threading.Event) -> str:
        """Open the camera and read it until it fails; returns why it did."""
        self._expect(self._camera.open_s + self._options.stall_s, stop)
        try:
            with closing(self._camera.shots()) as shots:
                for shot in shots:
                    if stop.is_set():
                        return ""
                    if shot is not None:
                        self._keep(shot, stop)
                    elif time.monotonic() > self._deadline:
                        return self._link.silence
            return "the stream ended"
        except self._camera.lost as error:
            return why(error)

    def _pauses(self) -> Iterator[float]:
        """Seconds: retry_min_s, then anything up to a limit that doubles: many devices must not return at once."""
        low, limit = self._options.retry_min_s, self._options.retry_min_s
        while True:
            yield random.uniform(low, max(low, min(limit, self._options.retry_max_s)))  # noqa: S311
            limit = min(limit * 2, self._options.retry_max_s)

    def _expect(self, within_s: float, stop: threading.Event) -> None:
        with self.news:
            if not stop.is_set():
                self._deadline = time.monotonic() + within_s

    def _keep(self, shot: Shot, stop: threading.Event) -> None:
        now = time.monotonic()
        with self.news:
            if stop.is_set():
                return
            if shot.taken < self._link.lost:  # held back in a buffer: no sign that the camera is there again
                self._link.dropped += 1 + shot.skipped
                self._taken += 1 + shot.skipped
                return
            self._deadline = now + self._options.stall_s
            self._time = min(max(shot.taken, self._time), max(now, self._time))  # never back, never of the future
            self._link.dropped += shot.skipped
            self._taken += shot.skipped
            if self._time >= self._next_s:
                self._link.dropped += self._shot is not None
                self._shot = self._taken, shot._replace(taken=self._time)
                # from when it was due, so that the rate is kept; but no burst after a pause
                self._next_s = max(self._next_s + self._least_s, self._time + self._least_s / 2)
            self._taken += 1
            self._link.up(now)
            self._link.beat(self._time, 1 + shot.skipped)
            self.news.notify_all()

    def _lose(self, reason: str, stop: threading.Event) -> None:
        with self.news:
            if not stop.is_set():
                self._deadline = float("inf")  # a pause cannot stall
                self._link.down(reason, time.monotonic())

    # --- who takes the pictures looks after the reader

    def _watch(self) -> None:
        now = time.monotonic()
        with self.news:
            if self._reader is None or self._stop.is_set():
                return
            if self._fatal is not None:
                raise self._fatal
            if not self._reader.is_alive():
                raise CaptureError(f"{self._camera.place}: the reader died, its traceback is in the log; report it")
            if now > self._deadline:
                self._link.down(self._link.silence, now)
            if now > self._deadline + GRACE_S + self._options.stall_s:
                self._leave_behind(now)

    def _leave_behind(self, now: float) -> None:
        assert self._reader is not None
        self._stop.set()
        self._hung = [thread for thread in [*self._hung, self._reader] if thread.is_alive()]
        if len(self._hung) >= HUNG_MAX:
            raise CaptureError(
                f"{self._camera.place}: {len(self._hung)} reads hang in the driver; restart the daemon, then the camera"
            )
        self._link.down("the read does not return; opened again beside it", now)
        self._start()
