"""Is there somebody to publish to? One try at every outlet, beside a daemon that may be running."""

from __future__ import annotations

import socket
import time
from contextlib import closing

from edgetrack.config import Config, JsonlPublish, MqttPublish
from edgetrack.errors import EdgetrackError, PublishError
from edgetrack.publish import trouble
from edgetrack.publish.jsonl import JsonlOutlet
from edgetrack.publish.mqtt import Link

ANSWER_S = 10.0


def probe(config: Config, options: MqttPublish | JsonlPublish) -> str:
    """One line on what answered.

    A broker is asked under another client id and on a topic of its own (`.../probe`, not retained), so that a daemon
    that is connected stays connected; what its access list says of that topic is told too.

    Raises:
        PublishError: nobody answers, or the answer is no.
    """
    if isinstance(options, JsonlPublish):
        with JsonlOutlet(config, options):
            return f"jsonl: {options.path}: can be written"
    topic = f"{options.prefix}/{config.device}/{config.camera}/probe"
    near, far = socket.socketpair()
    with closing(near), closing(far):
        try:
            link = Link(options, f"edgetrack-{config.device}-{config.camera}-probe", topic)
            link.open()
        except (OSError, EdgetrackError) as error:
            raise PublishError(f"publish.mqtt: {options.url}: {trouble.of_error(error)}") from error
        answer = _ask(link, topic, near)
        link.close(near)
    if answer:
        raise PublishError(f"publish.mqtt: {options.url}: {answer}")
    return f"mqtt: {options.url}: connected as {options.username or 'anonymous'}, {topic} accepted"


def _ask(link: Link, topic: str, wake: socket.socket) -> str:
    """What is wrong, or nothing."""
    until, sent = time.monotonic() + ANSWER_S, False
    while time.monotonic() < until:
        link.step(0.2, wake)
        if link.ended:
            return link.ended
        if link.window and not sent:
            link.publish(topic, b"", retain=False)
            sent = True
        if link.acks:
            _, code, name = link.acks.popleft()
            return trouble.of_code(f"{topic} is refused", code, name) if code >= 0x80 else ""
    return trouble.TIMED_OUT
