"""Whoever asks a daemon over MQTT."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.publish.broker import Broker, until
from tests.publish.parts import TOPIC

if TYPE_CHECKING:
    from typing_extensions import Self


class Asker:
    """Publishes requests and collects what comes on `response/+` and on a topic of its own; a context manager."""

    def __init__(self, broker: Broker, own: str = "asker/answers") -> None:
        self.own = own
        self.answers: list[MQTTMessage] = []
        self._broker = broker
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = lambda _, __, message: self.answers.append(message)
        self._client.on_subscribe = lambda *_: self._subscribed.set()

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._broker.port)
        self._client.loop_start()
        self._client.subscribe([(f"{TOPIC}/response/+", 1), (self.own, 1)])
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        connection = self._client.socket()
        if connection is not None:  # paho may leave before the end
            connection.close()

    def say(self, verb: str, payload: bytes | dict[str, Any] = b"", *, retain: bool = False, **properties: Any) -> None:
        """Publish a request; `properties` of MQTT 5: ResponseTopic, CorrelationData."""
        wished = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(wished, name, value)
        content = msgspec.json.encode(payload) if isinstance(payload, dict) else payload
        topic = f"{TOPIC}/request/{verb}"
        self._client.publish(topic, content, qos=1, retain=retain, properties=wished).wait_for_publish(10)

    def ask(self, verb: str, payload: bytes | dict[str, Any] = b"", **how: Any) -> dict[str, Any]:
        """Publish a request and wait for the next answer, whatever it is to."""
        before = len(self.answers)
        self.say(verb, payload, **how)
        return self.wait(before + 1)[-1]

    def wait(self, number: int, timeout_s: float = 10) -> list[dict[str, Any]]:
        """All answers, once there are so many."""
        until(lambda: len(self.answers) >= number, timeout_s, lambda: f"{len(self.answers)} answers, expected {number}")
        return [msgspec.json.decode(answer.payload) for answer in self.answers]

    def silent(self, seconds: float = 0.5) -> bool:
        """No answer comes for a while."""
        before = len(self.answers)
        time.sleep(seconds)
        return len(self.answers) == before
