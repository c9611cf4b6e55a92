"""Whatever is asked, the loop goes on: any bytes on any topic are answered by the contract, or ignored."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgetrack.config import Config, DetectConfig, FileCapture, LineConfig, MqttPublish, OutboxConfig, RequestsConfig
from edgetrack.parts import build
from edgetrack.publish.desk import MAX_WAITING, Desk
from edgetrack.request import VERBS, Daemon, Reloaded, Service, schema
from tests.parts import blob_detector
from tests.publish.parts import TOPIC

RESPONSE = jsonschema.Draft202012Validator({**schema(), "oneOf": [{"$ref": "#/$defs/Response"}]})
KEYS = st.sampled_from(["transaction", "lines", "zones", "boxes", "width", "raw", "track", "?"]) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["door", "porch"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
BODIES = st.binary(max_size=200) | st.dictionaries(KEYS, VALUES, max_size=4).map(lambda body: json.dumps(body).encode())


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Daemon:
    """A daemon that is not connected; what it answers waits at its desk."""
    requests = RequestsConfig(allow=list(VERBS), max_per_minute=6000)
    config = Config(
        device="gate-01",
        camera="north",
        capture=FileCapture(path="none.mp4"),
        detect=DetectConfig(model=str(blob_detector(tmp_path_factory.mktemp("model") / "blobs.onnx"))),
        lines=[LineConfig(name="door", start=(0.5, 0.9), end=(0.5, 0.1))],
        publish=[MqttPublish(url="mqtt://127.0.0.1", requests=requests)],
        outbox=OutboxConfig(enabled=False),
    )
    return Daemon(build(config), Reloaded)


def message(verb: str, body: bytes, retain: bool, properties: Any) -> MQTTMessage:
    asked = MQTTMessage(topic=f"{TOPIC}/request/{verb}".encode())
    asked.payload, asked.retain = body, retain
    if properties is not None:
        asked.properties = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(asked.properties, name, value)
    return asked


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    verb=st.sampled_from([*VERBS, "dance"]) | st.text(st.characters(exclude_characters="/+#\0", codec="utf-8")),
    body=BODIES,
    retain=st.booleans(),
    properties=st.none()
    | st.fixed_dictionaries(
        {}, optional={"ResponseTopic": st.text(max_size=50), "CorrelationData": st.binary(max_size=50)}
    ),
)
def test_anything_is_answered_once_by_the_contract_or_ignored(
    daemon: Daemon, verb: str, body: bytes, retain: bool, properties: Any
) -> None:
    desk = daemon.parts.publisher._outlets[0].desk
    assert desk is not None
    desk._receive(message(verb, body, retain, properties))
    with Service(VERBS, daemon.parts.publisher) as service:
        service.serve(daemon)
    answers = []
    while (answer := desk.next_answer()) is not None:
        answers.append(answer)
    assert len(answers) <= 1
    for topic, payload, _ in answers:
        RESPONSE.validate(json.loads(payload))
        assert not set(topic) & set("+#\0")
        assert topic
        assert not topic.startswith(f"{TOPIC}/") or topic.startswith(f"{TOPIC}/response/")


def test_requests_that_nobody_takes_leave_no_more_than_a_few() -> None:
    desk = Desk(RequestsConfig(allow=["reload"]), TOPIC, lambda: None)
    for i in range(10_000):
        desk._receive(message("reload", b"{%d" % i, False, None))
    assert len(desk.take()) <= MAX_WAITING
