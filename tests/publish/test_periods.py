"""For how long nobody counted: exact through outages, restarts and crashes, whatever the clock was at boot."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgetrack.config import JsonlPublish, LineConfig, OutboxConfig
from edgetrack.publish import Publisher, open_publisher
from edgetrack.publish.payload import Counts, InOut
from edgetrack.publish.periods import Periods, rfc3339
from edgetrack.types import CaptureState, LineCount
from tests.publish.broker import until
from tests.publish.parts import NAMES, config, crossing, health, info, line_count

DOOR = LineConfig(name="door", start=(0.3, 0.9), end=(0.5, 0.9))


def to_file(path: Path) -> Publisher:
    outbox = OutboxConfig(commit_every_s=0)
    return open_publisher(config(JsonlPublish(path=str(path)), outbox=outbox, lines=[DOOR]), NAMES)


def counts(path: Path) -> list[dict[str, Any]]:
    told = [json.loads(line)["payload"] for line in path.read_text().splitlines()]
    return [payload for payload in told if payload["schema"] == "edgetrack.count/1"]


def sleep_until_off(tmp_path: Path, seconds: float) -> None:
    """As if the device had been off for so long: what is on disk becomes older."""
    [database] = (tmp_path / "state").glob("*.db")
    db = sqlite3.connect(database)
    db.execute("UPDATE state SET value = CAST(CAST(value AS REAL) - ? AS BLOB) WHERE key = 'alive'", (seconds,))
    db.commit()
    db.close()


def test_a_new_count_has_no_gap(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.publish([line_count()])
    assert [count["uptime_gaps_s"] for count in counts(tmp_path / "a.jsonl")] == [0]


def test_a_count_says_for_how_long_the_daemon_was_down_and_its_camera_away(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.publish([info(), line_count(), crossing()])
    sleep_until_off(tmp_path, 100)
    with to_file(tmp_path / "b.jsonl") as outlet:
        outlet.blind = lambda: 5.0
        outlet.publish([*outlet.restored])
    assert counts(tmp_path / "b.jsonl")[-1]["uptime_gaps_s"] == pytest.approx(105, abs=3)


def test_restarts_add_up_without_a_crossing_between(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.publish([info(), line_count(), crossing()])
    for _ in range(3):
        sleep_until_off(tmp_path, 100)
        with to_file(tmp_path / "b.jsonl"):
            pass
    assert counts(tmp_path / "b.jsonl")[-1]["uptime_gaps_s"] == pytest.approx(300, abs=5)


def test_a_report_that_the_camera_gave_nothing_brings_the_counts_along(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.publish([info(), line_count()])
        outlet.blind = lambda: 40.0
        outlet.publish([health("degraded", CaptureState("degraded", "gone", blind_s=40.0))])
        outlet.publish([health("degraded", CaptureState("degraded", "gone", blind_s=40.0))])
    assert [count["uptime_gaps_s"] for count in counts(tmp_path / "a.jsonl")] == [0, 40]


def test_a_line_that_is_no_more_is_not_told_again(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.publish([info(), line_count(), info(lines=())])
        outlet.blind = lambda: 40.0
        outlet.publish([health("degraded", CaptureState("degraded", "gone", blind_s=40.0))])
    assert '"payload":null' in (tmp_path / "a.jsonl").read_text().splitlines()[-2]


def test_counting_from_zero_while_the_camera_is_away_has_no_gap_before_it(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.blind = lambda: 40.0
        outlet.publish([LineCount("door", {}, time.time(), time.time(), time.monotonic())])
        outlet.blind = lambda: 42.0
        outlet.publish([health("degraded", CaptureState("degraded", "gone", blind_s=42.0))])
    assert [count["uptime_gaps_s"] for count in counts(tmp_path / "a.jsonl")] == [0, 2]


def test_a_restored_count_knows_the_gap_once_the_date_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The board boots an hour behind, as if it had never been off; then NTP sets its clock."""
    now = time.time()
    count = Counts(
        device="d", camera="c", boot="00000000", seq=1, ts=rfc3339(now), mono_ns=1, latency_ms=0, line="door",
        total=InOut(in_=1, out=0), by_class={}, since=rfc3339(now - 9e4), epoch="00000000", uptime_gaps_s=10.0,
    )  # fmt: skip
    periods = Periods()
    monkeypatch.setattr(time, "time", lambda: now)
    periods.resume(now, [count])
    before = periods.gaps_s("door")
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    after = periods.gaps_s("door")
    assert (before, after) == (10, pytest.approx(3610, abs=1))


KILLED = """
import os, sys, time
from pathlib import Path
from tests.publish.parts import crossing, health, info, line_count
from tests.publish.test_periods import CaptureState, to_file
outlet = to_file(Path(sys.argv[1])).__enter__()
outlet.publish([info(), line_count(), crossing()])
outlet.blind = lambda: 50.0
outlet.publish([health("degraded", CaptureState("degraded", "gone", blind_s=50.0))])
time.sleep(0.3)
outlet.publish([crossing()])            # another commit, a second after the camera was last reported away
time.sleep(60)
"""


def test_killed_while_the_camera_is_away_every_second_is_told_once(tmp_path: Path) -> None:
    """What was blind before the last report is in the count, what came after it in the gap until the next start."""
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "a.jsonl")]) as process:
        until(lambda: (tmp_path / "a.jsonl").exists() and len(counts(tmp_path / "a.jsonl")) == 2, 60, lambda: "none")
        reported = time.time()
        time.sleep(1.5)
        process.kill()
    with to_file(tmp_path / "b.jsonl"):
        started = time.time()
    [count] = counts(tmp_path / "b.jsonl")
    assert count["uptime_gaps_s"] == pytest.approx(50 + started - reported, abs=0.4)
    assert count["total"] == {"in": 5, "out": 1}
