"""The whole daemon, recorded, and the recording replayed by the command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon, running, until, write_config
from tests.parts import blob_detector, walking_square, write_clip


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {
        "capture": {"kind": "file", "path": str(write_clip(tmp_path / "walk.mp4", walking_square(40)))},
        "detect": {"model": str(blob_detector(tmp_path / "blobs.onnx")), "min_score": 0.75},
        "lines": [{"name": "door", "start": [0.5, 0.9], "end": [0.5, 0.1]}],
        "publish": [{"kind": "jsonl", "path": str(tmp_path / "events.jsonl")}],
    }


def edgetrack(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgetrack", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def published(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line)["payload"] for line in (folder / "events.jsonl").read_text().splitlines()]
    return [
        payload for payload in lines if payload and payload["schema"] not in ("edgetrack.info/1", "edgetrack.health/1")
    ]


def record(path: Path) -> tuple[str, ...]:
    return ("--record", str(path))


def test_a_run_that_was_recorded_replays_to_the_events_that_were_published(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    with running(write_config(tmp_path / "run.yaml", **config), *record(tmp_path / "walk.rec")) as daemon:
        assert daemon.wait() == 0, daemon.log.read_text()
    replayed = edgetrack("replay", tmp_path / "walk.rec", "--events", tmp_path / "again.jsonl")
    assert replayed.returncode == 0, replayed.stderr
    assert "the same events as when it was recorded" in replayed.stdout
    assert "line door person in         1         1" in replayed.stdout
    again = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()]
    told = [p for p in published(tmp_path) if p["schema"] in ("edgetrack.track/1", "edgetrack.crossing/1")]
    keys = ("type", "track", "class", "score", "box", "frame", "age_s")
    tracks = [e for e in again if e["type"] not in ("count", "occupancy")]
    assert [[e[key] for key in keys] for e in tracks] == [[p[key] for key in keys] for p in told]


def test_other_lines_may_be_asked_about_on_a_desk_that_has_neither_camera_nor_model(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    with running(write_config(tmp_path / "run.yaml", **config), *record(tmp_path / "walk.rec")) as daemon:
        daemon.wait()
    config["lines"] = [{"name": "gate", "start": [0.3, 0.1], "end": [0.3, 0.9]}]
    config["capture"], config["detect"] = {"kind": "rtsp", "url": "rtsp://gone/1"}, {"model": "./gone.onnx"}
    other = write_config(tmp_path / "other.yaml", **config)
    asked = edgetrack("replay", tmp_path / "walk.rec", other, "--json")
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert answer["recorded"] == {"line/door/person/in": 1}
    assert answer["replayed"] == {"line/gate/person/out": 1}
    config["lines"].append({"name": "roof", "start": [0.1, 0.05], "end": [0.9, 0.05]})
    told = edgetrack("replay", tmp_path / "walk.rec", write_config(other, **config)).stdout
    assert "line roof                    0           0" in told


def endless(config: dict[str, Any], pace: str = "realtime") -> dict[str, Any]:
    """The walk again and again; where tracks matter, as fast as the daemon can look, which a busy machine bears."""
    return {**config, "capture": {**config["capture"], "loop": True, "pace": pace}}


def wait_for_crossings(daemon: Daemon, folder: Path, line: str) -> None:
    events = folder / "events.jsonl"
    until(lambda: events.exists() and f'"line":"{line}","direction"' in events.read_text(), 60, daemon.log.read_text)


def test_a_reload_in_the_middle_is_replayed(tmp_path: Path, config: dict[str, Any]) -> None:
    path = write_config(tmp_path / "run.yaml", **endless(config, "fast"))
    with running(path, *record(tmp_path / "walk.rec")) as daemon:
        wait_for_crossings(daemon, tmp_path, "door")
        config["lines"] = [{"name": "gate", "start": [0.3, 0.9], "end": [0.3, 0.1]}]
        write_config(path, **endless(config, "fast"))
        daemon.process.send_signal(signal.SIGHUP)
        wait_for_crossings(daemon, tmp_path, "gate")
        daemon.stop()
    replayed = edgetrack("replay", tmp_path / "walk.rec", "--json")
    assert json.loads(replayed.stdout)["same"] is True
    assert json.loads(replayed.stdout)["replayed"].keys() >= {"line/door/person/in", "line/gate/person/in"}


def test_a_daemon_that_was_killed_loses_seconds_of_its_recording_and_the_next_goes_on(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    path = write_config(tmp_path / "run.yaml", **endless(config))
    recording = tmp_path / "walk.rec"
    with running(path, *record(recording)) as daemon:
        until(lambda: recording.exists() and recording.stat().st_size > 100, 30, daemon.log.read_text)
        daemon.process.kill()
        daemon.wait()
    with running(write_config(tmp_path / "run.yaml", **config), *record(recording)) as daemon:
        assert daemon.wait() == 0
    story = json.loads(edgetrack("replay", recording, "--json").stdout)
    assert (story["starts"], story["same"], story["damage"]) == (2, True, "")


def test_a_recording_that_cannot_be_written_ends_the_start_with_one_line(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    done = edgetrack("run", write_config(tmp_path / "run.yaml", **config), "--record", tmp_path / "gone" / "walk.rec")
    assert done.returncode == 5
    assert done.stderr.strip().splitlines()[-1].endswith("name a file in a folder that this user may write to")


def test_a_replay_of_something_else_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"GIF89a")
    done = edgetrack("replay", tmp_path / "other")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1


def test_what_a_daemon_records_can_be_replayed_without_its_oldest_file(tmp_path: Path, config: dict[str, Any]) -> None:
    """The file turns after the first block; the head of the next one knows the tracks, and on which side they are."""
    recording, oldest = tmp_path / "walk.rec", tmp_path / "walk.rec.1"
    path = write_config(tmp_path / "run.yaml", **endless(config))
    with running(path, *record(recording), "--record-mb", "0.005") as daemon:
        until(lambda: recording.exists() and recording.stat().st_size > 100, 30, daemon.log.read_text)
        wait_for_pictures(tmp_path)
        daemon.stop()
    oldest.unlink()
    replayed = edgetrack("replay", recording, "--events", tmp_path / "again.jsonl")
    assert "begins in the middle of a run, with the tracks that were open then" in replayed.stdout
    assert "the same events as when it was recorded" in replayed.stdout


def wait_for_pictures(folder: Path) -> None:
    """So many that the loop has told how things stand."""
    events = folder / "events.jsonl"
    length = events.stat().st_size
    until(lambda: events.stat().st_size > length + 2000, 30, events.read_text)
