"""Where events go: encoded once, given to every publisher that the configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from edgetrack.config import Config, Publish
from edgetrack.errors import PublishError
from edgetrack.publish.encoder import Encoder
from edgetrack.publish.message import Message
from edgetrack.registry import load
from edgetrack.types import Event, PublishState

if TYPE_CHECKING:
    from typing_extensions import Self


class Outlet(Protocol):
    """One place where messages go; a context manager that never blocks the loop and counts what it must drop.

    Entering starts it, and raises PublishError where the operator must act (no such file, no such certificate); a
    broker that does not answer is no such case: it is tried for ever. Leaving sends what is queued for a bounded
    time and lets go.
    """

    @property
    def state(self) -> PublishState:
        """How it is doing now; may be read from any thread."""

    def send(self, messages: Sequence[Message]) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


PLACES = {
    "mqtt": ("edgetrack.publish.delivery:MqttOutlet", "pip install paho-mqtt"),
    "jsonl": ("edgetrack.publish.jsonl:JsonlOutlet", "reinstall edgetrack"),
}


class Publisher:
    """All outlets behind one numbering: every one of them tells the same events with the same `seq`."""

    def __init__(self, encoder: Encoder, outlets: Sequence[Outlet]) -> None:
        self._encoder, self._outlets = encoder, outlets
        self._entered = ExitStack()

    @property
    def states(self) -> tuple[PublishState, ...]:
        """How each outlet is doing, in the configuration's order."""
        return tuple(outlet.state for outlet in self._outlets)

    def publish(self, events: Sequence[Event]) -> None:
        """Hand events over; never blocks."""
        messages = [message for event in events for message in self._encoder.encode(event)]
        if messages:
            for outlet in self._outlets:
                outlet.send(messages)

    def __enter__(self) -> Self:
        with ExitStack() as entered:  # lets go of the first where a later one fails
            for outlet in self._outlets:
                entered.enter_context(outlet)
            self._entered = entered.pop_all()
        return self

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
    encoder = Encoder(config.device, config.camera, names)
    return Publisher(encoder, [_open(config, options) for options in config.publish])


def _open(config: Config, options: Publish) -> Outlet:
    place, needs = PLACES[config_kind(options)]
    outlet: Outlet = load(place, needs, PublishError)(config, options)
    return outlet


def config_kind(options: Publish) -> str:
    """The `kind` that the settings of a publisher belong to."""
    return str(options.__struct_config__.tag)
