"""Delivery to a real broker that comes, goes, freezes and forgets."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edgetrack.config import HomeAssistantConfig, RequestsConfig
from edgetrack.errors import PublishError
from edgetrack.publish import delivery, depth, owed, session
from edgetrack.publish.payload import schema
from tests.publish.broker import Broker, Gate, Subscriber, until
from tests.publish.parts import (
    IN_MEMORY,
    TOPIC,
    crossing,
    info,
    line_count,
    numbers,
    occupancy,
    one_of_each,
    publisher,
    track_event,
    wait_sent,
    wait_state,
    without_repeats,
)

# --- a broker that is there ---


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_every_kind_of_event_arrives_and_fits_the_schema(subscriber: Subscriber, broker: Broker, version: Any) -> None:
    with publisher(broker.url, version=version) as outlet:
        outlet.publish(one_of_each())
        subscriber.wait_topic("/health")
    messages = [message for message in subscriber.messages if not message.topic.endswith("/probe")][:13]
    validator = jsonschema.Draft202012Validator(schema())
    for message in messages[1:]:
        validator.validate(message.json)
    assert [message.topic.removeprefix(TOPIC) for message in messages] == [
        "/status",
        "/info",
        "/track/person",
        "/track/traffic_light",
        "/event/line_crossed",
        "/line/door/count",
        "/event/zone_entered",
        "/zone/porch/occupancy",
        "/event/dwell",
        "/event/zone_left",
        "/track/person",
        "/event/pace",
        "/health",
    ]
    assert {message.qos for message in messages} == {1}


def test_who_comes_later_gets_the_state_and_no_events(broker: Broker) -> None:
    with publisher(broker.url) as outlet:
        outlet.publish(one_of_each())
        wait_sent(outlet)
        with Subscriber(broker) as late:
            messages = late.wait_for(lambda messages: len(messages) >= 5)
            outlet.publish([crossing()])
            late.wait_topic("/event/line_crossed")
    assert {message.topic.removeprefix(TOPIC) for message in messages} == {
        "/status",
        "/info",
        "/health",
        "/line/door/count",
        "/zone/porch/occupancy",
    }
    assert all(message.retain for message in messages)


def test_status_is_plain_text_and_follows_the_daemon(subscriber: Subscriber, broker: Broker) -> None:
    with publisher(broker.url):
        subscriber.wait_topic("/status", b"online")
    subscriber.wait_topic("/status", b"offline")
    assert [message.payload for message in subscriber.on("/status")] == [b"online", b"offline"]


def test_leaving_sends_what_is_queued_first(subscriber: Subscriber, broker: Broker) -> None:
    with publisher(broker.url) as outlet:
        outlet.publish([crossing() for _ in range(200)])
    subscriber.wait_topic("/status", b"offline")
    assert numbers(subscriber.messages) == list(range(1, 201))
    assert subscriber.messages[-1].payload == b"offline"


def test_a_line_that_is_no_more_leaves_no_retained_count(broker: Broker) -> None:
    with publisher(broker.url) as outlet:
        outlet.publish([line_count(), info(lines=())])
        wait_sent(outlet)
    with Subscriber(broker) as late:
        late.wait_topic("/info")
        assert late.on("/count") == []


def test_no_more_is_under_way_than_the_window_holds(broker: Broker) -> None:
    """mosquitto's log tells in which order publishes and acknowledgements crossed it."""
    with publisher(broker.url, max_inflight=3) as outlet:
        outlet.publish([crossing() for _ in range(500)])
        until(lambda: outlet.states[0].sent > 500, 60, lambda: str(outlet.states[0]))
        broker.freeze()
        outlet.publish([crossing() for _ in range(50)])
        until(lambda: outlet.states[0].queued == 50, 60, lambda: str(outlet.states[0]))
        time.sleep(0.2)
        before = broker.log.read_text().count("Received PUBLISH")
        link_window = outlet._outlets[0]._owed.flying  # type: ignore[attr-defined]
        broker.thaw()
        wait_sent(outlet)
    assert link_window == 3
    assert broker.log.read_text().count("Received PUBLISH") >= before + 50


def test_publishing_never_waits_for_a_broker_that_is_stuck(broker: Broker) -> None:
    with publisher(broker.url, max_queued=1000) as outlet:
        wait_state(outlet, "ok")
        broker.freeze()
        slowest = 0.0
        for _ in range(3000):
            before = time.monotonic()
            outlet.publish([track_event("update")])
            slowest = max(slowest, time.monotonic() - before)
        broker.thaw()
    assert slowest < 1.0


# --- a broker that is not ---


def test_the_will_says_offline_when_the_process_is_killed(subscriber: Subscriber, broker: Broker) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, broker.url])
    try:
        subscriber.wait_topic("/status", b"online")
    finally:
        child.kill()
        child.wait(10)
    subscriber.wait_topic("/status", b"offline")


CHILD = """
import sys, time
from tests.publish.parts import publisher
with publisher(sys.argv[1]):
    time.sleep(60)
"""


def test_a_broker_that_comes_late_gets_everything(broker: Broker) -> None:
    broker.kill()
    with Gate(broker) as gate, publisher(gate.url) as outlet:
        outlet.publish([info(), *(crossing() for _ in range(300)), line_count()])
        wait_state(outlet, "degraded")
        broker.start()
        gate.shut()
        with Subscriber(broker) as subscriber:
            gate.open()
            wait_state(outlet, "ok")
            subscriber.wait_topic("/count")
            assert numbers(subscriber.messages) == list(range(1, 301))


def test_a_refused_connection_is_told_once_and_in_words(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broker.kill()
    caplog.set_level(logging.INFO, "edgetrack")
    with publisher(broker.url) as outlet:
        wait_state(outlet, "degraded", "connection refused; is the broker running")
        time.sleep(1.5)  # until it has tried again
        warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        broker.start()
        wait_state(outlet, "ok")
    assert warnings == [f"{broker.url}: connection refused; is the broker running, and on this port?"]


def test_a_name_that_is_not_known_is_told() -> None:
    with publisher("mqtt://no-such-host.invalid") as outlet:
        wait_state(outlet, "degraded", "the name is not known")


def test_a_port_that_speaks_no_mqtt_is_told() -> None:
    with Mute() as mute, publisher(mute.url) as outlet:
        wait_state(outlet, "degraded", "the other side closed the connection")


class Mute:
    """Accepts connections, answers what it is told to, and ends them, or leaves that to the other side."""

    def __init__(self, answer: Callable[[], bytes] = bytes, stays: bool = False) -> None:
        self.answer, self.stays = answer, stays
        self.served = 0

    def __enter__(self) -> Mute:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self.server.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.served += 1
            with connection, contextlib.suppress(OSError):
                if answer := self.answer():
                    connection.recv(4096)
                    connection.sendall(answer)
                while self.stays and connection.recv(4096):
                    pass

    def __exit__(self, *_: object) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


def test_a_broker_that_comes_back_empty_is_told_the_state_again(broker: Broker) -> None:
    with publisher(broker.url) as outlet:
        outlet.publish([info(), line_count(7), occupancy(), crossing()])
        wait_sent(outlet)
        broker.restart()
        wait_state(outlet, "ok")
        with Subscriber(broker) as late:
            messages = late.wait_for(lambda messages: len(messages) >= 4)
    assert {message.topic.removeprefix(TOPIC) for message in messages} == {
        "/status",
        "/info",
        "/line/door/count",
        "/zone/porch/occupancy",
    }


def test_what_was_kept_says_replayed_with_its_own_time(broker: Broker) -> None:
    with Gate(broker) as gate, publisher(gate.url) as outlet, Subscriber(broker) as subscriber:
        outlet.publish([crossing(1)])
        subscriber.wait_topic("/event/line_crossed")
        gate.shut()
        wait_state(outlet, "degraded")
        outlet.publish([track_event("line_crossed", 2, name="door", direction="in", utc=1.6e9)])
        gate.open()
        subscriber.wait_topic("/event/line_crossed", b'"track":2')
        outlet.publish([crossing(3)])
        subscriber.wait_topic("/event/line_crossed", b'"track":3')
    told = [message.json for message in subscriber.on("/event/line_crossed")]
    assert [payload.get("replayed", False) for payload in told] == [False, True, False]
    assert told[1]["ts"] == "2020-09-13T12:26:40.000000Z"


def test_a_broker_killed_again_and_again_under_load_loses_nothing(broker: Broker, monkeypatch: Any) -> None:
    """The gate opens when the subscriber is back, so that a gap in what it got would be ours."""
    monkeypatch.setattr(delivery, "RETRY_S", (0.02, 0.1))
    monkeypatch.setattr(owed, "REPLAY_PER_S", 20_000)
    draw = random.Random(3)
    total = 0
    with Gate(broker) as gate, publisher(gate.url) as outlet, Subscriber(broker, qos=0) as subscriber:
        for _ in range(5):
            for _ in range(draw.randrange(200, 800)):
                outlet.publish([crossing(), line_count()])
                total += 1
            time.sleep(draw.random() * 0.05)  # somewhere in the middle of sending
            broker.kill()
            outlet.publish([crossing() for _ in range(50)])
            total += 50
            gate.shut()
            subscriber.wait_lost()
            broker.start()
            subscriber.wait_subscribed()
            gate.open()
        subscriber.wait_for(lambda _: numbers(subscriber.messages)[-1:] == [total])
        state = wait_sent(outlet)
    assert without_repeats(numbers(subscriber.messages)) == list(range(1, total + 1))
    assert state.dropped == 0


def test_a_queue_that_is_full_drops_updates_first_and_counts_them(broker: Broker) -> None:
    with Gate(broker) as gate, publisher(gate.url, IN_MEMORY, max_queued=100) as outlet:
        wait_state(outlet, "ok")
        gate.shut()
        wait_state(outlet, "degraded")
        outlet.publish([crossing(), *(track_event("update") for _ in range(500)), *(crossing() for _ in range(89))])
        state = outlet.states[0]
        with Subscriber(broker) as subscriber:
            gate.open()
            subscriber.wait_for(lambda messages: b'"seq":90,' in messages[-1].payload if messages else False)
    assert (state.queued, state.dropped) == (100, 490)
    assert numbers(subscriber.on("/event/line_crossed")) == list(range(1, 91))


def test_a_broker_that_acknowledges_nothing_is_given_up_and_tried_again(broker: Broker, monkeypatch: Any) -> None:
    monkeypatch.setattr(session, "ACK_S", 0.5)
    with publisher(broker.url) as outlet:
        wait_state(outlet, "ok")
        broker.freeze()
        outlet.publish([crossing()])
        wait_state(outlet, "degraded", "has acknowledged none")
        broker.thaw()
        wait_state(outlet, "ok")
        assert wait_sent(outlet).dropped == 0


def test_leaving_takes_a_bounded_time_when_the_broker_is_stuck(broker: Broker) -> None:
    outlet = publisher(broker.url)
    with outlet:
        wait_state(outlet, "ok")
        broker.freeze()
        outlet.publish([crossing()])
        before = time.monotonic()
    assert time.monotonic() - before < 3
    broker.thaw()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_a_broker_answers_the_thread_lives_on(seed: int, monkeypatch: Any) -> None:
    """A hundred answers of random bytes after a good beginning or none."""
    monkeypatch.setattr(delivery, "RETRY_S", (0.001, 0.002))
    draw = random.Random(seed)

    def babble() -> bytes:
        kind = draw.choice([0x20, 0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0])
        body = draw.randbytes(draw.randrange(12))
        good = bytes.fromhex("2003000000") if draw.random() < 0.7 else b""
        return good + bytes([kind, len(body)]) + body

    listening = {"requests": RequestsConfig(allow=["reload"]), "home_assistant": HomeAssistantConfig(enabled=True)}
    with Mute(babble) as mute, publisher(mute.url, IN_MEMORY, **listening) as outlet:
        outlet.publish([info(), crossing()])
        until(lambda: mute.served > 100, 90, lambda: f"{mute.served} connections; {outlet.states}")
        assert outlet._outlets[0]._thread.is_alive()  # type: ignore[attr-defined]


# --- a broker that says no ---


def test_a_broker_that_does_not_let_a_device_read_its_requests_is_told() -> None:
    accepted, not_authorized = bytes.fromhex("2003000000"), bytes.fromhex("900400020087")
    asked = RequestsConfig(allow=["reload"])
    with Mute(lambda: accepted + not_authorized, stays=True) as mute, publisher(mute.url, requests=asked) as outlet:
        wait_state(outlet, "degraded", "read edgetrack/v1/gate-01/north/request/+, where requests come")


def test_another_client_with_the_same_name_is_told(broker: Broker, monkeypatch: Any) -> None:
    """mosquitto 2.0 ends the older connection without a reason; that it happens again and again gives it away."""
    monkeypatch.setattr(delivery, "RETRY_S", (0.05, 0.1))
    with publisher(broker.url, client_id="twin") as one, publisher(broker.url, client_id="twin"):
        wait_state(one, "degraded", "does another client use the same client_id")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_wrong_password_is_told(tmp_path: Path, version: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    with (
        Broker(tmp_path / "closed", passwords={"gate-01": "right"}) as closed,
        publisher(closed.url, username="gate-01", password_file=str(secret), version=version) as outlet,
    ):
        wait_state(outlet, "degraded", "the broker refuses the connection: Not authorized (135); check username")
        secret.write_text("right\n")
        wait_state(outlet, "ok")


def test_a_password_file_that_is_not_there_ends_the_start() -> None:
    with (
        pytest.raises(PublishError, match="password_file"),
        publisher("mqtt://localhost", username="a", password_file="gone"),
    ):
        pass


ACL = """
topic read #
topic write edgetrack/v1/gate-01/north/status
topic write edgetrack/v1/gate-01/north/track/#
"""


def test_a_denied_topic_is_told_with_its_reason_and_is_not_counted_as_sent(tmp_path: Path) -> None:
    with Broker(tmp_path / "strict", acl=ACL) as strict, publisher(strict.url) as outlet:
        outlet.publish([crossing(), track_event()])
        state = wait_state(outlet, "degraded")
        until(lambda: outlet.states[0].sent == 2, 60, lambda: str(outlet.states[0]))
        state = outlet.states[0]
    assert state.reason == (
        f"the broker refuses what is sent to {TOPIC}/event/line_crossed: Not authorized (135); "
        "check username, password_file and the broker's access list"
    )
    assert (state.sent, state.refused, state.queued) == (2, 1, 1)


def test_under_3_1_1_a_probe_tells_what_no_acknowledgement_does(tmp_path: Path, monkeypatch: Any) -> None:
    """The broker acknowledges what it throws away."""
    monkeypatch.setattr(depth, "ECHO_S", 0.3)
    with Broker(tmp_path / "strict", acl=ACL) as strict, publisher(strict.url, version="3.1.1") as outlet:
        state = wait_state(outlet, "degraded", "a probe sent to edgetrack/v1/gate-01/north/probe does not come back")
    assert state.refused == 0


def test_under_3_1_1_a_probe_that_comes_back_says_nothing(broker: Broker, monkeypatch: Any) -> None:
    monkeypatch.setattr(depth, "ECHO_S", 0.3)
    with publisher(broker.url, version="3.1.1") as outlet:
        wait_state(outlet, "ok")
        time.sleep(0.6)
        assert outlet.states[0].state == "ok"


def test_what_was_kept_is_sent_at_a_pace_that_slow_subscribers_bear(tmp_path: Path, monkeypatch: Any) -> None:
    """mosquitto drops what a subscriber has no room for, although it has acknowledged it."""
    monkeypatch.setattr(owed, "REPLAY_PER_S", 500)
    limits = ["max_inflight_messages 20", "max_queued_messages 300"]
    with Broker(tmp_path / "small", extra=limits) as small, Gate(small) as gate, publisher(gate.url) as outlet:
        wait_state(outlet, "ok")
        gate.shut()
        wait_state(outlet, "degraded")
        outlet.publish([crossing() for _ in range(1500)])
        with Subscriber(small, slow_s=0.0003) as subscriber:
            gate.open()
            subscriber.wait_for(lambda messages: b'"seq":1500,' in messages[-1].payload if messages else False)
    assert without_repeats(numbers(subscriber.messages)) == list(range(1, 1501))


def test_a_denied_topic_does_not_hold_up_the_others(tmp_path: Path) -> None:
    with Broker(tmp_path / "strict", acl=ACL) as strict, Subscriber(strict) as subscriber:
        with publisher(strict.url) as outlet:
            for i in range(100):
                outlet.publish([crossing(i + 1), track_event(track_id=i + 1)])
        subscriber.wait_topic("/status", b"offline")
        assert numbers(subscriber.messages) == list(range(2, 201, 2))


def test_what_was_denied_is_sent_when_the_access_list_is_mended(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(session, "REFUSED_RETRY_S", 0.3)
    with Broker(tmp_path / "strict", acl=ACL) as strict, Subscriber(strict) as subscriber:
        with publisher(strict.url) as outlet:
            outlet.publish([crossing(i + 1) for i in range(50)])
            wait_state(outlet, "degraded")
            strict.allow(ACL + "topic write edgetrack/v1/gate-01/north/event/#\n")
            wait_state(outlet, "ok")
            wait_sent(outlet)
        subscriber.wait_topic("/status", b"offline")
    assert numbers(subscriber.messages) == list(range(1, 51))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mqtt://user:secret@host", "holds a login; move it to username and password_file"),
        ("mqtt://host:99999", "Port out of range"),
        ("mqtt://", "expected a host and a port"),
        ("mqtt://host/path", "expected a host and a port"),
    ],
)
def test_an_address_that_cannot_be_used_is_told(url: str, words: str) -> None:
    with pytest.raises(PublishError, match=words) as raised:
        publisher(url)
    assert "secret" not in str(raised.value)


def test_the_pause_between_tries_doubles_to_half_a_minute_with_jitter() -> None:
    pauses = [[delivery.pause_s(failures) for _ in range(50)] for failures in (1, 2, 3, 50)]
    assert [(min(p) >= 0.5, max(p) <= limit) for p, limit in zip(pauses, (1, 2, 4, 30), strict=True)] == [
        (True, True)
    ] * 4
    assert all(max(p) - min(p) > 0.1 * max(p) for p in pauses)
