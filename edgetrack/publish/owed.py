"""What a broker must still be told, in order: memory and disk as one queue."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edgetrack.publish.backlog import Backlog
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.shelf import Shelf

PAGE = 500  # events read from disk at once, at most
REPLAY_PER_S = 1000  # a broker drops what its slower subscribers have no room for: what was kept is sent at this pace
BURST_S = 0.02  # of that pace, at once
PATIENCE_S = 600.0  # that what lies on disk waits for refused topics to be allowed; then they are passed over


@dataclass(frozen=True)
class Tally:
    """Messages, since the start."""

    sent: int
    queued: int  # now
    dropped: int
    refused: int


class Owed:
    """The loop adds, the outlet's thread takes; a message is owed until it is `accepted` or `dropped`.

    Events that are on disk too fill half of the memory at most. The rest lies on disk alone, and what comes after it
    waits its turn beside the backlog, until the thread has read it back page by page: memory stays flat.

    Args:
        limit: messages kept in memory.
        shelf: the outlet's own view of the disk; None: there is only memory.
        corrected: puts right what was told before the clock was.
    """

    def __init__(self, limit: int, shelf: Shelf | None, corrected: Callable[[Message], Message]) -> None:
        self._half, self._shelf, self._corrected = limit // 2, shelf, corrected
        self._page = min(PAGE, self._half)
        self._lock = threading.Lock()  # over all that both threads touch
        self._backlog = Backlog(limit)
        self._later: OrderedDict[object, Message] = OrderedDict()  # what follows what lies on disk alone
        self._behind: int | None = None  # the last number in memory, where more lies on disk
        self._newest = 0  # number of the newest event that lies on disk alone
        self._sent = self._lost = self._refused = 0
        self._has: dict[str, Message] = {}  # states that the broker has, by topic
        self._greeting: deque[Message] = deque()
        self._next_at = 0.0  # when the pace allows one more of what was kept

    @property
    def tally(self) -> Tally:
        with self._lock:
            queued, dropped = len(self._backlog) + len(self._later), self._backlog.dropped + self._lost
            return Tally(self._sent, queued, dropped, self._refused)

    @property
    def waiting(self) -> int:
        """Messages that may be taken now or soon; what lies on disk does not count."""
        with self._lock:
            return self._backlog.waiting + len(self._greeting)

    @property
    def flying(self) -> int:
        """Messages that were taken, and neither accepted nor refused yet."""
        with self._lock:
            return self._backlog.flying

    # --- for the loop ---

    def recall(self) -> None:
        """At the start: what the daemon before did not deliver comes first."""
        if self._shelf is not None:
            self._behind = 0
            while self._backlog.waiting < self._page and self._refill(patient=True):
                pass

    def add(self, messages: Iterable[Message], kept: bool) -> None:
        """At the end of the queue.

        Args:
            kept: the events among them are on disk too.
        """
        with self._lock:
            for message in messages:
                full = kept and message.worth is Worth.EVENT and self._backlog.waiting >= self._half
                if self._behind is None and not full:
                    self._backlog.add(message)
                else:
                    self._postpone(message, kept)

    def _postpone(self, message: Message, kept: bool) -> None:
        """Its turn comes after all that lies on disk."""
        if message.worth is Worth.EVENT and kept:
            self._newest = message.seq
            if self._behind is None:
                self._behind = message.seq - 1
        elif message.worth is Worth.STATE:
            self._later.pop(message.topic, None)
            self._later[message.topic] = message
        elif message.worth is Worth.EVENT and len(self._later) < self._half:
            self._later[message.seq] = message
        else:
            self._lost += 1

    # --- for the outlet's thread ---

    def greet(self, replayed: bool) -> None:
        """A new connection: the broker may have forgotten what it had.

        Args:
            replayed: it was away; what waits for it will say so.
        """
        self._greeting = deque(sorted(self._has.values(), key=lambda message: message.seq))
        if replayed:
            with self._lock:
                self._backlog.mark_replayed()

    def rewind(self) -> None:
        """The connection is over: all that was taken, and is owed still, waits again."""
        with self._lock:
            self._backlog.rewind()

    def retry(self) -> None:
        """Refused topics get another chance."""
        with self._lock:
            self._backlog.retry()

    def hurry(self, messages: Sequence[Message]) -> None:
        """Add what does not wait for what lies on disk."""
        with self._lock:
            for message in messages:
                self._backlog.add(message)

    @property
    def paced(self) -> bool:
        """More of what was kept will be there to take in a moment."""
        return self._next_at >= time.monotonic()

    def take(self, leaving: bool, refused_s: float) -> tuple[int | None, Message] | None:
        """The next one with its key, which is None for what is told again; None: there is none, or none now.

        Args:
            leaving: the pace does not matter any more.
            refused_s: for how long the broker has been refusing topics.
        """
        if self._greeting:
            return None, self._corrected(self._greeting.popleft())
        while True:
            with self._lock:
                if self._backlog.replaying and not (self._in_step() or leaving):
                    return None
                taken = self._backlog.take()
            if taken is not None:
                key, message = taken
                return key, self._corrected(message)
            if not self._refill(refused_s < PATIENCE_S):
                return None

    def _in_step(self) -> bool:
        """Whether the pace allows one more, and if so, count it."""
        now = time.monotonic()
        if self._next_at > now:
            return False
        self._next_at = max(self._next_at, now - BURST_S) + 1 / REPLAY_PER_S
        return True

    def _refill(self, patient: bool) -> bool:
        """Bring the next page from disk into memory; False where there is none, or none now."""
        if self._shelf is None or self._behind is None or (patient and self._backlog.held >= self._half):
            return False
        newest = self._newest
        page = self._shelf.read(self._behind, self._page)
        if page is None:
            return False
        with self._lock:
            for message in page:
                self._catch_up(message.seq)
                self._backlog.add(message)
                self._behind = message.seq
            self._backlog.mark_replayed()
            if not page and newest == self._newest:
                self._behind = None
                self._catch_up(0)
        return True

    def _catch_up(self, seq: int) -> None:
        """It is the turn of what was postponed until event `seq`; of all of it when nothing lies on disk any more."""
        while self._later:
            key, message = next(iter(self._later.items()))
            if message.seq >= seq and self._behind is not None:
                return
            del self._later[key]
            self._backlog.add(message)

    def accepted(self, key: int | None) -> Message | None:
        """The broker has acknowledged it with a good reason; the message that had this key."""
        with self._lock:
            self._sent += 1
            message = None if key is None else self._backlog.done(key)
        if message is not None:
            self._settle(message)
        return message

    def dropped(self, key: int | None, message: Message) -> None:
        """The broker will never take it."""
        if key is not None:
            with self._lock:
                self._backlog.done(key)
                self._lost += 1
        self._settle(message)

    def _settle(self, message: Message) -> None:
        """A state is told again at the next connection, and an event needs no place on disk any more."""
        if message.worth is Worth.STATE and message.payload:
            self._has[message.topic] = message
        elif message.worth is Worth.STATE:
            self._has.pop(message.topic, None)
        elif message.worth is Worth.EVENT and self._shelf is not None:
            self._shelf.delivered(message.seq)

    def refused(self, key: int | None, code: int) -> None:
        """The broker refuses it for now: it is kept, with all that follows on its topic, until `retry`."""
        with self._lock:
            self._refused += 1
            if key is not None:
                self._backlog.refuse(key, code)
