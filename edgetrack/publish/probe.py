"""Whether a publisher would work: tried once, without telling subscribers anything."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time

from edgetrack.config import Config, JsonlPublish, MqttPublish, PrometheusPublish, Publish
from edgetrack.errors import PublishError
from edgetrack.publish import trouble
from edgetrack.publish.jsonl import open_to_append
from edgetrack.publish.mqtt import CONNECT_S, Link
from edgetrack.publish.prometheus import PrometheusOutlet

ECHO_S = 3.0  # until what was sent must have come back


def probe(config: Config, options: Publish) -> str:
    """One line on what works; the topic `probe` of this camera is written to.

    Raises PublishError with what does not.
    """
    if isinstance(options, PrometheusPublish):
        with PrometheusOutlet(options):
            return f"http://{options.address}:{options.port}/metrics: can be served"
    return _broker(config, options) if isinstance(options, MqttPublish) else _file(options)


def _broker(config: Config, options: MqttPublish) -> str:
    began = time.monotonic()
    client_id = options.client_id or f"edgetrack-{config.device}-{config.camera}"
    link = Link(options, f"{client_id}-probe")
    try:
        link.open()
    except OSError as error:
        raise PublishError(f"publish: {options.url}: {trouble.of_error(error)}") from error
    wake, waker = socket.socketpair()
    topic = f"{options.prefix}/{config.device}/{config.camera}"
    with wake, waker, contextlib.closing(link):
        _until_window(link, wake, began + CONNECT_S, options.url)
        connected_ms = (time.monotonic() - began) * 1e3
        link.publish(f"{topic}/probe", b"{}", False)
        while not link.acks and not link.ended and time.monotonic() < began + 2 * CONNECT_S:
            link.step(0.1, wake)
        if not link.acks:
            raise PublishError(f"publish: {options.url}: {link.ended or 'the broker acknowledges nothing'}")
        _, code, name = link.acks[0]
        if code >= 0x80:
            verdict = trouble.of_code(f"what is sent to {topic}/probe is refused", code, name)
            raise PublishError(f"publish: {options.url}: {verdict}")
        hears = _hears(link, wake, f"{topic}/request") if options.requests.allow else ""
        link.leave(wake)
    where = f"{options.url}: MQTT {options.version}, connected in {connected_ms:.0f} ms"
    most = f", takes {link.max_bytes} bytes at once" if link.max_bytes < math.inf else ""
    return f"{where}, may write below {topic}{hears}{most}"


def _hears(link: Link, wake: socket.socket, topic: str) -> str:
    """What is to be said of requests: one for a verb that there is not is sent, and must come back."""
    heard: list[object] = []
    link.watch(f"{topic}/+", heard.append)
    link.acks.clear()
    link.publish(f"{topic}/probe", b"{}", False)
    until = time.monotonic() + ECHO_S
    while not heard and not link.ended and time.monotonic() < until:
        link.step(0.1, wake)
        if link.acks and link.acks[0][1] >= 0x80:
            return "; may not send requests to itself, so whether it hears those of others was not tried"
    if not heard:
        raise PublishError(f"publish: {trouble.NOT_HEARD.format(topic + '/+')}")
    return ", hears requests"


def _until_window(link: Link, wake: socket.socket, until: float, url: str) -> None:
    while not link.window and not link.ended and time.monotonic() < until:
        link.step(0.1, wake)
    if not link.window:
        raise PublishError(f"publish: {url}: {link.ended or 'connected, but the broker does not answer'}")


def _file(options: JsonlPublish) -> str:
    if options.path == "-":
        return "standard output"
    new = not os.path.exists(options.path)
    try:
        os.close(open_to_append(options.path))
        if new:
            os.remove(options.path)
    except OSError as error:
        raise PublishError(f"publish: {options.path}: {error.strerror}; name a file in a folder") from error
    return f"{options.path}: can be written"
