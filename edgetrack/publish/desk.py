"""Requests that come through one broker, screened, and the answers on their way back.

Whoever may write to `<prefix>/<device>/<camera>/request/<verb>` may ask, if the configuration allows the verb. Nothing
here runs a request: the loop takes it when it has time. Memory, work and answers are bounded whatever comes in.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from edgetrack.config import RequestsConfig, Verb
from edgetrack.publish.payload import Fault, Transaction

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

    from edgetrack.publish.mqtt import Link

log = logging.getLogger(__name__)

VERBS: tuple[str, ...] = get_args(Verb)
MAX_WAITING = 16  # requests that the loop has not taken, and answers that the broker has not: beyond, they are ignored
BURST = 10  # requests at once, if max_per_minute allows as many
FLOOD = 200  # messages within FLOOD_S, after which nothing is listened to for DEAF_S
FLOOD_S = 1.0
DEAF_S = 10.0
WARN_S = 3600.0  # a flood that goes on is told once an hour
ANSWER_S = 60.0  # that an answer waits for its broker to come back
MAX_TOPIC = 1000  # characters of a response topic


class Envelope(msgspec.Struct):
    """As much of a request as every one has."""

    transaction: Transaction | None = None


_envelope = msgspec.json.Decoder(Envelope)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an answer goes."""

    desk: Desk
    topic: str
    correlation: bytes | None


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; with a `fault` it is to be answered and not to be run."""

    verb: str
    body: bytes  # JSON
    address: Address
    received: float  # s, monotonic
    transaction: str | int | None = None
    fault: Fault | None = None
    reason: str = ""  # of the fault

    def reply(self, payload: bytes) -> None:
        """Send an answer on its way; from any thread."""
        self.address.desk.reply(self.address, payload)

    def show(self, topic: str, payload: bytes) -> None:
        """Send something else to the same broker, on a topic of this camera; from any thread."""
        desk = self.address.desk
        desk.reply(Address(desk, f"{desk.base}/{topic}", None), payload)


class Desk:
    """Listens on one broker.

    Args:
        options: what is allowed.
        base: topic of this camera, with the prefix.
        nudge: wakes the thread that has the connection.
        kept: beginnings of other topics on which nobody may have an answer.
    """

    def __init__(
        self, options: RequestsConfig, base: str, nudge: Callable[[], None], kept: tuple[str, ...] = ()
    ) -> None:
        self._kept = ("$", f"{base}/", *kept)
        self.room = math.inf  # bytes of the largest packet that the broker takes
        self.topic = f"{base}/request/+"
        self.options, self.base, self._nudge = options, base, nudge
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque()
        self._answers: deque[tuple[float, Address, bytes]] = deque()
        self._rate = Rate(options.max_per_minute)
        self._flood = Rate(round(60 * FLOOD / FLOOD_S), FLOOD)
        self._told = False  # the last one was beyond the rate, and has been told so
        self._deaf_until: float | None = None
        self._warned = -WARN_S
        self._ignored = 0

    # --- for the loop ---

    def take(self) -> list[Request]:
        """What has come since the last call."""
        if not self._requests:
            return []
        with self._lock:
            requests = list(self._requests)
            self._requests.clear()
        return requests

    def reply(self, address: Address, payload: bytes) -> None:
        """From any thread; what finds no room or no broker for a minute is dropped."""
        with self._lock:
            if len(self._answers) < MAX_WAITING:
                self._answers.append((time.monotonic(), address, payload))
        self._nudge()

    # --- in the thread of the connection ---

    def listen(self, link: Link) -> None:
        """On a new connection."""
        self._deaf_until = None
        if self.options.allow:
            link.watch(self.topic, self._receive)

    def denied(self, link: Link) -> bool:
        """The broker does not let this device read its requests."""
        return link.granted.get(self.topic) is False

    def guard(self, link: Link) -> None:
        """Stop listening while somebody floods us; listen again later."""
        now = time.monotonic()
        if self._deaf_until is None and self._flood.exhausted:
            if now > self._warned + WARN_S:
                self._warned = now
                log.warning("%s: a flood of requests; nothing is listened to for %.0f s", self.topic, DEAF_S)
            self._deaf_until = now + DEAF_S
            link.unwatch(self.topic)
        elif self._deaf_until is not None and now > self._deaf_until:
            log.debug("%s: listening again; %d requests were ignored", self.topic, self._ignored)
            self._flood = Rate(round(60 * FLOOD / FLOOD_S), FLOOD)
            self.listen(link)

    def next_answer(self) -> tuple[str, bytes, bytes | None] | None:
        """Topic, payload and correlation data of the next answer that is still worth sending."""
        with self._lock:
            while self._answers:
                since, address, payload = self._answers.popleft()
                if time.monotonic() < since + ANSWER_S:
                    return address.topic, payload, address.correlation
        return None

    def put_back(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """An answer that could not be sent before the connection ended: the first of the next one."""
        with self._lock:
            self._answers.appendleft((time.monotonic(), Address(self, topic, correlation), payload))

    @property
    def waiting(self) -> bool:
        return bool(self._answers)

    def _receive(self, message: MQTTMessage) -> None:
        if message.retain and message.properties is None:
            return  # 3.1.1: it lay at the broker before we asked, and whoever put it there is gone
        flooded, late = not self._flood.take(), not self._rate.take()
        if flooded or (late and self._told):
            self._ignored += 1
            return
        self._told = late
        request = self._screened(message, late)
        with self._lock:
            if len(self._requests) < MAX_WAITING:
                self._requests.append(request)
            else:
                self._ignored += 1

    def _screened(self, message: MQTTMessage, late: bool) -> Request:
        """The request, with what is wrong with it."""
        verb, body = message.topic.rpartition("/")[2][:64], bytes(message.payload) or b"{}"
        size, options = len(body), self.options
        transaction: str | int | None = None
        malformed = ""
        if size <= options.max_bytes:
            try:
                transaction = _envelope.decode(body).transaction
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                malformed = f"expected a JSON object: {error}"
        fault: Fault | None = None
        reason = ""
        if late:
            fault = "too_many"
            reason = f"at most {options.max_per_minute} a minute are answered; what follows at once is ignored"
        elif message.retain:
            fault, reason = "retained", "a retained request would run again and again; publish it without retain"
        elif verb not in VERBS:
            fault, reason = "unknown", f"there is no such verb; there are {', '.join(VERBS)}"
        elif verb not in options.allow:
            fault, reason = "not_allowed", f"{verb} is not among publish.requests.allow of this device"
        elif size > options.max_bytes:
            fault, reason = (
                "too_large",
                f"{size} bytes; at most {options.max_bytes} are read (publish.requests.max_bytes)",
            )
        elif malformed:
            fault, reason = "malformed", malformed
        return Request(verb, body, self._address(verb, message), time.monotonic(), transaction, fault, reason)

    def _address(self, verb: str, message: MQTTMessage) -> Address:
        """The response topic and correlation data of MQTT 5, else `response/<verb>`.

        Nobody may have the device write on its other topics, which are the truth of its readers.
        """
        properties: Any = message.properties
        topic = getattr(properties, "ResponseTopic", "")
        usual = f"{self.base}/response/"
        ours = topic.startswith(self._kept) and not topic.startswith(usual)
        if not topic or ours or len(topic) > MAX_TOPIC or any(sign in topic for sign in "+#\0"):
            topic = usual + (verb if verb in VERBS else "unknown")
        return Address(self, topic, getattr(properties, "CorrelationData", None))


class Rate:
    """At most so many a minute on average, and `burst` at once."""

    def __init__(self, per_minute: int, burst: int = BURST) -> None:
        self._per_s, self._most = per_minute / 60, float(min(burst, per_minute))
        self._left, self._at = self._most, time.monotonic()
        self.exhausted = False  # somebody took one too many

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            self.exhausted = True
            return False
        self._left -= 1
        return True
