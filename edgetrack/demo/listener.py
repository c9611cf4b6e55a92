"""What an MQTT subscriber receives: the demo believes nothing that did not come through the broker."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edgetrack.errors import PublishError

if TYPE_CHECKING:
    from typing_extensions import Self

CONNECT_S = 10.0
QUIET_TOPICS = ("/line/", "/zone/", "/info", "/health", "/status")  # state, not news

Counts = dict[str, dict[str, tuple[int, int]]]  # line -> class -> in, out


@dataclass
class Heard:
    """A copy of everything received so far, summed up."""

    messages: int = 0
    size: int = 0  # bytes of payload
    counts: Counts = field(default_factory=dict)
    occupancy: dict[str, int] = field(default_factory=dict)  # zone -> objects now
    visits: dict[str, dict[str, int]] = field(default_factory=dict)  # zone -> class -> entries
    health: dict[str, Any] = field(default_factory=dict)
    latency_ms: list[float] = field(default_factory=list)
    tracks: set[int] = field(default_factory=set)  # those that go on
    frame: int = 0  # the newest that anything was said of
    online: bool = False
    offline: bool = False  # said goodbye


class Listener:
    """A context manager; subscribed to everything below `prefix` while it is entered."""

    def __init__(self, url: str, version: Literal["5", "3.1.1"], prefix: str) -> None:
        self._address, self._prefix = urlsplit(url), prefix
        self._lock = threading.Lock()
        self._heard = Heard()
        self._news: deque[tuple[str, str]] = deque(maxlen=500)
        self._ready = threading.Event()
        self._refused = ""
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            protocol=MQTTProtocolVersion.MQTTv5 if version == "5" else MQTTProtocolVersion.MQTTv311,
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        host, port = self._address.hostname or "127.0.0.1", self._address.port or 1883
        if self._address.username:
            self._client.username_pw_set(self._address.username, self._address.password)
        try:
            self._client.connect(host, port)
        except OSError as error:
            raise PublishError(f"demo: {host}:{port} cannot be reached ({error}); is the broker running?") from error
        self._client.loop_start()
        if not self._ready.wait(CONNECT_S) or self._refused:
            self.__exit__(None, None, None)
            raise PublishError(f"demo: {host}:{port} {self._refused or 'does not answer'}; let demo subscribe there")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def heard(self) -> Heard:
        with self._lock:
            whole = self._heard
            counts = {line: dict(classes) for line, classes in whole.counts.items()}
            visits = {zone: dict(classes) for zone, classes in whole.visits.items()}
            return Heard(
                whole.messages, whole.size, counts, dict(whole.occupancy), visits, whole.health,
                whole.latency_ms[-1000:], set(whole.tracks), whole.frame, whole.online, whole.offline,
            )  # fmt: skip

    def news(self) -> list[tuple[str, str]]:
        """Topics and payloads of what happened since the last call: events, not states."""
        with self._lock:
            fresh = list(self._news)
            self._news.clear()
            return fresh

    def wait_for_goodbye(self, timeout_s: float) -> None:
        """Until the daemon has said offline: everything before it has arrived then."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until and not self.heard().offline:
            time.sleep(0.02)

    def _on_connect(
        self, client: Client, _: object, __: ConnectFlags, reason: ReasonCode, ___: Properties | None
    ) -> None:
        if reason.is_failure:
            self._refused = f"refuses the connection ({reason})"
            self._ready.set()
        else:
            client.subscribe(f"{self._prefix}/#", qos=1)

    def _on_subscribe(
        self, _: Client, __: object, ___: int, reasons: list[ReasonCode], ____: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refused = "refuses the subscription"
        self._ready.set()

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        if message.retain:  # left behind by an earlier run
            return
        topic = message.topic.removeprefix(self._prefix)
        with self._lock:
            self._heard.messages += 1
            self._heard.size += len(message.payload)
            if topic.endswith("/status"):
                online = message.payload == b"online"
                self._heard.online, self._heard.offline = online, not online
                return
            payload = json.loads(message.payload)
            if "schema" not in payload:  # how a publisher without MQTT 5 finds out whether it may publish
                return
            self._take(topic, payload)
            if not any(part in topic for part in QUIET_TOPICS) and payload.get("type") != "update":
                self._news.append((message.topic, message.payload.decode()))

    def _take(self, topic: str, payload: dict[str, Any]) -> None:
        heard, kind = self._heard, str(payload["schema"]).removeprefix("edgetrack.").partition("/")[0]
        if kind == "count":
            heard.counts[payload["line"]] = {name: (c["in"], c["out"]) for name, c in payload["by_class"].items()}
        elif kind == "occupancy":
            heard.occupancy[payload["zone"]] = payload["total"]
        elif kind == "health":
            heard.health = payload
        elif kind == "visit" and payload["type"] == "zone_entered":
            zone = heard.visits.setdefault(payload["zone"], {})
            zone[payload["class"]] = zone.get(payload["class"], 0) + 1
        elif kind == "track":
            (heard.tracks.discard if payload["type"] == "end" else heard.tracks.add)(payload["track"])
        if "frame" in payload:
            heard.frame = max(heard.frame, payload["frame"])
            heard.latency_ms.append(payload["latency_ms"])
