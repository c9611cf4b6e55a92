"""The sample configuration of mosquitto: a device writes its own topics and nothing else."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgetrack.config import HomeAssistantConfig, RequestsConfig
from edgetrack.publish import home_assistant
from tests.publish.broker import Authority, Broker, Certificate, Subscriber
from tests.publish.parts import TOPIC, info, one_of_each, publisher, wait_sent, wait_state

SAMPLE = Path(__file__).parents[2] / "configs" / "mosquitto"
PASSWORDS = {"gate-01": "one", "gate-02": "two", "reader": "three", "operator": "four", "homeassistant": "five"}


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.sign("broker")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Broker]:
    """mosquitto with the sample files as they are, but for places and the port."""
    folder = tmp_path_factory.mktemp("guarded")
    broker = Broker(folder, certificate=certificate, passwords=PASSWORDS, acl=(SAMPLE / "acl").read_text())
    text = (SAMPLE / "mosquitto.conf").read_text().replace("listener 8883", f"listener {broker.port} 127.0.0.1")
    for place, path in [
        ("/etc/mosquitto/broker.pem", certificate.cert),
        ("/etc/mosquitto/broker.key", certificate.key),
        ("/etc/mosquitto", folder),
        ("/var/lib/mosquitto/", f"{folder}/"),
    ]:
        text = text.replace(place, str(path))
    (folder / "mosquitto.conf").write_text("user root\n" + text)
    with broker:
        yield broker


def client(broker: Broker, ca: Path, login: tuple[str, str], command: str, *arguments: str) -> str:
    """What mosquitto_pub or mosquitto_sub says, on both its outputs."""
    where = ["-h", "localhost", "-p", str(broker.port), "--cafile", str(ca), "-V", "5", "-q", "1"]
    run = subprocess.run(
        [f"mosquitto_{command}", *where, "-u", login[0], "-P", login[1], *arguments],
        capture_output=True,
        text=True,
        timeout=20,
    )
    return run.stdout + run.stderr


@pytest.mark.parametrize(
    ("user", "topic", "allowed"),
    [
        ("gate-01", "edgetrack/v1/gate-01/north/event/dwell", True),
        ("gate-01", "edgetrack/v1/gate-01/south/status", True),
        ("gate-01", "edgetrack/v1/gate-02/north/event/dwell", False),
        ("gate-01", "edgetrack/v1/gate-01x/north/event/dwell", False),
        ("gate-01", "edgetrack/v2/gate-01/north/event/dwell", False),
        ("gate-01", "homeassistant/device/gate-01/north/config", True),
        ("gate-01", "homeassistant/device/gate-02/north/config", False),
        ("gate-01", "homeassistant/device/gate-01/config", False),
        ("gate-01", "homeassistant/sensor/gate-01/north/config", False),
        ("gate-01", "homeassistant/status", False),
        ("reader", "homeassistant/device/gate-01/north/config", False),
        ("homeassistant", "homeassistant/status", True),
        ("homeassistant", "edgetrack/v1/gate-01/north/request/reset_counts", True),
        ("homeassistant", "edgetrack/v1/gate-01/north/line/door/count", False),
        ("gate-01", "$SYS/broker/version", False),
        ("gate-02", "edgetrack/v1/gate-01/north/request/snapshot", False),
        ("gate-01", "edgetrack/v1/gate-01/north/response/snapshot", True),
        ("gate-01", "edgetrack/v1/gate-02/north/response/snapshot", False),
        ("reader", "edgetrack/v1/gate-01/north/event/dwell", False),
        ("reader", "edgetrack/v1/gate-01/north/request/snapshot", False),
        ("operator", "edgetrack/v1/gate-01/north/request/snapshot", True),
        ("operator", "edgetrack/v1/gate-01/north/request/snapshot/now", False),
        ("operator", "edgetrack/v1/gate-01/north/response/snapshot", False),
        ("operator", "edgetrack/v1/gate-01/north/line/door/count", False),
        ("reader", "edgetrack/v1/reader/north/event/dwell", True),
    ],
)
def test_publishing(guarded: Broker, certificate: Certificate, user: str, topic: str, allowed: bool) -> None:
    """The last one is the price of one pattern for all: a reader may write below its own name."""
    said = client(guarded, certificate.ca, (user, PASSWORDS[user]), "pub", "-t", topic, "-m", "x")
    assert ("Not authorized" in said) is not allowed


@pytest.mark.parametrize(
    ("user", "topic", "allowed"),
    [
        ("reader", "edgetrack/v1/gate-01/north/probe", True),
        ("gate-01", "edgetrack/v1/gate-01/north/probe", True),
        ("gate-02", "edgetrack/v1/gate-01/north/probe", False),
        ("operator", "edgetrack/v1/gate-01/north/probe", True),
    ],
)
def test_reading(guarded: Broker, certificate: Certificate, user: str, topic: str, allowed: bool) -> None:
    client(
        guarded, certificate.ca, ("gate-01", "one"), "pub", "-r", "-t", "edgetrack/v1/gate-01/north/probe", "-m", "x"
    )
    heard = client(guarded, certificate.ca, (user, PASSWORDS[user]), "sub", "-t", topic, "-C", "1", "-W", "1")
    assert heard.startswith("x") is allowed


@pytest.mark.parametrize("login", [("gate-01", "two"), ("nobody", "one")])
def test_who_has_no_password_stays_outside(guarded: Broker, certificate: Certificate, login: tuple[str, str]) -> None:
    assert "Not authorized" in client(guarded, certificate.ca, login, "pub", "-t", "edgetrack/v1/gate-01/a", "-m", "x")


def test_the_daemon_needs_no_more_than_this(tmp_path: Path, guarded: Broker, certificate: Certificate) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one\n")
    files = {"ca_file": str(certificate.ca), "password_file": str(secret)}
    options = {"requests": RequestsConfig(allow=["reload"]), "home_assistant": HomeAssistantConfig(enabled=True)}
    with Subscriber(guarded, ca=certificate.ca, login=("reader", "three")) as reader:
        with publisher(guarded.url, username="gate-01", **files, **options) as outlet:
            outlet.publish(one_of_each())
            state = wait_sent(outlet)
        reader.wait_topic("/status", b"offline")
        assert {message.topic for message in reader.messages} >= {f"{TOPIC}/health", f"{TOPIC}/event/dwell"}
    assert (state.refused, state.dropped) == (0, 0)


def test_home_assistant_finds_a_device_and_is_heard_by_it(
    tmp_path: Path, guarded: Broker, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_assistant, "AGAIN_S", 0.1)
    secret = tmp_path / "secret"
    secret.write_text("one\n")
    options = {"ca_file": str(certificate.ca), "password_file": str(secret), "username": "gate-01"}
    login = ("homeassistant", "five")
    with publisher(guarded.url, **options, home_assistant=HomeAssistantConfig(enabled=True)) as outlet:
        outlet.publish([info()])
        wait_sent(outlet)
        topic = "homeassistant/device/gate-01/north/config"
        with Subscriber(guarded, topic, ca=certificate.ca, login=login) as subscriber:
            subscriber.wait_for(lambda messages: len(messages) == 1)
            client(guarded, certificate.ca, login, "pub", "-t", "homeassistant/status", "-m", "online")
            subscriber.wait_for(lambda messages: len(messages) == 2)


def test_an_operator_is_answered_and_a_reader_is_not(tmp_path: Path, guarded: Broker, certificate: Certificate) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one\n")
    options = {"ca_file": str(certificate.ca), "password_file": str(secret), "username": "gate-01"}
    request, response = f"{TOPIC}/request/reload", f"{TOPIC}/response/reload"
    with publisher(guarded.url, **options, requests=RequestsConfig(allow=["reload"])) as outlet:
        wait_state(outlet, "ok")
        stop = threading.Event()

        def loop() -> None:
            while not stop.wait(0.01):
                for asked in outlet.requests():
                    outlet.answer(asked, {})

        thread = threading.Thread(target=loop)
        thread.start()
        ask = ("rr", "-t", request, "-e", response, "-m", "{}", "-W", "2")
        answers = {
            user: client(guarded, certificate.ca, (user, PASSWORDS[user]), *ask) for user in ("operator", "reader")
        }
        stop.set()
        thread.join()
    assert '"ok":true' in answers["operator"]
    assert '"ok":true' not in answers["reader"]
