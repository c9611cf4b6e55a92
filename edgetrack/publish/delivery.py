"""Events to an MQTT broker: nothing is forgotten before the broker has acknowledged it with a good reason."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgetrack.config import Config, MqttPublish
from edgetrack.errors import EdgetrackError, PublishError
from edgetrack.publish import trouble
from edgetrack.publish.departure import Departure
from edgetrack.publish.depth import Depth
from edgetrack.publish.desk import Desk
from edgetrack.publish.home_assistant import Discovery
from edgetrack.publish.message import Message
from edgetrack.publish.mqtt import CONNECT_S, FAREWELL_S, Link
from edgetrack.publish.owed import Owed
from edgetrack.publish.session import Session
from edgetrack.publish.shelf import Shelf
from edgetrack.publish.standing import Standing
from edgetrack.publish.tls import address, tls_context
from edgetrack.secret import password
from edgetrack.types import PublishState

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

RETRY_S = (0.5, 30.0)  # first and longest pause before connecting again
STEADY_S = 10.0  # a connection that lived so long was a good one: the next pause is short
TWINS = 3  # short connections lost one after the other look like another client of the same name


class MqttOutlet:
    """Delivers messages in order, through a small window, for as long as it takes.

    A thread of its own connects, has a `Session` and connects again; the loop only adds to what is owed.
    """

    def __init__(
        self,
        config: Config,
        options: MqttPublish,
        shelf: Shelf | None = None,
        corrected: Callable[[Message], Message] = lambda message: message,
    ) -> None:
        address(options)
        base = f"{options.prefix}/{config.device}/{config.camera}"
        self._config, self._options, self._shelf = config, options, shelf
        self._client_id = options.client_id or f"edgetrack-{config.device}-{config.camera}"
        self._owed = Owed(options.max_queued, shelf, corrected)
        self.desk = Desk(options.requests, base, self._nudge, (f"{options.home_assistant.prefix}/",))
        self._depth = Depth(f"{base}/probe", echoes=options.version != "5")
        self._discovery = Discovery(config, options)
        self._standing = Standing(log, "connecting")
        self._departure = Departure()
        self._away = False  # no connection since the start, or after a loss
        self._wake: socket.socket
        self._waker: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    # --- for the loop ---

    @property
    def state(self) -> PublishState:
        (state, reason), tally = self._standing.now, self._owed.tally
        return PublishState("mqtt", state, reason, tally.sent, tally.queued, tally.dropped, tally.refused)

    @property
    def died(self) -> bool:
        return not (self._departure.begun or self._thread.is_alive())

    def send(self, messages: Sequence[Message], kept: bool = False) -> None:
        self._owed.add([found for message in messages for found in (message, *self._discovered(message))], kept)
        self._nudge()

    def _discovered(self, message: Message) -> list[Message]:
        """What follows for Home Assistant."""
        return self._discovery.follow(message.payload) if message.topic.endswith("/info") else []

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
        self._owed.recall()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self._thread.join(max(0.0, self._departure.by + FAREWELL_S - time.monotonic()))
        unsent = self._owed.tally.queued
        if unsent and self._shelf is not None:
            log.info("%s: not all was sent; what matters is kept on disk for the next start", self._options.url)
        elif unsent:
            log.warning("%s: %d messages could not be sent before the end", self._options.url, unsent)

    def leave(self) -> None:
        """Begin to leave; returns at once. `__exit__` waits for the end."""
        self._departure.begin()
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
            self._owed.rewind()
            if self._departure.begun:
                return
            self._away = True
            steady = time.monotonic() > began + STEADY_S
            failures = 1 if steady or self._depth.by_probe else failures + 1
            lost = 0 if reason != trouble.LOST else 1 if steady else lost + 1  # connections, one after the other
            reason = trouble.TWIN if lost >= TWINS else reason
            self._standing.tell("degraded", reason, f"{self._options.url}: {reason}")
            self._departure.wait(pause_s(failures))  # cut short by leaving, which gets one last try

    def _visit(self) -> str:
        """One connection, from its making to its end; returns what ended it."""
        try:
            link = Link(self._options, self._client_id, f"{self.desk.base}/status")
            link.open()
        except (OSError, EdgetrackError) as error:
            return trouble.of_error(error)
        with contextlib.closing(link):
            asked = time.monotonic()
            while not link.window and not link.ended:
                link.step(self._departure.patience_s(0.5), self._wake)
                if time.monotonic() > min(self._departure.by, asked + CONNECT_S):
                    return "connected, but the broker does not answer; is this an MQTT port?"
            if not link.ended:
                self._use(link)
            return link.ended

    def _use(self, link: Link) -> None:
        """The broker has let us in."""
        self._owed.greet(self._away)
        waiting = self._owed.tally.queued
        self._standing.tell("ok", "", f"{self._options.url}: connected, {waiting} messages are waiting")
        Session(
            link,
            self._wake,
            self._options,
            self._owed,
            self.desk,
            self._depth,
            self._discovery,
            self._shelf,
            self._standing,
            self._departure,
        ).serve()


def pause_s(failures: int) -> float:
    """Doubling from 0.5 s to 30 s, with jitter, so that a fleet does not come back all at once."""
    shortest, longest = RETRY_S
    return random.uniform(0.5, 1.0) * min(longest, 2 * shortest * float(1 << min(failures - 1, 10)))  # noqa: S311
