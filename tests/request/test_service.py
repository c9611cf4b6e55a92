"""Requests to the whole daemon: as on a signal, whether its camera is there or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Subscriber, running, subscribed, write_config
from tests.parts import blob_detector, walking_square, write_clip
from tests.publish.asker import Asker
from tests.publish.broker import Broker, until

DOOR = {"name": "door", "start": [0.5, 0.9], "end": [0.5, 0.1]}


@pytest.fixture
def settings(tmp_path: Path, broker: Broker) -> dict[str, Any]:
    clip = write_clip(tmp_path / "walk.mp4", walking_square(40))
    return {
        "device": "gate-01",
        "camera": "north",
        "capture": {"kind": "file", "path": str(clip), "loop": True, "pace": "realtime"},
        "detect": {"model": str(blob_detector(tmp_path / "blobs.onnx")), "min_score": 0.75},
        "lines": [DOOR],
        "publish": [
            {
                "kind": "mqtt",
                "url": broker.url,
                "requests": {"allow": ["reload", "reset_counts", "snapshot"]},
            }
        ],
    }


def test_reload_takes_over_what_sighup_takes_over_and_says_what(
    tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber, broker: Broker
) -> None:
    config = write_config(tmp_path / "run.yaml", **settings)
    with running(config), Asker(broker) as asker:
        subscriber.wait_for("/track/person")
        gate = {"name": "gate", "start": [0.3, 0.9], "end": [0.3, 0.1]}
        write_config(config, **{**settings, "lines": [DOOR, gate], "runtime": {"threads": 1}})
        assert asker.ask("reload")["result"] == {"changed": ["lines"], "restart": ["runtime"]}
        subscriber.wait_for("/line/gate/count")


def test_reload_of_a_broken_file_says_what_is_wrong(
    tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber, broker: Broker
) -> None:
    config = write_config(tmp_path / "run.yaml", **settings)
    with running(config) as daemon, Asker(broker) as asker:
        subscriber.wait_for("/track/person")
        config.write_text(config.read_text().replace("lines:", "liens:"))
        answer = asker.ask("reload")
        daemon.wait_for("reload: nothing was changed")
    assert answer["error"] == "failed"
    assert "did you mean 'lines'" in answer["reason"]


def test_requests_are_answered_within_a_second_or_so_while_the_camera_is_away(
    tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber, broker: Broker
) -> None:
    settings["capture"] = {"kind": "rtsp", "url": "rtsp://127.0.0.1:9/none", "open_timeout_s": 0.5}
    with running(write_config(tmp_path / "run.yaml", **settings)), Asker(broker) as asker:
        subscriber.wait_for("/status", "online")
        until(lambda: "request/+" in broker.log.read_text(), 60, broker.log.read_text)
        assert asker.ask("reset_counts")["result"]["lines"] == ["door"]
        assert "no picture yet" in asker.ask("snapshot")["reason"]


def test_a_reload_that_removes_a_line_removes_it_from_home_assistant(
    tmp_path: Path, settings: dict[str, Any], broker: Broker
) -> None:
    settings["publish"][0]["home_assistant"] = {"enabled": True}
    config = write_config(tmp_path / "run.yaml", **settings)
    with (
        running(config),
        subscribed(broker.port, tmp_path / "home.txt", "homeassistant/#") as home,
        Asker(broker) as asker,
    ):
        before = home.wait_for("/config", "line.door.in").payload
        write_config(config, **{**settings, "lines": []})
        asker.ask("reload")
        after = home.wait_for("/config", '"line.door.in":{"platform":"sensor"}').payload
    assert before["components"]["line.door.in"]["state_class"] == "total_increasing"
    assert "problem" in after["components"]
