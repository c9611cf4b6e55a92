"""What is larger than a broker takes: found out, said, counted and dropped, and nothing stands behind it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from edgetrack.config import MqttPublish, OutboxConfig, RequestsConfig
from edgetrack.publish import Publisher, delivery, departure, depth
from edgetrack.publish.depth import Depth
from edgetrack.publish.mqtt import Link
from tests.publish.asker import Asker
from tests.publish.broker import Broker, Gate, Subscriber, until
from tests.publish.parts import crossing, info, numbers, publisher, track_event, wait_sent, wait_state, without_repeats

LIMIT = 2000
LARGE = tuple(f"zone-{i:0>60}" for i in range(60))  # names that make an event of over 4000 bytes


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same patience in tenths."""
    monkeypatch.setattr(delivery, "RETRY_S", (0.02, 0.1))


def small(folder: Path, option: str) -> Broker:
    return Broker(folder / "small", extra=[f"{option} {LIMIT}"])


@pytest.mark.parametrize("option", ["max_packet_size", "message_size_limit"])
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_is_too_large_is_dropped_counted_and_said_and_the_rest_arrives(
    tmp_path: Path, version: Any, option: str
) -> None:
    """mosquitto says so (5, max_packet_size), breaks the connection, breaks the protocol, or says nothing at all."""
    with small(tmp_path, option) as broker, Subscriber(broker) as subscriber:
        with publisher(broker.url, version=version) as outlet:
            outlet.publish([crossing(), track_event(zones=LARGE), *(crossing() for _ in range(30))])
            state = wait_state(outlet, "degraded", "/track/person has 4")
            subscriber.wait_for(lambda messages: numbers(messages)[-1:] == [32], 30)
            until(lambda: outlet.states[-1].queued == 0, 60, lambda: str(outlet.states))
        assert outlet.states[0].dropped == 1
    assert without_repeats(numbers(subscriber.messages)) == [1, *range(3, 33)]
    assert (
        "dropped, and counted; raise the broker's limit (mosquitto: max_packet_size, message_size_limit)"
        in state.reason
    )


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_state_that_was_too_large_is_told_once_the_limit_is_raised(tmp_path: Path, version: Any) -> None:
    zones = tuple(f"zone-{i}" for i in range(100))
    with small(tmp_path, "max_packet_size") as broker, publisher(broker.url, version=version) as outlet:
        outlet.publish([info(zones=zones)])
        wait_state(outlet, "degraded", "/info has ")
        broker.kill()
        config = broker.folder / "mosquitto.conf"
        config.write_text(config.read_text().replace("max_packet_size", "#"))
        broker.start()
        with Subscriber(broker) as subscriber:
            subscriber.wait_topic("/info")
        wait_state(outlet, "ok")


def test_a_dropped_event_does_not_come_back_with_the_next_start(tmp_path: Path) -> None:
    with small(tmp_path, "max_packet_size") as broker:
        with publisher(broker.url) as outlet:
            outlet.publish([track_event("line_crossed", name="door", direction="in", zones=LARGE)])
            wait_state(outlet, "degraded", "dropped")
        with publisher(broker.url) as outlet:
            wait_state(outlet, "ok")
            assert outlet.states[-1].queued == 0


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_broker_that_closes_on_probes_loses_nothing(broker: Broker, version: Any) -> None:
    """What such a broker takes cannot be told, so nothing is dropped."""
    with Subscriber(broker) as subscriber, Gate(broker) as gate:
        gate.denied = b"/probe"
        with publisher(gate.url, version=version) as outlet:
            outlet.publish([crossing() for _ in range(10)])
            subscriber.wait_for(lambda messages: numbers(messages)[-1:] == [10], 60)
            gate.shut()
            outlet.publish([track_event(zones=LARGE), *(crossing() for _ in range(9))])
            gate.open()
            subscriber.wait_for(lambda messages: numbers(messages)[-1:] == [20], 60)
            wait_sent(outlet)
        assert outlet.states[0].dropped == 0
    assert without_repeats(numbers(subscriber.messages)) == list(range(1, 21))


def test_probes_are_tried_again_where_none_got_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that broke for another reason, for a while, must not leave sizes unknown for ever."""
    monkeypatch.setattr(depth, "AGAIN_S", 1.0)
    with small(tmp_path, "max_packet_size") as broker, Subscriber(broker) as subscriber, Gate(broker) as gate:
        gate.denied = b"/probe"
        with publisher(gate.url, version="3.1.1") as outlet:
            outlet.publish([crossing()])
            subscriber.wait_for(lambda messages: numbers(messages)[-1:] == [1], 60)
            gate.denied = b""
            time.sleep(1.0)
            gate.shut()
            gate.open()
            outlet.publish([track_event(zones=LARGE), crossing()])
            subscriber.wait_for(lambda messages: numbers(messages)[-1:] == [3], 60)
            assert outlet.states[0].dropped == 1


def test_connections_that_break_with_large_messages_under_way_cost_none_of_them(broker: Broker) -> None:
    """A probe of their size breaks with them, but not often enough to prove anything."""
    with Subscriber(broker) as subscriber, Gate(broker) as gate, publisher(gate.url) as outlet:
        for _ in range(5):
            outlet.publish([track_event(zones=LARGE), crossing()])
            gate.shut()
            gate.open()
        wait_sent(outlet)
        assert outlet.states[0].dropped == 0
        subscriber.wait_for(lambda messages: numbers(messages)[-1:] == [10])
    assert without_repeats(numbers(subscriber.messages)) == list(range(1, 11))


def test_who_leaves_waits_for_what_a_probe_under_way_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This broker acknowledges probes at once and never sends them back."""
    monkeypatch.setattr(depth, "ECHO_S", 0.3)
    monkeypatch.setattr(departure, "FLUSH_S", 20.0)
    acl = "topic readwrite edgetrack/v1/gate-01/north/event/#\ntopic write edgetrack/v1/gate-01/#\n"
    with Broker(tmp_path / "strict", acl=acl) as strict:
        with publisher(strict.url, version="3.1.1", outbox=OutboxConfig(enabled=False)) as outlet:
            outlet.publish([crossing()])
        assert outlet.states[0].queued == 0


@pytest.mark.parametrize("size", [1024, 2000, 1 << 16])
def test_a_probe_is_as_large_as_what_it_stands_for(broker: Broker, size: int) -> None:
    link = Link(MqttPublish(url=broker.url, version="3.1.1"), "prober")
    probe = Depth("edgetrack/v1/gate-01/north/probe", echoes=True)
    probe.begin(link)
    probe._path, probe._rounding = True, False
    assert probe.takes(size) is None
    probe._send({})
    assert link.packet_bytes(probe.topic, probe._mark) == size


def test_a_connection_that_ends_before_it_came_to_a_probe_tells_nothing_of_sizes(broker: Broker) -> None:
    """The broker may have started anew, with other limits."""
    link = Link(MqttPublish(url=broker.url, version="3.1.1"), "prober")
    probe = Depth("edgetrack/v1/gate-01/north/probe", echoes=True)
    link.granted[probe.topic] = True
    for _ in range(depth.TRIES):
        probe.begin(link)
        probe._path, probe._rounding = True, False
        probe.takes(5000)
        probe._send({})
        probe.broken(under_way=True)
    probe.begin(link)
    assert probe.takes(5000) is False
    del link.granted[probe.topic]
    probe.broken(under_way=False)
    probe.begin(link)
    assert probe.takes(5000) is None


def test_an_answer_that_is_too_large_becomes_one_that_says_so(tmp_path: Path) -> None:
    with (
        small(tmp_path, "max_packet_size") as broker,
        Asker(broker) as asker,
        publisher(broker.url, requests=RequestsConfig(allow=["reload"])) as outlet,
    ):
        until(lambda: "request/+" in broker.log.read_text(), 60, broker.log.read_text)
        asker.say("reload")
        until(lambda: answered(outlet), 60, lambda: "nothing was asked")
        [answer] = asker.wait(1)
    assert (answer["ok"], answer["error"]) == (False, "failed")
    assert "the broker takes 2000 at most" in answer["reason"]


def answered(outlet: Publisher) -> bool:
    """Whether something was asked; it is answered at length."""
    requests = outlet.requests()
    for request in requests:
        outlet.answer(request, "x" * 5000)
    return bool(requests)
