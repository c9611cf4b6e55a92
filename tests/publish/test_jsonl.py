"""Lines of JSON: whole or not yet, whatever the disk and the reader do."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgetrack.config import JsonlPublish, MqttPublish
from edgetrack.errors import PublishError
from edgetrack.publish import Publisher, jsonl, open_publisher
from tests.publish.broker import Broker, Subscriber, until
from tests.publish.parts import NAMES, TOPIC, config, crossing, info, line_count, one_of_each, track_event


def publisher(path: object) -> Publisher:
    return open_publisher(config(JsonlPublish(path=str(path))), NAMES)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_event_is_a_line_with_its_topic(tmp_path: Path) -> None:
    with publisher(tmp_path / "events.jsonl") as outlet:
        outlet.publish(one_of_each())
    written = lines(tmp_path / "events.jsonl")
    assert len(written) == len(one_of_each())
    assert written[3]["topic"] == f"{TOPIC}/event/line_crossed"
    assert written[3]["payload"]["line"] == "door"


def test_a_removed_line_is_a_null(tmp_path: Path) -> None:
    with publisher(tmp_path / "events.jsonl") as outlet:
        outlet.publish([line_count(), info(lines=())])
    assert lines(tmp_path / "events.jsonl")[-1] == {"topic": f"{TOPIC}/line/door/count", "payload": None}


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    for _ in range(2):
        with publisher(tmp_path / "events.jsonl") as outlet:
            outlet.publish([crossing()])
    assert len(lines(tmp_path / "events.jsonl")) == 2


def test_a_line_that_a_crash_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"topic":"edgetr')
    with publisher(path) as outlet:
        outlet.publish([crossing()])
    assert json.loads(path.read_text().splitlines()[1])["payload"]["seq"] == 1


def test_all_publishers_tell_the_same_numbers(tmp_path: Path, broker: Broker, subscriber: Subscriber) -> None:
    both = config(MqttPublish(url=broker.url), JsonlPublish(path=str(tmp_path / "events.jsonl")))
    with open_publisher(both, NAMES) as outlet:
        for i in range(100):
            outlet.publish([crossing(i + 1), track_event("update"), line_count(i)])
    subscriber.wait_topic("/status", b"offline")
    heard = [(m.topic, m.json) for m in subscriber.messages if m.payload.startswith(b"{")]
    assert [(line["topic"], line["payload"]) for line in lines(tmp_path / "events.jsonl")] == heard


def test_a_full_disk_is_told_and_nothing_is_lost_while_there_is_memory(
    tmp_path: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """/dev/full is a disk without room; its descriptor is exchanged for one with room."""
    monkeypatch.setattr(jsonl, "RETRY_S", 0.05)
    room = os.open(tmp_path / "events.jsonl", os.O_WRONLY | os.O_CREAT)
    with publisher("/dev/full") as outlet:
        outlet.publish([crossing() for _ in range(10)])
        until(lambda: outlet.states[0].state == "degraded", 60, lambda: str(outlet.states[0]))
        state = outlet.states[0]
        outlet.publish([crossing()])
        os.dup2(room, outlet._outlets[0]._fd)  # type: ignore[attr-defined]
        until(lambda: outlet.states[0].sent == 11, 60, lambda: str(outlet.states[0]))
        assert outlet.states[0].state == "ok"
    os.close(room)
    assert state.reason == "No space left on device; make room, lines are kept in memory until then"
    assert [line["payload"]["seq"] for line in lines(tmp_path / "events.jsonl")] == list(range(1, 12))
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


def test_what_does_not_fit_in_memory_either_is_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr(jsonl, "MAX_QUEUED", 50)
    with publisher("/dev/full") as outlet:
        outlet.publish([crossing()])
        until(lambda: outlet.states[0].state == "degraded", 60, lambda: str(outlet.states[0]))
        outlet.publish([crossing() for _ in range(80)])
        until(lambda: outlet.states[0].dropped == 30, 60, lambda: str(outlet.states[0]))
        assert outlet.states[0].queued == 51


def test_a_folder_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"publish\.path: .*No such file or directory"), publisher(tmp_path / "a/b"):
        pass


CHILD = """
import sys, time
from edgetrack.publish import open_publisher
from edgetrack.config import JsonlPublish
from tests.publish.parts import NAMES, config, crossing
with open_publisher(config(JsonlPublish(path="-")), NAMES) as outlet:
    for _ in range(int(sys.argv[1])):
        outlet.publish([crossing()])
        time.sleep(float(sys.argv[2]))
    print(outlet.states[0], file=sys.stderr)
"""


def test_standard_output_gets_lines() -> None:
    run = subprocess.run([sys.executable, "-c", CHILD, "5", "0"], capture_output=True, text=True, check=True)
    assert [json.loads(line)["payload"]["seq"] for line in run.stdout.splitlines()] == [1, 2, 3, 4, 5]


def test_a_reader_that_goes_away_is_told_and_the_daemon_lives_on() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, "40", "0.01"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr
    said = child.stderr.read()
    child.stderr.close()
    assert child.wait(20) == 0
    assert "its reader has gone" in said
    assert "Traceback" not in said


def test_a_reader_that_does_not_read_holds_nobody_up() -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, "2000", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    before = time.monotonic()
    try:
        assert child.wait(20) == 0
    finally:
        child.kill()
    assert time.monotonic() - before < 20
    for pipe in (child.stdout, child.stderr):
        assert pipe
        pipe.close()
