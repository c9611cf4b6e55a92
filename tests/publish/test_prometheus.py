"""The figures for Prometheus: read by its own parser, true by what is published, and no burden to the loop."""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from edgetrack.config import Config, MqttPublish, PrometheusPublish
from edgetrack.errors import PublishError
from edgetrack.publish import Publisher, open_publisher, prometheus
from edgetrack.publish.probe import probe
from edgetrack.types import CaptureState, LineCount, PublishState
from tests.publish.broker import free_port, until
from tests.publish.parts import IN_MEMORY, NAMES, config, health, info, line_count, occupancy, one_of_each

parser = pytest.importorskip("prometheus_client.parser", reason="pip install 'edgetrack[test]'")

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@contextlib.contextmanager
def serving(**options: Any) -> Iterator[tuple[Publisher, int]]:
    port = free_port()
    settings: Config = config(PrometheusPublish(port=port, **options), outbox=IN_MEMORY)
    with open_publisher(settings, NAMES) as publisher:
        yield publisher, port


def fetch(port: int, path: str = "/metrics", host: str = "127.0.0.1") -> tuple[str, str]:
    """The text, and its type."""
    with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


def samples(text: str) -> Samples:
    """What Prometheus makes of it, less the labels that all have."""
    found: Samples = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert (labels.pop("device"), labels.pop("camera")) == ("gate-01", "north")
            key = sample.name, frozenset(labels.items())
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    """`class_` stands for the label `class`."""
    return found[f"edgetrack_{name}", frozenset((key.rstrip("_"), text) for key, text in labels.items())]


@pytest.fixture
def told() -> Samples:
    with serving() as (publisher, port):
        publisher.publish(one_of_each())
        text, kind = fetch(port)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    return samples(text)


def test_counts_are_counters_by_line_direction_and_class(told: Samples) -> None:
    ways = {"in": 3, "out": 1}
    for way, count in ways.items():
        assert value(told, "line_crossings_total", line="door", direction=way, class_="person") == count
    assert value(told, "line_crossings_total", line="door", direction="in", class_="traffic light") == 2
    assert value(told, "line_blind_seconds", line="door") == 0
    assert value(told, "line_since_timestamp_seconds", line="door") == 1.5e9


def test_occupancy_is_a_gauge(told: Samples) -> None:
    assert value(told, "zone_objects", zone="porch", class_="person") == 2
    assert value(told, "zone_objects_peak", zone="porch", class_="person") == 4


def test_health_is_in_base_units(told: Samples) -> None:
    assert value(told, "memory_bytes") == pytest.approx(180.4 * 2**20)
    assert value(told, "latency_seconds", quantile="0.95") == pytest.approx(0.06)
    assert value(told, "stage_seconds", stage="detect") == pytest.approx(0.03012)
    assert value(told, "uptime_seconds") == 3600
    assert [value(told, "state", state=state) for state in ("ok", "degraded")] == [1, 0]
    assert value(told, "capture_frames_total") == 5000


def test_what_the_device_does_not_know_is_left_out(told: Samples) -> None:
    assert not [name for name, _ in told if "temperature" in name]


def test_two_brokers_are_two_series() -> None:
    both = (PublishState("mqtt", "ok", sent=1), PublishState("mqtt", "degraded", sent=2))
    report = health()
    report = type(report)(**{**{key: getattr(report, key) for key in report.__slots__}, "publish": both})
    with serving() as (publisher, port):
        publisher.publish([report])
        found = samples(fetch(port)[0])
    assert [value(found, "publish_ok", publisher="mqtt", index=index) for index in "01"] == [1, 0]


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "new\nline", "ünïcode", "}"])
def test_a_class_may_be_called_anything(name: str) -> None:
    settings = config(PrometheusPublish(port=free_port()), outbox=IN_MEMORY)
    with open_publisher(settings, ["person", name]) as publisher:
        publisher.publish([LineCount("door", {1: (4, 0)}, 1.5e9, 1.6e9, 0.0)])
        found = samples(fetch(settings.publish[0].port)[0])  # type: ignore[union-attr]
    assert value(found, "line_crossings_total", line="door", direction="in", class_=name) == 4


def test_a_line_that_nothing_has_crossed_begins_at_zero() -> None:
    """Else the first crossing would be no increase."""
    with serving() as (publisher, port):
        publisher.publish([info(), LineCount("door", {}, 1.5e9, 1.6e9, 0.0)])
        found = samples(fetch(port)[0])
    for name in NAMES:
        assert value(found, "line_crossings_total", line="door", direction="in", class_=name) == 0


def test_the_newest_is_told_and_what_is_no_more_is_not() -> None:
    with serving() as (publisher, port):
        publisher.publish([info(lines=("door", "gate")), line_count(1), line_count(2), line_count(5, "gate")])
        before = samples(fetch(port)[0])
        publisher.publish([info(lines=("door",))])
        after = samples(fetch(port)[0])
    labels = {"direction": "in", "class_": "person"}
    assert value(before, "line_crossings_total", line="door", **labels) == 2
    assert value(before, "line_crossings_total", line="gate", **labels) == 5
    assert not [labels for name, labels in after if ("line", "gate") in labels]


def test_before_anything_is_known_there_is_nothing() -> None:
    with serving() as (_, port):
        assert fetch(port)[0] == ""


@pytest.mark.parametrize(("path", "code"), [("/", 404), ("/etc/passwd", 404), ("/metrics/../x", 404)])
def test_nothing_else_is_served(path: str, code: int) -> None:
    with serving() as (_, port), pytest.raises(urllib.error.HTTPError) as error:
        fetch(port, path)
    assert error.value.code == code
    error.value.close()


def test_this_device_alone_may_fetch_unless_told_otherwise() -> None:
    with serving() as (_, port), pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), 5)


def test_readers_who_are_slow_are_cut_off_and_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus.Handler, "timeout", 0.5)
    with serving() as (publisher, port), contextlib.ExitStack() as slow:
        publisher.publish(one_of_each())
        for _ in range(20):
            reader = slow.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            reader.sendall(b"GET /metr")
        publisher.publish([occupancy(3)])
        until(lambda: _answers(port), 60, lambda: "still no answer")
        assert value(samples(fetch(port)[0]), "zone_objects", zone="porch", class_="person") == 3


def test_a_reader_who_trickles_is_cut_off_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "ALL_S", 0.5)
    with serving() as (_, port), socket.create_connection(("127.0.0.1", port), 5) as reader:
        until(lambda: cut_off_after_a_byte(reader), 60, lambda: "it may trickle for ever")


def cut_off_after_a_byte(reader: socket.socket) -> bool:
    reader.settimeout(0.1)
    try:
        reader.sendall(b"G")
        return reader.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def _answers(port: int) -> bool:
    try:
        return bool(fetch(port)[0])
    except (OSError, urllib.error.URLError):
        time.sleep(0.05)
        return False


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = config(PrometheusPublish(port=port), outbox=IN_MEMORY)
        with pytest.raises(PublishError, match=rf"publish.port: 127.0.0.1:{port}: Address already in use; give"):
            open_publisher(settings, NAMES).__enter__()


def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(PublishError, match=r"203.0.113.9:9464: .*; give an address of this device"):
        probe(config(), PrometheusPublish(address="203.0.113.9"))


def test_a_probe_serves_nothing_for_long() -> None:
    port = free_port()
    assert probe(config(), PrometheusPublish(port=port)) == f"http://127.0.0.1:{port}/metrics: can be served"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 5)


def test_mqtt_and_prometheus_tell_the_same(broker: Any) -> None:
    port = free_port()
    settings = config(MqttPublish(url=broker.url), PrometheusPublish(port=port), outbox=IN_MEMORY)
    with open_publisher(settings, NAMES) as publisher:
        publisher.publish([health(capture=CaptureState("degraded", "gone", blind_s=12.5))])
        found = samples(fetch(port)[0])
    assert value(found, "capture_blind_seconds_total") == 12.5
