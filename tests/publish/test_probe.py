"""`edgetrack check --probe` for publishers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgetrack.config import JsonlPublish, MqttPublish, RequestsConfig
from edgetrack.errors import PublishError
from edgetrack.publish import probe as publish_probe
from edgetrack.publish.probe import probe
from tests.publish.broker import Broker, Subscriber
from tests.publish.parts import config


def test_a_broker_that_works_is_told_in_a_line(broker: Broker, subscriber: Subscriber) -> None:
    line = probe(config(), MqttPublish(url=broker.url))
    assert line.startswith(f"{broker.url}: MQTT 5, connected in ")
    assert line.endswith("may write below edgetrack/v1/gate-01/north")
    subscriber.wait_topic("edgetrack/v1/gate-01/north/probe")
    assert len(subscriber.messages) == 1


def test_a_broker_that_is_away_is_told(broker: Broker) -> None:
    broker.kill()
    with pytest.raises(PublishError, match="connection refused"):
        probe(config(), MqttPublish(url=broker.url))


def test_a_broker_that_refuses_the_login_is_told(tmp_path: Path) -> None:
    with (
        Broker(tmp_path / "closed", passwords={"a": "b"}) as closed,
        pytest.raises(PublishError, match="Not authorized"),
    ):
        probe(config(), MqttPublish(url=closed.url))


def test_a_topic_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    with (
        Broker(tmp_path / "strict", acl="topic read #") as strict,
        pytest.raises(PublishError, match=r"north/probe is refused: Not authorized \(135\)"),
    ):
        probe(config(), MqttPublish(url=strict.url))


ASKED = RequestsConfig(allow=["reload"])


def test_a_broker_where_requests_arrive_is_told(broker: Broker) -> None:
    assert probe(config(), MqttPublish(url=broker.url, requests=ASKED)).endswith("north, hears requests")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_an_access_list_that_keeps_requests_from_the_device_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: Any
) -> None:
    monkeypatch.setattr(publish_probe, "ECHO_S", 0.5)
    with (
        Broker(tmp_path / "strict", acl="topic write #") as strict,
        pytest.raises(PublishError, match=r"does not let this device read .*/north/request/\+, where requests come"),
    ):
        probe(config(), MqttPublish(url=strict.url, version=version, requests=ASKED))


def test_a_device_that_may_not_ask_itself_cannot_try_whether_it_is_asked(tmp_path: Path) -> None:
    acl = "topic read #\ntopic write edgetrack/v1/gate-01/north/probe"
    with Broker(tmp_path / "strict", acl=acl) as strict:
        assert "was not tried" in probe(config(), MqttPublish(url=strict.url, requests=ASKED))


def test_a_file_is_tried_and_not_left_behind(tmp_path: Path) -> None:
    assert "can be written" in probe(config(), JsonlPublish(path=str(tmp_path / "events.jsonl")))
    assert list(tmp_path.glob("*.jsonl")) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="No such file"):
        probe(config(), JsonlPublish(path=str(tmp_path / "a" / "b")))
