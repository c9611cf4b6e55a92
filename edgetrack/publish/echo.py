"""Whether what this device sends arrives: under MQTT 3.1.1 a broker acknowledges what it throws away."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from edgetrack.publish.mqtt import Link

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

ECHO_S = 10.0  # until a message to oneself must have come back


class Echo:
    """A message of one connection to itself, which must come back."""

    def __init__(self, link: Link, topic: str) -> None:
        self.topic = topic
        self._link, self._mark = link, b'{"probe":"%s"}' % secrets.token_hex(4).encode()
        self._until: float | None = None  # when it must have come back
        self._back = self._told = False
        link.watch(topic, self._receive)

    def _receive(self, message: MQTTMessage) -> None:
        self._back = self._back or message.payload == self._mark

    def failed(self, under_way: dict[int, tuple[str, int | None]]) -> bool:
        """Sends it when the broker has granted to read it, and tells, once, that it did not come back in time."""
        granted = self._link.granted.get(self.topic)
        if granted is None or self._back or self._told:
            return False
        if self._until is None and granted:
            self._until = time.monotonic() + ECHO_S
            under_way[self._link.publish(self.topic, self._mark, False)] = (self.topic, None)
        if self._until is None or time.monotonic() < self._until:
            return False
        self._told = True
        return True
