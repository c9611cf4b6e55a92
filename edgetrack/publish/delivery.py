"""Events to an MQTT broker: nothing is forgotten before the broker has acknowledged it with a good reason."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from edgetrack.config import Config, MqttPublish
from edgetrack.errors import EdgetrackError, PublishError
from edgetrack.publish import trouble
from edgetrack.publish.backlog import Backlog
from edgetrack.publish.depth import Depth
from edgetrack.publish.desk import Desk
from edgetrack.publish.home_assistant import Discovery
from edgetrack.publish.journal import Shelf
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.mqtt import CONNECT_S, FAREWELL_S, Link
from edgetrack.publish.tls import address, tls_context
from edgetrack.secret import password
from edgetrack.types import PublishState

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

ACK_S = 20.0  # without one acknowledgement although messages are under way: the connection counts as dead
FLUSH_S = 0.8  # for what is queued when the daemon stops
RETRY_S = (0.5, 30.0)  # first and longest pause before connecting again
STEADY_S = 10.0  # a connection that lived so long was a good one: the next pause is short
PAGE = 500  # events read from disk at once
REPLAY_PER_S = 1000  # a broker drops what its slower subscribers have no room for: what was kept is sent at this pace
PATIENCE_S = 600.0  # that what lies on disk waits for refused topics to be allowed; then they are passed over
REFUSED_RETRY_S = 10.0  # until a refused topic gets another chance


@dataclass(frozen=True)
class Parcel:
    """What is handed over next: a message, or the answer to a request."""

    topic: str
    payload: bytes
    retain: bool = False
    key: int | None = None  # in the backlog
    message: Message | None = None  # None: an answer
    correlation: bytes | None = None

    def refused(self, reason: str) -> Parcel | None:
        """An answer that says why there is none; None for what is no answer, but a picture."""
        if not self.payload.startswith(b"{"):
            return None
        told = msgspec.json.decode(self.payload, type=dict[str, Any])
        if not told.pop("result", None):
            return None
        told |= {"ok": False, "error": "failed", "reason": reason}
        return replace(self, payload=msgspec.json.encode(told))


class MqttOutlet:
    """Delivers messages in order, through a small window, for as long as it takes.

    A thread of its own connects, sends and connects again; the loop only appends to the backlog.
    """

    def __init__(
        self,
        config: Config,
        options: MqttPublish,
        shelf: Shelf | None = None,
        corrected: Callable[[Message], Message] = lambda message: message,
    ) -> None:
        address(options)
        self._config, self._options = config, options
        self._client_id = options.client_id or f"edgetrack-{config.device}-{config.camera}"
        self._status = f"{options.prefix}/{config.device}/{config.camera}/status"
        self._lock = threading.Lock()  # over the backlog and what `state` reports
        self._backlog = Backlog(options.max_queued)
        self.desk = Desk(
            options.requests,
            self._status.removesuffix("/status"),
            self._nudge,
            (f"{options.home_assistant.prefix}/",),
        )
        self._answers: set[int] = set()  # message ids of answers to requests that are under way
        self._depth = Depth(self._status.removesuffix("status") + "probe", echoes=options.version != "5")
        self._aside: Parcel | None = None  # until a probe of its size tells whether the broker takes it
        self._discovery = Discovery(config, options)
        self._shelf = shelf
        self._corrected = corrected  # what was told before the clock was put right
        self._behind: int | None = None  # the last number in memory, where more lies on disk
        self._newest = 0  # number of the newest event that lies on disk alone
        self._later: OrderedDict[object, Message] = OrderedDict()  # what follows after those
        self._standing: tuple[Literal["connecting", "ok", "degraded"], str] = ("connecting", "")
        self._sent = self._refused = self._lost = 0
        self._told: dict[
            str, Message
        ] = {}  # state that the broker has, by topic: told again to a broker that comes back
        self._refused_topics: set[str] = set()
        self._refused_since = self._replay_at = 0.0
        self._away = False  # no connection since the start, or after a loss
        self._leaving = threading.Event()
        self._leave_by = 0.0
        self._wake: socket.socket
        self._waker: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    # --- for the loop ---

    @property
    def state(self) -> PublishState:
        with self._lock:
            state, reason = self._standing
            queued, dropped = len(self._backlog) + len(self._later), self._backlog.dropped + self._lost
            return PublishState("mqtt", state, reason, self._sent, queued, dropped, self._refused)

    def send(self, messages: Sequence[Message], kept: bool = False) -> None:
        messages = [found for message in messages for found in (message, *self._discovered(message))]
        with self._lock:
            for message in messages:
                full = kept and message.worth is Worth.EVENT and self._backlog.waiting >= self._options.max_queued // 2
                if self._behind is None and not full:
                    self._backlog.add(message)
                else:
                    self._postpone(message, kept)
        self._nudge()

    def _discovered(self, message: Message) -> list[Message]:
        """What follows for Home Assistant."""
        return self._discovery.follow(message.payload) if message.topic.endswith("/info") else []

    def _postpone(self, message: Message, kept: bool) -> None:
        """Its turn comes after all that lies on disk; memory stays flat."""
        if message.worth is Worth.EVENT and kept:
            self._newest = message.seq
            if self._behind is None:
                self._behind = message.seq - 1
        elif message.worth is Worth.STATE:
            self._later.pop(message.topic, None)
            self._later[message.topic] = message
        elif message.worth is Worth.EVENT and len(self._later) < self._options.max_queued // 2:
            self._later[message.seq] = message
        else:
            self._lost += 1

    def __enter__(self) -> Self:
        tls_context(self._options)
        try:
            password("publish.mqtt", self._options.password_file, self._options.password_env)
        except EdgetrackError as error:
            raise PublishError(str(error)) from error
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)
        if self._shelf is not None:
            self._discovery = Discovery(self._config, self._options, self._shelf.note)
            self._behind = 0  # what the daemon before did not deliver
            while self._backlog.waiting < PAGE and self._refill():
                pass
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        self._thread.join(max(0.0, self._leave_by + FAREWELL_S - time.monotonic()))
        unsent = len(self._backlog)
        if unsent and self._shelf is not None:
            log.info("%s: not all was sent; what matters is kept on disk for the next start", self._options.url)
        elif unsent:
            log.warning("%s: %d messages could not be sent before the end", self._options.url, unsent)

    def leave(self) -> None:
        """Begin to leave: what is queued has FLUSH_S from now. Returns at once; `__exit__` waits for the end."""
        if not self._leaving.is_set():
            self._leave_by = time.monotonic() + FLUSH_S
            self._leaving.set()
            self._nudge()

    def _nudge(self) -> None:
        if self._waker is not None:
            with contextlib.suppress(OSError):  # it is awake already, or gone
                self._waker.send(b"\0")

    # --- in the thread ---

    def _run(self) -> None:
        assert self._waker is not None
        with self._wake, self._waker:
            self._deliver()

    def _deliver(self) -> None:
        failures = lost = 0
        while True:
            began = time.monotonic()
            reason = self._visit()
            with self._lock:
                self._backlog.rewind()
            if self._leaving.is_set():
                return
            self._away = True
            steady = time.monotonic() > began + STEADY_S
            failures = 1 if steady or self._depth.by_probe else failures + 1
            lost = 0 if reason != trouble.LOST else 1 if steady else lost + 1  # connections, one after the other
            self._report("degraded", trouble.TWIN if lost >= 3 else reason)
            self._leaving.wait(pause_s(failures))  # cut short by leaving, which gets one last try

    def _patience_s(self, most_s: float) -> float:
        """How long to wait for the broker at once: no longer than there is to leave."""
        return min(most_s, max(0.0, self._leave_by - time.monotonic())) if self._leaving.is_set() else most_s

    def _visit(self) -> str:
        """One connection, from its making to its end; returns what ended it."""
        try:
            link = Link(self._options, self._client_id, self._status)
            link.open()
        except (OSError, EdgetrackError) as error:
            return trouble.of_error(error)
        with contextlib.closing(link):
            return self._use(link)

    def _use(self, link: Link) -> str:
        """Wait until the broker lets us in, and serve; returns what ended the connection."""
        asked = time.monotonic()
        while not link.window and not link.ended:
            link.step(self._patience_s(0.5), self._wake)
            if time.monotonic() > (self._leave_by if self._leaving.is_set() else asked + CONNECT_S):
                return "connected, but the broker does not answer; is this an MQTT port?"
        if not link.ended:
            self._refused_topics.clear()
            if self._away:
                with self._lock:
                    self._backlog.mark_replayed()
            self._report("ok", "")
            self._serve(link)
        return link.ended

    def _serve(self, link: Link) -> None:
        """Send and settle until the link ends or the daemon leaves."""
        greeting = deque(sorted(self._told.values(), key=lambda message: message.seq))
        under_way: dict[int, tuple[str, int | None]] = {}  # message id -> topic, key in the backlog
        under_way[link.publish(self._status, b"online", True)] = (self._status, None)
        heard = time.monotonic()
        retry_at = heard + REFUSED_RETRY_S
        self._depth.begin(link)
        self.desk.room = self._depth.most
        self._aside = self._aside if self._aside and self._aside.message is None else None
        self._answers.clear()
        self.desk.listen(link)
        if self._options.home_assistant.enabled:
            link.watch(self._discovery.status, self._discovery.hear)
        while not link.ended:
            self.desk.guard(link)
            with self._lock:
                for message in self._discovery.due():
                    self._backlog.add(message)
            self._feed(link, greeting, under_way)
            link.step(self._patience_s(0.5 if self._replay_at < time.monotonic() else 0.02), self._wake)
            now = time.monotonic()
            if self._depth.step(under_way):
                self._report("degraded", trouble.NO_ECHO.format(self._depth.topic))
            if self.desk.denied(link):
                self._report("degraded", trouble.NOT_HEARD.format(self.desk.topic))
            if link.acks or not under_way:
                heard = now
            self._settle(link, under_way)
            if now > heard + ACK_S:
                link.ended = f"the broker takes messages, but has acknowledged none for {ACK_S:.0f} s"
            if now > retry_at:
                retry_at = now + REFUSED_RETRY_S
                with self._lock:
                    self._backlog.retry()
            if self._leaving.is_set() and (
                now > self._leave_by
                or not (under_way or self._aside or greeting or self._waiting() or self.desk.waiting)
            ):
                self._farewell(link)
                return
        if link.closed:
            link.ended = self._depth.broken(bool(under_way)) or link.ended

    def _waiting(self) -> int:
        with self._lock:
            return self._backlog.waiting

    def _feed(self, link: Link, greeting: deque[Message], under_way: dict[int, tuple[str, int | None]]) -> None:
        """Hand over what the window has room for."""
        while len(under_way) < link.window and not link.ended:
            parcel = self._aside or self._next(greeting)
            self._aside = None
            if parcel is None:
                return
            size = link.packet_bytes(parcel.topic, parcel.payload, parcel.correlation)
            takes = self._depth.takes(size)
            if takes is None:
                self._aside = parcel
                return
            if not takes:
                self._drop(parcel, size)
                continue
            mid = link.publish(parcel.topic, parcel.payload, parcel.retain, parcel.correlation)
            under_way[mid] = (parcel.topic, parcel.key)
            if parcel.message is None:
                self._answers.add(mid)

    def _next(self, greeting: deque[Message]) -> Parcel | None:
        """First answers to requests, for which somebody waits, then what the broker should know, then the backlog."""
        answer = self.desk.next_answer()
        if answer is not None:
            topic, payload, correlation = answer
            return Parcel(topic, payload, correlation=correlation)
        if greeting:
            return self._parcel(greeting.popleft())
        while True:
            with self._lock:
                if self._backlog.replaying and not self._may_replay():
                    return None
                taken = self._backlog.take()
            if taken is not None:
                key, message = taken
                return self._parcel(self._corrected(message), key)
            if not self._refill():
                return None

    def _parcel(self, message: Message, key: int | None = None) -> Parcel:
        topic = message.topic if message.whole else f"{self._options.prefix}/{message.topic}"
        return Parcel(topic, message.payload, message.retain, key, message)

    def _drop(self, parcel: Parcel, size: int) -> None:
        """What the broker never takes must not stand in the way of what it does."""
        self.desk.room = self._depth.most
        reason = trouble.too_large(parcel.topic, size, self._depth.why)
        if parcel.message is None:
            log.warning("%s: %s", self._options.url, reason)
            self._aside = parcel.refused(reason)
            return
        if parcel.key is not None:
            with self._lock:
                self._backlog.done(parcel.key)
                self._lost += 1
        if parcel.message.worth is Worth.STATE:
            self._told[parcel.topic] = parcel.message  # another connection may take it
        elif parcel.message.worth is Worth.EVENT and self._shelf is not None:
            self._shelf.delivered(parcel.message.seq)
        if parcel.topic not in self._refused_topics:
            self._refused_topics.add(parcel.topic)
            self._report("degraded", reason)

    def _may_replay(self) -> bool:
        """Whether the pace allows one more, in bursts of at most 20 ms; who leaves is in a hurry."""
        now = time.monotonic()
        if self._replay_at > now and not self._leaving.is_set():
            return False
        self._replay_at = max(self._replay_at, now - 0.02) + 1 / REPLAY_PER_S
        return True

    def _refill(self) -> bool:
        """Bring the next page from disk into memory; False where there is none, or none now."""
        if self._shelf is None or self._behind is None:
            return False
        patient = time.monotonic() < self._refused_since + PATIENCE_S
        if self._backlog.held >= self._options.max_queued // 2 and patient:
            return False
        newest = self._newest
        page = self._shelf.read(self._behind, PAGE)
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

    def _settle(self, link: Link, under_way: dict[int, tuple[str, int | None]]) -> None:
        """Forget what was acknowledged with a good reason; keep what was refused."""
        while link.acks:
            mid, code, name = link.acks.popleft()
            topic, key = under_way.pop(mid)
            if topic == self._depth.topic:
                self._depth.acked(mid, code)
            elif mid in self._answers:
                self._answers.remove(mid)
                if code >= 0x80:  # who asked chose a topic that this device may not write to
                    log.warning("%s", trouble.of_code(f"the broker refuses the answer on {topic}", code, name))
            elif code >= 0x80:
                self._refuse(topic, key, code, name)
            else:
                self._accept(topic, key)

    def _accept(self, topic: str, key: int | None) -> None:
        with self._lock:
            self._sent += 1
            message = None if key is None else self._backlog.done(key)
        if message is not None and message.worth is Worth.STATE:
            self._told[topic] = message
            if not message.payload:
                del self._told[topic]
            if message.whole and self._shelf is not None:
                self._shelf.note = self._discovery.memory
        elif message is not None and message.worth is Worth.EVENT and self._shelf is not None:
            self._shelf.delivered(message.seq)
        if topic in self._refused_topics:
            self._refused_topics.discard(topic)
            if not self._refused_topics:
                self._report("ok", "", "takes everything again")

    def _refuse(self, topic: str, key: int | None, code: int, name: str) -> None:
        with self._lock:
            self._refused += 1
            if key is not None:
                self._backlog.refuse(key, code)
        if not self._refused_topics:
            self._refused_since = time.monotonic()
        if topic not in self._refused_topics:
            self._refused_topics.add(topic)
            self._report("degraded", trouble.of_code(f"the broker refuses what is sent to {topic}", code, name))

    def _farewell(self, link: Link) -> None:
        link.acks.clear()
        mid = link.publish(self._status, b"offline", True)
        until = time.monotonic() + FAREWELL_S / 2
        while not link.ended and time.monotonic() < until and mid not in [ack[0] for ack in link.acks]:
            link.step(0.05, self._wake)
        link.leave(self._wake)

    def _report(self, state: Literal["ok", "degraded"], reason: str, good: str = "connected") -> None:
        """Say it once, when it changes."""
        with self._lock:
            changed = self._standing != (state, reason)
            self._standing = (state, reason)
            queued = len(self._backlog)
        if not changed:
            return
        if reason:
            log.warning("%s: %s", self._options.url, reason)
        else:
            log.info("%s: %s, %d messages are waiting", self._options.url, good, queued)


def pause_s(failures: int) -> float:
    """Doubling from 0.5 s to 30 s, with jitter, so that a fleet does not come back all at once."""
    shortest, longest = RETRY_S
    return random.uniform(0.5, 1.0) * min(longest, 2 * shortest * float(1 << min(failures - 1, 10)))  # noqa: S311
