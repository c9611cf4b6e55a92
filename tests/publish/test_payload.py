"""The wire contract: topics, numbers, payloads, and the schema that describes them."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from edgetrack.publish.encoder import Encoder, level, rfc3339
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.payload import PAYLOADS, schema
from edgetrack.types import Event
from tests.publish.parts import NAMES, crossing, info, line_count, one_of_each, track_event


def encoded(*events: Event, boot: str = "0a1b2c3d") -> list[Message]:
    encoder = Encoder("gate-01", "north", NAMES, boot)
    return [message for event in events for message in encoder.encode(event)]


def payload(event: Event) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(encoded(event)[0].payload)
    return loaded


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema())


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("event", one_of_each(), ids=lambda event: getattr(event, "kind", type(event).__name__))
def test_every_payload_fits_the_schema(validator: jsonschema.Draft202012Validator, event: Event) -> None:
    for message in encoded(event):
        validator.validate(json.loads(message.payload))


def test_a_replayed_payload_fits_the_schema(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(json.loads(encoded(crossing())[0].replayed().payload))


def test_the_schema_refuses_what_no_version_sends(validator: jsonschema.Draft202012Validator) -> None:
    wrong = {**payload(crossing()), "direction": "up"}
    assert not validator.is_valid(wrong)


def test_every_payload_decodes_by_its_schema_alone() -> None:
    union = PAYLOADS[0]
    for kind in PAYLOADS[1:]:
        union = union | kind  # type: ignore[operator]
    for message in encoded(*one_of_each()):
        assert msgspec.json.decode(message.payload, type=union).device == "gate-01"


def test_topics_name_device_camera_and_what_it_is_about() -> None:
    assert [message.topic.removeprefix("gate-01/north/") for message in encoded(*one_of_each())] == [
        "info",
        "track/person",
        "track/traffic_light",
        "event/line_crossed",
        "line/door/count",
        "event/zone_entered",
        "zone/porch/occupancy",
        "event/dwell",
        "event/zone_left",
        "track/person",
        "event/pace",
        "health",
    ]


def test_state_is_retained_and_events_are_not() -> None:
    retained = {message.topic.removeprefix("gate-01/north/") for message in encoded(*one_of_each()) if message.retain}
    assert retained == {"info", "line/door/count", "zone/porch/occupancy", "health"}


def test_updates_are_worth_least() -> None:
    worth = [message.worth for message in encoded(track_event("update"), crossing(), line_count())]
    assert worth == [Worth.UPDATE, Worth.EVENT, Worth.STATE]


def test_what_happens_once_is_numbered_and_the_rest_carries_the_last_number() -> None:
    messages = encoded(info(), track_event("start"), track_event("update"), crossing(), line_count())
    assert [json.loads(message.payload)["seq"] for message in messages] == [0, 1, 1, 2, 2]


def test_a_box_is_fractions_of_the_picture_whose_size_is_beside_it() -> None:
    told = payload(track_event(xyxy=(64.0, 90.0, 128.0, 270.0), size=(640, 360)))
    assert told["box"] == [0.1, 0.25, 0.2, 0.75]
    assert told["foot"] == [0.15, 0.75]
    assert told["size"] == [640, 360]


def test_fractions_have_five_digits() -> None:
    assert payload(track_event(xyxy=(1.0, 1.0, 2.0, 2.0), size=(3, 3)))["box"] == [0.33333, 0.33333, 0.66667, 0.66667]


def test_a_payload_says_who_when_and_how_late() -> None:
    told = payload(track_event(utc=1763633647.123456))
    assert list(told)[:8] == ["schema", "device", "camera", "boot", "seq", "ts", "mono_ns", "latency_ms"]
    assert told["ts"] == "2025-11-20T10:14:07.123456Z"
    assert 0 <= told["latency_ms"] < 60_000


def test_every_start_of_the_daemon_has_its_own_mark() -> None:
    boots = {json.loads(encoded(info(), boot="")[0].payload)["boot"] for _ in range(5)}
    assert len(boots) == 5


def test_a_crossing_names_line_and_direction_and_its_picture() -> None:
    told = payload(crossing())
    assert (told["type"], told["line"], told["direction"], told["frame"]) == ("line_crossed", "door", "in", 118)


def test_counts_are_by_class_and_direction_with_totals() -> None:
    told = payload(line_count(inwards=3))
    assert told["total"] == {"in": 5, "out": 1}
    assert told["by_class"] == {"person": {"in": 3, "out": 1}, "traffic light": {"in": 2, "out": 0}}
    assert told["since"] == "2017-07-14T02:40:00.000000Z"


def test_a_class_without_a_name_has_its_number() -> None:
    assert payload(track_event(class_id=7))["class"] == "class_7"


@pytest.mark.parametrize(
    ("name", "topic"),
    [("traffic light", "traffic_light"), ("a/b+c#d", "a_b_c_d"), ("$SYS", "_SYS"), ("", "_"), ("größe", "größe")],
)
def test_a_class_name_becomes_one_level_of_a_topic(name: str, topic: str) -> None:
    assert level(name) == topic


def test_a_line_that_is_no_more_is_taken_from_the_broker() -> None:
    *_, last = encoded(line_count(line="door"), info(lines=()))
    assert (last.topic, last.payload, last.retain) == ("gate-01/north/line/door/count", b"", True)


def test_replayed_is_said_once_and_only_of_events() -> None:
    event, state = encoded(crossing(), line_count())
    assert json.loads(event.replayed().replayed().payload)["replayed"] is True
    assert state.replayed() is state


def test_times_before_1970_and_whole_seconds_have_six_digits() -> None:
    assert [rfc3339(0.0), rfc3339(-0.5)] == ["1970-01-01T00:00:00.000000Z", "1969-12-31T23:59:59.500000Z"]
