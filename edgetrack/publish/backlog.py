"""What waits for its acknowledgement: in order, bounded, and giving way by worth."""

from __future__ import annotations

from collections import OrderedDict, deque

from edgetrack.publish.message import Message, Worth


class Backlog:
    """Messages by a key that only grows; each is waiting, under way, or held because its topic was refused.

    Not thread-safe: its owner locks.

    Args:
        limit: messages kept. Beyond it superseded states go first, unmissed; then updates, then the oldest events,
            and `dropped` counts those. What is under way never goes.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self.refused: dict[str, int] = {}  # topic -> reason code; those topics are held until `retry`
        self._limit = limit
        self._next = 0
        self._replayed = 0  # keys below: kept while the broker was away
        self._waiting: OrderedDict[int, Message] = OrderedDict()
        self._flying: OrderedDict[int, Message] = OrderedDict()
        self._held: OrderedDict[int, Message] = OrderedDict()
        self._newest: dict[str, int] = {}  # topic of a state -> key
        self._superseded: deque[int] = deque()
        self._updates: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flying) + len(self._held)

    @property
    def flying(self) -> int:
        return len(self._flying)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def replaying(self) -> bool:
        """The next one was kept while the broker was away."""
        return next(iter(self._waiting), self._next) < self._replayed

    def add(self, message: Message) -> None:
        key = self._next
        self._next += 1
        self._waiting[key] = message
        if message.worth is Worth.STATE:
            if message.topic in self._newest:
                self._superseded.append(self._newest[message.topic])
            self._newest[message.topic] = key
        elif message.worth is Worth.UPDATE:
            self._updates.append(key)
        for keys in (self._superseded, self._updates):
            while keys and not self._keeps(keys[0]):
                keys.popleft()
        if len(self) > self._limit:
            self._make_room()

    def take(self) -> tuple[int, Message] | None:
        """The next message to send; it is under way from now on."""
        while self._waiting:
            key, message = self._waiting.popitem(last=False)
            if message.topic not in self.refused:
                self._flying[key] = message = message.replayed() if key < self._replayed else message
                return key, message
            self._held[key] = message
        return None

    def done(self, key: int) -> Message:
        """Acknowledged with a good reason."""
        return self._flying.pop(key)

    def refuse(self, key: int, code: int) -> Message:
        """Acknowledged with an error reason: kept, and with it all that follows on its topic."""
        message = self._held[key] = self._flying.pop(key)
        self.refused[message.topic] = code
        return message

    def retry(self) -> None:
        """Refused topics get another chance."""
        self.refused.clear()
        self._recall(self._held)

    def rewind(self) -> None:
        """The connection is lost: all that was not acknowledged waits again."""
        self.refused.clear()
        self._flying.update(self._held)
        self._held.clear()
        self._recall(self._flying)

    def mark_replayed(self) -> None:
        """The broker was away: what is kept now will say so."""
        self._replayed = self._next

    def _keeps(self, key: int) -> bool:
        return key in self._waiting or key in self._flying or key in self._held

    def _recall(self, some: OrderedDict[int, Message]) -> None:
        """Back among the waiting, in order; a sort of two sorted runs."""
        if some:
            self._waiting = OrderedDict(sorted({**some, **self._waiting}.items()))
            some.clear()

    def _make_room(self) -> None:
        for keys in (self._superseded, self._updates):
            while keys:
                key = keys.popleft()
                message = self._waiting.pop(key, None) or self._held.pop(key, None)
                if message is not None:
                    self.dropped += message.worth is not Worth.STATE
                    return
        for kept in (self._held, self._waiting):
            oldest = next((key for key, message in kept.items() if message.worth is not Worth.STATE), None)
            if oldest is not None:
                del kept[oldest]
                self.dropped += 1
                return
