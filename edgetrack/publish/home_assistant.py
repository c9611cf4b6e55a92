"""What Home Assistant must know to show a camera by itself: its MQTT device discovery, one retained message.

The format is that of https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload (2024.12 and newer).
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from edgetrack import __version__
from edgetrack.config import Config, MqttPublish
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.payload import Start

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

AGAIN_S = 5.0  # longest wait before Home Assistant, when it has started, is told again
MAX_CLASSES = 6  # more would make more entities than anybody looks at; the totals are there anyway
MAX_GONE = 100  # entities that are no more, told so until so many have followed
ORIGIN = {"name": "edgetrack", "sw_version": __version__}

Components = dict[str, dict[str, Any]]


class Discovery:
    """The discovery message of one camera on one broker, through changes of its lines and zones.

    Args:
        config, options: of the daemon, and of the broker.
        memory: what `memory` was when the daemon before ended; empty if there was none.
    """

    def __init__(self, config: Config, options: MqttPublish, memory: bytes = b"") -> None:
        self._options, self._settings = options, options.home_assistant
        self._id = f"edgetrack.{config.device}.{config.camera}"  # names have no dots
        self._name = f"{config.device} {config.camera}"
        self._base = f"{options.prefix}/{config.device}/{config.camera}"
        self.topic = f"{self._settings.prefix}/device/{config.device}/{config.camera}/config"
        self.status = f"{self._settings.prefix}/status"
        told = msgspec.json.decode(memory) if memory else {}
        self._topic_before: str = told.get("topic", "")
        self._told: dict[str, str] = told.get("components", {})  # name -> platform, of all that it may still know
        self._payload: dict[str, Any] = {}  # what is told now
        self._seq = 0
        self._again_at = 0.0  # when all is told again; 0: it has been
        self.memory = memory

    def follow(self, info: bytes) -> list[Message]:
        """What to send when the daemon has said what it is.

        What was there before and is no more is named with its platform alone, which removes it; when Home Assistant
        is turned off here, or its prefix changes, an empty message removes all.
        """
        messages = []
        wanted = self.topic if self._settings.enabled else ""
        if self._topic_before not in ("", wanted):
            messages.append(Message(self._topic_before, b"", Worth.STATE, 0, whole=True))
            self._told = {}
        if wanted:
            start = msgspec.json.decode(info, type=Start)
            components = self._components(start)
            gone = {name: {"platform": platform} for name, platform in self._told.items() if name not in components}
            gone = dict(list(gone.items())[-MAX_GONE:])
            self._payload, self._seq = self._described(start, {**components, **gone}), start.seq
            messages.append(self._message(self._payload))
            self._told = {name: part["platform"] for name, part in {**gone, **components}.items()}
        self._topic_before = wanted
        self.memory = msgspec.json.encode({"topic": wanted, "components": self._told}) if wanted else b""
        return messages

    def hear(self, message: MQTTMessage) -> None:
        """If Home Assistant says that it has started, it is told again: a little later, as by others."""
        if message.payload == b"online" and not self._again_at:
            self._again_at = time.monotonic() + random.uniform(0, AGAIN_S)  # noqa: S311

    def due(self) -> list[Message]:
        """What to send now because of what was heard."""
        if not self._again_at or time.monotonic() < self._again_at:
            return []
        self._again_at = 0.0
        return self.again()

    def again(self) -> list[Message]:
        """What to send when Home Assistant has started.

        It takes no notice of the removal of something that it has not been told of since its start, although it knows
        it from before. So what is gone is told of, and then removed.
        """
        if not self._payload:
            return []
        parts = self._payload["components"]
        revived = {name: self._revived(name, part["platform"]) for name, part in parts.items() if len(part) == 1}
        told = [{**self._payload, "components": parts | revived}] if revived else []
        return [self._message(payload) for payload in (*told, self._payload)]

    def _message(self, payload: dict[str, Any]) -> Message:
        return Message(self.topic, msgspec.json.encode(payload), Worth.STATE, self._seq, whole=True)

    def _revived(self, name: str, platform: str) -> dict[str, Any]:
        """As little as Home Assistant takes for the entity that it knows."""
        topic = {"button": "command_topic", "image": "image_topic"}.get(platform, "state_topic")
        return {"platform": platform, "name": name, "unique_id": f"{self._id}.{name}", topic: f"{self._base}/gone"}

    def _described(self, start: Start, components: Components) -> dict[str, Any]:
        return {
            "device": {
                "identifiers": [self._id],
                "name": self._settings.name or self._name,
                "manufacturer": "edgetrack",
                "model": start.model,
                "sw_version": start.version,
            },
            "origin": ORIGIN,
            "availability_topic": f"{self._base}/status",
            "qos": 1,
            "components": components,
        }

    def _components(self, start: Start) -> Components:
        classes = start.classes if len(start.classes) <= MAX_CLASSES else []
        components: Components = {}
        for line, shape in start.lines.items():
            components |= self._line(line, [name for name in classes if name in shape.get("classes", classes)])
        for zone in start.zones:
            components |= self._zone(zone)
        components |= self._health() | self._buttons()
        for name, part in components.items():
            part["unique_id"] = f"{self._id}.{name}"
        return components

    def _line(self, line: str, classes: Sequence[str]) -> Components:
        """Cumulative counts; Home Assistant takes one that falls as the beginning of a new period."""
        topic = f"{self._base}/line/{line}/count"
        counts = {
            "platform": "sensor",
            "state_topic": topic,
            "state_class": "total_increasing",
            "icon": "mdi:counter",
        }
        told = "{'since': value_json.since, 'epoch': value_json.epoch, 'uptime_gaps_s': value_json.uptime_gaps_s}"
        about = {"json_attributes_topic": topic, "json_attributes_template": f"{{{{ {told} | tojson }}}}"}
        parts: Components = {}
        for way in ("in", "out"):
            total = f"{{{{ value_json.total['{way}'] }}}}"
            parts[f"line.{line}.{way}"] = {**counts, "name": f"{line} {way}", "value_template": total, **about}
            for name in classes if len(classes) > 1 else ():
                key = escaped(name)
                value = f"{{{{ value_json.by_class.get('{key}', {{}}).get('{way}', 0) }}}}"
                part = {**counts, "name": f"{line} {way} {name}", "value_template": value}
                parts[f"line.{line}.{way}.{name}"] = part
        return parts

    def _zone(self, zone: str) -> Components:
        topic = f"{self._base}/zone/{zone}/occupancy"
        told = "{'now': value_json.now, 'peak': value_json.peak}"
        return {
            f"zone.{zone}.now": {
                "platform": "sensor",
                "name": f"{zone} now",
                "state_topic": topic,
                "value_template": "{{ value_json.total }}",
                "state_class": "measurement",
                "icon": "mdi:account-group",
                "json_attributes_topic": topic,
                "json_attributes_template": f"{{{{ {told} | tojson }}}}",
            },
            f"zone.{zone}.occupied": {
                "platform": "binary_sensor",
                "name": f"{zone} occupied",
                "state_topic": topic,
                "value_template": "{{ 'ON' if value_json.total else 'OFF' }}",
                "device_class": "occupancy",
            },
        }

    def _health(self) -> Components:
        """How the daemon is doing; figures that few look at are there, but turned off at first."""
        topic = f"{self._base}/health"

        def part(platform: str, name: str, value: str, **more: Any) -> dict[str, Any]:
            fields = {"state_topic": topic, "entity_category": "diagnostic", "value_template": f"{{{{ {value} }}}}"}
            return {"platform": platform, "name": name, **fields, **more}

        def figure(name: str, value: str, unit: str, seldom: bool = False, **more: Any) -> dict[str, Any]:
            fields = {"unit_of_measurement": unit, "state_class": "measurement", "enabled_by_default": not seldom}
            return part("sensor", name, value, **fields, **more)

        told = {
            "json_attributes_topic": topic,
            "json_attributes_template": "{{ {'state': value_json.state, 'reason': value_json.reason} | tojson }}",
        }
        whether = "'ON' if value_json.{} else 'OFF'"
        trouble, away = whether.format("state == 'degraded'"), whether.format("capture.state == 'degraded'")
        tamper = "'ON' if value_json.capture.tamper | default('') else 'OFF'"
        seen = {
            "json_attributes_topic": topic,
            "json_attributes_template": "{{ {'reason': value_json.capture.reason | default('')} | tojson }}",
        }
        heat, memory = "value_json.temperature_c | default(none)", "value_json.memory_mb"
        delay = "value_json.delays_ms.p95 | default(none)"
        queued = "value_json.publish | map(attribute='queued') | max | default(0)"
        return {
            "problem": part("binary_sensor", "Problem", trouble, device_class="problem", **told),
            "camera": part("binary_sensor", "Camera problem", away, device_class="problem", **seen),
            "tamper": part("binary_sensor", "Camera tampered with", tamper, device_class="tamper"),
            "fps": figure("Frame rate", "value_json.fps", "frames/s", icon="mdi:speedometer"),
            "temperature": figure("Temperature", heat, "°C", device_class="temperature"),
            "latency": figure("Latency", delay, "ms", seldom=True, device_class="duration"),
            "memory": figure("Memory", memory, "MB", seldom=True, device_class="data_size"),
            "queued": figure("Messages waiting", queued, "messages", seldom=True, icon="mdi:tray-full"),
        }

    def _buttons(self) -> Components:
        """One for each request that is allowed here and makes sense as a button."""
        buttons: Mapping[str, dict[str, Any]] = {
            "reset_counts": {"name": "Reset counts", "icon": "mdi:counter", "entity_category": "config"},
            "reload": {"name": "Reload configuration", "icon": "mdi:reload", "entity_category": "config"},
            "snapshot": {"name": "Take snapshot", "icon": "mdi:camera"},
        }
        parts: Components = {}
        for verb in (verb for verb in self._options.requests.allow if verb in buttons):
            press = '{"raw":true,"boxes":true}' if verb == "snapshot" else "{}"
            command = {"command_topic": f"{self._base}/request/{verb}", "payload_press": press, "qos": 1}
            parts[f"button.{verb}"] = {"platform": "button", **buttons[verb], **command}
        if "snapshot" in self._options.requests.allow:
            picture = {"image_topic": f"{self._base}/snapshot", "content_type": "image/jpeg"}
            parts["snapshot"] = {"platform": "image", "name": "Snapshot", **picture}
        return parts


def escaped(name: str) -> str:
    """As text between single quotes of a template."""
    return name.replace("\\", "\\\\").replace("'", "\\'")
