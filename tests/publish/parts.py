"""Events and settings for the tests of publishing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from edgetrack.config import Config, DetectConfig, FileCapture, JsonlPublish, MqttPublish, OutboxConfig
from edgetrack.publish import Publisher, open_publisher
from edgetrack.types import (
    CaptureState,
    Event,
    Health,
    Info,
    LineCount,
    PaceChange,
    PaceState,
    PublishState,
    TrackEvent,
    ZoneOccupancy,
)
from tests.publish.broker import Received, until

IN_MEMORY = OutboxConfig(enabled=False)
NAMES = ("person", "traffic light")
TOPIC = "edgetrack/v1/gate-01/north"


def config(*publish: MqttPublish | JsonlPublish, **changes: Any) -> Config:
    return Config(
        device="gate-01",
        camera="north",
        capture=FileCapture(path="none.mp4"),
        detect=DetectConfig(model="none.onnx"),
        publish=list(publish),
        **changes,
    )


def track_event(kind: Any = "start", track_id: int = 1, **changes: Any) -> TrackEvent:
    """A person who stands in the lower half of a picture of 640 x 360."""
    fields: dict[str, Any] = {
        "class_id": 0,
        "score": 0.875,
        "xyxy": (64.0, 90.0, 128.0, 270.0),
        "size": (640, 360),
        "frame": 118,
        "time": 4.72,
        "utc": time.time(),
        "captured": time.monotonic(),
        "age_s": 1.25,
        "zones": ("porch",),
    }
    return TrackEvent(kind, track_id, **{**fields, **changes})


def crossing(track_id: int = 1, line: str = "door") -> TrackEvent:
    return track_event("line_crossed", track_id, name=line, direction="in")


def line_count(inwards: int = 3, line: str = "door") -> LineCount:
    return LineCount(line, {0: (inwards, 1), 1: (2, 0)}, 1.5e9, time.time(), time.monotonic())


def occupancy(now: int = 2) -> ZoneOccupancy:
    return ZoneOccupancy("porch", {0: now}, {0: 4, 1: 1}, 1.5e9, time.time(), time.monotonic())


def health(state: Any = "ok", capture: CaptureState = CaptureState("ok", frames=5000, dropped=2)) -> Health:  # noqa: B008
    return Health(
        pace=PaceState(0, 2, every=1, model="nano.onnx", max_fps=None, reason="", over=False, looks=10, spared=0),
        throttled=("under-voltage",),
        state=state,
        reason="",
        utc=time.time(),
        captured=time.monotonic(),
        uptime_s=3600.04,
        fps=14.973,
        tracks=3,
        latency_ms={"p50": 41.23, "p95": 60.0, "max": 75.5},
        stage_ms={"capture": 2.0, "detect": 30.125},
        capture=capture,
        publish=(PublishState("mqtt", "ok", sent=800),),
        memory_mb=180.44,
        temperature_c=None,
    )


def pace_change() -> PaceChange:
    pace = PaceState(1, 2, every=2, model="nano.onnx", max_fps=None, reason="83 °C", over=False, looks=10, spared=0)
    return PaceChange("down", pace, time.time(), time.monotonic())


def info(lines: tuple[str, ...] = ("door",), zones: tuple[str, ...] = ("porch",)) -> Info:
    return Info(
        version="0.1.0",
        utc=time.time(),
        captured=time.monotonic(),
        config_hash="5d41402a",
        model="nano.onnx",
        head="yolox",
        providers=("cpu",),
        refused={},
        embedder="reid",
        classes=NAMES,
        lines={name: {"start": (0.3, 0.9), "end": (0.5, 0.9)} for name in lines},
        zones={name: {"polygon": [(0.1, 0.5), (0.6, 0.5), (0.6, 1.0)]} for name in zones},
        capture="rtsp",
    )


def one_of_each() -> list[Event]:
    return [
        info(),
        track_event("start"),
        track_event("update", class_id=1),
        crossing(),
        line_count(),
        track_event("zone_entered", name="porch"),
        occupancy(),
        track_event("dwell", name="porch", duration_s=10.0),
        track_event("zone_left", name="porch", duration_s=12.3456789),
        track_event("end", reason="lost"),
        pace_change(),
        health(),
    ]


def publisher(url: str, outbox: OutboxConfig | None = None, **options: Any) -> Publisher:
    return open_publisher(config(MqttPublish(url=url, **options), outbox=outbox or OutboxConfig()), NAMES)


def wait_state(publisher: Publisher, state: str, reason: str = "", timeout_s: float = 60) -> PublishState:
    """The state of the only outlet, once it is as wished and its reason holds `reason`."""
    until(
        lambda: publisher.states[0].state == state and reason in publisher.states[0].reason,
        timeout_s,
        lambda: f"expected {state}, {reason!r}; is {publisher.states[0]}",
    )
    return publisher.states[0]


def wait_sent(publisher: Publisher, timeout_s: float = 60) -> PublishState:
    """The state of the first outlet, once nothing waits in any, nor in the outbox."""
    until(
        lambda: not any(state.queued for state in publisher.states),
        timeout_s,
        lambda: f"still queued: {publisher.states}",
    )
    return publisher.states[0]


def numbers(messages: Iterable[Received]) -> list[int]:
    return [message.json["seq"] for message in messages if "/track/" in message.topic or "/event/" in message.topic]


def without_repeats(seqs: list[int]) -> list[int]:
    return list(dict.fromkeys(seqs))
