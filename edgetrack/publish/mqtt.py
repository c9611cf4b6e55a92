"""One connection to an MQTT broker, by paho."""

from __future__ import annotations

import math
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import MQTT_LOG_ERR, Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edgetrack.config import MqttPublish
from edgetrack.publish import trouble
from edgetrack.publish.tls import address, tls_context
from edgetrack.secret import password

CONNECT_S = 10.0  # for TCP and TLS
FAREWELL_S = 0.3  # for goodbye
MAX_PACKET_BYTES = 1 << 17  # a broker of MQTT 5 sends nothing longer; requests are half as long at most
SILENT = 0x8D  # reason: no answer within the keep-alive time
NO_RETAINED = 2  # of MQTT 5, 3.8.3.1: what was retained before is not sent


class Link:
    """One connection, from CONNECT to its end.

    Every connection gets a paho client of its own: what paho would keep and resend after a loss, out of order and
    without bound, is the backlog's business. paho runs in the caller's thread.
    """

    def __init__(self, options: MqttPublish, client_id: str, status: str = "") -> None:
        self.window = 0  # messages that may be under way; 0: not connected yet
        self.acks: deque[tuple[int, int, str]] = deque()  # message id, reason code, its name
        self.max_bytes = math.inf  # of a packet that the broker takes, by its own word
        self.ended = ""  # why, when it is over
        self.closed = False  # it was the other side that ended it
        self.granted: dict[str, bool] = {}  # what `watch` asked for and the broker has answered
        self._asked: dict[int, str] = {}  # message id of the subscription -> topic
        self._socket_error = ""
        self._options = options
        self._client = client = self._make_client(client_id)
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages = 0  # no limit of its own: the window is ours
        if status:
            client.will_set(status, "offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_log = self._on_log

    def _make_client(self, client_id: str) -> Client:
        options = self._options
        five = options.version == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if five else True,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        if options.username:
            client.username_pw_set(
                options.username, password("publish.mqtt", options.password_file, options.password_env)
            )
        self._tls = tls_context(options)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        return client

    def open(self) -> None:
        """Connect and say who we are; the answer comes with `step`.

        Raises OSError (TLS and DNS included) where there is no connection.
        """
        host, port = address(self._options)
        limits = None
        if self._options.version == "5":
            limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            limits.MaximumPacketSize = MAX_PACKET_BYTES
        try:
            self._client.connect(host, port, self._options.keepalive_s, properties=limits)
        except OSError:
            if self._tls is not None and self._tls.newest is not None:
                self._tls.newest.close()
            raise

    def publish(self, topic: str, payload: bytes, retain: bool, correlation: bytes | None = None) -> int:
        """Send with QoS 1; the message id that will be acknowledged."""
        properties = None
        if correlation is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.CorrelationData = correlation
        return self._client.publish(topic, payload, qos=1, retain=retain, properties=properties).mid

    def packet_bytes(self, topic: str, payload: bytes, correlation: bytes | None = None) -> int:
        """Of the packet that `publish` sends: MQTT 5, 2.1.4 and 3.3.2."""
        properties = 0 if correlation is None else 3 + len(correlation)
        five = self._options.version == "5"
        rest = 2 + len(topic.encode()) + 2 + (_varint_bytes(properties) + properties if five else 0) + len(payload)
        return 1 + _varint_bytes(rest) + rest

    def watch(self, topic: str, receive: Callable[[MQTTMessage], None]) -> None:
        """Ask for what comes on a topic, nothing retained before now; `granted` tells whether we may."""
        self._client.message_callback_add(topic, lambda _, __, message: receive(message))
        if self._options.version == "5":  # `retain` then tells whether who published it wished that
            wish = SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=NO_RETAINED)
            _, mid = self._client.subscribe(topic, options=wish)
        else:
            _, mid = self._client.subscribe(topic, qos=1)
        if mid is not None:
            self._asked[mid] = topic

    def unwatch(self, topic: str) -> None:
        """The opposite of `watch`."""
        self._client.unsubscribe(topic)
        self._client.message_callback_remove(topic)

    def step(self, timeout_s: float, wake: socket.socket) -> None:
        """Wait until the broker or `wake` has something, at most `timeout_s`, and let paho do its part."""
        connection: Any = self._client.socket()
        if connection is None:
            self.ended = self.ended or trouble.LOST
            return
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            timeout_s = 0.0
        writing = [connection] if self._client.want_write() else []
        ready = select.select([connection, wake], writing, [], timeout_s)
        if wake in ready[0]:
            wake.recv(4096)
        if connection in ready[0] or not timeout_s:
            self._client.loop_read()
        if ready[1]:
            self._client.loop_write()
        self._client.loop_misc()

    def leave(self, wake: socket.socket) -> None:
        """Say goodbye, so that the broker drops the will."""
        self._client.disconnect()
        until = time.monotonic() + FAREWELL_S / 2
        while not self.ended and time.monotonic() < until:
            self.step(0.05, wake)

    def close(self) -> None:
        """Let go of the socket, however the connection ended."""
        connection: Any = self._client.socket()
        if connection is not None:
            connection.close()

    def _on_connect(
        self, _: Client, __: object, ___: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self.ended = trouble.of_code("the broker refuses the connection", reason.value, reason.getName())
        else:
            self.window = min(self._options.max_inflight, getattr(properties, "ReceiveMaximum", 65535))
            self.max_bytes = getattr(properties, "MaximumPacketSize", math.inf)

    def _on_disconnect(
        self, _: Client, __: object, flags: DisconnectFlags, reason: ReasonCode, ___: Properties | None
    ) -> None:
        self.closed = not self.ended and reason.value != SILENT
        if flags.is_disconnect_packet_from_server:
            self.ended = self.ended or trouble.of_code("the broker disconnects", reason.value, reason.getName())
        elif reason.value == SILENT:
            self.ended = self.ended or "the broker is silent; the network or the broker is stuck"
        else:
            self.ended = self.ended or trouble.of_loss(self._socket_error, self._tls is not None, self.window > 0)

    def _on_publish(self, _: Client, __: object, mid: int, reason: ReasonCode, ___: Properties) -> None:
        self.acks.append((mid, reason.value, reason.getName()))

    def _on_subscribe(self, _: Client, __: object, mid: int, reasons: list[ReasonCode], ___: Properties | None) -> None:
        self.granted[self._asked.pop(mid, "")] = not any(reason.is_failure for reason in reasons)

    def _on_log(self, _: Client, __: object, level: int, text: str) -> None:
        if level == MQTT_LOG_ERR:
            self._socket_error = text


def _varint_bytes(number: int) -> int:
    """That a variable byte integer takes: MQTT 5, 1.5.5."""
    return max(1, -(-number.bit_length() // 7))
