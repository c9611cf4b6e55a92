"""Certificates good, unknown, expired, for another name, and missing: against a mosquitto that listens with TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgetrack.config import MqttPublish
from edgetrack.errors import PublishError
from edgetrack.publish import open_publisher
from edgetrack.publish.tls import address, tls_context
from tests.publish.broker import Authority, Broker, Certificate, Subscriber
from tests.publish.parts import NAMES, config, crossing, publisher, wait_sent, wait_state


@pytest.fixture(scope="module")
def good(authority: Authority) -> Certificate:
    return authority.sign("good")


@pytest.fixture(scope="module")
def device(authority: Authority) -> Certificate:
    return authority.sign("gate-01")


@pytest.fixture
def mutual(tmp_path: Path, authority: Authority, good: Certificate) -> Iterator[Broker]:
    with Broker(tmp_path / "mutual", certificate=good, client_authority=authority.pem) as broker:
        yield broker


def test_a_trusted_broker_gets_everything(tmp_path: Path, good: Certificate) -> None:
    with (
        Broker(tmp_path / "tls", certificate=good) as broker,
        Subscriber(broker, ca=good.ca) as subscriber,
        publisher(broker.url, ca_file=str(good.ca)) as outlet,
    ):
        outlet.publish([crossing() for _ in range(500)])
        subscriber.wait_topic("/event/line_crossed", b'"seq":500,')


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_broker_of_an_unknown_authority_is_not_trusted(tmp_path: Path, good: Certificate, version: Any) -> None:
    other = Authority(tmp_path / "other", "other")
    with (
        Broker(tmp_path / "tls", certificate=good) as broker,
        publisher(broker.url, ca_file=str(other.pem), version=version) as outlet,
    ):
        wait_state(outlet, "degraded", "comes from an authority that is not trusted; name its PEM file in ca_file")


def test_the_systems_authorities_are_asked_where_none_is_named(tmp_path: Path, good: Certificate) -> None:
    with Broker(tmp_path / "tls", certificate=good) as broker, publisher(broker.url) as outlet:
        wait_state(outlet, "degraded", "comes from an authority that is not trusted")


def test_an_expired_certificate_is_told(tmp_path: Path, authority: Authority) -> None:
    expired = authority.sign("expired", expired=True)
    with (
        Broker(tmp_path / "tls", certificate=expired) as broker,
        publisher(broker.url, ca_file=str(authority.pem)) as outlet,
    ):
        wait_state(outlet, "degraded", "the broker's certificate has expired; renew it, or set this device's clock")


def test_a_certificate_for_another_name_is_told(tmp_path: Path, authority: Authority) -> None:
    elsewhere = authority.sign("elsewhere", host="broker.example")
    with (
        Broker(tmp_path / "tls", certificate=elsewhere) as broker,
        publisher(broker.url, ca_file=str(authority.pem)) as outlet,
    ):
        wait_state(outlet, "degraded", "the broker's certificate is for another name")


def test_tls_to_a_port_without_it_is_told(broker: Broker) -> None:
    with publisher(broker.url.replace("mqtt:", "mqtts:")) as outlet:
        state = wait_state(outlet, "degraded")
    assert "TLS" in state.reason


def test_no_tls_to_a_port_with_it_is_told(tmp_path: Path, good: Certificate) -> None:
    with (
        Broker(tmp_path / "tls", certificate=good) as broker,
        publisher(broker.url.replace("mqtts:", "mqtt:")) as outlet,
    ):
        wait_state(outlet, "degraded", "does it expect TLS?")


def test_a_device_with_a_certificate_is_let_in(mutual: Broker, device: Certificate) -> None:
    files = {"ca_file": str(device.ca), "cert_file": str(device.cert), "key_file": str(device.key)}
    with publisher(mutual.url, **files) as outlet:
        outlet.publish([crossing()])
        assert wait_sent(outlet).refused == 0
        wait_state(outlet, "ok")


def test_a_device_without_a_certificate_is_told_what_the_broker_wants(mutual: Broker, authority: Authority) -> None:
    with publisher(mutual.url, ca_file=str(authority.pem)) as outlet:
        wait_state(outlet, "degraded", "a certificate from this device")


def test_a_device_with_a_certificate_of_another_authority_is_told(
    tmp_path: Path, mutual: Broker, authority: Authority
) -> None:
    stranger = Authority(tmp_path / "other", "other").sign("gate-01")
    files = {"ca_file": str(authority.pem), "cert_file": str(stranger.cert), "key_file": str(stranger.key)}
    with publisher(mutual.url, **files) as outlet:
        wait_state(outlet, "degraded", "cert_file and key_file")


def test_a_renewed_authority_is_read_at_the_next_try(tmp_path: Path, good: Certificate) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_bytes(Authority(tmp_path / "other", "other").pem.read_bytes())
    with Broker(tmp_path / "tls", certificate=good) as broker, publisher(broker.url, ca_file=str(pem)) as outlet:
        wait_state(outlet, "degraded", "not trusted")
        pem.write_bytes(good.ca.read_bytes())
        wait_state(outlet, "ok")


def test_files_that_cannot_be_used_end_the_start(tmp_path: Path, good: Certificate, device: Certificate) -> None:
    text = tmp_path / "text"
    text.write_text("no certificate")
    for files, words in [
        ({"ca_file": "gone.pem"}, "publish.ca_file: gone.pem: No such file or directory"),
        ({"ca_file": str(text)}, "publish.ca_file: .* is not in PEM form"),
        ({"cert_file": str(device.cert), "key_file": str(good.key)}, "the key does not belong to the certificate"),
        ({"key_file": str(device.key)}, "cert_file is missing; give both"),
    ]:
        outlet = open_publisher(config(MqttPublish(url="mqtts://localhost:1", **files)), NAMES)
        with pytest.raises(PublishError, match=words), outlet:
            pass


def test_files_for_tls_are_refused_where_nothing_would_be_encrypted(good: Certificate) -> None:
    with pytest.raises(PublishError, match="is not encrypted; write mqtts:// in url"):
        tls_context(MqttPublish(url="mqtt://localhost", ca_file=str(good.ca)))


def test_tls_is_1_2_or_newer_and_always_verifies(good: Certificate) -> None:
    for ca_file in ("", str(good.ca)):
        context = tls_context(MqttPublish(url="mqtts://localhost", ca_file=ca_file))
        assert context is not None
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_the_port_follows_from_the_scheme() -> None:
    assert [address(MqttPublish(url=url)) for url in ("mqtt://a", "mqtts://a", "mqtts://[::1]:1")] == [
        ("a", 1883),
        ("a", 8883),
        ("::1", 1),
    ]
