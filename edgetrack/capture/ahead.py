"""Ahead of the loop, in a thread of its own: a picture is taken, the look at it is begun, and it is handed out."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from edgetrack.errors import CaptureError, EdgetrackError
from edgetrack.types import CaptureState, Frame, Picture

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

WAIT_S = 0.25  # longest silence towards the loop, so that it can be stopped while no picture comes
CLOSE_S = 0.5  # longest wait for the thread, which may be decoding
HUNG_S = 20.0  # a camera's thread that is at one picture for so long will not come back; scaling takes milliseconds
ROUNDS = 4  # of the loop, whose quickest tells when it may be back, and of looks, whose slowest tells what one takes
WAKE_S = 0.001  # until a thread that sleeps for so and so long runs, on a busy machine
NEVER = float("inf")  # s

PauseS = Callable[[int], float]


class Looks(Protocol):
    """The detector and its rhythm, as far as capture knows them: `pace.Pace`."""

    def due(self, index: int) -> bool:
        """Whether the picture of this number will be looked at if it is the next one taken."""

    def begin(self, picture: Picture, index: int, done: Callable[[], None]) -> object:
        """Begin the look at the picture that was taken, beside the caller; None if it is not due.

        Called in order, by one thread. `done` is called when the look is over, by any.
        """


class Giving(Protocol):
    """What the pictures come from: `latest.Latest` or `recording.Recorded`.

    Attributes:
        news: guards it, and whoever stands before it; to be told of whatever may let a picture be wanted.
        slow: asks for at most so many pictures/s, None: as many as there are; None where none can be spared.
    """

    @property
    def news(self) -> threading.Condition: ...

    @property
    def place(self) -> str: ...

    @property
    def state(self) -> CaptureState: ...

    @property
    def slow(self) -> Callable[[float | None], None] | None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def frames(self, pause_s: PauseS) -> Generator[Frame | None, None, None]:
        """The pictures as they are wanted, until it is left.

        Yields None where it may be that none comes, of a camera several times in HUNG_S.

        Args:
            pause_s: for how long the picture of this number is not wanted yet, s, if there is no news. Called with
                `news` held.
        """

    def hand(self, frame: Frame) -> Frame:
        """A picture on its way to the loop; called by the loop's thread."""


@dataclass(slots=True, eq=False)
class Look:
    """One that was begun; a session of the model has it from `began_s`, at the earliest, to `over_s`."""

    began_s: float
    over_s: float = NEVER


class Ahead:
    """A source whose pictures are taken, and looked at, while the loop still follows what it saw in the last one.

    Of a recording every picture is taken, a few ahead. A camera's grows old while it waits: its newest is taken when
    the loop waits for one, or, if it will be looked at, so that it is scaled just when a session of the model may be
    free for it, but no sooner than that the look may be over just when the loop is back. What was taken is handed out,
    in order.

    Args:
        source: to be entered and left here.
        looks: begins looks, what it makes of them is `Frame.begun`; None: nothing does.
        room: pictures that may wait for the loop; of 1080p each takes 3 MB, or as BGR 6.
        fresh: a picture that waits grows old; `room` is also the number of looks at once.
    """

    def __init__(self, source: Giving, looks: Looks | None = None, room: int = 2, fresh: bool = False) -> None:
        self._source, self._looks, self._room, self._fresh = source, looks, room, fresh
        self._news = source.news  # guards everything below
        self._ready: deque[tuple[Frame, Look]] = deque()
        self._looking: deque[Look] = deque()  # those that are not over; one more than `room` waits for a session
        self._looks_s: deque[float] = deque(maxlen=ROUNDS)  # what they took
        self._begins_s: deque[float] = deque(maxlen=ROUNDS)  # what it took to begin them
        self._asked = False  # the loop waits for a picture
        self._last = Look(0.0, 0.0)  # at the picture that the loop had last
        self._handed_s = 0.0  # when it had that, or began
        self._rounds_s: deque[float] = deque([0.0], maxlen=ROUNDS)  # of the loop, from there, or the end of the look
        self._turns = self._turns_seen = 0  # of the thread, with a picture or without; of those the loop knows
        self._still_s = 0.0  # that the loop has waited since it saw one more
        self._ended = False
        self._error: EdgetrackError | None = None
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> CaptureState:
        return self._source.state

    @property
    def slow(self) -> Callable[[float | None], None] | None:
        return self._source.slow

    def __enter__(self) -> Self:
        self._source.__enter__()
        self._handed_s = time.monotonic()
        name = f"capture {self._source.place}, ahead"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(CLOSE_S)
            if thread.is_alive():
                log.info("%s: a read does not return; its thread is left behind", self._source.place)

    def __iter__(self) -> Iterator[Frame | None]:
        while self._thread is not None:
            frame = self._next()
            if frame is None and self._ended and not self._ready:
                self.__exit__(None, None, None)
                if self._error is not None:
                    raise self._error
                return
            yield frame

    def _next(self) -> Frame | None:
        """The next picture; None after WAIT_S without one."""
        with self._news:
            if not self._asked:
                now = time.monotonic()  # the loop may know what a look found a moment before that is told to be over
                self._rounds_s.append(now - max(self._handed_s, min(self._last.over_s, now)))
                self._asked = True
                self._news.notify_all()
            self._news.wait_for(lambda: self._ready or self._ended, WAIT_S)
            if not self._ready:
                self._watch()
                return None
            frame, self._last = self._ready.popleft()
            self._handed_s, self._asked = time.monotonic(), False
            self._news.notify_all()
        return self._source.hand(frame)

    def _watch(self) -> None:
        """No picture: the thread may have died, or be stuck at one, which to the loop is as a silent camera."""
        if self._thread is None or self._ended:
            return
        if not self._thread.is_alive():
            raise CaptureError(f"{self._source.place}: the reader died, its traceback is in the log; report it")
        if self._fresh:  # told by own waits, not by a clock, which goes on while the process is stopped
            self._still_s = self._still_s + WAIT_S if self._turns == self._turns_seen else 0.0
            self._turns_seen = self._turns
            if self._still_s >= HUNG_S:
                raise CaptureError(
                    f"{self._source.place}: a picture has been stuck for {HUNG_S:g} s, in its conversion or on its way "
                    "to the model; only a new process can help: restart the daemon"
                )

    # --- the thread

    def _run(self) -> None:
        try:
            with closing(self._source.frames(self._pause_s)) as frames:
                for frame in frames:
                    self._turns += 1
                    if frame is not None:
                        self._begin(frame)
        except EdgetrackError as error:
            self._error = error
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _pause_s(self, index: int) -> float:
        """For how long a picture must not be taken yet."""
        waiting = len(self._ready)
        if self._asked and not waiting:
            return 0.0
        if waiting >= self._room:
            return NEVER
        if not self._fresh:
            return 0.0
        if self._looks is None or len(self._looking) > self._room or not self._looks.due(index):
            return NEVER
        return max(self._free_s(), self._back_s(waiting) - max(self._looks_s, default=0.0)) - time.monotonic()

    def _free_s(self) -> float:
        """From when on a look may be begun, so that it is ready as soon as a session may be free for it."""
        if len(self._looking) < self._room:
            return 0.0
        over_s = self._looking[0].began_s + min(self._looks_s, default=NEVER)
        return over_s - max(self._begins_s, default=0.0) - WAKE_S

    def _back_s(self, waiting: int) -> float:
        """When the loop may come for the next picture taken, while so many wait already."""
        over_s = min(self._last.over_s, self._last.began_s + max(self._looks_s, default=0.0))
        return max(self._handed_s, over_s) + (waiting + 1) * min(self._rounds_s)

    def _begin(self, frame: Frame) -> None:
        began_s = time.monotonic()
        look, begun = Look(began_s), None
        with self._news:
            self._looking.append(look)  # before it begins: it may be over before begin() returns
        if self._looks is not None:
            begun = self._looks.begin(frame.picture, frame.index, partial(self._over, look))
        with self._news:
            if begun is None:
                self._looking.remove(look)
                look.over_s = began_s
            else:
                self._begins_s.append(time.monotonic() - began_s)
            self._ready.append((replace(frame, begun=begun), look))
            self._news.notify_all()

    def _over(self, look: Look) -> None:
        """A look is over; said by the thread that looked."""
        with self._news:
            look.over_s = time.monotonic()
            self._looks_s.append(look.over_s - look.began_s)
            self._looking.remove(look)
            if len(self._looking) >= self._room:
                self._looking[self._room - 1].began_s = look.over_s  # it has waited for this
            self._news.notify_all()
