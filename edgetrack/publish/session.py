"""One connection, from when the broker lets us in until it ends: what is owed is handed over, and settled."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import dataclass, field

from edgetrack.config import MqttPublish
from edgetrack.publish import trouble
from edgetrack.publish.departure import Departure
from edgetrack.publish.depth import Depth
from edgetrack.publish.desk import Desk
from edgetrack.publish.home_assistant import Discovery
from edgetrack.publish.mqtt import FAREWELL_S, Link
from edgetrack.publish.owed import Owed
from edgetrack.publish.parcel import Parcel
from edgetrack.publish.shelf import Shelf
from edgetrack.publish.standing import Standing

log = logging.getLogger(__name__)

ACK_S = 20.0  # without one acknowledgement although messages are under way: the connection counts as dead
REFUSED_RETRY_S = 10.0  # until a refused topic gets another chance
ERROR = 0x80  # reason codes from here on refuse


@dataclass
class Session:
    """Hands over through a small window, in order: answers, for which somebody waits, then what is owed.

    What the broker refuses is held, what it never takes is dropped, and neither holds up the rest.

    Args:
        link: lets us in already.
        wake: readable when there is something to do.
        shelf: keeps what `discovery` must know at the next start.
        The others outlive the connection.
    """

    link: Link
    wake: socket.socket
    options: MqttPublish
    owed: Owed
    desk: Desk
    depth: Depth
    discovery: Discovery
    shelf: Shelf | None
    standing: Standing
    departure: Departure

    _under_way: dict[int, Parcel] = field(default_factory=dict)  # by message id
    _aside: Parcel | None = None  # until a probe of its size tells whether the broker takes it
    _refused: set[str] = field(default_factory=set)  # topics
    _refused_since: float = 0.0
    _heard: float = field(default_factory=time.monotonic)
    _retry_at: float = field(default_factory=lambda: time.monotonic() + REFUSED_RETRY_S)

    def serve(self) -> None:
        """Send and settle until the link ends or the daemon leaves."""
        self._begin()
        while not self.link.ended:
            self._feed()
            self.link.step(self.departure.patience_s(0.02 if self.owed.paced else 0.5), self.wake)
            self._listen()
            self._settle()
            self._look_at_the_clock()
            if self.departure.begun and (time.monotonic() > self.departure.by or not self._busy):
                self._farewell()
                return
        if self._aside is not None and self._aside.answer:
            self.desk.put_back(self._aside.topic, self._aside.payload, self._aside.correlation)
        if self.link.closed:
            self.link.ended = self.depth.broken(bool(self._under_way)) or self.link.ended

    def _begin(self) -> None:
        self._publish(Parcel(f"{self.desk.base}/status", b"online", retain=True))
        self.depth.begin(self.link)
        self.desk.room = self.depth.most
        self.desk.listen(self.link)
        if self.options.home_assistant.enabled:
            self.link.watch(self.discovery.status, self.discovery.hear)

    @property
    def _busy(self) -> bool:
        return bool(self._under_way or self._aside or self.owed.waiting or self.desk.waiting)

    # --- to the broker ---

    def _feed(self) -> None:
        """Hand over what the window has room for."""
        self.owed.hurry(self.discovery.due())
        while len(self._under_way) < self.link.window and not self.link.ended:
            parcel = self._aside or self._next()
            self._aside = None
            if parcel is None:
                return
            size = self.link.packet_bytes(parcel.topic, parcel.payload, parcel.correlation)
            takes = self.depth.takes(size)
            if takes is None:
                self._aside = parcel
                return
            if takes:
                self._publish(parcel)
            else:
                self._drop(parcel, size)

    def _next(self) -> Parcel | None:
        answer = self.desk.next_answer()
        if answer is not None:
            topic, payload, correlation = answer
            return Parcel(topic, payload, answer=True, correlation=correlation)
        refused_s = time.monotonic() - self._refused_since if self._refused else 0.0
        taken = self.owed.take(self.departure.begun, refused_s)
        if taken is None:
            return None
        key, message = taken
        topic = message.topic if message.whole else f"{self.options.prefix}/{message.topic}"
        return Parcel(topic, message.payload, message.retain, message, key)

    def _publish(self, parcel: Parcel) -> None:
        mid = self.link.publish(parcel.topic, parcel.payload, parcel.retain, parcel.correlation)
        self._under_way[mid] = parcel

    def _drop(self, parcel: Parcel, size: int) -> None:
        """What the broker never takes must not stand in the way of what it does."""
        self.desk.room = self.depth.most
        reason = trouble.too_large(parcel.topic, size, self.depth.why)
        if parcel.message is None:
            log.warning("%s: %s", self.options.url, reason)
            self._aside = parcel.refused(reason)
        else:
            self.owed.dropped(parcel.key, parcel.message)
            self._complain(parcel.topic, reason)

    # --- from the broker ---

    def _listen(self) -> None:
        """To what is asked of us, and to what comes back of probes."""
        self.desk.guard(self.link)
        if self.depth.step(self._under_way):
            self._tell(trouble.NO_ECHO.format(self.depth.topic))
        if self.desk.denied(self.link):
            self._tell(trouble.NOT_HEARD.format(self.desk.topic))

    def _settle(self) -> None:
        """Forget what was acknowledged with a good reason; keep what was refused."""
        if self.link.acks or not self._under_way:
            self._heard = time.monotonic()
        while self.link.acks:
            mid, code, name = self.link.acks.popleft()
            parcel = self._under_way.pop(mid)
            if parcel.topic == self.depth.topic:
                self.depth.acked(mid, code)
            elif parcel.answer:
                if code >= ERROR:  # who asked chose a topic that this device may not write to
                    log.warning("%s", trouble.of_code(f"the broker refuses the answer on {parcel.topic}", code, name))
            elif code >= ERROR:
                self.owed.refused(parcel.key, code)
                what = f"the broker refuses what is sent to {parcel.topic}"
                self._complain(parcel.topic, trouble.of_code(what, code, name))
            else:
                self._accept(parcel)

    def _accept(self, parcel: Parcel) -> None:
        message = self.owed.accepted(parcel.key)
        if message is not None and message.whole and self.shelf is not None:
            self.shelf.note = self.discovery.memory
        if parcel.topic in self._refused:
            self._refused.discard(parcel.topic)
            if not self._refused:
                words = f"{self.options.url}: takes everything again, {self.owed.tally.queued} messages are waiting"
                self.standing.tell("ok", "", words)

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        if now > self._heard + ACK_S:
            self.link.ended = f"the broker takes messages, but has acknowledged none for {ACK_S:.0f} s"
        if now > self._retry_at:
            self._retry_at = now + REFUSED_RETRY_S
            self.owed.retry()

    # --- to people ---

    def _complain(self, topic: str, reason: str) -> None:
        """Once for each topic, until it is taken again."""
        if not self._refused:
            self._refused_since = time.monotonic()
        if topic not in self._refused:
            self._refused.add(topic)
            self._tell(reason)

    def _tell(self, reason: str) -> None:
        self.standing.tell("degraded", reason, f"{self.options.url}: {reason}")

    def _farewell(self) -> None:
        """The last word of a daemon that stops, and of no other: "offline" without the will."""
        self.link.acks.clear()
        mid = self.link.publish(f"{self.desk.base}/status", b"offline", True)
        until = time.monotonic() + FAREWELL_S / 2
        while not self.link.ended and time.monotonic() < until and mid not in [ack[0] for ack in self.link.acks]:
            self.link.step(0.05, self.wake)
        self.link.leave(self.wake)
