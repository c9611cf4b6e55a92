"""What Home Assistant is told: good by its own rules, true by what is published, and gone when it is to go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import jinja2.sandbox
import jsonschema
import msgspec
import pytest

from edgetrack.config import Config, HomeAssistantConfig, MqttPublish, OutboxConfig, RequestsConfig
from edgetrack.publish import Publisher, home_assistant, open_publisher
from edgetrack.publish.encoder import Encoder
from edgetrack.publish.home_assistant import MAX_GONE, Discovery
from edgetrack.types import CaptureState, Event, LineCount
from tests.publish.broker import Broker, Subscriber
from tests.publish.parts import NAMES, TOPIC, config, crossing, health, info, occupancy, one_of_each, wait_sent

CONFIG_TOPIC = "homeassistant/device/gate-01/north/config"
ALL = ("reload", "reset_counts", "snapshot")

# https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload and the pages of the platforms. Home
# Assistant ignores keys that it does not know, so a misspelt one would go unnoticed: here every other key is a mistake.
TEXT, SUBSCRIBE = {"type": "string", "minLength": 1}, {"type": "string", "pattern": "^[^$/][^+#]*$"}
ENTITY = {
    "platform": TEXT,
    "name": TEXT,
    "unique_id": TEXT,
    "icon": {"type": "string", "pattern": "^mdi:[a-z-]+$"},
    "entity_category": {"enum": ["config", "diagnostic"]},
    "enabled_by_default": {"type": "boolean"},
    "qos": {"enum": [0, 1, 2]},
    "json_attributes_topic": SUBSCRIBE,
    "json_attributes_template": TEXT,
}
MEASURED = {"value_template": TEXT, "state_topic": SUBSCRIBE}
UNITS = {"temperature": ["°C", "°F", "K"], "duration": ["d", "h", "min", "s", "ms"], "data_size": ["B", "kB", "MB"]}


def platform(name: str, required: list[str], **keys: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**ENTITY, "platform": {"const": name}, **keys},
        "required": ["platform", "name", "unique_id", *required],
        "additionalProperties": False,
    }


SENSOR = platform(
    "sensor",
    ["state_topic"],
    **MEASURED,
    entity_category={"const": "diagnostic"},
    state_class={"enum": ["measurement", "total", "total_increasing"]},
    unit_of_measurement=TEXT,
    device_class={"enum": list(UNITS)},
)
SENSOR["allOf"] = [
    {
        "if": {"properties": {"device_class": {"const": kind}}, "required": ["device_class"]},
        "then": {"properties": {"unit_of_measurement": {"enum": units}}, "required": ["unit_of_measurement"]},
    }
    for kind, units in UNITS.items()
]
BINARY = platform(
    "binary_sensor",
    ["state_topic"],
    **MEASURED,
    entity_category={"const": "diagnostic"},
    device_class={"enum": ["tamper", "occupancy", "problem"]},
)
BUTTON = platform("button", ["command_topic"], command_topic=SUBSCRIBE, payload_press=TEXT)
IMAGE = platform("image", ["image_topic"], image_topic=SUBSCRIBE, content_type={"const": "image/jpeg"})
GONE = {
    "type": "object",
    "properties": {"platform": {"enum": ["sensor", "binary_sensor", "button", "image"]}},
    "required": ["platform"],
    "additionalProperties": False,
}
RULES = {
    "type": "object",
    "properties": {
        "device": {
            "type": "object",
            "properties": {
                "identifiers": {"type": "array", "items": TEXT, "minItems": 1},
                **dict.fromkeys(("name", "manufacturer", "model", "sw_version"), TEXT),
            },
            "required": ["identifiers", "name"],
            "additionalProperties": False,
        },
        "origin": {
            "type": "object",
            "properties": {"name": TEXT, "sw_version": TEXT},
            "required": ["name"],
            "additionalProperties": False,
        },
        "availability_topic": SUBSCRIBE,
        "qos": {"enum": [0, 1, 2]},
        "components": {
            "type": "object",
            "additionalProperties": {"oneOf": [SENSOR, BINARY, BUTTON, IMAGE, GONE]},
        },
    },
    "required": ["device", "origin", "components"],
    "additionalProperties": False,
}


def options(url: str = "mqtt://127.0.0.1", allow: tuple[Any, ...] = (), **home: Any) -> MqttPublish:
    return MqttPublish(
        url=url,
        requests=RequestsConfig(allow=list(allow)),
        home_assistant=HomeAssistantConfig(**{"enabled": True, **home}),
    )


def payload_of(event: Event, names: tuple[str, ...] = NAMES) -> bytes:
    return next(iter(Encoder("gate-01", "north", names, boot="2ea9e839").encode(event))).payload


def found(discovery: Discovery, *events: Event) -> dict[str, Any]:
    """What the last of these says."""
    messages = [message for event in events for message in discovery.follow(payload_of(event))]
    loaded: dict[str, Any] = json.loads(messages[-1].payload)
    return loaded


def components(allow: tuple[Any, ...] = (), event: Event | None = None) -> dict[str, dict[str, Any]]:
    named: dict[str, dict[str, Any]] = found(Discovery(config(), options(allow=allow)), event or info())["components"]
    return named


def rendered(template: str, payload: bytes) -> str:
    """As Home Assistant would."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(value_json=json.loads(payload))


# --- the message -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("allow", [(), ALL])
def test_it_is_good_by_the_rules_of_home_assistant(allow: tuple[Any, ...]) -> None:
    payload = found(Discovery(config(), options(allow=allow)), info(lines=("door", "gate")))
    jsonschema.Draft202012Validator(RULES).validate(payload)


def test_no_two_entities_share_an_identity_even_of_cameras_with_awkward_names() -> None:
    cameras = [("a", "b-c"), ("a-b", "c"), ("a_b", "c"), ("a", "b_c")]
    identities = []
    for device, camera in cameras:
        settings = msgspec.structs.replace(config(), device=device, camera=camera)
        parts = found(Discovery(settings, options(allow=ALL)), info(lines=("door", "door_in")))["components"]
        identities += [part["unique_id"] for part in parts.values()]
    assert len(set(identities)) == len(identities)


def test_counts_only_grow_and_occupancy_is_measured() -> None:
    parts = components()
    assert parts["line.door.in"]["state_class"] == parts["line.door.out"]["state_class"] == "total_increasing"
    assert parts["zone.porch.now"]["state_class"] == "measurement"


def test_what_tells_of_the_daemon_is_diagnostic() -> None:
    diagnostic = {name for name, part in components().items() if part.get("entity_category") == "diagnostic"}
    assert diagnostic == {"problem", "camera", "tamper", "fps", "temperature", "latency", "memory", "queued"}


def test_there_is_a_button_for_what_is_allowed_and_for_nothing_else() -> None:
    buttons = {
        allow: {name for name in components(allow) if "button" in name} for allow in ((), ("reset_counts",), ALL)
    }
    assert list(buttons.values()) == [
        set(),
        {"button.reset_counts"},
        {"button.reset_counts", "button.reload", "button.snapshot"},
    ]


def test_a_snapshot_has_its_picture() -> None:
    assert components(ALL)["snapshot"]["image_topic"] == f"{TOPIC}/snapshot"
    assert "snapshot" not in components(("reload",))


@pytest.mark.parametrize(
    ("name", "event", "value"),
    [
        ("line.door.in", LineCount("door", {0: (3, 1), 1: (2, 0)}, 1.5e9, 1.6e9, 0.0), "5"),
        ("line.door.out", LineCount("door", {0: (3, 1), 1: (2, 0)}, 1.5e9, 1.6e9, 0.0), "1"),
        ("line.door.in.traffic light", LineCount("door", {0: (3, 1), 1: (2, 0)}, 1.5e9, 1.6e9, 0.0), "2"),
        ("line.door.in.traffic light", LineCount("door", {}, 1.5e9, 1.6e9, 0.0), "0"),
        ("zone.porch.now", occupancy(2), "2"),
        ("zone.porch.occupied", occupancy(2), "ON"),
        ("zone.porch.occupied", occupancy(0), "OFF"),
        ("problem", health(), "OFF"),
        ("problem", health("degraded"), "ON"),
        ("camera", health(), "OFF"),
        ("camera", health(capture=CaptureState("degraded", "gone")), "ON"),
        ("tamper", health(), "OFF"),
        ("tamper", health(capture=CaptureState("degraded", "gone", tamper="frozen")), "ON"),
        ("fps", health(), "14.97"),
        ("temperature", health(), "None"),
        ("latency", health(), "60.0"),
        ("memory", health(), "180.4"),
        ("queued", health(), "0"),
    ],
)
def test_an_entity_reads_its_value_from_what_is_published(name: str, event: Event, value: str) -> None:
    assert rendered(components()[name]["value_template"], payload_of(event)) == value


@pytest.mark.parametrize("name", [name for name, part in components().items() if "json_attributes_template" in part])
def test_attributes_are_json(name: str) -> None:
    lasting = {"line": LineCount("door", {}, 1.5e9, 1.6e9, 0.0), "zone": occupancy()}
    event = lasting.get(name[:4], health())
    assert json.loads(rendered(components()[name]["json_attributes_template"], payload_of(event)))


@pytest.mark.parametrize("name", ["it's", "back\\slash", "{{ 1 }}", "ünïcode", "a' ~ 'b"])
def test_a_class_may_be_called_anything(name: str) -> None:
    names = ("person", name)
    start = info()
    start = type(start)(**{**{key: getattr(start, key) for key in start.__slots__}, "classes": names})
    discovery = Discovery(config(), options())
    parts = json.loads(discovery.follow(payload_of(start, names))[-1].payload)["components"]
    count = payload_of(LineCount("door", {1: (4, 0)}, 1.5e9, 1.6e9, 0.0), names)
    assert rendered(parts[f"line.door.in.{name}"]["value_template"], count) == "4"


def test_a_line_tells_only_of_its_own_classes() -> None:
    start = info()
    lines = {"door": {"start": (0, 0), "end": (1, 1), "classes": ["person"]}, "road": {"start": (0, 0), "end": (1, 1)}}
    start = type(start)(**{**{key: getattr(start, key) for key in start.__slots__}, "lines": lines})
    names = [name for name in components(event=start) if name.startswith("line") and ".in" in name]
    assert names == ["line.door.in", "line.road.in", "line.road.in.person", "line.road.in.traffic light"]


# --- changes ---------------------------------------------------------------------------------------------------------


def test_a_line_that_is_no_more_is_named_with_its_platform_alone_which_removes_it() -> None:
    discovery = Discovery(config(), options())
    payload = found(discovery, info(lines=("door", "gate")), info(lines=("door",)))
    assert payload["components"]["line.gate.in"] == {"platform": "sensor"}
    jsonschema.Draft202012Validator(RULES).validate(payload)


def test_a_line_that_comes_back_is_there_again() -> None:
    discovery = Discovery(config(), options())
    payload = found(discovery, info(lines=("gate",)), info(lines=()), info(lines=("gate",)))
    assert payload["components"]["line.gate.in"]["unique_id"]


def test_a_line_that_went_between_two_runs_is_removed_too() -> None:
    before = Discovery(config(), options())
    before.follow(payload_of(info(lines=("gate",))))
    payload = found(Discovery(config(), options(), before.memory), info(lines=("door",)))
    assert payload["components"]["line.gate.in"] == {"platform": "sensor"}


def test_what_is_gone_is_remembered_for_a_bounded_time() -> None:
    discovery = Discovery(config(), options())
    for i in range(100):
        payload = found(discovery, info(lines=(f"line-{i}",)))
    assert len(payload["components"]) <= MAX_GONE + 20
    assert len(discovery.memory) < 20_000


def test_home_assistant_when_it_starts_is_told_of_what_is_gone_and_then_that_it_is() -> None:
    """It does not remove what it has not been told of since its start."""
    discovery = Discovery(config(), options())
    found(discovery, info(lines=("gate",)), info(lines=("door",)))
    revived, final = [json.loads(message.payload) for message in discovery.again()]
    for payload in (revived, final):
        jsonschema.Draft202012Validator(RULES).validate(payload)
    assert revived["components"]["line.gate.in"]["unique_id"] == "edgetrack.gate-01.north.line.gate.in"
    assert final["components"]["line.gate.in"] == {"platform": "sensor"}


@pytest.mark.parametrize("change", [{"enabled": False}, {"prefix": "elsewhere"}])
def test_another_prefix_or_none_removes_what_was_there(change: dict[str, Any]) -> None:
    before = Discovery(config(), options())
    before.follow(payload_of(info()))
    messages = Discovery(config(), options(**change), before.memory).follow(payload_of(info()))
    assert (messages[0].topic, messages[0].payload, messages[0].retain) == (CONFIG_TOPIC, b"", True)
    assert [message.topic for message in messages[1:]] == (
        ["elsewhere/device/gate-01/north/config"] if "prefix" in change else []
    )


# --- over a broker ---------------------------------------------------------------------------------------------------


def outlet(broker: Broker, **home: Any) -> Publisher:
    settings: Config = config(options(broker.url, **home), outbox=OutboxConfig())
    return open_publisher(settings, NAMES)


def test_it_is_retained_where_home_assistant_looks(broker: Broker) -> None:
    with outlet(broker) as told:
        told.publish(one_of_each())
        wait_sent(told)
        with Subscriber(broker, "homeassistant/#") as subscriber:
            message = subscriber.wait_topic("/config")
    assert (message.topic, message.retain) == (CONFIG_TOPIC, True)
    jsonschema.Draft202012Validator(RULES).validate(message.json)


def test_it_is_off_unless_turned_on(broker: Broker, subscriber: Subscriber) -> None:
    with outlet(broker, enabled=False) as told:
        told.publish(one_of_each())
        wait_sent(told)
    subscriber.settle()
    assert not [message for message in subscriber.messages if message.topic.startswith("homeassistant")]


def test_it_is_told_again_when_home_assistant_starts(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_assistant, "AGAIN_S", 0.1)
    with outlet(broker) as told, Subscriber(broker, CONFIG_TOPIC) as subscriber:
        told.publish([info()])
        wait_sent(told)
        subscriber.wait_for(lambda messages: len(messages) == 1)
        subscriber._client.publish("homeassistant/status", b"offline", qos=1)
        subscriber._client.publish("homeassistant/status", b"online", qos=1)
        [first, second] = subscriber.wait_for(lambda messages: len(messages) == 2)
    assert first.payload == second.payload


def retained(broker: Broker) -> list[str]:
    """Topics of Home Assistant on which something lies at the broker."""
    with Subscriber(broker) as subscriber:
        subscriber.settle()
    return [message.topic for message in subscriber.messages if message.topic.startswith("homeassistant")]


def test_a_device_that_no_longer_knows_home_assistant_removes_itself_there(broker: Broker) -> None:
    with outlet(broker) as told:
        told.publish([info()])
        wait_sent(told)
    assert retained(broker) == [CONFIG_TOPIC]
    with outlet(broker, enabled=False) as told:
        told.publish([info(), crossing()])
        wait_sent(told)
    assert retained(broker) == []


def test_it_is_removed_even_if_the_broker_was_away_when_it_was_turned_off(tmp_path: Path) -> None:
    memory = [f"persistence_location {tmp_path}/broker/", "persistence true"]
    with Broker(tmp_path / "broker", extra=memory) as broker:
        with outlet(broker) as told:
            told.publish([info()])
            wait_sent(told)
        broker.stop()
        with outlet(broker, enabled=False) as told:
            told.publish([info()])
        broker.start()
        assert retained(broker) == [CONFIG_TOPIC]
        with outlet(broker, enabled=False) as told:
            told.publish([info(), crossing()])
            wait_sent(told)
        assert retained(broker) == []
