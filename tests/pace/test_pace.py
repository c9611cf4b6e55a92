"""The loop and its pace: a device that is too slow or too hot, and a recording that is in no hurry."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgetrack import app
from edgetrack.cli import main
from edgetrack.config import Config, DetectConfig, FileCapture, JsonlPublish, LineConfig, PaceConfig, RtspCapture
from edgetrack.detect import Detector
from edgetrack.errors import ConfigError
from edgetrack.notify import Systemd
from edgetrack.pace import Pace
from edgetrack.pace.sensors import Sensors
from edgetrack.parts import Parts, build, looks_ahead
from edgetrack.types import Detections, Frame, Picture, Tracks
from tests.pace.sysfs import pi
from tests.parts import blob_detector, walking_square, write_clip

FRAMES = 40
FPS = 10


class Slow:
    """The detector on a device on which every look takes `look_s`."""

    def __init__(self, detector: Detector, look_s: float) -> None:
        self._detector, self._look_s = detector, look_s

    def detect(self, picture: Picture, begun: Any = None) -> Detections:
        time.sleep(self._look_s)
        return self._detector.detect(picture, begun)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


def config(folder: Path, frames: int = FRAMES, realtime: bool = True, **pace: Any) -> Config:
    """A square walks across a line in the middle; 10 pictures/s."""
    return Config(
        capture=FileCapture(
            path=str(write_clip(folder / "walk.mp4", walking_square(frames), FPS)),
            pace="realtime" if realtime else "fast",
        ),
        detect=DetectConfig(model=str(blob_detector(folder / "blobs.onnx")), min_score=0.75, every="auto"),
        pace=PaceConfig(min_looks_s=3, **pace),
        lines=[LineConfig(name="door", start=(0.5, 0.9), end=(0.5, 0.1))],
        publish=[JsonlPublish(path=str(folder / "events.jsonl"))],
        state_dir=str(folder),
    )


def told(config: Config, parts: Parts | None = None) -> list[dict[str, Any]]:
    """The payloads of one run."""
    path = Path(getattr(config.publish[0], "path", ""))
    path.unlink(missing_ok=True)
    app.run(parts or build(config), app.Wishes(), Systemd({}), lambda: config)
    return [json.loads(line)["payload"] for line in path.read_text().splitlines()]


def of(payloads: list[dict[str, Any]], schema: str) -> list[dict[str, Any]]:
    return [payload for payload in payloads if payload["schema"] == f"edgetrack.{schema}/1"]


def cold(folder: Path) -> Sensors:
    """The device's own sensors must not decide a test."""
    return Sensors(sysfs=pi(folder / "cold", 40.0).root, vcio=folder / "none")


def hot(folder: Path) -> Sensors:
    return Sensors(sysfs=pi(folder / "hot", 84.0, throttled=0x4).root, vcio=folder / "none")


def test_a_device_that_is_too_slow_looks_less_often_says_so_and_counts_the_same(tmp_path: Path) -> None:
    """A look of 150 ms, ten pictures a second: every second picture is what it can do."""
    settings = config(tmp_path)
    parts = build(settings)
    slow = Slow(parts.detector, 0.15)
    payloads = told(settings, replace(parts, detector=slow, pace=Pace(settings, [slow], sensors=cold(tmp_path))))
    first = of(payloads, "pace")[0]
    assert (first["direction"], first["every"] > 1) == ("down", True)
    assert first["reason"].startswith("the loop needs")
    assert of(payloads, "count")[-1]["total"] == {"in": 1, "out": 0}
    assert of(payloads, "health")[-1]["pace"]["every"] > 1


def test_a_device_that_is_too_hot_looks_less_often_says_so_and_counts_the_same(tmp_path: Path) -> None:
    settings = config(tmp_path)
    parts = build(settings)
    payloads = told(settings, replace(parts, pace=Pace(settings, [parts.detector], sensors=hot(tmp_path))))
    (change,) = of(payloads, "pace")
    assert (change["rung"], change["every"], change["reason"]) == (1, 2, "the device is slowed down: throttled")
    assert of(payloads, "count")[-1]["total"] == {"in": 1, "out": 0}


def test_a_recording_that_is_read_as_fast_as_it_goes_is_looked_at_picture_by_picture_however_hot(
    tmp_path: Path,
) -> None:
    settings = config(tmp_path, realtime=False)
    parts = build(settings)
    slow = Slow(parts.detector, 0.01)
    payloads = told(settings, replace(parts, pace=Pace(settings, [slow], sensors=hot(tmp_path))))
    assert of(payloads, "pace") == []
    assert of(payloads, "health")[-1]["pace"]["looks"] == FRAMES


def test_a_gate_spares_looks_at_an_empty_picture_and_counts_the_same(tmp_path: Path) -> None:
    """Two seconds of nobody before the walk and after it."""
    settings = config(tmp_path, realtime=False, motion_gate=True)
    nobody = [np.full((192, 320, 3), 20, np.uint8)] * 20
    write_clip(tmp_path / "walk.mp4", [*nobody, *walking_square(FRAMES), *nobody], FPS)
    payloads = told(settings)
    pace = of(payloads, "health")[-1]["pace"]
    assert pace["looks"] + pace["spared"] == FRAMES + 40
    assert pace["spared"] >= 19
    assert of(payloads, "count")[-1]["total"] == {"in": 1, "out": 0}


def test_a_camera_is_looked_at_in_its_own_rhythm_whatever_was_dropped(tmp_path: Path) -> None:
    """Every third picture that the camera took: the loop sees pictures 0, 1, 4, 5, 6, 9."""
    settings = Config(capture=RtspCapture(url="rtsp://c"), detect=DetectConfig(model="m.onnx", every=3))
    pace = Pace(settings, ["eye"])
    image = np.zeros((60, 100, 3), np.uint8)
    frames = [Frame(image, index, index / 10, 0.0, 0.0) for index in (0, 1, 4, 5, 6, 9)]
    looked = [frame.index for frame in frames if pace.turn(frame, Tracks.empty())]
    assert looked == [0, 4, 9]


class Begins:
    """A detector whose looks are over when the test says so."""

    def __init__(self) -> None:
        self.over: Callable[[], None] = lambda: None

    def begin(self, picture: Picture, done: Callable[[], None]) -> object:
        self.over = done
        return "begun"


def test_the_loop_is_told_what_was_decided_when_the_picture_was_taken() -> None:
    """Every third picture is looked at, and the loop comes late: it would have said something else by then."""
    settings = Config(capture=RtspCapture(url="rtsp://c"), detect=DetectConfig(model="m.onnx", every=3))
    pace, image = Pace(settings, [Begins()]), np.zeros((60, 100, 3), np.uint8)
    taken = [0, 1, 4, 5, 6, 9]
    begun = [pace.begin(image, index, lambda: None) for index in taken]
    frames = [Frame(image, index, index / 10, 0.0, 0.0) for index in taken]
    looked = [frame.index for frame in frames if pace.turn(frame, Tracks.empty())]
    assert looked == [index for index, look in zip(taken, begun, strict=True) if look] == [0, 4, 9]
    assert pace.state.looks == 3


@pytest.mark.parametrize(("look_s", "down"), [(0.08, False), (0.09, True)])
def test_work_beside_the_loop_counts_by_the_busier_of_the_two(look_s: float, down: bool, tmp_path: Path) -> None:
    """Ten pictures/s, a look and 60 ms of the loop after it: more than there is, were it one after the other."""
    detect, pace_options = DetectConfig(model="m.onnx", every="auto"), PaceConfig(min_looks_s=3)
    settings = Config(capture=RtspCapture(url="rtsp://c"), detect=detect, pace=pace_options)
    now, eye, image = [0.0], Begins(), np.zeros((60, 100, 3), np.uint8)
    pace, changes = Pace(settings, [eye], sensors=cold(tmp_path), clock=lambda: now[0]), []
    for index in range(1, 60):
        taken = index / 10
        came, now[0] = max(now[0], taken), taken
        pace.begin(image, index, lambda: None)
        frame = Frame(image, index, taken, 0.0, captured=taken)
        now[0] = taken + look_s
        eye.over()
        now[0] = came
        pace.turn(frame, Tracks.empty())
        now[0] = max(came, taken + look_s) + 0.06
        changes += pace.done(frame)
    assert bool(changes) == down


@pytest.mark.parametrize("realtime", [True, False])
def test_looks_begin_ahead_of_the_loop_with_the_ladder_and_not_with_the_gate(realtime: bool, tmp_path: Path) -> None:
    assert looks_ahead(config(tmp_path, realtime=realtime)) == 1
    assert looks_ahead(config(tmp_path, realtime=realtime, motion_gate=True)) == 0


def test_a_recording_that_falls_behind_is_judged_by_the_time_that_it_takes(tmp_path: Path) -> None:
    """Half a second for every picture of 30/s: four of them are a tenth of a second of the recording."""
    settings = config(tmp_path)
    now = [0.0]
    pace = Pace(settings, ["eye"], sensors=cold(tmp_path), clock=lambda: now[0])
    image, changes = np.zeros((60, 100, 3), np.uint8), []
    for index in range(5):
        frame = Frame(image, index, index / 30, 0.0, captured=now[0])
        pace.turn(frame, Tracks.empty())
        now[0] += 0.5
        changes += pace.done(frame)
    assert [change.direction for change in changes] == ["down"]


def test_the_lowest_rung_asks_the_camera_for_fewer_pictures_and_uses_the_lighter_detector(tmp_path: Path) -> None:
    """A device on which either look takes half a second, at 30 pictures/s."""
    settings = Config(
        capture=RtspCapture(url="rtsp://c"),
        detect=DetectConfig(model="full.onnx", every="auto"),
        pace=PaceConfig(lighter="light.onnx", min_looks_s=6),
    )
    asked: list[float | None] = []
    now = [0.0]
    pace = Pace(settings, ["full", "light"], asked.append, cold(tmp_path), clock=lambda: now[0])
    image, eyes = np.zeros((60, 100, 3), np.uint8), []
    for index in range(0, 300, 15):  # half a second for each picture, 15 of the camera's
        frame = Frame(image, index, index / 30, 0.0, captured=now[0])
        eyes.append(pace.turn(frame, Tracks.empty()))
        now[0] += 0.5
        pace.done(frame)
    assert asked == [6]
    assert (pace.state.model, pace.state.rung, pace.state.over) == ("light.onnx", pace.state.last, True)
    assert (eyes[0], eyes[-1]) == ("full", "light")


def test_a_lighter_detector_of_other_classes_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = blob_detector(tmp_path / "other.onnx", names="{0: 'car'}")
    settings = config(tmp_path, lighter=str(other))
    with pytest.raises(ConfigError, match=r"pace\.lighter: .*other\.onnx has 1 classes, car"):
        build(settings)


def test_auto_is_a_word_that_the_configuration_knows(tmp_path: Path) -> None:
    config(tmp_path)
    text = "capture: {kind: file, path: walk.mp4}\ndetect: {model: ./blobs.onnx, every: auto}\n"
    (tmp_path / "auto.yaml").write_text(text)
    assert main(["check", str(tmp_path / "auto.yaml")]) == 0
    (tmp_path / "auto.yaml").write_text(text.replace("auto}", "often}"))
    assert main(["check", str(tmp_path / "auto.yaml")]) == 2
