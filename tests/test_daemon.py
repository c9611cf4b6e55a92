"""The whole daemon on a rendered clip: a real model in ONNX Runtime, a real broker, real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Subscriber, running, subscribed, write_config
from tests.parts import blob_detector, walking_square, write_clip
from tests.publish.broker import Broker

FRAMES = 40


@pytest.fixture
def settings(tmp_path: Path, broker: Broker) -> dict[str, Any]:
    """A square walks from left to right across a line in the middle and through a zone on the right."""
    return {
        "device": "gate-01",
        "camera": "north",
        "capture": {"kind": "file", "path": str(write_clip(tmp_path / "walk.mp4", walking_square(FRAMES)))},
        "detect": {"model": str(blob_detector(tmp_path / "blobs.onnx")), "min_score": 0.75},
        "events": {"update_every_s": 0.5},
        "lines": [{"name": "door", "start": [0.5, 0.9], "end": [0.5, 0.1]}],
        "zones": [{"name": "right", "polygon": [[0.6, 0.1], [0.9, 0.1], [0.9, 0.9], [0.6, 0.9]], "min_s": 0.2}],
        "publish": [{"kind": "mqtt", "url": broker.url}, {"kind": "jsonl", "path": str(tmp_path / "events.jsonl")}],
    }


def live(settings: dict[str, Any]) -> dict[str, Any]:
    """The same as an endless camera at its own pace."""
    return {**settings, "capture": {**settings["capture"], "loop": True, "pace": "realtime"}}


def test_a_walk_across_a_line_is_told_from_start_to_end(
    tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber
) -> None:
    with running(write_config(tmp_path / "run.yaml", **settings)) as daemon:
        assert daemon.wait() == 0, daemon.log.read_text()
    kinds = [m.payload["type"] for m in subscriber.on("/track/person")]
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert set(kinds[1:-1]) == {"update"}
    crossing = subscriber.on("/event/line_crossed")
    assert [(m.payload["line"], m.payload["direction"]) for m in crossing] == [("door", "in")]
    assert [m.payload["zone"] for m in subscriber.on("/event/zone_entered")] == ["right"]
    assert [m.payload["zone"] for m in subscriber.on("/event/zone_left")] == ["right"]
    assert subscriber.on("/status")[-1].text == "offline"
    assert daemon.warnings == []


def test_counts_and_occupancy_are_retained_for_those_who_come_later(
    tmp_path: Path, settings: dict[str, Any], broker: Broker
) -> None:
    with running(write_config(tmp_path / "run.yaml", **settings)) as daemon:
        assert daemon.wait() == 0
    with subscribed(broker.port, tmp_path / "late.txt") as late:
        count = late.wait_for("/line/door/count")
        occupancy = late.wait_for("/zone/right/occupancy")
        late.wait_for("/info")
        late.wait_for("/health")
    assert count.retained
    assert count.payload["total"] == {"in": 1, "out": 0}
    assert occupancy.payload["now"] == {"person": 0}
    assert occupancy.payload["peak"] == {"person": 1}


def test_messages_are_numbered_without_a_gap(tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber) -> None:
    with running(write_config(tmp_path / "run.yaml", **settings)) as daemon:
        assert daemon.wait() == 0
    numbers = sorted({m.payload["seq"] for m in subscriber.heard if m.text.startswith("{")})
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_file_gets_what_the_broker_gets(tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber) -> None:
    with running(write_config(tmp_path / "run.yaml", **settings)) as daemon:
        assert daemon.wait() == 0
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    heard = {(m.topic, m.payload["seq"]) for m in subscriber.heard if m.text.startswith("{")}
    assert {(line["topic"], line["payload"]["seq"]) for line in lines if isinstance(line["payload"], dict)} == heard


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_two_seconds_with_everything_said(
    tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber, number: signal.Signals
) -> None:
    with running(write_config(tmp_path / "run.yaml", **live(settings))) as daemon:
        subscriber.wait_for("/track/person", '"update"')
        assert daemon.stop(number) < 2
        assert daemon.process.returncode == 0
    subscriber.wait_for("/status", "offline")
    ends = [m.payload for m in subscriber.on("/track/person") if m.payload["type"] == "end"]
    assert ends[-1]["reason"] == "shutdown"
    assert subscriber.on("/health")[-1].payload["state"] == "stopping"


def test_a_camera_and_brokers_that_do_not_answer_do_not_hold_it_up(tmp_path: Path, settings: dict[str, Any]) -> None:
    """The camera takes the connection and says nothing; both brokers freeze with messages under way."""
    with (
        socket.create_server(("127.0.0.1", 0)) as camera,
        Broker(tmp_path / "one") as one,
        Broker(tmp_path / "two") as two,
    ):
        settings["capture"] = {"kind": "rtsp", "url": f"rtsp://127.0.0.1:{camera.getsockname()[1]}/street"}
        settings["publish"] = [{"kind": "mqtt", "url": broker.url} for broker in (one, two)]
        settings["health"] = {"every_s": 1}
        with running(write_config(tmp_path / "run.yaml", **settings)) as daemon:
            daemon.wait_for(f"{one.url}: connected")
            daemon.wait_for(f"{two.url}: connected")
            one.freeze()
            two.freeze()
            assert daemon.stop() < 2
            assert daemon.process.returncode == 0
        one.thaw()
        two.thaw()


def test_sighup_takes_over_zones_and_lines_and_keeps_the_counts_of_the_rest(
    tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber
) -> None:
    config = write_config(tmp_path / "run.yaml", **live(settings))
    with running(config) as daemon:
        subscriber.wait_for("/line/door/count", '"in":1')
        gate = {"name": "gate", "start": [0.3, 0.9], "end": [0.3, 0.1]}
        changed = {**live(settings), "lines": [*settings["lines"], gate], "runtime": {"threads": 1}}
        write_config(config, **changed)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("reload: changed lines")
        daemon.wait_for("runtime changed in the file, but needs a restart")
        subscriber.wait_for("/line/gate/count")
        assert subscriber.on("/line/door/count")[-1].payload["total"]["in"] >= 1
        assert "gate" in subscriber.on("/info")[-1].payload["lines"]


def test_a_line_that_a_reload_removes_leaves_no_retained_count(
    tmp_path: Path, settings: dict[str, Any], broker: Broker, subscriber: Subscriber
) -> None:
    config = write_config(tmp_path / "run.yaml", **live(settings))
    with running(config) as daemon:
        subscriber.wait_for("/line/door/count")
        write_config(config, **{**live(settings), "lines": []})
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("reload: changed lines")
        daemon.stop()
    with subscribed(broker.port, tmp_path / "late.txt") as late:
        late.wait_for("/info")
    assert late.on("/line/door/count") == []


def test_a_broken_file_changes_nothing_at_a_reload(
    tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber
) -> None:
    config = write_config(tmp_path / "run.yaml", **live(settings))
    with running(config) as daemon:
        subscriber.wait_for("/track/person")
        config.write_text(config.read_text().replace("door", "Door 1").replace("update_every_s", "update_every"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("reload: nothing was changed")
        before = len(subscriber.on("/track/person"))
        subscriber.wait_for("/track/person", '"update"')
        daemon.wait_for("update_every")
        assert daemon.process.poll() is None
        assert len(subscriber.on("/track/person")) >= before


def test_systemd_hears_ready_status_watchdog_and_stopping(
    tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(20)
        config = write_config(tmp_path / "run.yaml", **live(settings))
        with running(config, NOTIFY_SOCKET=address, WATCHDOG_USEC="400000") as daemon:
            heard = [manager.recv(4096)]
            while heard.count(b"WATCHDOG=1") < 3:
                heard.append(manager.recv(4096))
            daemon.stop()
            manager.settimeout(0.1)
            while b"STOPPING=1" not in heard:
                heard.append(manager.recv(4096))
    assert heard[0] == b"READY=1"
    assert any(message.startswith(b"STATUS=") for message in heard)


def test_counts_go_on_after_a_power_cut(tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber) -> None:
    """Killed without a warning, the next daemon counts on in the same epoch, and ends the tracks that were open."""
    config = write_config(tmp_path / "run.yaml", **live(settings))
    with running(config) as daemon:
        before = subscriber.wait_for("/line/door/count", '"in":1').payload
        daemon.process.kill()
        daemon.wait()
    with running(config):
        after = subscriber.wait_for("/line/door/count", '"in":2').payload
    assert after["boot"] != before["boot"]
    assert (after["epoch"], after["since"]) == (before["epoch"], before["since"])
    ends = [m.payload for m in subscriber.on("/track/person") if m.payload["type"] == "end"]
    assert "restart" in {end["reason"] for end in ends}
    events = [m.payload["seq"] for m in subscriber.on("/track/") if m.payload["type"] != "update"]
    events += [m.payload["seq"] for m in subscriber.on("/event/")]
    assert sorted(set(events)) == list(range(1, max(events) + 1))


def test_the_broker_says_offline_when_the_daemon_is_killed(
    tmp_path: Path, settings: dict[str, Any], subscriber: Subscriber
) -> None:
    with running(write_config(tmp_path / "run.yaml", **live(settings))) as daemon:
        subscriber.wait_for("/status", "online")
        daemon.process.kill()
        subscriber.wait_for("/status", "offline")


def test_it_starts_and_runs_without_its_broker_and_tells_when_it_is_there(
    tmp_path: Path, settings: dict[str, Any], broker: Broker
) -> None:
    broker.kill()
    with running(write_config(tmp_path / "run.yaml", **live(settings))) as daemon:
        daemon.wait_for("refused")
        broker.restart()
        with subscribed(broker.port, tmp_path / "heard.txt") as subscriber:
            subscriber.wait_for("/status", "online", timeout_s=40)
            subscriber.wait_for("/line/door/count", '"in":1', timeout_s=40)


def test_under_systemd_log_lines_carry_the_journals_priorities(tmp_path: Path, settings: dict[str, Any]) -> None:
    settings["detect"]["model"] = str(tmp_path / "gone.onnx")
    with running(write_config(tmp_path / "run.yaml", **settings), JOURNAL_STREAM="8:1") as daemon:
        assert daemon.wait() == 2
    assert all(line.startswith("<") and line[2] == ">" for line in daemon.log.read_text().splitlines())


def test_a_reader_of_standard_output_may_leave(tmp_path: Path, settings: dict[str, Any]) -> None:
    settings["publish"] = [{"kind": "jsonl", "path": "-"}]
    config = write_config(tmp_path / "run.yaml", **settings)
    code = os.system(f"{sys.executable} -m edgetrack run {config} 2>{tmp_path}/log | head -n 1 >/dev/null")
    assert code == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
