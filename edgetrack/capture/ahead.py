"""What recordings share: a thread that decodes ahead of the loop, and the pace at which pictures are handed out."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from edgetrack.errors import CaptureError
from edgetrack.types import CaptureState, Frame, Picture

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

WAIT_S = 0.5  # longest silence towards the loop, so that it can be stopped while a picture is not due yet
CLOSE_S = 1.0  # longest wait for the decoder


class Timed(NamedTuple):
    """One picture of a recording."""

    picture: Picture
    time: float  # s since the first one, never goes back
    begun: object = None


Begin = Callable[[Picture, int], object]  # of a picture and its index


class Recording(Protocol):
    """What a recorded source brings: everything else is `Ahead`."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""

    @property
    def pace(self) -> Literal["realtime", "fast"]: ...

    def check(self) -> None:
        """Raise CaptureError where the operator must act before it can ever work."""

    def pictures(self) -> Generator[Timed, None, None]:
        """Every picture, in one thread; raises CaptureError where there is not a single one."""


class Ahead:
    """A recording: every picture of it, decoded ahead of the loop, at once or when it is due.

    `Frame.time` is media time from 0, `utc` the wall clock at the start plus that. `captured` is the moment of handing
    out: until then nobody could have had the picture, and time in the queue is no latency.

    Args:
        begin: called with every picture and its index, by the reader's thread, for `Frame.begun`.
        depth: pictures that wait, besides the one in the reader's hand; of 1080p each takes 3 MB, or as BGR 6.
    """

    def __init__(self, recording: Recording, begin: Begin | None = None, depth: int = 1) -> None:
        self._recording = recording
        self._begin = begin
        self._ready: queue.Queue[Timed | CaptureError | None] = queue.Queue(depth)
        self._next: Timed | None = None  # taken from the queue, perhaps not due yet
        self._frames = 0
        self._began = (0.0, 0.0)  # s, monotonic and since 1970, when the first picture was there
        self._reader: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def state(self) -> CaptureState:
        return CaptureState(state="ok" if self._frames else "opening", frames=self._frames)

    def __enter__(self) -> Self:
        self._recording.check()
        name = f"capture {self._recording.place}"
        self._reader = threading.Thread(target=self._read, name=name, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        while not self._ready.empty():  # makes room for a reader that waits for it
            self._ready.get_nowait()
        if self._reader is not None:
            self._reader.join(CLOSE_S)
            if self._reader.is_alive():
                log.info("%s: a read does not return; its thread is left behind", self._recording.place)
            self._reader = None

    def __iter__(self) -> Iterator[Frame | None]:
        while self._reader is not None:
            if self._next is None:
                try:
                    item = self._ready.get(timeout=WAIT_S)
                except queue.Empty:
                    self._check_reader()
                    yield None
                    continue
                if not isinstance(item, Timed):
                    self.__exit__(None, None, None)
                    if item is not None:
                        raise item
                    return
                self._next = item
            yield self._due()

    def _due(self) -> Frame | None:
        """The next picture if its time has come, or comes within WAIT_S."""
        assert self._next is not None
        if not self._frames:
            self._began = time.monotonic(), time.time()
        if self._recording.pace == "realtime":
            early_s = self._began[0] + self._next.time - time.monotonic()
            if early_s > 0:
                self._stop.wait(min(early_s, WAIT_S))
            if early_s > WAIT_S:
                return None
        timed, self._next = self._next, None
        self._frames += 1
        utc = self._began[1] + timed.time
        return Frame(timed.picture, self._frames - 1, timed.time, utc, time.monotonic(), timed.begun)

    def _check_reader(self) -> None:
        if self._reader is not None and not self._reader.is_alive() and self._ready.empty():
            raise CaptureError(f"{self._recording.place}: the reader died, its traceback is in the log; report it")

    def _read(self) -> None:
        """The thread: decodes until the queue is full, ends with None or with what went wrong."""
        try:
            with closing(self._recording.pictures()) as pictures:
                for index, timed in enumerate(pictures):
                    begun = None if self._begin is None else self._begin(timed.picture, index)
                    self._ready.put(timed._replace(begun=begun))
                    if self._stop.is_set():
                        return
            self._ready.put(None)
        except CaptureError as error:
            self._ready.put(error)
