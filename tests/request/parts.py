"""A daemon's parts with a real detector and clip, and a loop that serves requests between its frames."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgetrack.config import (
    Config,
    DetectConfig,
    FileCapture,
    GoturnRefine,
    LineConfig,
    MqttPublish,
    OutboxConfig,
    RequestsConfig,
    ZoneConfig,
)
from edgetrack.parts import build
from edgetrack.request import VERBS, Daemon, Reloaded, Service
from tests.parts import blob_detector, walking_square, write_clip
from tests.publish.broker import Broker, until
from tests.publish.parts import wait_state
from tests.refine.white_follower import white_follower

DOOR = LineConfig(name="door", start=(0.5, 0.9), end=(0.5, 0.1))
PORCH = ZoneConfig(name="porch", polygon=[(0.6, 0.1), (0.9, 0.1), (0.9, 0.9), (0.6, 0.9)], min_s=0.2)


def settings(tmp_path: Path, broker: Broker, allow: tuple[Any, ...] = tuple(VERBS), **changes: Any) -> Config:
    """A square walks from left to right across the door and through the porch."""
    given: dict[str, Any] = {
        "device": "gate-01",
        "camera": "north",
        "capture": FileCapture(path=str(write_clip(tmp_path / "walk.mp4", walking_square(40)))),
        "detect": DetectConfig(model=str(blob_detector(tmp_path / "blobs.onnx")), min_score=0.75),
        "refine": GoturnRefine(model=str(white_follower(tmp_path / "white.onnx"))),
        "lines": [DOOR],
        "zones": [PORCH],
        "publish": [mqtt(broker, allow)],
        "outbox": OutboxConfig(enabled=False),
        **changes,
    }
    return Config(**given)


def mqtt(broker: Broker, allow: tuple[Any, ...], **limits: Any) -> MqttPublish:
    return MqttPublish(url=broker.url, requests=RequestsConfig(allow=list(allow), **limits))


@contextlib.contextmanager
def serving(config: Config, broker: Broker, walk: bool = True) -> Iterator[Daemon]:
    """The daemon after it has seen the whole clip, if it is to `walk`, with its loop going on without pictures."""
    parts = build(config)
    daemon = Daemon(parts, Reloaded)
    stop = threading.Event()

    def loop(service: Service) -> None:
        while not stop.wait(0.005):
            service.serve(daemon)

    with parts.publisher as publisher, parts.source as source, Service(VERBS, publisher) as service:
        wait_state(publisher, "ok")
        until(lambda: "request/+" in broker.log.read_text(), 60, broker.log.read_text)
        for frame in source if walk else ():
            assert frame is not None
            detections = parts.detector.detect(frame.image)
            tracks = parts.tracker.step(frame.time, detections)
            publisher.publish([*parts.scene.observe(frame, tracks), *parts.follower.step(frame, detections, tracks)])
            daemon.frame, daemon.tracks = frame, tracks
        thread = threading.Thread(target=loop, args=(service,))
        thread.start()
        try:
            yield daemon
        finally:
            stop.set()
            thread.join()
