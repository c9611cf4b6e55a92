"""Where events go: encoded once, given to every publisher that the configuration names."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from edgetrack.config import Config, MqttPublish, PrometheusPublish, Publish
from edgetrack.errors import PublishError
from edgetrack.publish.desk import Desk, Request
from edgetrack.publish.encoder import Encoder, line_count
from edgetrack.publish.journal import Journal
from edgetrack.publish.jsonl import JsonlOutlet
from edgetrack.publish.ledger import Legacy
from edgetrack.publish.message import Message
from edgetrack.publish.payload import Fault
from edgetrack.registry import load
from edgetrack.types import Event, LineCount, PublishState

if TYPE_CHECKING:
    from typing_extensions import Self


PROMETHEUS = "edgetrack.publish.prometheus:PrometheusOutlet"  # brings a web server along


class Outlet(Protocol):
    """One place where messages go; a context manager that never blocks the loop and counts what it must drop.

    Entering starts it, and raises PublishError where the operator must act (no such file, no such certificate); a
    broker that does not answer is no such case: it is tried for ever. Leaving sends what is queued for a bounded
    time and lets go.
    """

    desk: Desk | None  # where requests come in

    @property
    def died(self) -> bool:
        """Its thread has ended without being asked to: a fault of our own, and its traceback is in the log."""

    @property
    def state(self) -> PublishState:
        """How it is doing now; may be read from any thread."""

    def send(self, messages: Sequence[Message], kept: bool) -> None:
        """Take messages.

        Args:
            kept: the events among them are on disk too.
        """

    def leave(self) -> None:
        """Begin to leave, at once; `__exit__` waits for it. So many outlets leave in the time of one."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Publisher:
    """All outlets behind one numbering: every one of them tells the same events with the same `seq`.

    With an outbox, what must not be lost is on disk before any outlet hears of it, and `entered` goes on where the
    daemon before stopped: `restored` holds its counts.
    """

    def __init__(self, config: Config, names: Sequence[str]) -> None:
        self._config, self._names = config, names
        self._encoder = Encoder(config.device, config.camera, names)
        self._journal: Journal | None = None
        owners = [lasting_name(config, options) for options in config.publish if isinstance(options, MqttPublish)]
        if config.outbox.enabled and config.publish:
            self._journal = Journal(config, owners, self._forward)
        self._outlets = [self._open(options) for options in config.publish]
        self._entered = ExitStack()
        self.restored: list[LineCount] = []  # for the scene, to go on counting from

    def _open(self, options: Publish) -> Outlet:
        if isinstance(options, MqttPublish):
            shelf = self._journal.shelf(lasting_name(self._config, options)) if self._journal else None
            opened: Outlet = load("edgetrack.publish.delivery:MqttOutlet", "pip install paho-mqtt", PublishError)(
                self._config, options, shelf, self._encoder.clock.corrected
            )
            return opened
        if isinstance(options, PrometheusPublish):
            served: Outlet = load(PROMETHEUS, "pip install edgetrack", PublishError)(options)
            return served
        return JsonlOutlet(options)

    @property
    def states(self) -> tuple[PublishState, ...]:
        """How each outlet is doing, in the configuration's order, and the outbox."""
        outlets = tuple(outlet.state for outlet in self._outlets)
        return outlets if self._journal is None else (*outlets, self._journal.state)

    def publish(self, events: Sequence[Event]) -> None:
        """Hand events over; never blocks.

        Raises:
            PublishError: nothing would come of it any more, and nobody would hear of that.
        """
        self._watch()
        self._encoder.clock.look()
        messages = [message for event in events for message in self._encoder.encode(event)]
        if not messages:
            return
        if self._journal is None:
            self._forward(messages, False)
        else:
            self._journal.send(messages)

    def _watch(self) -> None:
        """What died delivers nothing, and its state is that of before: only a new process helps."""
        parts: list[Outlet | Journal] = [*self._outlets, *([] if self._journal is None else [self._journal])]
        dead = [part.state.name for part in parts if part.died]
        if dead:
            raise PublishError(
                f"publish: the thread of {' and '.join(dead)} died, its traceback is in the log; restart the daemon, "
                "and report it"
            )

    def put_right(self) -> float:
        """By how much, s, the clock was put right since the last call: the scene's counts began so much later."""
        by_s = self._encoder.clock.put_right()
        if by_s:
            self._encoder.periods.put_right(by_s)
        return by_s

    @property
    def blind(self) -> Callable[[], float]:
        """Tells for how long, s, the camera has given nothing since the daemon began; to be set by whoever knows."""
        return self._encoder.periods.blind

    @blind.setter
    def blind(self, blind: Callable[[], float]) -> None:
        self._encoder.periods.blind = blind

    def requests(self) -> list[Request]:
        """What has been asked since the last call; each is to be answered."""
        return [request for outlet in self._outlets if outlet.desk is not None for request in outlet.desk.take()]

    def answer(self, request: Request, result: Any = None, fault: Fault | None = None, reason: str = "") -> None:
        """Answer a request with the verb's result, or with what is wrong; from any thread, never blocks."""
        request.reply(self._encoder.response(request, result, fault, reason))

    def _forward(self, messages: Sequence[Message], kept: bool) -> None:
        for outlet in self._outlets:
            outlet.send(messages, kept)

    def __enter__(self) -> Self:
        with ExitStack() as entered:  # lets go of the first where a later one fails
            legacy = Legacy()
            if self._journal is not None:
                legacy = self._journal.open()
                entered.callback(self._journal.close)
            for outlet in self._outlets:
                entered.enter_context(outlet)
            entered.callback(self._leave)
            if self._journal is not None:
                self._resume(legacy, self._journal)
                entered.callback(self._journal.stop)
            self._entered = entered.pop_all()
        return self

    def _resume(self, legacy: Legacy, journal: Journal) -> None:
        lines = {line.name: [list(line.start), list(line.end)] for line in self._config.lines}
        shapes = {name: [shape["start"], shape["end"]] for name, shape in legacy.shapes.items()}
        same = [count for count in legacy.counts if shapes.get(count.line) == lines.get(count.line, "gone")]
        told = self._encoder.resume(legacy, same, time.time())
        self.restored = [line_count(count, self._names) for count in same]
        journal.start()
        if told:
            journal.send(told)

    def leave(self) -> None:
        """Nothing more will be published: begin to leave, so that the camera may close while the brokers are told."""
        if self._journal is not None:
            self._journal.stop()
        self._leave()

    def _leave(self) -> None:
        for outlet in self._outlets:
            outlet.leave()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)


def open_publisher(config: Config, names: Sequence[str]) -> Publisher:
    """The publishers that the configuration names; nothing is connected or opened until they are entered.

    Args:
        config: of the whole daemon.
        names: class names by class_id.
    """
    return Publisher(config, names)


def lasting_name(config: Config, options: MqttPublish) -> str:
    """What makes a broker the same after a restart."""
    return f"{options.url} {options.prefix} {options.client_id or f'{config.device}/{config.camera}'}"
