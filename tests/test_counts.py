"""Counts of the whole daemon that begin anew by the clock."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.daemon import Subscriber, running, until, write_config
from tests.parts import blob_detector, walking_square, write_clip
from tests.publish.broker import Broker


def test_the_schedule_resets_the_counts_of_a_running_daemon_once_and_kill_9_does_not_repeat_it(
    tmp_path: Path, broker: Broker, subscriber: Subscriber
) -> None:
    """A clip runs ahead of the clock: a minute of it is over in a moment."""
    settings = {
        "device": "gate-01",
        "camera": "north",
        "capture": {"kind": "file", "path": str(write_clip(tmp_path / "walk.mp4", walking_square(40))), "loop": True},
        "detect": {"model": str(blob_detector(tmp_path / "blobs.onnx")), "min_score": 0.75},
        "lines": [{"name": "door", "start": [0.5, 0.9], "end": [0.5, 0.1]}],
        "publish": [{"kind": "mqtt", "url": broker.url}],
    }
    moment = (datetime.fromtimestamp(time.time(), timezone.utc) + timedelta(seconds=90)).replace(second=0)
    schedule = {"reset_at": [f"{moment:%H:%M}"], "timezone": "UTC"}
    config = write_config(tmp_path / "run.yaml", **settings, counts=schedule)
    with running(config) as daemon:
        first = subscriber.wait_for("/line/door/count", '"in":1').payload
        since = f'"since":"{moment:%Y-%m-%dT%H:%M}:'
        subscriber.wait_for("/line/door/count", since)
        daemon.process.kill()
        daemon.wait()
    second = subscriber.on("/line/door/count")[-1].payload
    assert second["epoch"] != first["epoch"]
    counts = [m.payload["total"]["in"] for m in subscriber.on("/line/door/count") if since in m.text]
    assert counts == sorted(counts)
    assert counts[0] == 0
    with running(config):
        newest = lambda: subscriber.on("/line/door/count")[-1].payload  # noqa: E731
        until(lambda: newest()["boot"] != second["boot"] and newest()["ts"] > second["ts"], 60, lambda: str(newest()))
    assert newest()["epoch"] == second["epoch"]
