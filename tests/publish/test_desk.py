"""What comes in over MQTT: answered, refused or ignored, and never more than the daemon can bear."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edgetrack.config import MqttPublish, RequestsConfig
from edgetrack.publish import Publisher, desk, open_publisher
from tests.publish.asker import Asker
from tests.publish.broker import Broker, Gate, until
from tests.publish.parts import IN_MEMORY, NAMES, TOPIC, config, wait_state


@contextlib.contextmanager
def answering(
    broker: Broker | Gate, version: Any = "5", allow: tuple[Any, ...] = ("reload",), **requests: Any
) -> Iterator[Publisher]:
    """A publisher whose loop answers what it is asked: `{"ran": n}`, or the fault."""
    options = RequestsConfig(allow=list(allow), **requests)
    mqtt = MqttPublish(url=broker.url, version=version, requests=options)
    publisher = open_publisher(config(mqtt, outbox=IN_MEMORY), NAMES)
    stop, ran = threading.Event(), 0

    def loop() -> None:
        nonlocal ran
        while not stop.wait(0.005):
            for request in publisher.requests():
                ran += request.fault is None
                result = {"ran": ran} if request.fault is None else None
                publisher.answer(request, result, request.fault, request.reason)

    thread = threading.Thread(target=loop)
    with publisher:
        wait_state(publisher, "ok")
        if isinstance(broker, Broker) and allow:
            until(lambda: "request/+" in broker.log.read_text(), 60, broker.log.read_text)
        thread.start()
        try:
            yield publisher
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_request_is_answered_on_the_topic_beside_it_with_its_transaction(broker: Broker, version: Any) -> None:
    with answering(broker, version), Asker(broker) as asker:
        answer = asker.ask("reload", {"transaction": "t-1"})
    assert asker.answers[0].topic == f"{TOPIC}/response/reload"
    assert not asker.answers[0].retain
    said = {key: answer[key] for key in ("schema", "request", "transaction", "ok", "result")}
    assert said == {
        "schema": "edgetrack.response/1",
        "request": "reload",
        "transaction": "t-1",
        "ok": True,
        "result": {"ran": 1},
    }


def test_an_empty_payload_is_a_request(broker: Broker) -> None:
    with answering(broker), Asker(broker) as asker:
        assert asker.ask("reload", b"")["ok"]


def test_who_names_a_response_topic_gets_the_answer_there_with_the_correlation_data(broker: Broker) -> None:
    with answering(broker), Asker(broker) as asker:
        asker.ask("reload", ResponseTopic=asker.own, CorrelationData=b"\x00\xff42")
    assert asker.answers[0].topic == asker.own
    assert asker.answers[0].properties.CorrelationData == b"\x00\xff42"


@pytest.mark.parametrize(
    "topic",
    [
        f"{TOPIC}/line/door/count",
        f"{TOPIC}/status",
        f"{TOPIC}/request/reload",
        "homeassistant/device/gate-01/north/config",
        "$SYS/broker/load",
    ],
)
def test_nobody_makes_the_device_write_on_its_other_topics(broker: Broker, topic: str) -> None:
    with answering(broker), Asker(broker) as asker:
        asker.ask("reload", ResponseTopic=topic)
    assert asker.answers[0].topic == f"{TOPIC}/response/reload"


@pytest.mark.parametrize(
    ("verb", "payload", "error", "words"),
    [
        ("reload", b"{", "malformed", "expected a JSON object"),
        ("reload", b"[1]", "malformed", "expected a JSON object"),
        ("reload", b"\xff\xfe", "malformed", "expected a JSON object"),
        ("reload", b'{"transaction": [1]}', "malformed", "transaction"),
        ("reload", b'{"a":' + b"[" * 4000, "malformed", "expected a JSON object"),
        ("reload", b" " * 5000, "too_large", "5000 bytes; at most 4096"),
        ("dance", b"", "unknown", "there is no such verb"),
        ("snapshot", b"", "not_allowed", "publish.requests.allow"),
    ],
)
def test_what_cannot_be_run_is_answered_with_the_reason(
    broker: Broker, verb: str, payload: bytes, error: str, words: str
) -> None:
    with answering(broker), Asker(broker) as asker:
        answer = asker.ask(verb, payload)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert words in answer["reason"]
    assert "result" not in answer


def test_an_unknown_verb_is_answered_on_one_topic_whatever_it_is_called(broker: Broker) -> None:
    with answering(broker), Asker(broker) as asker:
        asker.ask("dance")
    assert asker.answers[0].topic == f"{TOPIC}/response/unknown"


def test_nothing_is_listened_to_where_nothing_is_allowed(broker: Broker) -> None:
    with answering(broker, allow=()) as publisher, Asker(broker) as asker:
        asker.say("reload")
        assert asker.silent()
        assert publisher.states[0].state == "ok"
    assert "request/+" not in broker.log.read_text()


def test_a_retained_request_is_refused(broker: Broker) -> None:
    with answering(broker), Asker(broker) as asker:
        assert asker.ask("reload", retain=True)["error"] == "retained"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_request_that_was_retained_before_is_ignored(broker: Broker, version: Any) -> None:
    with Asker(broker) as asker:
        asker.say("reload", retain=True)
        with answering(broker, version):
            assert asker.silent()
            assert asker.ask("reload")["result"] == {"ran": 1}


def test_the_first_request_beyond_the_limit_is_refused_and_the_rest_is_ignored(broker: Broker) -> None:
    with answering(broker, max_per_minute=3), Asker(broker) as asker:
        for _ in range(10):
            asker.say("reload")
        errors = [answer.get("error") for answer in asker.wait(4)]
        assert errors == [None, None, None, "too_many"]
        assert asker.silent()


def test_who_waits_may_ask_again(broker: Broker) -> None:
    with answering(broker, max_per_minute=60), Asker(broker) as asker:
        for _ in range(desk.BURST + 1):
            asker.say("reload")
        asker.wait(desk.BURST + 1)
        time.sleep(1.1)
        assert asker.ask("reload")["ok"]


def test_a_flood_is_not_listened_to_until_it_is_over(broker: Broker, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(desk, "DEAF_S", 0.5)
    with answering(broker, max_per_minute=6000) as publisher, Asker(broker) as asker:
        client = asker._client
        for _ in range(5000):
            client.publish(f"{TOPIC}/request/reload", b"", qos=0)
        until(lambda: "a flood of requests" in caplog.text, 60, lambda: caplog.text)
        while not any(b"after" in answer.payload for answer in asker.answers):
            asker.say("reload", {"transaction": "after"})
            time.sleep(0.2)
        assert caplog.text.count("a flood of requests") == 1
        assert len(asker.answers) < 1000
        assert publisher.states[0].state == "ok"


def test_requests_that_the_loop_does_not_take_are_bounded(broker: Broker) -> None:
    options = RequestsConfig(allow=["reload"], max_per_minute=6000)
    mqtt = MqttPublish(url=broker.url, requests=options)
    with open_publisher(config(mqtt, outbox=IN_MEMORY), NAMES) as publisher, Asker(broker) as asker:
        until(lambda: "request/+" in broker.log.read_text(), 60, broker.log.read_text)
        for _ in range(5):
            for _ in range(10):
                asker.say("reload")
            time.sleep(0.1)  # for the rate
        assert len(publisher.requests()) == desk.MAX_WAITING
        assert publisher.requests() == []


def test_an_answer_that_the_broker_refuses_leaves_the_daemon_well(broker: Broker, tmp_path: Any, caplog: Any) -> None:
    acl = f"topic readwrite {TOPIC}/#\ntopic read #\ntopic write asker/#\n"
    with Broker(tmp_path / "guarded", acl=acl) as guarded, answering(guarded) as publisher, Asker(guarded) as asker:
        asker.say("reload", ResponseTopic="forbidden/answers")
        until(lambda: "refuses the answer on forbidden/answers" in caplog.text, 60, lambda: caplog.text)
        assert asker.ask("reload")["ok"]
        assert publisher.states[0].state == "ok"


def test_requests_are_heard_again_after_the_broker_was_away(broker: Broker) -> None:
    with answering(broker) as publisher:
        broker.restart()
        wait_state(publisher, "degraded")
        wait_state(publisher, "ok")
        until(lambda: broker.log.read_text().count("request/+ (QoS") >= 2, 60, broker.log.read_text)
        with Asker(broker) as asker:
            assert asker.ask("reload")["ok"]
