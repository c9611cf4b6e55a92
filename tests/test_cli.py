"""The commands: what they print, and the exit code that each kind of mistake leaves behind."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgetrack import __version__, cli
from tests.daemon import running, subscribed, write_config
from tests.parts import blob_detector, walking_square, write_clip
from tests.publish.broker import Broker


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """`main` sends the log to the captured stderr; put the handlers back when that is closed."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


@pytest.fixture
def good(tmp_path: Path) -> dict[str, Any]:
    return {
        "capture": {"kind": "file", "path": str(write_clip(tmp_path / "walk.mp4", walking_square(6)))},
        "detect": {"model": str(blob_detector(tmp_path / "blobs.onnx")), "min_score": 0.75},
        "publish": [{"kind": "jsonl", "path": str(tmp_path / "events.jsonl")}],
    }


def truncated(path: Path, source: Path) -> Path:
    content = source.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def picture(folder: Path, good: dict[str, Any]) -> Path:
    """A PNG file by its signature, under whatever name a test gives it."""
    return written(folder / "picture.onnx", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)


Break = Callable[[Path, dict[str, Any]], dict[str, Any]]

BROKEN: dict[str, tuple[Break, int, str]] = {
    "video: not there": (lambda f, g: {"capture": {"kind": "file", "path": str(f / "gone.mp4")}}, 2, "gone.mp4"),
    "video: zero bytes": (
        lambda f, g: {"capture": {"kind": "file", "path": str(written(f / "empty.mp4", b""))}},
        3,
        "empty.mp4",
    ),
    "video: truncated": (
        lambda f, g: {"capture": {"kind": "file", "path": str(truncated(f / "cut.mp4", Path(g["capture"]["path"])))}},
        3,
        "cut.mp4",
    ),
    "video: a text": (
        lambda f, g: {"capture": {"kind": "file", "path": str(written(f / "notes.mp4", b"hello\n" * 99))}},
        3,
        "notes.mp4",
    ),
    "video: a folder": (lambda f, g: {"capture": {"kind": "file", "path": str(f)}}, 2, "folder"),
    "pictures: none": (lambda f, g: {"capture": {"kind": "images", "path": str(empty(f / "none"))}}, 3, "none"),
    "camera: not there": (
        lambda f, g: {"capture": {"kind": "v4l2", "device": "/dev/video97"}},
        3,
        "/dev/video97",
    ),
    "camera: no picamera2": (lambda f, g: {"capture": {"kind": "picamera"}}, 3, "python3-picamera2"),
    "model: not there": (lambda f, g: {"detect": {"model": str(f / "gone.onnx")}}, 2, "gone.onnx"),
    "model: zero bytes": (lambda f, g: {"detect": {"model": str(written(f / "zero.onnx", b""))}}, 4, "zero.onnx"),
    "model: truncated": (
        lambda f, g: {"detect": {"model": str(truncated(f / "half.onnx", Path(g["detect"]["model"])))}},
        4,
        "half.onnx",
    ),
    "model: a picture": (lambda f, g: {"detect": {"model": str(picture(f, g))}}, 4, "picture.onnx"),
    "model: another head": (lambda f, g: {"detect": {**g["detect"], "head": "yolox"}}, 4, "(1, 5,"),
    "model: no such class": (lambda f, g: {"detect": {**g["detect"], "classes": ["persn"]}}, 2, "person"),
    "publish: no such folder": (
        lambda f, g: {"publish": [{"kind": "jsonl", "path": str(f / "gone" / "events.jsonl")}]},
        2,
        "gone",
    ),
    "unknown key": (lambda f, g: {"detect": {**g["detect"], "min_scroe": 0.5}}, 2, "min_score"),
    "out of range": (lambda f, g: {"detect": {**g["detect"], "min_score": 40}}, 2, "min_score"),
}


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_gives_one_message_and_its_exit_code(
    tmp_path: Path, good: dict[str, Any], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    change, code, names = BROKEN[name]
    path = write_config(tmp_path / "run.yaml", **{**good, **change(tmp_path, good)})
    assert cli.main(["run", str(path)]) == code
    errors = [line for line in capsys.readouterr().err.splitlines() if " ERROR " in line]
    assert len(errors) == 1, errors
    assert names in errors[0]


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_videos_run(tmp_path: Path, good: dict[str, Any], frames: int) -> None:
    clip = write_clip(tmp_path / "short.mp4", [np.zeros((64, 64, 3), np.uint8)] * frames)
    good["capture"]["path"] = str(clip)
    assert cli.main(["run", str(write_config(tmp_path / "run.yaml", **good))]) == 0


def test_check_says_good(tmp_path: Path, good: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(tmp_path / "run.yaml", **good)
    assert cli.main(["check", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{path}: good"


def test_check_names_every_mistake_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("capture: {kind: rtsp, url: 'rtsp://camera'}\ndetect: {model: gone.onnx, min_scroe: 1}\nlins: []\n")
    assert cli.main(["check", str(path)]) == 2
    errors = capsys.readouterr().err
    assert f"{path}:2:17" in errors
    assert f"{path}:2:28" in errors
    assert f"{path}:3:1" in errors
    assert "lines" in errors


def test_check_probe_opens_camera_models_and_outlets(
    tmp_path: Path, good: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path / "run.yaml", **good)
    assert cli.main(["check", "--probe", str(path)]) == 0
    out = capsys.readouterr().out
    assert "detect: blobs.onnx" in out
    assert "capture: file: 320 x 192" in out
    assert "can be written" in out


def test_check_probe_does_not_disturb_a_daemon_that_is_connected(tmp_path: Path, good: dict[str, Any]) -> None:
    with Broker(tmp_path / "broker") as broker:
        good["publish"] = [{"kind": "mqtt", "url": broker.url}]
        camera = {**good["capture"], "loop": True, "pace": "realtime"}
        config = write_config(tmp_path / "run.yaml", **{**good, "capture": camera})
        with subscribed(broker.port, tmp_path / "heard.txt") as subscriber, running(config) as daemon:
            subscriber.wait_for("/status", "online")
            assert cli.main(["check", "--probe", str(config)]) == 0
            daemon.stop()
    assert [m.text for m in subscriber.on("/status")] == ["online", "offline"]


def test_check_probe_tells_of_a_topic_that_the_broker_denies(
    tmp_path: Path, good: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with Broker(tmp_path / "broker", passwords={"gate": "secret"}, acl="user gate\ntopic write other/#\n") as broker:
        (tmp_path / "password").write_text("secret")
        login = {"username": "gate", "password_file": str(tmp_path / "password")}
        good["publish"] = [{"kind": "mqtt", "url": broker.url, **login}]
        assert cli.main(["check", "--probe", str(write_config(tmp_path / "run.yaml", **good))]) == 5
    error = [line for line in capsys.readouterr().err.splitlines() if " ERROR " in line]
    assert len(error) == 1
    assert "edgetrack/v1/edgetrack/camera/probe is refused" in error[0]


@pytest.mark.parametrize("what", ["config", "events"])
def test_schema_prints_json_schema(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema", what]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"].split("//")[1].startswith("json-schema.org/")


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"edgetrack {__version__}\n"


def test_bench_tracker_prints_a_line_for_each_number_of_objects(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "tracker", "--objects", "2,3", "--json"]) == 0
    assert {record["objects"] for record in json.loads(capsys.readouterr().out)} == {2, 3}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["demo", "--seed", "-1"], "--seed: is '-1', expected a whole number from 0 to 2147483648"),
        (["demo", "--seconds", "0"], "--seconds: is '0', expected a number from 1 to 86400"),
        (["demo", "--seconds", "nan"], "--seconds: is 'nan', expected a number"),
        (["bench", "tracker", "--objects", "5,x"], "--objects: is 'x', expected a whole number from 1 to 5000"),
        (["evaluate", "reid", "--scenes", "5:3"], "--scenes: is '5:3', expected FIRST:LAST, such as 100:110"),
        (["model", "prepare", "a.onnx", "--limit", "0"], "--limit: is '0', expected a whole number from 1"),
    ],
)
def test_a_number_out_of_range_is_told_with_its_range(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert told in capsys.readouterr().err
