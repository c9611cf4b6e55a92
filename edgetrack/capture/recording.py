"""What recordings share: every picture of them, as fast as it is wanted or when it is due."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from edgetrack.types import CaptureState, Frame, Picture

if TYPE_CHECKING:
    from typing_extensions import Self

WAIT_S = 0.5  # longest sleep without a look whether anybody still wants pictures


class Timed(NamedTuple):
    """One picture of a recording."""

    picture: Picture
    time: float  # s since the first one, never goes back


class Recording(Protocol):
    """What a recorded source brings: everything else is `Recorded`, and `ahead.Ahead` before it."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""

    @property
    def pace(self) -> Literal["realtime", "fast"]: ...

    def check(self) -> None:
        """Raise CaptureError where the operator must act before it can ever work."""

    def pictures(self) -> Generator[Timed, None, None]:
        """Every picture, in one thread; raises CaptureError where there is not a single one."""


class Recorded:
    """A recording, behind `ahead.Ahead`.

    `Frame.time` is media time from 0, `utc` the wall clock at the start plus that. `captured` is the moment of handing
    out: until then nobody could have had the picture, and time in the queue is no latency. With pace realtime a picture
    is there when it is due, as a camera's.

    Attributes:
        news: guards it; told of whatever may let the next picture be wanted.
    """

    slow = None  # it drops nothing

    def __init__(self, recording: Recording) -> None:
        self.news = threading.Condition()
        self._recording = recording
        self._handed = 0
        self._open = False

    @property
    def place(self) -> str:
        return self._recording.place

    @property
    def state(self) -> CaptureState:
        return CaptureState(state="ok" if self._handed else "opening", frames=self._handed)

    def __enter__(self) -> Self:
        self._recording.check()
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.news:
            self._open = False
            self.news.notify_all()

    def frames(self, pause_s: Callable[[int], float]) -> Generator[Frame, None, None]:
        """Every picture, in one thread; decoded only when it is wanted: `ahead.Giving`."""
        began_s = began_utc = 0.0
        with closing(self._recording.pictures()) as pictures:
            index = 0
            while self._wanted(index, pause_s):
                timed = next(pictures, None)
                if timed is None:
                    return
                if not index:
                    began_s, began_utc = time.monotonic(), time.time()
                if self._recording.pace == "realtime":
                    self._until(began_s + timed.time)
                yield Frame(timed.picture, index, timed.time, began_utc + timed.time, time.monotonic())
                index += 1

    def hand(self, frame: Frame) -> Frame:
        """What the loop gets, now."""
        self._handed += 1
        return replace(frame, captured=time.monotonic())

    def _wanted(self, index: int, pause_s: Callable[[int], float]) -> bool:
        """Return when the picture is wanted; False: no more is."""
        with self.news:
            while self._open and (pause := pause_s(index)) > 0:
                self.news.wait(min(pause, WAIT_S))
            return self._open

    def _until(self, due_s: float) -> None:
        with self.news:
            while self._open and (early_s := due_s - time.monotonic()) > 0:
                self.news.wait(min(early_s, WAIT_S))
